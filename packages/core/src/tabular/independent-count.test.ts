import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { countBound, exactlyKProbability } from "./index.ts";

describe("exactlyKProbability", () => {
  test("is the share of joint actions with K ones, by enumeration", () => {
    for (const [agents, rate] of [
      [1, 0.3],
      [4, 0.25],
      [6, 0.7],
    ]) {
      const byCount = new Float64Array(agents + 1);
      for (let joint = 0; joint < 2 ** agents; joint++) {
        let count = 0;
        for (let i = 0; i < agents; i++) count += (joint >> i) & 1;
        byCount[count] += rate ** count * (1 - rate) ** (agents - count);
      }
      byCount.forEach((value, k) => {
        expect(exactlyKProbability(agents, k, rate)).toBeCloseTo(value, 14);
      });
    }
  });

  test("of certain agents, and of a thousand", () => {
    expect(exactlyKProbability(5, 0, 0)).toBe(1);
    expect(exactlyKProbability(5, 2, 0)).toBe(0);
    expect(exactlyKProbability(5, 5, 1)).toBe(1);
    let total = 0;
    for (let k = 0; k <= 1000; k++) total += exactlyKProbability(1000, k, 0.37);
    expect(total).toBeCloseTo(1, 10);
  });
});

describe("countBound", () => {
  test.each([
    [5, 2, 0.4, 0.3456],
    [6, 2, 1 / 3, 240 / 729],
    [4, 1, 0.25, 0.421875],
    [6, 3, 0.5, 0.3125],
    // The best probability that exactly one of six acts: (1 - 1/6)^5.
    [6, 1, 1 / 6, (5 / 6) ** 5],
  ])("%i agents, %i of whom should act", (agents, k, rate, value) => {
    const bound = countBound(agents, k);
    expect(bound.rate).toBe(rate);
    expect(bound.value).toBeCloseTo(value, 14);
  });

  test("no rate does better, nor reaches 1", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), (agents, seed) => {
        const k = 1 + (seed % (agents - 1));
        const bound = countBound(agents, k);
        expect(bound.value).toBeLessThan(1);
        for (let step = 0; step <= 1000; step++) {
          expect(exactlyKProbability(agents, k, step / 1000)).toBeLessThanOrEqual(bound.value + 1e-12);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("refuses what cannot be", () => {
    expect(() => countBound(3, 4)).toThrow(new InputError("k: got 4, expected an integer in 0..3"));
    expect(() => countBound(0, 0)).toThrow(new InputError("agents: got 0, expected a positive integer"));
  });
});
