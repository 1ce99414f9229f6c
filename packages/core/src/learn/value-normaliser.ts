/** State of a value normaliser, as JSON. */
export type ValueNormaliserState = {
  readonly mean: number;
  readonly meanSquare: number;
  readonly weight: number;
};

/** Keeps value targets near mean 0 and deviation 1 by running moments of the returns. */
export interface ValueNormaliser {
  /** Takes a batch of raw returns into the moments. */
  update(returns: ArrayLike<number>): void;
  /** Mean and standard deviation now in force. */
  moments(): { readonly mean: number; readonly deviation: number };
  state(): ValueNormaliserState;
  restore(state: ValueNormaliserState): void;
}

/**
 * Running mean and mean square with decay `beta`, debiased by the running weight (at least 1e-5); the variance is at
 * least 1e-2, so that before any update the mean is 0 and the deviation 0.1 (MAPPO's ValueNorm).
 */
export function valueNormaliser(beta = 0.99999): ValueNormaliser {
  let mean = 0;
  let meanSquare = 0;
  let weight = 0;
  return {
    update(returns) {
      let sum = 0;
      let squares = 0;
      for (let k = 0; k < returns.length; k++) {
        sum += returns[k];
        squares += returns[k] * returns[k];
      }
      mean = beta * mean + (1 - beta) * (sum / returns.length);
      meanSquare = beta * meanSquare + (1 - beta) * (squares / returns.length);
      weight = beta * weight + (1 - beta);
    },
    moments() {
      const debiasing = Math.max(weight, 1e-5);
      const centre = mean / debiasing;
      const variance = Math.max(meanSquare / debiasing - centre * centre, 1e-2);
      return { mean: centre, deviation: Math.sqrt(variance) };
    },
    state: () => ({ mean, meanSquare, weight }),
    restore(state) {
      ({ mean, meanSquare, weight } = state);
    },
  };
}
