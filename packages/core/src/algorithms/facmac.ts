/**
 * FACMAC (Peng et al. 2021), feed-forward: factored critics, centralised policy gradients.
 *
 * Each agent maps what it observes to a real vector. In training the team's value is mixed, by weights that depend on the
 * state, from what agents' utility networks make of each agent's observation and action; all actors together follow the
 * gradient of that one value. All agents share one actor and one utility network, unless told otherwise.
 *
 * One update on one batch of replayed steps (s, o, a, r, s', o'), with `Q(s, o, a) = mix_s(u(o_1, a_1), ..., u(o_N, a_N))`:
 *
 *     y = r + discount Q'(s', o', pi'(o'))                                           primes: target networks
 *     critic:  a step of utilities and mixer down mean (Q(s, o, a) - y)^2
 *     actors:  a step down -mean Q(s, o, pi(o)) + penalty mean pi(o)^2
 *     targets: a share of the way towards the networks
 *
 * Actors follow the critic just updated. The penalty is on actions in ±1. The mixer is that of QMIX, monotonic; a plain sum
 * (`vdn`), a sum and a value of the state (`vdn-s`), or QMIX's with signed weights (`non-monotonic`).
 */
import { z } from "zod";
import type { EnvSpec } from "../envs/index.ts";
import { segmentInputs } from "../learn/index.ts";
import {
  type AgentNetworks,
  actionRows,
  agentNetworks,
  joinRows,
  type Mixer,
  monotonicMixer,
  type NetworkSizes,
  observationRows,
  selectRows,
  sharedNetwork,
  sumAndStateMixer,
  sumMixer,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  compile,
  concat,
  type Expr,
  layoutOf,
  loadEngine,
  mean,
  mul,
  neg,
  reshape,
  square,
  transpose,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  adamOptions,
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
  mixingSettings,
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

const settings = controlSettings({
  rolloutSteps: 1,
  replayCapacity: 1_000_000,
  batchSize: 100,
  learningStarts: 1000,
  sampling: "without-replacement",
  discount: 0.99,
  actorLearningRate: 1e-3,
  criticLearningRate: 1e-3,
  optimiserEpsilon: 0.01,
  maxGradientNorm: 0.5,
  targetRate: 1e-3,
  hidden: [400, 400],
  uniformSteps: 10_000,
  actionPenalty: 1e-3,
});

const configSchema = z.strictObject({
  ...settings,
  actionPenalty: settings.actionPenalty.describe(
    "Weight in the actors' loss of the mean square of actions in ±1",
  ),
  mixer: z
    .enum(["qmix", "vdn", "vdn-s", "non-monotonic"])
    .default("qmix")
    .describe(
      "From utilities to the team's value: monotonic, by weights from the state; a sum; a sum and a value of the state; or by " +
        "signed weights from the state",
    ),
  ...mixingSettings({ embedding: 64 }),
  sharedNetworks: z
    .boolean()
    .default(true)
    .describe("Whether all agents share one actor and one utility network, or each has its own"),
  padObservations: z
    .boolean()
    .default(false)
    .describe("Whether shared networks take zeros for what an agent observes less than others"),
});

export type FacmacConfig = z.output<typeof configSchema>;

const presets = paperPresets({});

export const facmac: Algorithm<FacmacConfig> = {
  name: "facmac",
  description: "Deterministic actors that together follow one value, mixed from agents' utilities",
  source: "Peng et al. 2021",
  config: configSchema,
  presets: {
    published: {
      description:
        "the defaults, those of the published code without memory: a batch of 100 after every step, from 1000 steps on, of which the " +
        "first 10 000 are drawn",
      config: {},
    },
    ...presets,
    paperNine: {
      description: `${presets.paperNine.description}, networks not shared because agents are unlike`,
      config: { ...presets.paperNine.config, sharedNetworks: false },
    },
    paperTemperature: {
      description: `${presets.paperTemperature.description}, zeros for neighbours that are missing`,
      config: { ...presets.paperTemperature.config, padObservations: true },
    },
    nine: {
      description:
        "found for nine warehouses: more noise, faster targets, a mean of agents' rewards, networks not shared",
      config: {
        ...presets.paperNine.config,
        actorLearningRate: 5e-4,
        criticLearningRate: 5e-3,
        targetRate: 0.05,
        deviation: 1,
        rewardScale: 1 / 9,
        sharedNetworks: false,
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
        "found for 40 zones: linear actors that begin with small inputs, four updates an episode, a mean of agents' rewards, zeros for missing neighbours",
      config: {
        ...presets.paperTemperature.config,
        actorLearningRate: 3e-3,
        criticLearningRate: 3e-3,
        actorOutputGain: 0.1,
        targetRate: 0.05,
        rewardScale: 0.01 / 40,
        updates: 4,
        padObservations: true,
      },
    },
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("facmac", context, controlLoop(config), false, (plan) =>
      facmacParts(plan, config, context.rng),
    ),
};

/**
 * Networks, gradient steps and policy.
 *
 * @throws InputError when actions are discrete, or when agents are unlike and are to share networks
 */
export async function facmacParts(
  plan: OffPolicyPlan,
  config: FacmacConfig,
  rng: Rng,
): Promise<OffPolicyParts> {
  const engine = await loadEngine();
  const spec = config.sharedNetworks
    ? equalAgents("facmac.sharedNetworks", plan.batch.spec, config, "sharedNetworks=false")
    : plan.batch.spec;
  const options = adamOptions(config);
  const team = controlActors("facmac", spec, config, actorNetworks(spec, config));
  const actors = targetedLearnable("actor", team.networks.parameters, options, rng);
  const value = factoredValue(spec, config);
  const critics = targetedLearnable("critic", value.parameters, options, rng);

  const samples = [plan.shape.controls, plan.segments.rewards.length] as const;
  const noise = noiseInputs(samples, team.samples ? { nextNoise: "gumbel", noise: "gumbel" } : {});
  const program = await compile(engine, {
    name: "facmac: update",
    inputs: { ...segmentInputs(plan.segments), ...noise.inputs },
    variables: { ...declared("actor", actors), ...declared("critic", critics) },
    build(leaves: Readonly<Record<string, Expr>>) {
      const { now, next, actions, rewards, goesOn } = controlColumns(plan.shape, leaves);
      const actor = training("actor", actors, leaves);
      const critic = training("critic", critics, leaves);
      const told = (joint: Expr): Expr => criticActions(spec, joint);

      const following =
        next && value.apply(critic.target, next, told(team.act(actor.target, next, leaves.nextNoise)));
      const targets = bootstrapped(rewards, following, goesOn, config);
      const values = value.apply(critic.online, now, told(actions));
      const criticLoss = squaredErrors(values, targets);
      const criticStep = critic.step(criticLoss, config.criticLearningRate);

      const renewed = told(team.act(actor.online, now, leaves.noise));
      const worth = mean(value.apply(criticStep.after, now, renewed), [1]);
      const size = mean(square(renewed));
      const actorLoss = add(neg(worth), mul(size, config.actionPenalty));
      const actorStep = actor.step(actorLoss, config.actorLearningRate);

      return {
        results: {
          "critic-loss": criticLoss,
          "actor-loss": actorLoss,
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
    ...controlPolicy(engine, {
      name: "facmac",
      spec,
      head: team.head,
      actors: [{ ...actors, networks: team.networks }],
    }),
    async update({ rng }) {
      noise.draw(rng);
      return runForAgents(program);
    },
    // The program moves the targets itself.
    targets: [],
    variables: variablesOf([actors, critics]),
    parameters: [
      { vector: actors.vector, layout: layoutOf(team.networks.parametersOfAgents) },
      { vector: critics.vector, layout: layoutOf(value.parametersOfAgents) },
    ],
    facts: { engine: `${engine.name} ${engine.version}`, communication: communication.none },
    dispose: program.dispose,
  };
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** From what agents observe to their actions: one network for all, or one for each. */
function actorNetworks(spec: EnvSpec, config: FacmacConfig): AgentNetworks {
  const actions = actionRows(spec);
  const sizes = observationRows(spec).map((own, agent) => ({
    inputs: own.length,
    outputs: actions[agent].length,
  }));
  return sharedOrOwn("actor", sizes, config, {
    hidden: config.actorHidden,
    outputGain: config.actorOutputGain,
  });
}

function sharedOrOwn(
  name: string,
  sizes: readonly NetworkSizes[],
  { sharedNetworks }: FacmacConfig,
  options: { readonly hidden: readonly number[]; readonly outputGain?: number },
): AgentNetworks {
  return sharedNetworks
    ? sharedNetwork(name, sizes.length, sizes[0], options)
    : agentNetworks(name, { sizes, ...options });
}

/** The team's value of joint actions. */
interface FactoredValue extends Pick<AgentNetworks, "parameters" | "parametersOfAgents"> {
  /** @param actions as critics are told them, `[K, R]` @returns `[1, R]` */
  apply(views: Views, moment: ColumnsOfMoment, actions: Expr): Expr;
}

function factoredValue(spec: EnvSpec, config: FacmacConfig): FactoredValue {
  const observed = observationRows(spec);
  const width = spec.agents * spec.observationSize;
  // What each agent's utility is of, in a table of all observations and then all actions.
  const rows = actionRows(spec).map((own, agent) => [...observed[agent], ...own.map((row) => width + row)]);
  const sizes = rows.map(({ length }) => ({ inputs: length, outputs: 1 }));
  const utilities = sharedOrOwn("utility", sizes, config, { hidden: config.criticHidden });
  const mixer = mixerOf(spec, config);
  return {
    parameters: [...utilities.parameters, ...mixer.parameters],
    parametersOfAgents: [...utilities.parametersOfAgents, ...mixer.parameters],
    apply(views, { observations, states }, actions) {
      const table = concat([observations, actions], 0);
      const inputs = utilities.groups.map(({ agents }) =>
        selectRows(
          table,
          agents.map((agent) => rows[agent]),
        ),
      );
      const found = joinRows(
        utilities.groups,
        utilities.apply(views, inputs),
        rows.map((_, agent) => [agent]),
      );
      return mixer.apply(views, samplesOf(found), samplesOf(states));
    },
  };
}

function mixerOf(spec: EnvSpec, { mixer, ...sizes }: FacmacConfig): Mixer {
  const options = { ...sizes, agents: spec.agents, stateSize: spec.stateSize };
  switch (mixer) {
    case "qmix":
      return monotonicMixer("mixer", options);
    case "vdn":
      return sumMixer;
    case "vdn-s":
      return sumAndStateMixer("mixer", options);
    case "non-monotonic":
      return monotonicMixer("mixer", { ...options, signed: true });
  }
}

/** Columns as a mixer reads them: `[rows, R] -> [1, R, rows]`. */
const samplesOf = (columns: Expr): Expr => {
  const samples = transpose(columns, [1, 0]);
  return reshape(samples, [1, ...samples.shape]);
};
