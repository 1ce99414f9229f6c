import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { leastOneHotDivergence, oneHotDivergence } from "./index.ts";

/** `sum_a pi*(a) log(pi*(a) / pi(a))` over all joint actions, from its definition. */
function divergenceByEnumeration(rates: readonly number[]): number {
  const agents = rates.length;
  let divergence = 0;
  for (let joint = 0; joint < 2 ** agents; joint++) {
    const acts = rates.map((_, i) => (joint >> i) & 1);
    if (acts.reduce((a, b) => a + b, 0) !== 1) continue;
    const probability = rates.reduce((product, rate, i) => product * (acts[i] === 1 ? rate : 1 - rate), 1);
    divergence += Math.log(1 / agents / probability) / agents;
  }
  return divergence;
}

describe("oneHotDivergence", () => {
  test("is the sum over joint actions", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.01, max: 0.99, noNaN: true }), { minLength: 2, maxLength: 6 }),
        (rates) => {
          expect(oneHotDivergence(rates)).toBeCloseTo(divergenceByEnumeration(rates), 11);
        },
      ),
    );
  });

  test("is infinite where a needed joint action is impossible", () => {
    expect(oneHotDivergence([0, 0.5])).toBe(Number.POSITIVE_INFINITY);
    expect(oneHotDivergence([1, 0.5])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("leastOneHotDivergence", () => {
  test.each([
    [2, Math.LN2],
    [3, 0.81093],
    [4, 0.863046],
    [6, 0.911608],
    [10, 0.948245],
    [50, 0.989933],
  ])("of %i agents is %f, and numerical minimisation finds no less", (agents, value) => {
    const least = leastOneHotDivergence(agents);
    expect(least).toBeCloseTo(value, 6);
    const rng = createRng(agents);
    for (let start = 0; start < 5; start++) {
      // Gradient descent in log-odds z: the derivative of the divergence by z_i is p_i - 1/N.
      const z = Float64Array.from({ length: agents }, () => 2 * rng.normal());
      const rates = () => z.map((x) => 1 / (1 + Math.exp(-x)));
      for (let step = 0; step < 4000; step++) {
        const p = rates();
        for (let i = 0; i < agents; i++) z[i] -= 3 * (p[i] - 1 / agents);
      }
      expect(oneHotDivergence(rates())).toBeCloseTo(least, 6);
      expect(oneHotDivergence(rates())).toBeGreaterThanOrEqual(least - 1e-12);
    }
  });

  test("grows with the number of agents, from 1 - 1/N to less than 1, and is log N for two only", () => {
    expect(leastOneHotDivergence(2)).toBeCloseTo(Math.log(2), 14);
    for (let agents = 2; agents <= 2000; agents++) {
      const least = leastOneHotDivergence(agents);
      expect(least).toBeGreaterThanOrEqual(1 - 1 / agents);
      expect(least).toBeLessThan(1);
      if (agents > 2) {
        expect(least).toBeGreaterThan(leastOneHotDivergence(agents - 1));
        expect(least).toBeLessThan(Math.log(agents));
      }
    }
  });

  test("refuses a single agent", () => {
    expect(() => leastOneHotDivergence(1)).toThrow(
      new InputError("one-hot: got 1 agents, expected an integer that is at least 2"),
    );
  });
});
