"""One round of updates of all MAStAC or MADDPG agents on the zones of the temperature problem, on one thread.

Letters in shapes: N agents, B samples, P pairs of a critic and an actor that climbs it, H hidden numbers. One round is what
MABN's algorithm 1 does for every agent, simultaneously: the target, a step of the critic, a step of the actor through all
critics that its action matters to, and the targets' move. Actors are linear with a tanh, critics have three hidden layers.

A round of MADDPG is the same of critics that see what all agents observe and do, and learn from the team's reward; each actor
climbs its own, which has just been updated.
"""

import peer  # first: it fixes the thread counts that numpy and torch read when they are loaded

import torch
from torch import nn
from torch.nn import functional as F

HIDDEN = [64, 64, 64]
ACTOR_RATE, CRITIC_RATE = 1e-2, 3e-3
DISCOUNT, TARGET_RATE = 0.9, 0.05


def neighbours(agents, i):
    """Zones of one level are a path; levels take turns."""
    return [j for j in (i - 2, i, i + 2) if 0 <= j < agents]


def dependency_sets(agents, kappa):
    """Whose states and actions the value of each zone depends on; `kappa` 0 stands for exact sets."""
    reach = agents if kappa == 0 else 2 * kappa + 1
    return [[j for j in range(agents) if (i - j) % 2 == 0 and abs(i - j) <= 2 * reach] for i in range(agents)]


def glorot(layer):
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def perceptron(widths):
    steps = []
    for inputs, outputs in zip(widths, widths[1:]):
        steps += [glorot(nn.Linear(inputs, outputs)), nn.ReLU()]
    return nn.Sequential(*steps[:-1])


class Problem:
    """Sizes, sets, and a batch of random transitions."""

    def __init__(self, agents, kappa, batch):
        self.agents = agents
        self.sets = dependency_sets(agents, kappa)
        self.seen = [neighbours(agents, i) for i in range(agents)]
        self.states, self.next_states = torch.randn(2, batch, agents)
        self.actions = torch.rand(batch, agents) * 2 - 1
        self.rewards = -torch.rand(batch, agents)


class Modules:
    """A module and an optimiser for every network, agent after agent, as public codes have it."""

    def __init__(self, problem, replace):
        self.problem, self.replace = problem, replace
        self.actors = [glorot(nn.Linear(len(seen), 1)) for seen in problem.seen]
        self.critics = [perceptron([2 * len(own), *HIDDEN, 1]) for own in problem.sets]
        self.target_actors = [glorot(nn.Linear(len(seen), 1)) for seen in problem.seen]
        self.target_critics = [perceptron([2 * len(own), *HIDDEN, 1]) for own in problem.sets]
        self.optimisers = [
            torch.optim.Adam(network.parameters(), lr=rate)
            for networks, rate in ((self.actors, ACTOR_RATE), (self.critics, CRITIC_RATE))
            for network in networks
        ]

    def act(self, actors, i, states):
        return torch.tanh(actors[i](states[:, self.problem.seen[i]]))

    def round(self):
        problem = self.problem
        sets, agents = problem.sets, range(problem.agents)
        with torch.no_grad():
            following = torch.cat([self.act(self.target_actors, k, problem.next_states) for k in agents], 1)
        losses = []
        for i, own in enumerate(sets):
            with torch.no_grad():
                after = torch.cat([problem.next_states[:, own], following[:, own]], 1)
                target = problem.rewards[:, i : i + 1] + DISCOUNT * self.target_critics[i](after)
            value = self.critics[i](torch.cat([problem.states[:, own], problem.actions[:, own]], 1))
            losses.append((self.critics[i], F.mse_loss(value, target)))
        if self.replace == "own":
            losses += [(self.actors[i], -self.climbed(i)) for i in agents]
        gradients = [torch.autograd.grad(loss, list(network.parameters())) for network, loss in losses]
        if self.replace == "all":
            gradients += self.climb_together()
        networks = [*self.critics, *self.actors]
        for network, parts in zip(networks, gradients):
            for parameter, part in zip(network.parameters(), parts):
                parameter.grad = part
        for optimiser in self.optimisers:
            optimiser.step()
        with torch.no_grad():
            for network, target in zip(networks, [*self.target_critics, *self.target_actors]):
                for parameter, follower in zip(network.parameters(), target.parameters()):
                    follower.lerp_(parameter, TARGET_RATE)

    def climbed(self, i):
        """The sum of the critics that agent i matters to, in which only its own action is new."""
        problem, total = self.problem, 0
        action = self.act(self.actors, i, problem.states)
        for j, told in enumerate(problem.sets):
            if i in told:
                place = told.index(i)
                others = problem.actions[:, told]
                joint = torch.cat([others[:, :place], action, others[:, place + 1 :]], 1)
                total = total + self.critics[j](torch.cat([problem.states[:, told], joint], 1)).mean()
        return total

    def climb_together(self):
        """Gradients of all actors from one pass of each critic, in which all actions are new."""
        problem = self.problem
        joint = torch.cat([self.act(self.actors, k, problem.states) for k in range(problem.agents)], 1)
        total = sum(
            self.critics[j](torch.cat([problem.states[:, told], joint[:, told]], 1)).mean()
            for j, told in enumerate(problem.sets)
        )
        parameters = [list(actor.parameters()) for actor in self.actors]
        found = iter(torch.autograd.grad(-total, sum(parameters, [])))
        return [[next(found) for _ in own] for own in parameters]


class Stack(nn.Module):
    """Networks of all agents as stacks of weights, [N, in, out]; smaller inputs are filled up with zeros."""

    def __init__(self, inputs, widths):
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for k, width in enumerate(widths):
            before = inputs if k == 0 else [widths[k - 1]] * len(inputs)
            weight = torch.zeros(len(inputs), max(before), width)
            for own, rows in zip(weight, before):
                nn.init.xavier_uniform_(own[:rows])
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(len(inputs), 1, width)))

    def forward(self, x):
        """[N, B, in] -> [N, B, out]"""
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = torch.baddbmm(bias, x if k == 0 else F.relu(x), weight)
        return x


class Batched:
    """By hand: all agents' networks in batched products, one optimiser, inputs gathered at once."""

    def __init__(self, problem, replace):
        self.problem, self.replace = problem, replace
        agents, sets = problem.agents, problem.sets
        self.actor, self.target_actor = (Stack([len(seen) for seen in problem.seen], [1]) for _ in range(2))
        self.critic, self.target_critic = (Stack([2 * len(own) for own in sets], [*HIDDEN, 1]) for _ in range(2))
        self.optimiser = torch.optim.Adam(
            [
                {"params": self.actor.parameters(), "lr": ACTOR_RATE},
                {"params": self.critic.parameters(), "lr": CRITIC_RATE},
            ],
            foreach=True,
        )
        # Rows of a table of all states, all actions and a row of zeros.
        self.told = filled([own + [agents + k for k in own] for own in sets], 2 * agents)
        self.seen = filled(problem.seen, agents)
        # Of each critic: the actors that climb it, and the places of their actions among what it is told.
        self.pairs = filled(sets, agents)
        self.slots = filled([[len(own) + k for k in range(len(own))] for own in sets], 0)
        self.used = (self.pairs < agents).float()

    def act(self, actor, states):
        """[N, B] -> [N, B]"""
        table = F.pad(states, (0, 0, 0, 1))
        return torch.tanh(actor(table[self.seen].transpose(1, 2))).squeeze(2)

    def tell(self, states, actions):
        """What critics are told, [N, B, in]."""
        table = F.pad(torch.cat([states, actions]), (0, 0, 0, 1))
        return table[self.told].transpose(1, 2)

    def round(self):
        problem = self.problem
        states, next_states, actions = problem.states.t(), problem.next_states.t(), problem.actions.t()
        with torch.no_grad():
            after = self.tell(next_states, self.act(self.target_actor, next_states))
            target = problem.rewards.t().unsqueeze(2) + DISCOUNT * self.target_critic(after)
        told = self.tell(states, actions)
        loss = (self.critic(told) - target).square().mean(1).sum()
        critic_gradient = torch.autograd.grad(loss, list(self.critic.parameters()))
        action = self.act(self.actor, states)
        if self.replace == "all":
            climbed = self.critic(self.tell(states, action)).mean(1).sum()
        else:
            climbed = self.climbed(told, action - actions)
        actor_gradient = torch.autograd.grad(-climbed, list(self.actor.parameters()))
        for network, gradient in ((self.actor, actor_gradient), (self.critic, critic_gradient)):
            for parameter, part in zip(network.parameters(), gradient):
                parameter.grad = part
        self.optimiser.step()
        with torch.no_grad():
            for network, follower in ((self.actor, self.target_actor), (self.critic, self.target_critic)):
                torch._foreach_mul_(list(follower.parameters()), 1 - TARGET_RATE)
                torch._foreach_add_(list(follower.parameters()), list(network.parameters()), alpha=TARGET_RATE)

    def climbed(self, told, change):
        """A pass of each critic for each actor: the first layer of the critic once, and what the action changes in it."""
        weights = [weight.detach() for weight in self.critic.weights]
        biases = [bias.detach() for bias in self.critic.biases]
        agents, batch = told.shape[:2]
        first = torch.baddbmm(biases[0], told, weights[0])
        rows = weights[0].gather(1, self.slots.unsqueeze(2).expand(-1, -1, HIDDEN[0]))  # [N, P, H]
        moves = F.pad(change, (0, 0, 0, 1))[self.pairs]  # [N, P, B]
        x = first.unsqueeze(1) + moves.unsqueeze(3) * rows.unsqueeze(2)
        x = x.view(agents, -1, HIDDEN[0])
        for weight, bias in zip(weights[1:], biases[1:]):
            x = torch.baddbmm(bias, F.relu(x), weight)
        return (x.view(agents, -1, batch).mean(2) * self.used).sum()


class CriticByCritic(Batched):
    """As `Batched`, but passes for the actors go critic after critic, so that what is between two layers stays in the cache."""

    def climbed(self, told, change):
        weights = [weight.detach().unbind() for weight in self.critic.weights]
        biases = [bias.detach().unbind() for bias in self.critic.biases]
        total, gradient = 0, torch.zeros_like(change)
        for j, own in enumerate(self.problem.sets):
            moves = change.detach()[own].requires_grad_()
            first = torch.addmm(biases[0][j], told[j], weights[0][j])
            x = first + moves.unsqueeze(2) * weights[0][j][len(own) : 2 * len(own)].unsqueeze(1)
            x = x.view(-1, HIDDEN[0])
            for weight, bias in zip(weights[1:], biases[1:]):
                x = torch.addmm(bias[j], F.relu(x), weight[j])
            climbed = x.sum() / told.shape[1]
            gradient[own] += torch.autograd.grad(climbed, moves)[0]
            total += climbed.detach()
        # Of the same value, and of the gradient that was found.
        return total + ((change - change.detach()) * gradient).sum()


class MaddpgModules:
    """A module and an optimiser for every network, agent after agent, as public codes have it."""

    def __init__(self, problem):
        self.problem = problem
        agents, observed = problem.agents, sum(map(len, problem.seen))
        critic = [observed + agents, *HIDDEN, 1]
        self.actors, self.target_actors = ([glorot(nn.Linear(len(seen), 1)) for seen in problem.seen] for _ in range(2))
        self.critics, self.target_critics = ([perceptron(critic) for _ in range(agents)] for _ in range(2))
        self.actor_optimisers = [torch.optim.Adam(network.parameters(), lr=ACTOR_RATE) for network in self.actors]
        self.critic_optimisers = [torch.optim.Adam(network.parameters(), lr=CRITIC_RATE) for network in self.critics]
        self.observed = torch.tensor(sum(problem.seen, []))

    def act(self, actors, i, states):
        return torch.tanh(actors[i](states[:, self.problem.seen[i]]))

    def round(self):
        problem = self.problem
        agents = range(problem.agents)
        rewards = problem.rewards.mean(1, keepdim=True)
        observed = problem.states[:, self.observed]
        with torch.no_grad():
            following = [self.act(self.target_actors, k, problem.next_states) for k in agents]
            after = torch.cat([problem.next_states[:, self.observed], *following], 1)
        taken = torch.cat([observed, problem.actions], 1)
        for i in agents:
            with torch.no_grad():
                target = rewards + DISCOUNT * self.target_critics[i](after)
            self.step(self.critic_optimisers[i], self.critics[i], F.mse_loss(self.critics[i](taken), target))
        for i in agents:
            self.step(self.actor_optimisers[i], self.actors[i], self.actor_loss(i, observed))
        with torch.no_grad():
            pairs = ((self.critics, self.target_critics), (self.actors, self.target_actors))
            for network, target in (pair for group in pairs for pair in zip(*group)):
                for parameter, follower in zip(network.parameters(), target.parameters()):
                    follower.lerp_(parameter, TARGET_RATE)

    def actor_loss(self, i, observed):
        others, action = self.problem.actions, self.act(self.actors, i, self.problem.states)
        joint = torch.cat([observed, others[:, :i], action, others[:, i + 1 :]], 1)
        return -self.critics[i](joint).mean()

    def step(self, optimiser, network, loss):
        parameters = list(network.parameters())
        for parameter, part in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.grad = part
        optimiser.step()


class MaddpgBatched:
    """By hand: all agents' networks in batched products; what was taken passes the first layer once for all actors."""

    def __init__(self, problem):
        self.problem = problem
        agents = problem.agents
        self.seen = filled(problem.seen, agents)
        self.observed = torch.tensor(sum(problem.seen, []))
        width = len(self.observed) + agents
        self.actor, self.target_actor = (Stack([len(seen) for seen in problem.seen], [1]) for _ in range(2))
        self.critic, self.target_critic = (Stack([width] * agents, [*HIDDEN, 1]) for _ in range(2))
        self.actor_optimiser = torch.optim.Adam(self.actor.parameters(), lr=ACTOR_RATE, foreach=True)
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=CRITIC_RATE, foreach=True)

    act = Batched.act

    def tell(self, states, actions):
        """What every critic sees, [N, B, in], the same for all."""
        seen = torch.cat([states[self.observed], actions]).t()
        return seen.unsqueeze(0).expand(self.problem.agents, -1, -1)

    def round(self):
        problem = self.problem
        states, next_states, actions = problem.states.t(), problem.next_states.t(), problem.actions.t()
        with torch.no_grad():
            after = self.tell(next_states, self.act(self.target_actor, next_states))
            target = problem.rewards.mean(1).unsqueeze(1) + DISCOUNT * self.target_critic(after)
        taken = self.tell(states, actions)
        loss = (self.critic(taken) - target).square().mean(1).sum()
        self.step(self.critic_optimiser, self.critic, loss)
        self.step(self.actor_optimiser, self.actor, self.actor_loss(taken, states, actions))
        with torch.no_grad():
            for network, follower in ((self.actor, self.target_actor), (self.critic, self.target_critic)):
                torch._foreach_mul_(list(follower.parameters()), 1 - TARGET_RATE)
                torch._foreach_add_(list(follower.parameters()), list(network.parameters()), alpha=TARGET_RATE)

    def actor_loss(self, taken, states, actions):
        weights = [weight.detach() for weight in self.critic.weights]
        biases = [bias.detach() for bias in self.critic.biases]
        change = self.act(self.actor, states) - actions
        agents = torch.arange(self.problem.agents)
        own = weights[0][agents, len(self.observed) + agents]  # [N, H]
        x = torch.baddbmm(biases[0], taken, weights[0]) + change.unsqueeze(2) * own.unsqueeze(1)
        for weight, bias in zip(weights[1:], biases[1:]):
            x = torch.baddbmm(bias, F.relu(x), weight)
        return -x.mean(1).sum()

    def step(self, optimiser, network, loss):
        parameters = list(network.parameters())
        for parameter, part in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.grad = part
        optimiser.step()


def filled(lists, filler):
    width = max(map(len, lists))
    return torch.tensor([own + [filler] * (width - len(own)) for own in lists])


VARIANTS = {"modules": Modules, "batched": Batched, "critic by critic": CriticByCritic}
RULES = {"own": "own", "all": "all"}
MADDPG_VARIANTS = {"modules": MaddpgModules, "batched": MaddpgBatched}


def mastac_round(request):
    agents = peer.positive(request, "agents", 40)
    kappa = peer.positive(request, "kappa", 2, least=0)
    batch = peer.positive(request, "batch", 256)
    replace = peer.choose("replace", RULES, request.get("replace", "own"))
    variant = request.get("variant", "modules")
    team = peer.choose("variant", VARIANTS, variant)(Problem(agents, kappa, batch), replace)
    elapsed = peer.milliseconds_per_call(
        team.round, peer.positive(request, "repeats", 10), peer.positive(request, "warmup", 3, least=0)
    )
    return {
        "agents": agents,
        "kappa": kappa,
        "batch": batch,
        "replace": replace,
        "variant": variant,
        "milliseconds": elapsed,
    }


def maddpg_round(request):
    agents = peer.positive(request, "agents", 40)
    batch = peer.positive(request, "batch", 256)
    variant = request.get("variant", "modules")
    team = peer.choose("variant", MADDPG_VARIANTS, variant)(Problem(agents, 0, batch))
    elapsed = peer.milliseconds_per_call(
        team.round, peer.positive(request, "repeats", 10), peer.positive(request, "warmup", 3, least=0)
    )
    return {"agents": agents, "batch": batch, "variant": variant, "milliseconds": elapsed}


def self_test():
    """All variants give the actors the same gradients."""
    problem = Problem(12, 0, 5)
    modules, batched = MaddpgModules(problem), MaddpgBatched(problem)
    copy_into(modules, batched)
    states, actions = problem.states.t(), problem.actions.t()
    loss = batched.actor_loss(batched.tell(states, actions), states, actions)
    found = of_agents(problem, torch.autograd.grad(loss, list(batched.actor.parameters())))
    observed = problem.states[:, modules.observed]
    for i, actor in enumerate(modules.actors):
        weight, bias = torch.autograd.grad(modules.actor_loss(i, observed), list(actor.parameters()))
        assert (torch.cat([weight[0], bias]) - found[i]).abs().max().item() < 1e-5, ("maddpg", i)
    for kappa in (0, 1):
        for replace in RULES:
            problem = Problem(12, kappa, 5)
            modules = Modules(problem, replace)
            expected = None
            for variant in (Batched, CriticByCritic):
                team = variant(problem, replace)
                copy_into(modules, team)
                found = actor_gradients(team)
                if expected is None:
                    expected = actor_gradients_of_modules(modules)
                worst = max((a - b).abs().max().item() for a, b in zip(found, expected))
                assert worst < 1e-5, (kappa, replace, variant.__name__, worst)
    print("all variants agree")


def copy_into(modules, team):
    with torch.no_grad():
        for i, (actor, critic) in enumerate(zip(modules.actors, modules.critics)):
            for stack, layers in ((team.actor, [actor]), (team.critic, list(critic)[::2])):
                for weight, bias, layer in zip(stack.weights, stack.biases, layers):
                    weight[i, : layer.in_features] = layer.weight.t()
                    bias[i, 0] = layer.bias


def actor_gradients(team):
    states, actions = team.problem.states.t(), team.problem.actions.t()
    action = team.act(team.actor, states)
    if team.replace == "all":
        climbed = team.critic(team.tell(states, action)).mean(1).sum()
    else:
        climbed = team.climbed(team.tell(states, actions), action - actions)
    return of_agents(team.problem, torch.autograd.grad(-climbed, list(team.actor.parameters())))


def of_agents(problem, gradients):
    """Those of stacks of actors, agent by agent and without what fills them up."""
    sizes = [len(seen) for seen in problem.seen]
    return [torch.cat([own[:size, 0], bias[0]]) for own, bias, size in zip(*gradients, sizes)]


def actor_gradients_of_modules(modules):
    if modules.replace == "all":
        found = modules.climb_together()
    else:
        found = [
            torch.autograd.grad(-modules.climbed(i), list(actor.parameters()))
            for i, actor in enumerate(modules.actors)
        ]
    return [torch.cat([weight[0], bias]) for weight, bias in found]


if __name__ == "__main__":
    import sys

    if "--self-test" in sys.argv:
        self_test()
    else:
        peer.serve(torch, {"mastac-round": mastac_round, "maddpg-round": maddpg_round})
