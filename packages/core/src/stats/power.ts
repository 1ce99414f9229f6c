import { InputError } from "../errors.ts";
import { requireConfidence } from "./bootstrap.ts";
import { studentQuantile } from "./distributions.ts";

export interface PowerOptions {
  /** Standard deviation of one method's scores over seeds. */
  readonly standardDeviation: number;
  /** Confidence of the two-sided interval that is to exclude zero. Default 0.95. */
  readonly confidence?: number;
  /** Probability with which it should. Default 0.8. */
  readonly power?: number;
}

/**
 * Smallest true difference of means that `seeds` runs per method separate from zero with the given power:
 * (t_{1 - alpha/2} + t_{power}) sd sqrt(2 / n) with 2n - 2 degrees of freedom, the usual approximation to the
 * non-central t. Infinity for a single seed.
 */
export function detectableDifference(seeds: number, options: PowerOptions): number {
  const { standardDeviation, confidence = 0.95, power = 0.8 } = options;
  requireConfidence("detectableDifference", confidence);
  requireConfidence("detectableDifference: power", power);
  if (!(standardDeviation >= 0)) {
    throw new InputError(
      `detectableDifference: expected a standard deviation of 0 or more but received ${standardDeviation}`,
    );
  }
  if (seeds < 2) return Infinity;
  const degreesOfFreedom = 2 * seeds - 2;
  const reach =
    studentQuantile(0.5 + confidence / 2, degreesOfFreedom) + studentQuantile(power, degreesOfFreedom);
  return reach * standardDeviation * Math.sqrt(2 / seeds);
}

/**
 * Seeds per method needed to separate means that truly differ by `difference` (Infinity when that is 0 and there is
 * spread). The least n whose `detectableDifference` is at most that; at most one more than the exact power
 * calculation asks for.
 */
export function seedsNeeded(difference: number, options: PowerOptions): number {
  const size = Math.abs(difference);
  if (options.standardDeviation > 0 && size / options.standardDeviation < 1e-6) return Infinity;
  let enough = 2;
  while (detectableDifference(enough, options) > size) enough *= 2;
  let tooFew = Math.max(1, enough / 2);
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (detectableDifference(middle, options) > size) tooFew = middle;
    else enough = middle;
  }
  return enough;
}
