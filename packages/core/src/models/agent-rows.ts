/**
 * Tables of numbers in which one sample is a column, `[rows, B]`: which rows of all agents' observations, states or
 * actions are whose.
 */
import { type EnvSpec, jointActionSize } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { concat, constant, type Expr, gather, reshape, sizeOf, transpose } from "../tensor/index.ts";
import type { AgentGroup } from "./agent-groups.ts";

/** `rows[i]`: the rows that belong to agent i. */
export type AgentRows = readonly (readonly number[])[];

/** What each agent observes, without padding, among the `N O` numbers of all. */
export function observationRows({ agents, observationSize, observationSizes }: EnvSpec): AgentRows {
  return Array.from({ length: agents }, (_, i) =>
    consecutive(i * observationSize, observationSizes?.[i] ?? observationSize),
  );
}

/**
 * Each agent's own state among the `S` numbers of the whole.
 *
 * @throws InputError when the state does not consist of the agents' own states
 */
export function stateRows({ id, stateSizes }: EnvSpec): AgentRows {
  if (stateSizes === undefined) {
    throw new InputError(
      `${id}: states of single agents are unknown, expected an environment with stateSizes`,
    );
  }
  return consecutiveRows(stateSizes);
}

/** Each agent's action among the `K` numbers of a joint action. */
export const actionRows = (spec: EnvSpec): AgentRows =>
  consecutiveRows(spec.actions.map((_, i) => jointActionSize({ ...spec, actions: [spec.actions[i]] })));

/** Rows of agents one after the other. @param sizes of each agent, `[N]` */
export function consecutiveRows(sizes: readonly number[]): AgentRows {
  let next = 0;
  return sizes.map((size) => {
    next += size;
    return consecutive(next - size, size);
  });
}

const consecutive = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, k) => first + k);

/** Samples as columns: `[B, ...] -> [rows, B]`. */
export function asColumns(samples: Expr): Expr {
  const [size] = samples.shape;
  return transpose(reshape(samples, [size, sizeOf(samples.shape) / size]), [1, 0]);
}

/** A table of rows for each of `G` lists of equal length: `[rows, B] -> [G, length, B]`. */
export function selectRows(table: Expr, lists: AgentRows): Expr {
  return gather(table, constant("int32", [lists.length, lists[0].length], lists.flat()));
}

/**
 * The table that groups of agents give together: `[G, out, B]` of each group to `[rows, B]`.
 *
 * @param rows of each agent, as many as its outputs; those of all agents are `0, 1, ...`
 * @param otherwise the rows of agents that are in no group, `[rows, B]`
 */
export function joinRows(
  groups: readonly AgentGroup[],
  parts: readonly Expr[],
  rows: AgentRows,
  otherwise?: Expr,
): Expr {
  const given = groups.flatMap(({ agents }) => agents.flatMap((agent) => rows[agent]));
  const tables = parts.map((part) => reshape(part, [part.shape[0] * part.shape[1], part.shape[2]]));
  const order = Array.from({ length: otherwise?.shape[0] ?? given.length }, (_, row) => given.length + row);
  for (const [place, row] of given.entries()) order[row] = place;
  const complete = order.every((place) => place < given.length);
  const table = concat(otherwise === undefined || complete ? tables : [...tables, otherwise], 0);
  return order.every((place, row) => place === row)
    ? table
    : gather(table, constant("int32", [order.length], order));
}
