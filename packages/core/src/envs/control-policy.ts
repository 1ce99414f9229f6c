import type { Rng } from "../random/index.ts";

/**
 * A policy written by hand: fills a joint action for the state `[S]` it is shown and the step, counted from 0. Such policies
 * may see more than any one agent does; figures draw their returns as reference lines.
 */
export type ControlPolicy = (state: ArrayLike<number>, step: number, rng: Rng, actions: Float64Array) => void;

/**
 * Policies written by hand, by name, each made when it is asked for. Making one may draw from the stream, and may refuse with
 * an `InputError` where the settings do not allow it.
 */
export type ReferencePolicies = Readonly<Record<string, (rng: Rng) => ControlPolicy>>;
