/** A rollout's rewards and values, time-major: `T` steps of `B` environments. */
export interface ValuedRollout {
  /** `T`. */
  readonly steps: number;
  /** `B`. */
  readonly environments: number;
  /** `r_t`, `[T, B]`. */
  readonly rewards: ArrayLike<number>;
  /** `V(s_t)`, `[T, B]`. */
  readonly values: ArrayLike<number>;
  /**
   * Value of what follows each step, `[T, B]`: `V(s_{t+1})` inside an episode; where an episode ended, 0 if it
   * terminated, and what the caller decides (0 or the value of the last state) if it was truncated.
   */
  readonly nextValues: ArrayLike<number>;
  /** 1 where the episode ended with the step, `[T, B]`. */
  readonly ended: ArrayLike<number>;
}

/**
 * Generalised advantage estimation (Schulman et al. 2016), backwards in time:
 * `delta_t = r_t + discount V_{t+1} - V_t`, `A_t = delta_t + discount lambda A_{t+1}` (cut where an episode ended).
 *
 * @param advantages written, `[T, B]`
 * @param returns written, `A_t + V_t`, `[T, B]`
 */
export function generalisedAdvantages(
  { steps, environments, rewards, values, nextValues, ended }: ValuedRollout,
  discount: number,
  lambda: number,
  advantages: Float64Array,
  returns: Float64Array,
): void {
  for (let b = 0; b < environments; b++) {
    let following = 0;
    for (let t = steps - 1; t >= 0; t--) {
      const at = t * environments + b;
      const delta = rewards[at] + discount * nextValues[at] - values[at];
      following = delta + (ended[at] ? 0 : discount * lambda * following);
      advantages[at] = following;
      returns[at] = following + values[at];
    }
  }
}

/** Shifts and scales to mean 0 and population standard deviation 1 (plus `epsilon`), in place. */
export function standardise(values: Float64Array, epsilon = 1e-5): void {
  let mean = 0;
  for (const value of values) mean += value;
  mean /= values.length;
  let variance = 0;
  for (const value of values) variance += (value - mean) ** 2;
  const deviation = Math.sqrt(variance / values.length);
  for (let k = 0; k < values.length; k++) values[k] = (values[k] - mean) / (deviation + epsilon);
}
