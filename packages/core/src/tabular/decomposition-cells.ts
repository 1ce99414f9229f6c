import type { Partition } from "../structure/index.ts";
import { enumerateJointActions, jointActionCount } from "./joint-action.ts";

/**
 * A product space `X = X_0 x ... x X_{N-1}` with one digit for each agent, cut along a partition of the agents: the
 * digits of a block's agents name the block's cell. A decomposition is a sum of one function of the cell for each
 * block.
 */
export interface BlockCells {
  /** Values of each agent's digit, `[N]`. Points are mixed-radix integers, agent 0 the most significant digit. */
  readonly digits: readonly number[];
  readonly partition: Partition;
  /** `X`. */
  readonly points: number;
  /** Cells of each block, `[K]`. */
  readonly cells: readonly number[];
  /** `cellOf[k][x]`: the cell of block `k` that point `x` lies in, `[K, X]`. */
  readonly cellOf: readonly Int32Array[];
}

/**
 * Fits a sum of block functions to a table with `M` columns, each column on its own or all at once.
 *
 * @param table `[X, M]`
 * @param name what the table holds; randomness is drawn from a stream of this name
 * @returns the values of the fit, `[X, M]`
 */
export type DecompositionFit = (
  space: BlockCells,
  table: Float64Array,
  name: string,
) => Float64Array | Promise<Float64Array>;

export function blockCells(digits: readonly number[], partition: Partition): BlockCells {
  const agents = digits.length;
  const points = jointActionCount(digits);
  const pointDigits = enumerateJointActions(digits);
  const cellOf = partition.map((block) =>
    Int32Array.from({ length: points }, (_, x) =>
      block.reduce((cell, i) => cell * digits[i] + pointDigits[x * agents + i], 0),
    ),
  );
  const cells = partition.map((block) => jointActionCount(block.map((i) => digits[i])));
  return { digits, partition, points, cells, cellOf };
}
