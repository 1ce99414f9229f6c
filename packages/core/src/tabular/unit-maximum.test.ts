import { expect, test } from "vitest";
import { unitMaximum } from "./unit-maximum.ts";

test("finds maxima inside, at the ends, at a kink and among several", () => {
  expect(unitMaximum((x) => x ** 2 * (1 - x) ** 4, 1000)).toBeCloseTo(1 / 3, 7);
  expect(unitMaximum((x) => -x, 1000)).toBe(0);
  expect(unitMaximum((x) => x, 1000)).toBe(1);
  expect(unitMaximum((x) => -Math.abs(x - 0.12345678), 1000)).toBeCloseTo(0.12345678, 9);
  expect(unitMaximum((x) => Math.sin(18 * x) + x, 1000)).toBeCloseTo(
    (Math.acos(-1 / 18) + 4 * Math.PI) / 18,
    7,
  );
  expect(unitMaximum(() => 3, 1000)).toBe(0);
  // Largest at both ends: the first of equal ones.
  expect(unitMaximum((x) => (x - 0.5) ** 2, 1000)).toBe(0);
});
