import { InputError } from "../errors.ts";
import { type Interval, requireConfidence } from "./bootstrap.ts";
import { studentCdf, studentQuantile } from "./distributions.ts";
import { mean, requireSample, standardDeviation, variance } from "./summary.ts";

/** How two methods differ: everything is first minus second. */
export interface Comparison {
  /** Sample sizes of first and second. */
  readonly sizes: readonly [number, number];
  /** Difference of the means. */
  readonly difference: number;
  /** Standard error of the difference; NaN when a sample has one value only. */
  readonly standardError: number;
  /** Of Student's t; NaN when a sample has one value only. */
  readonly degreesOfFreedom: number;
  /** Confidence interval of the difference of means; minus to plus infinity when nothing is known about the spread. */
  readonly interval: Interval;
  /** Two-sided p-value of the hypothesis that the means are equal. */
  readonly pValue: number;
  /** Hedges' g: the difference in standard deviations, corrected for small samples; NaN when there is no spread. */
  readonly effectSize: number;
  /** Probability that a run of the first method scores above a run of the second; ties count one half. */
  readonly probabilityOfImprovement: number;
}

/**
 * Two independent samples by Welch's t (Welch 1947), which does not assume equal spreads and, unlike the bootstrap,
 * keeps its coverage at a handful of seeds.
 *
 * @throws InputError when a sample is empty or has a value that is not finite
 */
export function compareUnpaired(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  options: { readonly confidence?: number } = {},
): Comparison {
  requireSample("compareUnpaired", first, 1);
  requireSample("compareUnpaired", second, 1);
  const [n, m] = [first.length, second.length];
  const [a, b] = [variance(first) / n, variance(second) / m];
  const standardError = Math.sqrt(a + b);
  const degreesOfFreedom =
    standardError === 0 ? n + m - 2 : (a + b) ** 2 / (a ** 2 / (n - 1) + b ** 2 / (m - 1));
  const difference = mean(first) - mean(second);
  const spread = Math.sqrt(((n - 1) * variance(first) + (m - 1) * variance(second)) / (n + m - 2));
  return {
    sizes: [n, m],
    difference,
    standardError,
    degreesOfFreedom,
    ...tInference(difference, standardError, degreesOfFreedom, options.confidence ?? 0.95),
    effectSize: standardised(difference, spread, n + m - 2),
    probabilityOfImprovement: probabilityOfImprovement(first, second),
  };
}

/**
 * Two samples in which the values at one index belong together (the same seed drives both), by the t interval of
 * their differences. The effect size is the mean difference over the standard deviation of the differences.
 *
 * @throws InputError when the samples differ in length, are empty or have a value that is not finite
 */
export function comparePaired(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  options: { readonly confidence?: number } = {},
): Comparison {
  if (first.length !== second.length) {
    throw new InputError(
      `comparePaired: expected two samples of one length but received ${first.length} and ${second.length}`,
    );
  }
  requireSample("comparePaired", first, 1);
  requireSample("comparePaired", second, 1);
  const n = first.length;
  const differences = Float64Array.from(first, (value, i) => value - second[i]);
  const difference = mean(differences);
  const standardError = Math.sqrt(variance(differences) / n);
  return {
    sizes: [n, n],
    difference,
    standardError,
    degreesOfFreedom: n > 1 ? n - 1 : Number.NaN,
    ...tInference(difference, standardError, n - 1, options.confidence ?? 0.95),
    effectSize: standardised(difference, standardDeviation(differences), n - 1),
    probabilityOfImprovement: probabilityOfImprovement(first, second),
  };
}

/**
 * Share of all pairs (one run of each) in which the first is higher, ties counting one half: the Mann-Whitney U
 * statistic over n m, called probability of improvement by Agarwal et al. 2021.
 */
export function probabilityOfImprovement(first: ArrayLike<number>, second: ArrayLike<number>): number {
  requireSample("probabilityOfImprovement", first, 1);
  requireSample("probabilityOfImprovement", second, 1);
  let wins = 0;
  for (let i = 0; i < first.length; i++) {
    for (let j = 0; j < second.length; j++) {
      if (first[i] > second[j]) wins += 1;
      else if (first[i] === second[j]) wins += 0.5;
    }
  }
  return wins / (first.length * second.length);
}

function tInference(
  difference: number,
  standardError: number,
  degreesOfFreedom: number,
  confidence: number,
): { interval: Interval; pValue: number } {
  requireConfidence("compare", confidence);
  if (Number.isNaN(standardError)) {
    return { interval: { low: -Infinity, high: Infinity, confidence }, pValue: 1 };
  }
  if (standardError === 0) {
    return { interval: { low: difference, high: difference, confidence }, pValue: difference === 0 ? 1 : 0 };
  }
  const reach = studentQuantile(0.5 + confidence / 2, degreesOfFreedom) * standardError;
  return {
    interval: { low: difference - reach, high: difference + reach, confidence },
    pValue: 2 * studentCdf(-Math.abs(difference / standardError), degreesOfFreedom),
  };
}

/** Cohen's d times the usual approximation of Hedges' (1981) correction, 1 - 3 / (4 nu - 1). */
function standardised(difference: number, spread: number, degreesOfFreedom: number): number {
  if (!(spread > 0)) return Number.NaN;
  return (difference / spread) * (1 - 3 / (4 * degreesOfFreedom - 1));
}
