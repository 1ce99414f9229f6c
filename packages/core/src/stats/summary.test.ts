import fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  interquartileMean,
  mean,
  median,
  quantile,
  shareAbove,
  standardDeviation,
  standardError,
  variance,
} from "./summary.ts";

test("mean, variance and standard error by hand", () => {
  // Squared distances from 5: 9 1 1 1 0 0 4 16, sum 32, over 7.
  const values = [2, 4, 4, 4, 5, 5, 7, 9];
  expect(mean(values)).toBe(5);
  expect(variance(values)).toBeCloseTo(32 / 7, 14);
  expect(standardDeviation(values)).toBeCloseTo(Math.sqrt(32 / 7), 14);
  expect(standardError(values)).toBeCloseTo(Math.sqrt(32 / 56), 14);
  expect(standardError([3])).toBeNaN();
});

test("a constant sample has exactly that mean and no spread", () => {
  const values = new Float64Array(1000).fill(0.1);
  expect(mean(values)).toBe(0.1);
  expect(variance(values)).toBe(0);
});

test("quantiles agree with numpy.quantile", () => {
  const values = [3, 1, 4, 1, 5, 9, 2];
  const got = [0, 0.1, 0.25, 0.5, 0.9, 1].map((p) => quantile(values, p));
  [1, 1, 1.5, 3, 6.6, 9].forEach((expected, i) => {
    expect(got[i]).toBeCloseTo(expected, 14);
  });
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("the interquartile mean is the 25 % trimmed mean when four divides the size", () => {
  // scipy.stats.trim_mean(values, 0.25), SciPy 1.17.1
  expect(interquartileMean([5, 1, 9, 2, 8, 3, 7, 100])).toBe(5.75);
});

test("the interquartile mean cuts through values at other sizes", () => {
  // n = 5: 1.25 values leave at each end, so 20 and 40 count 0.75 each and 30 counts 1: 75 / 2.5.
  expect(interquartileMean([10, 20, 30, 40, 1000])).toBeCloseTo(75 / 2.5, 14);
  // n = 3: 0.25 of each end and the whole middle: (0.25 * 0 + 3 + 0.25 * 6) / 1.5
  expect(interquartileMean([6, 0, 3])).toBeCloseTo(4.5 / 1.5, 14);
  expect(interquartileMean([7])).toBe(7);
});

test("the interquartile mean lies between the quartiles' neighbours and follows shifts", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: -50, max: 50 }),
      (values, shift) => {
        const iqm = interquartileMean(values);
        expect(iqm).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
        expect(iqm).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
        expect(interquartileMean(values.map((v) => v + shift))).toBeCloseTo(iqm + shift, 9);
      },
    ),
  );
});

test("shareAbove counts strictly greater values", () => {
  expect(shareAbove([0.97, 0.98, 0.5, 1], 0.97)).toBe(0.5);
});

test("empty and non-finite samples are refused by name", () => {
  expect(() => mean([])).toThrow("mean: expected at least 1 value(s) but received 0");
  expect(() => quantile([1, Number.NaN], 0.5)).toThrow(InputError);
  expect(() => quantile([1], 1.5)).toThrow("expected a probability in [0, 1] but received 1.5");
});
