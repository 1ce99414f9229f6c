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
 * clipped objective is linear in positive and in negative advantages, so the sum is exact (clipped-objective.ts).
 *
 * With `dag=learned` networks choose each sample's DAG and learn from the policy's loss (mappo-learned-dags.ts).
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
  choicesOf,
  conditionalLogProbabilities,
  conditionalRowBuilder,
  type DagChoices,
  type DagLearner,
  dagChoices,
  dagLearner,
  learnedDagSource,
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
  float32,
  gather,
  huber,
  int32,
  loadEngine,
  maximum,
  mean,
  mul,
  NonFiniteError,
  nn,
  sizedPrograms,
  sub,
  unpack,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  createRivals,
  DivergenceError,
  endedEpisode,
  type Learner,
  type LearnerContext,
  type LearnerSnapshot,
  type Metrics,
  meanMetrics,
  parametersOf,
  type RivalState,
  type Rivals,
  restoreVariables,
  rivalSettings,
  savedVariables,
} from "../training/index.ts";
import {
  clippedStep,
  type Decisions,
  fillObjective,
  objectiveInputs,
  objectiveMetrics,
  type PolicyStep,
  type PolicyStepper,
  ratioStatistics,
  sumByDecision,
} from "./clipped-objective.ts";
import { exactPriceOfAnarchy, playEpisodes, seenEdges } from "./evaluate-bn-policy.ts";
import { annealedPull, annealingSchema } from "./mappo-annealing.ts";
import { createDagStepper } from "./mappo-learned-dags.ts";
import { hasConstantDag, sampleDags, watchDags } from "./measure-dags.ts";

const configSchema = z.strictObject({
  dag: z
    .string()
    .default("product")
    .describe(
      "Who reads whose action: product, full, line, 2+3, edges:0>1, heuristic(B), random(B), bernoulli(p), learned",
    ),
  dagOrder: z
    .enum(["learned", "identity"])
    .default("learned")
    .describe("Learned DAGs: a network orders the agents, or they are ordered by number"),
  edgeNetwork: z
    .enum(["auto", "mlp", "deep-set", "deep-set-without-identity"])
    .default("auto")
    .describe(
      "Learned DAGs: what gives the edges; auto: a DeepSet of what all observe where that is the same, else a perceptron",
    ),
  edgeIndexing: z
    .enum(["agent", "rank"])
    .default("agent")
    .describe("Learned DAGs: whether edges belong to pairs of agents (published code) or of ranks (paper)"),
  densityWeight: z
    .number()
    .min(0)
    .default(0)
    .describe("Learned DAGs: weight of the distance between their mean density and `densityTarget`"),
  densityTarget: z.number().min(0).max(1).default(0).describe("Learned DAGs: density they are pulled to"),
  annealing: annealingSchema
    .optional()
    .describe("Learned DAGs: from dense to empty in the course of the run, in place of a fixed density"),
  evaluationDag: z
    .enum(["likeliest", "noisy"])
    .default("likeliest")
    .describe("Learned DAGs: which one evaluations use"),
  evaluationActions: z
    .enum(["greedy", "sampled"])
    .default("greedy")
    .describe("Whether agents that are evaluated take their likeliest action or draw it"),
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
  dagMaxGradientNorm: z
    .number()
    .positive()
    .optional()
    .describe(
      "Global norm that the gradient of the networks of learned DAGs is clipped to; by default it is not",
    ),
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
  ...rivalSettings,
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
    mpe: {
      description:
        "for particle environments, as MAPPO's authors have it: ten passes, both step sizes 7e-4, entropy at .01; 32 episodes side " +
        "by side, not 128, and a time limit that is no end",
      config: { epochs: 10, bootstrapTimeLimit: true },
    },
    "context-aware-coordination-game": {
      description: "learned DAGs as Context-aware BN has them in the Coordination Game",
      config: { dag: "learned", edgeNetwork: "deep-set" },
    },
    "context-aware-aloha": {
      description: "learned DAGs as Context-aware BN has them in Aloha",
      config: { dag: "learned", edgeNetwork: "mlp" },
    },
    "context-aware-annealed": {
      description:
        "learned DAGs that thin out until agents act alone, as Context-aware BN has them in StarCraft (MMM2)",
      config: {
        dag: "learned",
        dagOrder: "identity",
        edgeNetwork: "mlp",
        parentInput: "actions",
        heads: "shared",
        actorLearningRate: 5e-4,
        criticLearningRate: 5e-4,
        environments: 8,
        minibatches: 2,
        annealing: {
          thin: 0.4,
          empty: 0.7,
          firm: 0.8,
          steps: 40,
          weight: 0.05,
          finalWeight: 0.5,
          alphaStep: "table",
        },
      },
    },
  },
  create: createMappo,
};

/** What only learned DAGs follow. */
const LEARNED_ONLY = [
  "annealing",
  "dagOrder",
  "edgeNetwork",
  "edgeIndexing",
  "densityWeight",
  "densityTarget",
  "dagMaxGradientNorm",
  "evaluationDag",
] as const satisfies readonly (keyof MappoConfig)[];

/** @throws InputError when there are settings for learned DAGs that do not exist */
function expectLearnedDags(config: MappoConfig): void {
  if (isLearnedDag(config)) return;
  const defaults = configSchema.parse({});
  for (const name of LEARNED_ONLY) {
    if (config[name] === defaults[name]) continue;
    throw new InputError(
      `mappo.${name}: is for learned DAGs, expected dag=learned beside it (got dag=${config.dag})`,
    );
  }
}

const isLearnedDag = ({ dag }: MappoConfig): boolean => dag.trim() === "learned";

/** Before agents are exported one by one, so many episodes must pass without an edge. */
const EPISODES_WITHOUT_EDGES = 100;

async function createMappo(context: LearnerContext<MappoConfig>): Promise<Learner> {
  const { config, env, rng, totalSteps } = context;
  expectLearnedDags(config);
  const engine = await loadEngine();
  const batch = vectorise(env, config.environments, rng.split("environments"), { rivals: true });
  const networks = mappoNetworks(batch.spec, config, rng);
  const dagSource =
    networks.dag === undefined
      ? parseDagSource(config.dag, batch.spec.agents, batch.dependency !== undefined)
      : learnedDagSource(networks.dag.learner, networks.dag);
  const policy = bnPolicy(engine, "mappo", networks.policy, { dagSource, masked: needsMasks(batch) });
  const steps = config.rolloutSteps || batch.spec.horizon;
  const samples = steps * config.environments;
  const rollout: BnRollout = {
    ...createRollout(batch, steps),
    dagChoices: networks.dag && dagChoices(samples, batch.spec.agents),
  };
  const updater = mappoUpdater(engine, config, policy, networks, rollout, rng);
  const rivals = await createRivals("mappo", batch, config.rivals, rng.split("rivals"));
  const collector = await mappoCollector(policy, batch, rollout, rng, rivals);

  const model = env().model?.();
  const priceOfAnarchy = model === undefined ? undefined : exactPriceOfAnarchy(policy, model, config);
  const learned = [networks.policy, networks.critic, ...(networks.dag === undefined ? [] : [networks.dag])];
  const variables = learned.flatMap((network) => Object.values(network.variables));
  let taken = 0;

  return {
    stepsPerIteration: samples,
    policy,
    facts: {
      engine: `${engine.name} ${engine.version}`,
      ...networks.facts,
      ...(dagSource.note === undefined ? {} : { note: dagSource.note }),
      ...(rivals && { rivals: rivals.facts }),
    },
    async iterate() {
      const collected = await collector.collect();
      try {
        const updated = await updater.update(
          Math.min(1, taken / totalSteps),
          Math.ceil(totalSteps / samples),
        );
        taken += samples;
        return { ...collected, ...updated, ...rivals?.metrics() };
      } catch (error) {
        if (error instanceof NonFiniteError) throw new DivergenceError(error.quantity, error.value);
        throw error;
      }
    },
    async evaluate(episodes, stream) {
      const watcher = hasConstantDag(policy)
        ? undefined
        : watchDags(policy, batch.spec.horizon, stream.split("parents"));
      const played = await playEpisodes(policy, env, episodes, stream, config, watcher?.look, rivals);
      return {
        ...played,
        ...(await watcher?.metrics()),
        ...(priceOfAnarchy && { "eval/price-of-anarchy": await priceOfAnarchy(stream.split("exact")) }),
      };
    },
    dags: (request, stream) => sampleDags(policy, env, request, stream),
    snapshot: () => ({
      tensors: {
        ...savedVariables(variables),
        ...collector.tensors(),
        ...rivals?.tensors(),
      },
      json: {
        taken,
        batch: batch.snapshot(),
        collector: collector.state(),
        updater: updater.state(),
        ...(rivals && { rivals: rivals.state() }),
      },
    }),
    restore({ tensors, json }) {
      const saved = json as unknown as SavedState;
      restoreVariables(variables, tensors);
      taken = saved.taken;
      batch.restore(saved.batch);
      collector.restore(saved.collector, tensors);
      updater.restore(saved.updater);
      if (saved.rivals !== undefined) rivals?.restore(saved.rivals, tensors);
    },
    parameters: () => parametersOf(learned),
    exportPolicy: policy.export,
    exportPolicies: policy.exportAgents,
    async assertIndependent() {
      const { edges, statesWithEdges, states } = await seenEdges(
        policy,
        env,
        EPISODES_WITHOUT_EDGES,
        rng.split("export"),
        config,
        rivals,
      );
      if (edges > 0) {
        throw new InputError(
          `mappo: dag=${config.dag} gave ${edges} edge${edges === 1 ? "" : "s"}, in ${statesWithEdges} of ${states} states looked at, expected none: an agent that reads another's action has no policy of its own`,
        );
      }
    },
    async dispose() {
      await collector.dispose();
      await rivals?.dispose();
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
  readonly rivals?: RivalState;
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

interface MappoNetworks {
  readonly policy: Learnable & { readonly actor: BnActor };
  readonly critic: Learnable & {
    /** Values of states in the units of the value normaliser, `[U, S] -> [U, 1]`. */
    value(views: Views, states: Expr): Expr;
  };
  /** What chooses learned DAGs. */
  readonly dag?: Learnable & { readonly learner: DagLearner };
  readonly facts: Learner["facts"];
}

/** The actor shared by all agents, the centralised critic and what chooses learned DAGs, with their optimisers. */
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
  const value = nn.sequence(...base.layers, nn.orthogonalLinear("critic/head", config.hidden, 1, 1));
  const options = { epsilon: config.adamEpsilon, maxGradientNorm: config.maxGradientNorm };
  const learner = isLearnedDag(config) ? learnerOfDags(spec, config) : undefined;
  return {
    policy: {
      actor,
      ...learnable("actor", actor.parameters, { ...options, learningRate: config.actorLearningRate }, rng),
    },
    critic: {
      value: value.apply,
      ...learnable("critic", value.parameters, { ...options, learningRate: config.criticLearningRate }, rng),
    },
    // Adam treats each number by itself, so one of its own, as long running, is the actor's.
    dag: learner && {
      learner,
      ...learnable(
        "dag",
        learner.parameters,
        {
          ...options,
          maxGradientNorm: config.dagMaxGradientNorm ?? Infinity,
          learningRate: config.actorLearningRate,
        },
        rng,
      ),
    },
    facts: {
      dag: config.dag,
      ...(learner && {
        dagOrder: config.dagOrder,
        edgeNetwork: learner.options.edgeNetwork,
        edgeIndexing: config.edgeIndexing,
      }),
      parentInput,
      inputNorm: {
        observation: actor.normalisesInput.observation,
        parents: actor.normalisesInput.parents ?? null,
        critic: base.normalisesInput,
      },
    },
  };
}

function learnerOfDags(spec: EnvSpec, config: MappoConfig): DagLearner {
  const { agents, observationSize, sharedObservation } = spec;
  const edgeNetwork =
    config.edgeNetwork !== "auto"
      ? config.edgeNetwork
      : sharedObservation
        ? "deep-set-without-identity"
        : "mlp";
  return dagLearner("dag", { ...config, agents, observationSize, sharedObservation, edgeNetwork });
}

/** What an update learns from; learned DAGs with the noise and the choices they came from. */
interface BnRollout extends Rollout {
  /** `[T, B, ...]` */
  readonly dagChoices?: DagChoices;
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
  rollout: BnRollout,
  rng: Rng,
  rivals?: Rivals,
): Promise<Collector> {
  const { agents, observationSize, stateSize } = batch.spec;
  const { environments, steps } = rollout;
  const { actions } = policy.actor.options;
  const actor = await policy.createActor(environments, batch.observations);
  let dags = policy.createDagWriter(environments);
  const noiseRng = rng.split("noise");
  const context = {
    scores: batch.dependency,
    observations: batch.observations,
    rng: rng.split("dag"),
    noise: "new",
  } as const;
  const choicesAt = (at: number): DagChoices | undefined =>
    rollout.dagChoices && choicesOf(rollout.dagChoices, agents, at, at + environments);
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
        const fresh = started ? (b: number) => endedEpisode(batch, b) : undefined;
        await dags.draw({ ...context, choices: choicesAt(at) }, actor.dags, fresh);
        rollout.parents.set(actor.dags.parents, at * agents * agents);
        noiseRng.fillGumbel(actor.noise);
        await actor.run();
        started = true;
        rollout.actions.set(actor.actions, at * agents);
        rollout.logProbabilities.set(actor.logProbabilities, at * agents);

        await rivals?.choose();
        batch.step(actor.actions, rivals?.actions);
        await rivals?.learn();
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
      dags = policy.createDagWriter(environments);
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
   * @param updates of the whole run
   * @returns means over the steps of the update; `train/first-ratio-error` is the largest distance of a ratio from 1
   * at the first step, which is rounding unless samples are redrawn
   */
  update(progress: number, updates: number): Promise<Metrics>;
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
  rollout: BnRollout,
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
  const policyStepper =
    networks.dag === undefined
      ? createPolicyStepper(engine, policy, networks.policy, rollout, config.clip)
      : createDagStepper(engine, policy, networks.policy, networks.dag, rollout, minibatchSize, config.clip);
  const valueStepper = createValueStepper(
    engine,
    config,
    networks.critic,
    rollout,
    normaliser,
    minibatchSize,
  );
  const { agents } = policy.actor.options;
  const redrawn = dagChoices(networks.dag === undefined ? 0 : samples, agents);
  const inOrder = Int32Array.from({ length: samples }, (_, k) => k);
  const { entropyCoefficient, finalEntropyCoefficient = entropyCoefficient } = config;

  /** The decisions that the policy is scored on: the stored ones or, with `resample`, under DAGs drawn anew. */
  async function decisionsToScore(): Promise<Decisions> {
    if (config.resample === "none") return rollout;
    const acting = await policy.actorFor(samples);
    const { observations, dependency: scores } = rollout;
    const context = { scores, observations, rng: resampleRng, noise: "new", choices: redrawn } as const;
    await policy.createDagWriter(samples).draw(context, acting.dags);
    const parents = acting.dags.parents.slice();
    // Equal decisions may have been taken with different probabilities now, so those keep samples apart.
    const tag = rollout.logProbabilities;
    if (config.resample === "dag") return { ...rollout, parents, tag, dagChoices: redrawn };
    acting.observations.set(rollout.observations);
    if (acting.available !== undefined) acting.available.set(rollout.available!);
    resampleRng.fillGumbel(acting.noise);
    await acting.run();
    return { ...rollout, parents, actions: acting.actions.slice(), tag, dagChoices: redrawn };
  }

  return {
    async update(progress, updates) {
      const entropyWeight = entropyCoefficient + (finalEntropyCoefficient - entropyCoefficient) * progress;
      const pull =
        config.annealing === undefined
          ? { weight: config.densityWeight, target: config.densityTarget }
          : annealedPull(config.annealing, progress, updates);
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
            // Choices that were made by the present parameters hold for one step.
            const chosen = config.resample === "none" ? stepMetrics.length === 0 : start === 0;
            stepPolicy = await policyStepper.prepare(minibatch, decisions, advantages, chosen);
            stepValue = await valueStepper.prepare(minibatch, returns, oldValues);
          }
          stepMetrics.push({ ...(await stepPolicy(entropyWeight, pull)), ...(await stepValue()) });
        }
      }
      return {
        ...meanMetrics(stepMetrics),
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
      inputs: { states: float32(count, stateSize) },
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

/** Clipped steps of the policy on minibatches of the rollout. */
function createPolicyStepper(
  engine: Engine,
  policy: BnPolicy,
  network: Learnable,
  rollout: Rollout,
  clipRange: number,
): PolicyStepper {
  const { agents, actions } = policy.actor.options;
  const buildRows = conditionalRowBuilder(policy.actor, rollout.steps * rollout.environments);

  const programs = sizedPrograms((observations: number, parents: number, rows: number) =>
    compile(engine, {
      name: "mappo: policy step",
      inputs: {
        ...policy.rowInputs(observations, parents, rows),
        ...objectiveInputs(rows, actions),
      },
      variables: network.variables,
      build(leaves) {
        const views = unpack(leaves.parameters, network.layout);
        const logProbabilities = conditionalLogProbabilities(policy.actor, views, leaves);
        const { results, updates } = clippedStep(network, logProbabilities, views, leaves, clipRange);
        return { results, updates };
      },
      finite: ["policy loss", "actor gradient norm"],
    }),
  );

  return {
    async prepare(minibatch, decisions, advantages) {
      const rows = buildRows(decisions, minibatch);
      const { inputs, results, run } = await programs.for(...rows.sizes);
      const sums = sumByDecision(minibatch, rows, advantages, rollout, agents, actions);
      rows.fill(inputs);
      fillObjective(inputs, sums);
      return async (entropyCoefficient) => {
        inputs.entropyCoefficient[0] = entropyCoefficient;
        await run();
        return {
          ...objectiveMetrics(results),
          "train/distinct-decisions": rows.count,
          ...ratioStatistics(results.logProbabilities as Float32Array, sums, clipRange),
        };
      };
    },
    dispose: programs.dispose,
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
        states: float32(states, stateSize),
        stateRow: int32(minibatchSize),
        returns: float32(minibatchSize, 1),
        oldValues: float32(minibatchSize, 1),
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
