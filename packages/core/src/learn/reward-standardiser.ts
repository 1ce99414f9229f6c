/** State of a reward standardiser, as JSON. */
export type RewardStandardiserState = {
  readonly mean: number;
  readonly variance: number;
  readonly count: number;
};

/** Brings replayed rewards to mean 0 and deviation 1. */
export interface RewardStandardiser {
  /** Takes all rewards into the running moments, padding too, then replaces them by `(r - mean) / deviation`. */
  standardise(rewards: Float32Array): void;
  state(): RewardStandardiserState;
  restore(state: RewardStandardiserState): void;
}

/**
 * Running mean and variance over the rewards of every update (EPyMARL's reward standardisation; Chan et al. 1979 for
 * merging moments). Rewards that are replayed again count again.
 */
export function rewardStandardiser(): RewardStandardiser {
  let mean = 0;
  let variance = 1;
  let count = 1e-4;
  return {
    standardise(rewards) {
      const entries = rewards.length;
      let batchMean = 0;
      for (let k = 0; k < entries; k++) batchMean += rewards[k] / entries;
      let squares = 0;
      for (let k = 0; k < entries; k++) squares += (rewards[k] - batchMean) ** 2;
      const batchVariance = squares / Math.max(1, entries - 1);
      const shift = batchMean - mean;
      const total = count + entries;
      variance =
        (variance * count + batchVariance * entries + (shift * shift * count * entries) / total) / total;
      mean += (shift * entries) / total;
      count = total;
      const deviation = Math.sqrt(variance);
      for (let k = 0; k < entries; k++) rewards[k] = (rewards[k] - mean) / deviation;
    },
    state: () => ({ mean, variance, count }),
    restore(state) {
      ({ mean, variance, count } = state);
    },
  };
}
