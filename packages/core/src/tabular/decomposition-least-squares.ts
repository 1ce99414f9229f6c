import type { BlockCells } from "./decomposition-cells.ts";

/**
 * Exact least-squares decomposition of every column of a table.
 *
 * The sums of block functions are the span of the cells' indicator columns. On a full product space the indicators of
 * two blocks, once centred, are orthogonal, so the projection is the main-effects fit of a balanced experiment:
 * `sum_k mean(table | cell of block k) - (K - 1) mean(table)`. The columns are dependent (each block's sum to the
 * constant), which leaves the components free up to constants but not the fit: any minimiser, the minimum-norm one
 * included, has these values.
 *
 * @param table `[X, M]`
 * @returns the fit, `[X, M]`
 */
export function leastSquaresDecomposition(space: BlockCells, table: Float64Array): Float64Array {
  const { points, cells, cellOf } = space;
  const outputs = table.length / points;
  const excess = cells.length - 1;
  const fit = new Float64Array(table.length);
  if (excess > 0) {
    const mean = cellMeans(new Int32Array(points), 1, table, outputs);
    for (let at = 0; at < fit.length; at++) fit[at] = -excess * mean[at % outputs];
  }
  cellOf.forEach((cellOfPoint, k) => {
    const means = cellMeans(cellOfPoint, cells[k], table, outputs);
    for (let x = 0; x < points; x++) {
      const cell = cellOfPoint[x] * outputs;
      for (let m = 0; m < outputs; m++) fit[x * outputs + m] += means[cell + m];
    }
  });
  return fit;
}

/** Mean of the table's rows in each cell, all cells of the same size, `[cells, M]`. */
function cellMeans(
  cellOfPoint: Int32Array,
  cells: number,
  table: Float64Array,
  outputs: number,
): Float64Array {
  const means = new Float64Array(cells * outputs);
  for (let at = 0; at < table.length; at++) {
    means[cellOfPoint[Math.floor(at / outputs)] * outputs + (at % outputs)] += table[at];
  }
  const size = cellOfPoint.length / cells;
  return means.map((total) => total / size);
}
