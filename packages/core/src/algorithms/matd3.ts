/**
 * MATD3 (Ackermann et al. 2019): MADDPG with what TD3 does against overestimated values.
 *
 * Each agent maps what it observes to a real vector. In training each has two critics that see what all agents observe and
 * do; targets are the lower of both, and the actor follows the first.
 *
 * One update, for all agents i at once, on one batch of replayed steps (o, a, r, o'):
 *
 *     y_i = r_i + discount min(Q1_i', Q2_i')(o', a_1', ..., a_N')                    primes: target networks
 *     a_k' = pi_k'(o_k') + noise, cut off, where targets are smoothed
 *     critics i: a step of each down mean (Q_i(o, a) - y_i)^2
 *
 * and with every second one, as a setting:
 *
 *     actor i: a step down -mean Q1_i(o, a with pi_i(o_i) in place of a_i) + penalty mean (last layer of pi_i)^2
 *     targets: a share of the way towards the networks
 *
 * With Gumbel-softmax actions (`head=simplex`) every pi is a fresh sample. The published code goes from agent to agent, each
 * with a batch of its own and its predecessors' new targets.
 */
import { z } from "zod";
import { segmentInputs } from "../learn/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  clip,
  compile,
  type Expr,
  loadEngine,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  sum,
} from "../tensor/index.ts";
import {
  type Algorithm,
  actionRanges,
  adamOptions,
  agentLearnable,
  bootstrapped,
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
import { agentRewards, centralCriticSettings, publishedDefaults } from "./maddpg.ts";

const configSchema = z.strictObject({
  ...controlSettings(publishedDefaults),
  ...centralCriticSettings,
  policyDelay: z
    .int()
    .min(1)
    .default(2)
    .describe("Updates of the critics for each of the actors and of all targets"),
  smoothing: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "Deviation of the normal noise on the actions of targets: of shares, or as a share of half a range; 0 for none",
    ),
  smoothingLimit: z.number().positive().default(0.5).describe("Where that noise is cut off, on both sides"),
});

export type Matd3Config = z.output<typeof configSchema>;

const presets = paperPresets({ reward: "team" });

export const matd3: Algorithm<Matd3Config> = {
  name: "matd3",
  description: "MADDPG with two critics for every agent, smoothed targets and delayed actors",
  source: "Ackermann et al. 2019",
  config: configSchema,
  presets: {
    published: {
      description:
        "the defaults: batches of 1024 every 100 steps, from 25 600 steps on, Adam at 0.01, targets not smoothed",
      config: {},
    },
    ...presets,
    paperTemperature: {
      description: `${presets.paperTemperature.description}, targets smoothed`,
      config: { ...presets.paperTemperature.config, smoothing: 0.2 },
    },
    nine: {
      description: "found for nine warehouses: more noise, faster targets, a mean of agents' rewards",
      config: {
        ...presets.paperNine.config,
        actorLearningRate: 5e-4,
        criticLearningRate: 5e-3,
        targetRate: 0.05,
        deviation: 2,
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
        "found for 40 zones: linear actors that begin with small inputs, more noise, four updates an episode, a mean of agents' rewards, targets smoothed",
      config: {
        ...presets.paperTemperature.config,
        actorLearningRate: 3e-3,
        criticLearningRate: 3e-3,
        actorOutputGain: 0.1,
        targetRate: 0.05,
        deviation: 0.3,
        rewardScale: 0.01 / 40,
        updates: 4,
        smoothing: 0.2,
      },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("matd3", context, controlLoop(config), false, (plan) =>
      matd3Parts(plan, config, context.rng),
    ),
};

/**
 * Networks, gradient steps and policy.
 *
 * @throws InputError when actions are discrete, or when agents are to learn from rewards of their own and have none
 */
export async function matd3Parts(
  plan: OffPolicyPlan,
  config: Matd3Config,
  rng: Rng,
): Promise<OffPolicyParts> {
  const { spec } = plan.batch;
  const engine = await loadEngine();
  const team = controlActors("matd3", spec, config);
  const options = { ...adamOptions(config), clipped: "arrays" } as const;
  const actors = agentLearnable("actor", team.networks, options, rng);
  const [firstCentral, secondCentral] = [1, 2].map((k) => centralCritics(`critic-${k}`, spec, config));
  const firsts = agentLearnable("critic-1", firstCentral.networks, options, rng);
  const seconds = agentLearnable("critic-2", secondCentral.networks, options, rng);
  const rewardsOf = agentRewards("matd3", spec, config);

  const samples = [plan.shape.controls, plan.segments.rewards.length] as const;
  const variables = {
    ...declared("actor", actors),
    ...declared("critic-1", firsts),
    ...declared("critic-2", seconds),
  };

  /** Noise on target actions, cut off; they stay in their range, shares are left as they come. */
  const smoothed = (actions: Expr, noise: Expr): Expr => {
    const { smoothing, smoothingLimit } = config;
    const change = clip(mul(noise, smoothing), -smoothingLimit, smoothingLimit);
    if (team.head.kind !== "box") return add(actions, change);
    const { low, high, half } = actionRanges(spec);
    return minimum(maximum(add(actions, mul(change, half)), low), high);
  };

  const criticNoise = noiseInputs(samples, {
    ...(team.samples ? { nextNoise: "gumbel" } : {}),
    ...(config.smoothing > 0 ? { smoothingNoise: "normal" } : {}),
  });
  const criticProgram = await compile(engine, {
    name: "matd3: step of critics",
    inputs: { ...segmentInputs(plan.segments), ...criticNoise.inputs },
    variables,
    build(leaves: Readonly<Record<string, Expr>>) {
      const { now, next, actions, goesOn, ...experience } = controlColumns(plan.shape, leaves);
      const actor = training("actor", actors, leaves);
      const first = training("critic-1", firsts, leaves);
      const second = training("critic-2", seconds, leaves);

      let following: Expr | undefined;
      if (next !== undefined) {
        const chosen = team.act(actor.target, next, leaves.nextNoise);
        const played = config.smoothing > 0 ? smoothed(chosen, leaves.smoothingNoise) : chosen;
        const seen = firstCentral.seen(next, played);
        following = minimum(
          firstCentral.values(first.target, seen),
          secondCentral.values(second.target, seen),
        );
      }
      const targets = bootstrapped(rewardsOf(experience), following, goesOn, config);
      const taken = firstCentral.seen(now, actions);
      const firstValues = firstCentral.values(first.online, taken);
      const secondValues = secondCentral.values(second.online, taken);
      const firstLosses = squaredErrors(firstValues, targets);
      const secondLosses = squaredErrors(secondValues, targets);
      const firstStep = first.step(sum(firstLosses), config.criticLearningRate);
      const secondStep = second.step(sum(secondLosses), config.criticLearningRate);

      const ofBoth = (a: Expr, b: Expr): Expr => mul(add(a, b), 0.5);
      return {
        results: {
          "critic-loss": ofBoth(firstLosses, secondLosses),
          value: mean(ofBoth(firstValues, secondValues), [1]),
          "critic-gradient-norm": ofBoth(firstStep.gradientNorms, secondStep.gradientNorms),
        },
        updates: { ...firstStep.updates, ...secondStep.updates },
      };
    },
    finite: ["critic-loss", "critic-gradient-norm"],
  });

  const actorNoise = noiseInputs(samples, team.samples ? { noise: "gumbel" } : {});
  const actorProgram = await compile(engine, {
    name: "matd3: step of actors",
    inputs: { ...segmentInputs(plan.segments), ...actorNoise.inputs },
    variables,
    build(leaves: Readonly<Record<string, Expr>>) {
      const { now, actions } = controlColumns(plan.shape, leaves);
      const actor = training("actor", actors, leaves);
      const first = training("critic-1", firsts, leaves);
      const second = training("critic-2", seconds, leaves);

      const taken = firstCentral.seen(now, actions);
      const renewed = firstCentral.seen(now, team.act(actor.online, now, leaves.noise));
      const worth = mean(firstCentral.valuesOfOwn(first.online, taken, renewed), [1]);
      const losses = add(neg(worth), team.penalty(actor.online, now));
      const step = actor.step(sum(losses), config.actorLearningRate);
      return {
        results: { "actor-loss": losses, "actor-gradient-norm": step.gradientNorms },
        updates: {
          ...step.updates,
          ...actor.follow(step, config.targetRate),
          ...first.follow(undefined, config.targetRate),
          ...second.follow(undefined, config.targetRate),
        },
      };
    },
    finite: ["actor-loss", "actor-gradient-norm"],
  });

  return {
    ...controlPolicy(engine, { name: "matd3", spec, head: team.head, actors: [actors] }),
    // Metrics are those of the critics: actors have none in most updates.
    async update({ rng }) {
      criticNoise.draw(rng);
      const metrics = await runForAgents(criticProgram);
      const criticSteps = Number(firsts.variables.stepCount.values[0]);
      if (criticSteps % config.policyDelay === 0) {
        actorNoise.draw(rng);
        await runForAgents(actorProgram);
      }
      return metrics;
    },
    // The second program moves the targets itself.
    targets: [],
    variables: variablesOf([actors, firsts, seconds]),
    parameters: [actors.named, firsts.named, seconds.named],
    facts: { engine: `${engine.name} ${engine.version}`, communication: communication.none },
    async dispose() {
      await criticProgram.dispose();
      await actorProgram.dispose();
    },
  };
}
