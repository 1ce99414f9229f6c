import { checkAgents, type Dag } from "./dag.ts";

/** Disjoint, non-empty blocks of agents that together hold every agent. */
export type Partition = readonly (readonly number[])[];

/** Whether the blocks hold every agent of `0..agents-1` exactly once and none is empty. */
export function isPartition(agents: number, blocks: Partition): boolean {
  const seen = new Uint8Array(agents);
  let count = 0;
  for (const block of blocks) {
    if (block.length === 0) return false;
    for (const agent of block) {
      if (!Number.isInteger(agent) || agent < 0 || agent >= agents || seen[agent] === 1) return false;
      seen[agent] = 1;
      count++;
    }
  }
  return count === agents;
}

/** Whether an edge joins every two agents of the block. A single agent is a subteam. */
export function isSubteam(dag: Dag, block: readonly number[]): boolean {
  const members = new Set(block);
  let inside = 0;
  // An acyclic graph joins two agents at most once, so counting the edges is enough.
  for (const agent of members) for (const parent of dag.parents[agent]) if (members.has(parent)) inside++;
  return inside === (members.size * (members.size - 1)) / 2;
}

/**
 * The assumption under which the Subteams paper proves its guarantees: the blocks are a partition, each block is a
 * subteam, and no edge joins two blocks. `O(N + E)`.
 */
export function satisfiesSubteamAssumption(dag: Dag, partition: Partition): boolean {
  if (!isPartition(dag.agents, partition)) return false;
  const blockOf = new Int32Array(dag.agents);
  partition.forEach((block, k) => {
    for (const agent of block) blockOf[agent] = k;
  });
  for (let i = 0; i < dag.agents; i++)
    for (const j of dag.parents[i]) if (blockOf[j] !== blockOf[i]) return false;
  return partition.every((block) => isSubteam(dag, block));
}

/** Every partition of `0..agents-1`, from one block to singletons; blocks in order of their smallest agent. */
export function* partitionsOf(agents: number): Generator<number[][], void> {
  checkAgents(agents);
  const blockOf: number[] = [];
  yield* extend(0);

  function* extend(blocks: number): Generator<number[][], void> {
    if (blockOf.length === agents) {
      const partition: number[][] = Array.from({ length: blocks }, () => []);
      blockOf.forEach((k, agent) => {
        partition[k].push(agent);
      });
      yield partition;
      return;
    }
    for (let k = 0; k <= blocks; k++) {
      blockOf.push(k);
      yield* extend(Math.max(blocks, k + 1));
      blockOf.pop();
    }
  }
}
