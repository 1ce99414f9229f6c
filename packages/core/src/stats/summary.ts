import { InputError } from "../errors.ts";

/** Arithmetic mean. Throws InputError for an empty sample. */
export function mean(values: ArrayLike<number>): number {
  requireSample("mean", values, 1);
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  const first = total / values.length;
  // A second pass removes most of the rounding error of the first (a constant sample gives that constant exactly).
  let correction = 0;
  for (let i = 0; i < values.length; i++) correction += values[i] - first;
  return first + correction / values.length;
}

/** Unbiased sample variance (divisor n - 1); NaN for one value, which says nothing about spread. */
export function variance(values: ArrayLike<number>): number {
  const centre = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - centre) ** 2;
  return squares / (values.length - 1);
}

/** Sample standard deviation (divisor n - 1); NaN for one value. */
export function standardDeviation(values: ArrayLike<number>): number {
  return Math.sqrt(variance(values));
}

/** Standard error of the mean, `standardDeviation / sqrt(n)`; NaN for one value. */
export function standardError(values: ArrayLike<number>): number {
  return Math.sqrt(variance(values) / values.length);
}

/**
 * Quantile by linear interpolation between order statistics (Hyndman and Fan 1996, type 7: the default of NumPy and
 * R).
 *
 * @param probability in [0, 1]
 * @throws InputError for an empty sample or a probability outside [0, 1]
 */
export function quantile(values: ArrayLike<number>, probability: number): number {
  requireSample("quantile", values, 1);
  return quantileOfSorted(sorted(values), probability);
}

/** The quantile of values that are in ascending order already (see `quantile`). */
export function quantileOfSorted(ascending: ArrayLike<number>, probability: number): number {
  if (!(probability >= 0 && probability <= 1)) {
    throw new InputError(`quantile: expected a probability in [0, 1] but received ${probability}`);
  }
  const position = (ascending.length - 1) * probability;
  const below = Math.floor(position);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (position - below) * (ascending[above] - ascending[below]);
}

/** The middle order statistic, or the mean of the middle two. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/**
 * Interquartile mean: the mean of the middle half of the sample (Agarwal et al. 2021, "Deep reinforcement learning at
 * the edge of the statistical precipice"). An order statistic that the quarter cuts through counts with the part
 * that lies inside, so that exactly half of the sample's weight is kept at every sample size. For sizes divisible by
 * four this is the 25 % trimmed mean that the paper's own software computes; for others that software keeps whole
 * values only.
 */
export function interquartileMean(values: ArrayLike<number>): number {
  requireSample("interquartileMean", values, 1);
  const ascending = sorted(values);
  const cut = values.length / 4;
  let total = 0;
  for (let i = 0; i < ascending.length; i++) {
    const weight = Math.min(i + 1, values.length - cut) - Math.max(i, cut);
    if (weight > 0) total += weight * ascending[i];
  }
  return total / (values.length / 2);
}

/** Share of the values that are strictly greater than `threshold`. */
export function shareAbove(values: ArrayLike<number>, threshold: number): number {
  requireSample("shareAbove", values, 1);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > threshold) count++;
  return count / values.length;
}

/** Throws InputError when there are fewer than `least` values or one of them is not finite. */
export function requireSample(who: string, values: ArrayLike<number>, least: number): void {
  if (values.length < least) {
    throw new InputError(`${who}: expected at least ${least} value(s) but received ${values.length}`);
  }
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new InputError(`${who}: expected finite values but received ${values[i]} at index ${i}`);
    }
  }
}

function sorted(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort();
}
