"""Exact policy gradients of tabular softmax Bayesian-network policies in the Coordination Game, in NumPy.

Letters in shapes: N agents, S = 2^N states, A = 2^N joint actions, B starts that ascend side by side,
R = sum_i 2^(parents of i) rows of parameters, one for each agent and joint action of its parents.
States and joint actions are binary numbers with agent 0 first. The two actions are the first axis of all
parameters, so that a softmax is a few operations on whole arrays.

`--self-test` compares values and gradients with reference numbers instead of serving.
"""

import sys
import time

import peer  # first: it fixes the thread counts that numpy reads when it is loaded

import numpy as np

DISCOUNT = 0.95


def product_dag(agents):
    """The parents of each agent."""
    return [[] for _ in range(agents)]


def full_dag(agents):
    return [list(range(i)) for i in range(agents)]


def line_dag(agents):
    return [[i - 1] if i > 0 else [] for i in range(agents)]


DAGS = {"product": product_dag, "full": full_dag, "line": line_dag}


class CoordinationGame:
    """The game as tables. The transition depends on the joint action alone, the reward on the state alone."""

    def __init__(self, agents, noise):
        self.agents, self.size = agents, 2**agents
        self.bits = np.arange(self.size)[:, None] >> np.arange(agents)[::-1] & 1  # [S, N]
        flips = (self.bits[:, None] != self.bits[None]).sum(2)
        self.next_state = noise**flips * (1 - noise) ** (agents - flips)  # [A, S]
        ones = self.bits.sum(1)
        zeros = agents - ones
        near_tie = abs(zeros - ones) <= max(1, round(agents / 3))
        self.reward = np.where(near_tie, zeros < ones, np.where(zeros > ones, 3.0, 2.0))  # [S]
        self.transition = np.repeat(self.next_state[None], self.size, 0)  # [S, A, S]

    def optimal_value(self):
        """In closed form: of all joint actions, the one with the best next state is best everywhere."""
        return self.reward.mean() + DISCOUNT / (1 - DISCOUNT) * (self.next_state @ self.reward).max()


class DenseDynamics:
    """Uses `P(s'|s,a)` as a table of any game, [S, A, S]."""

    def __init__(self, game):
        self.transition, self.size = game.transition, game.size

    def next_state(self, policy):
        """[B, S, A] to [B, S, S]."""
        return (policy.transpose(1, 0, 2) @ self.transition).transpose(1, 0, 2)

    def expected_value(self, value):
        """[B, S] to [B, S, A]."""
        flat = self.transition.reshape(-1, self.size)
        return (value @ flat.T).reshape(-1, self.size, self.size)


class ActionDynamics:
    """Uses that this game's next state depends on the joint action alone, [A, S]."""

    def __init__(self, game):
        self.table = game.next_state

    def next_state(self, policy):
        return policy @ self.table

    def expected_value(self, value):
        return (value @ self.table.T)[:, None]


DYNAMICS = {"dense": DenseDynamics, "joint-action": ActionDynamics}


class PolicyGradient:
    """`V(mu)` and its exact gradient for parameters [2, B, S, R], agents' rows one after the other."""

    def __init__(self, game, parents, dynamics):
        self.game, self.dynamics = game, dynamics
        self.identity = np.eye(game.size)
        self.initial = np.full(game.size, 1 / game.size)
        # Of each agent: its rows, and which of them each joint action of earlier agents selects.
        self.factors = []
        consistent = []
        first = 0
        for i, own_parents in enumerate(parents):
            rows = 2 ** len(own_parents)
            parent_index = np.zeros(game.size, dtype=int)
            for j in own_parents:
                parent_index = 2 * parent_index + game.bits[:, j]
            of_earlier = parent_index[:: 2 ** (game.agents - i)]
            # One row serves all, and with all earlier agents as parents each has a row of its own.
            selection = None if rows in (1, len(of_earlier)) else of_earlier
            self.factors.append((slice(first, first + rows), selection))
            first += rows
            own = [game.bits[:, i] == action for action in range(2)]
            consistent.append(np.stack([np.eye(rows)[parent_index] * taken[:, None] for taken in own]))
        self.rows = first
        # [2, A, R]: whether the joint action has the row's agent and its parents act as the row says.
        self.consistent = np.concatenate(consistent, 2)

    def joint_policy(self, conditionals):
        """[2, B, S, R] to [B, S, A], one agent after the other: parents come before their children."""
        _, starts, states, _ = conditionals.shape
        joint = np.ones((starts, states, 1))
        for rows, of_earlier in self.factors:
            own = conditionals[:, :, :, rows]
            if of_earlier is not None:
                own = own[:, :, :, of_earlier]
            longer = np.empty((starts, states, joint.shape[2], 2))
            np.multiply(joint, own[0], out=longer[..., 0])
            np.multiply(joint, own[1], out=longer[..., 1])
            joint = longer.reshape(starts, states, -1)
        return joint

    def __call__(self, theta):
        """Values [B] and gradients like `theta`."""
        conditionals = np.exp(theta - np.maximum(theta[0], theta[1]))
        conditionals /= conditionals[0] + conditionals[1]
        policy = self.joint_policy(conditionals)
        # One factorisation for both solves: NumPy has no LU to keep, and the inverse is cheaper than two solves.
        inverse = np.linalg.inv(self.identity - DISCOUNT * self.dynamics.next_state(policy))
        state_values = inverse @ self.game.reward
        visitation = self.initial @ inverse
        # G = d(s) pi(a|s) Q(s,a); its sums over consistent joint actions need no division by pi(a_parents|s).
        weighted = self.dynamics.expected_value(state_values) * DISCOUNT + self.game.reward[:, None]
        weighted = weighted * policy
        weighted *= visitation[:, :, None]
        gradient = weighted.reshape(-1, self.game.size) @ self.consistent
        gradient = gradient.reshape(theta.shape)
        gradient -= conditionals * (gradient[0] + gradient[1])
        return state_values @ self.initial, gradient


def step_size(agents):
    """The published 0.01, which was taken with an initial distribution of total mass 2^N / N."""
    return 0.01 * 2**agents / agents


def make_problem(request):
    """The game, its gradient, and the fields of the answer that say which; `transition` is `dense` by default."""
    agents = peer.positive(request, "agents")
    if agents > 8:
        raise ValueError(f"agents: got {agents}, expected at most 8")
    parents = peer.choose("dag", DAGS, request.get("dag"))(agents)
    transition = request.get("transition", "dense")
    game = CoordinationGame(agents, 0.05)
    gradient = PolicyGradient(game, parents, peer.choose("transition", DYNAMICS, transition)(game))
    fields = {"agents": agents, "dag": request["dag"], "transition": transition}
    return game, gradient, fields


def normal_start(request, gradient, starts):
    rng = np.random.default_rng(peer.positive(request, "seed", 0, least=0))
    return rng.standard_normal((2, starts, gradient.game.size, gradient.rows))


def exact_gradient(request):
    """One gradient step of all starts: value, gradient, update."""
    game, gradient, fields = make_problem(request)
    starts = peer.positive(request, "starts", 1)
    theta = normal_start(request, gradient, starts)
    rate = step_size(game.agents)

    def step():
        nonlocal theta
        theta += rate * gradient(theta)[1]

    elapsed = peer.milliseconds_per_call(
        step, peer.positive(request, "repeats", 200), peer.positive(request, "warmup", 20, least=0)
    )
    return {**fields, "starts": starts, "milliseconds": elapsed}


def ascent(request):
    """A whole ascent of all starts, and where it led: mean of `1 - V/V*`."""
    game, gradient, fields = make_problem(request)
    starts, steps = peer.positive(request, "starts", 50), peer.positive(request, "steps", 2000)
    theta = normal_start(request, gradient, starts)
    rate = step_size(game.agents)
    began = time.perf_counter()
    for _ in range(steps):
        theta += rate * gradient(theta)[1]
    elapsed = (time.perf_counter() - began) * 1e3
    suboptimality = 1 - gradient(theta)[0] / game.optimal_value()
    return {
        **fields,
        "starts": starts,
        "steps": steps,
        "milliseconds": elapsed,
        "suboptimality": suboptimality.mean(),
    }


def self_test():
    """Prints reference and computed numbers; exits with 1 when any differ by more than 1e-7."""
    references = [
        # agents, noise, parents, V(mu), norm of the gradient, entry of agent 1, state 2, last row, action 0
        (2, 0.05, [[], [0]], 30.45953589, 4.31934640, -0.34524294),
        (3, 0.05, [[], [], [1]], 17.98452461, 2.28461398, 0.15411244),
        (3, 0.1, [[], [0], [1]], 19.06994415, 1.73627545, -0.05722614),
    ]
    worst = 0
    for agents, noise, parents, *expected in references:
        game = CoordinationGame(agents, noise)
        for name, dynamics in DYNAMICS.items():
            gradient = PolicyGradient(game, parents, dynamics(game))
            theta = np.empty((2, 1, game.size, gradient.rows))
            s, u = np.arange(game.size)[:, None], np.arange(2)[:, None, None]
            for i, (rows, _) in enumerate(gradient.factors):
                k = np.arange(rows.stop - rows.start)
                theta[:, 0, :, rows] = np.sin(1 + s + 2 * k + 3 * u + 5 * i)
            value, slope = gradient(theta)
            entry = slope[0, 0, 2, gradient.factors[1][0]][-1]
            computed = (value[0], np.linalg.norm(slope), entry)
            for what, got, want in zip(("V", "norm", "entry"), computed, expected):
                print(f"N={agents} noise={noise} {name:12} {what:5} {got:.8f} expected {want:.8f}")
                worst = max(worst, abs(got - want))
    print(f"largest difference {worst:.1e}")
    return 0 if worst < 1e-7 else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    peer.serve(np, {"exact-gradient": exact_gradient, "ascent": ascent})
