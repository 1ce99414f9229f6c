import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { neighbourhoodMask } from "../structure/index.ts";
import {
  compile,
  type Expr,
  gradients,
  initialise,
  layoutOf,
  loadEngine,
  mul,
  nn,
  type Parameter,
  sum,
  unpack,
  variable,
} from "../tensor/index.ts";
import {
  type ActionGraphNetwork,
  type ActionGraphNetworkOptions,
  actionGraphNetwork,
} from "./action-graph-network.ts";

const engine = await loadEngine();

const topK: ActionGraphNetworkOptions = {
  actionCounts: [2, 2, 2, 2, 2, 2],
  observationSize: 1,
  width: 64,
  heads: 4,
  layers: 2,
  graph: "actions",
  neighbourhood: "full",
  residual: true,
  layerNorm: true,
  headInput: "pooled",
  agentId: false,
  recurrent: false,
};
const small = { ...topK, actionCounts: [2, 3, 1], observationSize: 2, width: 8, heads: 2 };
const regular = { ...small, actionCounts: [2, 2, 2] };
/** As many actions as agents, and enough of both for attention in groups. */
const wide = { ...small, actionCounts: [5, 5, 5, 5, 5] };

type Weights = Readonly<Record<string, Float64Array>>;

/** Random weights by name; biases and normalisations too, so that none of them can be left out unnoticed. */
function randomWeights(parameters: readonly Parameter[], seed: string): Weights {
  return Object.fromEntries(
    parameters.map(({ name, shape }) => {
      const values = new Float64Array(shape.reduce((a, b) => a * b, 1));
      createRng(seed).split(name).fillNormal(values);
      return [name, values.map((value) => 0.5 * value)];
    }),
  );
}

interface Sample {
  readonly observations: readonly number[][];
  readonly available?: readonly number[][];
}

/** Runs a function of one network's parameters and a batch of samples. */
async function run(
  network: ActionGraphNetwork,
  weights: Weights,
  samples: readonly Sample[],
  build: (views: Readonly<Record<string, Expr>>, team: { observations: Expr; available?: Expr }) => Expr,
  dtype: "float32" | "float64" = "float64",
): Promise<number[]> {
  const { actionCounts, observationSize } = network.options;
  const agents = actionCounts.length;
  const layout = layoutOf(network.parameters);
  const vector = layout.parameters.flatMap(({ name }) => [...weights[name]]);
  const masked = samples[0].available !== undefined;
  const inputs = {
    observations: { dtype, shape: [samples.length, agents, observationSize] },
    ...(masked ? { available: { dtype, shape: [samples.length, agents, Math.max(...actionCounts)] } } : {}),
  } as Record<string, { dtype: "float32" | "float64"; shape: number[] }>;
  const program = await compile(engine, {
    name: "network",
    inputs,
    variables: { parameters: variable("parameters", dtype, [layout.size], vector) },
    build: (leaves) => ({
      results: { found: build(unpack(leaves.parameters, layout), leaves as never) },
    }),
  });
  program.inputs.observations.set(samples.flatMap(({ observations }) => observations.flat()));
  if (masked) program.inputs.available.set(samples.flatMap(({ available }) => available!.flat()));
  await program.run();
  await program.dispose();
  return Array.from(program.results.found as Float64Array);
}

const scores = (
  network: ActionGraphNetwork,
  weights: Weights,
  samples: readonly Sample[],
  dtype?: "float32",
) => run(network, weights, samples, (views, team) => network.step(views, team).utilities, dtype);

const attention = (
  network: ActionGraphNetwork,
  weights: Weights,
  samples: readonly Sample[],
  layer: number,
  dtype?: "float32",
) => run(network, weights, samples, (views, team) => network.attention(views, team)[layer], dtype);

function randomSamples(options: ActionGraphNetworkOptions, count: number, seed: string): Sample[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => ({
    observations: options.actionCounts.map(() =>
      Array.from({ length: options.observationSize }, () => 2 * rng.uniform() - 1),
    ),
  }));
}

// ── The definition, node by node and number by number ───────────────────────────────────────────────────────────

const relu = (x: number[]): number[] => x.map((value) => Math.max(0, value));
const plus = (x: readonly number[], y: readonly number[]): number[] => x.map((value, k) => value + y[k]);

function linear(weights: Weights, name: string, x: readonly number[]): number[] {
  const [w, b] = [weights[`${name}/w`], weights[`${name}/b`]];
  return Array.from(b, (bias, c) => x.reduce((total, value, r) => total + value * w[r * b.length + c], bias));
}

/** Scores of one sample by agent and action, and the attention of every layer by head, row and column. */
function defined(
  { nodes, options }: ActionGraphNetwork,
  weights: Weights,
  { observations, available }: Sample,
) {
  const { width, heads, actionCounts } = options;
  const agents = actionCounts.length;
  const actions = Math.max(...actionCounts);
  const mask = neighbourhoodMask(nodes, options.neighbourhood);
  const hot = (index: number, depth: number) =>
    Array.from({ length: depth }, (_, k) => (k === index ? 1 : 0));
  const identity = (i: number) => (options.agentId ? hot(i, agents) : []);
  const all = Array.from(nodes.agentOf, (_, m) => m);
  const isAvailable = (m: number) => (available?.[nodes.agentOf[m]][nodes.actionOf[m]] ?? 1) === 1;

  let z = all.map((m) => {
    const i = nodes.agentOf[m];
    const input = [...observations[i], ...hot(nodes.actionOf[m], actions), ...identity(i)];
    const encoded = relu(linear(weights, "q/encoder/1", relu(linear(weights, "q/encoder/0", input))));
    return linear(weights, "q/projection", encoded);
  });
  const maps: number[][][][] = [];
  for (let layer = 0; layer < options.layers; layer++) {
    const name = `q/attention/${layer}`;
    const qkv = z.map((row) => linear(weights, `${name}/qkv`, row));
    const depth = width / heads;
    const head = (m: number, kind: number, h: number) =>
      qkv[m].slice(kind * width + h * depth, kind * width + (h + 1) * depth);
    const map = Array.from({ length: heads }, (_, h) =>
      all.map((m) => {
        const logits = all.map((n) =>
          isAvailable(n) && (mask === undefined || mask[m * all.length + n] === 1)
            ? head(m, 0, h).reduce((total, value, k) => total + value * head(n, 1, h)[k], 0) /
              Math.sqrt(depth)
            : Number.NEGATIVE_INFINITY,
        );
        const highest = Math.max(...logits);
        const powers = logits.map((logit) =>
          logit === Number.NEGATIVE_INFINITY ? 0 : Math.exp(logit - highest),
        );
        const total = powers.reduce((a, b) => a + b, 0);
        // A row that may attend to nothing says nothing; it belongs to an unavailable node.
        return powers.map((power) => (total === 0 ? 1 / all.length : power / total));
      }),
    );
    maps.push(map);
    const mixed = all.map((m) =>
      Array.from({ length: width }, (_, c) => {
        const h = Math.floor(c / depth);
        return all.reduce((total, n) => total + map[h][m][n] * head(n, 2, h)[c % depth], 0);
      }),
    );
    z = mixed.map((row, m) => {
      const found = linear(weights, `${name}/out`, row);
      const total = options.residual ? plus(found, z[m]) : found;
      if (!options.layerNorm) return total;
      const mean = total.reduce((a, b) => a + b, 0) / width;
      const variance = total.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
      const [scale, bias] = [weights[`${name}/norm/scale`], weights[`${name}/norm/bias`]];
      return total.map((value, c) => (scale[c] * (value - mean)) / Math.sqrt(variance + 1e-5) + bias[c]);
    });
  }
  const found = observations.map((observation, i) => {
    const own = all.filter((m) => nodes.agentOf[m] === i);
    const present = own.filter(isAvailable);
    const context = Array.from(
      { length: width },
      (_, c) => present.reduce((total, m) => total + z[m][c], 0) / Math.max(1, present.length),
    );
    const head = (input: number[]) => linear(weights, "q/head/1", relu(linear(weights, "q/head/0", input)));
    const input = [...observation, ...identity(i), ...context];
    return options.headInput === "pooled" ? head(input) : own.map((m) => head([...input, ...z[m]])[0]);
  });
  return { scores: found, maps };
}

const masked = (options: ActionGraphNetworkOptions, samples: readonly Sample[], seed: string): Sample[] => {
  const rng = createRng(seed);
  return samples.map(({ observations }) => ({
    observations,
    available: options.actionCounts.map((count) => {
      const kept = rng.integer(count);
      return Array.from({ length: Math.max(...options.actionCounts) }, (_, a) =>
        a < count && (a === kept || rng.uniform() < 0.5) ? 1 : 0,
      );
    }),
  }));
};

describe("the network computes its definition", () => {
  test.each([
    ["unequal action counts", small],
    ["equal action counts", regular],
    ["no residual, no normalisation", { ...small, residual: false, layerNorm: false }],
    ["identities", { ...small, agentId: true }],
    ["scores per action", { ...small, headInput: "perAction" }],
    ["the same agent, unequal counts", { ...small, neighbourhood: "sameAgent" }],
    ["the same agent, equal counts", { ...regular, neighbourhood: "sameAgent" }],
    ["the same agent, in groups", { ...wide, neighbourhood: "sameAgent" }],
    [
      "the same agent, in groups, scores per action",
      { ...wide, neighbourhood: "sameAgent", headInput: "perAction" },
    ],
    ["the same action, unequal counts", { ...small, neighbourhood: "sameAction" }],
    ["the same action, equal counts", { ...regular, neighbourhood: "sameAction" }],
    ["the same action, in groups", { ...wide, neighbourhood: "sameAction" }],
    ["the same agent or action", { ...regular, neighbourhood: "sameAgentOrSameAction" }],
  ] as const)("%s", async (_name, options) => {
    const network = actionGraphNetwork("q", options as ActionGraphNetworkOptions);
    const weights = randomWeights(network.parameters, "weights");
    const open = randomSamples(network.options, 3, "observations");
    for (const samples of [open, masked(network.options, open, "masks")]) {
      const actions = Math.max(...options.actionCounts);
      const found = await scores(network, weights, samples);
      const maps = [
        await attention(network, weights, samples, 0),
        await attention(network, weights, samples, 1),
      ];
      let worst = 0;
      samples.forEach((sample, k) => {
        const wanted = defined(network, weights, sample);
        options.actionCounts.forEach((count, i) => {
          for (let a = 0; a < count; a++) {
            const value = found[(k * options.actionCounts.length + i) * actions + a];
            worst = Math.max(worst, Math.abs(value - wanted.scores[i][a]));
          }
        });
        wanted.maps.forEach((map, layer) => {
          const flat = map.flat(2);
          const own = maps[layer].slice(k * flat.length, (k + 1) * flat.length);
          worst = Math.max(worst, ...own.map((value, at) => Math.abs(value - flat[at])));
        });
      });
      expect(worst).toBeLessThan(1e-11);
    }
  });
});

test.each([
  ["unequal action counts, scores per action", { ...small, headInput: "perAction" }],
  ["groups of nodes", { ...wide, neighbourhood: "sameAgent" }],
  ["a memory", { ...small, recurrent: true, agentId: true }],
] as const)("gradients by central differences: %s", async (_name, options) => {
  const network = actionGraphNetwork("q", options as ActionGraphNetworkOptions);
  const layout = layoutOf(network.parameters);
  const weights = randomWeights(network.parameters, "gradients");
  const parameters = variable(
    "parameters",
    "float64",
    [layout.size],
    layout.parameters.flatMap(({ name }) => [...weights[name]]),
  );
  const [agents, actions] = [options.actionCounts.length, Math.max(...options.actionCounts)];
  const program = await compile(engine, {
    name: "gradients",
    inputs: {
      observations: { dtype: "float64", shape: [2, 2, agents, 2] },
      available: { dtype: "float64", shape: [2, 2, agents, actions] },
      weights: { dtype: "float64", shape: [2, 2, agents, actions] },
    },
    variables: { parameters },
    build: (leaves) => {
      const scores = network.overMoments(unpack(leaves.parameters, layout), leaves);
      const loss = sum(mul(scores, leaves.weights));
      return { results: { loss, gradient: gradients(loss, [leaves.parameters])[0] } };
    },
  });
  const rng = createRng("gradients");
  rng.fillNormal(program.inputs.observations);
  program.inputs.available.set(
    masked(network.options, randomSamples(network.options, 4, "x"), "gradients").flatMap(({ available }) =>
      available!.flat(),
    ),
  );
  rng.fillNormal(program.inputs.weights);
  program.inputs.weights.forEach((weight, k, all) => {
    all[k] = weight * program.inputs.available[k];
  });
  const lossAt = async (k: number, value: number): Promise<number> => {
    const values = parameters.values as Float64Array;
    const before = values[k];
    values[k] = value;
    await program.run();
    values[k] = before;
    return (program.results.loss as Float64Array)[0];
  };
  await program.run();
  const found = Float64Array.from(program.results.gradient as Float64Array);
  let worst = 0;
  for (let trial = 0; trial < 60; trial++) {
    const k = rng.integer(layout.size);
    const centre = parameters.values[k] as number;
    const slope = ((await lossAt(k, centre + 1e-5)) - (await lossAt(k, centre - 1e-5))) / 2e-5;
    worst = Math.max(worst, Math.abs(slope - found[k]) / Math.max(1, Math.abs(slope)));
  }
  await program.dispose();
  expect(worst).toBeLessThan(1e-6);
});

describe("identities", () => {
  test("parameters for Top-K: 46466 with normalisation, 46210 without", () => {
    const count = (options: ActionGraphNetworkOptions) =>
      nn.parameterCount(actionGraphNetwork("q", options).parameters);
    expect(count(topK)).toBe(46_466);
    expect(count({ ...topK, layerNorm: false })).toBe(46_210);
    // The head alone, which keeps its width.
    expect(count({ ...topK, graph: "none" })).toBe(4224 + 130);
    // A memory of 64: 128 + 24960 of its own, and 64 more inputs of encoder and head.
    expect(count({ ...topK, recurrent: true })).toBe(46_466 + 128 + 24_960 + 2 * 64 * 64);
  });

  test("weights and biases begin uniform within one over the root of their inputs", () => {
    const { parameters } = actionGraphNetwork("q", topK);
    const layout = layoutOf(parameters);
    const values = initialise(layout, createRng(1));
    parameters.forEach(({ name, shape }, k) => {
      if (name.includes("/norm/")) return;
      const own = values.subarray(layout.offsets[k], layout.offsets[k] + shape.reduce((a, b) => a * b, 1));
      const inputs = parameters.find((other) => other.name === name.replace(/b$/, "w"))!.shape[0];
      const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(inputs));
      expect(largest).toBeGreaterThan((own.length < 64 ? 0 : 0.9) / Math.sqrt(inputs));
    });
  });

  const initial = (network: ActionGraphNetwork, seed: number): Weights => {
    const layout = layoutOf(network.parameters);
    const values = initialise(layout, createRng(seed));
    return Object.fromEntries(
      layout.parameters.map(({ name, shape }, k) => [
        name,
        values.slice(layout.offsets[k], layout.offsets[k] + shape.reduce((a, b) => a * b, 1)),
      ]),
    );
  };

  test("permuting agents permutes scores and attention", async () => {
    const network = actionGraphNetwork("q", topK);
    const weights = initial(network, 2);
    const samples = randomSamples(topK, 4, "permuted");
    const order = [3, 0, 5, 1, 4, 2];
    const moved = samples.map(({ observations }) => ({ observations: order.map((i) => observations[i]) }));
    const [before, after] = [
      await scores(network, weights, samples, "float32"),
      await scores(network, weights, moved, "float32"),
    ];
    const maps = [
      await attention(network, weights, samples, 1, "float32"),
      await attention(network, weights, moved, 1, "float32"),
    ];
    let worst = 0;
    for (let k = 0; k < 4; k++) {
      for (let i = 0; i < 6; i++) {
        for (let a = 0; a < 2; a++) {
          worst = Math.max(worst, Math.abs(after[(k * 6 + i) * 2 + a] - before[(k * 6 + order[i]) * 2 + a]));
        }
      }
      const node = (m: number) => 2 * order[m >> 1] + (m & 1);
      for (let h = 0; h < 4; h++) {
        for (let m = 0; m < 12; m++) {
          for (let n = 0; n < 12; n++) {
            const at = (row: number, column: number) => ((k * 4 + h) * 12 + row) * 12 + column;
            worst = Math.max(worst, Math.abs(maps[1][at(m, n)] - maps[0][at(node(m), node(n))]));
          }
        }
      }
    }
    expect(worst).toBeLessThan(1e-5);
  });

  test.each([
    ["no graph", { ...topK, graph: "none" }],
    ["no edges across agents", { ...topK, neighbourhood: "sameAgent" }],
    [
      "no edges across agents, unequal counts",
      { ...topK, actionCounts: [2, 3, 2], neighbourhood: "sameAgent" },
    ],
  ] as const)(
    "%s: an agent's scores do not change with what others observe, to the last bit",
    async (_, options) => {
      const network = actionGraphNetwork("q", options as ActionGraphNetworkOptions);
      const weights = initial(network, 3);
      const [one, two] = randomSamples(network.options, 2, "others");
      const mixed = { observations: one.observations.map((own, i) => (i === 1 ? own : two.observations[i])) };
      const actions = Math.max(...options.actionCounts);
      const ofAgent1 = async (sample: Sample) =>
        (await scores(network, weights, [sample, two], "float32")).slice(actions, 2 * actions);
      expect(await ofAgent1(mixed)).toEqual(await ofAgent1(one));
    },
  );

  test("with the full graph an agent's scores change with what another observes", async () => {
    const network = actionGraphNetwork("q", topK);
    const weights = initial(network, 4);
    const [one, two] = randomSamples(topK, 2, "change");
    const changed = { observations: one.observations.map((own, i) => (i === 5 ? two.observations[i] : own)) };
    const [before] = await scores(network, weights, [one]);
    const [after] = await scores(network, weights, [changed]);
    expect(Math.abs(after - before)).toBeGreaterThan(1e-8);
  });

  test("agents that observe the same score the same, unless they have identities", async () => {
    const same = { observations: Array.from({ length: 6 }, () => [0]) };
    for (const agentId of [false, true]) {
      const network = actionGraphNetwork("q", { ...topK, agentId });
      const found = await scores(network, initial(network, 5), [same], "float32");
      const spread = found.map((value, k) => Math.abs(value - found[k % 2]));
      if (agentId) expect(Math.max(...spread)).toBeGreaterThan(1e-3);
      else expect(Math.max(...spread)).toBe(0);
    }
  });

  test("attention: rows sum to 1, masks are exact, no preference is uniform", async () => {
    const samples = randomSamples(topK, 8, "rows");
    const withMasks = masked(topK, samples, "row masks");
    for (const [neighbourhood, degree] of [
      ["full", 12],
      ["sameAgent", 2],
      ["sameAction", 6],
      ["sameAgentOrSameAction", 7],
    ] as const) {
      const network = actionGraphNetwork("q", { ...topK, neighbourhood });
      const weights = initial(network, 6);
      const mask = neighbourhoodMask(network.nodes, neighbourhood);
      const allowed = (m: number, n: number) => mask === undefined || mask[m * 12 + n] === 1;
      const map = await attention(network, weights, samples, 1, "float32");
      for (let row = 0; row < map.length / 12; row++) {
        const own = map.slice(row * 12, row * 12 + 12);
        expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
        expect(own.map((value) => value > 0)).toEqual(own.map((_, n) => allowed(row % 12, n)));
      }
      const maskedMap = await attention(network, weights, withMasks, 1, "float32");
      const hidden = maskedMap.filter((_, at) => {
        const [n, m, k] = [at % 12, Math.floor(at / 12) % 12, Math.floor(at / (12 * 12 * 4))];
        const isAvailable = (node: number) => withMasks[k].available![node >> 1][node & 1] === 1;
        return isAvailable(m) && !isAvailable(n);
      });
      expect(hidden.length).toBeGreaterThan(100);
      expect(hidden.every((value) => value === 0)).toBe(true);
      for (let layer = 0; layer < 2; layer++) {
        weights[`q/attention/${layer}/qkv/w`].forEach((_, k, all) => {
          if (k % 192 < 128) all[k] = 0;
        });
        weights[`q/attention/${layer}/qkv/b`].fill(0, 0, 128);
      }
      const flat = await attention(network, weights, samples, 1, "float32");
      const errors = flat.map((value, at) =>
        Math.abs(value - (allowed(Math.floor(at / 12) % 12, at % 12) ? 1 / degree : 0)),
      );
      expect(Math.max(...errors)).toBeLessThan(1e-6);
    }
  });

  test("unavailable nodes change nothing", async () => {
    const network = actionGraphNetwork("q", small);
    const weights = randomWeights(network.parameters, "hidden nodes");
    const [{ observations }] = randomSamples(small, 1, "hidden nodes");
    // Agent 1 alone has a third action; here nobody may play it.
    const available = [
      [1, 1, 0],
      [1, 1, 0],
      [1, 0, 0],
    ];
    const changed = { ...weights, "q/encoder/0/w": weights["q/encoder/0/w"].slice() };
    changed["q/encoder/0/w"].fill(9, (2 + 2) * 8, (2 + 3) * 8);
    const without = await scores(network, weights, [{ observations, available }]);
    expect(await scores(network, changed, [{ observations, available }])).toEqual(without);
    const open = await scores(network, weights, [{ observations }]);
    expect(await scores(network, changed, [{ observations }])).not.toEqual(open);
  });
});

describe("memory", () => {
  const options = { ...small, recurrent: true, agentId: true };
  const network = actionGraphNetwork("q", options);
  const layout = layoutOf(network.parameters);
  const vector = layout.parameters.flatMap(({ name }) => [
    ...randomWeights(network.parameters, "memory")[name],
  ]);

  test("scores over the moments of an episode are those of its steps", async () => {
    const [moments, size] = [3, 2];
    const observations = new Float64Array(moments * size * 3 * 2);
    createRng("episode").fillNormal(observations);
    const whole = await compile(engine, {
      name: "episode",
      inputs: { observations: { dtype: "float64", shape: [moments, size, 3, 2], values: observations } },
      variables: { parameters: variable("parameters", "float64", [layout.size], vector) },
      build: (leaves) => ({
        results: {
          found: network.overMoments(unpack(leaves.parameters, layout), {
            observations: leaves.observations,
          }),
        },
      }),
    });
    const step = await compile(engine, {
      name: "step",
      inputs: {
        observations: { dtype: "float64", shape: [size, 3, 2] },
        hidden: { dtype: "float64", shape: [size, ...network.memory.hidden] },
      },
      variables: { parameters: variable("parameters", "float64", [layout.size], vector) },
      build: ({ parameters, ...team }) => {
        const { utilities, memory } = network.step(unpack(parameters, layout), team);
        return { results: { utilities, next: memory.hidden } };
      },
    });
    await whole.run();
    const found: number[] = [];
    for (let t = 0; t < moments; t++) {
      step.inputs.observations.set(observations.subarray(t * size * 6, (t + 1) * size * 6));
      await step.run();
      found.push(...(step.results.utilities as Float64Array));
      step.inputs.hidden.set(step.results.next as Float64Array);
    }
    const wanted = Array.from(whole.results.found as Float64Array);
    expect(found).toHaveLength(wanted.length);
    for (const [k, value] of found.entries()) expect(value).toBeCloseTo(wanted[k], 12);
    // What is remembered matters: the same observation later scores otherwise.
    step.inputs.observations.set(observations.subarray(0, size * 6));
    await step.run();
    expect(Math.abs((step.results.utilities as Float64Array)[0] - found[0])).toBeGreaterThan(1e-6);
    await whole.dispose();
    await step.dispose();
  });
});

test("scores per action need a graph", () => {
  expect(() => actionGraphNetwork("q", { ...topK, graph: "none", headInput: "perAction" })).toThrow(
    'q: scores per action need a graph of actions, got graph "none", expected headInput "pooled"',
  );
});
