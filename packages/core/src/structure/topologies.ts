import { InputError } from "../errors.ts";
import { checkAgents, type Dag } from "./dag.ts";
import type { Partition } from "./partition.ts";

/** No edges: the agents act independently. */
export function product(agents: number): Dag {
  checkAgents(agents);
  return { agents, parents: Array.from({ length: agents }, () => new Int32Array(0)) };
}

/** Every agent reads all earlier ones: `N(N-1)/2` edges. */
export function full(agents: number): Dag {
  checkAgents(agents);
  return partitionDag([agents]);
}

/** Every agent but the first reads the one before it: edges `(i, i+1)` for `i = 0..N-2`. */
export function line(agents: number): Dag {
  checkAgents(agents);
  return chain(agents, agents);
}

/**
 * The line without its last edge, so that the last agent stands alone: what the published BNPG code builds as its
 * "line". For comparison with published curves only.
 */
export function lineTruncated(agents: number): Dag {
  checkAgents(agents);
  return chain(agents, agents - 1);
}

/** Topologies that need only the number of agents, by name. */
export const topologies = { product, full, line, "line-truncated": lineTruncated } as const;

/**
 * Consecutive blocks of the given sizes, each full inside, no edge across: `[2, 3]` joins 0, 1 and 2, 3, 4.
 *
 * @throws InputError unless the sizes are positive integers
 */
export function partitionDag(sizes: readonly number[]): Dag {
  const agents = checkSizes(sizes);
  const ids = Int32Array.from({ length: agents }, (_, i) => i);
  const parents: Int32Array[] = [];
  for (const size of sizes) {
    const start = parents.length;
    // All lists of a block are views of the same ids, so even a full graph takes O(N) memory.
    for (let k = 0; k < size; k++) parents.push(ids.subarray(start, start + k));
  }
  return { agents, parents };
}

/**
 * The blocks of `partitionDag(sizes)`.
 *
 * @throws InputError unless the sizes are positive integers
 */
export function consecutivePartition(sizes: readonly number[]): Partition {
  checkSizes(sizes);
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return Array.from({ length: size }, (_, k) => start - size + k);
  });
}

/** A line through the agents `0..length-1`; the others stand alone. */
function chain(agents: number, length: number): Dag {
  const parents = Array.from({ length: agents }, (_, i) =>
    i > 0 && i < length ? Int32Array.of(i - 1) : new Int32Array(0),
  );
  return { agents, parents };
}

function checkSizes(sizes: readonly number[]): number {
  let agents = 0;
  for (const size of sizes) {
    if (!Number.isInteger(size) || size < 1) {
      throw new InputError(`block sizes ${sizes.join("+")}: got ${size}, expected positive integers`);
    }
    agents += size;
  }
  checkAgents(agents);
  return agents;
}
