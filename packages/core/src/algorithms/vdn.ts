/**
 * Value decomposition networks (VDN; Sunehag et al. 2018).
 *
 * The value of a joint action is the sum of the agents' utilities, `Q_tot(a) = sum_i Q_i(a_i)`, learned from the team's
 * reward by double Q-learning. Agents act on their own utilities, without communication, unless `fullObs=true`, which
 * shows every agent all observations: a control for what mere communication is worth.
 *
 * One update: `y = r + discount Q_tot'(a*)`, where `a*` are the agents' best next actions by the present network and
 * `Q_tot'` their value by the target network; then a step down `(Q_tot(a) - y)^2`.
 */
import { z } from "zod";
import { agentNetwork, hasMemory, sumMixer } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import { type Expr, loadEngine, type Views } from "../tensor/index.ts";
import {
  type Algorithm,
  agentSettings,
  communication,
  doubleQ,
  type Experience,
  greedyParts,
  mixed,
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
  fullObs: z
    .boolean()
    .default(false)
    .describe("Whether every agent is told all agents' observations before it acts"),
});

export type VdnConfig = z.output<typeof configSchema>;

export const vdn: Algorithm<VdnConfig> = {
  name: "vdn",
  description: "Q-learning of a team value that is the sum of the agents' utilities",
  source: "Sunehag et al. 2018; Samvelyan et al. 2019 (PyMARL)",
  config: configSchema,
  presets: valuePresets,
  create: ({ config, ...context }) =>
    offPolicyLearner("vdn", context, config, hasMemory(config), (plan) =>
      vdnParts(plan, config, context.rng),
    ),
};

/** Networks, gradient step and policy. */
export async function vdnParts(plan: OffPolicyPlan, config: VdnConfig, rng: Rng): Promise<OffPolicyParts> {
  const { shape } = plan;
  const engine = await loadEngine();
  const agent = agentNetwork("agent", { ...shape, ...config });

  const utilities = (views: Views, segments: Experience): Expr =>
    agent.overMoments(views, segments).utilities;

  const learned = await valueUpdate(engine, rng, {
    name: "vdn",
    plan,
    config,
    parameters: agent.parameters,
    loss(online, target, experience) {
      const chosen = doubleQ(utilities, online, target, experience);
      const values = mixed(sumMixer, online, target, chosen, experience);
      return temporalDifference(values, experience, config.discount);
    },
  });
  return greedyParts(engine, learned, {
    name: "vdn",
    plan,
    memory: agent.trunk.memory,
    step: agent.step,
    communication: config.fullObs ? communication.observations : communication.none,
  });
}
