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
import type { EnvSpec } from "../envs/index.ts";
import { type Segments, segmentInputs } from "../learn/index.ts";
import {
  type ActionHead,
  type AgentRows,
  actionHead,
  actionRows,
  agentNetworks,
  observationRows,
  selectRows,
  stateRows,
} from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import type { CouplingGraphs } from "../structure/index.ts";
import {
  compile,
  concat,
  type Engine,
  type Expr,
  loadEngine,
  matMul,
  mean,
  neg,
  reshape,
  square,
  sub,
  sum,
  unpack,
  type Views,
} from "../tensor/index.ts";
import {
  type AgentLearnable,
  type Algorithm,
  agentLearnable,
  bootstrapped,
  type ColumnsOfMoment,
  type CriticScope,
  climb,
  communication,
  controlColumns,
  controlLoop,
  controlSettings,
  couplingsOf,
  criticActions,
  criticScopes,
  criticValues,
  declared,
  dependencySettings,
  describeScopes,
  deterministicPolicy,
  expectOwnRewards,
  jointActions,
  type Minibatches,
  matrix,
  minibatches,
  type NetworksNow,
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  runForAgents,
  training,
  variablesOf,
} from "../training/index.ts";

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
    ...dependencySettings,
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
          "predecessors' new parameters and targets",
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
    nine: {
      description: "found for nine warehouses: more noise, faster targets",
      config: { actorLearningRate: 5e-4, criticLearningRate: 5e-3, targetRate: 0.05, deviation: 2 },
    },
    ring: {
      description: "found for the ring of 40 warehouses: more noise, faster targets, two updates an episode",
      config: { targetRate: 0.05, deviation: 1, updates: 2, actorOutputGain: 0.1 },
    },
    temperature: {
      description:
        "found for 40 zones: linear actors that begin with small inputs, four updates an episode, rewards in hundredths",
      config: {
        actorHidden: [],
        actorOutputGain: 0.1,
        actorLearningRate: 3e-3,
        criticLearningRate: 3e-3,
        discount: 0.9,
        targetRate: 0.05,
        rewardScale: 0.01,
        updates: 4,
      },
    },
  },
  async create({ config, env, ...context }) {
    const graphs = couplingsOf("mastac", env);
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
  expectOwnRewards("mastac", spec);
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

/** Steps of all actors and critics on the segments, which were just drawn. */
export interface MastacUpdate {
  readonly name: string;
  /** `[N]` each: the loss of each agent's critic, minus what its actor climbs, and the norms of their gradients. */
  readonly results: Readonly<Record<MastacResult, Float32Array>>;
  /** @throws NonFiniteError; agents whose turn was before have taken their steps */
  run(): Promise<void>;
  dispose(): Promise<void>;
}

const RESULTS = ["critic-loss", "actor-loss", "critic-gradient-norm", "actor-gradient-norm"] as const;
type MastacResult = (typeof RESULTS)[number];

/** A program for each turn. */
export async function mastacUpdate(
  engine: Engine,
  team: MastacTeam,
  segments: Segments,
  config: UpdateSettings,
): Promise<MastacUpdate> {
  const programs = await Promise.all(
    team.turns.map((turn) => compileTurn(engine, team, turn, segments, config)),
  );
  const results = Object.fromEntries(
    RESULTS.map((name) => [name, new Float32Array(team.spec.agents)]),
  ) as Record<MastacResult, Float32Array>;
  return {
    name: "mastac: update",
    results,
    async run() {
      for (const [t, program] of programs.entries()) {
        try {
          await program.run();
        } finally {
          // Members of a turn are consecutive.
          const [first] = team.turns[t].members;
          for (const name of RESULTS) results[name].set(program.results[name] as Float32Array, first);
        }
      }
    },
    async dispose() {
      for (const { dispose } of programs) await dispose();
    },
  };
}

/** One step of the actors and critics of a turn, and of their targets. */
function compileTurn(
  engine: Engine,
  team: MastacTeam,
  turn: Turn,
  segments: Segments,
  { replace, sharedMinibatch, ...config }: UpdateSettings,
) {
  const { spec, turns, scopes, told } = team;
  const { members, actor, critic } = turn;
  const climbed = scopes.flatMap(({ guided }, agent) =>
    guided.some((other) => members.includes(other)) ? [agent] : [],
  );
  const acting = replace === "own" ? members : climbed.flatMap((agent) => scopes[agent].told);
  const following = members.flatMap((agent) => scopes[agent].told);
  const turnsOf = (agents: readonly number[]): Turn[] =>
    turns.filter((each) => each.members.some((agent) => agents.includes(agent)));
  return compile(engine, {
    name: "mastac: update",
    inputs: segmentInputs(segments),
    variables: {
      ...Object.fromEntries(
        turnsOf([...climbed, ...acting, ...following]).flatMap((each) =>
          [each.actor, each.critic].flatMap(({ vector, target }) => [
            [`${vector.name}/parameters`, vector],
            [`${vector.name}/target`, target],
          ]),
        ),
      ),
      ...declared(actor.vector.name, actor),
      ...declared(critic.vector.name, critic),
    },
    build(leaves: Readonly<Record<string, Expr>>) {
      const actorTraining = training(actor.vector.name, actor, leaves);
      const criticTraining = training(critic.vector.name, critic, leaves);
      const views = (of: AgentLearnable, state: "parameters" | "target"): Views =>
        unpack(leaves[`${of.vector.name}/${state}`], of.layout);
      const actors = turnsOf(acting).map((each) => ({
        networks: each.actor.networks,
        views: each === turn ? actorTraining.online : views(each.actor, "parameters"),
      }));
      const targetActors = turnsOf(following).map((each) => ({
        networks: each.actor.networks,
        views: views(each.actor, "target"),
      }));
      const critics = turnsOf(climbed).map((each) => ({
        networks: each.critic.networks,
        views: each === turn ? criticTraining.online : views(each.critic, "parameters"),
      }));

      const batches = minibatches(spec.agents, sharedMinibatch);
      const { now, next, actions, individualRewards, goesOn } = controlColumns(segments.shape, leaves);
      const taken = criticTable(team, now, actions);
      const chosen = criticTable(team, now, act(team, actors, now, actions));
      const targets = bootstrapped(
        rewardsOf(team, members, individualRewards!, batches),
        next &&
          criticValues(
            { networks: critic.networks, views: criticTraining.target },
            criticTable(team, next, act(team, targetActors, next, actions)),
            told,
            batches,
          ),
        batches.ofMembers(goesOn, members),
        config,
      );
      const values = criticValues(
        { networks: critic.networks, views: criticTraining.online },
        taken,
        told,
        batches,
      );
      const errors = mean(square(sub(values, targets)), [1]);
      const { objective, ofActors } = climb({ ...team, members, critics, taken, chosen, batches, replace });
      const actorStep = actorTraining.step(neg(objective), config.actorLearningRate);
      const criticStep = criticTraining.step(sum(errors), config.criticLearningRate);
      return {
        results: {
          "critic-loss": errors,
          "actor-loss": neg(ofActors),
          "critic-gradient-norm": criticStep.gradientNorms,
          "actor-gradient-norm": actorStep.gradientNorms,
        },
        updates: {
          ...actorStep.updates,
          ...criticStep.updates,
          ...actorTraining.follow(actorStep, config.targetRate),
          ...criticTraining.follow(criticStep, config.targetRate),
        },
      };
    },
    finite: RESULTS,
  });
}

/** What actors do, `[K, columns]`. @param otherwise what agents do that are not asked */
const act = (
  { spec, head }: MastacTeam,
  actors: readonly NetworksNow[],
  { observations }: ColumnsOfMoment,
  otherwise: Expr,
): Expr => jointActions(spec, head, actors, observations, undefined, otherwise);

/** All states and actions as critics are told them, `[S + K, columns]`. */
const criticTable = ({ spec }: MastacTeam, { states }: ColumnsOfMoment, actions: Expr): Expr =>
  concat([states, criticActions(spec, actions)], 0);

/** What members' critics value, `[members, B]`. @param each agent's own reward, `[N, columns]` */
function rewardsOf(
  { scopes }: MastacTeam,
  members: readonly number[],
  each: Expr,
  { rows, at }: Minibatches,
): Expr {
  const alone = members.every((agent) => scopes[agent].rewarded.join() === String(agent));
  const incidence = scopes.map(({ rewarded }) =>
    scopes.map((_, agent) => (rewarded.includes(agent) ? 1 : 0)),
  );
  const rewards = selectRows(rows(alone ? each : matMul(matrix(incidence), each)), [
    members.map((agent) => at(agent, agent)),
  ]);
  return reshape(rewards, rewards.shape.slice(1));
}
