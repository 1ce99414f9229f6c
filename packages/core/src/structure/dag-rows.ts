/**
 * Where the DAGs of many environments or time steps are written: row r of each array belongs to DAG r. Dense and
 * reusable, for the few agents of an environment that is stepped a million times.
 */
export interface DagRows {
  /** `[R, N, N]` of 0 and 1: entry `[r, j, i]` is 1 when j is a parent of i. */
  readonly adjacency: Uint8Array;
  /** `[R, N]`: a topological order of each DAG. */
  readonly order?: Int32Array;
}

/**
 * Writes the topological order of a small dense graph: the ready agent with the smallest id first, as
 * `topologicalOrder` does. `O(N^2)`.
 *
 * @param adjacency holds `[N, N]` of 0 and 1 from index `at`: entry `[j, i]` is 1 when j is a parent of i
 * @param out receives N agents from index `outAt`
 * @throws RangeError when the graph has a cycle
 */
export function topologicalOrderOf(
  adjacency: ArrayLike<number>,
  at: number,
  agents: number,
  out: Int32Array,
  outAt: number,
): void {
  const waiting = new Int32Array(agents);
  for (let j = 0; j < agents; j++) {
    for (let i = 0; i < agents; i++) waiting[i] += adjacency[at + j * agents + i];
  }
  for (let placed = 0; placed < agents; placed++) {
    const j = waiting.indexOf(0);
    if (j < 0) throw new RangeError(`topologicalOrderOf: ${agents - placed} agents are on or behind a cycle`);
    out[outAt + placed] = j;
    waiting[j] = -1;
    for (let i = 0; i < agents; i++) waiting[i] -= adjacency[at + j * agents + i];
  }
}
