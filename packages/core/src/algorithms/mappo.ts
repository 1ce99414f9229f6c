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
import { type EnvBatch, type FiniteModel, type Snapshot, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  createRollout,
  generalisedAdvantages,
  mostActions,
  needsMasks,
  standardise,
  type ValueNormaliserState,
  valueNormaliser,
  writeMasks,
} from "../learn/index.ts";
import {
  baseNetwork,
  bnActor,
  type ConditionalRows,
  conditionalLogProbabilities,
  conditionalRowBuilder,
  type DagBatch,
  dagWriter,
  meanDensity,
  parseDagSource,
  sampleJointActions,
} from "../models/index.ts";
import type { Rng, RngState } from "../random/index.ts";
import {
  enumerateJointActions,
  jointPolicyFromLogProbabilities,
  optimalValue,
  priceOfAnarchy,
} from "../tabular/index.ts";
import {
  adam,
  add,
  capacityFor,
  clip,
  clipByGlobalNorm,
  compile,
  constant,
  distinctRowFinder,
  type Expr,
  exp,
  gather,
  gradients,
  huber,
  initialise,
  type Layout,
  layoutOf,
  loadEngine,
  maximum,
  mean,
  minimum,
  mul,
  NonFiniteError,
  namedArrays,
  neg,
  nn,
  type Parameter,
  pack,
  sizedPrograms,
  sub,
  sum,
  trace,
  unpack,
  type Values,
  type Variable,
  variable,
} from "../tensor/index.ts";
import {
  type Algorithm,
  DivergenceError,
  type Learner,
  type LearnerContext,
  type Metrics,
} from "./algorithm.ts";

const configSchema = z.strictObject({
  /** Who reads whose action: product, full, line, 2+3, edges:0>1, heuristic(B), random(B), bernoulli(p). */
  dag: z.string().default("product"),
  /** What a child is told of a parent; auto: actions alone where all agents observe the same, else both. */
  parentInput: z.enum(["auto", "actions", "observations-and-actions"]).default("auto"),
  /** One action head for each agent, or one for all that also reads the agent's identity. */
  heads: z.enum(["per-agent", "shared"]).default("per-agent"),
  hidden: z.int().min(1).default(64),
  /** Layer normalisation of network inputs; auto: only of inputs at least 8 wide. */
  inputNorm: z.union([z.literal("auto"), z.boolean()]).default("auto"),
  /** Layer normalisation after hidden layers. */
  hiddenNorm: z.boolean().default(true),
  /** Environments stepped together. */
  environments: z.int().min(1).default(32),
  /** Steps per environment and update; 0 stands for one full episode. */
  rolloutSteps: z.int().min(0).default(0),
  epochs: z.int().min(1).default(5),
  minibatches: z.int().min(1).default(1),
  /** Clip range of the policy ratio and of the value. */
  clip: z.number().positive().default(0.2),
  entropyCoefficient: z.number().min(0).default(0.01),
  /** Entropy coefficient at the end of the run, reached linearly; by default it stays the same. */
  finalEntropyCoefficient: z.number().min(0).optional(),
  discount: z.number().min(0).max(1).default(0.99),
  /** Lambda of generalised advantage estimation. */
  traceDecay: z.number().min(0).max(1).default(0.95),
  actorLearningRate: z.number().positive().default(7e-4),
  criticLearningRate: z.number().positive().default(7e-4),
  adamEpsilon: z.number().positive().default(1e-5),
  maxGradientNorm: z.number().positive().default(10),
  valueCoefficient: z.number().positive().default(1),
  /** Where the Huber value loss becomes linear. */
  huberDelta: z.number().positive().default(10),
  normaliseAdvantages: z.boolean().default(true),
  normaliseValues: z.boolean().default(true),
  /** Decay of the value normaliser's moments. */
  valueDecay: z.number().min(0).lt(1).default(0.99999),
  /** Whether the value of a state cut off by the time limit counts; the papers treat it as an end. */
  bootstrapTimeLimit: z.boolean().default(false),
  /** Redraw the DAG, or the DAG and the parents' actions, in every epoch, as published code does. */
  resample: z.enum(["none", "dag", "dag+actions"]).default("none"),
});

export type MappoConfig = z.output<typeof configSchema>;

export const mappo: Algorithm<MappoConfig> = {
  name: "mappo",
  description: "PPO with a centralised critic and a Bayesian-network joint policy over a DAG of agents",
  source: "Context-aware Bayesian network actor-critic; Subteams; Yu et al. 2022",
  config: configSchema,
  create: createMappo,
};

/** DAG draws that the exact evaluation averages over for every state, where the DAG is random. */
const EVALUATION_DAGS = 32;

async function createMappo(context: LearnerContext<MappoConfig>): Promise<Learner> {
  const { config, rng, totalSteps } = context;
  const batch = vectorise(context.env, config.environments, rng.split("environments"));
  const { spec, size: environments } = batch;
  const { agents, observationSize, stateSize } = spec;
  const actions = mostActions(spec);
  const masked = needsMasks(batch);
  const steps = config.rolloutSteps || spec.horizon;
  const samples = steps * environments;
  if (samples % config.minibatches !== 0) {
    throw new InputError(
      `mappo.minibatches: ${config.minibatches} does not divide the ${samples} samples of an update (${steps} steps x ${environments} environments)`,
    );
  }
  const dagSource = parseDagSource(config.dag, agents, batch.dependency !== undefined);
  const engine = await loadEngine();

  // ── Networks ────────────────────────────────────────────────────────────────────────────────────────────────

  const parentInput =
    config.parentInput !== "auto"
      ? config.parentInput
      : spec.sharedObservation
        ? "actions"
        : "observations-and-actions";
  const actor = bnActor("actor", { ...config, agents, observationSize, actions, parentInput });
  const critic = criticNetwork("critic", stateSize, config);
  const actorState = learnable("actor", actor.parameters, config.actorLearningRate, config, rng);
  const criticState = learnable("critic", critic.parameters, config.criticLearningRate, config, rng);
  const normaliser = valueNormaliser(config.valueDecay);

  // ── Programs ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Joint actions of `count` environments. */
  const acting = (count: number, parameters?: Expr, observations?: Float32Array) => ({
    name: "mappo: act",
    inputs: {
      observations: {
        dtype: "float32",
        shape: [count, agents, observationSize],
        values: observations,
      },
      parents: { dtype: "float32", shape: [count, agents, agents] },
      order: { dtype: "int32", shape: [count, agents] },
      noise: { dtype: "float32", shape: [count, agents, actions] },
      ...(masked ? { available: { dtype: "float32", shape: [count, agents, actions] } as const } : {}),
    } as const,
    variables: parameters === undefined ? { actor: actorState.vector } : ({} as { actor: Variable }),
    build: (leaves: Readonly<Record<string, Expr>>) => ({
      results: sampleJointActions(
        actor,
        unpack(parameters ?? leaves.actor, actorState.layout),
        dagSource.stages,
        leaves as never,
      ),
    }),
  });
  const act = await compile(engine, acting(environments, undefined, batch.observations));
  const actOnCopies = sizedPrograms((count: number) => compile(engine, acting(count)));

  const rowInputs = (observations: number, parents: number, rows: number) =>
    ({
      observations: { dtype: "float32", shape: [observations, observationSize] },
      parents: { dtype: "float32", shape: [parents, actor.parentInputSize] },
      observationRow: { dtype: "int32", shape: [rows] },
      parentRow: { dtype: "int32", shape: [rows] },
      ...(masked ? { available: { dtype: "float32", shape: [rows, actions] } as const } : {}),
    }) as const;

  /** Log-probabilities `[K, A]` of decisions. */
  const conditionals = sizedPrograms((observations: number, parents: number, rows: number) =>
    compile(engine, {
      name: "mappo: conditionals",
      inputs: rowInputs(observations, parents, rows),
      variables: { actor: actorState.vector },
      build: (leaves) => ({
        results: {
          logProbabilities: conditionalLogProbabilities(
            actor,
            unpack(leaves.actor, actorState.layout),
            leaves,
          ),
        },
      }),
    }),
  );

  /**
   * One policy step. `positive` and `negative` hold the sums of positive and negative advantages of each decision and
   * action over the number of samples, `weight` the share of samples of each decision.
   */
  const policySteps = sizedPrograms((observations: number, parents: number, rows: number) =>
    compile(engine, {
      name: "mappo: policy step",
      inputs: {
        ...rowInputs(observations, parents, rows),
        oldLogProbabilities: { dtype: "float32", shape: [rows, actions] },
        positive: { dtype: "float32", shape: [rows, actions] },
        negative: { dtype: "float32", shape: [rows, actions] },
        weight: { dtype: "float32", shape: [rows] },
        entropyCoefficient: { dtype: "float32", shape: [] },
      },
      variables: actorState.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, actorState.layout);
        const logProbabilities = conditionalLogProbabilities(actor, views, leaves);
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
        const { gradientNorm, updates } = actorState.step(loss, views, leaves);
        return { results: { policyLoss, entropy, gradientNorm, logProbabilities }, updates };
      },
      finite: ["policyLoss", "gradientNorm"],
    }),
  );

  /** Values `[U]` of distinct states, in the normaliser's units. */
  const valuing = sizedPrograms((states: number) =>
    compile(engine, {
      name: "mappo: values",
      inputs: { states: { dtype: "float32", shape: [states, stateSize] } },
      variables: { critic: criticState.vector },
      build: ({ states: x, critic: vector }) => ({
        results: { values: critic.apply(unpack(vector, criticState.layout), x) },
      }),
    }),
  );

  /** One value step on samples that point to distinct states. */
  const valueSteps = sizedPrograms((states: number, count: number) =>
    compile(engine, {
      name: "mappo: value step",
      inputs: {
        states: { dtype: "float32", shape: [states, stateSize] },
        stateRow: { dtype: "int32", shape: [count] },
        returns: { dtype: "float32", shape: [count, 1] },
        oldValues: { dtype: "float32", shape: [count, 1] },
      },
      variables: criticState.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, criticState.layout);
        const values = gather(critic.apply(views, leaves.states), leaves.stateRow);
        const moved = add(leaves.oldValues, clip(sub(values, leaves.oldValues), -config.clip, config.clip));
        const error = (value: Expr): Expr => huber(sub(leaves.returns, value), config.huberDelta);
        const valueLoss = mean(maximum(error(values), error(moved)));
        const { gradientNorm, updates } = criticState.step(
          mul(valueLoss, config.valueCoefficient),
          views,
          leaves,
        );
        return { results: { valueLoss, gradientNorm }, updates };
      },
      finite: ["valueLoss", "gradientNorm"],
    }),
  );

  // ── Collecting ──────────────────────────────────────────────────────────────────────────────────────────────

  const noiseRng = rng.split("noise");
  const dagRng = rng.split("dag");
  const minibatchRng = rng.split("minibatches");
  const resampleRng = rng.split("resample");
  const rollout = createRollout(batch, steps);
  const dags = dagWriter(dagSource, environments, agents);
  let taken = 0;

  /** Plays `T` steps in all environments; returns the mean return of the episodes that ended. */
  async function collect(): Promise<number | undefined> {
    const { actions: chosen, logProbabilities } = act.results;
    let ended = 0;
    let total = 0;
    for (let t = 0; t < steps; t++) {
      const at = t * environments;
      rollout.observations.set(batch.observations, at * agents * observationSize);
      rollout.states.set(batch.states, at * stateSize);
      if (batch.dependency !== undefined) rollout.dependency!.set(batch.dependency, at * agents * agents);
      if (act.inputs.available !== undefined) {
        writeMasks(batch, act.inputs.available as Float32Array);
        rollout.available!.set(act.inputs.available as Float32Array, at * agents * actions);
      }
      dags.draw(
        { scores: batch.dependency, rng: dagRng },
        dagInputs(act),
        t === 0 && taken === 0 ? undefined : endedAt(batch),
      );
      rollout.parents.set(act.inputs.parents as Float32Array, at * agents * agents);
      noiseRng.fillGumbel(act.inputs.noise as Float32Array);
      await act.run();
      rollout.actions.set(chosen as Int32Array, at * agents);
      rollout.logProbabilities.set(logProbabilities as Float32Array, at * agents);
      batch.step(chosen as Int32Array);
      rollout.rewards.set(batch.rewards, at);
      for (let b = 0; b < environments; b++) {
        const over = batch.terminated[b] + batch.truncated[b] > 0;
        rollout.ended[at + b] = over ? 1 : 0;
        rollout.truncated[at + b] = over && !batch.terminated[b] ? 1 : 0;
        if (!over) continue;
        ended++;
        total += batch.episodeReturns[b];
        const state = batch.finalStates.subarray(b * stateSize, (b + 1) * stateSize);
        rollout.finalStates.set(state, (at + b) * stateSize);
      }
    }
    rollout.lastStates.set(batch.states);
    taken += samples;
    return ended === 0 ? undefined : total / ended;
  }

  // ── Advantages ──────────────────────────────────────────────────────────────────────────────────────────────

  const findStates = distinctRowFinder(samples);
  const findMinibatchStates = distinctRowFinder(samples);
  const values = new Float64Array(samples);
  const oldValues = new Float32Array(samples);
  const nextValues = new Float64Array(samples);
  const advantages = new Float64Array(samples);
  const returns = new Float64Array(samples);

  /** Values of states `[R, S]` in the normaliser's units, each distinct state evaluated once. */
  async function valuesOf(states: Float32Array, count: number, out: Float32Array): Promise<void> {
    const distinct = findStates(states, count, stateSize);
    const program = await valuing.for(capacityFor(distinct.count));
    gatherRows(states, stateSize, distinct.first, distinct.count, program.inputs.states as Float32Array);
    await program.run();
    const found = program.results.values as Float32Array;
    for (let k = 0; k < count; k++) out[k] = found[distinct.index[k]];
  }

  async function estimateAdvantages(): Promise<void> {
    const { mean: centre, deviation } = config.normaliseValues
      ? normaliser.moments()
      : { mean: 0, deviation: 1 };
    const last = new Float32Array(environments);
    await valuesOf(rollout.states, samples, oldValues);
    await valuesOf(rollout.lastStates, environments, last);
    for (let k = 0; k < samples; k++) values[k] = oldValues[k] * deviation + centre;
    for (let k = 0; k < samples; k++) {
      const within = k + environments < samples;
      const following = within
        ? values[k + environments]
        : last[k + environments - samples] * deviation + centre;
      nextValues[k] = rollout.ended[k] ? 0 : following;
    }
    if (config.bootstrapTimeLimit && rollout.truncated.includes(1)) {
      const final = new Float32Array(samples);
      await valuesOf(rollout.finalStates, samples, final);
      for (let k = 0; k < samples; k++) {
        if (rollout.truncated[k]) nextValues[k] = final[k] * deviation + centre;
      }
    }
    generalisedAdvantages(
      { ...rollout, values, nextValues },
      config.discount,
      config.traceDecay,
      advantages,
      returns,
    );
    if (config.normaliseAdvantages) standardise(advantages);
  }

  // ── Updating ────────────────────────────────────────────────────────────────────────────────────────────────

  const buildRows = conditionalRowBuilder(actor, samples);

  /** The rollout as the actor's update reads it; with `resample`, under DAGs and parents' actions drawn anew. */
  async function jointSamples() {
    const { observations, available, logProbabilities } = rollout;
    const stored = { observations, available, parents: rollout.parents, actions: rollout.actions };
    if (config.resample === "none") return stored;
    const program = await actOnCopies.for(samples);
    const redrawn = dagWriter(dagSource, samples, agents);
    redrawn.draw({ scores: rollout.dependency, rng: resampleRng }, dagInputs(program));
    const parents = (program.inputs.parents as Float32Array).slice();
    if (config.resample === "dag") return { ...stored, parents, tag: logProbabilities };
    (program.inputs.observations as Float32Array).set(observations);
    if (available !== undefined) (program.inputs.available as Float32Array).set(available);
    resampleRng.fillGumbel(program.inputs.noise as Float32Array);
    await program.run();
    const redrawnActions = (program.results.actions as Int32Array).slice();
    return { ...stored, parents, actions: redrawnActions, tag: logProbabilities };
  }

  const entropyCoefficient = (): number => {
    const { entropyCoefficient: first, finalEntropyCoefficient: last = first } = config;
    return first + (last - first) * Math.min(1, taken / totalSteps);
  };

  /** One policy step on the samples of a minibatch, whose different decisions are `rows`. */
  async function stepPolicy(rows: ConditionalRows, minibatch: Int32Array) {
    const program = await policySteps.for(...rows.sizes);
    rows.fill(program.inputs);
    const oldLogProbabilities = (program.inputs.oldLogProbabilities as Float32Array).fill(0);
    const positive = new Float64Array(oldLogProbabilities.length);
    const negative = new Float64Array(oldLogProbabilities.length);
    const weight = new Float64Array(rows.sizes[2]);
    const share = 1 / (minibatch.length * agents);
    for (let n = 0; n < minibatch.length; n++) {
      const sample = minibatch[n];
      const advantage = advantages[sample] * share;
      for (let i = 0; i < agents; i++) {
        const row = rows.rowOf[n * agents + i];
        const entry = row * actions + rollout.actions[sample * agents + i];
        if (advantage > 0) positive[entry] += advantage;
        else negative[entry] += advantage;
        weight[row] += share;
        oldLogProbabilities[entry] = rollout.logProbabilities[sample * agents + i];
      }
    }
    (program.inputs.positive as Float32Array).set(positive);
    (program.inputs.negative as Float32Array).set(negative);
    (program.inputs.weight as Float32Array).set(weight);
    (program.inputs.entropyCoefficient as Float32Array)[0] = entropyCoefficient();
    await program.run();
    return program;
  }

  /** One value step on the samples of a minibatch. */
  async function stepValue(minibatch: Int32Array) {
    const count = minibatch.length;
    const states = new Float32Array(count * stateSize);
    gatherRows(rollout.states, stateSize, minibatch, count, states);
    const distinct = findMinibatchStates(states, count, stateSize);
    const program = await valueSteps.for(capacityFor(distinct.count), count);
    gatherRows(states, stateSize, distinct.first, distinct.count, program.inputs.states as Float32Array);
    (program.inputs.stateRow as Int32Array).set(distinct.index.subarray(0, count));
    const targets = Float64Array.from(minibatch, (sample) => returns[sample]);
    if (config.normaliseValues) normaliser.update(targets);
    const { mean: centre, deviation } = config.normaliseValues
      ? normaliser.moments()
      : { mean: 0, deviation: 1 };
    const normalised = program.inputs.returns as Float32Array;
    const before = program.inputs.oldValues as Float32Array;
    for (let n = 0; n < count; n++) {
      normalised[n] = (targets[n] - centre) / deviation;
      before[n] = oldValues[minibatch[n]];
    }
    await program.run();
    return program;
  }

  async function update(): Promise<Metrics> {
    await estimateAdvantages();
    const totals = averages();
    const everything = Int32Array.from({ length: samples }, (_, k) => k);
    const perMinibatch = samples / config.minibatches;
    let rows: ConditionalRows | undefined;
    for (let epoch = 0; epoch < config.epochs; epoch++) {
      const joint = await jointSamples();
      const order = config.minibatches === 1 ? everything : minibatchRng.permutation(samples);
      for (let m = 0; m < config.minibatches; m++) {
        const minibatch = order.subarray(m * perMinibatch, (m + 1) * perMinibatch);
        if (rows === undefined || config.minibatches > 1 || config.resample !== "none") {
          rows = buildRows(joint, minibatch);
        }
        const policy = await stepPolicy(rows, minibatch);
        const drift = ratioStatistics(policy.results.logProbabilities as Float32Array, rows, minibatch);
        totals.add("train/policy-loss", first(policy.results.policyLoss));
        totals.add("train/entropy", first(policy.results.entropy));
        totals.add("train/actor-gradient-norm", first(policy.results.gradientNorm));
        totals.add("train/approximate-kl", drift.divergence);
        totals.add("train/clip-fraction", drift.clipped);
        if (epoch === 0 && m === 0) totals.add("train/first-ratio-error", drift.largestError);
        totals.add("train/distinct-decisions", rows.count);
        const value = await stepValue(minibatch);
        totals.add("train/value-loss", first(value.results.valueLoss));
        totals.add("train/critic-gradient-norm", first(value.results.gradientNorm));
      }
    }
    return totals.means();
  }

  /** How far the policy is from the one that acted, over the samples of a minibatch, before its step. */
  function ratioStatistics(logProbabilities: Float32Array, rows: ConditionalRows, minibatch: Int32Array) {
    let divergence = 0;
    let clipped = 0;
    let largestError = 0;
    for (let n = 0; n < minibatch.length; n++) {
      for (let i = 0; i < agents; i++) {
        const decision = minibatch[n] * agents + i;
        const row = rows.rowOf[n * agents + i];
        const change =
          logProbabilities[row * actions + rollout.actions[decision]] - rollout.logProbabilities[decision];
        const error = Math.abs(Math.exp(change) - 1);
        divergence -= change;
        if (error > config.clip) clipped++;
        largestError = Math.max(largestError, error);
      }
    }
    const decisions = minibatch.length * agents;
    return { divergence: divergence / decisions, clipped: clipped / decisions, largestError };
  }

  // ── Evaluating ──────────────────────────────────────────────────────────────────────────────────────────────

  const model = context.env().model?.();
  const optimum = model === undefined ? undefined : optimalValue(model).value;

  /** Returns of whole episodes under the most likely actions, all episodes side by side. */
  async function playEpisodes(episodes: number, stream: Rng): Promise<Metrics> {
    const copies = vectorise(context.env, episodes, stream.split("environments"));
    const program = await actOnCopies.for(episodes);
    const dagStream = stream.split("dag");
    const writer = dagWriter(dagSource, episodes, agents);
    (program.inputs.noise as Float32Array).fill(0);
    const episodeReturns: (number | undefined)[] = new Array(episodes).fill(undefined);
    let lengths = 0;
    let running = episodes;
    let density = 0;
    let decisions = 0;
    for (let t = 0; running > 0; t++) {
      (program.inputs.observations as Float32Array).set(copies.observations);
      if (masked) writeMasks(copies, program.inputs.available as Float32Array);
      writer.draw(
        { scores: copies.dependency, rng: dagStream },
        dagInputs(program),
        t === 0 ? undefined : endedAt(copies),
      );
      density += meanDensity(program.inputs.parents as Float32Array, episodes, agents);
      decisions++;
      await program.run();
      copies.step(program.results.actions as Int32Array);
      for (let b = 0; b < episodes; b++) {
        if (episodeReturns[b] !== undefined || copies.terminated[b] + copies.truncated[b] === 0) continue;
        episodeReturns[b] = copies.episodeReturns[b];
        lengths += copies.episodeLengths[b];
        running--;
      }
    }
    const total = (episodeReturns as number[]).reduce((sum, value) => sum + value, 0);
    return {
      "eval/return": total / episodes,
      "eval/length": lengths / episodes,
      "eval/dag-density": density / decisions,
    };
  }

  /** Exact price of anarchy of the stochastic policy on a finite model. */
  async function exactPriceOfAnarchy(game: FiniteModel, best: number, stream: Rng): Promise<number> {
    const jointActions = enumerateJointActions(game.actions);
    const count = jointActions.length / agents;
    const questions = game.states * count;
    const observations = new Float32Array(questions * agents * observationSize);
    const parents = new Float32Array(questions * agents * agents);
    const asked = new Int32Array(questions * agents);
    const perState = agents * observationSize;
    for (let s = 0; s < game.states; s++) {
      const seen = game.observations.subarray(s * perState, (s + 1) * perState);
      for (let a = 0; a < count; a++) observations.set(seen, (s * count + a) * perState);
      asked.set(jointActions, s * count * agents);
    }
    const available = masked ? paddingMasks(game.actions, actions, questions) : undefined;
    const build = conditionalRowBuilder(actor, questions);
    const writer = dagWriter(dagSource, game.states, agents);
    const drawn = {
      parents: new Float32Array(game.states * agents * agents),
      order: new Int32Array(game.states * agents),
    };
    const randomDag = dagSource.randomness !== "none";
    const draws = randomDag ? EVALUATION_DAGS : 1;
    const policy = new Float64Array(questions);
    const answers = new Float32Array(questions * agents);
    for (let draw = 0; draw < draws; draw++) {
      writer.draw({ scores: game.dependency, rng: stream }, drawn);
      for (let s = 0; s < game.states; s++) {
        const dag = drawn.parents.subarray(s * agents * agents, (s + 1) * agents * agents);
        for (let a = 0; a < count; a++) parents.set(dag, (s * count + a) * agents * agents);
      }
      const rows = build({ observations, parents, actions: asked, available });
      const program = await conditionals.for(...rows.sizes);
      rows.fill(program.inputs);
      await program.run();
      const table = program.results.logProbabilities as Float32Array;
      for (let k = 0; k < answers.length; k++) answers[k] = table[rows.rowOf[k] * actions + asked[k]];
      const joint = jointPolicyFromLogProbabilities(answers, game.states, count, agents);
      for (let k = 0; k < policy.length; k++) policy[k] += joint[k] / draws;
    }
    return priceOfAnarchy(game, policy, best);
  }

  // ── The learner ─────────────────────────────────────────────────────────────────────────────────────────────

  const states: Readonly<Record<string, Variable>> = { ...actorState.saved, ...criticState.saved };
  const streams: Readonly<Record<string, Rng>> = { noiseRng, dagRng, minibatchRng, resampleRng };

  return {
    stepsPerIteration: samples,
    facts: {
      engine: `${engine.name} ${engine.version}`,
      dag: dagSource.note ?? dagSource.name,
      parentInput,
      inputNorm: {
        observation: actor.normalisesInput.observation,
        parents: actor.normalisesInput.parents ?? null,
        critic: critic.normalisesInput,
      },
    },
    async iterate() {
      const episodeReturn = await collect();
      try {
        const metrics = await update();
        return {
          ...(episodeReturn === undefined ? {} : { "train/return": episodeReturn }),
          "train/dag-density": meanDensity(rollout.parents, samples, agents),
          ...metrics,
        };
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
    },
    async evaluate(episodes, stream) {
      const played = await playEpisodes(episodes, stream);
      if (model === undefined) return played;
      const anarchy = await exactPriceOfAnarchy(model, optimum!, stream.split("exact"));
      return { ...played, "eval/price-of-anarchy": anarchy };
    },
    snapshot: () => ({
      tensors: {
        ...Object.fromEntries(Object.entries(states).map(([name, { values: v }]) => [name, copyOf(v)])),
        "dag/parents": (act.inputs.parents as Float32Array).slice(),
        "dag/order": (act.inputs.order as Int32Array).slice(),
      },
      json: {
        taken,
        environments: batch.snapshot(),
        normaliser: { ...normaliser.state() },
        streams: Object.fromEntries(Object.entries(streams).map(([name, stream]) => [name, stream.state()])),
      },
    }),
    restore({ tensors, json }) {
      const saved = json as unknown as {
        taken: number;
        environments: Snapshot;
        normaliser: ValueNormaliserState;
        streams: Record<string, RngState>;
      };
      for (const [name, { values: v }] of Object.entries(states)) {
        (v as Float32Array).set(tensors[name] as Float32Array);
      }
      (act.inputs.parents as Float32Array).set(tensors["dag/parents"]);
      (act.inputs.order as Int32Array).set(tensors["dag/order"]);
      taken = saved.taken;
      batch.restore(saved.environments);
      normaliser.restore(saved.normaliser);
      for (const [name, stream] of Object.entries(streams)) stream.restore(saved.streams[name]);
    },
    parameters: () => ({
      ...namedArrays(actorState.vector.values as Float32Array, actorState.layout),
      ...namedArrays(criticState.vector.values as Float32Array, criticState.layout),
    }),
    exportPolicy() {
      const parameters = constant(
        "float32",
        actorState.vector.shape,
        actorState.vector.values as Float32Array,
      );
      return trace(acting(1, parameters)).onnx;
    },
    async dispose() {
      for (const programs of [act, actOnCopies, conditionals, policySteps, valuing, valueSteps]) {
        await programs.dispose();
      }
    },
  };
}

/** The centralised critic: value of a state `[U, S] -> [U, 1]`, in the units of the value normaliser. */
function criticNetwork(name: string, stateSize: number, config: MappoConfig) {
  const base = baseNetwork(`${name}/state`, stateSize, config);
  const head = nn.orthogonalLinear(`${name}/head`, config.hidden, 1, 1);
  return {
    parameters: [...base.parameters, ...head.parameters],
    normalisesInput: base.normalisesInput,
    apply: (views: Readonly<Record<string, Expr>>, states: Expr): Expr =>
      head.apply(views, base.apply(views, states)),
  };
}

/** Parameters of one network with their optimiser. */
function learnable(
  name: string,
  parameters: readonly Parameter[],
  learningRate: number,
  config: MappoConfig,
  rng: Rng,
) {
  const layout: Layout = layoutOf(parameters);
  const vector = variable(name, "float32", [layout.size], initialise(layout, rng.split("initialise")));
  const optimiser = adam({ learningRate, epsilon: config.adamEpsilon });
  const moments = optimiser.state(name, "float32", layout.size);
  return {
    layout,
    vector,
    /** State that a step reads and replaces. */
    variables: { parameters: vector, ...moments },
    /** The same by the names it has in checkpoints. */
    saved: Object.fromEntries([vector, ...Object.values(moments)].map((state) => [state.name, state])),
    /** Gradient of the loss, clipped to the global norm, and the new state. */
    step(
      loss: Expr,
      views: Readonly<Record<string, Expr>>,
      leaves: Readonly<Record<"parameters" | keyof typeof moments, Expr>>,
    ) {
      const parts = gradients(
        loss,
        layout.parameters.map((parameter) => views[parameter.name]),
      );
      const clipped = clipByGlobalNorm(pack(parts), config.maxGradientNorm);
      const next = optimiser.step(leaves.parameters, clipped.gradient, leaves);
      return { gradientNorm: clipped.norm, updates: { parameters: next.parameters, ...next.state } };
    },
  };
}

/** The memory of an acting program that DAGs are written to. */
const dagInputs = ({
  inputs,
}: {
  readonly inputs: { readonly parents: Values; readonly order: Values };
}): DagBatch => ({
  parents: inputs.parents as Float32Array,
  order: inputs.order as Int32Array,
});

const endedAt =
  (batch: EnvBatch) =>
  (copy: number): boolean =>
    batch.terminated[copy] + batch.truncated[copy] > 0;

/** Copies rows `which[0..count-1]` of a table to the front of another and fills the rest with zeros. */
function gatherRows(
  from: Float32Array,
  width: number,
  which: ArrayLike<number>,
  count: number,
  to: Float32Array,
): void {
  for (let k = 0; k < count; k++) {
    const start = which[k] * width;
    for (let c = 0; c < width; c++) to[k * width + c] = from[start + c];
  }
  to.fill(0, count * width);
}

/** Masks `[R, N, A]` that only tell real actions from padding. */
function paddingMasks(counts: readonly number[], actions: number, samples: number): Float32Array {
  const masks = new Float32Array(samples * counts.length * actions);
  for (let k = 0; k < samples * counts.length; k++) {
    masks.fill(1, k * actions, k * actions + counts[k % counts.length]);
  }
  return masks;
}

/** Means of named quantities, in the order they were first added. */
function averages() {
  const sums = new Map<string, { total: number; count: number }>();
  return {
    add(name: string, value: number): void {
      const entry = sums.get(name) ?? { total: 0, count: 0 };
      entry.total += value;
      entry.count++;
      sums.set(name, entry);
    },
    means: (): Metrics =>
      Object.fromEntries([...sums].map(([name, { total, count }]) => [name, total / count])),
  };
}

const first = (values: Values): number => Number(values[0]);

const copyOf = (values: Values): Float32Array | Float64Array =>
  (values as Float32Array | Float64Array).slice();
