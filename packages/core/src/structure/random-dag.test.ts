import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  adjacency,
  bernoulliDag,
  bernoulliDagSampler,
  edgeCount,
  edges,
  full,
  isAcyclic,
  product,
  randomDag,
  randomDagSampler,
} from "./index.ts";

/** A small generator for these tests: a Weyl sequence through a multiply-and-shift mixer. */
function testRandom(seed: number) {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  };
  const integer = (n: number) => Math.floor(uniform() * n);
  const permutation = (n: number, out = new Int32Array(n)) => {
    for (let i = 0; i < n; i++) out[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = integer(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  };
  return { uniform, integer, permutation };
}

describe("randomDag", () => {
  test("is acyclic with exactly min(budget, N(N-1)/2) edges", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), fc.nat(80), (seed, agents, budget) => {
        const dag = randomDag(agents, budget, testRandom(seed));
        expect(isAcyclic(dag)).toBe(true);
        expect(edgeCount(dag)).toBe(Math.min(budget, (agents * (agents - 1)) / 2));
      }),
    );
  });

  test("every ordered pair is an edge equally often, and every set of edges of an order", () => {
    const random = testRandom(1);
    const draws = 24_000;
    const pairs = new Map<string, number>();
    const graphs = new Map<string, number>();
    for (let k = 0; k < draws; k++) {
      const list = edges(randomDag(4, 2, random)).map(([parent, child]) => `${parent}>${child}`);
      for (const edge of list) pairs.set(edge, (pairs.get(edge) ?? 0) + 1);
    }
    expect(pairs.size).toBe(12);
    // Each of 12 pairs has probability 1/6: five standard deviations of a binomial are 289.
    for (const count of pairs.values()) expect(Math.abs(count - draws / 6)).toBeLessThan(289);
    const fixed = { ...random, permutation: () => Int32Array.of(0, 1, 2, 3) };
    for (let k = 0; k < draws; k++) {
      const key = edges(randomDag(4, 2, fixed)).join(" ");
      graphs.set(key, (graphs.get(key) ?? 0) + 1);
    }
    // Two of six pairs: 15 sets.
    expect(graphs.size).toBe(15);
    for (const count of graphs.values()) expect(Math.abs(count - draws / 15)).toBeLessThan(194);
  });

  test("the sampler writes the same DAG and its order into its row alone", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), fc.nat(40), (seed, agents, budget) => {
        const square = agents * agents;
        const out = {
          adjacency: new Uint8Array(3 * square).fill(9),
          order: new Int32Array(3 * agents).fill(-9),
        };
        const sample = randomDagSampler(agents, budget);
        sample(testRandom(seed + 1), 1, out);
        sample(testRandom(seed), 1, out);
        const dag = randomDag(agents, budget, testRandom(seed));
        expect(out.adjacency.subarray(square, 2 * square)).toEqual(adjacency(dag));
        const order = [...out.order.subarray(agents, 2 * agents)];
        expect([...order].sort()).toEqual(Array.from({ length: agents }, (_, i) => i));
        for (const [parent, child] of edges(dag)) {
          expect(order.indexOf(parent)).toBeLessThan(order.indexOf(child));
        }
        expect(out.adjacency.filter((entry) => entry === 9).length).toBe(2 * square);
        expect(out.order.filter((entry) => entry === -9).length).toBe(2 * agents);
      }),
    );
  });

  test("100,000 agents", () => {
    const dag = randomDag(100_000, 200_000, testRandom(5));
    expect(edgeCount(dag)).toBe(200_000);
  });

  test("rejects a budget that is no count", () => {
    expect(() => randomDag(3, -1, testRandom(0))).toThrow(InputError);
    expect(() => randomDagSampler(3, 0.5)).toThrow("random DAG: got budget 0.5");
  });
});

describe("bernoulliDag", () => {
  test("probability 0 is product and 1 is full", () => {
    for (const agents of [1, 2, 6]) {
      expect(bernoulliDag(agents, 0, testRandom(1))).toEqual(product(agents));
      expect(bernoulliDag(agents, 1, testRandom(1))).toEqual(full(agents));
    }
  });

  test("each edge is present with the probability, independently", () => {
    const random = testRandom(2);
    const draws = 20_000;
    const graphs = new Float64Array(8);
    for (let k = 0; k < draws; k++) {
      const matrix = adjacency(bernoulliDag(3, 0.3, random));
      graphs[4 * matrix[1] + 2 * matrix[2] + matrix[5]]++;
    }
    for (let key = 0; key < 8; key++) {
      const present = (key & 1) + ((key >> 1) & 1) + (key >> 2);
      const share = 0.3 ** present * 0.7 ** (3 - present);
      expect(Math.abs(graphs[key] / draws - share)).toBeLessThan(
        5 * Math.sqrt((share * (1 - share)) / draws),
      );
    }
  });

  test("the sampler writes the same DAG and the order 0..N-1 into its row alone", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 9 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seed, agents, probability) => {
          const square = agents * agents;
          const out = {
            adjacency: new Uint8Array(3 * square).fill(9),
            order: new Int32Array(3 * agents).fill(-9),
          };
          bernoulliDagSampler(agents, probability)(testRandom(seed), 1, out);
          const dag = bernoulliDag(agents, probability, testRandom(seed));
          expect(out.adjacency.subarray(square, 2 * square)).toEqual(adjacency(dag));
          expect([...out.order.subarray(agents, 2 * agents)]).toEqual(
            Array.from({ length: agents }, (_, i) => i),
          );
          expect(out.adjacency.filter((entry) => entry === 9).length).toBe(2 * square);
          expect(out.order.filter((entry) => entry === -9).length).toBe(2 * agents);
        },
      ),
    );
  });

  test("rejects what is no probability", () => {
    for (const bad of [-0.1, 1.1, Number.NaN]) {
      expect(() => bernoulliDag(3, bad, testRandom(0))).toThrow(InputError);
    }
    expect(() => bernoulliDagSampler(3, 2)).toThrow("Bernoulli DAG: got probability 2");
  });
});
