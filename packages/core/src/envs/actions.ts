import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import type { ActionSpace, EnvSpec, JointAction } from "./env.ts";

/** Numbers a joint action consists of: one for each discrete agent, `size` for each vector of numbers or shares. */
export function jointActionSize(spec: EnvSpec): number {
  let size = 0;
  for (const space of spec.actions) size += space.kind === "discrete" ? 1 : space.size;
  return size;
}

/** Entries of the action masks of all agents, `sum_i n_i`, counting discrete agents only. */
export function maskSize(spec: EnvSpec): number {
  let size = 0;
  for (const space of spec.actions) size += space.kind === "discrete" ? space.n : 0;
  return size;
}

/** How far the sum of shares may be from 1: they may come from a softmax in float32. */
const shareTolerance = 1e-4;

/**
 * Makes the check every environment runs before a step, cheap enough for every step.
 *
 * @returns a function that throws InputError, naming the agent, the value and the step, where given, on an action
 *   that does not exist
 */
export function actionCheck(spec: EnvSpec): (actions: JointAction, step?: number) => void {
  const { id, actions: spaces } = spec;
  const size = jointActionSize(spec);
  // For each number of a joint action: its agent, and its range.
  const agents = spaces.flatMap((space, i) => new Array(space.kind === "discrete" ? 1 : space.size).fill(i));
  const ranges = spaces.map(rangeOf);
  const low = Float64Array.from(agents, (i) => ranges[i].low);
  const high = Float64Array.from(agents, (i) => ranges[i].high);
  const whole = Uint8Array.from(agents, (i) => (spaces[i].kind === "discrete" ? 1 : 0));
  // For each agent that chooses shares: where they begin, and where they end.
  const sharing = spaces.flatMap((space, i) => (space.kind === "simplex" ? [i] : []));
  const begin = Int32Array.from(sharing, (i) => agents.indexOf(i));
  const end = Int32Array.from(sharing, (i) => agents.lastIndexOf(i) + 1);
  const at = (step: number | undefined): string => (step === undefined ? "" : ` (step ${step})`);
  const refuse = (k: number, value: number, step?: number): never => {
    throw new InputError(
      `${id}: action of agent ${agents[k]} is ${value}, expected ${ranges[agents[k]].words}${at(step)}`,
    );
  };
  const checkSum = (actions: JointAction, k: number, step?: number): void => {
    let sum = 0;
    for (let d = begin[k]; d < end[k]; d++) sum += actions[d];
    if (Math.abs(sum - 1) > shareTolerance) {
      throw new InputError(`${id}: shares of agent ${sharing[k]} sum to ${sum}, expected 1${at(step)}`);
    }
  };
  return (actions, step) => {
    if (actions.length !== size) {
      throw new InputError(`${id}: joint action has ${actions.length} numbers, expected ${size}${at(step)}`);
    }
    for (let k = 0; k < size; k++) {
      const value = actions[k];
      if (!(value >= low[k] && value <= high[k])) refuse(k, value, step);
      if (whole[k] === 1 && !Number.isInteger(value)) refuse(k, value, step);
    }
    for (let k = 0; k < begin.length; k++) checkSum(actions, k, step);
  };
}

/** The numbers an action may consist of. */
function rangeOf(space: ActionSpace): {
  readonly low: number;
  readonly high: number;
  readonly words: string;
} {
  switch (space.kind) {
    case "discrete":
      return { low: 0, high: space.n - 1, words: `an integer 0..${space.n - 1}` };
    case "box":
      if (space.clips) {
        return { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, words: "a number" };
      }
      return { low: space.low, high: space.high, words: `a number in [${space.low}, ${space.high}]` };
    case "simplex":
      return { low: 0, high: 1 + shareTolerance, words: "a share in [0, 1]" };
  }
}

/**
 * Draws a joint action: each discrete agent uniformly among its available actions, each real number uniformly
 * in its range, shares uniformly among all shares (Dirichlet with parameters 1).
 *
 * @param available masks of all agents one after the other; every action when left out
 */
export function drawActions(
  spec: EnvSpec,
  rng: Rng,
  out: Int32Array | Float32Array | Float64Array,
  available?: Uint8Array,
): void {
  let k = 0;
  let offset = 0;
  for (const space of spec.actions) {
    if (space.kind === "box") {
      for (let d = 0; d < space.size; d++) out[k++] = space.low + (space.high - space.low) * rng.uniform();
      continue;
    }
    if (space.kind === "simplex") {
      // Independent exponentials, divided by their sum.
      let sum = 0;
      for (let d = 0; d < space.size; d++) {
        out[k + d] = -Math.log1p(-rng.uniform());
        sum += out[k + d];
      }
      for (let d = 0; d < space.size; d++) out[k++] /= sum;
      continue;
    }
    let choices = 0;
    for (let a = 0; a < space.n; a++) choices += available === undefined ? 1 : available[offset + a];
    let rank = rng.integer(choices);
    let action = 0;
    if (available === undefined) action = rank;
    else while (available[offset + action] === 0 || rank-- > 0) action++;
    out[k++] = action;
    offset += space.n;
  }
}
