import { InputError } from "../errors.ts";

/**
 * A directed acyclic graph over the agents `0..agents-1`: agent i reads the actions of its parents before it
 * acts. Sparse, so that it stays usable with 100,000 agents. The lists may share memory: never write to them.
 */
export interface Dag {
  readonly agents: number;
  /** `parents[i]`: the agents whose actions agent i reads, in increasing id. */
  readonly parents: readonly Int32Array[];
}

/** `[j, i]`: j is a parent of i. */
export type Edge = readonly [parent: number, child: number];

/**
 * The DAG with the given edges.
 *
 * @throws InputError when an edge names an agent that does not exist, joins an agent to itself, occurs twice, or
 *   closes a cycle; the message names the edge or the cycle
 */
export function fromEdges(agents: number, edges: Iterable<Edge>): Dag {
  checkAgents(agents);
  const list = [...edges];
  const counts = new Int32Array(agents);
  for (const [parent, child] of list) {
    for (const agent of [parent, child]) {
      if (!Number.isInteger(agent) || agent < 0 || agent >= agents) {
        throw new InputError(`edge ${parent}>${child}: no agent ${agent}, expected 0..${agents - 1}`);
      }
    }
    if (parent === child) {
      throw new InputError(`edge ${parent}>${child}: agent ${child} cannot read its own action`);
    }
    counts[child]++;
  }
  const parents = Array.from(counts, (count) => new Int32Array(count));
  for (const [parent, child] of list) parents[child][--counts[child]] = parent;
  for (let child = 0; child < agents; child++) {
    const own = parents[child].sort();
    for (let k = 1; k < own.length; k++) {
      if (own[k] === own[k - 1])
        throw new InputError(`edge ${own[k]}>${child} is given twice, expected once`);
    }
  }
  const dag = { agents, parents };
  topologicalOrder(dag);
  return dag;
}

/**
 * The DAG of a dense matrix.
 *
 * @param matrix `[N, N]` of 0 and 1, `matrix[j * N + i] = 1` when j is a parent of i
 * @throws InputError when the size or an entry is wrong, or the graph has a cycle
 */
export function fromAdjacency(agents: number, matrix: ArrayLike<number>): Dag {
  checkAgents(agents);
  if (matrix.length !== agents * agents) {
    throw new InputError(`adjacency: got ${matrix.length} entries, expected ${agents} x ${agents}`);
  }
  const list: Edge[] = [];
  for (let j = 0; j < agents; j++) {
    for (let i = 0; i < agents; i++) {
      const entry = matrix[j * agents + i];
      if (entry === 1) list.push([j, i]);
      else if (entry !== 0)
        throw new InputError(`adjacency: entry [${j}, ${i}] is ${entry}, expected 0 or 1`);
    }
  }
  return fromEdges(agents, list);
}

/** The dense matrix `[N, N]` of a DAG: entry `[j, i]` is 1 when j is a parent of i. */
export function adjacency(dag: Dag): Uint8Array {
  const matrix = new Uint8Array(dag.agents * dag.agents);
  for (let i = 0; i < dag.agents; i++) for (const j of dag.parents[i]) matrix[j * dag.agents + i] = 1;
  return matrix;
}

/** All edges, by increasing child, then increasing parent. */
export function edges(dag: Dag): Edge[] {
  const list: Edge[] = [];
  for (let i = 0; i < dag.agents; i++) for (const j of dag.parents[i]) list.push([j, i]);
  return list;
}

export function edgeCount(dag: Dag): number {
  let count = 0;
  for (const own of dag.parents) count += own.length;
  return count;
}

/** Share of the `N(N-1)/2` pairs of agents that an edge joins, in `[0, 1]`; 0 for a single agent. */
export function density(dag: Dag): number {
  return dag.agents < 2 ? 0 : (2 * edgeCount(dag)) / (dag.agents * (dag.agents - 1));
}

/** `children(dag)[j]`: the agents that read the action of agent j, in increasing id. */
export function children(dag: Dag): Int32Array[] {
  const { starts, ids } = childLists(dag);
  return Array.from({ length: dag.agents }, (_, j) => ids.subarray(starts[j], starts[j + 1]));
}

/** Whether the parent lists, which may have been written by hand, are free of cycles. */
export function isAcyclic(dag: Dag): boolean {
  return partialOrder(dag).placed === dag.agents;
}

/**
 * An order in which every agent comes after its parents: Kahn's algorithm, the ready agent with the smallest id
 * first, so that equal DAGs have equal orders. `O(N + E)` plus a heap of the ready agents.
 *
 * @throws InputError when the parent lists, written by hand, contain a cycle; the message names it
 */
export function topologicalOrder(dag: Dag): Int32Array {
  const { order, placed, waiting } = partialOrder(dag);
  if (placed < dag.agents) {
    const cycle = findCycle(dag, waiting);
    const shown = cycle.length <= 20 ? cycle : [...cycle.slice(0, 10), "...", cycle[0]];
    throw new InputError(`the edges form the cycle ${shown.join(">")}`);
  }
  return order;
}

/** `[N]`: the length of the longest path that ends at each agent; 0 without parents. */
export function depths(dag: Dag): Int32Array {
  const depth = new Int32Array(dag.agents);
  for (const i of topologicalOrder(dag)) {
    for (const j of dag.parents[i]) depth[i] = Math.max(depth[i], depth[j] + 1);
  }
  return depth;
}

/** Agents grouped by depth, in increasing id: those of one level read only earlier levels and can act at once. */
export function levels(dag: Dag): number[][] {
  const groups: number[][] = [];
  const depth = depths(dag);
  for (let level = 0; level <= depth.reduce((a, b) => Math.max(a, b), 0); level++) groups.push([]);
  for (let i = 0; i < dag.agents; i++) groups[depth[i]].push(i);
  return groups;
}

/** @throws InputError unless `agents` is a positive integer */
export function checkAgents(agents: number): void {
  if (!Number.isInteger(agents) || agents < 1 || agents > 2 ** 31 - 1) {
    throw new InputError(`agents: got ${agents}, expected a positive integer`);
  }
}

/** As many agents as can be ordered; `waiting[i]` counts the parents of agent i that could not. */
function partialOrder(dag: Dag): { order: Int32Array; placed: number; waiting: Int32Array } {
  const { agents, parents } = dag;
  const waiting = Int32Array.from(parents, (own) => own.length);
  const order = new Int32Array(agents);
  if (parents.every((own, i) => own.length === 0 || own[own.length - 1] < i)) {
    for (let i = 0; i < agents; i++) order[i] = i;
    return { order, placed: agents, waiting };
  }
  const { starts, ids } = childLists(dag);
  const ready = new Int32Array(agents);
  let readyCount = 0;
  let placed = 0;
  // Increasing ids form a heap without further ado.
  for (let i = 0; i < agents; i++) if (waiting[i] === 0) ready[readyCount++] = i;
  while (readyCount > 0) {
    const j = ready[0];
    siftDown(ready, --readyCount, ready[readyCount]);
    order[placed++] = j;
    for (let k = starts[j]; k < starts[j + 1]; k++) {
      if (--waiting[ids[k]] === 0) siftUp(ready, readyCount++, ids[k]);
    }
  }
  return { order, placed, waiting };
}

/** Puts `value` at the root of the binary heap `heap[0..size-1]` and restores the heap. */
function siftDown(heap: Int32Array, size: number, value: number): void {
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= size) break;
    if (below + 1 < size && heap[below + 1] < heap[below]) below++;
    if (heap[below] >= value) break;
    heap[at] = heap[below];
    at = below;
  }
  heap[at] = value;
}

/** Adds `value` to the binary heap `heap[0..size-1]`. */
function siftUp(heap: Int32Array, size: number, value: number): void {
  let at = size;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (heap[above] <= value) break;
    heap[at] = heap[above];
    at = above;
  }
  heap[at] = value;
}

/** The children of agent j are `ids[starts[j] .. starts[j + 1] - 1]`, in increasing id. */
function childLists(dag: Dag): { starts: Int32Array; ids: Int32Array } {
  const starts = new Int32Array(dag.agents + 1);
  for (const own of dag.parents) for (const j of own) starts[j + 1]++;
  for (let j = 0; j < dag.agents; j++) starts[j + 1] += starts[j];
  const ids = new Int32Array(starts[dag.agents]);
  const at = starts.slice();
  for (let i = 0; i < dag.agents; i++) for (const j of dag.parents[i]) ids[at[j]++] = i;
  return { starts, ids };
}

/** A cycle among the agents that still wait for a parent, from its smallest id back to it, along the edges. */
function findCycle(dag: Dag, waiting: Int32Array): number[] {
  const seenAt = new Map<number, number>();
  const walk: number[] = [];
  // Each waiting agent has a waiting parent, so a walk towards parents must meet itself.
  let agent = waiting.findIndex((count) => count > 0);
  while (!seenAt.has(agent)) {
    seenAt.set(agent, walk.length);
    walk.push(agent);
    agent = dag.parents[agent].find((j) => waiting[j] > 0) as number;
  }
  const cycle = walk.slice(seenAt.get(agent)).reverse();
  const first = cycle.indexOf(cycle.reduce((a, b) => Math.min(a, b)));
  return [...cycle.slice(first), ...cycle.slice(0, first), cycle[first]];
}
