/**
 * Action-graph policies by policy gradient (AGP-PG).
 *
 * The network of AGP, in which all actions of all agents attend to each other, gives the logits of the agents' policies.
 * Agents exchange observations before they act, then all draw their actions at once, each by itself. A critic, which is
 * there in training alone, values what all of them observe side by side.
 *
 * One update: draw actions, value observations, one advantage for the team by GAE; then steps down PPO's clipped
 * objective of each agent's ratio, with the critic's squared error and less the policies' entropy.
 */
import { z } from "zod";
import { learnable } from "../learn/index.ts";
import {
  add,
  compile,
  type Expr,
  float32,
  loadEngine,
  mean,
  mul,
  nn,
  reshape,
  square,
  sub,
  unpack,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  clippedSurrogate,
  communication,
  type LearnerContext,
  measureAttention,
  type OnPolicyParts,
  type OnPolicyPlan,
  onPolicyLearner,
  onPolicySettings,
  samplingPolicy,
  trainMetrics,
} from "../training/index.ts";
import { actionGraphSettings, agpNetwork, exchangesObservations } from "./agp.ts";

const configSchema = z
  .strictObject({
    ...actionGraphSettings,
    criticWidths: z.array(z.int().min(1)).default([64, 64]).describe("Widths of the critic's hidden layers"),
    valueCoefficient: z.number().positive().default(0.5).describe("Weight of the critic's squared error"),
    ...onPolicySettings({
      environments: 32,
      epochs: 4,
      minibatches: 4,
      ratio: "per-agent",
      entropyCoefficient: 0.01,
      traceDecay: 0.95,
      standardise: "batch",
      learningRate: 1e-3,
      maxGradientNorm: 10,
    }),
  })
  .omit({ recurrent: true });

export type AgpPgConfig = z.output<typeof configSchema>;

const fast = { environments: 512, learningRate: 5e-4, entropyCoefficient: 0.003 } as const;

export const agpPg: Algorithm<AgpPgConfig> = {
  name: "agp-pg",
  description: "PPO with policies read from attention among all actions of all agents",
  source: "Action-graph policies (AGP), Section 4; Schulman et al. 2017",
  config: configSchema,
  presets: {
    fast: {
      description:
        "for games of one step such as Top-K: 512 episodes side by side, smaller steps, little entropy",
      config: fast,
    },
    steady: {
      description:
        "as fast, with steps that shrink over the second half of the run, which ends the ups and downs",
      config: { ...fast, finalLearningRate: 1e-5 },
    },
    mpe: {
      description: "for particle environments: agents are told who they are, Adam at 7e-4",
      config: { agentId: true, learningRate: 7e-4 },
    },
  },
  create: ({ config, ...context }) =>
    onPolicyLearner("agp-pg", context, config, (plan) => agpPgParts(plan, config, context)),
};

/** Networks, gradient step and policy. */
export async function agpPgParts(
  { samples, shape, spec }: OnPolicyPlan,
  config: AgpPgConfig,
  { env, rng }: Pick<LearnerContext<AgpPgConfig>, "env" | "rng">,
): Promise<OnPolicyParts> {
  const engine = await loadEngine();
  const network = agpNetwork(spec, { ...config, recurrent: false });
  const seen = shape.agents * shape.observationSize;
  const critic = nn.mlp("critic", seen, 1, { hidden: config.criticWidths });
  const value = (views: Views, observations: Expr): Expr => {
    const [samples] = observations.shape;
    return reshape(critic.apply(views, reshape(observations, [samples, seen])), [samples]);
  };
  const adam = { learningRate: config.learningRate, epsilon: config.adamEpsilon };
  const learned = learnable(
    "agp-pg",
    [...network.parameters, ...critic.parameters],
    { ...adam, maxGradientNorm: config.maxGradientNorm },
    rng,
  );

  const program = await compile(engine, {
    name: "agp-pg: step",
    inputs: { ...samples, learningRate: float32() },
    variables: learned.variables,
    build(leaves) {
      const views = unpack(leaves.parameters, learned.layout);
      const { utilities } = network.step(views, leaves);
      const { policyLoss, entropy, metrics } = clippedSurrogate(utilities, leaves, config);
      const valueLoss = mean(square(sub(value(views, leaves.observations), leaves.returns)));
      const loss = sub(
        add(policyLoss, mul(valueLoss, config.valueCoefficient)),
        mul(entropy, config.entropyCoefficient),
      );
      const { gradientNorm, updates } = learned.step(loss, views, leaves, leaves.learningRate);
      return {
        results: {
          "policy-loss": policyLoss,
          "value-loss": valueLoss,
          entropy,
          "gradient-norm": gradientNorm,
          ...metrics,
        },
        updates,
      };
    },
    finite: ["policy-loss", "value-loss", "gradient-norm"],
  });

  const policy = samplingPolicy(engine, {
    name: "agp-pg",
    spec,
    shape,
    network: learned,
    logits: (views, team) => network.step(views, team).utilities,
  });
  const watched = { env, network, learned, createPolicy: policy.create };
  return {
    policy,
    critic: { ...learned, value },
    async step(learningRate) {
      program.inputs.learningRate[0] = learningRate;
      await program.run();
      return trainMetrics(program.results);
    },
    variables: Object.values(learned.variables),
    parameters: [learned],
    attention:
      config.graph === "none"
        ? undefined
        : (count, stream) => measureAttention(engine, watched, count, stream),
    facts: {
      engine: `${engine.name} ${engine.version}`,
      communication: exchangesObservations(config) ? communication.observations : communication.none,
    },
    dispose: program.dispose,
  };
}
