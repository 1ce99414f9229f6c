import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { constant, type Expr, evaluate, layoutOf, loadEngine, sizeOf, type Views } from "../tensor/index.ts";
import {
  type AttentionScore,
  attentionScores,
  type ImplicitGraphOptions,
  implicitGraph,
  implicitGraphActor,
  implicitGraphCritic,
} from "./implicit-graph.ts";

const engine = await loadEngine();

const [samples, agents, observationSize, width, actions] = [2, 4, 3, 5, 3];
const options: ImplicitGraphOptions = {
  agents,
  observationSize,
  agentId: false,
  encoderWidth: 6,
  width,
  layers: 2,
  score: "general",
};

type Named = Map<string, { readonly shape: readonly number[]; readonly values: Float64Array }>;

function drawn(seed: number, ...shape: number[]): Float64Array {
  const values = new Float64Array(sizeOf(shape));
  createRng(seed).fillNormal(values);
  return values;
}

/** Parameters drawn at random, in plain form and as a program reads them. */
function drawnParameters(module: { readonly parameters: Parameters<typeof layoutOf>[0] }) {
  const { parameters } = layoutOf(module.parameters);
  const named: Named = new Map(
    parameters.map(({ name, shape }, index) => [name, { shape, values: drawn(100 + index, ...shape) }]),
  );
  const views: Views = Object.fromEntries(
    [...named].map(([name, { shape, values }]) => [name, constant("float64", shape, values)]),
  );
  return { named, views };
}

const observations = drawn(1, samples, agents, observationSize);
const seen = (values: ArrayLike<number> = observations): Expr =>
  constant("float64", [samples, agents, observationSize], values);
const numbers = async (value: Expr): Promise<number[]> => [
  ...((await evaluate(engine, value)) as Float64Array),
];

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 10);
}

// ── The graph again, in plain loops, as the paper writes it ───────────────────────────────────────────────────────

function affine(named: Named, name: string, x: readonly number[]): number[] {
  const { shape, values } = named.get(`${name}/w`)!;
  const bias = named.get(`${name}/b`)?.values;
  expect(x).toHaveLength(shape[0]);
  return Array.from({ length: shape[1] }, (_, c) =>
    x.reduce((total, value, r) => total + value * values[r * shape[1] + c], bias?.[c] ?? 0),
  );
}

function mlp(named: Named, name: string, x: readonly number[]): number[] {
  let row = affine(named, `${name}/0`, x);
  for (let layer = 1; named.has(`${name}/${layer}/w`); layer++) {
    row = affine(named, `${name}/${layer}`, row.map(Math.tanh));
  }
  return row;
}

function plainGraph(named: Named, score: AttentionScore, rows: readonly number[][]) {
  const encoded = rows.map((row) => mlp(named, "graph/encoder", row).map(Math.tanh));
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((total, value, k) => total + value * y[k], 0);
  const scoreOf = (i: number, j: number): number => {
    if (score === "general") return dot(affine(named, "graph/attention", encoded[i]), encoded[j]);
    if (score === "dot") return dot(encoded[i], encoded[j]);
    if (score === "uniform") return 0;
    if (score === "identity") return i === j ? 0 : Number.NEGATIVE_INFINITY;
    const difference = encoded[i].map((value, k) => Math.abs(value - encoded[j][k]));
    return Math.tanh(affine(named, "graph/attention", difference)[0]);
  };
  const weights = rows.map((_, i) => {
    const scores = rows.map((_, j) => Math.exp(scoreOf(i, j)));
    const total = scores.reduce((a, b) => a + b);
    return scores.map((value) => value / total);
  });
  let embeddings = encoded;
  for (let layer = 0; layer < options.layers; layer++) {
    const { shape, values } = named.get(`graph/layer/${layer}/w`)!;
    const bias = named.get(`graph/layer/${layer}/b`)!.values;
    const previous = embeddings;
    embeddings = weights.map((row) =>
      Array.from({ length: width }, (_, c) => {
        let total = bias[c];
        for (const [j, weight] of row.entries()) {
          for (let r = 0; r < width; r++) total += weight * previous[j][r] * values[r * shape[1] + c];
        }
        return Math.tanh(total);
      }),
    );
  }
  return { weights, embeddings: embeddings.map((row, i) => row.map((value, k) => value + encoded[i][k])) };
}

const rowsOf = (s: number, agentId = false): number[][] =>
  Array.from({ length: agents }, (_, i) => [
    ...observations.subarray((s * agents + i) * observationSize, (s * agents + i + 1) * observationSize),
    ...(agentId ? Array.from({ length: agents }, (_, j) => (i === j ? 1 : 0)) : []),
  ]);

describe.each(attentionScores)("with the score %s", (score) => {
  const graph = implicitGraph("graph", { ...options, score });
  const { named, views } = drawnParameters(graph);

  test("weights and embeddings are those of plain loops", async () => {
    const plain = [0, 1].map((s) => plainGraph(named, score, rowsOf(s)));
    expectClose(
      await numbers(graph.weights(views, seen())),
      plain.flatMap(({ weights }) => weights.flat()),
    );
    expectClose(
      await numbers(graph.apply(views, seen())),
      plain.flatMap(({ embeddings }) => embeddings.flat()),
    );
  });

  test("every agent's attention adds up to 1", async () => {
    const weights = await numbers(graph.weights(views, seen()));
    expect(weights).toHaveLength(samples * agents * agents);
    for (let row = 0; row < samples * agents; row++) {
      const total = weights.slice(row * agents, (row + 1) * agents).reduce((a, b) => a + b);
      expect(total).toBeCloseTo(1, 12);
    }
  });

  test("who an agent is does not matter", async () => {
    const order = [2, 0, 3, 1];
    const permuted = new Float64Array(observations.length);
    const place = (s: number, i: number) => (s * agents + i) * observationSize;
    for (let s = 0; s < samples; s++) {
      for (const [to, from] of order.entries()) {
        const row = observations.subarray(place(s, from), place(s, from) + observationSize);
        permuted.set(row, place(s, to));
      }
    }
    const before = await numbers(graph.apply(views, seen()));
    const after = await numbers(graph.apply(views, seen(permuted)));
    for (let s = 0; s < samples; s++) {
      for (const [to, from] of order.entries()) {
        const at = (i: number) => (s * agents + i) * width;
        expectClose(after.slice(at(to), at(to) + width), before.slice(at(from), at(from) + width));
      }
    }
  });

  test(score === "identity" ? "nobody heeds others" : "others matter", async () => {
    const changed = observations.slice();
    changed[observationSize] += 1; // agent 1 of the first sample
    const before = await numbers(graph.apply(views, seen()));
    const after = await numbers(graph.apply(views, seen(changed)));
    const same = before.slice(0, width).every((value, k) => value === after[k]);
    expect(same).toBe(score === "identity");
    expect(after.slice(agents * width)).toEqual(before.slice(agents * width));
  });
});

test("agents that are told who they are read it beside their observation", async () => {
  const graph = implicitGraph("graph", { ...options, agentId: true });
  const { named, views } = drawnParameters(graph);
  const plain = [0, 1].flatMap((s) => plainGraph(named, "general", rowsOf(s, true)).embeddings.flat());
  expectClose(await numbers(graph.apply(views, seen())), plain);
});

describe("an actor", () => {
  const heads = { actions, headWidths: [7, 4] };

  test.each([true, false])("scores actions: communicates=%s", async (communicates) => {
    const actor = implicitGraphActor("actor", { ...options, ...heads, communicates });
    const { named, views } = drawnParameters(actor);
    const graphNamed: Named = new Map(
      [...named].map(([name, value]) => [name.replace("actor/graph", "graph"), value]),
    );
    const expected = [0, 1].flatMap((s) => {
      const inputs = communicates ? plainGraph(graphNamed, "general", rowsOf(s)).embeddings : rowsOf(s);
      return inputs.flatMap((row) => mlp(named, "actor/head", row));
    });
    expectClose(await numbers(actor.apply(views, seen())), expected);
  });

  test.each([true, false])("that does not communicate reads one observation: agentId=%s", async (agentId) => {
    for (const communicates of [true, false]) {
      const actor = implicitGraphActor("actor", { ...options, ...heads, agentId, communicates });
      const { views } = drawnParameters(actor);
      const before = await numbers(actor.apply(views, seen()));
      const changed = observations.map((value, k) => (k < observationSize ? value : value + 1));
      const after = await numbers(actor.apply(views, seen(changed)));
      const same = before.slice(0, actions).every((value, k) => value === after[k]);
      expect(same).toBe(!communicates);
    }
  });
});

test.each(["sum", "direct"] as const)("a critic values embeddings: %s", async (aggregation) => {
  const critic = implicitGraphCritic("critic", { ...options, criticWidths: [6], aggregation });
  const { named, views } = drawnParameters(critic);
  const graphNamed: Named = new Map(
    [...named].map(([name, value]) => [name.replace("critic/graph", "graph"), value]),
  );
  const expected = [0, 1].map((s) => {
    const { embeddings } = plainGraph(graphNamed, "general", rowsOf(s));
    const valued = aggregation === "sum" ? embeddings : [embeddings.flat()];
    return valued.reduce((total, row) => total + mlp(named, "critic/head", row)[0], 0);
  });
  expectClose(await numbers(critic.apply(views, seen())), expected);
});

test("parameters begin as the published code's", () => {
  const critic = implicitGraphCritic("critic", {
    ...options,
    width: 64,
    criticWidths: [64],
    aggregation: "sum",
  });
  const range = (suffix: string) => {
    const { shape, initialise } = critic.parameters.find(({ name }) => name.endsWith(suffix))!;
    return Math.max(...initialise(shape, createRng(0)).map(Math.abs));
  };
  const glorot = (inputs: number, outputs: number) => Math.sqrt(6 / (inputs + outputs));
  const within = (value: number, limit: number) => {
    expect(value).toBeLessThanOrEqual(limit);
    expect(value).toBeGreaterThan(0.8 * limit);
  };
  within(range("encoder/0/w"), glorot(observationSize, 6));
  within(range("head/0/w"), glorot(64, 64));
  expect(range("encoder/0/b")).toBe(0);
  for (const suffix of ["attention/w", "layer/0/w", "layer/1/w", "layer/1/b"]) within(range(suffix), 1 / 8);
});
