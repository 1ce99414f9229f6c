/** The passes of critics that actors climb, in MAStAC. */
import type { EnvSpec } from "../envs/index.ts";
import { type AgentNetworks, type AgentRows, actionRows, joinRows, selectRows } from "../models/index.ts";
import {
  add,
  concat,
  constant,
  type Expr,
  filled,
  gather,
  gemm,
  matMul,
  mean,
  mul,
  relu,
  reshape,
  split,
  stopGradient,
  sub,
  sum,
  transpose,
  unitStep,
  type Views,
} from "../tensor/index.ts";

/** What one critic is about. Agents in increasing order. */
export interface CriticScope {
  /** Whose states and actions it is told. */
  readonly told: readonly number[];
  /** Whose rewards it values. */
  readonly rewarded: readonly number[];
  /** Whose actors climb it. */
  readonly guided: readonly number[];
}

/** Networks of some agents and their parameters at one moment. */
export interface NetworksNow {
  readonly networks: AgentNetworks;
  readonly views: Views;
}

/**
 * Where agents find their minibatches of `B` columns: all share one, or the columns of a table are those of agent 0, then
 * of agent 1, and so on.
 */
export interface Minibatches {
  readonly shared: boolean;
  /** `[r, columns] -> [r * minibatches, B]` */
  rows(table: Expr): Expr;
  /** The place in that of a row for an agent. */
  at(row: number, agent: number): number;
  /** A single row of all agents' columns as it is for some: `[1, columns]` to `[1, B]` or `[members, B]`. */
  ofMembers(row: Expr, members: readonly number[]): Expr;
}

export function minibatches(agents: number, shared: boolean): Minibatches {
  if (shared) return { shared, rows: (table) => table, at: (row) => row, ofMembers: (row) => row };
  const rows = (table: Expr): Expr => reshape(table, [table.shape[0] * agents, table.shape[1] / agents]);
  return {
    shared,
    rows,
    at: (row, agent) => row * agents + agent,
    ofMembers: (row, members) => gather(rows(row), constant("int32", [members.length], members)),
  };
}

/**
 * What critics make of their parts of a table, `[critics, B]` by increasing agent.
 *
 * @param told rows of the table for each critic
 */
export function criticValues(
  { networks, views }: NetworksNow,
  table: Expr,
  told: AgentRows,
  { rows, at }: Minibatches,
): Expr {
  const inputs = networks.groups.map(({ agents }) =>
    selectRows(
      rows(table),
      agents.map((agent) => told[agent].map((row) => at(row, agent))),
    ),
  );
  const places: number[][] = [];
  for (const [place, agent] of agentsOf(networks).entries()) places[agent] = [place];
  return joinRows(networks.groups, networks.apply(views, inputs), places);
}

const agentsOf = ({ groups }: AgentNetworks): number[] =>
  groups.flatMap(({ agents }) => agents).sort((a, b) => a - b);

export const matrix = (entries: readonly (readonly number[])[]): Expr =>
  constant("float32", [entries.length, entries[0].length], entries.flat());

/** What actors of a turn climb. */
export interface Climb {
  /** Its gradient with respect to each actor is that of what this actor climbs. */
  readonly objective: Expr;
  /** What each actor climbs, `[members]`. */
  readonly ofActors: Expr;
}

export interface ClimbOptions {
  readonly spec: EnvSpec;
  /** Of all critics. */
  readonly scopes: readonly CriticScope[];
  /** For each critic the rows of what it is told in a table of all agents' states, then their actions. */
  readonly told: AgentRows;
  /** The agents whose actors learn, increasing. */
  readonly members: readonly number[];
  /** The critics that these climb, and perhaps others. */
  readonly critics: readonly NetworksNow[];
  /** States, and actions as critics are told them, `[S + K, columns]`: what was done, and what the present actors do. */
  readonly taken: Expr;
  readonly chosen: Expr;
  readonly batches: Minibatches;
  /** Whose actions are those of the present actors: everybody's, or only that of the actor that climbs. */
  readonly replace: "all" | "own";
}

export function climb(options: ClimbOptions): Climb {
  const { chosen, batches, replace } = options;
  if (replace === "own") return climbAlone(options);
  if (batches.shared) return climbTogether(options);
  // Every actor has a minibatch of its own, in which the others act too, but do not learn.
  return climbAlone({ ...options, taken: stopGradient(chosen) });
}

/**
 * For each member the sum of what it climbs, `[members]`.
 *
 * @param climbers of each of the means `[entries]`, as agents
 */
function sumsOf(means: Expr, climbers: readonly (readonly number[])[], members: readonly number[]): Expr {
  const incidence = members.map((agent) => climbers.map((own) => (own.includes(agent) ? 1 : 0)));
  return reshape(matMul(matrix(incidence), reshape(means, [climbers.length, 1])), [members.length]);
}

/** Present actors act in every critic at once: one pass of each critic gives all gradients. */
function climbTogether({ spec, scopes, told, members, critics, chosen, batches }: ClimbOptions): Climb {
  // Rows behind all others hold the same actions as constants, for critics that their actor does not climb.
  const width = chosen.shape[0];
  const actorAt = actionRows(spec).flatMap((own, agent) => own.map(() => agent));
  const rows = told.map((own, critic) =>
    own.map((row) => {
      const actor = actorAt[row - spec.stateSize];
      const constant = members.includes(actor) && !scopes[critic].guided.includes(actor);
      return constant ? row + width : row;
    }),
  );
  const constants = rows.flat().some((row) => row >= width);
  const table = constants ? concat([chosen, stopGradient(chosen)], 0) : chosen;
  const means = concat(
    critics.map((each) => mean(criticValues(each, table, rows, batches), [1])),
    0,
  );
  const climbers = critics.flatMap(({ networks }) =>
    agentsOf(networks).map((critic) => scopes[critic].guided),
  );
  return { objective: sum(means), ofActors: sumsOf(means, climbers, members) };
}

/** One pass of a critic for one actor that climbs it. */
interface Pair {
  readonly actor: number;
  /** Rows of the actor's action in a table, and their places among what the critic is told. */
  readonly rows: readonly number[];
  readonly slots: readonly number[];
}

/**
 * Only one actor at a time acts in a critic, a pass of the critic for each. The slope of each pass along that action is
 * worked out right after it, so that nothing of the pass has to be kept.
 */
function climbAlone(options: ClimbOptions): Climb {
  const { spec, scopes, told, members, taken, chosen, batches } = options;
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
  const changes = selectRows(
    batches.rows(sub(chosen, taken)),
    climbing.flatMap((critic) => pairs[critic].map(({ rows }) => rows)),
  );
  const given = split(
    stopGradient(changes),
    climbing.map((critic) => pairs[critic].length),
    0,
  );
  const passes = criticPasses(options, pairs);
  const found = climbing.map((critic, k) => {
    const { firsts, layers } = passes[critic];
    const slots = pairs[critic].map((pair) => pair.slots);
    const [count, , size] = given[k].shape;
    const weights = selectRows(transpose(layers[0].weights, [1, 0]), slots);
    const first = add(matMul(transpose(given[k], [0, 2, 1]), weights), firsts);
    const rows = reshape(first, [count * size, first.shape[2]]);
    const { values, slopes } = valuesAndSlopes(rows, layers.slice(1));
    return {
      means: mean(reshape(values, [count, size]), [1]),
      slopes: transpose(matMul(reshape(slopes, first.shape), transpose(weights, [0, 2, 1])), [0, 2, 1]),
    };
  });
  const slopes = stopGradient(
    concat(
      found.map((each) => each.slopes),
      0,
    ),
  );
  const climbers = climbing.flatMap((critic) => pairs[critic].map(({ actor }) => [actor]));
  const means = concat(
    found.map((each) => each.means),
    0,
  );
  return {
    objective: mul(sum(mul(slopes, changes)), 1 / changes.shape[2]),
    ofActors: sumsOf(means, climbers, members),
  };
}

/** A layer of one network: `[out, in]` and `[out]`. */
interface Layer {
  readonly weights: Expr;
  readonly biases: Expr;
}

/**
 * What a network with one output makes of what its first layer gives, and how that changes with it: `[R, H]`, without the
 * activation, to values `[R, 1]` and slopes `[R, H]`.
 *
 * @param layers behind the first
 */
function valuesAndSlopes(
  first: Expr,
  layers: readonly Layer[],
): { readonly values: Expr; readonly slopes: Expr } {
  let values = first;
  const rectified = layers.map(({ weights, biases }) => {
    const given = relu(values);
    values = gemm(given, weights, biases, { transposeB: true });
    return given;
  });
  if (layers.length === 0) return { values, slopes: filled(first.dtype, first.shape, 1) };
  const last = layers.length - 1;
  // Along what the last layer is given: the same row for all, which the weights before it take in.
  let slopes = layers[last].weights;
  for (let k = last; k > 0; k--) {
    const active = unitStep(rectified[k]);
    const { weights } = layers[k - 1];
    slopes =
      k === last ? gemm(active, mul(transpose(slopes, [1, 0]), weights)) : gemm(mul(active, slopes), weights);
  }
  return { values, slopes: mul(unitStep(rectified[0]), slopes) };
}

/** One critic, ready for passes that differ in a single actor's action. */
interface CriticPasses {
  /** What its first layer gives before that action changes, without the activation: of all passes `[1, B, H]`, or of each. */
  readonly firsts: Expr;
  readonly layers: readonly Layer[];
}

/** Of each critic that somebody climbs. */
function criticPasses(
  { told, critics, taken, batches: { shared, rows, at } }: ClimbOptions,
  pairs: readonly (readonly Pair[])[],
): readonly CriticPasses[] {
  const passes: CriticPasses[] = [];
  for (const { networks, views } of critics) {
    for (const [group, { agents }] of networks.groups.entries()) {
      if (agents.every((agent) => pairs[agent].length === 0)) continue;
      const stacks = Array.from({ length: networks.layers }, (_, layer) => {
        const { weights, biases } = networks.stacks(views, group, layer);
        return { weights: ofEach(weights), biases: ofEach(biases) };
      });
      for (const [place, agent] of agents.entries()) {
        if (pairs[agent].length === 0) continue;
        const layers = stacks.map(({ weights, biases }) => ({
          weights: reshape(weights[place], weights[place].shape.slice(1)),
          biases: reshape(biases[place], [biases[place].shape[1]]),
        }));
        const seen = shared
          ? [told[agent]]
          : pairs[agent].map(({ actor }) => told[agent].map((row) => at(row, actor)));
        const samples = transpose(selectRows(rows(taken), seen), [0, 2, 1]);
        const [{ weights, biases }] = layers;
        passes[agent] = { firsts: add(matMul(samples, transpose(weights, [1, 0])), biases), layers };
      }
    }
  }
  return passes;
}

/** The members of a stack, `[1, ...]` each. */
const ofEach = (stack: Expr): readonly Expr[] => split(stack, new Array<number>(stack.shape[0]).fill(1), 0);
