/**
 * Deep implicit coordination graphs as a value method: the graph of DICG (Li et al. 2021) under utilities that add up to the
 * team's value, trained by temporal differences as VDN trains them.
 *
 * Every agent's utility reads the embedding that the graph gives it: agents exchange what they observe before every action,
 * in execution as in training. With `executionGraph=false` they do not: utilities read own observations, and the graph is
 * left with a value that no action changes, which only helps training.
 *
 * One update: a step down the squared error of `sum_i Q_i(a_i)` to `r + discount V'`, where `V'` is what a target network
 * makes of the greedy actions of the present one (double Q-learning; van Hasselt et al. 2016).
 */
import { z } from "zod";
import type { SegmentShape } from "../learn/index.ts";
import { implicitGraphActor, implicitGraphCritic } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  type Expr,
  loadEngine,
  type Parameter,
  reshape,
  slice,
  sum,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  communication,
  doubleQ,
  greedyParts,
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
import { implicitGraphSettings } from "./dicg.ts";

const configSchema = z.strictObject({
  ...offPolicySettings,
  ...implicitGraphSettings,
  executionGraph: z
    .boolean()
    .default(true)
    .describe("Whether agents exchange observations before every action; else the graph only helps training"),
});

export type DicgValueConfig = z.output<typeof configSchema>;

export const dicgValue: Algorithm<DicgValueConfig> = {
  name: "dicg-value",
  description:
    "Q-learning of a team value that is the sum of utilities, read from a learned coordination graph of attention",
  source: "Li et al. 2021 (DICG), as a value method; Sunehag et al. 2018 (VDN)",
  config: configSchema,
  presets: {
    agpPaper: {
      description:
        "what AGP says of all methods that it compares: Adam at 5e-4, batches of 32 and a replay of 50 000",
      config: { replayUnit: "episode", replayCapacity: 50_000, optimiser: "adam" },
    },
    mpe: { description: particlePurposes.mpe, config: { agentId: true, ...particleLoop.mpe } },
    "mpe-fast": {
      description: particlePurposes["mpe-fast"],
      config: { agentId: true, ...particleLoop["mpe-fast"], ...particleExploration },
    },
    fast: {
      description:
        "for games of one step such as Top-K: 64 samples after every 32 fresh episodes, Adam at 1e-3, exploration that " +
        "fades over 20 000 episodes, agents told who they are, which helps",
      config: {
        agentId: true,
        environments: 32,
        batchSize: 64,
        replayCapacity: 50_000,
        optimiser: "adam",
        learningRate: 1e-3,
        epsilonSteps: 20_000,
      },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("dicg-value", context, config, false, (plan) =>
      dicgValueParts(plan, config, context.rng),
    ),
};

/** Networks, gradient step and policy. */
export async function dicgValueParts(
  plan: OffPolicyPlan,
  config: DicgValueConfig,
  rng: Rng,
): Promise<OffPolicyParts> {
  const { shape } = plan;
  const engine = await loadEngine();
  const network = dicgValueNetwork(shape, config);

  const learned = await valueUpdate(engine, rng, {
    name: "dicg-value",
    plan,
    config,
    parameters: network.parameters,
    loss(online, target, experience) {
      const { observations } = experience;
      const { taken, following } = doubleQ(
        (views, segments) => network.utilities(views, segments.observations),
        online,
        target,
        experience,
      );
      const values = {
        taken: network.teamValue(online, taken, slice(observations, 0, 0, shape.steps)),
        following:
          following && network.teamValue(target, following, slice(observations, 0, 1, shape.moments)),
      };
      return temporalDifference(values, experience, config.discount);
    },
  });
  return greedyParts(engine, learned, {
    name: "dicg-value",
    plan,
    memory: {},
    step: (views, { observations }) => {
      const utilities = network.utilities(views, reshape(observations, [1, ...observations.shape]));
      return { utilities: reshape(utilities, utilities.shape.slice(1)), memory: {} };
    },
    communication: config.executionGraph ? communication.observations : communication.none,
  });
}

/** What joint actions are worth, over `K` moments. */
interface DicgValueNetwork {
  readonly parameters: readonly Parameter[];
  /** `[K, B, N, O] -> [K, B, N, A]` */
  utilities(views: Views, observations: Expr): Expr;
  /** The team's value `[K, B]` from its agents' utilities `[K, B, N]`. */
  teamValue(views: Views, utilities: Expr, observations: Expr): Expr;
}

function dicgValueNetwork(
  { agents, observationSize, actions }: SegmentShape,
  config: DicgValueConfig,
): DicgValueNetwork {
  const options = { ...config, agents, observationSize, actions, communicates: config.executionGraph };
  const actor = implicitGraphActor("agent", options);
  const critic = implicitGraphCritic("value", {
    ...options,
    criticWidths: [config.width],
    aggregation: "sum",
  });
  const samples = (observations: Expr): Expr => {
    const [moments, size, ...seen] = observations.shape;
    return reshape(observations, [moments * size, ...seen]);
  };
  return {
    parameters: [...actor.parameters, ...(config.executionGraph ? [] : critic.parameters)],
    utilities(views, observations) {
      const [moments, size] = observations.shape;
      return reshape(actor.apply(views, samples(observations)), [moments, size, agents, actions]);
    },
    teamValue(views, utilities, observations) {
      const total = sum(utilities, [-1]);
      if (config.executionGraph) return total;
      return add(total, reshape(critic.apply(views, samples(observations)), total.shape));
    },
  };
}
