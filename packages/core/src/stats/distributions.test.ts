import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { normalCdf, normalQuantile, studentCdf, studentQuantile } from "./distributions.ts";

/** Agreement relative to the expected value, which matters in the tails. */
function expectRelative(got: number, expected: number, tolerance: number): void {
  expect(Math.abs(got / expected - 1), `${got} against ${expected}`).toBeLessThan(tolerance);
}

// Expected values in this file: SciPy 1.17.1, scipy.stats.t and scipy.stats.norm (cdf, ppf), printed to 16 digits.

test.each([
  [-2.5, 1, 0.12111894159084341],
  [-2.5, 3.7, 0.03591101145591339],
  [1.3, 10, 0.8886170913965777],
  [-8, 4, 0.0006619484546085836],
  [-0.01, 2, 0.4964645544791005],
  [-3, 59.3, 0.001971804889324371],
  [-40, 6, 8.159180465271234e-9],
  [2, 1e4, 0.9772363696692823],
  [-1e-6, 5, 0.4999996203933102],
])("studentCdf(%d, %d)", (t, degreesOfFreedom, expected) => {
  expectRelative(studentCdf(t, degreesOfFreedom), expected, 1e-11);
});

test.each([
  [0.975, 1, 12.706204736174694],
  [0.975, 2, 4.302652729749462],
  [0.975, 4, 2.7764451051977934],
  [0.975, 9.5, 2.2441374614922958],
  [0.9875, 118, 2.2703633169767246],
  [0.8, 22, 0.8582660516582046],
  [1e-9, 3, -1033.1096745038078],
  [0.6, 0.5, 0.3979754267847907],
  [0.975, 1e4, 1.960201239890626],
])("studentQuantile(%d, %d)", (probability, degreesOfFreedom, expected) => {
  expectRelative(studentQuantile(probability, degreesOfFreedom), expected, 1e-10);
});

test.each([
  [-0.5, 0.3085375387259869],
  [-2.9, 0.0018658133003840375],
  [-3.1, 0.0009676032132183563],
  [-8, 6.22096057427174e-16],
  [-37, 5.7255712225239266e-300],
  [1.96, 0.9750021048517795],
  [3.5, 0.9997673709209645],
])("normalCdf(%d)", (x, expected) => {
  expectRelative(normalCdf(x), expected, 1e-12);
});

test.each([
  [0.025, -1.9599639845400545],
  [0.5001, 0.0002506628300880075],
  [0.975, 1.959963984540054],
  [1e-12, -7.034483825301131],
])("normalQuantile(%d)", (probability, expected) => {
  expectRelative(normalQuantile(probability), expected, 1e-10);
});

test("Student's t with infinite degrees of freedom is the normal, and its ends are 0 and 1", () => {
  expect(studentCdf(1.2, Infinity)).toBe(normalCdf(1.2));
  expect(studentCdf(-Infinity, 3)).toBe(0);
  expect(studentCdf(Infinity, 3)).toBe(1);
  expect(studentCdf(0, 3)).toBe(0.5);
});

test("one degree of freedom is the Cauchy distribution", () => {
  for (const t of [-50, -1, 0.3, 4]) expectRelative(studentCdf(t, 1), 0.5 + Math.atan(t) / Math.PI, 1e-12);
});

test("bad arguments are named", () => {
  expect(() => studentQuantile(1, 3)).toThrow(InputError);
  expect(() => studentQuantile(1, 3)).toThrow("strictly between 0 and 1 but received 1");
  expect(() => studentCdf(0.1, 0)).toThrow(InputError);
});
