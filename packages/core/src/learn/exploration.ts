import type { EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";

/** Straight line from `start` to `end` over `steps`, constant after; `t` counts from 0. */
export function linearSchedule(start: number, end: number, steps: number): (t: number) => number {
  return (t) => (t >= steps ? end : start + ((end - start) * t) / steps);
}

/**
 * Epsilon-greedy exploration: each agent, independently and with probability `epsilon`, plays a uniformly drawn
 * available action instead of the one given.
 *
 * @param actions `[B, N]`, replaced in place
 * @param available 1 for actions that may be played, `[B, N, A]`; every action when left out
 * @throws InputError when an agent that explores has no available action
 */
export function exploreUniformly(
  spec: EnvSpec,
  actions: Int32Array,
  available: Float32Array | undefined,
  epsilon: number,
  rng: Rng,
): void {
  const { agents } = spec;
  const width = available === undefined ? 0 : available.length / actions.length;
  for (let k = 0; k < actions.length; k++) {
    if (rng.uniform() >= epsilon) continue;
    const space = spec.actions[k % agents];
    const count = space.kind === "discrete" ? space.n : 0;
    if (available === undefined) {
      actions[k] = rng.integer(count);
      continue;
    }
    const from = k * width;
    let choices = 0;
    for (let a = 0; a < count; a++) choices += available[from + a];
    if (choices === 0) {
      throw new InputError(
        `${spec.id}: agent ${k % agents} has no available action in copy ${Math.floor(k / agents)}`,
      );
    }
    let rank = rng.integer(choices);
    let action = 0;
    while (available[from + action] === 0 || rank-- > 0) action++;
    actions[k] = action;
  }
}
