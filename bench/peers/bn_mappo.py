"""MAPPO with a Bayesian-network joint policy: one whole update, and one rollout, on one thread.

Letters in shapes: N agents, E environments, T steps, R = T * E samples of every agent, A = 2 actions,
O numbers in an observation, S in a state, P in the parents' slots. Rows are agent-major, [N, R, ...],
so that the heads, one per agent, are one batched product.
"""

import itertools
import operator
from dataclasses import dataclass

import peer  # first: it fixes the thread counts that numpy and torch read when they are loaded

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ENVIRONMENTS = 32
ACTIONS = 2
WIDTH = 64

EPOCHS = 5
DISCOUNT, GAE_DECAY = 0.99, 0.95
CLIP = 0.2
ENTROPY = 0.01
HUBER = 10.0
GRADIENT_NORM = 10.0
ADAM = {"lr": 7e-4, "eps": 1e-5}


class CoordinationGame:
    """Five agents that see the whole state of five bits; a bit follows its agent's action up to noise."""

    agents, steps, noise = 5, 20, 0.05
    observation_width = state_width = agents
    observation_levels = 2
    shares_observations = False

    def __init__(self):
        # By the number of agents in state 1: 3 or 2 for a clear majority of zeros or ones, else 0 or 1.
        self.rewards = torch.tensor([3.0, 3.0, 0.0, 1.0, 2.0, 2.0])

    def reset(self):
        return torch.randint(2, (ENVIRONMENTS, self.agents)).float()

    def observe(self, state):
        """[E, S] to [N, E, O]."""
        return state.expand(self.agents, *state.shape)

    def step(self, state, actions):
        """The next state and the reward [E] of the current one, for actions [E, N]."""
        flipped = torch.rand(actions.shape) < self.noise
        return (actions.bool() ^ flipped).float(), self.rewards[state.sum(1).long()]


class Aloha:
    """Ten senders on a 2 x 5 grid with backlogs of 0 to 5 messages; neighbours that send together collide."""

    agents, steps, arrival_probability, max_backlog = 10, 25, 0.6, 5
    observation_width, state_width = 1, agents
    observation_levels = max_backlog + 1
    shares_observations = True

    def __init__(self):
        agents = range(self.agents)
        grid = [[abs(i // 5 - j // 5) + abs(i % 5 - j % 5) == 1 for j in agents] for i in agents]
        self.neighbours = torch.tensor(grid).float()
        self.neighbours[4, 5] = self.neighbours[5, 4] = 1  # the pair in the published neighbour table

    def reset(self):
        return torch.ones(ENVIRONMENTS, self.agents)

    def observe(self, state):
        """[E, S] to [N, E, O]."""
        return state.t().unsqueeze(-1)

    def step(self, state, actions):
        """The next backlogs and the team's reward [E], for actions [E, N]."""
        sends = actions.float()
        tries = sends * (state > 0)
        success = tries * ((sends @ self.neighbours) == 0)
        reward = (10.1 * success - 10 * tries).sum(1)
        arrivals = (torch.rand(state.shape) < self.arrival_probability).float()
        return (state - success + arrivals).clamp_(max=self.max_backlog), reward


GAMES = {"coordination-game": CoordinationGame, "aloha": Aloha}


def product_dag(agents):
    """`parents[i, j] = 1` where agent i reads agent j's action, and agents grouped in topological order."""
    return torch.zeros(agents, agents), [slice(0, agents)]


def full_dag(agents):
    return torch.ones(agents, agents).tril(-1), [slice(i, i + 1) for i in range(agents)]


DAGS = {"product": product_dag, "full": full_dag}


def linear(inputs, outputs, gain):
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def base(inputs):
    """Two hidden layers with LayerNorms; inputs of eight numbers or more are normalised too."""
    gain = 2**0.5
    return nn.Sequential(
        nn.LayerNorm(inputs) if inputs >= 8 else nn.Identity(),
        linear(inputs, WIDTH, gain),
        nn.ReLU(),
        nn.LayerNorm(WIDTH),
        linear(WIDTH, WIDTH, gain),
        nn.ReLU(),
        nn.LayerNorm(WIDTH),
    )


class Actor(nn.Module):
    """Bases shared by all agents over the own observation and the parents' slots; one head per agent."""

    def __init__(self, game):
        super().__init__()
        slot = ACTIONS + (game.observation_width if game.shares_observations else 0)
        self.own = base(game.observation_width)
        self.parents = base(game.agents * slot) if game.shares_observations else nn.Identity()
        parents_width = WIDTH if game.shares_observations else game.agents * slot
        heads = [linear(WIDTH + parents_width, ACTIONS, 0.01).weight.detach() for _ in range(game.agents)]
        own_weight, parents_weight = torch.stack(heads).split([WIDTH, parents_width], 2)
        self.own_weight = nn.Parameter(own_weight.contiguous())  # [N, A, features]
        self.parents_weight = nn.Parameter(parents_weight.contiguous())
        self.bias = nn.Parameter(torch.zeros(game.agents, ACTIONS, 1))

    def heads(self, agents, own, parents):
        """Logits [n, A, rows] of a slice of the agents for features [n, rows, features].

        The products with the two bases' features are summed, which spares concatenating them; actions come
        before rows because a softmax over a last axis of two is slow.
        """
        from_own = torch.baddbmm(self.bias[agents], self.own_weight[agents], own.transpose(1, 2))
        return torch.baddbmm(from_own, self.parents_weight[agents], parents.transpose(1, 2))

    def logits(self, own, parents):
        """Logits [N, A, R] for inputs [N, R, O] and [N, R, P], every row through the networks."""
        return self.heads(slice(None), self.own(own), self.parents(parents))

    def distinct_logits(self, rows):
        """Logits [A, U] for the U `DistinctRows`."""

        def for_every_head(features, weight):
            return (features @ weight.flatten(0, 1).t()).view(-1, ACTIONS)  # [inputs * N, A]

        own = for_every_head(self.own(rows.own), self.own_weight)
        parents = for_every_head(self.parents(rows.parents), self.parents_weight)
        logits = own[rows.own_entry] + parents[rows.parents_entry] + self.bias.squeeze(2)[rows.agent]
        return logits.t().contiguous()


@dataclass
class DistinctRows:
    """The distinct inputs of both bases, and the distinct pairs of them that an agent's head sees."""

    own: torch.Tensor
    parents: torch.Tensor
    own_entry: torch.Tensor
    parents_entry: torch.Tensor
    agent: torch.Tensor
    share: torch.Tensor  # the fraction of all rows that equal this one
    inverse: torch.Tensor  # [N * R], the distinct row of each row


def distinct_inputs(inputs, radices):
    """Distinct rows of an integer-valued [rows, width] tensor below `radices`, and where each row went."""
    *places, count = itertools.accumulate(radices, operator.mul, initial=1)
    if count > 2**53:
        raise ValueError("distinct: too many possible inputs for an exact key")
    keys = inputs.double() @ torch.tensor(places, dtype=torch.float64)
    _, first, inverse = np.unique(keys.numpy(), return_index=True, return_inverse=True)
    return inputs[torch.from_numpy(first)], inverse


def distinct_rows(game, own, parents):
    """`DistinctRows` of the inputs [N, R, O] and [N, R, P]."""
    agents, samples = own.shape[:2]
    observation = [game.observation_levels] * game.observation_width
    slot = observation * game.shares_observations + [2] * ACTIONS
    own_rows, own_index = distinct_inputs(own.flatten(0, 1), observation)
    parents_rows, parents_index = distinct_inputs(parents.flatten(0, 1), slot * agents)
    agent = np.repeat(np.arange(agents), samples)
    keys = (own_index * len(parents_rows) + parents_index) * agents + agent
    _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    entries = [(index * agents + agent)[first] for index in (own_index, parents_index)]
    return DistinctRows(
        own_rows,
        parents_rows,
        *map(torch.from_numpy, entries),
        torch.from_numpy(agent[first]),
        torch.from_numpy(counts / len(keys)).float(),
        torch.from_numpy(inverse),
    )


class ValueNormaliser:
    """Running mean and variance of the returns, debiased for its start at zero."""

    decay = 0.99999

    def __init__(self):
        self.sums = torch.zeros(3)  # of values, of their squares, of weights

    def update(self, returns):
        moments = torch.stack([returns.mean(), returns.square().mean(), torch.ones(())])
        self.sums.lerp_(moments, 1 - self.decay)

    def mean_and_deviation(self):
        mean, square = self.sums[:2] / self.sums[2].clamp(min=1e-5)
        return mean, (square - mean.square()).clamp(min=1e-2).sqrt()


@dataclass
class Rollout:
    """One episode in each environment."""

    observations: torch.Tensor  # [N, T, E, O]
    states: torch.Tensor  # [T + 1, E, S]
    actions: torch.Tensor  # [N, T, E]
    log_probabilities: torch.Tensor  # [N, T, E]
    values: torch.Tensor  # [T, E], as the critic gives them: normalised
    rewards: torch.Tensor  # [T, E]
    masks: torch.Tensor  # [T + 1, E], 0 where an episode has just ended


class Trainer:
    """A game, its DAG, the networks and their optimisers."""

    def __init__(self, game, dag):
        self.game = game
        self.parents, self.levels = dag(game.agents)
        self.actor = Actor(game)
        self.critic = nn.Sequential(base(game.state_width), linear(WIDTH, 1, 1.0))
        self.normaliser = ValueNormaliser()
        self.optimisers = {
            network: torch.optim.Adam(network.parameters(), **ADAM) for network in (self.actor, self.critic)
        }

    def tensors(self):
        """Everything an update changes."""
        adam = [
            entry
            for optimiser in self.optimisers.values()
            for state in optimiser.state.values()
            for entry in state.values()
        ]
        return [self.normaliser.sums, *self.actor.parameters(), *self.critic.parameters(), *adam]

    def masked_parents(self, slots, agents=slice(None)):
        """Slots [R, N, width] as the agents' parents' inputs [n, R, N * width], zero for non-parents."""
        return (slots * self.parents[agents, None, :, None]).flatten(2)

    def slots(self, observations, one_hot):
        """What agents show their children, [R, N, width], of [N, R, O] and [R, N, A]."""
        if not self.game.shares_observations:
            return one_hot
        return torch.cat([observations.transpose(0, 1), one_hot], -1)

    @torch.inference_mode()
    def act(self, observations):
        """Actions [N, E] drawn in topological order, and all agents' logits [N, A, E]."""
        agents, environments = observations.shape[:2]
        own = self.actor.own(observations)
        actions = torch.empty(agents, environments, dtype=torch.long)
        logits = torch.empty(agents, ACTIONS, environments)
        slots = self.slots(observations, torch.zeros(environments, agents, ACTIONS))
        noise = torch.empty_like(logits).exponential_().log_()  # minus a Gumbel draw
        for level in self.levels:
            parents = self.actor.parents(self.masked_parents(slots, level))
            logits[level] = self.actor.heads(level, own[level], parents)
            actions[level] = (logits[level] - noise[level]).argmax(1)
            slots[:, level, -ACTIONS:] = F.one_hot(actions[level].t(), ACTIONS).float()
        return actions, logits

    def collect(self):
        """A `Rollout` by the current policy."""
        game = self.game
        agents, steps = game.agents, game.steps
        observations = torch.empty(agents, steps, ENVIRONMENTS, game.observation_width)
        states = torch.empty(steps + 1, ENVIRONMENTS, game.state_width)
        actions = torch.empty(agents, steps, ENVIRONMENTS, dtype=torch.long)
        logits = torch.empty(agents, ACTIONS, steps, ENVIRONMENTS)
        rewards = torch.empty(steps, ENVIRONMENTS)
        masks = torch.ones(steps + 1, ENVIRONMENTS)
        masks[-1] = 0  # the time limit counts as an end
        state = game.reset()
        for t in range(steps):
            states[t] = state
            observation = game.observe(state).contiguous()
            observations[:, t] = observation
            actions[:, t], logits[:, :, t] = self.act(observation)
            state, rewards[t] = game.step(state, actions[:, t].t())
        states[-1] = game.reset()
        with torch.no_grad():
            values = self.critic(states[:-1]).squeeze(-1)
            log_policy = torch.log_softmax(logits.flatten(2), 1)
            taken = log_policy.gather(1, actions.flatten(1).unsqueeze(1))
            log_probabilities = taken.view(agents, steps, ENVIRONMENTS)
        return Rollout(observations, states, actions, log_probabilities, values, rewards, masks)

    @torch.no_grad()
    def returns_and_advantages(self, rollout):
        """Returns and normalised advantages, both [T * E]: the team shares them."""
        mean, deviation = self.normaliser.mean_and_deviation()
        last = self.critic(rollout.states[-1:]).squeeze(-1)
        values = torch.cat([rollout.values, last]) * deviation + mean
        going = DISCOUNT * rollout.masks[1:]
        errors = rollout.rewards + going * values[1:] - values[:-1]
        advantages = torch.empty_like(errors)
        advantage = torch.zeros(ENVIRONMENTS)
        for t in reversed(range(len(errors))):
            advantage = torch.addcmul(errors[t], going[t], advantage, value=GAE_DECAY)
            advantages[t] = advantage
        returns = (advantages + values[:-1]).flatten()
        deviation, mean = torch.std_mean(advantages, unbiased=False)
        return returns, ((advantages - mean) / (deviation + 1e-5)).flatten()

    def evaluator(self, rollout, distinct):
        """A function that gives log π [N, R] of the stored actions and the mean entropy."""
        observations = rollout.observations.flatten(1, 2)
        actions = rollout.actions.flatten(1, 2)
        one_hot = F.one_hot(actions.t(), ACTIONS).float()
        parents = self.masked_parents(self.slots(observations, one_hot))

        def all_rows():
            log_policy = torch.log_softmax(self.actor.logits(observations, parents), 1)
            entropy = -(log_policy.exp() * log_policy).sum(1).mean()
            return log_policy.gather(1, actions.unsqueeze(1)).squeeze(1), entropy

        if not distinct:
            return all_rows

        rows = distinct_rows(self.game, observations, parents)
        entry = actions.flatten() * len(rows.agent) + rows.inverse

        def distinct_only():
            log_policy = torch.log_softmax(self.actor.distinct_logits(rows), 0)
            entropy = -((log_policy.exp() * log_policy).sum(0) @ rows.share)
            return log_policy.flatten().gather(0, entry).view_as(actions), entropy

        return distinct_only

    def descend(self, network, loss):
        optimiser = self.optimisers[network]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimiser.step()

    def update(self, rollout, distinct=False):
        """One MAPPO update: five epochs of one minibatch, actor and critic."""
        returns, advantages = self.returns_and_advantages(rollout)
        evaluate = self.evaluator(rollout, distinct)
        old_log_probabilities = rollout.log_probabilities.flatten(1, 2)
        old_values = rollout.values.flatten()
        states = rollout.states[:-1].flatten(0, 1)
        for _ in range(EPOCHS):
            log_probabilities, entropy = evaluate()
            ratio = (log_probabilities - old_log_probabilities).exp()
            surrogate = torch.min(ratio * advantages, ratio.clamp(1 - CLIP, 1 + CLIP) * advantages)
            self.descend(self.actor, -surrogate.mean() - ENTROPY * entropy)

            self.normaliser.update(returns)
            mean, deviation = self.normaliser.mean_and_deviation()
            targets = (returns - mean) / deviation
            values = self.critic(states).squeeze(1)
            clipped = old_values + (values - old_values).clamp(-CLIP, CLIP)
            unclipped_loss = F.huber_loss(values, targets, reduction="none", delta=HUBER)
            clipped_loss = F.huber_loss(clipped, targets, reduction="none", delta=HUBER)
            self.descend(self.critic, torch.max(unclipped_loss, clipped_loss).mean())


def trainer_for(request):
    game = peer.choose("env", GAMES, request.get("env"))
    return Trainer(game(), peer.choose("dag", DAGS, request.get("dag")))


def settings(request):
    return {"env": request["env"], "dag": request["dag"], "environments": ENVIRONMENTS}


def time_update(request):
    """One whole update. Each timed one starts from the same state and data, with Adam's moments in place."""
    trainer = trainer_for(request)
    distinct = request.get("distinct", False)
    if type(distinct) is not bool:
        raise ValueError(f"distinct: got {distinct!r}, expected true or false")
    rollout = trainer.collect()
    trainer.update(rollout, distinct)
    tensors = trainer.tensors()
    start = [tensor.detach().clone() for tensor in tensors]

    @torch.no_grad()
    def rewind():
        for tensor, value in zip(tensors, start):
            tensor.copy_(value)

    elapsed = peer.milliseconds_each(
        lambda: trainer.update(rollout, distinct),
        peer.positive(request, "repeats", 50),
        peer.positive(request, "warmup", 5, least=0),
        rewind,
    )
    rows = rollout.actions.numel()
    return {**settings(request), "distinct": distinct, "rows": rows, "milliseconds": elapsed}


def time_rollout(request):
    """One rollout alone, by the initial policy."""
    trainer = trainer_for(request)
    elapsed = peer.milliseconds_each(
        trainer.collect,
        peer.positive(request, "repeats", 50),
        peer.positive(request, "warmup", 5, least=0),
    )
    return {**settings(request), "milliseconds": elapsed}


if __name__ == "__main__":
    peer.serve(torch, {"bn-mappo-update": time_update, "rollout": time_rollout})
