/**
 * FOP (Zhang et al. 2021): factorised maximum-entropy policies.
 *
 * Every agent draws its action from a policy of its own, without communication. In training each of two critics values
 * the joint action by agents' utilities and a mixing network in which the joint action moves the weight of an agent's
 * advantage, so that the team's optimum is not lost to a monotonic sum; an agent's policy follows the lower of its two
 * utilities, not mixed, and its entropy.
 *
 * One update, on replayed segments: a step of the policy down `sum_a pi(a) (alpha log pi(a) - min(Q1, Q2)(a))`, mean over
 * agents; TD(lambda) targets from the target critics at actions drawn from the new policy, plus the entropy of what
 * follows; a step of each critic down its squared error and the size of its attention scores. The temperature `alpha`
 * falls in a line. In games of one step the target is the reward.
 */
import { z } from "zod";
import { InputError } from "../errors.ts";
import {
  type Learnable,
  learnableWith,
  linearSchedule,
  type SegmentShape,
  type Segments,
  segmentInputs,
} from "../learn/index.ts";
import {
  type AgentNetwork,
  agentNetwork,
  drawActions,
  fopMixer,
  hasMemory,
  policyLogProbabilities,
  softValue,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  add,
  compile,
  type Engine,
  type Expr,
  float32,
  type InputSpec,
  loadEngine,
  mean,
  minimum,
  mul,
  oneHot,
  type Parameter,
  pick,
  reshape,
  square,
  sub,
  unpack,
  type Variable,
  type Views,
  variable,
  weightedMean,
} from "../tensor/index.ts";
import {
  type Algorithm,
  actorPolicy,
  agentSettings,
  bootstraps,
  communication,
  type Experience,
  meanMetrics,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  optimiserOptions,
  particleLoop,
  particlePurposes,
  softCriticSettings,
  softPolicyLoss,
  softTargets,
  temperatureSettings,
  trainMetrics,
  valuePresets,
  whileActing,
} from "../training/index.ts";

const configSchema = z
  .strictObject({
    ...offPolicySettings,
    ...agentSettings,
    ...softCriticSettings,
    ...temperatureSettings({ start: 0.5, end: 0.05 }),
    heads: z.int().min(1).default(4).describe("Attention heads of the mixing network"),
    embedding: z.int().min(1).default(32).describe("Width of the mixing network's queries and keys"),
    hypernetHidden: z
      .int()
      .min(1)
      .default(64)
      .describe("Width of the hidden layer between state and queries"),
    scorePenalty: z
      .number()
      .min(0)
      .default(0.001)
      .describe("Weight of the squared attention scores in the critics' loss"),
    unit: z
      .enum(["auto", "state", "observation"])
      .default("auto")
      .describe(
        "What the mixing network is told of one agent: its part of the state, cut into equal parts, or its observation; " +
          "auto: the state where agents observe equally much and their number divides it",
      ),
  })
  .omit({ epsilonStart: true, epsilonEnd: true, epsilonSteps: true });

export type FopConfig = z.output<typeof configSchema>;

export const fop: Algorithm<FopConfig> = {
  name: "fop",
  description: "Maximum-entropy policies under two critics whose mixing weights depend on the joint action",
  source: "Zhang et al. 2021; Wang et al. 2023 (code)",
  config: configSchema,
  presets: {
    published: {
      description: "the published code's settings, its entropy term too, for games of several steps",
      config: { codeEntropyTerm: true },
    },
    agpPaper: valuePresets.agpPaper,
    mpe: valuePresets.mpe,
    "mpe-fast": {
      description: particlePurposes["mpe-fast"],
      config: { recurrent: false, lastAction: false, ...particleLoop["mpe-fast"], temperatureSteps: 20_000 },
    },
    fast: {
      description:
        "for games of one step such as Top-K: 64 samples after every 32 fresh episodes, Adam at 1e-3, no memory",
      config: {
        recurrent: false,
        lastAction: false,
        environments: 32,
        batchSize: 64,
        replayCapacity: 50_000,
        optimiser: "adam",
        learningRate: 1e-3,
      },
    },
  },
  create({ config, ...context }) {
    // The policies draw their actions; nothing replaces them.
    const loop = { ...config, epsilonStart: 0, epsilonEnd: 0, epsilonSteps: 1 };
    return offPolicyLearner("fop", context, loop, hasMemory(config), (plan) =>
      fopParts(plan, config, context.rng),
    );
  },
};

/**
 * Networks, gradient steps and policy.
 *
 * @throws InputError when the state is to be cut into parts and cannot, or when the entropy behind the only step of a
 * game is asked for
 */
export async function fopParts(plan: OffPolicyPlan, config: FopConfig, rng: Rng): Promise<OffPolicyParts> {
  const engine = await loadEngine();
  const { observationSizes = [] } = plan.batch.spec;
  const alike = observationSizes.every((size) => size === observationSizes[0]);
  const networks = fopNetworks(plan.shape, config, alike, rng);
  const { actor, critics } = networks;
  const { update, dispose } = await fopUpdate(engine, networks, plan.segments, config);
  const policy = actorPolicy(engine, {
    name: "fop",
    spec: plan.batch.spec,
    shape: plan.shape,
    network: actor,
    memory: actor.network.trunk.memory,
    step(views, now) {
      const { utilities: logits, memory } = actor.network.step(views, now);
      return {
        logits,
        memory,
        draw({ noise, available }) {
          const logProbabilities = policyLogProbabilities(logits, { available });
          return oneHot(drawActions(logProbabilities, noise, available), plan.shape.actions, "float32");
        },
      };
    },
  });
  return {
    createPolicy: policy.create,
    exportPolicy: policy.export,
    update,
    targets: critics.map(({ target, vector }) => ({ target, online: vector })),
    variables: [
      ...[actor, ...critics].flatMap(({ variables }) => Object.values(variables)),
      ...critics.map(({ target }) => target),
    ],
    parameters: [actor, ...critics],
    facts: {
      engine: `${engine.name} ${engine.version}`,
      communication: communication.none,
      unit: networks.unit,
    },
    dispose,
  };
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

interface FopActor extends Learnable<string> {
  readonly network: AgentNetwork;
}

interface FopCritic extends Learnable<string> {
  readonly name: string;
  /** The parameters that targets are computed with. */
  readonly target: Variable;
  /** What each action is worth to each agent, `[K, B, N, A]`. */
  utilities(views: Views, now: CriticMoments): Expr;
  /** What actions `[K, B, N]` are worth to the team, and the size of the attention scores, `[K, B]` each. */
  joint(
    views: Views,
    now: CriticMoments,
    actions: Expr,
    temperature: Expr,
  ): { readonly total: Expr; readonly scoreSize: Expr };
}

type CriticMoments = Pick<Experience, "observations" | "states" | "actions">;

interface FopNetworks {
  readonly actor: FopActor;
  readonly critics: readonly [FopCritic, FopCritic];
  /** What the mixing networks are told of each agent. */
  readonly unit: "state" | "observation";
}

/** @param alike whether agents observe equally many numbers: else equal parts of the state belong to nobody */
function fopNetworks(shape: SegmentShape, config: FopConfig, alike: boolean, rng: Rng): FopNetworks {
  const { agents, stateSize, observationSize } = shape;
  const divides = stateSize % agents === 0;
  if (config.unit === "state" && !divides) {
    throw new InputError(
      `fop.unit: a state of ${stateSize} numbers cannot be cut into ${agents} equal parts, got state, expected observation or auto`,
    );
  }
  const unit = config.unit === "auto" ? (divides && alike ? "state" : "observation") : config.unit;
  const unitSize = unit === "state" ? stateSize / agents : observationSize;
  const options = { ...shape, ...config };
  const learned = (name: string, parameters: readonly Parameter[]) =>
    learnableWith<string>(name, parameters, optimiserOptions(config), rng);
  const critic = (name: string): FopCritic => {
    const network = agentNetwork(name, options);
    const mixer = fopMixer(`${name}/mixer`, { ...options, unitSize });
    const critic = learned(name, [...network.parameters, ...mixer.parameters]);
    const { shape, values } = critic.vector;
    return {
      ...critic,
      name,
      target: variable(`${name}/target`, "float32", shape, values as Float32Array),
      utilities: (views, now) => network.overMoments(views, now).utilities,
      joint(views, now, actions, temperature) {
        const { utilities } = network.overMoments(views, now);
        const { states, observations } = now;
        return mixer.mix(views, {
          utilities: pick(utilities, actions),
          // Over all actions, available or not, as the published code has it.
          values: softValue(utilities, temperature),
          states,
          units:
            unit === "state" ? reshape(states, [...observations.shape.slice(0, 3), unitSize]) : observations,
          actions: oneHot(actions, options.actions, "float32"),
        });
      },
    };
  };
  const network = agentNetwork("actor", options);
  return {
    actor: { ...learned("actor", network.parameters), network },
    critics: [critic("critic-1"), critic("critic-2")],
    unit,
  };
}

// ── Update ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One gradient step of the actor, then one of each critic, on these segments. */
async function fopUpdate(
  engine: Engine,
  networks: FopNetworks,
  segments: Segments,
  config: FopConfig,
): Promise<Pick<OffPolicyParts, "update" | "dispose">> {
  const { temperatureStart, temperatureEnd, temperatureSteps } = config;
  const temperatureAt = linearSchedule(temperatureStart, temperatureEnd, temperatureSteps);
  const temperature = new Float32Array(1);
  const learningRate = new Float32Array(1);
  const looksAhead = bootstraps("fop", segments.shape, config);
  const targets = looksAhead ? new Float32Array(segments.rewards.length) : segments.rewards;
  const inputs = {
    ...segmentInputs(segments),
    targets: { dtype: "float32", shape: [segments.shape.steps, segments.size], values: targets },
    temperature: { dtype: "float32", shape: [], values: temperature },
    learningRate: { dtype: "float32", shape: [], values: learningRate },
  } as const;

  const actorStep = await compileActorStep(engine, networks, inputs);
  const criticSteps = await Promise.all(
    networks.critics.map((critic) => compileCriticStep(engine, critic, inputs, config.scorePenalty)),
  );
  const targetValues = looksAhead ? await compileTargetValues(engine, networks, inputs) : undefined;

  return {
    async update(now) {
      temperature[0] = temperatureAt(now.steps);
      learningRate[0] = now.learningRate;
      await actorStep.run();
      if (targetValues !== undefined) {
        now.rng.fillGumbel(targetValues.inputs.noise);
        await targetValues.run();
        const { values, logProbabilities } = targetValues.results as Record<string, Float32Array>;
        softTargets(segments, values, logProbabilities, temperature[0], config, targets);
      }
      for (const { run } of criticSteps) await run();
      return {
        ...trainMetrics(actorStep.results),
        ...meanMetrics(criticSteps.map(({ results }) => trainMetrics(results))),
        "train/temperature": temperature[0],
      };
    },
    async dispose() {
      for (const program of [actorStep, ...criticSteps]) await program.dispose();
      await targetValues?.dispose();
    },
  };
}

type FopInputs = ReturnType<typeof segmentInputs> &
  Readonly<Record<"targets" | "temperature" | "learningRate", InputSpec & { readonly dtype: "float32" }>>;

/** The step of the actor: towards actions of high utility by both critics, and towards entropy. */
function compileActorStep(engine: Engine, { actor, critics }: FopNetworks, inputs: FopInputs) {
  return compile(engine, {
    name: "fop: actor step",
    inputs,
    variables: {
      ...actor.variables,
      parameters: actor.vector,
      first: critics[0].vector,
      second: critics[1].vector,
    },
    build(leaves) {
      const now = whileActing(leaves);
      const utilities = (critic: FopCritic, vector: Expr): Expr =>
        critic.utilities(unpack(vector, critic.layout), now);
      const lower = minimum(utilities(critics[0], leaves.first), utilities(critics[1], leaves.second));
      const views = unpack(leaves.parameters, actor.layout);
      const logProbabilities = policyLogProbabilities(actor.network.overMoments(views, now).utilities, now);
      const { loss, entropy } = softPolicyLoss(logProbabilities, lower, leaves.temperature, leaves.mask);
      const { gradientNorm, updates } = actor.step(loss, views, leaves, leaves.learningRate);
      return {
        results: { "policy-loss": loss, entropy, "actor-gradient-norm": gradientNorm },
        updates,
      };
    },
    finite: ["policy-loss", "actor-gradient-norm"],
  });
}

/**
 * What moments are worth by the target critics, the lower of both, at actions drawn from the policies, and the mean over
 * agents of these actions' log-probabilities: `[M, B]` each.
 */
function compileTargetValues(engine: Engine, { actor, critics }: FopNetworks, inputs: FopInputs) {
  const { actions } = actor.network.trunk.options;
  return compile(engine, {
    name: "fop: targets",
    inputs: {
      ...inputs,
      noise: float32(...inputs.observations.shape.slice(0, 3), actions),
    },
    variables: { actor: actor.vector, first: critics[0].target, second: critics[1].target },
    build(leaves) {
      const { utilities: logits } = actor.network.overMoments(unpack(leaves.actor, actor.layout), leaves);
      const logProbabilities = policyLogProbabilities(logits, leaves);
      const drawn = drawActions(logProbabilities, leaves.noise, leaves.available);
      const value = (critic: FopCritic, vector: Expr): Expr =>
        critic.joint(unpack(vector, critic.layout), leaves, drawn, leaves.temperature).total;
      return {
        results: {
          values: minimum(value(critics[0], leaves.first), value(critics[1], leaves.second)),
          logProbabilities: mean(pick(logProbabilities, drawn), [2]),
        },
      };
    },
  });
}

/** The step of a critic towards its targets and small attention scores. */
function compileCriticStep(engine: Engine, critic: FopCritic, inputs: FopInputs, scorePenalty: number) {
  return compile(engine, {
    name: `fop: step of ${critic.name}`,
    inputs,
    variables: { ...critic.variables, parameters: critic.vector },
    build(leaves) {
      const { actions, temperature, targets, mask, learningRate } = leaves;
      const views = unpack(leaves.parameters, critic.layout);
      const { total, scoreSize } = critic.joint(views, whileActing(leaves), actions, temperature);
      const played = (a: Expr): Expr => weightedMean(a, mask);
      const valueLoss = played(square(sub(total, targets)));
      const loss = add(valueLoss, mul(played(scoreSize), scorePenalty));
      const { gradientNorm, updates } = critic.step(loss, views, leaves, learningRate);
      return {
        results: {
          "value-loss": valueLoss,
          value: played(total),
          target: played(targets),
          "critic-gradient-norm": gradientNorm,
        },
        updates,
      };
    },
    finite: ["value-loss", "critic-gradient-norm"],
  });
}
