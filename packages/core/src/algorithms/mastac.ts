/**
 * MAStAC (MABN, algorithm 1): multi-agent structured actor-critic.
 *
 * Every agent has a deterministic actor `pi_i(o_i)` and a critic `Q_i` of its own rewards, networks of their own that share
 * nothing. What the value of agent i depends on follows from the couplings of the game: the states and actions of its value
 * dependency set `I_Q^i`, which are all that its critic is told. Read the other way, the action of agent i matters to the
 * critics of its gradient dependency set `I_GD^i = {j : i in I_Q^j}`, whose sum its actor climbs.
 *
 * One update, all from the parameters before it, on replayed transitions:
 *
 *     critic  y_i = scale r_i + discount Q'_i(s'_k, pi'_k(o'_k) for k in I_Q^i),  a step down mean (y_i - Q_i(s, a))^2
 *     actor   a step up mean sum_{j in I_GD^i} Q_j(s, a) in which a_i is pi_i(o_i)
 *
 * then targets move a share of the way. The other actions in the actor's objective are those of the replay (`replace=own`,
 * as the paper prints it) or of the present actors (`replace=all`, as its theorem 3.7 has it), where one pass of each critic
 * serves all actors. The target as printed lacks the discount and looks at s and o; this one is the paper's equation of the
 * critic's loss. Where only the time limit ends an episode, targets look beyond it.
 */
import { z } from "zod";
import type { EnvFactory, EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { type Segments, segmentInputs } from "../learn/index.ts";
import {
  type ActionHead,
  type AgentRows,
  actionHead,
  actionRows,
  agentNetworks,
  joinRows,
  observationRows,
  selectRows,
  stateRows,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  type AgentSets,
  agentSet,
  type CouplingGraphs,
  dependencyModes,
  gradientDependency,
  valueDependency,
} from "../structure/index.ts";
import {
  add,
  compile,
  concat,
  constant,
  type Engine,
  type Expr,
  gather,
  gemm,
  loadEngine,
  matMul,
  mean,
  neg,
  relu,
  reshape,
  split,
  square,
  stopGradient,
  sub,
  sum,
  transpose,
  type Views,
} from "../tensor/index.ts";
import { type AgentLearnable, agentLearnable } from "./agent-learnable.ts";
import type { Algorithm } from "./algorithm.ts";
import {
  bootstrapped,
  type ColumnsOfMoment,
  type ControlColumns,
  controlColumns,
  criticActions,
  runForAgents,
} from "./control-columns.ts";
import { controlLoop, controlSettings } from "./control-settings.ts";
import { deterministicPolicy, jointActions } from "./deterministic-policy.ts";
import { type OffPolicyParts, type OffPolicyPlan, offPolicyLearner } from "./off-policy.ts";
import { declared, training, variablesOf } from "./targeted-learnable.ts";
import { communication } from "./value-settings.ts";

const configSchema = z
  .strictObject({
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
    critics: z
      .enum(["decomposed", "undecomposed", "undecomposed-sum"])
      .default("decomposed")
      .describe(
        "What the critic of agent i is: Q_i of its value dependency set; Q_i of all states and actions; or the sum of critics " +
          "that actor i climbs, learned as one function of all states and actions",
      ),
    dependency: z
      .enum(["exact", "kappa"])
      .default("exact")
      .describe("Whether dependency sets count all rewards to come, or only those of the next kappa steps"),
    kappa: z.int().min(0).default(2).describe("Steps whose rewards count where dependency=kappa"),
    dependencyMode: z
      .enum(dependencyModes)
      .default("paper")
      .describe("How sets that end early are read, see `corral structure`; exact sets are the same in all"),
    gradientDependency: z
      .enum(["true", "full"])
      .default("true")
      .describe("Whether an actor climbs the critics of its gradient dependency set, or all of them"),
    replace: z
      .enum(["all", "own"])
      .default("all")
      .describe(
        "Whose actions in an actor's objective are those of the present actors: everybody's, or only its own",
      ),
    order: z
      .enum(["simultaneous", "coordinated"])
      .default("simultaneous")
      .describe(
        "Whether all agents' steps follow from the same parameters, or agents take theirs one after the other, each from its " +
          "predecessors' new parameters; targets move after the last",
      ),
    sharedMinibatch: z
      .boolean()
      .default(true)
      .describe(
        "Whether all agents learn from the same draw from the replay, or each from a draw of its own",
      ),
  })
  .omit({ uniformSteps: true, actionPenalty: true });

export type MastacConfig = z.output<typeof configSchema>;

export const mastac: Algorithm<MastacConfig> = {
  name: "mastac",
  description:
    "Deterministic actors that climb the critics which their action can matter to, found from couplings",
  source: "MABN (algorithm 1)",
  config: configSchema,
  presets: {
    paperNine: {
      description: "the paper's for nine warehouses: the printed actor rule, rates 1e-4 and 1e-3",
      config: { replace: "own" },
    },
    paperRing: {
      description: "the paper's for the ring of 40 warehouses",
      config: { replace: "own", actorLearningRate: 5e-4, criticLearningRate: 5e-3 },
    },
    paperTemperature: {
      description:
        "the paper's for 40 zones: linear actors, discount 0.9; learns, but takes thousands of episodes",
      config: { replace: "own", actorHidden: [], discount: 0.9 },
    },
    ring: {
      description: "for the ring of warehouses: the paper's rates, more noise and faster targets",
      config: { actorLearningRate: 5e-4, criticLearningRate: 5e-3, targetRate: 0.05, deviation: 1 },
    },
    temperature: {
      description: "for zones: linear actors at 1e-2, four updates an episode, rewards in hundredths",
      config: {
        actorHidden: [],
        actorLearningRate: 1e-2,
        criticLearningRate: 3e-3,
        discount: 0.9,
        targetRate: 0.05,
        rewardScale: 0.01,
        updates: 4,
      },
    },
  },
  async create({ config, env, ...context }) {
    const graphs = couplingsOf(env);
    const loop = {
      ...controlLoop({ ...config, uniformSteps: 0, actionPenalty: 0 }),
      minibatches: config.sharedMinibatch ? 1 : graphs.agents,
    };
    const learner = await offPolicyLearner("mastac", { env, ...context }, loop, false, (plan) =>
      mastacParts(plan, graphs, config, context.rng),
    );
    return {
      ...learner,
      async evaluate(episodes, rng) {
        const metrics = await learner.evaluate(episodes, rng);
        return { ...metrics, "eval/return-per-agent": metrics["eval/return"] / graphs.agents };
      },
    };
  },
};

/** @throws InputError when the environment does not say who is coupled with whom, or its couplings change */
function couplingsOf(env: EnvFactory): CouplingGraphs {
  const { spec, couplings } = env();
  const graphs: unknown = couplings?.();
  if (graphs === undefined) {
    throw new InputError(
      `mastac: ${spec.id} does not say whom agents are coupled with, expected an environment with couplings (warehouse, temperature)`,
    );
  }
  if (Array.isArray(graphs)) {
    throw new InputError(
      `mastac: couplings of ${spec.id} change from step to step, expected couplings that stay as they are`,
    );
  }
  const { agents } = graphs as CouplingGraphs;
  if (agents !== spec.agents) {
    throw new InputError(`mastac: couplings of ${spec.id} are of ${agents} agents, expected ${spec.agents}`);
  }
  return graphs as CouplingGraphs;
}

/** Networks, gradient steps and policy. */
export async function mastacParts(
  { batch: { spec }, segments }: OffPolicyPlan,
  graphs: CouplingGraphs,
  config: MastacConfig,
  rng: Rng,
): Promise<OffPolicyParts> {
  const engine = await loadEngine();
  const team = mastacTeam(spec, graphs, config, rng);
  const actors = team.turns.map(({ actor }) => actor);
  const learnables = team.turns.flatMap(({ actor, critic }) => [actor, critic]);
  const policy = deterministicPolicy(engine, { name: "mastac", spec, head: team.head, actors });
  const program = await mastacUpdate(engine, team, segments, config);
  return {
    createPolicy: policy.create,
    exportPolicy: policy.export,
    exportPolicies: policy.exportEach,
    update: () => runForAgents(program),
    targets: [],
    variables: variablesOf(learnables),
    parameters: learnables.map(({ named }) => named),
    facts: {
      engine: `${engine.name} ${engine.version}`,
      communication: communication.none,
      critics: describeScopes(team.scopes),
    },
    dispose: program.dispose,
  };
}

// ── Who matters to whom ───────────────────────────────────────────────────────────────────────────────────────────

/** What one critic is about. Agents in increasing order. */
export interface CriticScope {
  /** Whose states and actions it is told. */
  readonly told: readonly number[];
  /** Whose rewards it values. */
  readonly rewarded: readonly number[];
  /** Whose actors climb it. */
  readonly guided: readonly number[];
}

type ScopeSettings = Pick<
  MastacConfig,
  "critics" | "dependency" | "kappa" | "dependencyMode" | "gradientDependency"
>;

/**
 * The scope of every agent's critic: `I_Q^i`, agent i's own reward, and the actors of which it is in the gradient
 * dependency set, which are those of `I_Q^i` again.
 */
export function criticScopes(graphs: CouplingGraphs, config: ScopeSettings): readonly CriticScope[] {
  const { critics, dependency, kappa, dependencyMode: mode } = config;
  const values = valueDependency(graphs, dependency === "kappa" ? { kappa, mode } : {});
  const gradient = gradientDependency(values);
  const everybody = Array.from({ length: graphs.agents }, (_, agent) => agent);
  const guides = (sets: AgentSets, agent: number): readonly number[] =>
    config.gradientDependency === "full" ? everybody : [...agentSet(sets, agent)];
  return everybody.map((agent) => {
    const told = critics === "decomposed" ? [...agentSet(values, agent)] : everybody;
    if (critics === "undecomposed-sum") return { told, rewarded: guides(gradient, agent), guided: [agent] };
    const guided = guides(values, agent).filter((other) => told.includes(other));
    return { told, rewarded: [agent], guided };
  });
}

function describeScopes(scopes: readonly CriticScope[]): string {
  const sizes = scopes.map(({ told }) => told.length);
  const [fewest, most] = [Math.min(...sizes), Math.max(...sizes)];
  return `each of states and actions of ${fewest === most ? most : `${fewest} to ${most}`} of ${scopes.length} agents`;
}

// ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Agents that take their steps together. */
interface Turn {
  readonly members: readonly number[];
  readonly actor: AgentLearnable;
  readonly critic: AgentLearnable;
}

export interface MastacTeam {
  readonly spec: EnvSpec;
  readonly head: ActionHead;
  readonly scopes: readonly CriticScope[];
  /** One turn of all agents, or a turn for each. */
  readonly turns: readonly Turn[];
  /** For each critic the rows of what it is told in a table of all agents' states, then their actions. */
  readonly told: AgentRows;
}

/** @throws InputError when agents' actions do not fit the head, or their states and rewards are not told apart */
export function mastacTeam(
  spec: EnvSpec,
  graphs: CouplingGraphs,
  config: MastacConfig,
  rng: Rng,
): MastacTeam {
  const head = actionHead("mastac", spec, config);
  if (spec.rewards !== "individual") {
    throw new InputError(
      `mastac: agents of ${spec.id} have no rewards of their own, expected an environment with individual rewards`,
    );
  }
  const scopes = criticScopes(graphs, config);
  const [observed, states, actions] = [observationRows(spec), stateRows(spec), actionRows(spec)];
  const told = scopes.map((scope) => [
    ...scope.told.flatMap((agent) => states[agent]),
    ...scope.told.flatMap((agent) => actions[agent].map((row) => spec.stateSize + row)),
  ]);
  const everybody = scopes.map((_, agent) => agent);
  const actorSizes = observed.map((own, i) => ({ inputs: own.length, outputs: actions[i].length }));
  const criticSizes = told.map((own) => ({ inputs: own.length, outputs: 1 }));
  const options = { epsilon: config.optimiserEpsilon, maxGradientNorm: config.maxGradientNorm };
  const turn = (members: readonly number[], name: (kind: string) => string): Turn => {
    const actor = agentNetworks("actor", {
      sizes: actorSizes,
      members,
      hidden: config.actorHidden,
      outputGain: config.actorOutputGain,
    });
    const critic = agentNetworks("critic", { sizes: criticSizes, members, hidden: config.criticHidden });
    return {
      members,
      actor: agentLearnable(name("actor"), actor, options, rng),
      critic: agentLearnable(name("critic"), critic, options, rng),
    };
  };
  const turns =
    config.order === "simultaneous"
      ? [turn(everybody, (kind) => kind)]
      : everybody.map((agent) => turn([agent], (kind) => `${kind}/${agent}`));
  return { spec, head, scopes, turns, told };
}

// ── Update ────────────────────────────────────────────────────────────────────────────────────────────────────────

type UpdateSettings = Pick<
  MastacConfig,
  | "actorLearningRate"
  | "criticLearningRate"
  | "discount"
  | "rewardScale"
  | "targetRate"
  | "replace"
  | "sharedMinibatch"
>;

/**
 * A program that takes one step of every actor and critic on the segments, which were just drawn. Results, `[N]` each: the
 * loss of each agent's critic, minus what its actor climbs, and the norms of their gradients.
 */
export function mastacUpdate(engine: Engine, team: MastacTeam, segments: Segments, config: UpdateSettings) {
  const { spec, turns } = team;
  const learnables = turns.flatMap(({ actor, critic }) => [actor, critic]);
  return compile(engine, {
    name: "mastac: update",
    inputs: segmentInputs(segments),
    variables: Object.assign({}, ...learnables.map((each) => declared(each.vector.name, each))),
    build(leaves: Readonly<Record<string, Expr>>) {
      const replay = controlColumns(segments.shape, leaves);
      const batches = minibatches(spec.agents, config.sharedMinibatch);
      const trainings = turns.map(({ actor, critic }) => ({
        actor: training(actor.vector.name, actor, leaves),
        critic: training(critic.vector.name, critic, leaves),
      }));
      const targets = criticTargets(
        team,
        replay,
        trainings.map(({ actor, critic }) => ({ actor: actor.target, critic: critic.target })),
        batches,
        config,
      );
      const taken = concat([replay.now.states, criticActions(spec, replay.actions)], 0);
      const now = trainings.map(({ actor, critic }) => ({ actor: actor.online, critic: critic.online }));
      const found = turns.map((turn, t) => {
        const { actor, critic } = trainings[t];
        const chosen = concat([replay.now.states, actionsOf(team, now, replay.now)], 0);
        const errors = criticErrors(team, turn, now[t].critic, taken, targets, batches);
        const climb = climbOfTurn(team, turn, now, { taken, chosen }, batches, config);
        const actorStep = actor.step(neg(climb.objective), config.actorLearningRate);
        const criticStep = critic.step(sum(errors), config.criticLearningRate);
        now[t] = { actor: actorStep.after, critic: criticStep.after };
        return { errors, climbed: climb.ofActors, actorStep, criticStep };
      });
      const ofAgents = (of: (turn: (typeof found)[number]) => Expr): Expr => concat(found.map(of), 0);
      return {
        results: {
          "critic-loss": ofAgents(({ errors }) => errors),
          "actor-loss": ofAgents(({ climbed }) => neg(climbed)),
          "critic-gradient-norm": ofAgents(({ criticStep }) => criticStep.gradientNorms),
          "actor-gradient-norm": ofAgents(({ actorStep }) => actorStep.gradientNorms),
        },
        updates: Object.assign(
          {},
          ...found.flatMap(({ actorStep, criticStep }, t) => [
            actorStep.updates,
            criticStep.updates,
            trainings[t].actor.follow(actorStep, config.targetRate),
            trainings[t].critic.follow(criticStep, config.targetRate),
          ]),
        ),
      };
    },
    finite: ["critic-loss", "actor-loss", "critic-gradient-norm", "actor-gradient-norm"],
  });
}

/** Parameters of one turn's networks. */
interface TurnViews {
  readonly actor: Views;
  readonly critic: Views;
}

/**
 * Where agents find their minibatches of `B` columns: all share one, or the columns of a table are those of agent 0, then
 * of agent 1, and so on.
 */
interface Minibatches {
  readonly shared: boolean;
  /** `[r, columns] -> [r * minibatches, B]` */
  rows(table: Expr): Expr;
  /** The place in that of a row for an agent. */
  at(row: number, agent: number): number;
}

const minibatches = (agents: number, shared: boolean): Minibatches =>
  shared
    ? { shared, rows: (table) => table, at: (row) => row }
    : {
        shared,
        rows: (table) => reshape(table, [table.shape[0] * agents, table.shape[1] / agents]),
        at: (row, agent) => row * agents + agent,
      };

/** What the present actors do, as critics are told it, `[K, columns]`. */
const actionsOf = (
  { spec, head, turns }: MastacTeam,
  views: readonly TurnViews[],
  { observations }: ColumnsOfMoment,
): Expr =>
  criticActions(
    spec,
    jointActions(
      spec,
      head,
      turns.map(({ actor: { networks } }, t) => ({ networks, views: views[t].actor })),
      observations,
    ),
  );

/**
 * What each of a turn's critics makes of its part of a table of states and actions, `[members, B]`.
 *
 * @param told rows of the table for each critic
 */
function criticValues(
  { members, critic: { networks } }: Turn,
  views: Views,
  table: Expr,
  told: AgentRows,
  { rows, at }: Minibatches,
): Expr {
  const places: number[][] = [];
  for (const [place, agent] of members.entries()) places[agent] = [place];
  const inputs = networks.groups.map(({ agents }) =>
    selectRows(
      rows(table),
      agents.map((agent) => told[agent].map((row) => at(row, agent))),
    ),
  );
  return joinRows(networks.groups, networks.apply(views, inputs), places);
}

/** What critics learn, `[N, B]`. */
function criticTargets(
  team: MastacTeam,
  { next, individualRewards, goesOn }: ControlColumns,
  targets: readonly TurnViews[],
  batches: Minibatches,
  settings: UpdateSettings,
): Expr {
  const { scopes, turns, told } = team;
  const { rows, at } = batches;
  const incidence = scopes.map(({ rewarded }) =>
    scopes.map((_, agent) => (rewarded.includes(agent) ? 1 : 0)),
  );
  const alone = scopes.every(({ rewarded }, agent) => rewarded.length === 1 && rewarded[0] === agent);
  const each = alone ? individualRewards! : matMul(matrix(incidence), individualRewards!);
  const order = scopes.map((_, agent) => at(agent, agent));
  const rewards = selectRows(rows(each), [order]);
  const [, count, size] = rewards.shape;
  const after = next && concat([next.states, actionsOf(team, targets, next)], 0);
  const following =
    after &&
    concat(
      turns.map((turn, t) => criticValues(turn, targets[t].critic, after, told, batches)),
      0,
    );
  return bootstrapped(reshape(rewards, [count, size]), following, rows(goesOn), settings);
}

/** Mean squared errors of a turn's critics, `[members]`. */
function criticErrors(
  { told }: MastacTeam,
  turn: Turn,
  views: Views,
  taken: Expr,
  targets: Expr,
  batches: Minibatches,
): Expr {
  const own = gather(targets, constant("int32", [turn.members.length], turn.members));
  return mean(square(sub(criticValues(turn, views, taken, told, batches), own)), [1]);
}

const matrix = (entries: readonly (readonly number[])[]): Expr =>
  constant("float32", [entries.length, entries[0].length], entries.flat());

// ── What actors climb ─────────────────────────────────────────────────────────────────────────────────────────────

interface Climb {
  /** Its gradient with respect to each actor of the turn is that of what this actor climbs. */
  readonly objective: Expr;
  /** What each actor of the turn climbs, `[members]`. */
  readonly ofActors: Expr;
}

/** States and actions as critics are told them, `[S + K, columns]`: what was done, and what the present actors do. */
interface Tables {
  readonly taken: Expr;
  readonly chosen: Expr;
}

function climbOfTurn(
  team: MastacTeam,
  { members }: Turn,
  now: readonly TurnViews[],
  { taken, chosen }: Tables,
  batches: Minibatches,
  { replace }: UpdateSettings,
): Climb {
  const critics = now.map(({ critic }) => critic);
  if (replace === "own") return climbAlone(team, members, critics, { taken, chosen }, batches);
  if (batches.shared) return climbTogether(team, members, critics, { taken, chosen }, batches);
  // Every actor has a minibatch of its own, in which the others act too, but do not learn.
  return climbAlone(team, members, critics, { taken: stopGradient(chosen), chosen }, batches);
}

/**
 * The sum of means `[entries]`, of which each is climbed by some actors.
 *
 * @param climbers of each mean, as agents
 */
function climbOf(means: Expr, climbers: readonly (readonly number[])[], members: readonly number[]): Climb {
  const incidence = members.map((agent) => climbers.map((own) => (own.includes(agent) ? 1 : 0)));
  const sums = matMul(matrix(incidence), reshape(means, [climbers.length, 1]));
  return { objective: sum(means), ofActors: reshape(sums, [members.length]) };
}

/** Present actors act in every critic at once: one pass of each critic gives all gradients. */
function climbTogether(
  { spec, turns, scopes, told }: MastacTeam,
  members: readonly number[],
  critics: readonly Views[],
  { chosen }: Tables,
  batches: Minibatches,
): Climb {
  // Rows behind all others hold the same actions as constants, for critics that an actor does not climb.
  const width = chosen.shape[0];
  const climbers = scopes.map(({ guided }) => guided.filter((agent) => members.includes(agent)));
  const actorAt = actionRows(spec).flatMap((own, agent) => own.map(() => agent));
  const moves = (row: number, critic: number): boolean =>
    row < spec.stateSize || climbers[critic].includes(actorAt[row - spec.stateSize]);
  const rows = told.map((own, critic) => own.map((row) => (moves(row, critic) ? row : row + width)));
  const constants = rows.flat().some((row) => row >= width);
  const table = constants ? concat([chosen, stopGradient(chosen)], 0) : chosen;
  const parts = turns.flatMap((turn, t) =>
    turn.members.some((critic) => climbers[critic].length > 0)
      ? [{ turn, means: mean(criticValues(turn, critics[t], table, rows, batches), [1]) }]
      : [],
  );
  const means = concat(
    parts.map((part) => part.means),
    0,
  );
  const order = parts.flatMap(({ turn }) => turn.members);
  return climbOf(
    means,
    order.map((critic) => climbers[critic]),
    members,
  );
}

/** One pass of a critic for one actor that climbs it. */
interface Pair {
  readonly actor: number;
  /** Rows of the actor's action in a table, and their places among what the critic is told. */
  readonly rows: readonly number[];
  readonly slots: readonly number[];
}

/** Only one actor at a time acts in a critic, a pass of the critic for each. */
function climbAlone(
  team: MastacTeam,
  members: readonly number[],
  critics: readonly Views[],
  { taken, chosen }: Tables,
  batches: Minibatches,
): Climb {
  const { spec, scopes, told } = team;
  const actions = actionRows(spec).map((rows) => rows.map((row) => spec.stateSize + row));
  // Actions of fewer numbers are filled up with a row of the states, which do not change.
  const width = Math.max(...members.map((agent) => actions[agent].length));
  const filledUp = (numbers: readonly number[]): number[] => [
    ...numbers,
    ...new Array<number>(width - numbers.length).fill(0),
  ];
  const pairs: readonly (readonly Pair[])[] = scopes.map(({ guided }, critic) =>
    guided
      .filter((agent) => members.includes(agent))
      .map((actor) => ({
        actor,
        rows: filledUp(actions[actor].map((row) => batches.at(row, actor))),
        slots: filledUp(actions[actor].map((row) => told[critic].indexOf(row))),
      })),
  );
  const climbing = pairs.flatMap((own, critic) => (own.length > 0 ? [critic] : []));
  const changes = split(
    selectRows(
      batches.rows(sub(chosen, taken)),
      climbing.flatMap((critic) => pairs[critic].map(({ rows }) => rows)),
    ),
    climbing.map((critic) => pairs[critic].length),
    0,
  );
  const passes = criticPasses(team, critics, taken, pairs, batches);
  const means = climbing.map((critic, k) => {
    const { firsts, layers } = passes[critic];
    const slots = pairs[critic].map((pair) => pair.slots);
    const [count, , size] = changes[k].shape;
    const change = matMul(
      transpose(changes[k], [0, 2, 1]),
      selectRows(transpose(layers[0].weights, [1, 0]), slots),
    );
    const hidden = add(change, transpose(firsts, [0, 2, 1]));
    let values = reshape(hidden, [count * size, hidden.shape[2]]);
    for (const { weights, biases } of layers.slice(1)) {
      values = gemm(relu(values), weights, biases, { transposeB: true });
    }
    return mean(reshape(values, [count, size]), [1]);
  });
  return climbOf(
    concat(means, 0),
    climbing.flatMap((critic) => pairs[critic].map(({ actor }) => [actor])),
    members,
  );
}

/** One critic, ready for passes that differ in a single actor's action. */
interface CriticPasses {
  /** What its first layer gives before that action changes, without the activation: of all passes `[1, H, B]`, or of each. */
  readonly firsts: Expr;
  /** `[out, in]` and `[out]`. */
  readonly layers: readonly { readonly weights: Expr; readonly biases: Expr }[];
}

/** Of each critic that somebody climbs. */
function criticPasses(
  { turns, told }: MastacTeam,
  critics: readonly Views[],
  table: Expr,
  pairs: readonly (readonly Pair[])[],
  { shared, rows, at }: Minibatches,
): readonly CriticPasses[] {
  const passes: CriticPasses[] = [];
  for (const [t, { critic }] of turns.entries()) {
    const { networks } = critic;
    for (const [group, { agents }] of networks.groups.entries()) {
      if (agents.every((agent) => pairs[agent].length === 0)) continue;
      const layers = Array.from({ length: networks.layers }, (_, layer) => {
        const { weights, biases } = networks.stacks(critics[t], group, layer);
        return { weights: ofEach(weights), biases: ofEach(biases) };
      });
      const inputs = selectRows(
        table,
        agents.map((agent) => told[agent]),
      );
      const firsts = shared ? ofEach(networks.layer(critics[t], group, 0, inputs)) : [];
      for (const [place, agent] of agents.entries()) {
        if (pairs[agent].length === 0) continue;
        const own = layers.map(({ weights, biases }) => ({ weights: weights[place], biases: biases[place] }));
        const ofPairs = () =>
          selectRows(
            rows(table),
            pairs[agent].map(({ actor }) => told[agent].map((row) => at(row, actor))),
          );
        passes[agent] = {
          firsts: shared ? firsts[place] : add(matMul(own[0].weights, ofPairs()), own[0].biases),
          layers: own.map(({ weights, biases }) => ({
            weights: reshape(weights, weights.shape.slice(1)),
            biases: reshape(biases, [biases.shape[1]]),
          })),
        };
      }
    }
  }
  return passes;
}

/** The members of a stack, `[1, ...]` each. */
const ofEach = (stack: Expr): readonly Expr[] => split(stack, new Array<number>(stack.shape[0]).fill(1), 0);
