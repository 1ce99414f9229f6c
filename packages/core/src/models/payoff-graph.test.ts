import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { type CoordinationGraph, coordinationGraph, parseCoordinationGraph } from "../structure/index.ts";
import {
  constant,
  type Expr,
  evaluate,
  gradients,
  layoutOf,
  loadEngine,
  mul,
  sizeOf,
  sum,
  type Views,
} from "../tensor/index.ts";
import { jointValue, type PayoffGraphOptions, payoffGraph } from "./payoff-graph.ts";

const engine = await loadEngine();

const [samples, agents, width, actions] = [2, 4, 3, 3];
const linear: PayoffGraphOptions = { actions, width, hidden: [] };
const variants: readonly PayoffGraphOptions[] = [
  linear,
  { ...linear, hidden: [5] },
  { ...linear, hidden: [5, 4] },
  { ...linear, rank: 1 },
  { ...linear, rank: 2, hidden: [5] },
];
const someEdges = coordinationGraph(agents, [
  [0, 1],
  [3, 1],
  [2, 0],
]);

/** Random numbers as a float64 constant and in plain form. */
function drawn(seed: number, ...shape: number[]): { readonly expr: Expr; readonly values: Float64Array } {
  const values = new Float64Array(sizeOf(shape));
  createRng(seed).fillNormal(values);
  return { expr: constant("float64", shape, values), values };
}

function drawnGraph(graph: CoordinationGraph, options: PayoffGraphOptions) {
  const network = payoffGraph("graph", graph, options);
  const { parameters } = layoutOf(network.parameters);
  const named = new Map(parameters.map(({ name, shape }, index) => [name, drawn(100 + index, ...shape)]));
  const views: Views = Object.fromEntries([...named].map(([name, { expr }]) => [name, expr]));
  return { network, named, views };
}

const numbers = async (value: Expr): Promise<number[]> => [
  ...((await evaluate(engine, value)) as Float64Array),
];

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 10);
}

/** A multilayer perceptron with ReLU on one row, `name/0`, `name/1`, ... */
function plainMlp(
  named: Map<string, { values: Float64Array }>,
  name: string,
  x: readonly number[],
): number[] {
  let row = [...x];
  for (let layer = 0; named.has(`${name}/${layer}/w`); layer++) {
    const weights = named.get(`${name}/${layer}/w`)!.values;
    const biases = named.get(`${name}/${layer}/b`)!.values;
    if (layer > 0) row = row.map((value) => Math.max(0, value));
    expect(weights).toHaveLength(row.length * biases.length);
    row = Array.from(biases, (bias, c) =>
      row.reduce((total, value, r) => total + value * weights[r * biases.length + c], bias),
    );
  }
  return row;
}

/** What the payoff network says of two agents in this order, as a matrix `[A, A]`: rows are actions of the first. */
function plainPayoff(
  named: Map<string, { values: Float64Array }>,
  { rank }: PayoffGraphOptions,
  one: readonly number[],
  other: readonly number[],
): number[][] {
  const out = plainMlp(named, "graph/payoff", [...one, ...other]);
  const entry = (a: number, b: number): number => {
    if (rank === undefined) return out[a * actions + b];
    let total = 0;
    for (let r = 0; r < rank; r++) total += out[2 * r * actions + a] * out[(2 * r + 1) * actions + b];
    return total;
  };
  return Array.from({ length: actions }, (_, a) => Array.from({ length: actions }, (_, b) => entry(a, b)));
}

describe.each(variants)("with %o", (options) => {
  const { network, named, views } = drawnGraph(someEdges, options);
  const features = drawn(1, samples, agents, width);
  const featuresOf = (s: number, i: number): number[] => [
    ...features.values.subarray((s * agents + i) * width, (s * agents + i + 1) * width),
  ];

  test("utilities are those of each agent's features", async () => {
    const expected: number[] = [];
    for (let s = 0; s < samples; s++) {
      for (let i = 0; i < agents; i++) expected.push(...plainMlp(named, "graph/utility", featuresOf(s, i)));
    }
    expectClose(await numbers(network.utilities(views, features.expr)), expected);
  });

  test("payoffs are the mean of both directions, each from the features side by side", async () => {
    const expected: number[] = [];
    for (let s = 0; s < samples; s++) {
      for (const [e, i] of someEdges.first.entries()) {
        const [one, other] = [featuresOf(s, i), featuresOf(s, someEdges.second[e])];
        const forth = plainPayoff(named, options, one, other);
        const back = plainPayoff(named, options, other, one);
        for (let a = 0; a < actions; a++) {
          for (let b = 0; b < actions; b++) expected.push((forth[a][b] + back[b][a]) / 2);
        }
      }
    }
    expectClose(await numbers(network.payoffs(views, features.expr)), expected);
  });

  test("agents that change places see each other's payoffs", async () => {
    const pair = coordinationGraph(2, [[0, 1]]);
    const { network, views } = drawnGraph(pair, options);
    const [one, other] = [drawn(2, 1, 1, width).values, drawn(3, 1, 1, width).values];
    const payoffs = (first: Float64Array, second: Float64Array) =>
      numbers(network.payoffs(views, constant("float64", [1, 2, width], [...first, ...second])));
    const found = await payoffs(one, other);
    const swapped = await payoffs(other, one);
    for (let a = 0; a < actions; a++) {
      for (let b = 0; b < actions; b++) {
        expect(swapped[b * actions + a]).toBeCloseTo(found[a * actions + b], 12);
      }
    }
    expect(Math.abs(found[1] - found[actions])).toBeGreaterThan(1e-3);
  });

  test("the value's gradient is what finite differences say", async () => {
    const played = constant("int32", [samples, agents], [0, 2, 1, 1, 2, 2, 0, 1]);
    const value = (given: Views, seen: Expr): Expr =>
      jointValue(someEdges, network.utilities(given, seen), network.payoffs(given, seen), played);
    const weights = constant("float64", [samples], [1, -2]);
    const loss = (given: Views, seen: Expr): Expr => sum(mul(value(given, seen), weights));
    const [name] = [...named.keys()].slice(-2);
    const { expr, values } = named.get(name)!;
    const [forWeights, forFeatures] = gradients(loss(views, features.expr), [expr, features.expr]);
    const step = 1e-6;
    const differenceAt = async (of: Float64Array, k: number, at: (moved: Float64Array) => Expr) => {
      const moved = (by: number) => of.map((x, index) => (index === k ? x + by : x));
      return ((await numbers(at(moved(step))))[0] - (await numbers(at(moved(-step))))[0]) / (2 * step);
    };
    const symbolic = [await numbers(forWeights), await numbers(forFeatures)];
    for (const k of [0, values.length - 1]) {
      const at = (moved: Float64Array) =>
        loss({ ...views, [name]: constant("float64", expr.shape, moved) }, features.expr);
      expect(symbolic[0][k]).toBeCloseTo(await differenceAt(values, k, at), 6);
    }
    for (const k of [0, 7, features.values.length - 1]) {
      const at = (moved: Float64Array) => loss(views, constant("float64", features.expr.shape, moved));
      expect(symbolic[1][k]).toBeCloseTo(await differenceAt(features.values, k, at), 6);
    }
  });
});

test("a value is the mean of utilities plus the mean of payoffs", async () => {
  const graph = parseCoordinationGraph("line", 3);
  // Utilities of actions 0 and 1; payoffs of edges 0-1 and 1-2.
  const utilities = constant("float64", [1, 3, 2], [1, 2, 10, 20, 100, 200]);
  const payoffs = constant("float64", [1, 2, 2, 2], [0.1, 0.2, 0.3, 0.4, 1000, 2000, 3000, 4000]);
  const at = async (...joint: number[]) =>
    (await numbers(jointValue(graph, utilities, payoffs, constant("int32", [1, 3], joint))))[0];
  expect(await at(0, 0, 0)).toBeCloseTo((1 + 10 + 100) / 3 + (0.1 + 1000) / 2, 12);
  expect(await at(1, 0, 1)).toBeCloseTo((2 + 10 + 200) / 3 + (0.3 + 2000) / 2, 12);
  expect(await at(0, 1, 0)).toBeCloseTo((1 + 20 + 100) / 3 + (0.2 + 3000) / 2, 12);
});

test("without edges there are no payoffs to learn", async () => {
  const graph = parseCoordinationGraph("vdn", agents);
  const network = payoffGraph("graph", graph, linear);
  expect(network.parameters.map(({ name }) => name)).toEqual(["graph/utility/0/w", "graph/utility/0/b"]);
  const utilities = drawn(1, 1, agents, actions);
  const value = jointValue(graph, utilities.expr, undefined, constant("int32", [1, agents], [0, 1, 2, 0]));
  const [a, b, c, d] = [0, 1, 2, 0].map((action, i) => utilities.values[i * actions + action]);
  expect((await numbers(value))[0]).toBeCloseTo((a + b + c + d) / agents, 12);
});

test("the parameters are those of one network for all pairs", () => {
  const shapes = ({ rank, hidden }: Partial<PayoffGraphOptions>) =>
    payoffGraph("graph", someEdges, { ...linear, hidden: hidden ?? [], rank }).parameters.map(
      ({ shape }) => shape,
    );
  expect(shapes({})).toEqual([[3, 3], [3], [6, 9], [9]]);
  expect(shapes({ rank: 2 })).toEqual([[3, 3], [3], [6, 12], [12]]);
  expect(shapes({ hidden: [5] })).toEqual([[3, 5], [5], [5, 3], [3], [6, 5], [5], [5, 9], [9]]);
});
