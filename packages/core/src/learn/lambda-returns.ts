import type { Segments } from "./segments.ts";

/**
 * TD(lambda) targets (Sutton and Barto 2018, chapter 12), backwards in time:
 * `G_t = r_t + discount (1 - d_t) ((1 - lambda) v_{t+1} + lambda G_{t+1})`, with `v_{t+1}` in place of `G_{t+1}` behind
 * the last step that was played. They are the exponentially weighted n-step returns to the end of the segment.
 *
 * @param values `v`, what each moment is worth, `[M, B]`; not read where nothing follows the last step (`M` is `T`)
 * @param returns written, `[T, B]`; 0 for padding
 */
export function lambdaReturns(
  {
    shape,
    size,
    rewards,
    terminated,
    mask,
  }: Pick<Segments, "shape" | "size" | "rewards" | "terminated" | "mask">,
  values: ArrayLike<number>,
  discount: number,
  lambda: number,
  returns: Float32Array | Float64Array,
): void {
  const { steps, moments } = shape;
  for (let b = 0; b < size; b++) {
    let following: number | undefined;
    for (let t = steps - 1; t >= 0; t--) {
      const at = t * size + b;
      if (mask[at] === 0) {
        returns[at] = 0;
        following = undefined;
        continue;
      }
      const value = t + 1 < moments ? values[at + size] : 0;
      const rest = (1 - lambda) * value + lambda * (following ?? value);
      following = rewards[at] + discount * (1 - terminated[at]) * rest;
      returns[at] = following;
    }
  }
}
