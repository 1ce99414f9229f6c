import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng, type Rng } from "../random/index.ts";
import { bootstrapInterval } from "./bootstrap.ts";
import { interquartileMean, mean } from "./summary.ts";

const skewed = [1, 2, 2, 3, 4, 6, 9, 15, 22, 40];
const second = [3, 5, 5, 9];
const many = { resamples: 200_000, confidence: 0.95 };

// Expected intervals: scipy.stats.bootstrap of SciPy 1.17.1 with n_resamples=400000, rng=1; for two strata the
// statistic is the mean of both laid end to end. Tolerances cover the resampling noise of both sides.
test.each([
  ["percentile", [skewed], 4.2, 18.5],
  ["bca", [skewed], 5.1, 21.2],
  ["percentile", [skewed, second], 4.5, 14.7857],
  ["bca", [skewed, second], 5.1429, 16.7143],
] as const)("%s interval of a mean agrees with SciPy", (method, strata, low, high) => {
  const interval = bootstrapInterval(strata, mean, { ...many, method, rng: createRng("bootstrap") });
  expect(Math.abs(interval.low - low)).toBeLessThan(0.11);
  expect(Math.abs(interval.high - high)).toBeLessThan(0.3);
  expect(interval.confidence).toBe(0.95);
});

test("strata are resampled apart: constant strata leave nothing to vary", () => {
  const interval = bootstrapInterval(
    [
      [1, 1],
      [5, 5, 5],
    ],
    mean,
    { rng: createRng(1), method: "bca" },
  );
  expect(interval.low).toBeCloseTo(17 / 5, 14);
  expect(interval.high).toBeCloseTo(17 / 5, 14);
});

test("every draw comes from the stream that is given, in order", () => {
  // Four resamples of {10, 20} with the draws below: means 10, 15, 15, 20.
  const draws = [0, 0, 0, 1, 1, 0, 1, 1];
  const rng = { integer: () => draws.shift()! } as unknown as Rng;
  const interval = bootstrapInterval([[10, 20]], mean, { rng, resamples: 4, confidence: 0.5 });
  // Type 7 quantiles of 10 15 15 20: at 1/4 position .75, at 3/4 position 2.25.
  expect(interval).toEqual({ low: 13.75, high: 16.25, confidence: 0.5 });
  expect(draws).toEqual([]);
});

test("equal streams give equal intervals", () => {
  const run = () => bootstrapInterval([skewed], interquartileMean, { rng: createRng(3) });
  expect(run()).toEqual(run());
});

test("empty strata and impossible confidences are refused", () => {
  const rng = createRng(1);
  expect(() => bootstrapInterval([[1], []], mean, { rng })).toThrow(InputError);
  expect(() => bootstrapInterval([], mean, { rng })).toThrow("at least 1 stratum");
  expect(() => bootstrapInterval([[1]], mean, { rng, confidence: 95 })).toThrow("but received 95");
  expect(() => bootstrapInterval([[1]], mean, { rng, resamples: 0 })).toThrow("but received 0");
});
