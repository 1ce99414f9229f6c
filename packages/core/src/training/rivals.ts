/**
 * Opponents that learn while the team does: independent Q-learners (Tan 1993), each from its own observations and its own
 * rewards, with the network and the update of IQL. They share one network, which is told who each of them is, and remember
 * nothing.
 *
 * One update: `y_i = r_i + discount Q_i'(a_i*)`, where `a_i*` is the opponent's best next action by the present network and
 * `Q_i'` its value by the target network; then a step down the mean over opponents of `(Q_i(a_i) - y_i)^2`.
 */
import { z } from "zod";
import type { EnvBatch, JsonValue, RivalBatch } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  createReplay,
  createSegments,
  learnableWith,
  linearSchedule,
  type ReplayState,
  type RewardStandardiserState,
  rewardStandardiser,
  segmentInputs,
  segmentRecorder,
  segmentShape,
  writeMasks,
} from "../learn/index.ts";
import { agentNetwork } from "../models/index.ts";
import type { Rng, RngState } from "../random/index.ts";
import {
  adam,
  add,
  compile,
  type Expr,
  loadEngine,
  mean,
  mul,
  NonFiniteError,
  type Operand,
  reshape,
  sizedPrograms,
  square,
  stopGradient,
  sub,
  unpack,
  type Views,
  variable,
} from "../tensor/index.ts";
import { DivergenceError, type LearnerSnapshot, type Metrics } from "./algorithm.ts";
import { doubleQ, type Experience } from "./double-q.ts";
import { greedyPolicy } from "./greedy-policy.ts";
import type { Opponents } from "./joint-policy.ts";
import { restoreStreams, restoreVariables, savedStreams, savedVariables } from "./learner-state.ts";
import { meanMetrics, trainMetrics } from "./metrics.ts";
import { explorationSettings } from "./value-settings.ts";

/**
 * Settings of opponents that learn, the same beside every method so that methods meet equal opponents. Defaults are those of
 * IQL's preset for particle environments on few cores.
 */
const rivalConfig = z.strictObject({
  hidden: z.int().min(1).default(64).describe("Width of their network"),
  updateInterval: z.int().min(1).default(8).describe("Environment steps from one gradient step to the next"),
  batchSize: z.int().min(1).default(128).describe("Transitions of a gradient step"),
  replayCapacity: z.int().min(1).default(50_000).describe("Most transitions that are kept"),
  ...explorationSettings({ steps: 20_000 }),
  discount: z.number().min(0).max(1).default(0.99).describe("Discount of future rewards"),
  learningRate: z.number().positive().default(1e-3).describe("Adam's step size"),
  targetInterval: z
    .int()
    .min(1)
    .default(200)
    .describe("Gradient steps after which the target network is replaced by the present one"),
  truncationIsTerminal: z
    .boolean()
    .default(false)
    .describe("Whether a state cut off by the time limit is worth nothing"),
  standardiseRewards: z
    .boolean()
    .default(true)
    .describe("Shift and scale replayed rewards to mean 0 and deviation 1"),
});

export type RivalConfig = z.output<typeof rivalConfig>;

/** The setting of a learner that trains its opponents, to be spread into its schema. */
export const rivalSettings = {
  rivals: rivalConfig.optional().describe("Settings of opponents that learn, where the environment has such"),
} as const;

/** Opponents that choose for a batch of copies in which a team learns, and learn from what comes of it. */
export interface Rivals extends Opponents {
  /** To be called after each step: takes in what came of it, and learns when it is time. @throws DivergenceError */
  learn(): Promise<void>;
  /** The same opponents in other copies, where they do not explore. */
  against(batch: EnvBatch): Promise<Opponents>;
  /** Since the last call: how they explored at first, and means over the gradient steps. */
  metrics(): Metrics;
  /** Who they are, for the learner's facts. */
  readonly facts: { readonly [key: string]: JsonValue };
  /** All that learning changes. */
  tensors(): LearnerSnapshot["tensors"];
  state(): RivalState;
  restore(state: RivalState, tensors: LearnerSnapshot["tensors"]): void;
  dispose(): Promise<void>;
}

export type RivalState = {
  readonly steps: number;
  readonly updates: number;
  readonly replay: ReplayState;
  readonly rewards: RewardStandardiserState;
  readonly streams: Readonly<Record<string, RngState>>;
};

const MAX_GRADIENT_NORM = 10;

/**
 * The opponents in a batch whose environment leaves them to somebody else (`Env.rivals`), otherwise undefined.
 *
 * @param name of the team's learner, for messages
 * @throws InputError when there are settings for opponents that do not exist
 */
export async function createRivals(
  name: string,
  batch: EnvBatch,
  settings: RivalConfig | undefined,
  rng: Rng,
): Promise<Rivals | undefined> {
  const { rivals: side, size } = batch;
  if (side === undefined) {
    if (settings === undefined) return undefined;
    throw new InputError(
      `${name}.rivals: ${batch.spec.id} has no opponents that learn, expected none of their settings ` +
        "or an environment such as mpe/tag with protocol=mixed",
    );
  }
  const config = settings ?? rivalConfig.parse({});
  const shape = segmentShape(side, "transition");
  const replay = createReplay(`${name}.rivals`, shape, config.replayCapacity, config.batchSize);
  const recorder = segmentRecorder(side, replay, config);
  const segments = createSegments(shape, config.batchSize);
  const engine = await loadEngine();
  const agent = agentNetwork("agent", {
    ...shape,
    ...config,
    recurrent: false,
    lastAction: false,
    agentId: true,
  });
  const optimiser = (learningRate: Operand) => adam({ learningRate, epsilon: 1e-8 });
  const { learningRate } = config;
  const network = learnableWith(
    "rivals",
    agent.parameters,
    { optimiser, learningRate, maxGradientNorm: MAX_GRADIENT_NORM },
    rng,
  );
  const { vector, layout } = network;
  const target = variable("rivals/target", "float32", vector.shape, vector.values as Float32Array);
  const utilities = (views: Views, moments: Experience): Expr => agent.overMoments(views, moments).utilities;
  const program = await compile(engine, {
    name: "rivals: update",
    inputs: segmentInputs(segments),
    variables: { ...network.variables, target },
    build(leaves) {
      const views = unpack(leaves.parameters, layout);
      const { taken, following } = doubleQ(utilities, views, unpack(leaves.target, layout), leaves);
      const own = leaves.individualRewards!;
      // One opponent's end is the end of all: `[1, B] -> [1, B, 1]`.
      const goesOn = mul(
        reshape(sub(1, leaves.terminated), [...leaves.terminated.shape, 1]),
        config.discount,
      );
      const aim = following === undefined ? own : stopGradient(add(own, mul(goesOn, following)));
      const loss = mean(square(sub(taken, aim)));
      const { gradientNorm, updates } = network.step(loss, views, leaves);
      const results = {
        "rivals-loss": loss,
        "rivals-value": mean(taken),
        "rivals-gradient-norm": gradientNorm,
      };
      return { results, updates };
    },
    finite: ["rivals-loss", "rivals-gradient-norm"],
  });
  const policies = greedyPolicy(engine, {
    name: "rivals",
    spec: side.spec,
    shape,
    network,
    memory: {},
    step: agent.step,
  });
  const policy = await policies.create(size);
  const evaluators = sizedPrograms((copies: number) => policies.create(copies));
  const variables = [...Object.values(network.variables), target];
  const rewards = rewardStandardiser();
  const epsilonAt = linearSchedule(config.epsilonStart, config.epsilonEnd, config.epsilonSteps);
  const streams = { exploration: rng.split("exploration"), replay: rng.split("replay") };
  let steps = 0;
  let updates = 0;
  // Since the last report: the steps before it, and what was learned.
  let reported = 0;
  let learned: Metrics[] = [];

  async function update(): Promise<void> {
    replay.draw(streams.replay, segments, "without-replacement");
    if (config.standardiseRewards) rewards.standardise(segments.individualRewards!);
    await program.run();
    learned.push(trainMetrics(program.results));
    updates++;
    if (updates % config.targetInterval === 0) {
      (target.values as Float32Array).set(vector.values as Float32Array);
    }
  }

  return {
    actions: policy.actions,
    async choose() {
      look(side, policy);
      recorder.before();
      await policy.choose({ epsilon: epsilonAt(steps), rng: streams.exploration });
    },
    async learn() {
      recorder.after(policy.actions);
      const due = Math.floor(steps / config.updateInterval);
      steps += size;
      if (replay.stored < config.batchSize) return;
      try {
        for (let k = due; k < Math.floor(steps / config.updateInterval); k++) await update();
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
    },
    async against(copies) {
      const greedy = await evaluators.for(copies.size);
      return {
        actions: greedy.actions,
        choose() {
          look(copies.rivals!, greedy);
          return greedy.choose();
        },
      };
    },
    metrics() {
      const epsilon = epsilonAt(reported);
      const means = learned.length === 0 ? {} : meanMetrics(learned);
      reported = steps;
      learned = [];
      return { "train/rivals-epsilon": epsilon, ...means };
    },
    facts: {
      agents: side.names,
      method: "independent Q-learning from their own rewards while the team learns; greedy in evaluations",
      settings: config,
    },
    tensors: () => ({
      ...savedVariables(variables),
      // The recorder holds nothing between steps: a transition is complete at once.
      ...underRivals(replay.tensors()),
    }),
    state: () => ({
      steps,
      updates,
      replay: replay.state(),
      rewards: rewards.state(),
      streams: savedStreams(streams),
    }),
    restore(saved, tensors) {
      restoreVariables(variables, tensors);
      replay.restore(saved.replay, ofRivals(tensors));
      rewards.restore(saved.rewards);
      restoreStreams(streams, saved.streams);
      ({ steps, updates } = saved);
      reported = steps;
    },
    async dispose() {
      for (const part of [policy, evaluators, program]) await part.dispose();
    },
  };
}

/** Shows the opponents what they see now. */
function look(
  side: RivalBatch,
  policy: { readonly observations: Float32Array; readonly available?: Float32Array },
): void {
  policy.observations.set(side.observations);
  if (policy.available !== undefined) writeMasks(side, policy.available);
}

const prefix = "rivals/";

/** Names beside those of the team's replay. */
const underRivals = (tensors: LearnerSnapshot["tensors"]): LearnerSnapshot["tensors"] =>
  Object.fromEntries(Object.entries(tensors).map(([name, values]) => [prefix + name, values]));

const ofRivals = (tensors: LearnerSnapshot["tensors"]): LearnerSnapshot["tensors"] =>
  Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, values]) => [name.slice(prefix.length), values]),
  );
