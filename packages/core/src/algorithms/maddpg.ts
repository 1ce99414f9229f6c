/**
 * MADDPG (Lowe et al. 2017), in the form with networks of its own for every agent.
 *
 * Each agent maps what it observes to a real vector. In training each has a critic that sees what all agents observe and do,
 * and follows that critic's gradient with respect to its own action.
 *
 * One update, for all agents i at once, on one batch of replayed steps (o, a, r, o'):
 *
 *     y_i = r_i + discount Q_i'(o', a_1', ..., a_N'),  a_k' = pi_k'(o_k')          primes: target networks
 *     critic i: a step down mean (Q_i(o, a) - y_i)^2
 *     actor i:  a step down -mean Q_i(o, a with pi_i(o_i) in place of a_i) + penalty mean (last layer of pi_i)^2
 *     targets:  a share of the way towards the networks
 *
 * Actors follow the critics just updated. With Gumbel-softmax actions (`head=simplex`) every pi is a fresh sample. The
 * published code goes from agent to agent, each with a batch of its own and its predecessors' new targets.
 */
import { z } from "zod";
import type { EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { segmentInputs } from "../learn/index.ts";
import type { Rng } from "../random/index.ts";
import { add, compile, type Expr, loadEngine, mean, neg, sum } from "../tensor/index.ts";
import {
  type Algorithm,
  adamOptions,
  agentLearnable,
  bootstrapped,
  type ControlColumns,
  centralCritics,
  communication,
  controlActors,
  controlColumns,
  controlLoop,
  controlPolicy,
  controlSettings,
  declared,
  noiseInputs,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  paperPresets,
  runForAgents,
  squaredErrors,
  training,
  variablesOf,
} from "../training/index.ts";

/** Settings of agents' own central critics, to be spread into a schema. */
export const centralCriticSettings = {
  criticInput: z
    .enum(["observations", "state"])
    .default("observations")
    .describe("What critics see beside all actions: all agents' observations, or the state"),
  reward: z
    .enum(["auto", "own", "team"])
    .default("auto")
    .describe("Which reward an agent's critic learns from; auto: its own where agents have one"),
} as const;

/** What the published code gives both MADDPG and MATD3. */
export const publishedDefaults = {
  rolloutSteps: 100,
  replayCapacity: 1_000_000,
  batchSize: 1024,
  learningStarts: 25_600,
  sampling: "with-replacement",
  discount: 0.95,
  actorLearningRate: 0.01,
  criticLearningRate: 0.01,
  optimiserEpsilon: 1e-8,
  maxGradientNorm: 0.5,
  targetRate: 0.01,
  hidden: [64, 64],
  uniformSteps: 0,
  actionPenalty: 1e-3,
} as const;

const configSchema = z.strictObject({ ...controlSettings(publishedDefaults), ...centralCriticSettings });

export type MaddpgConfig = z.output<typeof configSchema>;

const presets = paperPresets({ reward: "team" });

export const maddpg: Algorithm<MaddpgConfig> = {
  name: "maddpg",
  description: "Deterministic actors, each under a critic of its own that sees what all agents see and do",
  source: "Lowe et al. 2017; Ackermann et al. 2019 (code)",
  config: configSchema,
  presets: {
    published: {
      description: "the defaults: batches of 1024 every 100 steps, from 25 600 steps on, Adam at 0.01",
      config: {},
    },
    ...presets,
    nine: {
      description: "found for nine warehouses: more noise, faster targets, a mean of agents' rewards",
      config: {
        ...presets.paperNine.config,
        actorLearningRate: 3e-4,
        criticLearningRate: 3e-3,
        targetRate: 0.05,
        deviation: 1,
        rewardScale: 1 / 9,
      },
    },
    ring: {
      description:
        "found for the ring of 40 warehouses: actors that learn slowly, faster targets, a mean of agents' rewards",
      config: {
        ...presets.paperRing.config,
        actorLearningRate: 2e-5,
        criticLearningRate: 1e-3,
        targetRate: 0.05,
        deviation: 1,
        rewardScale: 1 / 40,
      },
    },
    temperature: {
      description:
        "found for 40 zones: linear actors that begin with small inputs, more noise, four updates an episode, a mean of agents' rewards",
      config: {
        ...presets.paperTemperature.config,
        actorLearningRate: 3e-3,
        criticLearningRate: 3e-3,
        actorOutputGain: 0.1,
        targetRate: 0.05,
        deviation: 0.3,
        rewardScale: 0.01 / 40,
        updates: 4,
      },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("maddpg", context, controlLoop(config), false, (plan) =>
      maddpgParts(plan, config, context.rng),
    ),
};

/**
 * Networks, gradient steps and policy.
 *
 * @throws InputError when actions are discrete, or when agents are to learn from rewards of their own and have none
 */
export async function maddpgParts(
  plan: OffPolicyPlan,
  config: MaddpgConfig,
  rng: Rng,
): Promise<OffPolicyParts> {
  const { spec } = plan.batch;
  const engine = await loadEngine();
  const team = controlActors("maddpg", spec, config);
  const central = centralCritics("critic", spec, config);
  const options = { ...adamOptions(config), clipped: "arrays" } as const;
  const actors = agentLearnable("actor", team.networks, options, rng);
  const critics = agentLearnable("critic", central.networks, options, rng);
  const rewardsOf = agentRewards("maddpg", spec, config);

  const samples = [plan.shape.controls, plan.segments.rewards.length] as const;
  const noise = noiseInputs(samples, team.samples ? { nextNoise: "gumbel", noise: "gumbel" } : {});
  const program = await compile(engine, {
    name: "maddpg: update",
    inputs: { ...segmentInputs(plan.segments), ...noise.inputs },
    variables: { ...declared("actor", actors), ...declared("critic", critics) },
    build(leaves: Readonly<Record<string, Expr>>) {
      const { now, next, actions, goesOn, ...experience } = controlColumns(plan.shape, leaves);
      const actor = training("actor", actors, leaves);
      const critic = training("critic", critics, leaves);

      const following =
        next &&
        central.values(critic.target, central.seen(next, team.act(actor.target, next, leaves.nextNoise)));
      const targets = bootstrapped(rewardsOf(experience), following, goesOn, config);
      const taken = central.seen(now, actions);
      const values = central.values(critic.online, taken);
      const criticLosses = squaredErrors(values, targets);
      const criticStep = critic.step(sum(criticLosses), config.criticLearningRate);

      const renewed = central.seen(now, team.act(actor.online, now, leaves.noise));
      const worth = mean(central.valuesOfOwn(criticStep.after, taken, renewed), [1]);
      const actorLosses = add(neg(worth), team.penalty(actor.online, now));
      const actorStep = actor.step(sum(actorLosses), config.actorLearningRate);

      return {
        results: {
          "critic-loss": criticLosses,
          "actor-loss": actorLosses,
          value: mean(values, [1]),
          "critic-gradient-norm": criticStep.gradientNorms,
          "actor-gradient-norm": actorStep.gradientNorms,
        },
        updates: {
          ...criticStep.updates,
          ...actorStep.updates,
          ...critic.follow(criticStep, config.targetRate),
          ...actor.follow(actorStep, config.targetRate),
        },
      };
    },
    finite: ["critic-loss", "actor-loss", "critic-gradient-norm", "actor-gradient-norm"],
  });
  return {
    ...controlPolicy(engine, { name: "maddpg", spec, head: team.head, actors: [actors] }),
    async update({ rng }) {
      noise.draw(rng);
      return runForAgents(program);
    },
    // The program moves the targets itself.
    targets: [],
    variables: variablesOf([actors, critics]),
    parameters: [actors.named, critics.named],
    facts: { engine: `${engine.name} ${engine.version}`, communication: communication.none },
    dispose: program.dispose,
  };
}

/** Which rewards critics learn from, `[N, R]` or the team's `[1, R]`. */
export function agentRewards(
  name: string,
  spec: EnvSpec,
  { reward }: Pick<MaddpgConfig, "reward">,
): (experience: Pick<ControlColumns, "rewards" | "individualRewards">) => Expr {
  const individual = spec.rewards === "individual";
  if (reward === "own" && !individual) {
    throw new InputError(
      `${name}.reward: agents of ${spec.id} have no rewards of their own, got own, expected team or auto`,
    );
  }
  return ({ rewards, individualRewards }) =>
    reward === "team" || individualRewards === undefined ? rewards : individualRewards;
}
