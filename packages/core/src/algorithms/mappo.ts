/**
 * MAPPO with a Bayesian-network joint policy (Context-aware BN, Section 5; Subteams, Section 6).
 *
 * Proximal policy optimisation with a centralised critic, where agent i's policy also reads the actions of its
 * parents in a DAG. The empty DAG (`dag=product`) is ordinary MAPPO. Every agent has its own ratio; all share the
 * team's advantage.
 *
 * One update: collect `T` steps in `B` environments; value them; advantages by GAE; then for each epoch and minibatch
 * a clipped policy step and a clipped value step. Many rows of a batch are equal (few states, few backlogs), so
 * networks are evaluated once for each distinct input, and samples that share agent, input and action are summed: the
 * clipped objective is linear in positive and in negative advantages, so the sum is exact.
 */
import { z } from "zod";
import { type EnvBatch, type EnvSpec, type Snapshot, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  createRollout,
  generalisedAdvantages,
  type Learnable,
  learnable,
  mostActions,
  needsMasks,
  type Rollout,
  standardise,
  type ValueNormaliser,
  type ValueNormaliserState,
  valueNormaliser,
  writeMasks,
} from "../learn/index.ts";
import {
  type BnActor,
  type BnPolicy,
  baseNetwork,
  bnActor,
  bnPolicy,
  type ConditionalRows,
  conditionalLogProbabilities,
  conditionalRowBuilder,
  dagWriter,
  type JointSamples,
  meanDensity,
  parseDagSource,
} from "../models/index.ts";
import type { Rng, RngState } from "../random/index.ts";
import {
  add,
  capacityFor,
  clip,
  compile,
  copyRows,
  distinctRowFinder,
  type Engine,
  type Expr,
  exp,
  gather,
  huber,
  loadEngine,
  maximum,
  mean,
  minimum,
  mul,
  NonFiniteError,
  namedArrays,
  neg,
  nn,
  sizedPrograms,
  sub,
  sum,
  unpack,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  DivergenceError,
  endedEpisode,
  type Learner,
  type LearnerContext,
  type LearnerSnapshot,
  type Metrics,
} from "../training/index.ts";
import { exactPriceOfAnarchy, playEpisodes } from "./evaluate-bn-policy.ts";

const configSchema = z.strictObject({
  dag: z
    .string()
    .default("product")
    .describe(
      "Who reads whose action: product, full, line, 2+3, edges:0>1, heuristic(B), random(B), bernoulli(p)",
    ),
  parentInput: z
    .enum(["auto", "actions", "observations-and-actions"])
    .default("auto")
    .describe(
      "What a child is told of a parent; auto: actions alone where all agents observe the same, else both",
    ),
  heads: z
    .enum(["per-agent", "shared"])
    .default("per-agent")
    .describe("One action head for each agent, or one for all that also reads the agent's identity"),
  hidden: z.int().min(1).default(64).describe("Width of the hidden layers"),
  inputNorm: z
    .union([z.literal("auto"), z.boolean()])
    .default("auto")
    .describe("Layer normalisation of network inputs; auto: only of inputs at least 8 wide"),
  hiddenNorm: z.boolean().default(true).describe("Layer normalisation after hidden layers"),
  environments: z.int().min(1).default(32).describe("Environments stepped together"),
  rolloutSteps: z
    .int()
    .min(0)
    .default(0)
    .describe("Steps per environment and update; 0 stands for one full episode"),
  epochs: z.int().min(1).default(5).describe("Passes over the data of an update"),
  minibatches: z.int().min(1).default(1).describe("Parts into which each pass is cut"),
  clip: z.number().positive().default(0.2).describe("Clip range of the policy ratio and of the value"),
  entropyCoefficient: z.number().min(0).default(0.01).describe("Weight of the policy's entropy"),
  finalEntropyCoefficient: z
    .number()
    .min(0)
    .optional()
    .describe("Entropy coefficient at the end of the run, reached linearly; by default it stays the same"),
  discount: z.number().min(0).max(1).default(0.99).describe("Discount of future rewards"),
  traceDecay: z.number().min(0).max(1).default(0.95).describe("Lambda of generalised advantage estimation"),
  actorLearningRate: z.number().positive().default(7e-4).describe("Adam's step size for the policy"),
  criticLearningRate: z.number().positive().default(7e-4).describe("Adam's step size for the critic"),
  adamEpsilon: z.number().positive().default(1e-5).describe("Adam's epsilon"),
  maxGradientNorm: z
    .number()
    .positive()
    .default(10)
    .describe("Global norm that gradients are clipped to, actor and critic apart"),
  valueCoefficient: z.number().positive().default(1).describe("Weight of the value loss"),
  huberDelta: z.number().positive().default(10).describe("Where the Huber value loss becomes linear"),
  normaliseAdvantages: z
    .boolean()
    .default(true)
    .describe("Shift and scale the advantages of an update to mean 0 and deviation 1"),
  normaliseValues: z
    .boolean()
    .default(true)
    .describe("Learn values in units of their running mean and deviation"),
  valueDecay: z.number().min(0).lt(1).default(0.99999).describe("Decay of the value normaliser's moments"),
  bootstrapTimeLimit: z
    .boolean()
    .default(false)
    .describe("Whether the value of a state cut off by the time limit counts; the papers treat it as an end"),
  resample: z
    .enum(["none", "dag", "dag+actions"])
    .default("none")
    .describe("Redraw the DAG, or the DAG and the parents' actions, in every epoch, as published code does"),
});

export type MappoConfig = z.output<typeof configSchema>;

export const mappo: Algorithm<MappoConfig> = {
  name: "mappo",
  description: "PPO with a centralised critic and a Bayesian-network joint policy over a DAG of agents",
  source: "Context-aware Bayesian network actor-critic; Subteams; Yu et al. 2022",
  config: configSchema,
  presets: {
    exploring: {
      description:
        "much entropy that fades to none, and credit for the present step only: for games where an action's effect is " +
        "immediate and early failures scare agents into passivity, such as Aloha",
      config: { discount: 0, entropyCoefficient: 0.5, finalEntropyCoefficient: 0 },
    },
    plain: {
      description:
        "no hidden layer normalisation and no entropy bonus: near the optimum of the Coordination Game",
      config: { hiddenNorm: false, entropyCoefficient: 0 },
    },
  },
  create: createMappo,
};

async function createMappo(context: LearnerContext<MappoConfig>): Promise<Learner> {
  const { config, env, rng, totalSteps } = context;
  const engine = await loadEngine();
  const batch = vectorise(env, config.environments, rng.split("environments"));
  const networks = mappoNetworks(batch.spec, config, rng);
  const dagSource = parseDagSource(config.dag, batch.spec.agents, batch.dependency !== undefined);
  const policy = bnPolicy(engine, "mappo", networks.policy, { dagSource, masked: needsMasks(batch) });
  const rollout = createRollout(batch, config.rolloutSteps || batch.spec.horizon);
  const samples = rollout.steps * rollout.environments;
  const updater = mappoUpdater(engine, config, policy, networks, rollout, rng);
  const collector = await mappoCollector(policy, batch, rollout, rng);

  const model = env().model?.();
  const priceOfAnarchy = model === undefined ? undefined : exactPriceOfAnarchy(policy, model);
  const variables = [
    ...Object.values(networks.policy.variables),
    ...Object.values(networks.critic.variables),
  ];
  let taken = 0;

  return {
    stepsPerIteration: samples,
    facts: {
      engine: `${engine.name} ${engine.version}`,
      ...networks.facts,
      ...(dagSource.note === undefined ? {} : { note: dagSource.note }),
    },
    async iterate() {
      const collected = await collector.collect();
      try {
        const updated = await updater.update(Math.min(1, taken / totalSteps));
        taken += samples;
        return { ...collected, ...updated };
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
    },
    async evaluate(episodes, stream) {
      const played = await playEpisodes(policy, env, episodes, stream);
      if (priceOfAnarchy === undefined) return played;
      return { ...played, "eval/price-of-anarchy": await priceOfAnarchy(stream.split("exact")) };
    },
    snapshot: () => ({
      tensors: {
        ...Object.fromEntries(variables.map(({ name, values }) => [name, (values as Float32Array).slice()])),
        ...collector.tensors(),
      },
      json: { taken, batch: batch.snapshot(), collector: collector.state(), updater: updater.state() },
    }),
    restore({ tensors, json }) {
      const saved = json as unknown as SavedState;
      for (const { name, values } of variables) {
        if (tensors[name]?.length !== values.length) {
          throw new InputError(
            `mappo: snapshot has ${tensors[name]?.length ?? "no"} values of ${name}, expected ${values.length}`,
          );
        }
        (values as Float32Array).set(tensors[name] as Float32Array);
      }
      taken = saved.taken;
      batch.restore(saved.batch);
      collector.restore(saved.collector, tensors);
      updater.restore(saved.updater);
    },
    parameters: () => ({
      ...namedArrays(networks.policy.vector.values as Float32Array, networks.policy.layout),
      ...namedArrays(networks.critic.vector.values as Float32Array, networks.critic.layout),
    }),
    exportPolicy: policy.export,
    async dispose() {
      await collector.dispose();
      await updater.dispose();
      await policy.dispose();
    },
  };
}

interface SavedState {
  readonly taken: number;
  readonly batch: Snapshot;
  readonly collector: CollectorState;
  readonly updater: UpdaterState;
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

interface MappoNetworks {
  readonly policy: Learnable & { readonly actor: BnActor };
  readonly critic: Learnable & {
    /** Values of states in the units of the value normaliser, `[U, S] -> [U, 1]`. */
    value(views: Views, states: Expr): Expr;
  };
  readonly facts: Learner["facts"];
}

/** The actor shared by all agents and the centralised critic, with their optimisers. */
export function mappoNetworks(spec: EnvSpec, config: MappoConfig, rng: Rng): MappoNetworks {
  const { agents, observationSize, stateSize } = spec;
  const parentInput =
    config.parentInput !== "auto"
      ? config.parentInput
      : spec.sharedObservation
        ? "actions"
        : "observations-and-actions";
  const actor = bnActor("actor", {
    ...config,
    agents,
    observationSize,
    actions: mostActions(spec),
    parentInput,
  });
  const base = baseNetwork("critic/state", stateSize, config);
  const head = nn.orthogonalLinear("critic/head", config.hidden, 1, 1);
  const options = { epsilon: config.adamEpsilon, maxGradientNorm: config.maxGradientNorm };
  return {
    policy: {
      actor,
      ...learnable("actor", actor.parameters, { ...options, learningRate: config.actorLearningRate }, rng),
    },
    critic: {
      value: (views, states) => head.apply(views, base.apply(views, states)),
      ...learnable(
        "critic",
        [...base.parameters, ...head.parameters],
        { ...options, learningRate: config.criticLearningRate },
        rng,
      ),
    },
    facts: {
      dag: config.dag,
      parentInput,
      inputNorm: {
        observation: actor.normalisesInput.observation,
        parents: actor.normalisesInput.parents ?? null,
        critic: base.normalisesInput,
      },
    },
  };
}

// ── Collecting ────────────────────────────────────────────────────────────────────────────────────────────────────

type CollectorState = {
  readonly started: boolean;
  readonly noise: RngState;
  readonly dag: RngState;
};

interface Collector {
  /** Plays `T` steps in all environments; mean return of the episodes that ended, and mean DAG density. */
  collect(): Promise<Metrics>;
  /** DAGs in force, which outlive an update when they are kept for an episode. */
  tensors(): LearnerSnapshot["tensors"];
  state(): CollectorState;
  restore(state: CollectorState, tensors: LearnerSnapshot["tensors"]): void;
  dispose(): Promise<void>;
}

/** Plays the exploring policy in all environments and fills the rollout. */
export async function mappoCollector(
  policy: BnPolicy,
  batch: EnvBatch,
  rollout: Rollout,
  rng: Rng,
): Promise<Collector> {
  const { agents, observationSize, stateSize } = batch.spec;
  const { environments, steps } = rollout;
  const { actions } = policy.actor.options;
  const actor = await policy.createActor(environments, batch.observations);
  let dags = dagWriter(policy.dagSource, environments, agents);
  const noiseRng = rng.split("noise");
  const context = { scores: batch.dependency, rng: rng.split("dag") };
  let started = false;

  return {
    async collect() {
      let episodes = 0;
      let episodeReturns = 0;
      for (let t = 0; t < steps; t++) {
        const at = t * environments;
        rollout.observations.set(batch.observations, at * agents * observationSize);
        rollout.states.set(batch.states, at * stateSize);
        if (batch.dependency !== undefined) rollout.dependency!.set(batch.dependency, at * agents * agents);
        if (actor.available !== undefined) {
          writeMasks(batch, actor.available);
          rollout.available!.set(actor.available, at * agents * actions);
        }
        dags.draw(context, actor.dags, started ? (b) => endedEpisode(batch, b) : undefined);
        rollout.parents.set(actor.dags.parents, at * agents * agents);
        noiseRng.fillGumbel(actor.noise);
        await actor.run();
        started = true;
        rollout.actions.set(actor.actions, at * agents);
        rollout.logProbabilities.set(actor.logProbabilities, at * agents);

        batch.step(actor.actions);
        rollout.rewards.set(batch.rewards, at);
        for (let b = 0; b < environments; b++) {
          const ended = endedEpisode(batch, b);
          rollout.ended[at + b] = ended ? 1 : 0;
          rollout.truncated[at + b] = ended && batch.terminated[b] === 0 ? 1 : 0;
          if (!ended) continue;
          episodes++;
          episodeReturns += batch.episodeReturns[b];
          const state = batch.finalStates.subarray(b * stateSize, (b + 1) * stateSize);
          rollout.finalStates.set(state, (at + b) * stateSize);
        }
      }
      rollout.lastStates.set(batch.states);
      return {
        ...(episodes === 0 ? {} : { "train/return": episodeReturns / episodes }),
        "train/dag-density": meanDensity(rollout.parents, steps * environments, agents),
      };
    },
    tensors: () => ({
      "dag/parents": actor.dags.parents.slice(),
      "dag/order": actor.dags.order.slice(),
    }),
    state: () => ({ started, noise: noiseRng.state(), dag: context.rng.state() }),
    restore(state, tensors) {
      started = state.started;
      noiseRng.restore(state.noise);
      context.rng.restore(state.dag);
      dags = dagWriter(policy.dagSource, environments, agents);
      actor.dags.parents.set(tensors["dag/parents"]);
      actor.dags.order.set(tensors["dag/order"]);
    },
    dispose: () => actor.dispose(),
  };
}

// ── Updating ──────────────────────────────────────────────────────────────────────────────────────────────────────

type UpdaterState = {
  readonly normaliser: ValueNormaliserState;
  readonly minibatches: RngState;
  readonly resample: RngState;
};

interface Updater {
  /**
   * One update: all epochs over the rollout.
   *
   * @param progress share of the run that is over, in `[0, 1]`, which schedules follow
   * @returns means over the steps of the update; `train/first-ratio-error` is the largest distance of a ratio from 1
   * at the first step, which is rounding unless samples are redrawn
   */
  update(progress: number): Promise<Metrics>;
  state(): UpdaterState;
  restore(state: UpdaterState): void;
  dispose(): Promise<void>;
}

/** Learns from a filled rollout. */
export function mappoUpdater(
  engine: Engine,
  config: MappoConfig,
  policy: BnPolicy,
  networks: MappoNetworks,
  rollout: Rollout,
  rng: Rng,
): Updater {
  const { steps, environments } = rollout;
  const samples = steps * environments;
  if (samples % config.minibatches !== 0) {
    throw new InputError(
      `mappo.minibatches: ${config.minibatches} does not divide the ${samples} samples of an update (${steps} steps x ${environments} environments)`,
    );
  }
  const minibatchSize = samples / config.minibatches;
  const minibatchRng = rng.split("minibatches");
  const resampleRng = rng.split("resample");
  const normaliser = valueNormaliser(config.valueDecay);
  const estimator = advantageEstimator(engine, config, networks.critic, rollout, normaliser);
  const policyStepper = createPolicyStepper(engine, config, policy, networks.policy, rollout);
  const valueStepper = createValueStepper(
    engine,
    config,
    networks.critic,
    rollout,
    normaliser,
    minibatchSize,
  );
  const buildRows = conditionalRowBuilder(policy.actor, samples);
  const inOrder = Int32Array.from({ length: samples }, (_, k) => k);
  const { entropyCoefficient, finalEntropyCoefficient = entropyCoefficient } = config;

  /** The decisions that the policy is scored on: the stored ones or, with `resample`, under DAGs drawn anew. */
  async function decisionsToScore(): Promise<JointSamples> {
    if (config.resample === "none") return rollout;
    const acting = await policy.actorFor(samples);
    const redrawn = dagWriter(policy.dagSource, samples, policy.actor.options.agents);
    redrawn.draw({ scores: rollout.dependency, rng: resampleRng }, acting.dags);
    const parents = acting.dags.parents.slice();
    // Equal decisions may have been taken with different probabilities now, so those keep samples apart.
    const tag = rollout.logProbabilities;
    if (config.resample === "dag") return { ...rollout, parents, tag };
    acting.observations.set(rollout.observations);
    if (acting.available !== undefined) acting.available.set(rollout.available!);
    resampleRng.fillGumbel(acting.noise);
    await acting.run();
    return { ...rollout, parents, actions: acting.actions.slice(), tag };
  }

  return {
    async update(progress) {
      const entropyWeight = entropyCoefficient + (finalEntropyCoefficient - entropyCoefficient) * progress;
      const { advantages, returns, oldValues } = await estimator.estimate();
      const sameEveryEpoch = config.minibatches === 1 && config.resample === "none";
      const stepMetrics: Metrics[] = [];
      let stepPolicy: PolicyStep | undefined;
      let stepValue: ValueStep | undefined;
      for (let epoch = 0; epoch < config.epochs; epoch++) {
        const decisions = await decisionsToScore();
        const order = config.minibatches === 1 ? inOrder : minibatchRng.permutation(samples);
        for (let start = 0; start < samples; start += minibatchSize) {
          const minibatch = order.subarray(start, start + minibatchSize);
          if (stepPolicy === undefined || stepValue === undefined || !sameEveryEpoch) {
            stepPolicy = await policyStepper.prepare(minibatch, buildRows(decisions, minibatch), advantages);
            stepValue = await valueStepper.prepare(minibatch, returns, oldValues);
          }
          stepMetrics.push({ ...(await stepPolicy(entropyWeight)), ...(await stepValue()) });
        }
      }
      return {
        ...means(stepMetrics),
        "train/first-ratio-error": stepMetrics[0]["train/largest-ratio-change"],
      };
    },
    state: () => ({
      normaliser: normaliser.state(),
      minibatches: minibatchRng.state(),
      resample: resampleRng.state(),
    }),
    restore(state) {
      normaliser.restore(state.normaliser);
      minibatchRng.restore(state.minibatches);
      resampleRng.restore(state.resample);
    },
    async dispose() {
      for (const part of [estimator, policyStepper, valueStepper]) await part.dispose();
    },
  };
}

/** Mean of each metric over the steps of an update. */
const means = (steps: readonly Metrics[]): Metrics =>
  Object.fromEntries(
    Object.keys(steps[0]).map((name) => [
      name,
      steps.reduce((total, step) => total + step[name], 0) / steps.length,
    ]),
  );

/** The scale values are learned in: that of the normaliser, or none. */
const valueScale = (config: MappoConfig, normaliser: ValueNormaliser) =>
  config.normaliseValues ? normaliser.moments() : { mean: 0, deviation: 1 };

// ── Advantages ────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an update learns from, `[T, B]` each; overwritten by the next estimate. */
interface Estimate {
  readonly advantages: Float64Array;
  readonly returns: Float64Array;
  /** Values before the update, in the normaliser's units. */
  readonly oldValues: Float32Array;
}

/** Values the rollout's states, each distinct one once, and estimates advantages by GAE. */
function advantageEstimator(
  engine: Engine,
  config: MappoConfig,
  critic: MappoNetworks["critic"],
  rollout: Rollout,
  normaliser: ValueNormaliser,
) {
  const { steps, environments } = rollout;
  const samples = steps * environments;
  const stateSize = rollout.states.length / samples;
  const findStates = distinctRowFinder(samples);
  const oldValues = new Float32Array(samples);
  const lastValues = new Float32Array(environments);
  const finalValues = new Float32Array(samples);
  const values = new Float64Array(samples);
  const nextValues = new Float64Array(samples);
  const advantages = new Float64Array(samples);
  const returns = new Float64Array(samples);

  const valuePrograms = sizedPrograms((count: number) =>
    compile(engine, {
      name: "mappo: values",
      inputs: { states: { dtype: "float32", shape: [count, stateSize] } },
      variables: { critic: critic.vector },
      build: (leaves) => ({
        results: { values: critic.value(unpack(leaves.critic, critic.layout), leaves.states) },
      }),
    }),
  );

  /** Values of states `[R, S]` in the normaliser's units. */
  async function valuesOf(states: Float32Array, out: Float32Array): Promise<void> {
    const distinct = findStates(states, out.length, stateSize);
    const program = await valuePrograms.for(capacityFor(distinct.count));
    copyRows(states, stateSize, distinct.first, distinct.count, program.inputs.states);
    await program.run();
    const found = program.results.values as Float32Array;
    for (let k = 0; k < out.length; k++) out[k] = found[distinct.index[k]];
  }

  return {
    async estimate(): Promise<Estimate> {
      const { mean: centre, deviation } = valueScale(config, normaliser);
      await valuesOf(rollout.states, oldValues);
      await valuesOf(rollout.lastStates, lastValues);
      if (config.bootstrapTimeLimit) await valuesOf(rollout.finalStates, finalValues);
      for (let k = 0; k < samples; k++) values[k] = oldValues[k] * deviation + centre;
      for (let k = 0; k < samples; k++) {
        const next = k + environments;
        if (!rollout.ended[k]) {
          nextValues[k] = next < samples ? values[next] : lastValues[next - samples] * deviation + centre;
        } else if (config.bootstrapTimeLimit && rollout.truncated[k]) {
          nextValues[k] = finalValues[k] * deviation + centre;
        } else {
          nextValues[k] = 0;
        }
      }
      const valued = { ...rollout, values, nextValues };
      generalisedAdvantages(valued, config.discount, config.traceDecay, advantages, returns);
      if (config.normaliseAdvantages) standardise(advantages);
      return { advantages, returns, oldValues };
    },
    dispose: valuePrograms.dispose,
  };
}

// ── The policy's step ─────────────────────────────────────────────────────────────────────────────────────────────

/** One step on the minibatch it was prepared for, until the next is prepared. */
type PolicyStep = (entropyCoefficient: number) => Promise<Metrics>;

/** Clipped steps of the policy on minibatches of the rollout. */
function createPolicyStepper(
  engine: Engine,
  config: MappoConfig,
  policy: BnPolicy,
  network: MappoNetworks["policy"],
  rollout: Rollout,
) {
  const { agents, actions } = policy.actor.options;

  const programs = sizedPrograms((observations: number, parents: number, rows: number) =>
    compile(engine, {
      name: "mappo: policy step",
      inputs: {
        ...policy.rowInputs(observations, parents, rows),
        oldLogProbabilities: { dtype: "float32", shape: [rows, actions] },
        positive: { dtype: "float32", shape: [rows, actions] },
        negative: { dtype: "float32", shape: [rows, actions] },
        weight: { dtype: "float32", shape: [rows] },
        entropyCoefficient: { dtype: "float32", shape: [] },
      },
      variables: network.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, network.layout);
        const logProbabilities = conditionalLogProbabilities(policy.actor, views, leaves);
        const ratio = exp(sub(logProbabilities, leaves.oldLogProbabilities));
        // min(rA, clip(r)A) is A min(r, 1 + clip) for positive and A max(r, 1 - clip) for negative advantages.
        const gain = add(
          mul(leaves.positive, minimum(ratio, 1 + config.clip)),
          mul(leaves.negative, maximum(ratio, 1 - config.clip)),
        );
        const rowEntropy = neg(sum(mul(exp(logProbabilities), logProbabilities), [1]));
        const entropy = sum(mul(rowEntropy, leaves.weight));
        const policyLoss = neg(sum(gain));
        const loss = sub(policyLoss, mul(entropy, leaves.entropyCoefficient));
        const { gradientNorm, updates } = network.step(loss, views, leaves);
        return {
          results: {
            "policy loss": policyLoss,
            entropy,
            "actor gradient norm": gradientNorm,
            logProbabilities,
          },
          updates,
        };
      },
      finite: ["policy loss", "actor gradient norm"],
    }),
  );

  return {
    /** @param rows the different decisions of the minibatch */
    async prepare(
      minibatch: Int32Array,
      rows: ConditionalRows,
      advantages: Float64Array,
    ): Promise<PolicyStep> {
      const { inputs, results, run } = await programs.for(...rows.sizes);
      const sums = sumByDecision(minibatch, rows, advantages, rollout, agents, actions);
      rows.fill(inputs);
      inputs.positive.set(sums.positive);
      inputs.negative.set(sums.negative);
      inputs.weight.set(sums.weight);
      inputs.oldLogProbabilities.set(sums.oldLogProbabilities);
      return async (entropyCoefficient) => {
        inputs.entropyCoefficient[0] = entropyCoefficient;
        await run();
        return {
          "train/policy-loss": Number(results["policy loss"][0]),
          "train/entropy": Number(results.entropy[0]),
          "train/actor-gradient-norm": Number(results["actor gradient norm"][0]),
          "train/distinct-decisions": rows.count,
          ...ratioStatistics(results.logProbabilities as Float32Array, sums, config.clip),
        };
      };
    },
    dispose: programs.dispose,
  };
}

/** The clipped objective's data by decision and action, `[K, A]` (`weight`: `[K]`). */
interface DecisionSums {
  /** Sum of positive advantages over the number of decisions. */
  readonly positive: Float64Array;
  /** Sum of negative advantages over the number of decisions. */
  readonly negative: Float64Array;
  /** Share of the decisions. */
  readonly weight: Float64Array;
  /** How often the action was taken. */
  readonly counts: Int32Array;
  readonly oldLogProbabilities: Float32Array;
}

/**
 * Sums samples that share a decision and an action: they also share the ratio, and the objective is linear in positive
 * and in negative advantages, so summing each kind loses nothing. This needs equal old log-probabilities in a row: they
 * are, since one policy took all of a rollout's decisions, and where decisions are redrawn their tag keeps others apart.
 */
function sumByDecision(
  minibatch: Int32Array,
  rows: ConditionalRows,
  advantages: Float64Array,
  rollout: Rollout,
  agents: number,
  actions: number,
): DecisionSums {
  const capacity = rows.sizes[2];
  const positive = new Float64Array(capacity * actions);
  const negative = new Float64Array(capacity * actions);
  const weight = new Float64Array(capacity);
  const counts = new Int32Array(capacity * actions);
  const oldLogProbabilities = new Float32Array(capacity * actions);
  const perDecision = 1 / (minibatch.length * agents);
  for (let n = 0; n < minibatch.length; n++) {
    const advantage = advantages[minibatch[n]] * perDecision;
    for (let i = 0; i < agents; i++) {
      const decision = minibatch[n] * agents + i;
      const row = rows.rowOf[n * agents + i];
      const entry = row * actions + rollout.actions[decision];
      (advantage > 0 ? positive : negative)[entry] += advantage;
      weight[row] += perDecision;
      counts[entry]++;
      oldLogProbabilities[entry] = rollout.logProbabilities[decision];
    }
  }
  return { positive, negative, weight, counts, oldLogProbabilities };
}

/**
 * How far the policy was, before the step, from the one that acted, over all decisions of a minibatch. The divergence
 * is estimated by the mean of the negative log-ratio.
 *
 * @param logProbabilities `[K, A]`
 */
function ratioStatistics(
  logProbabilities: Float32Array,
  { counts, oldLogProbabilities }: DecisionSums,
  clipRange: number,
) {
  let decisions = 0;
  let divergence = 0;
  let clipped = 0;
  let largest = 0;
  for (let entry = 0; entry < counts.length; entry++) {
    const count = counts[entry];
    if (count === 0) continue;
    const change = logProbabilities[entry] - oldLogProbabilities[entry];
    const error = Math.abs(Math.exp(change) - 1);
    decisions += count;
    divergence -= count * change;
    if (error > clipRange) clipped += count;
    largest = Math.max(largest, error);
  }
  return {
    "train/approximate-kl": divergence / decisions,
    "train/clip-fraction": clipped / decisions,
    "train/largest-ratio-change": largest,
  };
}

// ── The critic's step ─────────────────────────────────────────────────────────────────────────────────────────────

/** One step on the minibatch it was prepared for, until the next is prepared. */
type ValueStep = () => Promise<Metrics>;

/** Clipped regression steps of the critic on minibatches of the rollout. */
function createValueStepper(
  engine: Engine,
  config: MappoConfig,
  critic: MappoNetworks["critic"],
  rollout: Rollout,
  normaliser: ValueNormaliser,
  minibatchSize: number,
) {
  const stateSize = rollout.states.length / (rollout.steps * rollout.environments);
  const findStates = distinctRowFinder(minibatchSize);
  const minibatchStates = new Float32Array(minibatchSize * stateSize);

  const programs = sizedPrograms((states: number) =>
    compile(engine, {
      name: "mappo: value step",
      inputs: {
        states: { dtype: "float32", shape: [states, stateSize] },
        stateRow: { dtype: "int32", shape: [minibatchSize] },
        returns: { dtype: "float32", shape: [minibatchSize, 1] },
        oldValues: { dtype: "float32", shape: [minibatchSize, 1] },
      },
      variables: critic.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, critic.layout);
        const value = gather(critic.value(views, leaves.states), leaves.stateRow);
        const near = add(leaves.oldValues, clip(sub(value, leaves.oldValues), -config.clip, config.clip));
        const error = (estimate: Expr): Expr => huber(sub(leaves.returns, estimate), config.huberDelta);
        const valueLoss = mean(maximum(error(value), error(near)));
        const { gradientNorm, updates } = critic.step(mul(valueLoss, config.valueCoefficient), views, leaves);
        return { results: { "value loss": valueLoss, "critic gradient norm": gradientNorm }, updates };
      },
      finite: ["value loss", "critic gradient norm"],
    }),
  );

  return {
    async prepare(minibatch: Int32Array, returns: Float64Array, oldValues: Float32Array): Promise<ValueStep> {
      copyRows(rollout.states, stateSize, minibatch, minibatchSize, minibatchStates);
      const distinct = findStates(minibatchStates, minibatchSize, stateSize);
      const { inputs, results, run } = await programs.for(capacityFor(distinct.count));
      copyRows(minibatchStates, stateSize, distinct.first, distinct.count, inputs.states);
      inputs.stateRow.set(distinct.index);
      inputs.oldValues.set(Float32Array.from(minibatch, (sample) => oldValues[sample]));
      const targets = Float64Array.from(minibatch, (sample) => returns[sample]);
      return async () => {
        normaliser.update(targets);
        const { mean: centre, deviation } = valueScale(config, normaliser);
        for (let n = 0; n < minibatchSize; n++) inputs.returns[n] = (targets[n] - centre) / deviation;
        await run();
        return {
          "train/value-loss": Number(results["value loss"][0]),
          "train/critic-gradient-norm": Number(results["critic gradient norm"][0]),
        };
      };
    },
    dispose: programs.dispose,
  };
}
