/**
 * Action-graph policies (AGP), value based.
 *
 * Every action of every agent is a node of one graph. Nodes attend to each other, and each agent scores its actions from
 * its observation and a context pooled over its own nodes: so what it does can depend on what the others may do. Agents
 * exchange observations before they act, all at once; nobody sees what another chooses. The scores are utilities
 * that add up to the value of the joint action (`tdMode=sum`), each estimate the team's value (`independent`), or are mixed
 * as in QMIX (`qmix`).
 *
 * One update: `y = r + discount Q_tot'(a*)`, where `a*` are the agents' best next actions by the present network and
 * `Q_tot'` their value by the target network; then a step down `(Q_tot(a) - y)^2`.
 */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { actionGraphNetwork, monotonicMixer, sumMixer } from "../models/index.ts";
import { neighbourhoods, parseNeighbourhood } from "../structure/index.ts";
import { type Expr, loadEngine, type Views } from "../tensor/index.ts";
import {
  type Algorithm,
  communication,
  doubleQ,
  type Experience,
  greedyParts,
  type LearnerContext,
  measureAttention,
  mixed,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  particleExploration,
  particleLoop,
  particlePurposes,
  temporalDifference,
  valueUpdate,
} from "../training/index.ts";

/** Settings of the action-graph network, to be spread into a schema; defaults are the paper's where it has them. */
export const actionGraphSettings = {
  width: z.int().min(1).default(64).describe("Width of all layers"),
  heads: z.int().min(1).default(4).describe("Heads of an attention layer; they must divide the width"),
  layers: z.int().min(1).default(2).describe("Attention layers"),
  graph: z
    .enum(["actions", "none"])
    .default("actions")
    .describe(
      "Whether there is a graph; without one every context is zero and agents act on their own observations",
    ),
  crossAgent: z
    .boolean()
    .default(true)
    .describe("Whether actions attend to those of other agents; without, only to those of their own agent"),
  neighbourhood: z.enum(neighbourhoods).default("full").describe("Which actions an action attends to"),
  residual: z.boolean().default(true).describe("Whether attention layers add their input to what they give"),
  layerNorm: z.boolean().default(true).describe("Whether attention layers normalise what they give"),
  headInput: z
    .enum(["pooled", "perAction"])
    .default("pooled")
    .describe("What a score is read from: observation and context, or these and the action's own embedding"),
  agentId: z
    .boolean()
    .default(false)
    .describe("Whether nodes and scores are told which agent they belong to; for agents with unlike roles"),
  recurrent: z
    .boolean()
    .default(false)
    .describe("Whether agents remember the episode, by a gated recurrent unit over their observations"),
} as const;

const configSchema = z.strictObject({
  ...offPolicySettings,
  ...actionGraphSettings,
  replayCapacity: offPolicySettings.replayCapacity.default(50_000),
  optimiser: offPolicySettings.optimiser.default("adam"),
  tdMode: z
    .enum(["sum", "independent", "qmix"])
    .default("sum")
    .describe("What the team's value is: the sum of the agents' utilities, each of them, or QMIX's mixture"),
  embedding: z.int().min(1).default(32).describe("Width of the mixing network, for tdMode=qmix"),
  hypernetHidden: z
    .int()
    .min(0)
    .default(64)
    .describe("Width of the hidden layer between state and mixing weights, for tdMode=qmix; 0 for none"),
});

export type AgpConfig = z.output<typeof configSchema>;

/** Without residual and normalisation, as the paper's formulas are written. */
const literal = { residual: false, layerNorm: false } as const;

export const agp: Algorithm<AgpConfig> = {
  name: "agp",
  description: "Q-learning with utilities read from attention among all actions of all agents",
  source: "Action-graph policies (AGP), Sections 3 and 4",
  config: configSchema,
  presets: {
    paper: {
      description:
        "the defaults, which are what the paper says: Adam at 5e-4, batches of 32, a replay of 50 000, one update after each " +
        "episode. With agents that remember set replayCapacity=5000",
      config: {},
    },
    literal: {
      description: "as the paper's formulas are written: attention without residual and layer normalisation",
      config: literal,
    },
    mpe: { description: particlePurposes.mpe, config: { agentId: true, ...particleLoop.mpe } },
    "mpe-fast": {
      description: particlePurposes["mpe-fast"],
      config: { agentId: true, ...particleLoop["mpe-fast"], ...particleExploration },
    },
    fast: {
      description:
        "for games of one step such as Top-K: 64 samples after every 32 fresh episodes, Adam at 1e-3, exploration that " +
        "fades over 20 000 episodes",
      config: { environments: 32, batchSize: 64, learningRate: 1e-3, epsilonSteps: 20_000 },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("agp", context, config, config.recurrent, (plan) => agpParts(plan, config, context)),
};

/** Networks, gradient step and policy. */
export async function agpParts(
  plan: OffPolicyPlan,
  config: AgpConfig,
  { env, rng }: Pick<LearnerContext<AgpConfig>, "env" | "rng">,
): Promise<OffPolicyParts> {
  const { shape, batch } = plan;
  const engine = await loadEngine();
  const network = agpNetwork(batch.spec, config);
  const mixer = config.tdMode === "qmix" ? monotonicMixer("mixer", { ...shape, ...config }) : sumMixer;

  const utilities = (views: Views, segments: Experience): Expr => network.overMoments(views, segments);

  const learned = await valueUpdate(engine, rng, {
    name: "agp",
    plan,
    config,
    parameters: [...network.parameters, ...mixer.parameters],
    loss(online, target, experience) {
      const chosen = doubleQ(utilities, online, target, experience);
      const values =
        config.tdMode === "independent" ? chosen : mixed(mixer, online, target, chosen, experience);
      return temporalDifference(values, experience, config.discount);
    },
  });
  const parts = greedyParts(engine, learned, {
    name: "agp",
    plan,
    memory: network.memory,
    step: network.step,
    communication: exchangesObservations(config) ? communication.observations : communication.none,
  });
  if (config.graph === "none") return parts;
  const measured = { env, network, learned: learned.network, createPolicy: parts.createPolicy };
  return { ...parts, attention: (samples, rng) => measureAttention(engine, measured, samples, rng) };
}

/**
 * The network for an environment of discrete actions.
 *
 * @throws InputError when settings contradict each other
 */
export function agpNetwork(
  { actions, observationSize }: Pick<OffPolicyPlan["batch"]["spec"], "actions" | "observationSize">,
  config: Pick<AgpConfig, keyof typeof actionGraphSettings>,
) {
  if (config.width % config.heads !== 0) {
    throw new InputError(
      `heads: ${config.heads} heads do not share a width of ${config.width} evenly, expected a divisor of it`,
    );
  }
  const actionCounts = actions.map((space) => (space.kind === "discrete" ? space.n : 0));
  const neighbourhood = parseNeighbourhood(config.neighbourhood, config);
  return actionGraphNetwork("agent", { ...config, actionCounts, observationSize, neighbourhood });
}

/** Whether what an agent does can depend on what others observe. */
export const exchangesObservations = ({
  graph,
  crossAgent,
  neighbourhood,
}: Pick<AgpConfig, "graph" | "crossAgent" | "neighbourhood">): boolean =>
  graph === "actions" && crossAgent && neighbourhood !== "sameAgent";
