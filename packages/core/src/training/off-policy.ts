/**
 * What off-policy learners have in common: act with exploration, keep segments in a replay, learn from drawn ones, copy
 * target networks. An algorithm brings its policy and its update.
 */
import { z } from "zod";
import { type EnvBatch, type Snapshot, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  createReplay,
  createSegments,
  linearSchedule,
  type ReplayState,
  type RewardStandardiserState,
  rewardStandardiser,
  type SegmentShape,
  type Segments,
  segmentRecorder,
  segmentShape,
  writeMasks,
} from "../learn/index.ts";
import type { Rng, RngState } from "../random/index.ts";
import {
  adam,
  type Layout,
  NonFiniteError,
  type Operand,
  type Optimiser,
  rmsProp,
  sizedPrograms,
  type Variable,
} from "../tensor/index.ts";
import {
  DivergenceError,
  endedEpisode,
  type Learner,
  type LearnerContext,
  type Metrics,
} from "./algorithm.ts";
import { type AnyJointPolicy, evaluateGreedily, evaluationCopies, forget } from "./joint-policy.ts";
import {
  parametersOf,
  restoreStreams,
  restoreVariables,
  savedStreams,
  savedVariables,
} from "./learner-state.ts";
import { meanMetrics } from "./metrics.ts";
import { createRivals, type RivalState, rivalSettings } from "./rivals.ts";
import { explorationSettings } from "./value-settings.ts";

/** Settings that every off-policy algorithm has, to be spread into its schema; defaults are those of PyMARL. */
export const offPolicySettings = {
  environments: z.int().min(1).default(1).describe("Environments stepped together"),
  rolloutSteps: z
    .int()
    .min(0)
    .default(0)
    .describe("Steps per environment between updates; 0 stands for one full episode"),
  updates: z.int().min(1).default(1).describe("Gradient steps after each rollout"),
  cycles: z
    .int()
    .min(1)
    .default(10)
    .describe(
      "Rollouts, each with its updates, that make an iteration, whose metrics are one line of the log",
    ),
  replayUnit: z
    .enum(["auto", "transition", "episode"])
    .default("auto")
    .describe("What is stored and drawn; auto: episodes where agents have a memory, else transitions"),
  replayCapacity: z.int().min(1).default(5000).describe("Most transitions or episodes that are kept"),
  batchSize: z.int().min(1).default(32).describe("Transitions or episodes of a gradient step"),
  learningStarts: z
    .int()
    .min(0)
    .default(0)
    .describe("Transitions or episodes stored before the first update; at least a batch"),
  sampling: z
    .enum(["without-replacement", "with-replacement"])
    .default("without-replacement")
    .describe("Whether one gradient step can draw the same experience twice"),
  ...explorationSettings({ steps: 50_000 }),
  discount: z.number().min(0).max(1).default(0.99).describe("Discount of future rewards"),
  optimiser: z.enum(["adam", "rmsprop"]).default("rmsprop").describe("Optimiser"),
  learningRate: z.number().positive().default(5e-4).describe("The optimiser's step size"),
  finalLearningRate: z
    .number()
    .positive()
    .optional()
    .describe("Step size at the end of the run, reached in a line over its second half; by default the same"),
  optimiserEpsilon: z
    .number()
    .positive()
    .optional()
    .describe("What the optimiser adds to its denominator; by default 1e-8 for adam, 1e-5 for rmsprop"),
  maxGradientNorm: z.number().positive().default(10).describe("Global norm that gradients are clipped to"),
  targetInterval: z
    .int()
    .min(1)
    .default(200)
    .describe("Episodes after which the target network is replaced by the present one"),
  targetRate: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe("Share of the present network mixed into the target after every update, instead of copying"),
  truncationIsTerminal: z
    .boolean()
    .default(false)
    .describe("Whether a state cut off by the time limit is worth nothing, as in EPyMARL"),
  standardiseRewards: z
    .boolean()
    .default(false)
    .describe("Shift and scale replayed rewards to mean 0 and deviation 1, as EPyMARL does"),
  ...rivalSettings,
} as const;

export type OffPolicyConfig = z.output<z.ZodObject<typeof offPolicySettings>>;

/** What an algorithm tells the loop beside its settings. */
export interface OffPolicyLoop extends OffPolicyConfig {
  /** Batches that one update learns from, drawn without regard to each other; 1 by default. */
  readonly minibatches?: number;
}

/** The optimiser that the settings ask for, as `learnableWith` takes it. */
export function optimiserOptions(
  config: Pick<OffPolicyConfig, "optimiser" | "learningRate" | "optimiserEpsilon" | "maxGradientNorm">,
): {
  readonly optimiser: (learningRate: Operand) => Optimiser<string>;
  readonly learningRate: number;
  readonly maxGradientNorm: number;
} {
  const { learningRate, maxGradientNorm } = config;
  const epsilon = config.optimiserEpsilon ?? (config.optimiser === "adam" ? 1e-8 : 1e-5);
  const optimiser = (learningRate: Operand): Optimiser<string> =>
    config.optimiser === "adam" ? adam({ learningRate, epsilon }) : rmsProp({ learningRate, epsilon });
  return { optimiser, learningRate, maxGradientNorm };
}

/** What an algorithm is told when it builds its networks and programs. */
export interface OffPolicyPlan {
  /** What it learns from: programs read this memory at every update (`segmentInputs`). */
  readonly segments: Segments;
  readonly shape: SegmentShape;
  readonly batch: EnvBatch;
}

/** What an algorithm brings. */
export interface OffPolicyParts {
  /** A policy for `size` copies; it explores when told to. */
  createPolicy(size: number): Promise<AnyJointPolicy>;
  /**
   * One gradient step on the segments of the plan, which were just drawn.
   *
   * @throws NonFiniteError when a loss or gradient is not finite
   */
  update(now: UpdateMoment): Promise<Metrics>;
  /** Parameter vectors with the targets that follow them. */
  readonly targets: readonly { readonly target: Variable; readonly online: Variable }[];
  /** All state that learning changes: parameters, optimisers' moments, targets. */
  readonly variables: readonly Variable[];
  /** Parameter vectors with their names, for safetensors. */
  readonly parameters: readonly { readonly vector: Variable; readonly layout: Layout }[];
  readonly facts: Learner["facts"];
  exportPolicy(): Uint8Array;
  /** As `Learner.exportPolicies`. */
  exportPolicies?(): Readonly<Record<string, Uint8Array>>;
  /** As `Learner.attention`. */
  attention?: Learner["attention"];
  dispose(): Promise<void>;
}

/** Where in a run an update is. */
export interface UpdateMoment {
  /** Environment steps taken so far. */
  readonly steps: number;
  /** The step size in force. */
  readonly learningRate: number;
  /** For updates that sample actions. */
  readonly rng: Rng;
}

/**
 * @param name of the algorithm, for messages
 * @param hasMemory whether agents remember, so that the replay must keep whole episodes
 * @param build makes networks and programs
 * @throws InputError when the replay is smaller than a batch, or keeps transitions of agents with a memory
 */
export async function offPolicyLearner(
  name: string,
  { env, rng, totalSteps }: Pick<LearnerContext<unknown>, "env" | "rng" | "totalSteps">,
  config: OffPolicyLoop,
  hasMemory: boolean,
  build: (plan: OffPolicyPlan) => Promise<OffPolicyParts>,
): Promise<Learner> {
  const batch = vectorise(env, config.environments, rng.split("environments"), { rivals: true });
  const { spec, size } = batch;
  if (hasMemory && config.replayUnit === "transition") {
    throw new InputError(
      `${name}.replayUnit: agents with a memory learn from whole episodes, got transition, expected episode or auto`,
    );
  }
  const unit = config.replayUnit === "auto" ? (hasMemory ? "episode" : "transition") : config.replayUnit;
  const shape = segmentShape(batch, unit);
  const replay = createReplay(name, shape, config.replayCapacity, config.batchSize);
  const { minibatches = 1 } = config;
  const segments = createSegments(shape, config.batchSize * minibatches);
  const recorder = segmentRecorder(batch, replay, config);
  const parts = await build({ segments, shape, batch });
  const rivals = await createRivals(name, batch, config.rivals, rng.split("rivals"));
  const policy = await parts.createPolicy(size);
  const evaluators = sizedPrograms((copies: number) => parts.createPolicy(copies));
  const rewards = rewardStandardiser();
  const epsilonAt = linearSchedule(config.epsilonStart, config.epsilonEnd, config.epsilonSteps);
  const rolloutSteps = config.rolloutSteps || spec.horizon;
  const streams = {
    exploration: rng.split("exploration"),
    replay: rng.split("replay"),
    update: rng.split("update"),
  };
  let steps = 0;
  let episodes = 0;
  let episodesAtCopy = 0;

  /** Plays the exploring policy for one rollout; the returns of the episodes that ended. */
  async function collect(): Promise<{ count: number; returns: number; successes: number }> {
    const ended = { count: 0, returns: 0, successes: 0 };
    for (let t = 0; t < rolloutSteps; t++) {
      policy.observations.set(batch.observations);
      if (policy.available !== undefined) writeMasks(batch, policy.available);
      recorder.before();
      await policy.choose({ epsilon: epsilonAt(steps), rng: streams.exploration });
      await rivals?.choose();
      batch.step(policy.actions, rivals?.actions);
      recorder.after(policy.actions);
      await rivals?.learn();
      steps += size;
      for (let b = 0; b < size; b++) {
        if (!endedEpisode(batch, b)) continue;
        forget(policy, b, size);
        ended.count++;
        ended.returns += batch.episodeReturns[b];
        ended.successes += batch.successes?.[b] ?? 0;
      }
    }
    episodes += ended.count;
    return ended;
  }

  /** The step size: constant over the first half of the run, then in a line to the final one. */
  function learningRate(): number {
    const { learningRate: first, finalLearningRate: last = first } = config;
    return first + (last - first) * Math.min(1, Math.max(0, (2 * steps) / totalSteps - 1));
  }

  async function learn(): Promise<Metrics> {
    replay.draw(streams.replay, segments, config.sampling, minibatches);
    if (config.standardiseRewards) rewards.standardise(segments.rewards);
    const metrics = await parts.update({ steps, learningRate: learningRate(), rng: streams.update });
    if (config.targetRate !== undefined) copyTargets(parts.targets, config.targetRate);
    return metrics;
  }

  return {
    stepsPerIteration: config.cycles * rolloutSteps * size,
    facts: { ...parts.facts, replayUnit: unit, ...(rivals && { rivals: rivals.facts }) },
    async iterate() {
      const ended = { count: 0, returns: 0, successes: 0 };
      const updates: Metrics[] = [];
      const epsilon = epsilonAt(steps);
      try {
        for (let cycle = 0; cycle < config.cycles; cycle++) {
          const { count, returns, successes } = await collect();
          ended.count += count;
          ended.returns += returns;
          ended.successes += successes;
          if (replay.stored >= Math.max(config.batchSize, config.learningStarts)) {
            for (let u = 0; u < config.updates; u++) updates.push(await learn());
          }
          if (config.targetRate === undefined && episodes - episodesAtCopy >= config.targetInterval) {
            copyTargets(parts.targets, 1);
            episodesAtCopy = episodes;
          }
        }
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
      return {
        ...(ended.count === 0 ? {} : { "train/return": ended.returns / ended.count }),
        ...(ended.count === 0 || batch.successes === undefined
          ? {}
          : { "train/success": ended.successes / ended.count }),
        "train/epsilon": epsilon,
        "train/updates": updates.length,
        ...(updates.length === 0 ? {} : meanMetrics(updates)),
        ...rivals?.metrics(),
      };
    },
    async evaluate(count, stream) {
      return evaluateGreedily(await evaluators.for(evaluationCopies(count)), env, count, stream, rivals);
    },
    snapshot: () => ({
      tensors: {
        ...savedVariables(parts.variables),
        ...Object.fromEntries(
          Object.entries(policy.memory).map(([name, values]) => [`memory/${name}`, values.slice()]),
        ),
        ...replay.tensors(),
        ...recorder.tensors(),
        ...rivals?.tensors(),
      },
      json: {
        steps,
        episodes,
        episodesAtCopy,
        batch: batch.snapshot(),
        replay: replay.state(),
        rewards: rewards.state(),
        streams: savedStreams(streams),
        ...(rivals && { rivals: rivals.state() }),
      },
    }),
    restore({ tensors, json }) {
      const saved = json as unknown as SavedState;
      restoreVariables(parts.variables, tensors);
      for (const [name, values] of Object.entries(policy.memory)) values.set(tensors[`memory/${name}`]);
      replay.restore(saved.replay, tensors);
      recorder.restore(tensors);
      ({ steps, episodes, episodesAtCopy } = saved);
      batch.restore(saved.batch);
      rewards.restore(saved.rewards);
      restoreStreams(streams, saved.streams);
      if (saved.rivals !== undefined) rivals?.restore(saved.rivals, tensors);
    },
    parameters: () => parametersOf(parts.parameters),
    exportPolicy: parts.exportPolicy,
    exportPolicies: parts.exportPolicies,
    attention: parts.attention,
    async dispose() {
      await policy.dispose();
      await evaluators.dispose();
      await rivals?.dispose();
      await parts.dispose();
    },
  };
}

interface SavedState {
  readonly steps: number;
  readonly episodes: number;
  readonly episodesAtCopy: number;
  readonly batch: Snapshot;
  readonly replay: ReplayState;
  readonly rewards: RewardStandardiserState;
  readonly streams: Readonly<Record<string, RngState>>;
  readonly rivals?: RivalState;
}

/** Moves targets by a share of their distance to what they follow; a share of 1 copies. */
function copyTargets(targets: OffPolicyParts["targets"], rate: number): void {
  for (const { target, online } of targets) {
    const [to, from] = [target.values as Float32Array, online.values as Float32Array];
    if (rate === 1) to.set(from);
    else for (let k = 0; k < to.length; k++) to[k] += rate * (from[k] - to[k]);
  }
}
