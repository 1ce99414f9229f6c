import { InputError } from "../errors.ts";
import type { Rng, RngState } from "../random/index.ts";
import { type Layout, namedArrays, type Variable } from "../tensor/index.ts";
import type { Learner, LearnerSnapshot } from "./algorithm.ts";

type Streams = Readonly<Record<string, Rng>>;

/** Copies of variables by name, as snapshots keep them. */
export const savedVariables = (variables: readonly Variable[]): LearnerSnapshot["tensors"] =>
  Object.fromEntries(variables.map(({ name, values }) => [name, (values as Float32Array).slice()]));

/**
 * Puts saved values back.
 *
 * @throws InputError when the snapshot lacks a variable, or has it in another size
 */
export function restoreVariables(variables: readonly Variable[], tensors: LearnerSnapshot["tensors"]): void {
  for (const { name, values } of variables) {
    if (tensors[name]?.length !== values.length) {
      throw new InputError(
        `snapshot has ${tensors[name]?.length ?? "no"} values of ${name}, expected ${values.length}`,
      );
    }
    (values as Float32Array).set(tensors[name] as Float32Array);
  }
}

/** Where streams stand, by their names. */
export const savedStreams = (streams: Streams): Readonly<Record<string, RngState>> =>
  Object.fromEntries(Object.entries(streams).map(([name, stream]) => [name, stream.state()]));

export function restoreStreams(streams: Streams, saved: Readonly<Record<string, RngState>>): void {
  for (const [name, stream] of Object.entries(streams)) stream.restore(saved[name]);
}

/** Parameters of all networks by name and shape. */
export const parametersOf = (
  networks: readonly { readonly vector: Variable; readonly layout: Layout }[],
): ReturnType<Learner["parameters"]> =>
  Object.assign(
    {},
    ...networks.map(({ vector, layout }) => namedArrays(vector.values as Float32Array, layout)),
  );
