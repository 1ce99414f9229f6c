import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { normalCdf, normalQuantile } from "./distributions.ts";
import { quantileOfSorted, requireSample } from "./summary.ts";

/** An interval of values together with the confidence it was made for (0.95 for a 95 % interval). */
export interface Interval {
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
}

export interface BootstrapOptions {
  /** Source of the resampling; only its draws decide the result. */
  readonly rng: Rng;
  /** Default 0.95. */
  readonly confidence?: number;
  /** Number of bootstrap samples. Default 2000. */
  readonly resamples?: number;
  /**
   * `"percentile"` (default; what Agarwal et al. 2021 use) or `"bca"`, bias-corrected and accelerated (Efron 1987),
   * which is second-order accurate for skewed statistics.
   */
  readonly method?: "percentile" | "bca";
}

/**
 * Stratified bootstrap confidence interval: every stratum (a task, an environment) is resampled with replacement on
 * its own, to its own size, and the statistic is taken of all strata laid end to end.
 *
 * With few values per stratum (below about ten) bootstrap intervals are too narrow; decide between methods with
 * `compareUnpaired` and use these for robust statistics such as the interquartile mean.
 *
 * @param strata one non-empty sample per stratum; `[sample]` for an ordinary bootstrap
 * @param statistic takes the values of all strata, in order
 * @throws InputError when a stratum is empty, a value is not finite or an option is out of range
 */
export function bootstrapInterval(
  strata: readonly ArrayLike<number>[],
  statistic: (values: Float64Array) => number,
  options: BootstrapOptions,
): Interval {
  const { rng, confidence = 0.95, resamples = 2000, method = "percentile" } = options;
  if (strata.length === 0)
    throw new InputError("bootstrapInterval: expected at least 1 stratum but received 0");
  for (const stratum of strata) requireSample("bootstrapInterval", stratum, 1);
  requireConfidence("bootstrapInterval", confidence);
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new InputError(`bootstrapInterval: expected resamples of 1 or more but received ${resamples}`);
  }

  const size = strata.reduce((total, stratum) => total + stratum.length, 0);
  const sample = new Float64Array(size);
  const replicates = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let at = 0;
    for (const stratum of strata) {
      for (let i = 0; i < stratum.length; i++) sample[at++] = stratum[rng.integer(stratum.length)];
    }
    replicates[r] = statistic(sample);
  }
  replicates.sort();

  const tail = (1 - confidence) / 2;
  const [lower, upper] =
    method === "bca" ? acceleratedLevels(strata, statistic, replicates, tail) : [tail, 1 - tail];
  return {
    low: quantileOfSorted(replicates, lower),
    high: quantileOfSorted(replicates, upper),
    confidence,
  };
}

/**
 * The two probabilities at which the BCa interval reads the bootstrap distribution (Efron 1987; several samples as in
 * Davison and Hinkley 1997, section 5.3.2, with jackknife influence values).
 */
function acceleratedLevels(
  strata: readonly ArrayLike<number>[],
  statistic: (values: Float64Array) => number,
  replicates: Float64Array,
  tail: number,
): [number, number] {
  const observed = statistic(concatenate(strata));
  let below = 0;
  for (const replicate of replicates) below += replicate < observed ? 1 : replicate === observed ? 0.5 : 0;
  const proportion = below / replicates.length;
  // Every replicate on one side (or a constant statistic): no bias can be estimated, so read the plain percentiles.
  if (proportion === 0 || proportion === 1 || replicates[0] === replicates[replicates.length - 1]) {
    return [tail, 1 - tail];
  }
  const bias = normalQuantile(proportion);

  let cubes = 0;
  let squares = 0;
  for (let s = 0; s < strata.length; s++) {
    const n = strata[s].length;
    if (n < 2) continue;
    const without = Array.from({ length: n }, (_, i) => statistic(concatenate(strata, s, i)));
    const centre = without.reduce((total, value) => total + value, 0) / n;
    for (const value of without) {
      const influence = (n - 1) * (centre - value);
      cubes += influence ** 3 / n ** 3;
      squares += influence ** 2 / n ** 2;
    }
  }
  const acceleration = squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
  const level = (z: number) => normalCdf(bias + (bias + z) / (1 - acceleration * (bias + z)));
  return [level(normalQuantile(tail)), level(normalQuantile(1 - tail))];
}

/** All strata end to end, without value `skip` of stratum `from` when that is given. */
function concatenate(strata: readonly ArrayLike<number>[], from = -1, skip = -1): Float64Array {
  const values: number[] = [];
  strata.forEach((stratum, s) => {
    for (let i = 0; i < stratum.length; i++) if (s !== from || i !== skip) values.push(stratum[i]);
  });
  return Float64Array.from(values);
}

/** Throws InputError unless `confidence` lies strictly between 0 and 1. */
export function requireConfidence(who: string, confidence: number): void {
  if (!(confidence > 0 && confidence < 1)) {
    throw new InputError(`${who}: expected a confidence strictly between 0 and 1 but received ${confidence}`);
  }
}
