import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import type { EnvSpec, JointAction } from "./env.ts";

/** Numbers a joint action consists of: one for each discrete agent, `size` for each real vector. */
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

/**
 * Makes the check every environment runs before a step, cheap enough for every step.
 *
 * @returns a function that throws InputError, naming the agent and the value, on an action that does not exist
 */
export function actionCheck(spec: EnvSpec): (actions: JointAction) => void {
  const { id, actions: spaces } = spec;
  const size = jointActionSize(spec);
  // For each number of a joint action: its agent, and its range.
  const agents = spaces.flatMap((space, i) => new Array(space.kind === "discrete" ? 1 : space.size).fill(i));
  const low = Float64Array.from(agents, (i) => (spaces[i].kind === "discrete" ? 0 : spaces[i].low));
  const high = Float64Array.from(agents, (i) =>
    spaces[i].kind === "discrete" ? spaces[i].n - 1 : spaces[i].high,
  );
  const whole = Uint8Array.from(agents, (i) => (spaces[i].kind === "discrete" ? 1 : 0));
  const refuse = (k: number, value: number): never => {
    const expected = whole[k] === 1 ? `an integer 0..${high[k]}` : `a number in [${low[k]}, ${high[k]}]`;
    throw new InputError(`${id}: action of agent ${agents[k]} is ${value}, expected ${expected}`);
  };
  return (actions) => {
    if (actions.length !== size) {
      throw new InputError(`${id}: joint action has ${actions.length} numbers, expected ${size}`);
    }
    for (let k = 0; k < size; k++) {
      const value = actions[k];
      if (!(value >= low[k] && value <= high[k])) refuse(k, value);
      if (whole[k] === 1 && !Number.isInteger(value)) refuse(k, value);
    }
  };
}

/**
 * Draws a joint action: each discrete agent uniformly among its available actions, each real number uniformly
 * in its range.
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
