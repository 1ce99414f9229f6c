import { InputError } from "../errors.ts";
import { checkAgents } from "./dag.ts";
import { type IdLists, listAt } from "./id-lists.ts";

/** `[j, i]`: the edge from agent j to agent i, so that j is in the index set of i. */
export type CouplingEdge = readonly [from: number, to: number];

/**
 * Which agents a cooperative game couples (MABN, section 2): three graphs, as the index sets of each agent i in increasing
 * id, each with i itself. List i of
 *
 * - `state`: the agents whose state and action decide the next state of i,
 * - `observation`: the agents whose state i observes,
 * - `reward`: the agents whose state and action decide the reward of i.
 */
export interface CouplingGraphs {
  readonly agents: number;
  readonly state: IdLists;
  readonly observation: IdLists;
  readonly reward: IdLists;
}

/** The three graphs by name. */
export const couplingKinds = ["state", "observation", "reward"] as const;
export type CouplingKind = (typeof couplingKinds)[number];

/**
 * The graphs with the given edges. Every agent is in its own index sets, whether or not an edge says so; a graph that is
 * not given has no other edges. Edges that are given twice count once.
 *
 * @throws InputError when an edge names an agent that does not exist; the message names the edge
 */
export function couplingGraphs(
  agents: number,
  edges: Readonly<Partial<Record<CouplingKind, Iterable<CouplingEdge>>>>,
): CouplingGraphs {
  checkAgents(agents);
  const [state, observation, reward] = couplingKinds.map((kind) =>
    indexSets(kind, agents, [...(edges[kind] ?? [])]),
  );
  return { agents, state, observation, reward };
}

/** The edges of one graph without self loops, by increasing `to`, then increasing `from`. */
export function couplingEdges(graphs: CouplingGraphs, kind: CouplingKind): CouplingEdge[] {
  const edges: CouplingEdge[] = [];
  for (let i = 0; i < graphs.agents; i++) {
    for (const j of listAt(graphs[kind], i)) if (j !== i) edges.push([j, i]);
  }
  return edges;
}

function indexSets(kind: CouplingKind, agents: number, edges: readonly CouplingEdge[]): IdLists {
  const places = new Int32Array(agents + 1);
  for (const [from, to] of edges) {
    for (const agent of [from, to]) {
      if (!Number.isInteger(agent) || agent < 0 || agent >= agents) {
        throw new InputError(`${kind} edge [${from}, ${to}]: no agent ${agent}, expected 0..${agents - 1}`);
      }
    }
    places[to + 1]++;
  }
  for (let i = 0; i < agents; i++) places[i + 1] += places[i] + 1;
  const crowded = new Int32Array(places[agents]);
  const at = places.slice(0, agents);
  for (let i = 0; i < agents; i++) crowded[at[i]++] = i;
  for (const [from, to] of edges) crowded[at[to]++] = from;
  return withoutRepetition(places, crowded);
}

/** Sorts each list and keeps one of equal ids. */
function withoutRepetition(places: Int32Array, crowded: Int32Array): IdLists {
  const starts = new Int32Array(places.length);
  let kept = 0;
  for (let i = 0; i + 1 < places.length; i++) {
    const own = crowded.subarray(places[i], places[i + 1]).sort();
    for (let k = 0; k < own.length; k++) {
      // What is kept is never ahead of what is read.
      if (k === 0 || own[k] !== own[k - 1]) crowded[kept++] = own[k];
    }
    starts[i + 1] = kept;
  }
  return { starts, ids: crowded.slice(0, kept) };
}
