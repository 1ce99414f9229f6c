import { describe, expect, test } from "vitest";
import { z } from "zod";
import { configureEnv, type EnvFactory, environments, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import {
  add,
  constant,
  type Expr,
  type Layout,
  loadEngine,
  mul,
  NonFiniteError,
  slice,
  sum,
  type Views,
  variable,
} from "../tensor/index.ts";
import { DivergenceError, type Metrics } from "./algorithm.ts";
import {
  onPolicyLearner,
  onPolicySettings,
  type SampleInputs,
  standardiseTrajectories,
} from "./on-policy.ts";
import { samplingPolicy } from "./sampling-policy.ts";
import { unevenGame } from "./testing/small-games.ts";

const engine = await loadEngine();
const topk = configureEnv(environments.topk, { agents: 3, k: 1 }).factory;

const schema = z.strictObject(
  onPolicySettings({
    environments: 3,
    epochs: 1,
    minibatches: 1,
    ratio: "joint",
    entropyCoefficient: 0,
    traceDecay: 0.8,
    standardise: "none",
    learningRate: 0.4,
    maxGradientNorm: 1,
  }),
);

// A policy and a critic to calculate with: an agent's logits are its first observation times these, and a value is half
// plus a tenth of all that is observed.
const slopes = [0, 1, -1];
const plainLogProbabilities = (observed: number, available: readonly number[]): number[] => {
  const powers = available.map((open, a) => (open === 1 ? Math.exp(observed * slopes[a]) : 0));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => Math.log(power / total));
};
const plainValue = (observations: ArrayLike<number>): number =>
  0.5 + 0.1 * Array.from(observations).reduce((a, b) => a + b, 0);

interface Minibatch extends Readonly<Record<keyof SampleInputs, number[]>> {
  readonly learningRate: number;
}

/** A learner that takes notes of its minibatches. Its one parameter counts its steps and changes nothing. */
async function noting(env: EnvFactory, settings: z.input<typeof schema> = {}, totalSteps = 1000) {
  const vector = variable("online", "float32", [1]);
  const parameter = { name: "online", shape: [1], initialise: () => new Float64Array(1) };
  const layout: Layout = { parameters: [parameter], offsets: [0], size: 1 };
  const notes = { minibatches: [] as Minibatch[], fails: false };
  const context = { env, rng: createRng(1), totalSteps };
  const learner = await onPolicyLearner(
    "note",
    context,
    schema.parse(settings),
    async ({ samples, shape, spec }) => ({
      policy: samplingPolicy(engine, {
        name: "note",
        spec,
        shape,
        network: { vector, layout },
        logits: (_, { observations }) =>
          mul(
            slice(observations, 2, 0, 1),
            constant("float32", [shape.actions], slopes.slice(0, shape.actions)),
          ),
      }),
      critic: {
        vector,
        layout,
        value: (_: Views, observations: Expr) => add(mul(sum(observations, [1, 2]), 0.1), 0.5),
      },
      async step(learningRate): Promise<Metrics> {
        if (notes.fails) throw new NonFiniteError("note: step", "loss", Number.NaN);
        const copied = Object.entries(samples).map(([name, { values }]) => [name, [...values]]);
        notes.minibatches.push({ ...Object.fromEntries(copied), learningRate });
        (vector.values as Float32Array)[0]++;
        return { "train/loss": notes.minibatches.length };
      },
      variables: [vector],
      parameters: [{ vector, layout }],
      facts: { noted: true },
      async dispose() {},
    }),
  );
  return { learner, notes };
}

const expectClose = (found: ArrayLike<number>, expected: readonly number[], digits = 5): void => {
  expect(found).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, digits);
};

describe("a rollout", () => {
  test("is what was played, with advantages by their definition", async () => {
    const [steps, size, discount, lambda] = [9, 3, 0.9, 0.8];
    const { learner, notes } = await noting(unevenGame, {
      environments: size,
      rolloutSteps: steps,
      discount,
    });
    await learner.iterate();
    const [minibatch] = notes.minibatches;
    // The samples came shuffled: back into the order in which they were played, time-major.
    const order = createRng(1)
      .split("minibatches")
      .permutation(steps * size);
    const place = new Int32Array(order.length);
    for (const [at, sample] of order.entries()) place[sample] = at;
    const of = (name: keyof SampleInputs, sample: number): number[] => {
      const width = minibatch[name].length / order.length;
      return minibatch[name].slice(place[sample] * width, (place[sample] + 1) * width);
    };

    const batch = vectorise(unevenGame, size, createRng(1).split("environments"));
    const seen = (all: Float32Array, b: number) => all.subarray(b * 4, (b + 1) * 4);
    const rewards: number[] = [];
    const values: number[] = [];
    const nextValues: number[] = [];
    const ended: boolean[] = [];
    let cuts = 0;
    for (let t = 0; t < steps; t++) {
      const actions = new Int32Array(size * 2);
      for (let b = 0; b < size; b++) {
        const sample = t * size + b;
        const observations = of("observations", sample);
        expect(observations).toEqual([...seen(batch.observations, b)]);
        values.push(plainValue(observations));
        const masks = [...batch.available!.subarray(b * 5, (b + 1) * 5), 0];
        expect(of("available", sample)).toEqual(masks);
        const played = of("actions", sample);
        expectClose(
          of("logProbabilities", sample),
          [0, 1].map(
            (i) => plainLogProbabilities(observations[2 * i], masks.slice(3 * i, 3 * i + 3))[played[i]],
          ),
        );
        actions.set(played, b * 2);
      }
      batch.step(actions);
      for (let b = 0; b < size; b++) {
        const terminated = batch.terminated[b] === 1;
        const cut = !terminated && batch.truncated[b] === 1;
        if (cut) cuts++;
        rewards.push(batch.rewards[b]);
        ended.push(terminated || cut);
        nextValues.push(
          terminated ? 0 : plainValue(seen(cut ? batch.finalObservations : batch.observations, b)),
        );
      }
    }
    expect(cuts).toBeGreaterThan(1);
    expect(ended.filter(Boolean).length).toBeGreaterThan(cuts + 1);
    const advantage = (sample: number): number => {
      const delta = rewards[sample] + discount * nextValues[sample] - values[sample];
      const next = sample + size;
      return delta + (ended[sample] || next >= rewards.length ? 0 : discount * lambda * advantage(next));
    };
    for (let sample = 0; sample < rewards.length; sample++) {
      expectClose(of("advantages", sample), [advantage(sample)]);
      expectClose(of("returns", sample), [advantage(sample) + values[sample]]);
    }
    await learner.dispose();
  });

  test("goes on where the last one stopped, and one of no given length is an episode", async () => {
    const { learner, notes } = await noting(unevenGame, { rolloutSteps: 1, environments: 1 });
    expect(learner.stepsPerIteration).toBe(1);
    for (let k = 0; k < 3; k++) await learner.iterate();
    const times = notes.minibatches.map(({ observations }) => observations[1]);
    expect(times[0]).toBe(0);
    expect(times.some((time) => time > 0)).toBe(true);
    const whole = await noting(unevenGame);
    expect(whole.learner.stepsPerIteration).toBe(12);
    expect(whole.learner.facts).toEqual({ noted: true });
    for (const each of [learner, whole.learner]) await each.dispose();
  });
});

describe("standardised advantages", () => {
  const moments = (values: readonly number[]): [number, number] => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    return [mean, Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length)];
  };

  test.each(["batch", "auto"] as const)("of games of one step, over the batch: %s", async (standardise) => {
    const { learner, notes } = await noting(topk, { environments: 64, standardise });
    await learner.iterate();
    const [mean, deviation] = moments(notes.minibatches[0].advantages);
    expect(mean).toBeCloseTo(0, 5);
    expect(deviation).toBeCloseTo(1, 5);
    await learner.dispose();
  });

  test("over each trajectory", () => {
    // Of environment 0: 1, 3 | 5, 9 (cut by the end). Of environment 1: 2, 4, 9 | 7.
    const advantages = Float64Array.of(1, 2, 3, 4, 5, 9, 9, 7);
    standardiseTrajectories(advantages, Uint8Array.of(0, 0, 1, 0, 0, 1, 0, 0), 2);
    const deviation = Math.sqrt(26 / 3);
    expectClose(advantages, [-1, -3 / deviation, 1, -1 / deviation, -1, 4 / deviation, 1, 0], 7);
  });

  test.each([
    [topk, {}],
    [unevenGame, { rolloutSteps: 1 }],
  ])("over trajectories of one step would be 0", async (game, settings) => {
    await expect(noting(game, { ...settings, standardise: "trajectory" })).rejects.toThrow(
      new InputError(
        "note.standardise: trajectories of one step would have no advantages, got trajectory, expected auto, batch or none",
      ),
    );
  });
});

describe("an update", () => {
  test("goes over all samples in each epoch, in other minibatches each time", async () => {
    const { learner, notes } = await noting(topk, { environments: 8, epochs: 3, minibatches: 4 });
    const metrics = await learner.iterate();
    expect(metrics["train/loss"]).toBe(6.5);
    expect(notes.minibatches).toHaveLength(12);
    const epochs = [0, 4, 8].map((start) =>
      notes.minibatches.slice(start, start + 4).flatMap(({ observations }) => observations),
    );
    const sorted = epochs.map((values) => [...values].sort());
    expect(sorted[1]).toEqual(sorted[0]);
    expect(sorted[2]).toEqual(sorted[0]);
    expect(new Set(sorted[0]).size).toBe(24);
    expect(epochs[1]).not.toEqual(epochs[0]);
    await learner.dispose();
  });

  test("has minibatches of one size", async () => {
    await expect(noting(unevenGame, { minibatches: 5 })).rejects.toThrow(
      new InputError(
        "note.minibatches: 5 does not divide the 12 samples of an update (4 steps x 3 environments)",
      ),
    );
  });

  test("takes steps of one size for half of the run, then of a size that falls in a line", async () => {
    const settings = { environments: 1, finalLearningRate: 0.2 };
    const { learner, notes } = await noting(topk, settings, 10);
    for (let k = 0; k < 10; k++) await learner.iterate();
    expectClose(
      notes.minibatches.map(({ learningRate }) => learningRate),
      [0.4, 0.4, 0.4, 0.4, 0.4, 0.36, 0.32, 0.28, 0.24, 0.2],
      12,
    );
    await learner.dispose();
  });

  test("with a loss that is not finite is a divergence", async () => {
    const { learner, notes } = await noting(topk);
    notes.fails = true;
    await expect(learner.iterate()).rejects.toThrow(new DivergenceError("loss", Number.NaN));
    await learner.dispose();
  });
});

describe("a sampling policy", () => {
  const vector = variable("nothing", "float32", [1]);
  const layout: Layout = {
    parameters: [{ name: "nothing", shape: [1], initialise: () => new Float64Array(1) }],
    offsets: [0],
    size: 1,
  };
  const policies = samplingPolicy(engine, {
    name: "note",
    spec: unevenGame().spec,
    shape: { actions: 3, masked: true },
    network: { vector, layout },
    logits: (_, { observations }) => mul(slice(observations, 2, 0, 1), constant("float32", [3], slopes)),
  });
  const masks = [
    [1, 1, 1],
    [1, 0, 1],
  ];

  test("draws available actions with their probabilities, or plays the most likely one", async () => {
    const size = 4000;
    const policy = await policies.create(size);
    for (let k = 0; k < size * 2; k++) {
      policy.observations.set([0.7, 5], k * 2);
      policy.available!.set(masks[k % 2], k * 3);
    }
    const rng = createRng(3);
    await policy.choose({ epsilon: 0, rng });
    for (const agent of [0, 1]) {
      const expected = plainLogProbabilities(0.7, masks[agent]);
      const counts = [0, 0, 0];
      for (let b = 0; b < size; b++) {
        const action = policy.actions[b * 2 + agent];
        counts[action]++;
        expect(policy.logProbabilities[b * 2 + agent]).toBeCloseTo(expected[action], 5);
      }
      for (const [action, logProbability] of expected.entries()) {
        const p = Math.exp(logProbability);
        expect(Math.abs(counts[action] / size - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / size));
      }
    }
    await policy.choose();
    expect(new Set(policy.actions.filter((_, k) => k % 2 === 0))).toEqual(new Set([1]));
    expect(new Set(policy.actions.filter((_, k) => k % 2 === 1))).toEqual(new Set([0]));
    await policy.dispose();
  });

  test("leaves as a file that acts like it", async () => {
    const session = await engine.load(policies.export());
    const values = {
      observations: Float32Array.of(0.7, 5, -0.7, 5),
      noise: new Float32Array(6),
      available: Float32Array.from(masks.flat()),
    };
    const actions = new Int32Array(2);
    const logProbabilities = new Float32Array(2);
    await session.run(
      {
        observations: session.tensor("float32", [1, 2, 2], values.observations),
        noise: session.tensor("float32", [1, 2, 3], values.noise),
        available: session.tensor("float32", [1, 2, 3], values.available),
      },
      {
        actions: session.tensor("int32", [1, 2], actions),
        logProbabilities: session.tensor("float32", [1, 2], logProbabilities),
      },
    );
    expect([...actions]).toEqual([1, 2]);
    expect(logProbabilities[1]).toBeCloseTo(plainLogProbabilities(-0.7, masks[1])[2], 5);
    await session.dispose();
  });
});
