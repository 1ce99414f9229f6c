import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { detectableDifference, seedsNeeded } from "./power.ts";

// Exact sample sizes from the non-central t (SciPy 1.17.1, scipy.stats.nct), as in Cohen's (1988) tables.
test.each([
  [0.2, 394],
  [0.5, 64],
  [0.8, 26],
  [1, 17],
  [1.5, 9],
  [2, 6],
])("a difference of %d standard deviations needs %d seeds for a power of 0.8", (difference, expected) => {
  expect(seedsNeeded(difference, { standardDeviation: 1 })).toBe(expected);
  expect(seedsNeeded(-3 * difference, { standardDeviation: 3 })).toBe(expected);
});

test("stricter intervals and more power need more seeds", () => {
  // Same source: alpha .0125 gives 91; power .95 gives 27, where the approximation asks for one seed more.
  expect(seedsNeeded(0.5, { standardDeviation: 1, confidence: 0.9875 })).toBe(91);
  expect(seedsNeeded(1, { standardDeviation: 1, power: 0.95 })).toBe(28);
});

test("the detectable difference falls with seeds and is the inverse of the seeds needed", () => {
  const options = { standardDeviation: 0.1 };
  const at = detectableDifference(20, options);
  expect(seedsNeeded(at, options)).toBe(20);
  expect(detectableDifference(21, options)).toBeLessThan(at);
  expect(detectableDifference(1, options)).toBe(Infinity);
});

test("no difference can never be found, no spread needs two seeds, a negative spread is refused", () => {
  expect(seedsNeeded(0, { standardDeviation: 1 })).toBe(Infinity);
  expect(seedsNeeded(0.1, { standardDeviation: 0 })).toBe(2);
  expect(() => seedsNeeded(1, { standardDeviation: -1 })).toThrow(InputError);
});
