import type { Mixer } from "../models/index.ts";
import {
  add,
  argMax,
  type Expr,
  maskLogits,
  mean,
  mul,
  pick,
  reshape,
  slice,
  square,
  stopGradient,
  sub,
  type Views,
  weightedMean,
} from "../tensor/index.ts";

/** Segments as a program reads them (`segmentInputs`). */
export interface Experience {
  /** `[M, B, N, O]` */
  readonly observations: Expr;
  /** `[M, B, S]` */
  readonly states: Expr;
  /** `[M, B, N, A]`, where there are masks. */
  readonly available?: Expr;
  /** int32 `[T, B, N]` */
  readonly actions: Expr;
  /** `[T, B]` */
  readonly rewards: Expr;
  /** `[T, B]` */
  readonly terminated: Expr;
  /** `[T, B]` */
  readonly mask: Expr;
}

/** Values of the actions taken, and of what follows where anything does: `[T, B]`, or `[T, B, N]` for each agent. */
export interface ComparedValues {
  readonly taken: Expr;
  readonly following?: Expr;
}

/**
 * What double Q-learning compares (van Hasselt et al. 2016), for every agent: the online utility of the action taken,
 * and the target network's utility of the available action that is best next by the online network.
 *
 * @param utilities `[M, B, N, A]` of segments, or of one of their moments
 * @returns `[T, B, N]` each; nothing follows in games of one step, and then the target network is not evaluated at all
 */
export function doubleQ(
  utilities: (views: Views, segments: Experience) => Expr,
  online: Views,
  target: Views,
  experience: Experience,
): ComparedValues {
  const { actions, available } = experience;
  const [moments] = experience.observations.shape;
  const [steps] = actions.shape;
  if (moments === steps) return { taken: pick(utilities(online, experience), actions) };

  let now: Expr;
  let next: Expr;
  let valued: Expr;
  if (steps === 1) {
    // Transitions are of agents without memory, whose moments can be evaluated apart: so what comes after a step is not
    // differentiated, and what comes before it is nothing to the target network.
    now = utilities(online, momentsOf(experience, 0, 1));
    next = utilities(online, momentsOf(experience, 1, 2));
    valued = utilities(target, momentsOf(experience, 1, 2));
  } else {
    const all = utilities(online, experience);
    now = slice(all, 0, 0, steps);
    next = slice(all, 0, 1, moments);
    valued = slice(utilities(target, experience), 0, 1, moments);
  }
  const allowed = available === undefined ? next : maskLogits(next, slice(available, 0, 1, moments));
  return { taken: pick(now, actions), following: pick(valued, argMax(stopGradient(allowed), -1)) };
}

/** The experience with some of its moments only. */
const momentsOf = (experience: Experience, from: number, to: number): Experience => ({
  ...experience,
  observations: slice(experience.observations, 0, from, to),
  states: slice(experience.states, 0, from, to),
  ...(experience.available === undefined ? {} : { available: slice(experience.available, 0, from, to) }),
});

/** The team's values `[T, B]` from the agents' `[T, B, N]`: the mixer and its target, each in the state of its moment. */
export function mixed(
  mixer: Mixer,
  online: Views,
  target: Views,
  { taken, following }: ComparedValues,
  { states }: Pick<Experience, "states">,
): ComparedValues {
  const [steps] = taken.shape;
  const value = mixer.apply(online, taken, slice(states, 0, 0, steps));
  if (following === undefined) return { taken: value };
  return { taken: value, following: mixer.apply(target, following, slice(states, 0, 1, steps + 1)) };
}

/**
 * Mean of `(Q - y)^2` with `y = r + discount (1 - terminated) Q'` over the steps that were played, and over agents where
 * each has its value. No gradient flows through `y`.
 */
export function temporalDifference(
  { taken, following }: ComparedValues,
  { rewards, terminated, mask }: Pick<Experience, "rewards" | "terminated" | "mask">,
  discount: number,
): { readonly loss: Expr; readonly metrics: Readonly<Record<string, Expr>> } {
  const perAgent = taken.shape.length > rewards.shape.length;
  const beside = (a: Expr): Expr => (perAgent ? reshape(a, [...a.shape, 1]) : a);
  const played = (a: Expr): Expr => weightedMean(perAgent ? mean(a, [-1]) : a, mask);
  const goesOn = mul(sub(1, terminated), discount);
  const target =
    following === undefined
      ? beside(rewards)
      : stopGradient(add(beside(rewards), mul(beside(goesOn), following)));
  return { loss: played(square(sub(taken, target))), metrics: { value: played(taken) } };
}
