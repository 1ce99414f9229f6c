/**
 * Deep coordination graphs (DCG; Böhmer, Kurin and Whiteson 2020).
 *
 * The value of a joint action is the mean of a utility for each agent plus the mean of a payoff for each edge of a
 * coordination graph, `Q(a) = 1/N sum_i f_i(a_i) + 1/E sum_ij f_ij(a_i, a_j)`. All agents share the networks: features
 * `h_i` of what an agent has seen, utilities of `h_i`, payoffs of `h_i` and `h_j`, averaged over both directions of an edge.
 * Agents communicate before every action, in execution as in training: both ends of an edge share their features, and
 * max-plus passes messages along the edges to find a joint action of high value.
 *
 * One update: `y = r + discount Q'(a*)`, where `a*` is what max-plus finds next by the present network and `Q'` its value by
 * the target network; then a step down `(Q(a) - y)^2`.
 */
import { z } from "zod";
import { exploreUniformly, type SegmentShape, segmentInputs } from "../learn/index.ts";
import {
  type AgentMoments,
  type AgentStep,
  type AgentTrunk,
  agentTrunk,
  hasMemory,
  jointValue,
  payoffGraph,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  type CoordinationGraph,
  exactMaximum,
  type GraphValues,
  type JointMaximiser,
  maxPlus,
  parseCoordinationGraph,
} from "../structure/index.ts";
import {
  add,
  compile,
  type Engine,
  type Expr,
  float32,
  frozen,
  type Layout,
  loadEngine,
  nn,
  type Parameter,
  reshape,
  slice,
  trace,
  unpack,
  type Values,
  type Variable,
  type Views,
} from "../tensor/index.ts";
import {
  type Algorithm,
  agentSettings,
  communication,
  type JointPolicy,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  temporalDifference,
  valuePresets,
  valueUpdate,
  writeOneHot,
} from "../training/index.ts";

const configSchema = z.strictObject({
  ...offPolicySettings,
  ...agentSettings,
  replayCapacity: offPolicySettings.replayCapacity
    .unwrap()
    .default(500)
    .describe(offPolicySettings.replayCapacity.description!),
  edges: z
    .string()
    .default("full")
    .describe(
      "Which agents are valued in pairs: full, line, cycle, star, vdn (none), random(4), edges:0-1,1-2",
    ),
  payoffHidden: z
    .array(z.int().min(1))
    .default([])
    .describe("Widths of the hidden layers of utilities and payoffs; none makes both linear"),
  rank: z
    .int()
    .min(1)
    .optional()
    .describe("Rank of the payoff matrices, each a sum of products of two vectors; by default they are full"),
  duelling: z
    .boolean()
    .default(false)
    .describe("Whether a value of the state is added, which no action changes"),
  maximisation: z
    .enum(["max-plus", "exact"])
    .default("max-plus")
    .describe("How joint actions are found: by messages along edges, or by going through all joint actions"),
  evaluationMaximisation: z
    .enum(["max-plus", "exact"])
    .optional()
    .describe("How joint actions are found in evaluations; by default as in training"),
  iterations: z.int().min(0).default(8).describe("Rounds of messages of max-plus"),
  anytime: z
    .boolean()
    .default(true)
    .describe("Whether max-plus keeps the best joint action of all rounds, rather than that of the last"),
});

export type DcgConfig = z.output<typeof configSchema>;

const { pymarl, agpPaper, fast, mpe, "mpe-fast": mpeFast } = valuePresets;

export const dcg: Algorithm<DcgConfig> = {
  name: "dcg",
  description:
    "Q-learning of a team value made of utilities and of payoffs between pairs of agents, who communicate",
  source: "Böhmer, Kurin and Whiteson 2020, Deep Coordination Graphs",
  config: configSchema,
  presets: {
    pymarl,
    agpPaper,
    fast,
    mpe: { description: `${mpe.description}; with memory`, config: { ...mpe.config, recurrent: true } },
    "mpe-fast": mpeFast,
  },
  create: ({ config, ...context }) =>
    offPolicyLearner("dcg", context, config, hasMemory(config), (plan) =>
      dcgParts(plan, config, context.rng),
    ),
};

/** Networks, gradient step and policy. */
export async function dcgParts(plan: OffPolicyPlan, config: DcgConfig, rng: Rng): Promise<OffPolicyParts> {
  const { shape, segments } = plan;
  const { steps, moments, agents } = shape;
  const engine = await loadEngine();
  const graph = parseCoordinationGraph(config.edges, agents, rng.split("edges"));
  const network = dcgNetwork(graph, shape, config);
  const { maximisation, evaluationMaximisation = maximisation } = config;
  const maximisers = {
    training: jointMaximiser(graph, shape.actions, config, maximisation),
    evaluation: jointMaximiser(graph, shape.actions, config, evaluationMaximisation),
  };
  // Nothing follows in games of one step.
  const goesOn = moments > steps;
  /** The best joint action at the moment after each step, `[T, B, N]`. */
  const next = new Int32Array(goesOn ? steps * segments.size * agents : 0);

  const learned = await valueUpdate(engine, rng, {
    name: "dcg",
    plan,
    config,
    parameters: network.parameters,
    inputs: goesOn ? { next: { dtype: "int32", shape: [steps, segments.size, agents], values: next } } : {},
    loss(online, target, experience, more) {
      const value = (views: Views, from: number, played: Expr): Expr => {
        const features = featuresFrom(network.trunk, views, experience, from);
        return network.value(views, features, slice(experience.states, 0, from, from + steps), played);
      };
      const taken = value(online, 0, experience.actions);
      const following = goesOn ? value(target, 1, more.next) : undefined;
      return temporalDifference({ taken, following }, experience, config.discount);
    },
  });
  const lookAhead = goesOn
    ? await nextActions(engine, plan, network, learned.network, maximisers.training, next)
    : undefined;
  const policy = dcgPolicy(engine, plan, network, learned.network, maximisers);
  return {
    ...learned,
    async update(moment) {
      await lookAhead?.find();
      return learned.update(moment);
    },
    createPolicy: policy.create,
    exportPolicy: policy.export,
    facts: {
      engine: `${engine.name} ${engine.version}`,
      edges: Array.from(graph.first, (agent, e) => `${agent}-${graph.second[e]}`).join(","),
      communication:
        graph.first.length === 0
          ? communication.none
          : "before each action, both ends of an edge share their features and exchange messages",
    },
    async dispose() {
      await lookAhead?.dispose();
      await learned.dispose();
    },
  };
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** `utilities` `[S, N, A]` and, where there are edges, `payoffs` `[S, E, A, A]`. */
type Tables = Readonly<Record<string, Expr>>;

export interface DcgNetwork {
  readonly graph: CoordinationGraph;
  readonly trunk: AgentTrunk;
  readonly parameters: readonly Parameter[];
  /** What features `[S, N, H]` say about joint actions. */
  tables(views: Views, features: Expr): Tables;
  /** Value `[K, B]` of joint actions `[K, B, N]`, from features `[K, B, N, H]` and states `[K, B, S]`. */
  value(views: Views, features: Expr, states: Expr, played: Expr): Expr;
}

export function dcgNetwork(graph: CoordinationGraph, shape: SegmentShape, config: DcgConfig): DcgNetwork {
  const { hidden, payoffHidden, rank, duelling } = config;
  const trunk = agentTrunk("agent", { ...shape, ...config });
  const pairs = payoffGraph("graph", graph, {
    actions: shape.actions,
    width: hidden,
    hidden: payoffHidden,
    rank,
  });
  const stateValue = nn.mlp("state-value", shape.stateSize, 1, { hidden: [32] });
  const tables = (views: Views, features: Expr): Tables => ({
    utilities: pairs.utilities(views, features),
    ...(graph.first.length === 0 ? {} : { payoffs: pairs.payoffs(views, features) }),
  });
  return {
    graph,
    trunk,
    parameters: [trunk, pairs, ...(duelling ? [stateValue] : [])].flatMap(({ parameters }) => parameters),
    tables,
    value(views, features, states, played) {
      const [moments, size, agents] = played.shape;
      const samples = moments * size;
      const { utilities, payoffs } = tables(views, reshape(features, [samples, agents, hidden]));
      const value = jointValue(graph, utilities, payoffs, reshape(played, [samples, agents]));
      const baseline = duelling ? reshape(stateValue.apply(views, states), [samples]) : 0;
      return reshape(add(value, baseline), [moments, size]);
    },
  };
}

/** Features `[T, B, N, H]` at as many moments as there are steps, from a moment on. */
function featuresFrom(
  trunk: AgentTrunk,
  views: Views,
  { observations, actions }: AgentMoments,
  from: number,
): Expr {
  const [steps] = actions.shape;
  const part = (a: Expr): Expr => slice(a, 0, from, from + steps);
  // Without memory no moment matters to another, and those that are not asked for need not be evaluated.
  return hasMemory(trunk.options)
    ? part(trunk.overMoments(views, { observations, actions }))
    : trunk.overMoments(views, { observations: part(observations), actions });
}

// ── Joint actions of high value ───────────────────────────────────────────────────────────────────────────────────

function jointMaximiser(
  graph: CoordinationGraph,
  actions: number,
  config: DcgConfig,
  maximisation: DcgConfig["maximisation"],
): JointMaximiser {
  return maximisation === "exact" ? exactMaximum(graph, actions) : maxPlus(graph, actions, config);
}

/** What a program found out about joint actions, and the masks of the actions, `[S, N, A]`, as a maximiser takes them. */
function graphValues(
  { utilities, payoffs }: Readonly<Record<string, Values>>,
  available: Uint8Array | undefined,
): GraphValues {
  return {
    utilities: utilities as Float32Array,
    payoffs: (payoffs ?? new Float32Array(0)) as Float32Array,
    available,
  };
}

/** Finds, with the present parameters, the joint actions at the moments after the steps of the plan's segments. */
async function nextActions(
  engine: Engine,
  { segments, shape }: OffPolicyPlan,
  network: DcgNetwork,
  { vector, layout }: Learned,
  maximise: JointMaximiser,
  out: Int32Array,
) {
  const { steps, moments, agents } = shape;
  const samples = steps * segments.size;
  const { observations, actions } = segmentInputs(segments);
  const program = await compile(engine, {
    name: "dcg: look ahead",
    inputs: { observations, actions },
    variables: { parameters: vector },
    build({ parameters, ...experience }) {
      const views = unpack(parameters, layout);
      const following = featuresFrom(network.trunk, views, experience, 1);
      return {
        results: network.tables(views, reshape(following, [samples, agents, network.trunk.options.hidden])),
      };
    },
  });
  const masks = segments.available?.subarray(segments.available.length / moments);
  const available = masks && new Uint8Array(masks.length);
  const values = graphValues(program.results, available);
  return {
    async find() {
      await program.run();
      if (masks !== undefined) writeAllowed(masks, shape.actions, available!);
      maximise(values, samples, out);
    },
    dispose: program.dispose,
  };
}

/** Masks as bytes. Behind the end of an episode there are none: then it does not matter what is played. */
function writeAllowed(masks: Float32Array, actions: number, out: Uint8Array): void {
  out.set(masks);
  for (let at = 0; at < out.length; at += actions) {
    if (!out.subarray(at, at + actions).includes(1)) out.fill(1, at, at + actions);
  }
}

// ── Acting ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Learned = { readonly vector: Variable; readonly layout: Layout };

/** The greedy policy by maximisation over the graph; to explore, each agent plays a random action with probability epsilon. */
function dcgPolicy(
  engine: Engine,
  { batch, shape }: OffPolicyPlan,
  network: DcgNetwork,
  { vector, layout }: Learned,
  maximisers: Readonly<Record<"training" | "evaluation", JointMaximiser>>,
) {
  const { agents, observationSize, actions: choices, masked } = shape;
  const { memory: remembered, options } = network.trunk;
  const inputs = (size: number) => ({
    observations: float32(size, agents, observationSize),
    ...(remembered.hidden === undefined ? {} : { hidden: float32(size, ...remembered.hidden) }),
    ...(remembered.lastAction === undefined ? {} : { lastAction: float32(size, ...remembered.lastAction) }),
  });
  const tables = (parameters: Expr, now: AgentStep): Tables => {
    const views = unpack(parameters, layout);
    const features = network.trunk.step(views, now);
    return { ...network.tables(views, features), ...(options.recurrent ? { "next/hidden": features } : {}) };
  };

  return {
    async create(size: number): Promise<JointPolicy> {
      const program = await compile(engine, {
        name: "dcg: act",
        inputs: inputs(size),
        variables: { parameters: vector },
        build: (leaves) => ({ results: tables(leaves.parameters, leaves) }),
      });
      const { observations, ...memory } = program.inputs;
      const results: Readonly<Record<string, Values>> = program.results;
      const actions = new Int32Array(size * agents);
      const available = masked ? new Float32Array(size * agents * choices) : undefined;
      const allowed = available && new Uint8Array(available.length);
      const values = graphValues(results, allowed);
      return {
        observations,
        available,
        actions,
        memory,
        async choose(exploration) {
          await program.run();
          if (available !== undefined) allowed!.set(available);
          const maximise = exploration === undefined ? maximisers.evaluation : maximisers.training;
          maximise(values, size, actions);
          if (exploration !== undefined) {
            exploreUniformly(batch.spec, actions, available, exploration.epsilon, exploration.rng);
          }
          memory.hidden?.set(results["next/hidden"] as Float32Array);
          if (memory.lastAction !== undefined) writeOneHot(actions, memory.lastAction);
        },
        dispose: program.dispose,
      };
    },
    /**
     * An ONNX file for one environment with the present parameters inside, from `observations` `[1, N, O]` and memory to
     * `utilities` `[1, N, A]` and `payoffs` `[1, E, A, A]`, which a maximiser makes a joint action of, and `next/hidden`.
     */
    export(): Uint8Array {
      const parameters = frozen(vector);
      return trace({
        name: "dcg: act",
        inputs: inputs(1),
        variables: {},
        build: (leaves) => ({ results: tables(parameters, leaves) }),
      }).onnx;
    },
  };
}
