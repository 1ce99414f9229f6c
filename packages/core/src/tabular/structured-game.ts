import type { FiniteGame } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { type CouplingGraphs, type CouplingKind, listAt } from "../structure/index.ts";
import { checkGame } from "./cooperative-game.ts";
import { enumerateJointActions, jointActionCount } from "./joint-action.ts";

/**
 * A finite cooperative game in which every agent has a state, an action and a reward of its own, and couplings say who enters
 * what (MABN, section 2). States, or actions, of several agents are one mixed-radix index, the lowest id most significant.
 */
export interface StructuredGame {
  readonly couplings: CouplingGraphs;
  /** Number of states of each agent, `[N]`. */
  readonly states: readonly number[];
  /** Number of actions of each agent, `[N]`. */
  readonly actions: readonly number[];
  /** `P_i[s][a][s'_i]` of each agent, where s and a are those of its state index set. */
  readonly transitions: readonly Float64Array[];
  /** `r_i[s][a]` of each agent, where s and a are those of its reward index set. */
  readonly rewards: readonly Float64Array[];
  /** Distribution of the first joint state, `[S]`. */
  readonly initial: Float64Array;
  readonly discount: number;
}

/** A game over joint states and joint actions in which every agent has a reward. */
export interface JointGame extends FiniteGame {
  /** `r_i[s][a]` of each agent, `[N][S, A]`; their sum is `reward`. */
  readonly rewards: readonly Float64Array[];
}

/**
 * The game over joint states and joint actions, agent 0 as the most significant digit of both.
 *
 * @throws InputError when a table has another size than the couplings ask for, a row is no distribution, or the joint table
 * is too large
 */
export function jointGame(game: StructuredGame): JointGame {
  const { couplings, states, actions, transitions, rewards, initial, discount } = game;
  const { agents } = couplings;
  for (const [name, list] of Object.entries({ states, actions, transitions, rewards })) {
    expectLength(name, list, agents);
  }
  const joint = jointActionCount(actions);
  const rows = jointActionCount(states) * joint;
  const digits = enumerateJointActions(states);
  const transition = new Float64Array(rows * (rows / joint)).fill(1);
  transitions.forEach((table, i) => {
    const scope = scopeOf(game, "state", i);
    expectLength(`transitions[${i}]`, table, scope.size * states[i]);
    let at = 0;
    for (const input of scope.inputs()) {
      for (let next = i; next < digits.length; next += agents) {
        transition[at++] *= table[input * states[i] + digits[next]];
      }
    }
  });
  const own = rewards.map((table, i) => {
    const scope = scopeOf(game, "reward", i);
    expectLength(`rewards[${i}]`, table, scope.size);
    return Float64Array.from(scope.inputs(), (input) => table[input]);
  });
  const reward = Float64Array.from({ length: rows }, (_, k) =>
    own.reduce((sum, ofAgent) => sum + ofAgent[k], 0),
  );
  const whole = { actions, states: rows / joint, transition, reward, initial, discount, rewards: own };
  checkGame(whole);
  return whole;
}

/** The states and actions of the agents that are in an index set of agent i. */
function scopeOf(
  { couplings, states, actions }: Omit<StructuredGame, "initial">,
  kind: CouplingKind,
  i: number,
) {
  const members = Array.from(listAt(couplings[kind], i));
  const choices = countOf(actions, members);
  return {
    size: countOf(states, members) * choices,
    /** What each joint state and joint action means to them, `[S A]`. */
    *inputs() {
      const chosen = partOf(actions, members);
      for (const situation of partOf(states, members)) {
        for (const choice of chosen) yield situation * choices + choice;
      }
    },
  };
}

/** How many joint states, or joint actions, the members have. */
export function countOf(counts: readonly number[], members: readonly number[]): number {
  return jointActionCount(members.map((j) => counts[j]));
}

/** For each joint state, or joint action, the index of the members' part of it. Members by increasing id. */
export function partOf(counts: readonly number[], members: readonly number[]): Int32Array {
  const digits = enumerateJointActions(counts);
  return Int32Array.from({ length: jointActionCount(counts) }, (_, index) =>
    members.reduce((part, j) => part * counts[j] + digits[index * counts.length + j], 0),
  );
}

/** Tables `[o_i, a_i]` of each agent, where `o_i` are the states in its observation index set. */
export type ObservationTables = readonly Float64Array[];

/**
 * Softmax policies `pi_i(a_i|o_i)`.
 *
 * @throws InputError when a table of logits has another size than the game asks for
 */
export function observationPolicies(game: StructuredGame, logits: ObservationTables): ObservationTables {
  expectLength("logits", logits, game.couplings.agents);
  return logits.map((table, i) => {
    const choices = game.actions[i];
    expectLength(`logits[${i}]`, table, observationCount(game, i) * choices);
    const policy = table.slice();
    for (let row = 0; row < policy.length; row += choices) {
      const own = policy.subarray(row, row + choices);
      const highest = own.reduce((most, logit) => Math.max(most, logit));
      const total = own.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
      own.forEach((logit, u) => {
        own[u] = Math.exp(logit - highest) / total;
      });
    }
    return policy;
  });
}

/** What agent i observes in each joint state, `[S]`. */
export function observationsOf({ couplings, states }: StructuredGame, i: number): Int32Array {
  return partOf(states, Array.from(listAt(couplings.observation, i)));
}

function observationCount({ couplings, states }: StructuredGame, i: number): number {
  return countOf(states, Array.from(listAt(couplings.observation, i)));
}

/** `pi(a|s)`, the product of the agents' policies, `[S, A]`. */
export function productPolicy(game: StructuredGame, policies: ObservationTables): Float64Array {
  const { actions } = game;
  const joint = jointActionCount(actions);
  const digits = enumerateJointActions(actions);
  const product = new Float64Array(jointActionCount(game.states) * joint).fill(1);
  policies.forEach((policy, i) => {
    observationsOf(game, i).forEach((observation, s) => {
      for (let a = 0; a < joint; a++) {
        product[s * joint + a] *= policy[observation * actions[i] + digits[a * actions.length + i]];
      }
    });
  });
  return product;
}

/** What a random structured game looks like. */
export interface RandomStructuredGameOptions {
  readonly couplings: CouplingGraphs;
  /** Number of states of each agent; 2 by default. */
  readonly states?: readonly number[];
  /** Number of actions of each agent; 2 by default. */
  readonly actions?: readonly number[];
  /** Rewards are uniform in this range. */
  readonly rewards: readonly [low: number, high: number];
  /** .8 by default. */
  readonly discount?: number;
}

/** A game whose transition rows are uniform on the simplex and whose first joint state is uniform. */
export function randomStructuredGame(options: RandomStructuredGameOptions, rng: Rng): StructuredGame {
  const { couplings, rewards: range, discount = 0.8 } = options;
  const two = new Array<number>(couplings.agents).fill(2);
  const { states = two, actions = two } = options;
  const sizes = (kind: CouplingKind) =>
    states.map((_, i) => {
      const members = Array.from(listAt(couplings[kind], i));
      return countOf(states, members) * countOf(actions, members);
    });
  const transitions = sizes("state").map((size, i) => {
    const table = Float64Array.from({ length: size * states[i] }, () => -Math.log(1 - rng.uniform()));
    for (let row = 0; row < table.length; row += states[i]) {
      const own = table.subarray(row, row + states[i]);
      const total = own.reduce((sum, weight) => sum + weight, 0);
      own.forEach((weight, next) => {
        own[next] = weight / total;
      });
    }
    return table;
  });
  const [low, high] = range;
  const rewards = sizes("reward").map((size) =>
    Float64Array.from({ length: size }, () => low + (high - low) * rng.uniform()),
  );
  const count = jointActionCount(states);
  const initial = new Float64Array(count).fill(1 / count);
  return { couplings, states, actions, transitions, rewards, initial, discount };
}

/** Standard normal logits of every agent. */
export function randomLogits(game: StructuredGame, rng: Rng): ObservationTables {
  return game.actions.map((choices, i) => {
    const table = new Float64Array(observationCount(game, i) * choices);
    rng.fillNormal(table);
    return table;
  });
}

function expectLength(name: string, list: ArrayLike<unknown>, expected: number): void {
  if (list.length === expected) return;
  throw new InputError(`structured game: ${name} has ${list.length} entries, expected ${expected}`);
}
