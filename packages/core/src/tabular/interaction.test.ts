import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import {
  enumerateJointActions,
  interaction,
  isMonotonic,
  jointActionCount,
  leastSquaresFit,
} from "./index.ts";

const parity = (agents: number): Float64Array =>
  Float64Array.from({ length: 2 ** agents }, (_, joint) => {
    let acting = 0;
    for (let i = 0; i < agents; i++) acting += (joint >> i) & 1;
    return acting % 2 === 0 ? 1 : 0;
  });

/** A random table that is a sum of functions of at most `order` agents. */
function randomSum(actions: readonly number[], order: number, seed: number): Float64Array {
  const rng = createRng(seed);
  const joints = enumerateJointActions(actions);
  const agents = actions.length;
  const terms = new Map<string, number>();
  return Float64Array.from({ length: joints.length / agents }, (_, a) => {
    let sum = 0;
    for (let set = 0; set < 2 ** agents; set++) {
      const members = actions.map((_, i) => i).filter((i) => ((set >> i) & 1) === 1);
      if (members.length > order) continue;
      const key = members.map((i) => `${i}:${joints[a * agents + i]}`).join();
      if (!terms.has(key)) terms.set(key, rng.normal());
      sum += terms.get(key)!;
    }
    return sum;
  });
}

// AGP, Theorem 3.2: Q_1 = Q_2 = (0, 1) and Q_12 = ((3, -2), (-2, 0)) add up to this.
const mismatch = Float64Array.of(3, -1, -1, 2);

describe("interaction", () => {
  test("of parity is +4 among three agents, whatever the number of agents", () => {
    for (const agents of [3, 4, 5, 8]) expect(interaction(parity(agents), [0, 1, 2])).toBe(4);
    expect(interaction(parity(5), [1, 2, 4])).toBe(4);
  });

  test("of a pair is the difference of differences", () => {
    expect(interaction(mismatch, [0, 1])).toBe(3 - -1 - -1 + 2);
    expect(interaction(mismatch, [0])).toBe(3 - -1);
    expect(interaction(mismatch, [])).toBe(3);
  });

  test("of three agents is nothing for any sum of payoffs of agents and pairs", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 3, max: 6 }), (seed, agents) => {
        const table = randomSum(new Array(agents).fill(2), 2, seed);
        const among = [...createRng(seed).sampleWithoutReplacement(agents, 3)];
        expect(Math.abs(interaction(table, among))).toBeLessThan(1e-9);
      }),
    );
  });

  test("refuses tables of other games", () => {
    expect(() => interaction([1, 2, 3], [0])).toThrow("got 3 values, expected a power of 2");
    expect(() => interaction([1, 2, 3, 4], [2])).toThrow("no agent 2, expected 0..1");
  });
});

describe("leastSquaresFit", () => {
  test("of parity by pairs is the constant 1/2 from three agents on, and exact for two", () => {
    for (const agents of [3, 4, 5]) {
      for (const fitted of leastSquaresFit(new Array(agents).fill(2), parity(agents), 2)) {
        expect(fitted).toBeCloseTo(0.5, 14);
      }
    }
    expect([...leastSquaresFit([2, 2], parity(2), 2)]).toEqual([...parity(2)]);
  });

  test("by sums cannot tell the table of Theorem 3.2: 3/4 + u_1 + u_2, off by 1.75 everywhere", () => {
    const fit = leastSquaresFit([2, 2], mismatch, 1);
    // Means over rows and columns are 1 and 1/2 about 3/4.
    expect([...fit]).toEqual([1.25, 0.75, 0.75, 0.25]);
    expect([...fit].map((value, a) => mismatch[a] - value)).toEqual([1.75, -1.75, -1.75, 1.75]);
  });

  test("leaves sums of its order as they are", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.nat(4),
        (seed, actions, order) => {
          const table = randomSum(actions, order, seed);
          leastSquaresFit(actions, table, order).forEach((value, a) => {
            expect(value).toBeCloseTo(table[a], 10);
          });
        },
      ),
    );
  });

  test("is the closest of all sums: what is left is orthogonal to each of them", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.integer({ min: 2, max: 3 }), { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 0, max: 2 }),
        (seed, actions, order) => {
          const table = randomSum(actions, actions.length, seed);
          const fit = leastSquaresFit(actions, table, order);
          const other = randomSum(actions, order, seed + 1);
          const product = fit.reduce((sum, value, a) => sum + (table[a] - value) * other[a], 0);
          expect(product).toBeCloseTo(0, 8);
          // And it is such a sum itself.
          leastSquaresFit(actions, fit, order).forEach((value, a) => {
            expect(value).toBeCloseTo(fit[a], 10);
          });
        },
      ),
    );
  });

  test("refuses a table of the wrong size", () => {
    expect(() => leastSquaresFit([2, 3], [1, 2, 3], 1)).toThrow("got 3 values, expected 6");
  });
});

describe("isMonotonic", () => {
  test("the table of Theorem 3.2 is no increasing function of utilities", () => {
    // (0, 0) above both its neighbours asks for action 0, (1, 1) above both of its own for action 1.
    expect(isMonotonic([2, 2], mismatch)).toBe(false);
    expect(isMonotonic([2, 2], [3, 0, 0, -1])).toBe(true);
    expect(isMonotonic([2, 2], [0, 0, 0, 1])).toBe(true);
    expect(isMonotonic([2, 2], [1, 0, 0, 1])).toBe(false);
  });

  test("holds for increasing functions of sums", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
        (seed, actions) => {
          const table = randomSum(actions, 1, seed).map((value) => value ** 3 + value);
          expect(isMonotonic(actions, table)).toBe(true);
        },
      ),
    );
  });

  test("holds when actions can be put in an order along which no value falls", () => {
    fc.assert(
      fc.property(fc.constantFrom([2, 2], [3, 2], [2, 2, 2]), fc.nat(), (actions, seed) => {
        const rng = createRng(seed);
        const table = Float64Array.from({ length: jointActionCount(actions) }, () => rng.integer(3));
        expect(isMonotonic(actions, table)).toBe(someOrderRises(actions, table));
      }),
      { numRuns: 500 },
    );
  });
});

/** Tries every order of every agent's actions. */
function someOrderRises(actions: readonly number[], table: Float64Array): boolean {
  const orders = (n: number): number[][] =>
    n === 0
      ? [[]]
      : orders(n - 1).flatMap((rest) =>
          Array.from({ length: n }, (_, at) => [...rest.slice(0, at), n - 1, ...rest.slice(at)]),
        );
  const combinations = actions.reduce<number[][][]>(
    (before, n) => before.flatMap((chosen) => orders(n).map((order) => [...chosen, order])),
    [[]],
  );
  const joints = enumerateJointActions(actions);
  const agents = actions.length;
  const indexOf = (joint: ArrayLike<number>) => actions.reduce((index, n, i) => index * n + joint[i], 0);
  return combinations.some((ranks) =>
    table.every((value, a) => {
      const joint = joints.subarray(a * agents, (a + 1) * agents);
      return actions.every((n, i) =>
        Array.from({ length: n }, (_, x) => x).every((x) => {
          if (ranks[i][x] < ranks[i][joint[i]]) return true;
          const other = joint.slice();
          other[i] = x;
          return table[indexOf(other)] >= value;
        }),
      );
    }),
  );
}
