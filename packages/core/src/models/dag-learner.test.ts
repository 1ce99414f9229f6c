import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { assignmentSolver, topologicalOrderOf } from "../structure/index.ts";
import {
  compile,
  constant,
  type Expr,
  gradients,
  initialise,
  input,
  type Layout,
  layoutOf,
  loadEngine,
  mul,
  sum,
  unpack,
  variable,
} from "../tensor/index.ts";
import {
  type DagChoices,
  dagChoices,
  dagChooser,
  type LearnedDagSource,
  learnedDagSource,
  writeChosenDags,
} from "./dag-chooser.ts";
import { type DagLearnerOptions, dagLearner, sinkhorn } from "./dag-learner.ts";
import { dagNoise } from "./dag-noise.ts";
import { type DagBatch, meanDensity } from "./dag-source.ts";

const engine = await loadEngine();

const small: DagLearnerOptions = {
  agents: 3,
  observationSize: 2,
  sharedObservation: false,
  hidden: 5,
  dagOrder: "learned",
  edgeNetwork: "mlp",
  edgeIndexing: "agent",
};

/** Sinkhorn as it is written: logarithms throughout, one matrix, float64. */
function plainSinkhorn(scores: ArrayLike<number>, size: number, iterations = 20): Float64Array {
  const logs = Float64Array.from(scores);
  const normalise = (places: readonly number[]): void => {
    const highest = Math.max(...places.map((k) => logs[k]));
    const total = highest + Math.log(places.reduce((sum, k) => sum + Math.exp(logs[k] - highest), 0));
    for (const k of places) logs[k] -= total;
  };
  const line = Array.from({ length: size }, (_, k) => k);
  for (let k = 0; k < iterations; k++) {
    for (const r of line) normalise(line.map((c) => r * size + c));
    for (const c of line) normalise(line.map((r) => r * size + c));
  }
  return logs.map(Math.exp);
}

async function softPermutations(
  scores: ArrayLike<number>,
  size: number,
  dtype: "float32" | "float64" = "float64",
): Promise<Float64Array> {
  const samples = scores.length / size ** 2;
  const program = await compile(engine, {
    name: "sinkhorn",
    inputs: { scores: { dtype, shape: [samples, size, size] } },
    build: (leaves) => ({ results: { soft: sinkhorn(leaves.scores) } }),
  });
  (program.inputs.scores as Float64Array).set(scores);
  await program.run();
  await program.dispose();
  return Float64Array.from(program.results.soft as Float64Array);
}

describe("Sinkhorn", () => {
  test("equals the plain one in logarithms, also far from balance and in float32", async () => {
    for (const size of [1, 2, 5]) {
      const rng = createRng(size);
      const scores = new Float64Array(6 * size * size);
      rng.fillNormal(scores);
      // Spreads of 1, 4, 16, ... 1024.
      for (let k = 0; k < scores.length; k++)
        scores[k] = Math.fround(scores[k] * 4 ** Math.floor(k / size ** 2));
      const expected = [0, 1, 2, 3, 4, 5].flatMap((r) => [
        ...plainSinkhorn(scores.subarray(r * size ** 2, (r + 1) * size ** 2), size),
      ]);
      const exact = await softPermutations(scores, size);
      const single = await softPermutations(scores, size, "float32");
      for (const [k, value] of expected.entries()) {
        expect(exact[k]).toBeCloseTo(value, 12);
        expect(single[k]).toBeCloseTo(value, 4);
      }
    }
  });

  test("gives a dominant permutation back, also where rows want the same column", async () => {
    const permutation = [2, 0, 3, 1];
    const scores = Float64Array.from({ length: 16 }, (_, k) =>
      permutation[Math.floor(k / 4)] === k % 4 ? 400 : 0,
    );
    const soft = await softPermutations(scores, 4, "float32");
    for (const [k, value] of soft.entries()) {
      expect(value).toBeCloseTo(permutation[Math.floor(k / 4)] === k % 4 ? 1 : 0, 6);
    }
    const contested = await softPermutations([300, 0, 300, 280], 2, "float32");
    expect([...contested].map(Math.round)).toEqual([1, 0, 0, 1]);
  });
});

/** Whether some order of the agents has all of their edges point forward; edges may all be turned round. */
function isAcyclic(agents: number, edges: Float32Array): boolean {
  try {
    topologicalOrderOf(edges, 0, agents, new Int32Array(agents), 0);
    return true;
  } catch {
    return false;
  }
}

/** A chooser that also writes the DAGs. */
function writingChooser(source: LearnedDagSource, samples: number) {
  const chooser = dagChooser(engine, "test", source, samples);
  return {
    async choose(observations: Float32Array, choices: DagChoices, dags: DagBatch): Promise<void> {
      await chooser.choose(observations, choices);
      writeChosenDags(source.learner.options, choices, dags);
    },
    dispose: chooser.dispose,
  };
}

/** A learner with random parameters, its program and the choices that follow from the noise. */
function randomLearner(options: DagLearnerOptions, deviation = 1, seed = 0) {
  const learner = dagLearner("dag", options);
  const layout = layoutOf(learner.parameters);
  const values = initialise(layout, createRng(seed));
  const vector = variable(
    "dag",
    "float32",
    [layout.size],
    values.map((value) => value * deviation),
  );
  return { learner, layout, vector, source: learnedDagSource(learner, { layout, vector }) };
}

describe("chosen DAGs", () => {
  const variants = [
    {},
    { edgeIndexing: "rank" },
    { dagOrder: "identity" },
    { dagOrder: "identity", edgeIndexing: "rank" },
    { sharedObservation: true, edgeNetwork: "deep-set" },
    { sharedObservation: true, edgeNetwork: "deep-set-without-identity" },
    { edgeNetwork: "deep-set" },
  ] as const;

  test.each(variants)("are acyclic and in order for 10,000 random logits and noises: %o", async (variant) => {
    const samples = 1430;
    const options = { ...small, agents: 6, ...variant };
    const rng = createRng("acyclic");
    for (const deviation of [0.1, 1, 30, 0, 3, 100, 1]) {
      const { source } = randomLearner(options, deviation, Math.round(10 * deviation));
      const { choose, dispose } = writingChooser(source, samples);
      const observations = new Float32Array(samples * 6 * 2);
      rng.fillNormal(observations);
      const choices = dagChoices(samples, 6);
      const dags = { parents: new Float32Array(samples * 36), order: new Int32Array(samples * 6) };
      dagNoise(6, choices.order.length / 6)(choices, rng);
      await choose(observations, choices, dags);
      let wrong = 0;
      for (let r = 0; r < samples; r++) {
        const matrix = dags.parents.subarray(r * 36, (r + 1) * 36);
        const order = dags.order.subarray(r * 6, (r + 1) * 6);
        for (let i = 0; i < 6; i++) {
          for (let j = 0; j < 6; j++) {
            const entry = matrix[i * 6 + j];
            if (entry !== 0 && (entry !== 1 || order.indexOf(j) >= order.indexOf(i))) wrong++;
          }
        }
        if (!isAcyclic(6, matrix)) wrong++;
      }
      expect(wrong).toBe(0);
      if (options.dagOrder === "identity") expect([...dags.order.subarray(0, 6)]).toEqual([0, 1, 2, 3, 4, 5]);
      await dispose();
    }
  });

  test("have half of all edges at first", async () => {
    const samples = 4000;
    for (const variant of variants) {
      const { source } = randomLearner({ ...small, agents: 4, hidden: 64, ...variant });
      const { choose, dispose } = writingChooser(source, samples);
      const observations = new Float32Array(samples * 8);
      const rng = createRng(3);
      rng.fillNormal(observations);
      const choices = dagChoices(samples, 4);
      const dags = { parents: new Float32Array(samples * 16), order: new Int32Array(samples * 4) };
      dagNoise(4, choices.order.length / 4)(choices, rng);
      await choose(observations, choices, dags);
      expect(Math.abs(meanDensity(dags.parents, samples, 4) - 0.5)).toBeLessThan(0.05);
      await dispose();
    }
  });

  test("follow the best assignment under the noise, the likelier class and, without noise, the logits", async () => {
    const { learner, layout, vector, source } = randomLearner(small, 3);
    const samples = 40;
    const rng = createRng(5);
    const { choose, dispose } = writingChooser(source, samples);
    const observations = new Float32Array(samples * 6);
    rng.fillNormal(observations);
    const choices = dagChoices(samples, 3);
    const dags = { parents: new Float32Array(samples * 9), order: new Int32Array(samples * 3) };
    const logits = await plainLogits(learner.inputSize, layout, vector.values as Float32Array, observations);
    for (const noise of [rng, undefined]) {
      dagNoise(3, choices.order.length / 3)(choices, noise);
      await choose(observations, choices, dags);
      const order = new Int32Array(samples * 3);
      const scores = Float32Array.from(
        logits.order,
        (x, k) => -Math.log1p(Math.exp(-x)) + choices.orderNoise[k],
      );
      const solve = assignmentSolver(3);
      for (let r = 0; r < samples; r++) solve(scores, r, order);
      expect(dags.order).toEqual(order);
      for (let r = 0; r < samples; r++) {
        for (let j = 0; j < 3; j++) {
          for (let i = 0; i < 3; i++) {
            const k = r * 9 + j * 3 + i;
            const wished = logits.edges[k] + choices.edgeNoise[k] > 0;
            const own = order.subarray(r * 3, r * 3 + 3);
            const expected = wished && own.indexOf(j) < own.indexOf(i) ? 1 : 0;
            expect(dags.parents[r * 9 + i * 3 + j]).toBe(expected);
          }
        }
      }
    }
    await dispose();
  });

  test("begin a new search where the last one ended without changing its result", async () => {
    const { source } = randomLearner({ ...small, agents: 5 }, 2);
    const { choose, dispose } = writingChooser(source, 50);
    const rng = createRng(8);
    const observations = new Float32Array(50 * 10);
    const choices = dagChoices(50, 5);
    const dags = { parents: new Float32Array(50 * 25), order: new Int32Array(50 * 5) };
    dagNoise(5, choices.order.length / 5)(choices, rng);
    await choose(observations, choices, dags);
    const first = dags.parents.slice();
    for (let k = 0; k < observations.length; k++) observations[k] = 0.1 * rng.normal();
    await choose(observations, choices, dags);
    const warm = dags.parents.slice();
    choices.prices.fill(0);
    await choose(observations, choices, dags);
    expect(dags.parents).toEqual(warm);
    expect(warm).not.toEqual(first);
    await dispose();
  });
});

/** The two perceptrons in plain loops: logits of ranks and of edges' presence less absence, `[R, N, N]` each. */
async function plainLogits(inputs: number, layout: Layout, values: Float32Array, observations: Float32Array) {
  const named = new Map(
    layout.parameters.map(({ name, shape }, k) => [
      name,
      {
        shape,
        data: values.subarray(layout.offsets[k], layout.offsets[k] + shape.reduce((a, b) => a * b, 1)),
      },
    ]),
  );
  const linear = (name: string, x: readonly number[]): number[] => {
    const { data } = named.get(`${name}/w`)!;
    const bias = named.get(`${name}/b`)!.data;
    return Array.from(bias, (b, c) =>
      x.reduce((total, value, r) => total + value * data[r * bias.length + c], b),
    );
  };
  const network = (name: string, x: readonly number[]): number[] =>
    linear(
      `${name}/1`,
      linear(`${name}/0`, x).map((value) => Math.max(0, value)),
    );
  const order: number[] = [];
  const edges: number[] = [];
  for (let r = 0; r < observations.length / inputs; r++) {
    const joint = [...observations.subarray(r * inputs, (r + 1) * inputs)];
    order.push(...network("dag/order", joint));
    const classes = network("dag/edges", joint);
    const pairs = classes.length / 2;
    for (let k = 0; k < pairs; k++) edges.push(classes[k] - classes[pairs + k]);
  }
  return { order, edges };
}

test("a DeepSet is the mean over agents, whatever else is in the batch", async () => {
  const { learner, layout, vector } = randomLearner({ ...small, edgeNetwork: "deep-set" }, 2);
  const run = async (observations: readonly number[]): Promise<number[]> => {
    const samples = observations.length / 6;
    const program = await compile(engine, {
      name: "scores",
      inputs: {
        jointObservations: { dtype: "float32", shape: [samples, 6] },
        orderNoise: { dtype: "float32", shape: [samples, 3, 3] },
        edgeNoise: { dtype: "float32", shape: [samples, 3, 3] },
      },
      variables: { dag: vector },
      build: (leaves) => ({ results: { edges: learner.scores(unpack(leaves.dag, layout), leaves).edges } }),
    });
    program.inputs.jointObservations.set(observations);
    await program.run();
    await program.dispose();
    return [...(program.results.edges as Float32Array)];
  };
  const values = vector.values as Float32Array;
  const parameter = (name: string): { data: Float32Array; columns: number } => {
    const k = layout.parameters.findIndex((each) => each.name === `dag/edges/${name}`);
    const { shape } = layout.parameters[k];
    const size = shape.reduce((a, b) => a * b, 1);
    return {
      data: values.subarray(layout.offsets[k], layout.offsets[k] + size),
      columns: shape[shape.length - 1],
    };
  };
  const linear = (name: string, x: readonly number[]): number[] => {
    const { data, columns } = parameter(`${name}/w`);
    return Array.from(parameter(`${name}/b`).data, (b, c) =>
      x.reduce((total, value, r) => total + value * data[r * columns + c], b),
    );
  };
  const rectified = (x: readonly number[]): number[] => x.map((value) => Math.max(0, value));
  const plain = (joint: readonly number[]): number[] => {
    const encoded = [0, 1, 2].map((i) => {
      const token = [...joint.slice(2 * i, 2 * i + 2), ...[0, 1, 2].map((j) => (j === i ? 1 : 0))];
      const hidden = rectified(linear("encoder/1", rectified(linear("encoder/0", token))));
      return linear("encoder/2", hidden);
    });
    const pooled = encoded[0].map((_, k) => (encoded[0][k] + encoded[1][k] + encoded[2][k]) / 3);
    const hidden = rectified(linear("decoder/1", rectified(linear("decoder/0", pooled))));
    const classes = linear("decoder/2", hidden);
    return classes.slice(0, 9).map((present, k) => present - classes[9 + k]);
  };
  const rng = createRng(4);
  const joints = [0, 1, 2].map(() => Array.from({ length: 6 }, () => rng.normal()));
  const together = await run(joints.flat());
  for (const [r, joint] of joints.entries()) {
    const alone = await run(joint);
    for (const [k, value] of plain(joint).entries()) {
      expect(together[r * 9 + k]).toBeCloseTo(value, 5);
      expect(alone[k]).toBeCloseTo(value, 5);
    }
  }
});

test("without identities agents that observe the same give what one of them gives", async () => {
  const scores = async (sharedObservation: boolean): Promise<number[]> => {
    const options = { ...small, dagOrder: "identity", edgeNetwork: "deep-set-without-identity" } as const;
    const { learner, layout, vector } = randomLearner({ ...options, sharedObservation }, 2);
    const program = await compile(engine, {
      name: "scores",
      inputs: { edgeNoise: { dtype: "float32", shape: [1, 3, 3] } },
      variables: { dag: vector },
      build(leaves) {
        const seen = sharedObservation ? [0.3, -2] : [0.3, -2, 0.3, -2, 0.3, -2];
        const jointObservations = constant("float32", [1, seen.length], seen);
        const { edges } = learner.scores(unpack(leaves.dag, layout), { ...leaves, jointObservations });
        return { results: { edges } };
      },
    });
    await program.run();
    await program.dispose();
    return [...(program.results.edges as Float32Array)];
  };
  const [one, three] = [await scores(true), await scores(false)];
  for (const [k, value] of one.entries()) expect(three[k]).toBeCloseTo(value, 5);
  expect(Math.max(...one.map(Math.abs))).toBeGreaterThan(0.05);
});

// ── Gradients ────────────────────────────────────────────────────────────────────────────────────────────────────

/** A program of scores, in float64: hard DAGs, and gradients of a weighted sum of their edges for the scores. */
async function edgeGradients(options: DagLearnerOptions, weights: readonly number[], samples: number) {
  const { agents } = options;
  const learner = dagLearner("dag", options);
  const shape = [samples, agents, agents];
  return compile(engine, {
    name: "gradients",
    inputs: {
      order: { dtype: "float64", shape },
      edges: { dtype: "float64", shape },
      chosenOrder: { dtype: "int32", shape: [samples, agents] },
      chosenEdges: { dtype: "float64", shape },
    },
    build({ order, edges, chosenOrder, chosenEdges }) {
      const scores = options.dagOrder === "learned" ? { order, edges } : { edges };
      const parents = learner.parents(scores, { order: chosenOrder, edges: chosenEdges });
      const loss = sum(mul(parents, constant("float64", shape, weights)));
      const [forOrder, forEdges] = gradients(loss, [order, edges]);
      return { results: { parents, forOrder, forEdges } };
    },
  });
}

/** The soft DAG around hard choices: edges of `hard + soft - soft(at the scores)`, as plain products. */
function relaxedLoss(
  { agents, edgeIndexing, dagOrder }: DagLearnerOptions,
  weights: readonly number[],
  hard: { order: readonly number[]; edges: readonly number[] },
  at: { order: readonly number[]; edges: readonly number[] },
  moved: { order: readonly number[]; edges: readonly number[] },
): number {
  const line = Array.from({ length: agents }, (_, k) => k);
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const u = hard.edges.map((h, k) => h + sigmoid(moved.edges[k]) - sigmoid(at.edges[k]));
  const softAt = plainSinkhorn(at.order, agents);
  const softMoved = plainSinkhorn(moved.order, agents);
  const places = line.map((r) =>
    line.map((i) => {
      const one = hard.order[r] === i ? 1 : 0;
      return dagOrder === "identity"
        ? r === i
          ? 1
          : 0
        : one + softMoved[r * agents + i] - softAt[r * agents + i];
    }),
  );
  let loss = 0;
  for (const j of line) {
    for (const i of line) {
      let edge = 0;
      for (const r of line) {
        for (const s of line) {
          if (s <= r) continue;
          const both = places[r][j] * places[s][i];
          edge += both * (edgeIndexing === "rank" ? u[r * agents + s] : u[j * agents + i]);
        }
      }
      loss += weights[i * agents + j] * edge;
    }
  }
  return loss;
}

describe("gradients", () => {
  test.each([
    {},
    { edgeIndexing: "rank" },
    { dagOrder: "identity" },
    { dagOrder: "identity", edgeIndexing: "rank" },
  ] as const)("are those of the soft relaxation at the hard choices: %o", async (variant) => {
    const options = { ...small, agents: 4, ...variant };
    const rng = createRng("relaxation");
    const weights = Array.from({ length: 16 }, () => rng.normal());
    const program = await edgeGradients(options, weights, 1);
    for (let k = 0; k < 5; k++) {
      const at = {
        order: Array.from({ length: 16 }, () => rng.gumbel()),
        edges: Array.from({ length: 16 }, () => rng.normal()),
      };
      const solved = new Int32Array(4);
      if (options.dagOrder === "learned") assignmentSolver(4)(Float32Array.from(at.order), 0, solved);
      else solved.set([0, 1, 2, 3]);
      const hard = { order: [...solved], edges: at.edges.map((x) => (x > 0 ? 1 : 0)) };
      (program.inputs.order as Float64Array).set(at.order);
      (program.inputs.edges as Float64Array).set(at.edges);
      program.inputs.chosenOrder.set(hard.order);
      (program.inputs.chosenEdges as Float64Array).set(hard.edges);
      await program.run();

      const dags = { parents: new Float32Array(16), order: new Int32Array(4) };
      const choices: DagChoices = {
        ...dagChoices(1, 4),
        order: solved,
        edgeScores: Float32Array.from(at.edges),
      };
      writeChosenDags(options, choices, dags);
      expect([...(program.results.parents as Float64Array)]).toEqual([...dags.parents]);

      for (const part of ["order", "edges"] as const) {
        const found = program.results[part === "order" ? "forOrder" : "forEdges"] as Float64Array;
        for (let entry = 0; entry < 16; entry++) {
          const loss = (step: number): number =>
            relaxedLoss(options, weights, hard, at, {
              ...at,
              [part]: at[part].map((x, index) => (index === entry ? x + step : x)),
            });
          expect(found[entry]).toBeCloseTo((loss(1e-5) - loss(-1e-5)) / 2e-5, 7);
        }
      }
    }
    const some = program.results.forEdges as Float64Array;
    expect(Math.max(...some.map(Math.abs))).toBeGreaterThan(0.01);
    await program.dispose();
  });

  test("reach both networks, and reach the order only where edges are wished", () => {
    const { learner, layout } = randomLearner(small);
    const names = (edges: number): string[] => {
      const vector = input("dag", "float32", [layout.size]);
      const views = unpack(vector, layout);
      const shape = [1, 3, 3];
      const filled = (value: number): Expr => constant("float32", shape, new Array(9).fill(value));
      const parents = learner.parents(
        learner.scores(views, {
          jointObservations: constant("float32", [1, 6], [1, 0, 1, 0, 1, 0]),
          orderNoise: filled(0),
          edgeNoise: filled(0),
        }),
        { order: constant("int32", [1, 3], [2, 0, 1]), edges: filled(edges) },
      );
      const wrt = layout.parameters.map(({ name }) => views[name]);
      return layout.parameters
        .map(({ name }) => name)
        .filter((_, k) => gradients(sum(parents), wrt)[k].op.name !== "constant");
    };
    expect(names(1)).toEqual(layout.parameters.map(({ name }) => name));
  });
});

test("both indexings give every labelled DAG the same chance under a uniform order and fair edges", () => {
  // All orders of three agents and all choices of three edges that the order permits, each as likely as the others.
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const distribution = (edgeIndexing: "agent" | "rank"): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const order of orders) {
      for (let bits = 0; bits < 512; bits++) {
        const choices: DagChoices = {
          ...dagChoices(1, 3),
          order: Int32Array.from(order),
          edgeScores: Float32Array.from({ length: 9 }, (_, k) => (bits >> k) & 1),
        };
        const dags = { parents: new Float32Array(9), order: new Int32Array(3) };
        writeChosenDags({ agents: 3, edgeIndexing }, choices, dags);
        const key = dags.parents.join("");
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    return counts;
  };
  const [byAgent, byRank] = [distribution("agent"), distribution("rank")];
  expect(byAgent).toEqual(byRank);
  // There are 25 labelled DAGs of three agents; the full ones have one order each, the empty one has all six.
  expect(byAgent.size).toBe(25);
  expect(byAgent.get("000000000")).toBe((6 * 512) / 8);
});

test("noise is Gumbel and logistic, and none when there is no stream", () => {
  const choices = dagChoices(2000, 3);
  dagNoise(3, choices.order.length / 3)(choices, createRng(2));
  const share = (values: Float32Array, limit: number): number =>
    values.reduce((count, value) => count + (value < limit ? 1 : 0), 0) / values.length;
  for (const limit of [-1, 0, 1, 3]) {
    expect(Math.abs(share(choices.orderNoise, limit) - Math.exp(-Math.exp(-limit)))).toBeLessThan(0.02);
    const ofEdges = choices.edgeNoise.filter((_, k) => k % 9 !== 0 && k % 9 !== 4 && k % 9 !== 8);
    expect(Math.abs(share(ofEdges, limit) - 1 / (1 + Math.exp(-limit)))).toBeLessThan(0.02);
    expect(choices.edgeNoise[1]).toBe(choices.edgeNoise[3]);
  }
  dagNoise(3, choices.order.length / 3)(choices, undefined);
  expect([...choices.orderNoise, ...choices.edgeNoise].every((value) => value === 0)).toBe(true);
});

test("noise at the ends of its range is finite", () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1), (word) => {
      const choices = dagChoices(1, 2);
      dagNoise(2, choices.order.length / 2)(choices, { ...createRng(0), next: () => word });
      for (const value of [...choices.orderNoise, ...choices.edgeNoise]) {
        expect(Math.abs(value)).toBeLessThan(23);
      }
    }),
  );
});
