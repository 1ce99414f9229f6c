/**
 * Independent Q-learning (IQL; Tan 1993; Tampuu et al. 2017, with the networks of PyMARL).
 *
 * Every agent learns what its own actions are worth from the team's reward, as if the others were part of the environment.
 * All agents share one network. Agents act on their own utilities, without communication.
 *
 * One update: `y_i = r + discount Q_i'(a_i*)`, where `a_i*` is the agent's best next action by the present network and
 * `Q_i'` its value by the target network; then a step down the mean over agents of `(Q_i(a_i) - y_i)^2`.
 */
import { z } from "zod";
import { agentNetwork, hasMemory } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import { type Expr, loadEngine, type Views } from "../tensor/index.ts";
import {
  type Algorithm,
  agentSettings,
  communication,
  doubleQ,
  type Experience,
  greedyParts,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  temporalDifference,
  valuePresets,
  valueUpdate,
} from "../training/index.ts";

const configSchema = z.strictObject({
  ...offPolicySettings,
  ...agentSettings,
});

export type IqlConfig = z.output<typeof configSchema>;

export const iql: Algorithm<IqlConfig> = {
  name: "iql",
  description: "Q-learning by every agent for itself, from the reward of the team",
  source: "Tan 1993; Tampuu et al. 2017; Samvelyan et al. 2019 (PyMARL)",
  config: configSchema,
  presets: {
    ...valuePresets,
    epymarl: {
      description:
        "EPyMARL's: memory in a network of width 128, Adam at 3e-4, slow exploration, standardised rewards, a time limit " +
        "that counts as an end; the target is copied every 200 episodes, which stands for 200 updates",
      config: {
        ...valuePresets.epymarl.config,
        hidden: 128,
        recurrent: true,
        learningRate: 3e-4,
        epsilonSteps: 200_000,
      },
    },
    mpe: {
      description: `${valuePresets.mpe.description}; with memory`,
      config: { ...valuePresets.mpe.config, recurrent: true },
    },
    agpPaper: {
      ...valuePresets.agpPaper,
      config: { ...valuePresets.agpPaper.config, hidden: 128, recurrent: true },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("iql", context, config, hasMemory(config), (plan) =>
      iqlParts(plan, config, context.rng),
    ),
};

/** Networks, gradient step and policy. */
export async function iqlParts(plan: OffPolicyPlan, config: IqlConfig, rng: Rng): Promise<OffPolicyParts> {
  const { shape } = plan;
  const engine = await loadEngine();
  const agent = agentNetwork("agent", { ...shape, ...config });

  const utilities = (views: Views, segments: Experience): Expr =>
    agent.overMoments(views, segments).utilities;

  const learned = await valueUpdate(engine, rng, {
    name: "iql",
    plan,
    config,
    parameters: agent.parameters,
    loss(online, target, experience) {
      const values = doubleQ(utilities, online, target, experience);
      return temporalDifference(values, experience, config.discount);
    },
  });
  return greedyParts(engine, learned, {
    name: "iql",
    plan,
    memory: agent.trunk.memory,
    step: agent.step,
    communication: communication.none,
  });
}
