/**
 * What on-policy learners with one advantage for the whole team have in common: draw actions in many environments, value
 * what agents observe, estimate advantages, and go over the batch several times in clipped steps (PPO; Schulman et al.
 * 2017). An algorithm brings its policy, its critic and its step.
 */
import { z } from "zod";
import { type EnvSpec, type Snapshot, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  generalisedAdvantages,
  type SegmentShape,
  segmentShape,
  standardise,
  writeMasks,
} from "../learn/index.ts";
import type { RngState } from "../random/index.ts";
import {
  abs,
  cast,
  categoricalEntropy,
  clip,
  compile,
  type Expr,
  exp,
  greater,
  type Layout,
  loadEngine,
  logSoftmax,
  maskLogits,
  mean,
  minimum,
  mul,
  NonFiniteError,
  neg,
  pick,
  reshape,
  type Shape,
  sizedPrograms,
  sizeOf,
  sub,
  sum,
  unpack,
  type Variable,
  type Views,
} from "../tensor/index.ts";
import {
  DivergenceError,
  endedEpisode,
  type Learner,
  type LearnerContext,
  type Metrics,
} from "./algorithm.ts";
import { evaluateGreedily, evaluationCopies } from "./joint-policy.ts";
import {
  parametersOf,
  restoreStreams,
  restoreVariables,
  savedStreams,
  savedVariables,
} from "./learner-state.ts";
import { meanMetrics } from "./metrics.ts";
import { createRivals, type RivalConfig, type RivalState, rivalSettings } from "./rivals.ts";
import type { SamplingPolicies } from "./sampling-policy.ts";

/** Settings that every on-policy algorithm has, to be spread into its schema, with the algorithm's own defaults. */
export const onPolicySettings = (defaults: {
  readonly environments: number;
  readonly epochs: number;
  readonly minibatches: number;
  readonly ratio: OnPolicyConfig["ratio"];
  readonly entropyCoefficient: number;
  readonly traceDecay: number;
  readonly standardise: OnPolicyConfig["standardise"];
  readonly learningRate: number;
  readonly maxGradientNorm: number;
}) =>
  ({
    environments: z.int().min(1).default(defaults.environments).describe("Environments stepped together"),
    rolloutSteps: z
      .int()
      .min(0)
      .default(0)
      .describe("Steps per environment and update; 0 stands for one full episode"),
    epochs: z.int().min(1).default(defaults.epochs).describe("Passes over the data of an update"),
    minibatches: z
      .int()
      .min(1)
      .default(defaults.minibatches)
      .describe("Parts into which each pass is cut, each a gradient step"),
    clip: z.number().positive().default(0.2).describe("Clip range of the policy's ratio"),
    ratio: z
      .enum(["per-agent", "joint"])
      .default(defaults.ratio)
      .describe("Whether each agent's ratio is clipped by itself, or the product of all"),
    entropyCoefficient: z
      .number()
      .min(0)
      .default(defaults.entropyCoefficient)
      .describe("Weight of the mean entropy of an agent's policy"),
    discount: z.number().min(0).max(1).default(0.99).describe("Discount of future rewards"),
    traceDecay: z
      .number()
      .min(0)
      .max(1)
      .default(defaults.traceDecay)
      .describe("Lambda of generalised advantage estimation"),
    standardise: z
      .enum(["auto", "batch", "trajectory", "none"])
      .default(defaults.standardise)
      .describe(
        "Over what advantages are brought to mean 0 and deviation 1; auto: each trajectory, or the batch where a trajectory is one step",
      ),
    learningRate: z.number().positive().default(defaults.learningRate).describe("Adam's step size"),
    finalLearningRate: z
      .number()
      .positive()
      .optional()
      .describe(
        "Step size at the end of the run, reached in a line over its second half; by default the same",
      ),
    adamEpsilon: z.number().positive().default(1e-5).describe("Adam's epsilon"),
    maxGradientNorm: z
      .number()
      .positive()
      .default(defaults.maxGradientNorm)
      .describe("Global norm that gradients are clipped to"),
    ...rivalSettings,
  }) as const;

export interface OnPolicyConfig {
  readonly environments: number;
  readonly rolloutSteps: number;
  readonly epochs: number;
  readonly minibatches: number;
  readonly clip: number;
  readonly ratio: "per-agent" | "joint";
  readonly entropyCoefficient: number;
  readonly discount: number;
  readonly traceDecay: number;
  readonly standardise: "auto" | "batch" | "trajectory" | "none";
  readonly learningRate: number;
  readonly finalLearningRate?: number;
  readonly adamEpsilon: number;
  readonly maxGradientNorm: number;
  readonly rivals?: RivalConfig;
}

/** Samples in memory, as inputs of a program that learns from them. */
export interface SampleInputs {
  /** `[S, N, O]` */
  readonly observations: SampleInput<Float32Array>;
  /** 1 for actions that may be played, where masks are needed, `[S, N, A]`. */
  readonly available?: SampleInput<Float32Array>;
  /** `[S, N]` */
  readonly actions: SampleInput<Int32Array>;
  /** Of the actions, under the policy that took them, `[S, N]`. */
  readonly logProbabilities: SampleInput<Float32Array>;
  /** `[S]` */
  readonly advantages: SampleInput<Float32Array>;
  /** `[S]` */
  readonly returns: SampleInput<Float32Array>;
}

interface SampleInput<Values extends Float32Array | Int32Array> {
  readonly dtype: Values extends Int32Array ? "int32" : "float32";
  readonly shape: Shape;
  readonly values: Values;
}

/** Memory for `size` samples. */
export function sampleInputs(shape: SegmentShape, size: number): SampleInputs {
  const { agents, observationSize, actions, masked } = shape;
  const float = (...shape: number[]) =>
    ({ dtype: "float32", shape, values: new Float32Array(sizeOf(shape)) }) as const;
  return {
    observations: float(size, agents, observationSize),
    ...(masked ? { available: float(size, agents, actions) } : {}),
    actions: { dtype: "int32", shape: [size, agents], values: new Int32Array(size * agents) },
    logProbabilities: float(size, agents),
    advantages: float(size),
    returns: float(size),
  };
}

/** What an algorithm is told when it builds its networks and programs. */
export interface OnPolicyPlan {
  /** A minibatch, which is filled before every step. */
  readonly samples: SampleInputs;
  readonly shape: SegmentShape;
  readonly spec: EnvSpec;
}

/** What an algorithm brings. */
export interface OnPolicyParts {
  readonly policy: SamplingPolicies;
  readonly critic: {
    readonly vector: Variable;
    readonly layout: Layout;
    /** What agents that observe this can expect, `[S, N, O] -> [S]`. */
    value(views: Views, observations: Expr): Expr;
  };
  /**
   * One gradient step on the minibatch of the plan.
   *
   * @throws NonFiniteError when a loss or gradient is not finite
   */
  step(learningRate: number): Promise<Metrics>;
  /** All state that learning changes: parameters and optimisers' moments. */
  readonly variables: readonly Variable[];
  /** Parameter vectors with their names, for safetensors. */
  readonly parameters: readonly { readonly vector: Variable; readonly layout: Layout }[];
  readonly facts: Learner["facts"];
  /** As `Learner.attention`. */
  attention?: Learner["attention"];
  dispose(): Promise<void>;
}

/**
 * @param name of the algorithm, for messages
 * @param build makes networks and programs
 * @throws InputError when minibatches do not divide the samples, or every advantage would be standardised to 0
 */
export async function onPolicyLearner(
  name: string,
  { env, rng, totalSteps }: Pick<LearnerContext<unknown>, "env" | "rng" | "totalSteps">,
  config: OnPolicyConfig,
  build: (plan: OnPolicyPlan) => Promise<OnPolicyParts>,
): Promise<Learner> {
  const batch = vectorise(env, config.environments, rng.split("environments"), { rivals: true });
  const { spec, size } = batch;
  const steps = config.rolloutSteps || spec.horizon;
  const count = steps * size;
  if (count % config.minibatches !== 0) {
    throw new InputError(
      `${name}.minibatches: ${config.minibatches} does not divide the ${count} samples of an update (${steps} steps x ${size} environments)`,
    );
  }
  const singleSteps = Math.min(steps, spec.horizon) === 1;
  if (config.standardise === "trajectory" && singleSteps) {
    throw new InputError(
      `${name}.standardise: trajectories of one step would have no advantages, got trajectory, expected auto, batch or none`,
    );
  }
  const engine = await loadEngine();
  const shape = segmentShape(batch, "transition");
  const minibatch = sampleInputs(shape, count / config.minibatches);
  const parts = await build({ samples: minibatch, shape, spec });
  const rivals = await createRivals(name, batch, config.rivals, rng.split("rivals"));
  const policy = await parts.policy.create(size);
  const evaluators = sizedPrograms((copies: number) => parts.policy.create(copies));
  const critic = await compile(engine, {
    name: `${name}: values`,
    inputs: { observations: { dtype: "float32", shape: [size, spec.agents, spec.observationSize] } },
    variables: { parameters: parts.critic.vector },
    build: ({ parameters, observations }) => ({
      results: { values: parts.critic.value(unpack(parameters, parts.critic.layout), observations) },
    }),
  });
  const streams = { actions: rng.split("actions"), minibatches: rng.split("minibatches") };

  // The rollout, time-major: `[T, B, ...]`.
  const rollout = sampleInputs(shape, count);
  const rewards = new Float64Array(count);
  const ended = new Uint8Array(count);
  const values = new Float64Array(count);
  const nextValues = new Float64Array(count);
  const advantages = new Float64Array(count);
  const returns = new Float64Array(count);
  let taken = 0;

  async function valuesOf(observations: Float32Array): Promise<Float32Array> {
    critic.inputs.observations.set(observations);
    await critic.run();
    return critic.results.values as Float32Array;
  }

  /** Plays the drawing policy for one rollout and values what agents observe on the way. */
  async function collect(): Promise<Metrics> {
    let episodes = 0;
    let episodeReturns = 0;
    let successes = 0;
    for (let t = 0; t <= steps; t++) {
      const at = t * size;
      const present = await valuesOf(batch.observations);
      for (let k = at - size; k < at && t > 0; k++) {
        if (ended[k] === 0) nextValues[k] = present[k - at + size];
      }
      if (t === steps) break;
      values.set(present, at);

      policy.observations.set(batch.observations);
      if (policy.available !== undefined) writeMasks(batch, policy.available);
      await policy.choose({ epsilon: 0, rng: streams.actions });
      rollout.observations.values.set(policy.observations, t * policy.observations.length);
      if (policy.available !== undefined) {
        rollout.available!.values.set(policy.available, t * policy.available.length);
      }
      rollout.actions.values.set(policy.actions, t * policy.actions.length);
      rollout.logProbabilities.values.set(policy.logProbabilities, t * policy.actions.length);

      await rivals?.choose();
      batch.step(policy.actions, rivals?.actions);
      await rivals?.learn();
      rewards.set(batch.rewards, at);
      const cut = batch.truncated.some((truncated, b) => truncated === 1 && batch.terminated[b] === 0);
      const final = cut ? await valuesOf(batch.finalObservations) : undefined;
      for (let b = 0; b < size; b++) {
        ended[at + b] = endedEpisode(batch, b) ? 1 : 0;
        if (ended[at + b] === 0) continue;
        nextValues[at + b] = batch.terminated[b] === 1 ? 0 : final![b];
        episodes++;
        episodeReturns += batch.episodeReturns[b];
        successes += batch.successes?.[b] ?? 0;
      }
    }
    taken += count;
    return {
      ...(episodes === 0 ? {} : { "train/return": episodeReturns / episodes }),
      ...(episodes === 0 || batch.successes === undefined ? {} : { "train/success": successes / episodes }),
    };
  }

  function estimateAdvantages(): void {
    const valued = { steps, environments: size, rewards, values, nextValues, ended };
    generalisedAdvantages(valued, config.discount, config.traceDecay, advantages, returns);
    const { standardise: over } = config;
    if (over === "batch" || (over === "auto" && singleSteps)) standardise(advantages, 1e-8);
    else if (over !== "none") standardiseTrajectories(advantages, ended, size);
    rollout.advantages.values.set(advantages);
    rollout.returns.values.set(returns);
  }

  async function improve(): Promise<Metrics> {
    const size = count / config.minibatches;
    const { learningRate: first, finalLearningRate: last = first } = config;
    const learningRate = first + (last - first) * Math.min(1, Math.max(0, (2 * taken) / totalSteps - 1));
    const metrics: Metrics[] = [];
    for (let epoch = 0; epoch < config.epochs; epoch++) {
      const order = streams.minibatches.permutation(count);
      for (let start = 0; start < count; start += size) {
        copySamples(rollout, order.subarray(start, start + size), minibatch);
        metrics.push(await parts.step(learningRate));
      }
    }
    return meanMetrics(metrics);
  }

  return {
    stepsPerIteration: count,
    facts: { ...parts.facts, ...(rivals && { rivals: rivals.facts }) },
    async iterate() {
      const collected = await collect();
      estimateAdvantages();
      try {
        return { ...collected, ...(await improve()), ...rivals?.metrics() };
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
    },
    async evaluate(episodes, stream) {
      const evaluator = await evaluators.for(evaluationCopies(episodes));
      return evaluateGreedily(evaluator, env, episodes, stream, rivals);
    },
    snapshot: () => ({
      tensors: { ...savedVariables(parts.variables), ...rivals?.tensors() },
      json: {
        taken,
        batch: batch.snapshot(),
        streams: savedStreams(streams),
        ...(rivals && { rivals: rivals.state() }),
      },
    }),
    restore({ tensors, json }) {
      const saved = json as unknown as SavedState;
      restoreVariables(parts.variables, tensors);
      taken = saved.taken;
      batch.restore(saved.batch);
      restoreStreams(streams, saved.streams);
      if (saved.rivals !== undefined) rivals?.restore(saved.rivals, tensors);
    },
    parameters: () => parametersOf(parts.parameters),
    exportPolicy: parts.policy.export,
    attention: parts.attention,
    async dispose() {
      await policy.dispose();
      await evaluators.dispose();
      await critic.dispose();
      await rivals?.dispose();
      await parts.dispose();
    },
  };
}

interface SavedState {
  readonly taken: number;
  readonly batch: Snapshot;
  readonly streams: Readonly<Record<string, RngState>>;
  readonly rivals?: RivalState;
}

/** Brings the advantages `[T, B]` of every stretch between ends of episodes to mean 0 and deviation 1. */
export function standardiseTrajectories(advantages: Float64Array, ended: Uint8Array, size: number): void {
  for (let b = 0; b < size; b++) {
    let start = b;
    for (let k = b; k < advantages.length; k += size) {
      if (ended[k] === 0 && k + size < advantages.length) continue;
      const trajectory = Float64Array.from(
        { length: (k - start) / size + 1 },
        (_, t) => advantages[start + t * size],
      );
      standardise(trajectory, 1e-8);
      for (let t = 0; t < trajectory.length; t++) advantages[start + t * size] = trajectory[t];
      start = k + size;
    }
  }
}

/** Copies the chosen samples. */
function copySamples(from: SampleInputs, which: Int32Array, to: SampleInputs): void {
  for (const [name, { values: source }] of Object.entries(from) as [
    keyof SampleInputs,
    SampleInput<Float32Array>,
  ][]) {
    const { values, shape } = to[name]!;
    const width = values.length / shape[0];
    for (let k = 0; k < which.length; k++) {
      const at = which[k] * width;
      for (let c = 0; c < width; c++) values[k * width + c] = source[at + c];
    }
  }
}

/**
 * PPO's clipped objective for a team: the mean over samples (and agents) of `min(r A, clip(r) A)`, where `r` is the ratio
 * of an agent's policy to the one that acted or, with `ratio=joint`, the product of all agents' ratios.
 *
 * @param logits `[S, N, A]`, of the present policy
 * @returns scalars: what to minimise, the mean entropy of an agent's policy, and how far the policy is from the one that
 * acted: the mean negative log-ratio, and the share of ratios outside the clip range
 */
export function clippedSurrogate(
  logits: Expr,
  samples: Readonly<Record<"actions" | "logProbabilities" | "advantages", Expr>> & {
    readonly available?: Expr;
  },
  config: Pick<OnPolicyConfig, "clip" | "ratio">,
): {
  readonly policyLoss: Expr;
  readonly entropy: Expr;
  readonly metrics: Readonly<Record<"approximate-kl" | "clip-fraction", Expr>>;
} {
  const { actions, logProbabilities: old, advantages, available } = samples;
  const allowed = available === undefined ? logits : maskLogits(logits, available);
  const change = sub(pick(logSoftmax(allowed), actions), old);
  const team = config.ratio === "joint";
  const ratio = exp(team ? sum(change, [1], true) : change);
  const advantage = reshape(advantages, [advantages.shape[0], 1]);
  const gain = minimum(mul(ratio, advantage), mul(clip(ratio, 1 - config.clip, 1 + config.clip), advantage));
  const outside = greater(abs(sub(ratio, 1)), config.clip);
  return {
    policyLoss: neg(mean(gain)),
    entropy: mean(categoricalEntropy(allowed)),
    metrics: {
      "approximate-kl": neg(mean(change)),
      "clip-fraction": mean(cast(outside, ratio.dtype)),
    },
  };
}
