import { coordinationReward, defaultBound, type FiniteGame } from "../envs/index.ts";
import { InputError, nearest } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { jointActionCount } from "./joint-action.ts";

/**
 * A finite cooperative Markov game `(N, S, A, P, r, mu, gamma)` with any number of agents and unequal action counts. A
 * `FiniteGame` is one; only the transition may come in a smaller form.
 */
export interface CooperativeMarkovGame extends Omit<FiniteGame, "transition"> {
  /** `P[s][a][s']`, `[S, A, S]`, or its factors. */
  readonly transition: Float64Array | FactoredTransition;
}

/**
 * A transition that is a product over agents: `P(s'|s, a) = prod_i P^i(s'_i | s_i, a_i)`. The state is a mixed-radix
 * integer of the agents' local states, agent 0 as the most significant digit. The dense table is never built.
 */
export interface FactoredTransition {
  /** Local states of each agent, `[N]`; `S` is their product. */
  readonly localStates: readonly number[];
  /** `P^i[s_i][a_i][s'_i]` of each agent, `[S_i, A_i, S_i]`. */
  readonly factors: readonly Float64Array[];
}

/** Largest table a game may have: 1 GiB. */
export const TABLE_LIMIT_BYTES = 2 ** 30;

/** How far the sum of a distribution's entries may be from 1. */
const SUM_TOLERANCE = 1e-8;

const KEYS = ["actions", "states", "transition", "reward", "initial", "discount"] as const;

/**
 * A game from parsed JSON: `{"actions": [2, 3], "states": 4, "transition": [s][a][s'], "reward": [s][a],
 * "initial": [s], "discount": 0.9}` with agent 0 as the most significant digit of the joint action `a`.
 *
 * @param limitBytes largest transition table accepted, in bytes
 * @throws InputError naming the key, row and number that are wrong, and the sum of a row that is no distribution
 */
export function gameFromJson(json: unknown, limitBytes: number = TABLE_LIMIT_BYTES): FiniteGame {
  const table = expectObject(json);
  const actions = expectList(table.actions, "actions");
  const counts = actions.map((count, i) => expectCount(count, `actions[${i}]`));
  if (counts.length === 0) throw new InputError("game: actions is empty, expected one number for each agent");
  const states = expectCount(table.states, "states");
  expectTableFits(counts, states, limitBytes);
  const joint = jointActionCount(counts);
  const transition = new Float64Array(states * joint * states);
  const reward = new Float64Array(states * joint);
  const byState = expectList(table.transition, "transition", states, "one entry for each state");
  const rewards = expectList(table.reward, "reward", states, "one row for each state");
  for (let s = 0; s < states; s++) {
    const byAction = expectList(byState[s], `transition[${s}]`, joint, "one row for each joint action");
    for (let a = 0; a < joint; a++) {
      const row = expectNumbers(
        byAction[a],
        `transition[${s}][${a}]`,
        states,
        "one number for each next state",
      );
      transition.set(row, (s * joint + a) * states);
    }
    reward.set(
      expectNumbers(rewards[s], `reward[${s}]`, joint, "one number for each joint action"),
      s * joint,
    );
  }
  const initial = Float64Array.from(
    expectNumbers(table.initial, "initial", states, "one number for each state"),
  );
  const game = {
    actions: counts,
    states,
    transition,
    reward,
    initial,
    discount: expectNumber(table.discount, "discount"),
  };
  checkGame(game, limitBytes);
  return game;
}

/**
 * Checks a game built in code.
 *
 * @param limitBytes largest table accepted, in bytes
 * @throws InputError naming the first row, entry or size that is wrong
 */
export function checkGame(game: CooperativeMarkovGame, limitBytes: number = TABLE_LIMIT_BYTES): void {
  const { actions, states, transition, reward, initial, discount } = game;
  if (actions.length === 0)
    throw new InputError("game: actions is empty, expected one number for each agent");
  actions.forEach((count, i) => {
    expectCount(count, `actions[${i}]`);
  });
  expectCount(states, "states");
  const joint = jointActionCount(actions);
  if (!(discount >= 0 && discount < 1)) {
    throw new InputError(`game: discount is ${discount}, expected a number in [0, 1)`);
  }
  expectSize("initial", initial, states, `${states} (states)`);
  expectDistribution("initial", initial, 0, states);
  expectSize("reward", reward, states * joint, `${states} x ${joint} (states x joint actions)`);
  for (let k = 0; k < reward.length; k++) {
    if (!Number.isFinite(reward[k])) {
      throw new InputError(
        `game: reward[${Math.floor(k / joint)}][${k % joint}] is ${reward[k]}, expected a finite number`,
      );
    }
  }
  if (transition instanceof Float64Array) {
    expectTableFits(actions, states, limitBytes);
    expectSize(
      "transition",
      transition,
      states * joint * states,
      `${states} x ${joint} x ${states} (states x joint actions x states)`,
    );
    for (let row = 0; row < states * joint; row++) {
      const name = `transition[${Math.floor(row / joint)}][${row % joint}]`;
      expectDistribution(name, transition, row * states, states);
    }
    return;
  }
  const { localStates, factors } = transition;
  if (localStates.length !== actions.length || factors.length !== actions.length) {
    throw new InputError(
      `game: factored transition has ${localStates.length} local state counts and ${factors.length} factors, ` +
        `expected ${actions.length} (one for each agent)`,
    );
  }
  if (jointActionCount(localStates) !== states) {
    throw new InputError(
      `game: local states ${localStates.join(" x ")} multiply to ${jointActionCount(localStates)}, expected ${states}`,
    );
  }
  // The policy's own transition matrix is dense whatever the form of the game.
  expectBytesFit(8 * states * Math.max(states, joint), `${states} x ${Math.max(states, joint)}`, limitBytes);
  factors.forEach((factor, i) => {
    const [local, choices] = [localStates[i], actions[i]];
    expectSize(`factors[${i}]`, factor, local * choices * local, `${local} x ${choices} x ${local}`);
    for (let row = 0; row < local * choices; row++) {
      const name = `factors[${i}][${Math.floor(row / choices)}][${row % choices}]`;
      expectDistribution(name, factor, row * local, local);
    }
  });
}

/**
 * The game with its transition as a dense table; a dense game is returned as it is.
 *
 * @throws InputError when the table would exceed `limitBytes`
 */
export function denseGame(game: CooperativeMarkovGame, limitBytes: number = TABLE_LIMIT_BYTES): FiniteGame {
  const { transition, states, actions } = game;
  if (transition instanceof Float64Array) return { ...game, transition };
  expectTableFits(actions, states, limitBytes);
  const joint = jointActionCount(actions);
  const table = new Float64Array(states * joint * states);
  let at = 0;
  for (let s = 0; s < states; s++) {
    for (let a = 0; a < joint; a++) {
      for (let next = 0; next < states; next++) table[at++] = factoredProbability(game, s, a, next);
    }
  }
  return { ...game, transition: table };
}

/** `P(next|s, a)` of a game whose transition is factored. */
function factoredProbability(game: CooperativeMarkovGame, s: number, a: number, next: number): number {
  const { localStates, factors } = game.transition as FactoredTransition;
  let probability = 1;
  for (let i = localStates.length - 1; i >= 0; i--) {
    const [local, choices] = [localStates[i], game.actions[i]];
    probability *= factors[i][((s % local) * choices + (a % choices)) * local + (next % local)];
    s = Math.floor(s / local);
    a = Math.floor(a / choices);
    next = Math.floor(next / local);
  }
  return probability;
}

/** What defines a tabular Coordination Game. */
export interface TabularCoordinationGame {
  /** `N`. */
  readonly agents: number;
  /** Probability that a local state comes out opposite to the action: .05 in Subteams, .1 in Context-aware BN. */
  readonly epsilon: number;
  /** Largest difference between zeros and ones that counts as a near-tie; by default that of the papers. */
  readonly bound?: number;
  /** .95 by default. */
  readonly discount?: number;
}

/**
 * The Coordination Game (Subteams; Context-aware BN) with its transition in factored form, from a uniform initial
 * distribution. It equals the model of the environment of that name, and reaches more agents than a dense table.
 */
export function factoredCoordinationGame(options: TabularCoordinationGame): CooperativeMarkovGame {
  const { agents, epsilon, bound = defaultBound(agents), discount = 0.95 } = options;
  const states = 2 ** agents;
  const reward = new Float64Array(states * states);
  for (let s = 0; s < states; s++) {
    let ones = 0;
    for (let rest = s; rest > 0; rest >>= 1) ones += rest & 1;
    reward.fill(coordinationReward(agents, ones, bound), s * states, (s + 1) * states);
  }
  const local = Float64Array.of(1 - epsilon, epsilon, epsilon, 1 - epsilon);
  const factor = Float64Array.of(...local, ...local);
  const game = {
    actions: new Array<number>(agents).fill(2),
    states,
    transition: {
      localStates: new Array<number>(agents).fill(2),
      factors: new Array<Float64Array>(agents).fill(factor),
    },
    reward,
    initial: new Float64Array(states).fill(1 / states),
    discount,
  };
  checkGame(game);
  return game;
}

/** What a random game looks like. */
export interface RandomGameOptions {
  /** Actions of each agent, `[N]`. */
  readonly actions: readonly number[];
  readonly states: number;
  /** .9 by default. */
  readonly discount?: number;
}

/**
 * A game whose transition rows and initial distribution are uniform on the simplex (so that every state is visited)
 * and whose rewards are uniform in `[0, 1)`.
 */
export function randomGame(options: RandomGameOptions, rng: Rng): FiniteGame {
  const { actions, states, discount = 0.9 } = options;
  expectTableFits(actions, states, TABLE_LIMIT_BYTES);
  const joint = jointActionCount(actions);
  const transition = new Float64Array(states * joint * states);
  const reward = new Float64Array(states * joint);
  const initial = new Float64Array(states);
  fillSimplexRows(transition, states, rng);
  fillSimplexRows(initial, states, rng);
  rng.fillUniform(reward);
  return { actions, states, transition, reward, initial, discount };
}

/** Fills rows of `length` numbers, each uniform on the simplex: normalised exponential variables. */
function fillSimplexRows(out: Float64Array, length: number, rng: Rng): void {
  rng.fillUniform(out);
  for (let row = 0; row < out.length; row += length) {
    let sum = 0;
    for (let k = row; k < row + length; k++) {
      out[k] = -Math.log(1 - out[k]);
      sum += out[k];
    }
    for (let k = row; k < row + length; k++) out[k] /= sum;
  }
}

function expectObject(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new InputError(`game: got ${kindOf(json)}, expected an object with ${KEYS.join(", ")}`);
  }
  for (const key of Object.keys(json)) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    const meant = nearest(key, KEYS);
    const hint = meant === undefined ? "" : ` Did you mean "${meant}"?`;
    throw new InputError(`game: unknown key "${key}", expected ${KEYS.join(", ")}.${hint}`);
  }
  for (const key of KEYS) if (!(key in json)) throw new InputError(`game: "${key}" is missing`);
  return json as Record<string, unknown>;
}

function expectList(value: unknown, name: string, length?: number, meaning = ""): readonly unknown[] {
  if (!Array.isArray(value)) throw new InputError(`game: ${name} is ${kindOf(value)}, expected an array`);
  if (length !== undefined && value.length !== length) {
    throw new InputError(`game: ${name} has ${value.length} entries, expected ${length} (${meaning})`);
  }
  return value;
}

function expectNumbers(value: unknown, name: string, length: number, meaning: string): readonly number[] {
  const list = expectList(value, name, length, meaning);
  list.forEach((entry, k) => {
    expectNumber(entry, `${name}[${k}]`);
  });
  return list as readonly number[];
}

function expectNumber(value: unknown, name: string): number {
  if (typeof value !== "number") throw new InputError(`game: ${name} is ${kindOf(value)}, expected a number`);
  return value;
}

function expectCount(value: unknown, name: string): number {
  if (!Number.isInteger(value) || (value as number) < 1) {
    const got = typeof value === "number" ? value : kindOf(value);
    throw new InputError(`game: ${name} is ${got}, expected a positive integer`);
  }
  return value as number;
}

function expectSize(name: string, values: ArrayLike<number>, expected: number, meaning: string): void {
  if (values.length !== expected) {
    throw new InputError(`game: ${name} has ${values.length} entries, expected ${meaning}`);
  }
}

function expectDistribution(name: string, values: Float64Array, from: number, length: number): void {
  let sum = 0;
  for (let k = 0; k < length; k++) {
    const probability = values[from + k];
    if (!(probability >= 0 && probability < Number.POSITIVE_INFINITY)) {
      throw new InputError(`game: ${name}[${k}] is ${probability}, expected a probability`);
    }
    sum += probability;
  }
  if (Math.abs(sum - 1) > SUM_TOLERANCE) throw new InputError(`game: ${name} sums to ${sum}, expected 1`);
}

function expectTableFits(actions: readonly number[], states: number, limitBytes: number): void {
  const joint = jointActionCount(actions);
  expectBytesFit(8 * states * joint * states, `${states} x ${joint} x ${states}`, limitBytes);
}

function expectBytesFit(bytes: number, size: string, limitBytes: number): void {
  if (bytes > limitBytes) {
    throw new InputError(
      `game: a table of ${size} numbers needs ${showBytes(bytes)}, expected at most ${showBytes(limitBytes)}`,
    );
  }
}

function showBytes(bytes: number): string {
  const [unit, size] = bytes < 2 ** 20 ? ["bytes", 1] : bytes < 2 ** 30 ? ["MiB", 2 ** 20] : ["GiB", 2 ** 30];
  return `${Number((bytes / size).toPrecision(4))} ${unit}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value === undefined) return "missing";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${JSON.stringify(value)}`;
}
