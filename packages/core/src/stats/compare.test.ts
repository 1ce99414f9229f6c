import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { comparePaired, compareUnpaired, probabilityOfImprovement } from "./compare.ts";

const first = [0.61, 0.97, 0.99, 0.88, 0.95, 0.72, 0.98];
const second = [0.8, 0.93, 0.65, 0.7, 0.77];
const matched = [0.58, 0.99, 0.9, 0.8, 0.95, 0.7, 0.9];

// Expected values: SciPy 1.17.1, ttest_ind(equal_var=False), ttest_rel, mannwhitneyu and their confidence intervals.

test("Welch's interval and p-value agree with SciPy", () => {
  const result = compareUnpaired(first, second);
  expect(result.difference).toBeCloseTo(6.1 / 7 - 3.85 / 5, 14);
  expect(result.degreesOfFreedom).toBeCloseTo(9.984159877042137, 11);
  expect(result.pValue).toBeCloseTo(0.1998529369213845, 12);
  expect(result.interval.low).toBeCloseTo(-0.06322856800945836, 12);
  expect(result.interval.high).toBeCloseTo(0.266085710866601, 12);
  expect(result.difference / result.standardError).toBeCloseTo(1.3728256897681836, 12);
  expect(compareUnpaired(first, second, { confidence: 0.99 }).interval).toEqual({
    low: expect.closeTo(-0.1328102685479205, 12),
    high: expect.closeTo(0.3356674114050631, 12),
    confidence: 0.99,
  });
});

test("the effect size is Hedges' g and the probability of improvement is U / (n m)", () => {
  const result = compareUnpaired(first, second);
  // Pooled standard deviation and correction worked in NumPy.
  expect(result.effectSize).toBeCloseTo(0.7000198782685155, 12);
  expect(result.probabilityOfImprovement).toBeCloseTo(26 / 35, 14);
  expect(probabilityOfImprovement([1, 2], [2, 2])).toBe(0.25);
});

test("exchanging the samples changes every sign", () => {
  const forward = compareUnpaired(first, second);
  const backward = compareUnpaired(second, first);
  expect(backward.difference).toBe(-forward.difference);
  expect(backward.effectSize).toBe(-forward.effectSize);
  expect(backward.interval.low).toBe(-forward.interval.high);
  expect(backward.pValue).toBe(forward.pValue);
  expect(backward.probabilityOfImprovement).toBeCloseTo(1 - forward.probabilityOfImprovement, 14);
});

test("paired differences agree with SciPy", () => {
  const result = comparePaired(first, matched);
  expect(result.difference / result.standardError).toBeCloseTo(2.427907914667536, 11);
  expect(result.pValue).toBeCloseTo(0.05130819860342426, 12);
  expect(result.interval.low).toBeCloseTo(-0.00031309155281607215, 12);
  expect(result.interval.high).toBeCloseTo(0.08031309155281605, 12);
  expect(() => comparePaired(first, second)).toThrow(InputError);
});

test("without spread the interval is the difference; with one run nothing is known", () => {
  const certain = compareUnpaired([2, 2], [1, 1, 1]);
  expect(certain.interval).toEqual({ low: 1, high: 1, confidence: 0.95 });
  expect(certain.pValue).toBe(0);
  expect(certain.effectSize).toBeNaN();
  expect(compareUnpaired([1, 1], [1, 1]).pValue).toBe(1);
  const single = compareUnpaired([2], [1, 1.1]);
  expect(single.interval).toEqual({ low: -Infinity, high: Infinity, confidence: 0.95 });
  expect(single.pValue).toBe(1);
});
