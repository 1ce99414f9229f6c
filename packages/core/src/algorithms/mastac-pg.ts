/**
 * MABN's policy gradient for stochastic policies (theorem 3.7 b): trained in part by agents themselves, played by each alone.
 *
 * Every agent has a policy `pi_i(a_i | o_i)` and a critic of its own rewards, networks of their own that share nothing. Critics
 * are told of their value dependency set `I_Q^j` only, and the gradient of the team's return with respect to policy i is
 *
 *     E[ Qhat_i grad log pi_i(a_i | o_i) ],   Qhat_i = sum of Q_j over the gradient dependency set I_GD^i = {j : i in I_Q^j},
 *
 * where all other agents' values would be noise. One iteration plays a rollout, estimates for each critic
 *
 *     delta_j = r_j + discount v_j' - v_j,   A_j = delta_j + discount lambda A_j',   G_j = A_j + v_j,
 *
 * moves critics towards `G_j`, and policies along scores `grad log pi_i` that are weighted with sums over `I_GD^i`:
 *
 *     estimator=ppo        of A_j, in clipped steps, a ratio for each agent (Schulman et al. 2017), v_j = V_j(s) for s in I_Q^j
 *     estimator=reinforce  of Q_j as the paper has it, v_j = Q_j(s, a) for s and a in I_Q^j; of G_j; or of A_j: one step
 *
 * As usual, and unlike the paper's discounted distribution of states, moments late in an episode count as much as early
 * ones. Where only the time limit ends an episode, values look beyond it.
 */
import { z } from "zod";
import { type EnvSpec, type Snapshot, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { generalisedAdvantages, mostActions, standardise, writeMasks } from "../learn/index.ts";
import {
  type AgentRows,
  agentNetworks,
  asColumns,
  observationRows,
  type PolicyHead,
  policyHead,
  policyHeadKinds,
  stateRows,
} from "../models/index.ts";
import type { Rng, RngState } from "../random/index.ts";
import type { CouplingGraphs } from "../structure/index.ts";
import {
  abs,
  cast,
  clip,
  compile,
  concat,
  copyRows,
  type Engine,
  type Expr,
  exp,
  float32,
  greater,
  loadEngine,
  mean,
  minimum,
  mul,
  NonFiniteError,
  neg,
  type Program,
  sizedPrograms,
  square,
  sub,
  sum,
  transpose,
  unpack,
  type Views,
} from "../tensor/index.ts";
import {
  type AgentLearnable,
  type AgentPolicies,
  type Algorithm,
  agentLearnable,
  agentPolicies,
  type CriticScope,
  communication,
  couplingsOf,
  criticActions,
  criticScopes,
  criticValues,
  DivergenceError,
  dependencySettings,
  describeScopes,
  endedEpisode,
  evaluateGreedily,
  evaluationCopies,
  expectOwnRewards,
  type Learner,
  type LearnerContext,
  type Metrics,
  meanMetrics,
  minibatches,
  modalPolicy,
  offPolicySettings,
  onPolicySettings,
  parametersOf,
  restoreStreams,
  restoreVariables,
  runForAgents,
  savedStreams,
  savedVariables,
} from "../training/index.ts";

const widths = z.array(z.int().min(1));

const configSchema = z
  .strictObject({
    ...onPolicySettings({
      environments: 8,
      epochs: 10,
      minibatches: 1,
      ratio: "per-agent",
      entropyCoefficient: 0,
      traceDecay: 0.95,
      standardise: "auto",
      learningRate: 3e-4,
      maxGradientNorm: 0.5,
    }),
    discount: z.number().min(0).max(1).default(0.95).describe("Discount of future rewards"),
    truncationIsTerminal: offPolicySettings.truncationIsTerminal,
    estimator: z
      .enum(["ppo", "reinforce"])
      .default("ppo")
      .describe(
        "Clipped steps on the same rollout, or one step along the scores, after which only critics learn",
      ),
    weights: z
      .enum(["action-values", "returns", "advantages"])
      .default("action-values")
      .describe(
        "What reinforce weights scores with, summed over the critics that an action matters to: critics of states and actions, " +
          "returns (as received, where traceDecay=1), or returns less the critics of states",
      ),
    standardise: z
      .enum(["auto", "batch", "none"])
      .default("auto")
      .describe(
        "Whether each agent's weights are brought to mean 0 and deviation 1 over the rollout; auto: for ppo",
      ),
    actorLearningRate: z.number().positive().default(3e-4).describe("Adam's step size for policies"),
    criticLearningRate: z.number().positive().default(1e-3).describe("Adam's step size for critics"),
    optimiserEpsilon: z.number().positive().default(1e-8).describe("What Adam adds to its denominator"),
    maxGradientNorm: z
      .number()
      .min(0)
      .default(0.5)
      .describe("Norm that each network's gradient is clipped to; 0 for no clipping"),
    actorHidden: widths
      .default([64, 64])
      .describe("Widths of the policies' hidden layers; none makes them linear"),
    criticHidden: widths.default([64, 64]).describe("Widths of the critics' hidden layers"),
    actorOutputGain: z
      .number()
      .positive()
      .default(0.01)
      .describe("Factor on the first weights of the policies' last layer"),
    head: z
      .enum(["auto", ...policyHeadKinds])
      .default("auto")
      .describe(
        "Distributions: normal, then a tanh over the range (box) or a softmax (simplex-gauss); categorical; auto: what fits",
      ),
    deviation: z
      .number()
      .positive()
      .default(0.5)
      .describe("First standard deviation of normal distributions, before tanh or softmax; it is learned"),
    rewardScale: z.number().positive().default(1).describe("Factor on rewards of every agent"),
    critics: z
      .enum(["decomposed", "undecomposed"])
      .default("decomposed")
      .describe("Whether critics are told of their value dependency sets, or of everybody"),
    ...dependencySettings,
    gradientDependency: z
      .enum(["true", "full"])
      .default("true")
      .describe(
        "Whether a policy climbs the values of its gradient dependency set, or all, which are the team's",
      ),
  })
  .omit({ ratio: true, learningRate: true, finalLearningRate: true, adamEpsilon: true });

export type MastacPgConfig = z.output<typeof configSchema>;

export const mastacPg: Algorithm<MastacPgConfig> = {
  name: "mastac-pg",
  description:
    "Stochastic policies that follow the values which their action can matter to, found from couplings",
  source: "MABN (theorem 3.7 b)",
  config: configSchema,
  presets: {
    temperature: {
      description: "for zones: linear policies at 1e-2, rewards in hundredths",
      config: {
        actorHidden: [],
        actorLearningRate: 1e-2,
        criticLearningRate: 3e-3,
        discount: 0.9,
        rewardScale: 0.01,
      },
    },
    warehouses: {
      description:
        "for nine warehouses and their ring: larger steps; episodes end, since critics never learn what follows their last step",
      config: { actorLearningRate: 3e-3, criticLearningRate: 3e-3, truncationIsTerminal: true },
    },
    reinforce: {
      description: "the score function as the paper writes it, weighted with critics of states and actions",
      config: { estimator: "reinforce", weights: "action-values" },
    },
  },
  create: createLearner,
};

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

export interface MastacPgTeam {
  readonly spec: EnvSpec;
  readonly head: PolicyHead;
  readonly policies: AgentPolicies;
  readonly actor: AgentLearnable;
  readonly critic: AgentLearnable;
  readonly scopes: readonly CriticScope[];
  /** Whether critics are told actions beside states. */
  readonly actionValues: boolean;
  /** For each critic the rows of what it is told in a table of all agents' states, then their actions. */
  readonly told: AgentRows;
  /** For each agent the critics whose values it climbs. */
  readonly climbed: AgentRows;
}

/** @throws InputError when the head does not fit the actions, or agents' states and rewards are not told apart */
export function mastacPgTeam(
  spec: EnvSpec,
  graphs: CouplingGraphs,
  config: MastacPgConfig,
  rng: Rng,
): MastacPgTeam {
  const head = policyHead("mastac-pg", spec, config.head);
  expectOwnRewards("mastac-pg", spec);
  const scopes = criticScopes(graphs, { ...config, gradientDependency: "true" });
  const everybody = scopes.map((_, agent) => agent);
  const climbed = everybody.map((agent) =>
    config.gradientDependency === "full"
      ? everybody
      : everybody.filter((critic) => scopes[critic].guided.includes(agent)),
  );
  const actionValues = config.estimator === "reinforce" && config.weights === "action-values";
  const states = stateRows(spec);
  const told = scopes.map((scope) => [
    ...scope.told.flatMap((agent) => states[agent]),
    ...(actionValues
      ? scope.told.flatMap((agent) => head.rows[agent].map((row) => spec.stateSize + row))
      : []),
  ]);
  const actor = agentNetworks("actor", {
    sizes: observationRows(spec).map((own, i) => ({ inputs: own.length, outputs: head.rows[i].length })),
    hidden: config.actorHidden,
    outputGain: config.actorOutputGain,
    deviation: head.noise === "normal" ? config.deviation : undefined,
  });
  const critic = agentNetworks("critic", {
    sizes: told.map((own) => ({ inputs: own.length, outputs: 1 })),
    hidden: config.criticHidden,
  });
  const options = { epsilon: config.optimiserEpsilon, maxGradientNorm: config.maxGradientNorm };
  return {
    spec,
    head,
    policies: agentPolicies(spec, head, actor),
    actor: agentLearnable("actor", actor, options, rng),
    critic: agentLearnable("critic", critic, options, rng),
    scopes,
    actionValues,
    told,
    climbed,
  };
}

/**
 * What critics say, `[N, B]`.
 *
 * @param states `[S, B]`
 * @param decisions `[D, B]`, for critics that are told actions
 */
function valuesOf(
  { spec, head, policies, critic, actionValues, told }: MastacPgTeam,
  views: Views,
  states: Expr,
  decisions: Expr | undefined,
): Expr {
  const actions = actionValues ? policies.actions(decisions!) : undefined;
  const table =
    actions === undefined
      ? states
      : concat([states, head.kind === "categorical" ? actions : criticActions(spec, actions)], 0);
  return criticValues({ networks: critic.networks, views }, table, told, minibatches(spec.agents, true));
}

// ── Rollout ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What was seen and done, a row for each sample. */
export interface MastacPgSamples {
  /** `[R, N, O]` */
  readonly observations: Float32Array;
  /** `[R, S]` */
  readonly states: Float32Array;
  /** 1 for actions that could be played, where some could not, `[R, N, A]`. */
  readonly available?: Float32Array;
  /** What actions were made of (`PolicyHead`), `[R, D]`. */
  readonly decisions: Float32Array;
  /** Of the decisions, under the policy that made them, `[R, N]`. */
  readonly logProbabilities: Float32Array;
  /** What scores are weighted with, `[R, N]`. */
  readonly weights: Float32Array;
  /** What critics are to say, `[R, N]`. */
  readonly returns: Float32Array;
}

/** `A`, where actions may be unavailable. */
type Masked = number | undefined;

const decisionSize = ({ head }: MastacPgTeam): number => head.rows.flat().length;

export function createSamples(team: MastacPgTeam, count: number, masked: Masked): MastacPgSamples {
  const { agents, observationSize, stateSize } = team.spec;
  return {
    observations: new Float32Array(count * agents * observationSize),
    states: new Float32Array(count * stateSize),
    ...(masked === undefined ? {} : { available: new Float32Array(count * agents * masked) }),
    decisions: new Float32Array(count * decisionSize(team)),
    logProbabilities: new Float32Array(count * agents),
    weights: new Float32Array(count * agents),
    returns: new Float32Array(count * agents),
  };
}

/** Samples as inputs of a program. */
function sampleInputs({ spec, head }: MastacPgTeam, samples: MastacPgSamples) {
  const { agents, observationSize, stateSize } = spec;
  const count = samples.returns.length / agents;
  const float = (values: Float32Array, ...shape: number[]) => ({ dtype: "float32", shape, values }) as const;
  const { available } = samples;
  return {
    observations: float(samples.observations, count, agents, observationSize),
    states: float(samples.states, count, stateSize),
    ...(available === undefined
      ? {}
      : { available: float(available, count, agents, available.length / (count * agents)) }),
    decisions: float(samples.decisions, count, head.rows.flat().length),
    logProbabilities: float(samples.logProbabilities, count, agents),
    weights: float(samples.weights, count, agents),
    returns: float(samples.returns, count, agents),
  };
}

/** Decides for `size` environments by given noise, and values what is seen and decided. */
export function mastacPgPlay(engine: Engine, team: MastacPgTeam, size: number, masked: Masked) {
  const { spec, policies, actor, critic } = team;
  return compile(engine, {
    name: "mastac-pg: play",
    inputs: {
      observations: float32(size, spec.agents, spec.observationSize),
      states: float32(size, spec.stateSize),
      noise: float32(size, decisionSize(team)),
      ...(masked === undefined ? {} : { available: float32(size, spec.agents, masked) }),
    },
    variables: { actor: actor.vector, critic: critic.vector },
    build(leaves) {
      const views = unpack(leaves.actor, actor.layout);
      const available = leaves.available && asColumns(leaves.available);
      const outputs = policies.outputs(views, asColumns(leaves.observations), available);
      const decisions = policies.decide(outputs, asColumns(leaves.noise));
      const results = {
        decisions,
        actions: policies.played(decisions),
        logProbabilities: policies.logProbabilities(outputs, decisions),
        values: valuesOf(team, unpack(leaves.critic, critic.layout), asColumns(leaves.states), decisions),
      };
      return {
        results: Object.fromEntries(
          Object.entries(results).map(([name, columns]) => [name, transpose(columns, [1, 0])]),
        ) as typeof results,
      };
    },
  });
}

/** What critics learn from and weights are made of, time-major, `[T, B, N]` each. */
export interface MastacPgValues {
  /** `T`. */
  readonly steps: number;
  readonly rewards: Float64Array;
  readonly values: Float64Array;
  /** Of what follows, 0 where nothing of value does. */
  readonly nextValues: Float64Array;
  /** 1 where the episode ended with the step. */
  readonly ended: Uint8Array;
}

/** Writes `returns` and `weights` of a rollout's samples. */
export function estimate(
  { spec, actionValues, climbed }: MastacPgTeam,
  valued: MastacPgValues,
  { returns: wanted, weights }: Pick<MastacPgSamples, "returns" | "weights">,
  config: Pick<
    MastacPgConfig,
    "discount" | "traceDecay" | "rewardScale" | "estimator" | "weights" | "standardise"
  >,
): void {
  const { agents } = spec;
  const count = weights.length;
  const rewards = valued.rewards.map((reward) => reward * config.rewardScale);
  const advantages = new Float64Array(count);
  const returns = new Float64Array(count);
  // Every agent of every environment is a course of rewards by itself.
  const courses = { ...valued, rewards, environments: count / valued.steps };
  generalisedAdvantages(courses, config.discount, config.traceDecay, advantages, returns);
  wanted.set(returns);
  const summed = actionValues
    ? valued.values
    : config.estimator === "reinforce" && config.weights === "returns"
      ? returns
      : advantages;
  const { standardise: how } = config;
  const standardised = how === "batch" || (how === "auto" && config.estimator === "ppo");
  const own = new Float64Array(count / agents);
  for (let agent = 0; agent < agents; agent++) {
    for (let k = 0; k < own.length; k++) {
      own[k] = 0;
      for (const critic of climbed[agent]) own[k] += summed[k * agents + critic];
    }
    if (standardised) standardise(own, 1e-8);
    for (let k = 0; k < own.length; k++) weights[k * agents + agent] = own[k];
  }
}

// ── Update ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A program of one step, whose results are `[N]` each. */
type Step = Pick<Program<Record<string, never>, string>, "name" | "results" | "run" | "dispose">;

/** One step of every critic towards `returns`. */
export function criticStep(
  engine: Engine,
  team: MastacPgTeam,
  samples: MastacPgSamples,
  config: Pick<MastacPgConfig, "criticLearningRate">,
): Promise<Step> {
  const { states, decisions, returns } = sampleInputs(team, samples);
  const { critic, actionValues } = team;
  return compile(engine, {
    name: "mastac-pg: critic step",
    inputs: { states, returns, ...(actionValues ? { decisions } : {}) },
    variables: critic.variables,
    build(leaves) {
      const views = unpack(leaves.parameters, critic.layout);
      const decided = leaves.decisions && asColumns(leaves.decisions);
      const values = valuesOf(team, views, asColumns(leaves.states), decided);
      const errors = mean(square(sub(asColumns(leaves.returns), values)), [1]);
      const { gradientNorms, updates } = critic.step(sum(errors), views, leaves, config.criticLearningRate);
      return { results: { "critic-loss": errors, "critic-gradient-norm": gradientNorms }, updates };
    },
    finite: ["critic-loss", "critic-gradient-norm"],
  });
}

/** One step of every policy along its weighted scores. */
export function policyStep(
  engine: Engine,
  { spec, policies, actor, ...team }: MastacPgTeam,
  samples: MastacPgSamples,
  config: Pick<MastacPgConfig, "estimator" | "clip" | "entropyCoefficient" | "actorLearningRate">,
): Promise<Step> {
  const { states, returns, ...inputs } = sampleInputs({ spec, policies, actor, ...team }, samples);
  return compile(engine, {
    name: "mastac-pg: policy step",
    inputs,
    variables: actor.variables,
    build(leaves) {
      const views = unpack(leaves.parameters, actor.layout);
      const available = leaves.available && asColumns(leaves.available);
      const outputs = policies.outputs(views, asColumns(leaves.observations), available);
      const present = policies.logProbabilities(outputs, asColumns(leaves.decisions));
      const [weights, before] = [leaves.weights, leaves.logProbabilities].map(asColumns);
      const change = sub(present, before);
      const ratio = exp(change);
      const gain =
        config.estimator === "reinforce"
          ? mul(present, weights)
          : minimum(mul(ratio, weights), mul(clip(ratio, 1 - config.clip, 1 + config.clip), weights));
      const losses = neg(mean(gain, [1]));
      const entropies = mean(policies.entropies(outputs), [1]);
      const loss = sum(sub(losses, mul(entropies, config.entropyCoefficient)));
      const { gradientNorms, updates } = actor.step(loss, views, leaves, config.actorLearningRate);
      const outside = cast(greater(abs(sub(ratio, 1)), config.clip), "float32");
      return {
        results: {
          "policy-loss": losses,
          "policy-gradient-norm": gradientNorms,
          entropy: entropies,
          "approximate-kl": neg(mean(change, [1])),
          "clip-fraction": mean(outside, [1]),
        },
        updates,
      };
    },
    finite: ["policy-loss", "policy-gradient-norm"],
  });
}

// ── Learner ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function createLearner({ env, config, rng }: LearnerContext<MastacPgConfig>): Promise<Learner> {
  const graphs = couplingsOf("mastac-pg", env);
  const batch = vectorise(env, config.environments, rng.split("environments"));
  const { spec, size } = batch;
  const { agents } = spec;
  const steps = config.rolloutSteps || spec.horizon;
  const count = steps * size;
  if (count % config.minibatches !== 0) {
    throw new InputError(
      `mastac-pg.minibatches: ${config.minibatches} does not divide the ${count} samples of an update (${steps} steps x ${size} environments)`,
    );
  }
  const team = mastacPgTeam(spec, graphs, config, rng);
  const { actor, critic, head } = team;
  const masked = batch.available === undefined ? undefined : mostActions(spec);
  const rollout = createSamples(team, count, masked);
  const minibatch = createSamples(team, count / config.minibatches, masked);
  const valued: MastacPgValues = {
    steps,
    rewards: new Float64Array(count * agents),
    values: new Float64Array(count * agents),
    nextValues: new Float64Array(count * agents),
    ended: new Uint8Array(count * agents),
  };

  const engine = await loadEngine();
  const play = await mastacPgPlay(engine, team, size, masked);
  const reinforce = config.estimator === "reinforce";
  const stepCritics = await criticStep(engine, team, minibatch, config);
  const stepPolicies = await policyStep(engine, team, reinforce ? rollout : minibatch, config);
  const policy = modalPolicy(engine, { name: "mastac-pg", spec, head, actor, masked });
  const evaluators = sizedPrograms(policy.create);
  const streams = { decisions: rng.split("decisions"), minibatches: rng.split("minibatches") };

  /** Decides and values. @returns the values `[B, N]` */
  async function look(
    observations: Float32Array,
    states: Float32Array,
    available: Uint8Array | undefined,
  ): Promise<Float32Array> {
    const { inputs, results } = play;
    inputs.observations.set(observations);
    inputs.states.set(states);
    if (inputs.available !== undefined) writeMasks({ spec, size, available }, inputs.available);
    if (head.noise === "normal") streams.decisions.fillNormal(inputs.noise);
    else streams.decisions.fillGumbel(inputs.noise);
    await play.run();
    for (const [name, values] of [
      ["value", results.values],
      ["log-probability", results.logProbabilities],
    ] as const) {
      const found = values as Float32Array;
      const at = found.findIndex((value) => !Number.isFinite(value));
      if (at >= 0) throw new NonFiniteError("mastac-pg: play", `${name} of agent ${at % agents}`, found[at]);
    }
    return results.values as Float32Array;
  }

  async function collect(): Promise<Metrics> {
    let episodes = 0;
    let returns = 0;
    let successes = 0;
    const width = size * agents;
    for (let t = 0; t <= steps; t++) {
      const values = await look(batch.observations, batch.states, batch.available);
      for (let k = 0; k < width && t > 0; k++) {
        const before = (t - 1) * width + k;
        if (valued.ended[before] === 0) valued.nextValues[before] = values[k];
      }
      if (t === steps) break;
      valued.values.set(values, t * width);
      for (const name of ["observations", "states", "available"] as const) {
        const seen = play.inputs[name];
        if (seen !== undefined) rollout[name]!.set(seen, t * seen.length);
      }
      for (const name of ["decisions", "logProbabilities"] as const) {
        const made = play.results[name] as Float32Array;
        rollout[name].set(made, t * made.length);
      }

      batch.step(play.results.actions as Int32Array | Float32Array);
      valued.rewards.set(batch.individualRewards!, t * width);
      const goesOn = (b: number): boolean =>
        batch.terminated[b] === 0 && batch.truncated[b] === 1 && !config.truncationIsTerminal;
      const cut = Array.from({ length: size }, (_, b) => goesOn(b));
      const beyond = cut.includes(true)
        ? await look(batch.finalObservations, batch.finalStates, batch.finalAvailable)
        : undefined;
      for (let b = 0; b < size; b++) {
        const ended = endedEpisode(batch, b);
        const at = t * width + b * agents;
        valued.ended.fill(ended ? 1 : 0, at, at + agents);
        if (!ended) continue;
        for (let i = 0; i < agents; i++) valued.nextValues[at + i] = cut[b] ? beyond![b * agents + i] : 0;
        episodes++;
        returns += batch.episodeReturns[b];
        successes += batch.successes?.[b] ?? 0;
      }
    }
    return {
      ...(episodes === 0 ? {} : { "train/return": returns / episodes }),
      ...(episodes === 0 || batch.successes === undefined ? {} : { "train/success": successes / episodes }),
    };
  }

  async function improve(): Promise<Metrics> {
    const part = count / config.minibatches;
    const ofCritics: Metrics[] = [];
    const ofPolicies: Metrics[] = [];
    for (let epoch = 0; epoch < config.epochs; epoch++) {
      const order = streams.minibatches.permutation(count);
      for (let start = 0; start < count; start += part) {
        copySamples(rollout, order.subarray(start, start + part), minibatch);
        ofCritics.push(await runForAgents(stepCritics));
        if (!reinforce || ofPolicies.length === 0) ofPolicies.push(await runForAgents(stepPolicies));
      }
    }
    return { ...meanMetrics(ofCritics), ...meanMetrics(ofPolicies) };
  }

  const variables = [actor, critic].flatMap((each) => Object.values(each.variables));
  return {
    stepsPerIteration: count,
    facts: {
      engine: `${engine.name} ${engine.version}`,
      communication: communication.none,
      critics: describeScopes(team.scopes, team.actionValues ? "states and actions" : "states"),
    },
    async iterate() {
      try {
        const collected = await collect();
        estimate(team, valued, rollout, config);
        return { ...collected, ...(await improve()) };
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
    },
    async evaluate(episodes, stream) {
      const modal = await evaluators.for(evaluationCopies(episodes));
      const metrics = await evaluateGreedily(modal, env, episodes, stream);
      return { ...metrics, "eval/return-per-agent": metrics["eval/return"] / agents };
    },
    snapshot: () => ({
      tensors: savedVariables(variables),
      json: {
        batch: batch.snapshot(),
        streams: savedStreams(streams),
      },
    }),
    restore({ tensors, json }) {
      const saved = json as unknown as {
        readonly batch: Snapshot;
        readonly streams: Readonly<Record<string, RngState>>;
      };
      restoreVariables(variables, tensors);
      batch.restore(saved.batch);
      restoreStreams(streams, saved.streams);
    },
    parameters: () => parametersOf([actor.named, critic.named]),
    exportPolicy: policy.export,
    exportPolicies: policy.exportEach,
    async dispose() {
      for (const part of [play, stepCritics, stepPolicies, evaluators]) await part.dispose();
    },
  };
}

/** Copies the chosen samples. */
function copySamples(from: MastacPgSamples, which: Int32Array, to: MastacPgSamples): void {
  for (const name of Object.keys(from) as (keyof MastacPgSamples)[]) {
    copyRows(from[name]!, to[name]!.length / which.length, which, which.length, to[name]!);
  }
}
