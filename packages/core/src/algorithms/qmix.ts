/**
 * QMIX (Rashid et al. 2018).
 *
 * The value of a joint action is a function of the agents' utilities and the state that never falls when a utility rises,
 * so that agents who act on their own utilities, without communication, act best together. In training a network mixes
 * the utilities; its weights are non-negative functions of the state.
 *
 * One update: `y = r + discount Q_tot'(a*)`, where `a*` are the agents' best next actions by the present network and
 * `Q_tot'` their value by the target networks; then a step down `(Q_tot(a) - y)^2`.
 */
import { z } from "zod";
import { agentNetwork, hasMemory, monotonicMixer } from "../models/index.ts";
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
  mixingSettings,
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
  ...mixingSettings({ embedding: 32 }),
});

export type QmixConfig = z.output<typeof configSchema>;

export const qmix: Algorithm<QmixConfig> = {
  name: "qmix",
  description:
    "Q-learning of a team value that rises with every agent's utility, by weights that depend on the state",
  source: "Rashid et al. 2018; Samvelyan et al. 2019 (PyMARL)",
  config: configSchema,
  presets: valuePresets,
  create: ({ config, ...context }) =>
    offPolicyLearner("qmix", context, config, hasMemory(config), (plan) =>
      qmixParts(plan, config, context.rng),
    ),
};

/** Networks, gradient step and policy. */
export async function qmixParts(plan: OffPolicyPlan, config: QmixConfig, rng: Rng): Promise<OffPolicyParts> {
  const { shape } = plan;
  const engine = await loadEngine();
  const agent = agentNetwork("agent", { ...shape, ...config });
  const mixer = monotonicMixer("mixer", { ...shape, ...config });

  const utilities = (views: Views, segments: Experience): Expr =>
    agent.overMoments(views, segments).utilities;

  const learned = await valueUpdate(engine, rng, {
    name: "qmix",
    plan,
    config,
    parameters: [...agent.parameters, ...mixer.parameters],
    loss(online, target, experience) {
      const chosen = doubleQ(utilities, online, target, experience);
      const values = mixed(mixer, online, target, chosen, experience);
      return temporalDifference(values, experience, config.discount);
    },
  });
  return greedyParts(engine, learned, {
    name: "qmix",
    plan,
    memory: agent.trunk.memory,
    step: agent.step,
    communication: communication.none,
  });
}
