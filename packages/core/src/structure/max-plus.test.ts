import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  type CoordinationGraph,
  coordinationGraph,
  exactMaximum,
  type GraphValues,
  type JointMaximiser,
  maxPlus,
  parseCoordinationGraph,
} from "./index.ts";

/** Uniform in [-1, 1), from a Weyl sequence through a multiply-and-shift mixer. */
function testNumbers(seed: number) {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
}

function randomValues(graph: CoordinationGraph, actions: number, samples: number, seed: number): GraphValues {
  const number = testNumbers(seed);
  const draw = (size: number) => Float32Array.from({ length: samples * size }, number);
  return {
    utilities: draw(graph.agents * actions),
    payoffs: draw(graph.first.length * actions * actions),
  };
}

/** Availability in which every agent keeps at least one action. */
function randomMask(agents: number, actions: number, samples: number, seed: number): Uint8Array {
  const number = testNumbers(seed + 77);
  const mask = new Uint8Array(samples * agents * actions);
  for (let i = 0; i < samples * agents; i++) {
    for (let x = 0; x < actions; x++) mask[i * actions + x] = number() > 0 ? 1 : 0;
    mask[i * actions + Math.floor(((number() + 1) / 2) * actions)] = 1;
  }
  return mask;
}

/** The value of a joint action, by its definition. */
function jointValue(
  graph: CoordinationGraph,
  actions: number,
  values: GraphValues,
  b: number,
  joint: ArrayLike<number>,
) {
  const edges = graph.first.length;
  let utility = 0;
  for (let i = 0; i < graph.agents; i++) {
    utility += values.utilities[(b * graph.agents + i) * actions + joint[i]];
  }
  let payoff = 0;
  for (let e = 0; e < edges; e++) {
    const row = (b * edges + e) * actions + joint[graph.first[e]];
    payoff += values.payoffs[row * actions + joint[graph.second[e]]];
  }
  return utility / graph.agents + (edges === 0 ? 0 : payoff / edges);
}

/** The largest value over all available joint actions, one after the other. */
function largestValue(graph: CoordinationGraph, actions: number, values: GraphValues, b: number): number {
  const { agents } = graph;
  let best = -Infinity;
  for (let index = 0; index < actions ** agents; index++) {
    const joint = Array.from({ length: agents }, (_, i) => Math.floor(index / actions ** i) % actions);
    const allowed = joint.every((x, i) => values.available?.[(b * agents + i) * actions + x] !== 0);
    if (allowed) best = Math.max(best, jointValue(graph, actions, values, b, joint));
  }
  return best;
}

function run(maximise: JointMaximiser, agents: number, values: GraphValues, samples: number): number[][] {
  const out = new Int32Array(samples * agents);
  maximise(values, samples, out);
  return Array.from({ length: samples }, (_, b) => [...out.subarray(b * agents, (b + 1) * agents)]);
}

/** Max-plus of one sample from nested lists, in the words of the paper, messages between every two agents. */
function slowMaxPlus(
  graph: CoordinationGraph,
  actions: number,
  values: GraphValues,
  b: number,
  { iterations = 8, anytime = true },
): number[] {
  const { agents } = graph;
  const each = Array.from({ length: actions }, (_, x) => x);
  const utility = Array.from({ length: agents }, (_, i) =>
    each.map((x) => {
      const k = (b * agents + i) * actions + x;
      return values.available?.[k] === 0 ? -Infinity : values.utilities[k] / agents;
    }),
  );
  const payoff = new Map<string, number[][]>();
  const edges = graph.first.length;
  for (let e = 0; e < edges; e++) {
    const f = (x: number, y: number) => values.payoffs[((b * edges + e) * actions + x) * actions + y] / edges;
    const [i, j] = [graph.first[e], graph.second[e]];
    payoff.set(
      `${i} ${j}`,
      each.map((x) => each.map((y) => f(x, y))),
    );
    payoff.set(
      `${j} ${i}`,
      each.map((y) => each.map((x) => f(x, y))),
    );
  }
  let messages = new Map([...payoff.keys()].map((key) => [key, each.map(() => 0)]));
  const total = (i: number) =>
    each.map((x) => {
      let sum = utility[i][x];
      for (const [key, message] of messages) if (key.endsWith(` ${i}`)) sum += message[x];
      return sum;
    });
  const greedy = () =>
    Array.from({ length: agents }, (_, i) => {
      const sums = total(i);
      // Ties, which are common on cycles, up to rounding.
      return sums.findIndex((sum) => sum > Math.max(...sums) - 1e-13);
    });
  let best = greedy();
  let most = -Infinity;
  for (let t = 0; t < iterations && edges > 0; t++) {
    const next = new Map<string, number[]>();
    for (const [key, table] of payoff) {
      const [i, j] = key.split(" ");
      const sums = total(Number(i));
      const answer = messages.get(`${j} ${i}`)!;
      const message = each.map((y) => Math.max(...each.map((x) => sums[x] - answer[x] + table[x][y])));
      const mean = message.reduce((a, c) => a + c, 0) / actions;
      next.set(
        key,
        message.map((m) => m - mean),
      );
    }
    messages = next;
    const joint = greedy();
    const value = jointValue(graph, actions, values, b, joint);
    if (!anytime || value > most) best = joint;
    most = Math.max(most, value);
  }
  return best;
}

describe("maxPlus", () => {
  const trees = fc
    .tuple(fc.constantFrom("line", "star", "random"), fc.integer({ min: 2, max: 6 }), fc.nat())
    .map(([shape, agents, seed]) => {
      if (shape !== "random") return parseCoordinationGraph(shape, agents);
      const number = testNumbers(seed);
      const parent = (i: number) => Math.floor(((number() + 1) / 2) * i);
      return coordinationGraph(
        agents,
        Array.from({ length: agents - 1 }, (_, k): [number, number] => [k + 1, parent(k + 1)]),
      );
    });

  test("finds the best joint action on trees, with and without masks", () => {
    fc.assert(
      fc.property(
        trees,
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        fc.boolean(),
        (graph, actions, seed, masked) => {
          const samples = 3;
          const available = masked ? randomMask(graph.agents, actions, samples, seed) : undefined;
          const values = { ...randomValues(graph, actions, samples, seed), available };
          for (const options of [{}, { anytime: false }]) {
            run(maxPlus(graph, actions, options), graph.agents, values, samples).forEach((joint, b) => {
              const found = jointValue(graph, actions, values, b, joint);
              expect(found).toBeCloseTo(largestValue(graph, actions, values, b), 12);
            });
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test("does on graphs with cycles what the messages of the paper do", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("full", "cycle", "random(4)", "vdn"),
        fc.integer({ min: 4, max: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.record({ iterations: fc.nat(9), anytime: fc.boolean() }),
        fc.nat(),
        fc.boolean(),
        (shape, agents, actions, options, seed, masked) => {
          const number = testNumbers(seed);
          const integer = (n: number) => Math.floor(((number() + 1) / 2) * n);
          const graph = parseCoordinationGraph(shape, agents, { integer });
          const samples = 4;
          const available = masked ? randomMask(agents, actions, samples, seed) : undefined;
          const values = { ...randomValues(graph, actions, samples, seed), available };
          const joints = run(maxPlus(graph, actions, options), agents, values, samples);
          const slow = joints.map((_, b) => slowMaxPlus(graph, actions, values, b, options));
          expect(joints).toEqual(slow);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("a masked action is never taken, however good, and its payoffs count for nothing", () => {
    const graph = parseCoordinationGraph("full", 3);
    for (const actions of [2, 3]) {
      const values = {
        utilities: new Float32Array(3 * actions).fill(0),
        payoffs: new Float32Array(3 * actions * actions).fill(0),
        available: new Uint8Array(3 * actions).fill(1),
      };
      // Agent 0 would take action 0, and 0-0 between agents 0 and 1 pays 100, but agent 0 has not got it.
      values.utilities[0] = 100;
      values.payoffs[0] = 100;
      values.payoffs[actions + 1] = 1;
      values.available[0] = 0;
      for (const make of [maxPlus, exactMaximum]) {
        expect(run(make(graph, actions), 3, values, 1)).toEqual([[1, 1, 0]]);
      }
    }
  });

  test("takes (0, 0) where the utilities alone say (1, 1)", () => {
    // AGP, Theorem 3.2: Q_1 = Q_2 = (0, 1), Q_12 = ((3, -2), (-2, 0)). Means of two agents and of one edge.
    const values = { utilities: Float32Array.of(0, 2, 0, 2), payoffs: Float32Array.of(3, -2, -2, 0) };
    const edge = parseCoordinationGraph("line", 2);
    expect(run(maxPlus(edge, 2), 2, values, 1)).toEqual([[0, 0]]);
    expect(jointValue(edge, 2, values, 0, [0, 0])).toBe(3);
    expect(run(exactMaximum(edge, 2), 2, values, 1)).toEqual([[0, 0]]);
    for (const greedy of [
      maxPlus(edge, 2, { iterations: 0 }),
      maxPlus(parseCoordinationGraph("vdn", 2), 2),
    ]) {
      expect(run(greedy, 2, values, 1)).toEqual([[1, 1]]);
    }
  });

  test("equal actions: the lowest, also when none is worth anything or a number", () => {
    const graph = parseCoordinationGraph("full", 4);
    for (const actions of [2, 3]) {
      for (const value of [0, -5, Number.NaN]) {
        const values = {
          utilities: new Float32Array(4 * actions).fill(value),
          payoffs: new Float32Array(6 * actions * actions).fill(value),
          available: new Uint8Array(4 * actions).fill(1),
        };
        values.available[2 * actions] = 0;
        for (const make of [maxPlus, exactMaximum]) {
          expect(run(make(graph, actions), 4, values, 1)).toEqual([[0, 0, 1, 0]]);
        }
      }
    }
  });

  test("a batch is its samples, and only as many as asked for are written", () => {
    const graph = parseCoordinationGraph("cycle", 5);
    const values = randomValues(graph, 3, 4, 1);
    const maximise = maxPlus(graph, 3);
    const out = new Int32Array(20).fill(-1);
    maximise(values, 3, out);
    for (let b = 0; b < 3; b++) {
      const alone = {
        utilities: values.utilities.subarray(b * 15, (b + 1) * 15),
        payoffs: values.payoffs.subarray(b * 45, (b + 1) * 45),
      };
      expect(run(maximise, 5, alone, 1)[0]).toEqual([...out.subarray(b * 5, (b + 1) * 5)]);
    }
    expect([...out.subarray(15)]).toEqual([-1, -1, -1, -1, -1]);
  });

  test("refuses what cannot be", () => {
    const graph = parseCoordinationGraph("line", 3);
    const values = randomValues(graph, 2, 1, 1);
    expect(() => maxPlus(graph, 0)).toThrow(
      new InputError("coordination graph: got 0 actions, expected a positive integer"),
    );
    expect(() => maxPlus(graph, 2, { iterations: 1.5 })).toThrow(InputError);
    expect(() => run(maxPlus(graph, 2), 3, values, 2)).toThrow(
      "utilities has 6 entries, expected at least 2 x 6",
    );
    const available = Uint8Array.of(1, 1, 0, 0, 1, 1);
    expect(() => run(maxPlus(graph, 2), 3, { ...values, available }, 1)).toThrow(
      new RangeError("sample 0: agent 1 has no available action"),
    );
  });
});

describe("exactMaximum", () => {
  test("is the largest value, at the earliest joint action", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("full", "cycle", "star", "vdn"),
        fc.integer({ min: 3, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        fc.boolean(),
        (shape, agents, actions, seed, masked) => {
          const graph = parseCoordinationGraph(shape, agents);
          const available = masked ? randomMask(agents, actions, 2, seed) : undefined;
          const values = { ...randomValues(graph, actions, 2, seed), available };
          run(exactMaximum(graph, actions), agents, values, 2).forEach((joint, b) => {
            const found = jointValue(graph, actions, values, b, joint);
            expect(found).toBeCloseTo(largestValue(graph, actions, values, b), 12);
            expect(joint.every((x, i) => available?.[(b * agents + i) * actions + x] !== 0)).toBe(true);
          });
        },
      ),
    );
    const pair = parseCoordinationGraph("line", 2);
    const matching = { utilities: new Float32Array(6), payoffs: Float32Array.of(0, 0, 1, 0, 1, 0, 1, 0, 0) };
    expect(run(exactMaximum(pair, 3), 2, matching, 1)).toEqual([[0, 2]]);
  });

  test("names its limit", () => {
    expect(() => exactMaximum(parseCoordinationGraph("line", 20), 5)).toThrow(
      new InputError(
        "exact maximum: 20 agents with 5 actions have 5^20 joint actions, expected at most 1048576; use max-plus",
      ),
    );
    expect(() => exactMaximum(parseCoordinationGraph("line", 20), 2)).not.toThrow();
  });
});
