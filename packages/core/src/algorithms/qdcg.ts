/**
 * QDCG: deterministic actors under one critic that is a coordination graph, as MABN compares its own with. That paper only
 * names the method; the graph is that of DCG (Boehmer et al. 2020), the rest is ours.
 *
 * Each agent maps what it observes to a real vector, by a network of its own. In training the team's value is the sum of a
 * utility of each agent and a payoff of each pair, from one utility and one payoff network that serve all:
 *
 *     Q(o, a) = sum_i u(o_i, a_i) + N / |E| sum_{i < j} (p(o_i, a_i, o_j, a_j) + p(o_j, a_j, o_i, a_i)) / 2
 *
 * over all pairs (`edges=complete`), or without payoffs, as VDN has it (`edges=none`). `normalise=mean` divides by N, as DCG does.
 *
 * One update on one batch of replayed steps (o, a, r, o'), r being the team's reward:
 *
 *     y = r + discount Q'(o', pi'(o'))                                               primes: target networks
 *     critic:  a step down mean (Q(o, a) - y)^2
 *     actor i: a step down -mean Q(o, a with pi_i(o_i) in place of a_i), or with pi(o) in place of all (`replace=all`)
 *     targets: a share of the way towards the networks
 *
 * Actors follow the critic just updated.
 */
import { z } from "zod";
import type { EnvSpec } from "../envs/index.ts";
import { segmentInputs } from "../learn/index.ts";
import { actionRows, observationRows, selectRows, sharedNetwork } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  compile,
  concat,
  constant,
  type Expr,
  layoutOf,
  loadEngine,
  matMul,
  mean,
  mul,
  type Parameter,
  relu,
  reshape,
  slice,
  sub,
  sum,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  adamOptions,
  agentLearnable,
  bootstrapped,
  type ColumnsOfMoment,
  communication,
  controlActors,
  controlColumns,
  controlLoop,
  controlPolicy,
  controlSettings,
  criticActions,
  declared,
  equalAgents,
  noiseInputs,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  paperPresets,
  runForAgents,
  squaredErrors,
  targetedLearnable,
  training,
  variablesOf,
} from "../training/index.ts";

const configSchema = z.strictObject({
  ...controlSettings({
    rolloutSteps: 0,
    replayCapacity: 100_000,
    batchSize: 256,
    learningStarts: 0,
    sampling: "without-replacement",
    discount: 0.95,
    actorLearningRate: 1e-4,
    criticLearningRate: 1e-3,
    optimiserEpsilon: 1e-8,
    maxGradientNorm: 0,
    targetRate: 0.01,
    hidden: [64, 64, 64],
    uniformSteps: 0,
    actionPenalty: 0,
  }),
  edges: z.enum(["complete", "none"]).default("complete").describe("Which pairs of agents have a payoff"),
  normalise: z
    .enum(["sum", "mean"])
    .default("sum")
    .describe("Whether the value is on the scale of a sum over agents, or of a mean as in DCG"),
  replace: z
    .enum(["own", "all"])
    .default("own")
    .describe(
      "Whose actions in an actor's objective are those of the present actors: only its own, or everybody's",
    ),
  padObservations: z
    .boolean()
    .default(false)
    .describe("Whether the critic takes zeros for what an agent observes less than others"),
});

export type QdcgConfig = z.output<typeof configSchema>;

const { paperRing, paperTemperature } = paperPresets({});

export const qdcg: Algorithm<QdcgConfig> = {
  name: "qdcg",
  description: "Deterministic actors under one critic of utilities of agents and payoffs of pairs",
  source: "MABN (named there); Boehmer et al. 2020 (the graph)",
  config: configSchema,
  presets: {
    paperRing,
    paperTemperature: {
      description: `${paperTemperature.description}, zeros for neighbours that are missing`,
      config: { ...paperTemperature.config, padObservations: true },
    },
    ring: {
      description:
        "found for the ring of 40 warehouses: actors that learn slowly, faster targets, a mean of agents' rewards",
      config: {
        ...paperRing.config,
        actorLearningRate: 2e-5,
        criticLearningRate: 1e-3,
        targetRate: 0.05,
        deviation: 1,
        rewardScale: 1 / 40,
        replace: "all",
      },
    },
    temperature: {
      description:
        "found for 40 zones: linear actors that begin with small inputs, four updates an episode, a mean of agents' rewards, zeros for missing neighbours",
      config: {
        ...paperTemperature.config,
        actorLearningRate: 3e-3,
        criticLearningRate: 3e-3,
        actorOutputGain: 0.1,
        targetRate: 0.05,
        rewardScale: 0.01 / 40,
        updates: 4,
        padObservations: true,
        replace: "all",
      },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("qdcg", context, controlLoop(config), false, (plan) =>
      qdcgParts(plan, config, context.rng),
    ),
};

/**
 * Networks, gradient steps and policy.
 *
 * @throws InputError when actions are discrete, or when agents are unlike
 */
export async function qdcgParts(plan: OffPolicyPlan, config: QdcgConfig, rng: Rng): Promise<OffPolicyParts> {
  const { spec } = plan.batch;
  const engine = await loadEngine();
  const options = adamOptions(config);
  const team = controlActors("qdcg", spec, config);
  const actors = agentLearnable("actor", team.networks, options, rng);
  const graph = graphValue(equalAgents("qdcg", spec, config, "maddpg, matd3 or facmac"), config);
  const critics = targetedLearnable("critic", graph.parameters, options, rng);

  const samples = [plan.shape.controls, plan.segments.rewards.length] as const;
  const noise = noiseInputs(samples, team.samples ? { nextNoise: "gumbel", noise: "gumbel" } : {});
  const program = await compile(engine, {
    name: "qdcg: update",
    inputs: { ...segmentInputs(plan.segments), ...noise.inputs },
    variables: { ...declared("actor", actors), ...declared("critic", critics) },
    build(leaves: Readonly<Record<string, Expr>>) {
      const { now, next, actions, rewards, goesOn } = controlColumns(plan.shape, leaves);
      const actor = training("actor", actors, leaves);
      const critic = training("critic", critics, leaves);
      const told = (moment: ColumnsOfMoment, joint: Expr): Expr =>
        graph.features(moment, criticActions(spec, joint));

      const following =
        next && graph.value(critic.target, told(next, team.act(actor.target, next, leaves.nextNoise)));
      const targets = bootstrapped(rewards, following, goesOn, config);
      const taken = told(now, actions);
      const values = graph.value(critic.online, taken);
      const criticLoss = squaredErrors(values, targets);
      const criticStep = critic.step(criticLoss, config.criticLearningRate);

      const renewed = told(now, team.act(actor.online, now, leaves.noise));
      const worth =
        config.replace === "all"
          ? graph.value(criticStep.after, renewed)
          : graph.partsOfOwn(criticStep.after, taken, renewed);
      const actorLoss = sub(sum(team.penalty(actor.online, now)), sum(mean(worth, [1])));
      const actorStep = actor.step(actorLoss, config.actorLearningRate);

      return {
        results: {
          "critic-loss": criticLoss,
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
    finite: ["critic-loss", "critic-gradient-norm", "actor-gradient-norm"],
  });
  return {
    ...controlPolicy(engine, { name: "qdcg", spec, head: team.head, actors: [actors] }),
    async update({ rng }) {
      noise.draw(rng);
      return runForAgents(program);
    },
    // The program moves the targets itself.
    targets: [],
    variables: variablesOf([actors, critics]),
    parameters: [actors.named, { vector: critics.vector, layout: layoutOf(graph.named) }],
    facts: { engine: `${engine.name} ${engine.version}`, communication: communication.none },
    dispose: program.dispose,
  };
}

// ── Critic ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The team's value as a coordination graph. `D` numbers are what an agent observes and does. */
interface GraphValue {
  readonly parameters: readonly Parameter[];
  /** The same by the names they are saved under. */
  readonly named: readonly Parameter[];
  /** What each agent observes and does, `[D, N, R]`. @param actions as critics are told them, `[K, R]` */
  features(moment: ColumnsOfMoment, actions: Expr): Expr;
  /** `[1, R]` */
  value(views: Views, features: Expr): Expr;
  /**
   * For each agent the part of the value that its action enters, when this action is the one in `renewed` and all others
   * those in `taken`, `[N, R]`.
   */
  partsOfOwn(views: Views, taken: Expr, renewed: Expr): Expr;
}

/** @param spec of agents that observe and do equally much */
function graphValue(spec: EnvSpec, { edges, normalise, criticHidden }: QdcgConfig): GraphValue {
  const { agents } = spec;
  const observed = observationRows(spec);
  const first = agents * spec.observationSize;
  const rows = actionRows(spec).map((own, agent) => [...observed[agent], ...own.map((row) => first + row)]);
  const [{ length: width }] = rows;
  const utility = sharedNetwork("utility", 1, { inputs: width, outputs: 1 }, { hidden: criticHidden });
  const payoff = sharedNetwork("payoff", 1, { inputs: 2 * width, outputs: 1 }, { hidden: criticHidden });
  const paired = edges === "complete" && agents > 1;
  const scale = normalise === "sum" ? agents : 1;
  const vertexWeight = scale / agents;
  // Both orders of a pair count half.
  const edgeWeight = scale / (agents * (agents - 1));
  const weights = constant(
    "float32",
    [agents, agents, 1],
    Array.from({ length: agents ** 2 }, (_, k) => (k % (agents + 1) === 0 ? 0 : edgeWeight)),
  );

  const utilities = (views: Views, features: Expr): Expr => {
    const [, , size] = features.shape;
    const [values] = utility.apply(views, [reshape(features, [1, width, agents * size])]);
    return mul(reshape(values, [agents, size]), vertexWeight);
  };

  /** What the payoff network's first layer makes of agents as the first and as the second of a pair, `[H, N, R]` each. */
  const sides = (views: Views, features: Expr): readonly [Expr, Expr] => {
    const [, , size] = features.shape;
    const { weights, biases } = payoff.stacks(views, 0, 0);
    const [, hidden] = weights.shape;
    const table = reshape(features, [width, agents * size]);
    const [left, right] = [0, width].map((from) =>
      matMul(reshape(slice(weights, 2, from, from + width), [hidden, width]), table),
    );
    return [add(left, reshape(biases, [hidden, 1])), right].map((side) =>
      reshape(side, [hidden, agents, size]),
    ) as [Expr, Expr];
  };

  /** Weighted payoffs of agent i in the first place with agent j in the second, `[N, N, R]`; none with itself. */
  const payoffs = (views: Views, left: Expr, right: Expr): Expr => {
    const [hidden, , size] = left.shape;
    const pairs = add(reshape(left, [hidden, agents, 1, size]), reshape(right, [hidden, 1, agents, size]));
    let value = reshape(pairs, [1, hidden, agents * agents * size]);
    for (let layer = 1; layer < payoff.layers; layer++) value = payoff.layer(views, 0, layer, relu(value));
    return mul(reshape(value, [agents, agents, size]), weights);
  };

  return {
    parameters: paired ? [...utility.parameters, ...payoff.parameters] : utility.parameters,
    named: paired
      ? [...utility.parametersOfAgents, ...payoff.parametersOfAgents]
      : utility.parametersOfAgents,
    features: ({ observations }, actions) =>
      selectRows(
        concat([observations, actions], 0),
        Array.from({ length: width }, (_, k) => rows.map((own) => own[k])),
      ),
    value(views, features) {
      const ofAgents = sum(utilities(views, features), [0], true);
      if (!paired) return ofAgents;
      return add(ofAgents, reshape(sum(payoffs(views, ...sides(views, features)), [0, 1]), ofAgents.shape));
    },
    partsOfOwn(views, taken, renewed) {
      const ofAgents = utilities(views, renewed);
      if (!paired) return ofAgents;
      const [left, right] = sides(views, taken);
      const [ownLeft, ownRight] = sides(views, renewed);
      const asFirst = sum(payoffs(views, ownLeft, right), [1]);
      const asSecond = sum(payoffs(views, left, ownRight), [0]);
      return add(ofAgents, add(asFirst, asSecond));
    },
  };
}
