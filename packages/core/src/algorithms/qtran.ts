/**
 * QTRAN-base (Son et al. 2019).
 *
 * A joint value of all actions together, `Q_jt(s, a)`, is learned without any restriction, and the agents' utilities are
 * tied to it: their sum, corrected by a value of the state, equals `Q_jt` at the agents' own best actions and is nowhere
 * below it. Where that holds, agents who act on their own utilities, without communication, act best together.
 *
 * One update, a step down `(Q_jt(a) - y)^2 + w_opt D(a*)^2 + w_nopt min(0, D(a))^2` with
 * `D(a) = sum_i Q_i(a_i) - Q_jt(a) + V(s)`, where `a` are the actions taken and `a*` the agents' best by the present
 * utilities. `y = r + discount Q_jt'(a'*)` comes from the target network at the present network's best next actions. No
 * gradient reaches `Q_jt` through `D`.
 */
import { z } from "zod";
import { agentNetwork, hasMemory } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  argMax,
  concat,
  type Expr,
  loadEngine,
  maskLogits,
  minimum,
  mul,
  nn,
  oneHot,
  type Parameter,
  pick,
  reshape,
  slice,
  square,
  stopGradient,
  sub,
  sum,
  type Views,
  weightedMean,
} from "../tensor/index.ts";
import {
  type Algorithm,
  agentSettings,
  communication,
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
  embedding: z.int().min(1).default(64).describe("Width of the joint value's and the state value's layers"),
  jointLayers: z.int().min(1).default(2).describe("Hidden layers of the joint value and the state value"),
  optWeight: z
    .number()
    .min(0)
    .default(1)
    .describe("Weight of the condition at the agents' best actions, w_opt"),
  noptWeight: z.number().min(0).default(0.1).describe("Weight of the condition at other actions, w_nopt"),
});

export type QtranConfig = z.output<typeof configSchema>;

export const qtran: Algorithm<QtranConfig> = {
  name: "qtran",
  description:
    "Q-learning of an unrestricted joint value, which utilities of the agents are made to agree with",
  source: "Son et al. 2019; Samvelyan et al. 2019 (PyMARL)",
  config: configSchema,
  presets: {
    ...valuePresets,
    epymarl: {
      description: `${valuePresets.epymarl.description}; it has no settings for this method, whose optimiser is RMSprop`,
      config: { ...valuePresets.epymarl.config, optimiser: "rmsprop" },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("qtran", context, config, hasMemory(config), (plan) =>
      qtranParts(plan, config, context.rng),
    ),
};

/** Networks, gradient step and policy. */
export async function qtranParts(
  plan: OffPolicyPlan,
  config: QtranConfig,
  rng: Rng,
): Promise<OffPolicyParts> {
  const { shape } = plan;
  const engine = await loadEngine();
  const agent = agentNetwork("agent", { ...shape, ...config });
  const joint = jointValue({ ...shape, ...config });

  const learned = await valueUpdate(engine, rng, {
    name: "qtran",
    plan,
    config,
    parameters: [...agent.parameters, ...joint.parameters],
    loss(online, target, experience) {
      const { states, actions, mask } = experience;
      const { steps, moments } = shape;
      const { utilities, features } = agent.overMoments(online, experience);
      const best = bestActions(utilities, experience);
      const now = (a: Expr): Expr => slice(a, 0, 0, steps);
      const next = (a: Expr): Expr => slice(a, 0, 1, moments);

      const taken = joint.value(online, now(states), now(features), actions);
      const following =
        moments === steps
          ? undefined
          : joint.value(
              target,
              next(states),
              next(agent.overMoments(target, experience).features),
              next(best),
            );
      const { loss: temporal, metrics } = temporalDifference(
        { taken, following },
        experience,
        config.discount,
      );

      const atBest = joint.value(online, now(states), now(features), now(best));
      const stateValue = joint.stateValue(online, now(states));
      const distance = (chosen: Expr, value: Expr): Expr =>
        add(sub(sum(pick(now(utilities), chosen), [-1]), stopGradient(value)), stateValue);
      const opt = weightedMean(square(distance(now(best), atBest)), mask);
      const nopt = weightedMean(square(minimum(distance(actions, taken), 0)), mask);
      return {
        loss: add(temporal, add(mul(opt, config.optWeight), mul(nopt, config.noptWeight))),
        metrics: { ...metrics, "temporal-loss": temporal, "opt-loss": opt, "nopt-loss": nopt },
      };
    },
  });
  return greedyParts(engine, learned, {
    name: "qtran",
    plan,
    memory: agent.trunk.memory,
    step: agent.step,
    communication: communication.none,
  });
}

/** Every agent's available action of largest utility, `[M, B, N, A] -> [M, B, N]`. */
function bestActions(utilities: Expr, { available }: Pick<Experience, "available">): Expr {
  const known = stopGradient(utilities);
  return argMax(available === undefined ? known : maskLogits(known, available), -1);
}

interface JointValueOptions {
  /** `N`. */
  readonly agents: number;
  /** `S`. */
  readonly stateSize: number;
  /** `A`. */
  readonly actions: number;
  /** `H`. */
  readonly hidden: number;
  readonly embedding: number;
  readonly jointLayers: number;
}

interface JointValue {
  readonly parameters: readonly Parameter[];
  /** `Q_jt`: states `[K, B, S]`, features of the agents' network `[K, B, N, H]`, actions `[K, B, N]` -> `[K, B]`. */
  value(views: Views, states: Expr, features: Expr, actions: Expr): Expr;
  /** `V`: `[K, B, S] -> [K, B]` */
  stateValue(views: Views, states: Expr): Expr;
}

/** Every agent's features and action are encoded by a network that all share; the sum of codes and the state are valued. */
function jointValue(options: JointValueOptions): JointValue {
  const { stateSize, actions, hidden, embedding, jointLayers } = options;
  const width = hidden + actions;
  const layers = new Array<number>(jointLayers).fill(embedding);
  const encoder = nn.mlp("joint/encoder", width, width, { hidden: [width] });
  const joint = nn.mlp("joint/value", stateSize + width, 1, { hidden: layers });
  const state = nn.mlp("state-value", stateSize, 1, { hidden: layers });
  return {
    parameters: [encoder, joint, state].flatMap(({ parameters }) => parameters),
    value(views, states, features, chosen) {
      const coded = encoder.apply(views, concat([features, oneHot(chosen, actions, "float32")], 3));
      return reshape(joint.apply(views, concat([states, sum(coded, [2])], 2)), states.shape.slice(0, 2));
    },
    stateValue: (views, states) => reshape(state.apply(views, states), states.shape.slice(0, 2)),
  };
}
