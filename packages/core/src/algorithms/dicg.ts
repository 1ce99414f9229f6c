/**
 * DICG: deep implicit coordination graphs by policy gradient (Li et al. 2021).
 *
 * A graph of attention among the agents, found anew at every step, mixes what they observe into one embedding for each. With
 * `execution=centralised` (DICG-CE) policies read these embeddings: agents exchange observations before every action, then
 * act all at once. With `execution=decentralised` (DICG-DE) each policy reads its agent's own observation, and only the
 * critic, which is there in training alone, has a graph. Policy and critic never share parameters.
 *
 * One update: draw actions, value observations, advantages by GAE; then clipped steps on the ratio of joint policies, and
 * steps of the critic up the likelihood of the returns under a normal distribution around its values, with one learned
 * standard deviation.
 */
import { z } from "zod";
import { learnable, type SegmentShape } from "../learn/index.ts";
import { attentionScores, implicitGraphActor, implicitGraphCritic } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  compile,
  type Expr,
  exp,
  float32,
  loadEngine,
  mean,
  mul,
  neg,
  type Parameter,
  square,
  sub,
  unpack,
  type Views,
  zeros,
} from "../tensor/index.ts";
import {
  type Algorithm,
  clippedSurrogate,
  communication,
  type OnPolicyParts,
  type OnPolicyPlan,
  onPolicyLearner,
  onPolicySettings,
  samplingPolicy,
  trainMetrics,
} from "../training/index.ts";

/** Settings of implicit coordination graphs, to be spread into a schema. */
export const implicitGraphSettings = {
  score: z
    .enum(attentionScores)
    .default("general")
    .describe("How agents decide whom to heed: learned (general, diff), by likeness (dot), or fixed"),
  layers: z.int().min(0).default(2).describe("Graph layers, each of which mixes embeddings once"),
  width: z.int().min(1).default(64).describe("Width of an agent's embedding"),
  encoderWidth: z.int().min(1).default(128).describe("Width of the encoder's hidden layer"),
  headWidths: z
    .array(z.int().min(1))
    .default([128, 64, 32])
    .describe("Widths of the hidden layers that score an agent's actions"),
  agentId: z.boolean().default(false).describe("Whether an agent is told which one it is"),
} as const;

const configSchema = z.strictObject({
  execution: z
    .enum(["centralised", "decentralised"])
    .default("centralised")
    .describe("Whether agents exchange observations to act, or only the critic sees them together"),
  ...implicitGraphSettings,
  aggregation: z
    .enum(["sum", "direct"])
    .default("sum")
    .describe("Whether the critic adds up a value for each agent, or values all embeddings side by side"),
  criticWidths: z
    .array(z.int().min(1))
    .default([64])
    .describe("Widths of the hidden layers that value embeddings"),
  ...onPolicySettings({
    environments: 30,
    epochs: 10,
    minibatches: 3,
    ratio: "joint",
    entropyCoefficient: 0.1,
    traceDecay: 0.97,
    standardise: "auto",
    learningRate: 3e-4,
    maxGradientNorm: 7,
  }),
});

export type DicgConfig = z.output<typeof configSchema>;

export const dicg: Algorithm<DicgConfig> = {
  name: "dicg",
  description:
    "PPO over a learned coordination graph of attention among agents, which communicate unless told not to",
  source: "Li et al. 2021, Deep Implicit Coordination Graphs for Multi-agent Reinforcement Learning",
  config: configSchema,
  presets: {
    mpe: {
      description:
        "for particle environments: agents are told who they are, 4 passes over 32 episodes, Adam at 7e-4, entropy at .01",
      config: {
        agentId: true,
        environments: 32,
        epochs: 4,
        minibatches: 4,
        entropyCoefficient: 0.01,
        learningRate: 7e-4,
        ratio: "per-agent",
        standardise: "batch",
      },
    },
    fast: {
      description: "for one-step games such as Top-K: 256 episodes side by side",
      config: { environments: 256, minibatches: 4, entropyCoefficient: 0.01, learningRate: 1e-3 },
    },
  },
  create: ({ config, ...context }) =>
    onPolicyLearner("dicg", context, config, (plan) => dicgParts(plan, config, context.rng)),
};

/** Networks, gradient steps and policy. */
export async function dicgParts(
  { samples, shape, spec }: OnPolicyPlan,
  config: DicgConfig,
  rng: Rng,
): Promise<OnPolicyParts> {
  const engine = await loadEngine();
  const networks = dicgNetworks(shape, config);
  const adam = { learningRate: config.learningRate, epsilon: config.adamEpsilon };
  const { maxGradientNorm } = config;
  const actor = learnable("actor", networks.actor.parameters, { ...adam, maxGradientNorm }, rng);
  // As in published code, the critic's gradient is not clipped.
  const unclipped = { ...adam, maxGradientNorm: Number.POSITIVE_INFINITY };
  const critic = learnable("critic", networks.critic.parameters, unclipped, rng);
  const rate = { learningRate: float32() };

  const actorStep = await compile(engine, {
    name: "dicg: policy step",
    inputs: { ...samples, ...rate },
    variables: actor.variables,
    build(leaves) {
      const views = unpack(leaves.parameters, actor.layout);
      const logits = networks.actor.apply(views, leaves.observations);
      const { policyLoss, entropy, metrics } = clippedSurrogate(logits, leaves, config);
      const loss = sub(policyLoss, mul(entropy, config.entropyCoefficient));
      const { gradientNorm, updates } = actor.step(loss, views, leaves, leaves.learningRate);
      return {
        results: { "policy-loss": policyLoss, entropy, "actor-gradient-norm": gradientNorm, ...metrics },
        updates,
      };
    },
    finite: ["policy-loss", "actor-gradient-norm"],
  });
  const criticStep = await compile(engine, {
    name: "dicg: value step",
    inputs: { observations: samples.observations, returns: samples.returns, ...rate },
    variables: critic.variables,
    build(leaves) {
      const views = unpack(leaves.parameters, critic.layout);
      const valueLoss = networks.critic.loss(views, leaves.observations, leaves.returns);
      const { gradientNorm, updates } = critic.step(valueLoss, views, leaves, leaves.learningRate);
      return { results: { "value-loss": valueLoss, "critic-gradient-norm": gradientNorm }, updates };
    },
    finite: ["value-loss", "critic-gradient-norm"],
  });

  return {
    policy: samplingPolicy(engine, {
      name: "dicg",
      spec,
      shape,
      network: actor,
      logits: (views, { observations }) => networks.actor.apply(views, observations),
    }),
    critic: { ...critic, value: networks.critic.value },
    async step(learningRate) {
      actorStep.inputs.learningRate[0] = learningRate;
      criticStep.inputs.learningRate[0] = learningRate;
      await actorStep.run();
      await criticStep.run();
      return trainMetrics({ ...actorStep.results, ...criticStep.results });
    },
    variables: [...Object.values(actor.variables), ...Object.values(critic.variables)],
    parameters: [actor, critic],
    facts: {
      engine: `${engine.name} ${engine.version}`,
      communication: config.execution === "centralised" ? communication.observations : communication.none,
    },
    async dispose() {
      await actorStep.dispose();
      await criticStep.dispose();
    },
  };
}

/** The policy and the critic. */
function dicgNetworks({ agents, observationSize, actions }: SegmentShape, config: DicgConfig) {
  const options = { ...config, agents, observationSize, actions };
  const communicates = config.execution === "centralised";
  const actor = implicitGraphActor("actor", { ...options, communicates });
  const critic = implicitGraphCritic("critic", options);
  const logDeviation: Parameter = { name: "critic/log-deviation", shape: [1], initialise: zeros };
  return {
    actor,
    critic: {
      parameters: [...critic.parameters, logDeviation],
      value: critic.apply,
      /** Mean negative log-likelihood of the returns `[S]`, a scalar. */
      loss(views: Views, observations: Expr, returns: Expr): Expr {
        const error = mul(
          sub(returns, critic.apply(views, observations)),
          exp(neg(views[logDeviation.name])),
        );
        const halfSquares = mul(square(error), 0.5);
        return mean(add(add(halfSquares, views[logDeviation.name]), Math.log(2 * Math.PI) / 2));
      },
    },
  };
}
