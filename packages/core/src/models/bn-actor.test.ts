import { describe, expect, test } from "vitest";
import { createRng, type Rng } from "../random/index.ts";
import {
  compile,
  constant,
  gradients,
  initialise,
  layoutOf,
  loadEngine,
  mul,
  sum,
  unpack,
  variable,
} from "../tensor/index.ts";
import {
  type BnActor,
  type BnActorOptions,
  bnActor,
  conditionalLogProbabilities,
  logProbabilitiesUnderDags,
  sampleJointActions,
} from "./bn-actor.ts";
import { conditionalRowBuilder, type JointSamples, toldWriter } from "./conditional-rows.ts";

const engine = await loadEngine();

const small: BnActorOptions = {
  agents: 3,
  observationSize: 2,
  actions: 2,
  hidden: 5,
  inputNorm: false,
  hiddenNorm: true,
  parentInput: "actions",
  heads: "per-agent",
};

/** An actor with random parameters, large enough that agents react to all they read. */
function randomActor(options: BnActorOptions, rng: Rng, deviation = 0.7) {
  const actor = bnActor("actor", options);
  const layout = layoutOf(actor.parameters);
  const values = new Float32Array(layout.size);
  rng.fillNormal(values);
  for (let k = 0; k < values.length; k++) values[k] *= deviation;
  const named = new Map(
    layout.parameters.map(({ name, shape }, index) => {
      const start = layout.offsets[index];
      return [name, { shape, data: values.subarray(start, start + shape.reduce((a, b) => a * b, 1)) }];
    }),
  );
  return { actor, layout, named, vector: variable("actor", "float32", [layout.size], values) };
}

type RandomActor = ReturnType<typeof randomActor>;

// ── The actor again, in plain loops and as the papers write it: one row at a time, features concatenated ──────────

type Named = RandomActor["named"];

function plainLinear(named: Named, name: string, x: readonly number[]): number[] {
  const { shape, data } = named.get(`${name}/w`)!;
  const bias = named.get(`${name}/b`)!.data;
  expect(shape).toEqual([x.length, bias.length]);
  return Array.from(bias, (b, c) => x.reduce((sum, value, r) => sum + value * data[r * bias.length + c], b));
}

function plainNorm(named: Named, name: string, x: readonly number[]): number[] {
  const scale = named.get(`${name}/scale`)!.data;
  const bias = named.get(`${name}/bias`)!.data;
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value, k) => ((value - mean) / Math.sqrt(variance + 1e-5)) * scale[k] + bias[k]);
}

function plainBase(named: Named, name: string, options: BnActorOptions, x: readonly number[]): number[] {
  const normalises = options.inputNorm === "auto" ? x.length >= 8 : options.inputNorm;
  if (normalises) x = plainNorm(named, `${name}/input-norm`, x);
  for (const layer of [0, 1]) {
    x = plainLinear(named, `${name}/${layer}`, x).map((value) => Math.max(0, value));
    if (options.hiddenNorm) x = plainNorm(named, `${name}/${layer}/norm`, x);
  }
  return [...x];
}

/** `log pi^i(. | o^i, parents)`. */
function plainLogProbabilities(
  { actor: { options }, named }: RandomActor,
  agent: number,
  observation: readonly number[],
  told: readonly number[],
  available?: readonly number[],
): number[] {
  const { agents, actions, heads, parentInput } = options;
  const features = [
    ...plainBase(named, "actor/observation", options, observation),
    ...(parentInput === "actions" ? told : plainBase(named, "actor/parents", options, told)),
    ...(heads === "shared" ? Array.from({ length: agents }, (_, i) => (i === agent ? 1 : 0)) : []),
  ];
  const outputs = plainLinear(named, "actor/head", features);
  const start = heads === "shared" ? 0 : agent * actions;
  const logits = outputs
    .slice(start, start + actions)
    .map((logit, a) => (available === undefined || available[a] === 1 ? logit : Number.NEGATIVE_INFINITY));
  const normaliser = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - normaliser);
}

/** What agent i of one sample is told: slot j is zero unless j is a parent. */
function plainTold(
  { agents, actions, parentInput }: BnActorOptions,
  parents: ArrayLike<number>,
  observations: readonly (readonly number[])[],
  joint: ArrayLike<number>,
  agent: number,
): number[] {
  return Array.from({ length: agents }, (_, j) => {
    const oneHot = Array.from({ length: actions }, (_, a) => (joint[j] === a ? 1 : 0));
    const slot = parentInput === "actions" ? oneHot : [...observations[j], ...oneHot];
    return parents[agent * agents + j] === 1 ? slot : slot.map(() => 0);
  }).flat();
}

// ── Programs under test ──────────────────────────────────────────────────────────────────────────────────────────

async function sampler(
  { actor, layout, vector }: RandomActor,
  stages: readonly number[],
  batch: number,
  masked = false,
) {
  const { agents, observationSize, actions } = actor.options;
  const program = await compile(engine, {
    name: "act",
    inputs: {
      observations: { dtype: "float32", shape: [batch, agents, observationSize] },
      parents: { dtype: "float32", shape: [batch, agents, agents] },
      order: { dtype: "int32", shape: [batch, agents] },
      noise: { dtype: "float32", shape: [batch, agents, actions] },
      ...(masked ? { available: { dtype: "float32", shape: [batch, agents, actions] } as const } : {}),
    },
    variables: { actor: vector },
    build: (leaves) => ({ results: sampleJointActions(actor, unpack(leaves.actor, layout), stages, leaves) }),
  });
  return async (inputs: {
    observations: ArrayLike<number>;
    parents: ArrayLike<number>;
    order: ArrayLike<number>;
    noise: ArrayLike<number>;
    available?: ArrayLike<number>;
  }) => {
    for (const [name, values] of Object.entries(inputs)) {
      (program.inputs[name as "noise"] as Float32Array).set(values);
    }
    await program.run();
    return {
      actions: [...(program.results.actions as Int32Array)],
      logProbabilities: [...(program.results.logProbabilities as Float32Array)],
    };
  };
}

/** `[R, N, A]`: log-probabilities of all actions of every agent in every sample, through tables of distinct rows. */
async function askedLogProbabilities({ actor, layout, vector }: RandomActor, samples: JointSamples) {
  const { agents, observationSize, actions } = actor.options;
  const rows = conditionalRowBuilder(actor, samples.actions.length / agents)(samples);
  const [observations, parents, count] = rows.sizes;
  const program = await compile(engine, {
    name: "conditionals",
    inputs: {
      observations: { dtype: "float32", shape: [observations, observationSize] },
      parents: { dtype: "float32", shape: [parents, actor.parentInputSize] },
      observationRow: { dtype: "int32", shape: [count] },
      parentRow: { dtype: "int32", shape: [count] },
      ...(samples.available ? { available: { dtype: "float32", shape: [count, actions] } as const } : {}),
    },
    variables: { actor: vector },
    build: (leaves) => ({
      results: { table: conditionalLogProbabilities(actor, unpack(leaves.actor, layout), leaves) },
    }),
  });
  rows.fill(program.inputs as Parameters<typeof rows.fill>[0]);
  await program.run();
  const table = program.results.table as Float32Array;
  return Array.from(rows.rowOf, (row) => [...table.subarray(row * actions, (row + 1) * actions)]);
}

/** Random decisions under random DAGs whose order is 0..N-1. */
function randomSamples({ agents, observationSize, actions }: BnActorOptions, count: number, rng: Rng) {
  const observations = new Float32Array(count * agents * observationSize);
  rng.fillNormal(observations);
  return {
    observations,
    parents: Float32Array.from({ length: count * agents * agents }, (_, k) =>
      k % agents < Math.floor(k / agents) % agents ? rng.integer(2) : 0,
    ),
    actions: Int32Array.from({ length: count * agents }, () => rng.integer(actions)),
  };
}

const chunks = (values: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, k) =>
    Array.from({ length: width }, (_, c) => values[k * width + c]),
  );

function gumbels(count: number, rng: Rng): Float32Array {
  const noise = new Float32Array(count);
  rng.fillGumbel(noise);
  return noise;
}

const repeated = (values: readonly number[], times: number): number[] =>
  Array.from({ length: times }, () => values).flat();

/** `[N, N]`: row i marks the parents of i. */
function parentsOf(agents: number, edges: readonly (readonly [parent: number, child: number])[]): number[] {
  const matrix = new Array<number>(agents * agents).fill(0);
  for (const [parent, child] of edges) matrix[child * agents + parent] = 1;
  return matrix;
}

const fullEdges = (from: number, to: number): [number, number][] => {
  const edges: [number, number][] = [];
  for (let i = from; i < to; i++) for (let j = from; j < i; j++) edges.push([j, i]);
  return edges;
};

const variants = (["actions", "observations-and-actions"] as const).flatMap((parentInput) =>
  (["per-agent", "shared"] as const).flatMap((heads) =>
    (
      [
        ["auto", true],
        [true, false],
        [false, false],
      ] as const
    ).map(([inputNorm, hiddenNorm]) => ({ parentInput, heads, inputNorm, hiddenNorm })),
  ),
);

describe("the network", () => {
  test.each(variants)("agrees with plain loops: %o", async (variant) => {
    const rng = createRng("forward");
    const random = randomActor({ ...small, actions: 3, ...variant }, rng);
    const { options } = random.actor;
    const samples = randomSamples(options, 6, rng);
    const found = await askedLogProbabilities(random, samples);
    const observations = chunks(samples.observations, options.observationSize);
    for (let n = 0; n < 6; n++) {
      const seen = observations.slice(n * 3, n * 3 + 3);
      const joint = samples.actions.subarray(n * 3, n * 3 + 3);
      for (let i = 0; i < 3; i++) {
        const told = plainTold(options, samples.parents.subarray(n * 9, n * 9 + 9), seen, joint, i);
        const expected = plainLogProbabilities(random, i, seen[i], told);
        const worst = Math.max(...expected.map((value, a) => Math.abs(value - found[n * 3 + i][a])));
        expect(worst, `sample ${n}, agent ${i}`).toBeLessThan(1e-5);
      }
    }
  });

  test("input normalisation is decided by each base's own width", () => {
    const decided = (options: Partial<BnActorOptions>) =>
      bnActor("actor", { ...small, inputNorm: "auto", ...options }).normalisesInput;
    expect(decided({ observationSize: 7 })).toEqual({ observation: false, parents: undefined });
    expect(decided({ observationSize: 8 })).toEqual({ observation: true, parents: undefined });
    // Slots of 1 + 2 numbers: 2 agents make 6, 3 agents 9.
    const both = { observationSize: 1, parentInput: "observations-and-actions" } as const;
    expect(decided({ ...both, agents: 2 })).toEqual({ observation: false, parents: false });
    expect(decided({ ...both, agents: 3 })).toEqual({ observation: false, parents: true });
    expect(decided({ ...both, inputNorm: true })).toEqual({ observation: true, parents: true });
    expect(decided({ ...both, agents: 9, inputNorm: false })).toEqual({ observation: false, parents: false });
  });

  test("every head starts orthonormal, scaled by 0.01, and unlike the others; biases start at zero", () => {
    const actor = bnActor("actor", small);
    const layout = layoutOf(actor.parameters);
    const values = initialise(layout, createRng(1));
    const place = layout.parameters.findIndex(({ name }) => name === "actor/head/w");
    const [rows, columns] = layout.parameters[place].shape;
    expect([rows, columns]).toEqual([5 + 3 * 2, 3 * 2]);
    const column = (c: number) =>
      Array.from({ length: rows }, (_, r) => values[layout.offsets[place] + r * columns + c]);
    const dot = (a: number, b: number) => column(a).reduce((sum, x, r) => sum + x * column(b)[r], 0);
    for (const head of [0, 2, 4]) {
      expect(dot(head, head)).toBeCloseTo(1e-4, 10);
      expect(dot(head + 1, head + 1)).toBeCloseTo(1e-4, 10);
      expect(dot(head, head + 1)).toBeCloseTo(0, 10);
    }
    expect(Math.abs(dot(0, 2))).toBeLessThan(0.99e-4);
    expect(Math.abs(dot(0, 2))).toBeGreaterThan(1e-8);
    for (const [index, { name, shape }] of layout.parameters.entries()) {
      if (!/\/(b|bias)$/.test(name)) continue;
      const start = layout.offsets[index];
      expect([...values.subarray(start, start + shape[0])], name).toEqual(new Array(shape[0]).fill(0));
    }
  });
});

describe("sampling", () => {
  test("joint actions of a full DAG follow the product of the conditionals", async () => {
    const rng = createRng("chi-square");
    const random = randomActor(small, rng, 0.6);
    const parents = parentsOf(3, fullEdges(0, 3));
    const seen = [
      [0.3, -1],
      [1, 0.5],
      [-0.2, 0.8],
    ];
    const batch = 20_000;
    const act = await sampler(random, [1, 1, 1], batch);
    const { actions } = await act({
      observations: repeated(seen.flat(), batch),
      parents: repeated(parents, batch),
      order: repeated([0, 1, 2], batch),
      noise: gumbels(batch * 6, rng),
    });
    const counts = new Array<number>(8).fill(0);
    for (const [a, b, c] of chunks(actions, 3)) counts[4 * a + 2 * b + c]++;
    const expected = counts.map((_, index) => {
      const joint = [index >> 2, (index >> 1) & 1, index & 1];
      return joint
        .map((action, i) => {
          const told = plainTold(random.actor.options, parents, seen, joint, i);
          return Math.exp(plainLogProbabilities(random, i, seen[i], told)[action]);
        })
        .reduce((product, probability) => product * probability, batch);
    });
    const chiSquare = (model: readonly number[]) =>
      counts.reduce((sum, count, k) => sum + (count - model[k]) ** 2 / model[k], 0);
    expect(Math.min(...expected)).toBeGreaterThan(20);
    // 7 degrees of freedom: above 24.3 in one of a thousand samples.
    expect(chiSquare(expected)).toBeLessThan(24.3);
    // The agents really react to each other: independent ones with the same marginals are ruled out.
    const marginal = (i: number, action: number) =>
      counts.reduce((sum, count, index) => sum + (((index >> (2 - i)) & 1) === action ? count : 0), 0) /
      batch;
    const independent = counts.map((_, index) =>
      [index >> 2, (index >> 1) & 1, index & 1].reduce((p, action, i) => p * marginal(i, action), batch),
    );
    expect(chiSquare(independent)).toBeGreaterThan(100);
  });

  test.each(["actions", "observations-and-actions"] as const)(
    "any topological order gives the same actions for the same noise (%s)",
    async (parentInput) => {
      const rng = createRng("orders");
      const random = randomActor({ ...small, agents: 4, parentInput }, rng);
      const edges = [
        [2, 0],
        [0, 3],
        [1, 3],
      ] as const;
      const orders = [
        [1, 2, 0, 3],
        [2, 1, 0, 3],
        [2, 0, 1, 3],
      ];
      const draws = 50;
      const act = await sampler(random, [1, 1, 1, 1], draws * orders.length);
      const observations = gumbels(draws * 8, rng);
      const noise = gumbels(draws * 8, rng);
      const thrice = (values: ArrayLike<number>) => orders.flatMap(() => Array.from(values));
      const { actions, logProbabilities } = await act({
        observations: thrice(observations),
        parents: repeated(parentsOf(4, edges), draws * orders.length),
        order: orders.flatMap((order) => repeated(order, draws)),
        noise: thrice(noise),
      });
      const [first, ...others] = chunks(actions, draws * 4);
      const [firstLogs, ...otherLogs] = chunks(logProbabilities, draws * 4);
      for (const other of others) expect(other).toEqual(first);
      for (const other of otherLogs) {
        for (const [k, value] of other.entries()) expect(Math.abs(value - firstLogs[k])).toBeLessThan(1e-6);
      }
    },
  );

  test("agents that act together act as they would one by one", async () => {
    const rng = createRng("stages");
    const random = randomActor({ ...small, agents: 5, parentInput: "observations-and-actions" }, rng);
    const batch = 60;
    const inputs = {
      observations: gumbels(batch * 10, rng),
      parents: repeated(parentsOf(5, [...fullEdges(0, 2), ...fullEdges(2, 5)]), batch),
      noise: gumbels(batch * 10, rng),
    };
    const together = await (await sampler(random, [2, 2, 1], batch))({
      ...inputs,
      order: repeated([2, 0, 1, 3, 4], batch),
    });
    const single = await (await sampler(random, [1, 1, 1, 1, 1], batch))({
      ...inputs,
      order: repeated([0, 1, 2, 3, 4], batch),
    });
    expect(together.actions).toEqual(single.actions);
    for (const [k, value] of together.logProbabilities.entries()) {
      expect(Math.abs(value - single.logProbabilities[k])).toBeLessThan(1e-6);
    }
    // All agents of the product at once.
    const product = {
      ...inputs,
      parents: repeated(parentsOf(5, []), batch),
      order: repeated([4, 2, 0, 1, 3], batch),
    };
    const atOnce = await (await sampler(random, [5], batch))(product);
    const oneByOne = await (await sampler(random, [1, 1, 1, 1, 1], batch))(product);
    expect(atOnce.actions).toEqual(oneByOne.actions);
  });

  test("without noise every agent takes its most likely action given its parents' most likely ones", async () => {
    const rng = createRng("greedy");
    const random = randomActor({ ...small, actions: 3 }, rng);
    const batch = 30;
    const order = [1, 2, 0];
    const parents = parentsOf(3, [
      [1, 2],
      [1, 0],
      [2, 0],
    ]);
    const observations = gumbels(batch * 6, rng);
    const { actions, logProbabilities } = await (await sampler(random, [1, 1, 1], batch))({
      observations,
      parents: repeated(parents, batch),
      order: repeated(order, batch),
      noise: new Array(batch * 9).fill(0),
    });
    for (const [n, seen] of chunks(observations, 6).entries()) {
      const byAgent = chunks(seen, 2);
      const joint = [-1, -1, -1];
      for (const i of order) {
        const told = plainTold(random.actor.options, parents, byAgent, joint, i);
        const logs = plainLogProbabilities(random, i, byAgent[i], told);
        joint[i] = logs.indexOf(Math.max(...logs));
        expect(Math.abs(logProbabilities[n * 3 + i] - logs[joint[i]])).toBeLessThan(1e-5);
      }
      expect(actions.slice(n * 3, n * 3 + 3)).toEqual(joint);
    }
    expect(new Set(actions).size).toBeGreaterThan(1);
  });

  test.each(variants.filter(({ inputNorm }) => inputNorm === "auto"))(
    "recorded log-probabilities are those of the decisions when asked about: %o",
    async (variant) => {
      const rng = createRng("recorded");
      const random = randomActor({ ...small, ...variant }, rng);
      const batch = 40;
      const { observations, parents } = randomSamples(random.actor.options, batch, rng);
      const { actions, logProbabilities } = await (await sampler(random, [1, 1, 1], batch))({
        observations,
        parents,
        order: repeated([0, 1, 2], batch),
        noise: gumbels(batch * 6, rng),
      });
      const asked = await askedLogProbabilities(random, {
        observations,
        parents,
        actions: Int32Array.from(actions),
      });
      for (const [k, action] of actions.entries()) {
        expect(Math.abs(logProbabilities[k] - asked[k][action])).toBeLessThan(1e-6);
      }
    },
  );

  test("unavailable actions are never chosen and the others' probabilities sum to one", async () => {
    const rng = createRng("masks");
    const random = randomActor({ ...small, actions: 4 }, rng);
    const { options } = random.actor;
    const batch = 200;
    const { observations, parents } = randomSamples(options, batch, rng);
    const available = Float32Array.from({ length: batch * 12 }, () => rng.integer(2));
    // At least one action of each agent.
    for (let k = 0; k < batch * 3; k++) available[k * 4 + rng.integer(4)] = 1;
    const noise = gumbels(batch * 12, rng).map((value) => value * 20);
    const expectClose = (found: number, expected: number) =>
      expect(Math.abs(found - expected)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected)));
    const { actions, logProbabilities } = await (await sampler(random, [1, 1, 1], batch, true))({
      observations,
      parents,
      order: repeated([0, 1, 2], batch),
      noise,
      available,
    });
    const asked = await askedLogProbabilities(random, {
      observations,
      parents,
      actions: Int32Array.from(actions),
      available,
    });
    const seen = chunks(observations, 2);
    for (const [k, action] of actions.entries()) {
      const [n, i] = [Math.floor(k / 3), k % 3];
      const mask = [...available.subarray(k * 4, k * 4 + 4)];
      expect(mask[action]).toBe(1);
      const told = plainTold(
        options,
        parents.subarray(n * 9, n * 9 + 9),
        seen.slice(n * 3, n * 3 + 3),
        actions.slice(n * 3, n * 3 + 3),
        i,
      );
      const expected = plainLogProbabilities(random, i, seen[k], told, mask);
      expectClose(logProbabilities[k], expected[action]);
      for (let a = 0; a < 4; a++) {
        if (mask[a] === 1) expectClose(asked[k][a], expected[a]);
        else expect(Math.exp(asked[k][a])).toBe(0);
      }
    }
  });
});

test("names its parameters after the network they belong to", () => {
  const names = (actor: BnActor) => actor.parameters.map(({ name, shape }) => `${name} ${shape.join("x")}`);
  expect(
    names(bnActor("actor", { ...small, inputNorm: true, parentInput: "observations-and-actions" })),
  ).toEqual([
    "actor/observation/input-norm/scale 2",
    "actor/observation/input-norm/bias 2",
    "actor/observation/0/w 2x5",
    "actor/observation/0/b 5",
    "actor/observation/0/norm/scale 5",
    "actor/observation/0/norm/bias 5",
    "actor/observation/1/w 5x5",
    "actor/observation/1/b 5",
    "actor/observation/1/norm/scale 5",
    "actor/observation/1/norm/bias 5",
    "actor/parents/input-norm/scale 12",
    "actor/parents/input-norm/bias 12",
    "actor/parents/0/w 12x5",
    "actor/parents/0/b 5",
    "actor/parents/0/norm/scale 5",
    "actor/parents/0/norm/bias 5",
    "actor/parents/1/w 5x5",
    "actor/parents/1/b 5",
    "actor/parents/1/norm/scale 5",
    "actor/parents/1/norm/bias 5",
    "actor/head/w 10x6",
    "actor/head/b 6",
  ]);
  expect(names(bnActor("actor", { ...small, hiddenNorm: false, heads: "shared" })).slice(-2)).toEqual([
    "actor/head/w 14x2",
    "actor/head/b 2",
  ]);
});

describe("log-probabilities under DAGs that are expressions", () => {
  const samples = 4;
  const variants = [
    {},
    { parentInput: "observations-and-actions" },
    { parentInput: "observations-and-actions", heads: "shared", inputNorm: true },
    { heads: "shared" },
  ] as const;

  async function underDags(
    options: Partial<BnActorOptions>,
    masked: boolean,
    dtype: "float32" | "float64" = "float32",
  ) {
    const rng = createRng("under");
    const random = randomActor({ ...small, hidden: 16, ...options }, rng);
    const { actor, layout } = random;
    const vector = variable("actor", dtype, [layout.size], random.vector.values as Float32Array);
    const { agents, observationSize, actions } = actor.options;
    const rows = samples * agents;
    const weights = Array.from({ length: rows * actions }, () => rng.normal());
    const program = await compile(engine, {
      name: "under",
      inputs: {
        observations: { dtype, shape: [rows, observationSize] },
        observationOf: { dtype: "int32", shape: [rows] },
        parents: { dtype, shape: [agents, samples, agents] },
        told: { dtype, shape: [samples, actor.parentInputSize] },
        ...(masked ? { available: { dtype, shape: [rows, actions] } } : {}),
      },
      variables: { actor: vector },
      build(leaves) {
        const logProbabilities = logProbabilitiesUnderDags(actor, unpack(leaves.actor, layout), leaves);
        const shape = [rows, actions];
        const loss = sum(mul(logProbabilities, constant(dtype, shape, weights)));
        return { results: { logProbabilities, forParents: gradients(loss, [leaves.parents])[0] } };
      },
    });
    const { inputs } = program;
    rng.fillNormal(inputs.observations);
    // Rows of the table in another order than that of the agents.
    for (let row = 0; row < rows; row++) inputs.observationOf[row] = (5 * row + 2) % rows;
    const observation = (agent: number, sample: number): number[] => {
      const start = inputs.observationOf[agent * samples + sample] * observationSize;
      return [...inputs.observations.subarray(start, start + observationSize)] as number[];
    };
    const joint = Int32Array.from({ length: rows }, () => rng.integer(actions));
    const told = new Float32Array(inputs.told.length);
    const write = toldWriter(actor);
    for (let r = 0; r < samples; r++) {
      const seen = Array.from({ length: agents }, (_, j) => observation(j, r)).flat();
      const acted = joint.subarray(r * agents, (r + 1) * agents);
      for (let j = 0; j < agents; j++) {
        write(Float32Array.from(seen), acted, j, told, (r + j / agents) * actor.parentInputSize);
        for (let i = j + 1; i < agents; i++) {
          inputs.parents[(i * samples + r) * agents + j] = rng.integer(2);
        }
      }
    }
    inputs.told.set(told);
    for (let k = 0; masked && k < rows * actions; k++) {
      (inputs.available as Float32Array)[k] = k % actions === 0 ? 1 : rng.integer(2);
    }
    await program.run();
    return { program, random, weights, joint, observation };
  }

  test.each(variants.flatMap((options) => [false, true].map((masked) => [options, masked] as const)))(
    "are those of rows worked out one by one: %o, masked %s",
    async (options, masked) => {
      const { program, random, joint, observation } = await underDags(options, masked);
      const { agents, actions } = random.actor.options;
      const { inputs, results } = program;
      for (let row = 0; row < samples * agents; row++) {
        const [agent, sample] = [Math.floor(row / samples), row % samples];
        const parents = Array.from({ length: agents }, (_, i) => {
          const start = (i * samples + sample) * agents;
          return [...inputs.parents.subarray(start, start + agents)] as number[];
        });
        const told = plainTold(
          random.actor.options,
          parents.flat(),
          Array.from({ length: agents }, (_, j) => observation(j, sample)),
          joint.subarray(sample * agents, (sample + 1) * agents),
          agent,
        );
        const mask = inputs.available && [...inputs.available.subarray(row * actions, (row + 1) * actions)];
        const expected = plainLogProbabilities(random, agent, observation(agent, sample), told, mask);
        for (const [a, value] of expected.entries()) {
          if (!Number.isFinite(value)) continue;
          expect((results.logProbabilities as Float32Array)[row * actions + a]).toBeCloseTo(value, 4);
        }
      }
      await program.dispose();
    },
  );

  test.each(variants)("tell every possible edge what it would change: %o", async (options) => {
    const { program, weights } = await underDags(options, false, "float64");
    const { inputs, results, run } = program;
    const found = (results.forParents as Float64Array).slice();
    const loss = (): number =>
      (results.logProbabilities as Float64Array).reduce((total, value, k) => total + value * weights[k], 0);
    for (let k = 0; k < inputs.parents.length; k++) {
      const held = inputs.parents[k];
      inputs.parents[k] = held + 1e-6;
      await run();
      const above = loss();
      inputs.parents[k] = held - 1e-6;
      await run();
      const below = loss();
      inputs.parents[k] = held;
      const error = Math.abs(found[k] - (above - below) / 2e-6);
      expect(error).toBeLessThan(1e-5 * Math.max(1, Math.abs(found[k])));
    }
    expect(found.filter((value) => Math.abs(value) > 0.01).length).toBeGreaterThan(found.length / 2);
    await program.dispose();
  });

  test("tell them nothing where no parent has acted", async () => {
    const { program } = await underDags({}, false);
    program.inputs.told.fill(0);
    await program.run();
    expect([...(program.results.forParents as Float32Array)].every((value) => value === 0)).toBe(true);
    await program.dispose();
  });
});
