/**
 * Solves the problem `which` of many: its scores are the matrix `which` of `[R, N, N]`, and which column each row is given
 * goes to row `which` of `out`, `[R, N]`.
 *
 * @param prices what columns cost rows at the last solution, `[R, N]`, or zeros: where to begin and where to leave the new
 * ones. Near a solution's scores its prices leave almost nothing to do.
 */
export type AssignmentSolver = (
  scores: Float32Array | Float64Array,
  which: number,
  out: Int32Array,
  prices?: Float64Array,
) => void;

/**
 * Solves assignment problems of one size exactly: the permutation of columns whose entries have the largest sum.
 *
 * The Hungarian method by shortest augmenting paths (Jonker and Volgenant 1987), `O(N^3)`: rows first take their
 * best columns as far as these are free, which serves most of them; each row left over searches the path of exchanges
 * that costs least. Of equal sums the same one is always found from the same prices.
 *
 * @throws RangeError when a score is not a finite number
 */
export function assignmentSolver(size: number): AssignmentSolver {
  const costs = new Float64Array(size * size);
  const price = new Float64Array(size);
  const rowOf = new Int32Array(size);
  const columnOf = new Int32Array(size);
  const distance = new Float64Array(size);
  const previous = new Int32Array(size);
  /** Columns: settled ones first, then those at the smallest distance, then the rest. */
  const columns = new Int32Array(size);

  /** Assigns a free row by the shortest alternating path to a free column, and updates the prices along it. */
  function augment(freeRow: number): void {
    for (let j = 0; j < size; j++) {
      distance[j] = costs[freeRow * size + j] - price[j];
      previous[j] = freeRow;
      columns[j] = j;
    }
    let settled = 0;
    let scanned = 0;
    let last = -1;
    let level = 0;
    while (last < 0) {
      if (scanned === settled) {
        // No column left at this distance: take all columns at the next one.
        level = Infinity;
        for (let k = scanned; k < size; k++) {
          const j = columns[k];
          if (distance[j] > level) continue;
          if (distance[j] < level) {
            level = distance[j];
            settled = scanned;
          }
          columns[k] = columns[settled];
          columns[settled++] = j;
        }
        for (let k = scanned; k < settled && last < 0; k++) if (rowOf[columns[k]] < 0) last = columns[k];
        if (last >= 0) break;
      }
      const via = columns[scanned++];
      const row = rowOf[via];
      const slack = costs[row * size + via] - price[via] - level;
      for (let k = settled; k < size; k++) {
        const j = columns[k];
        const through = costs[row * size + j] - price[j] - slack;
        if (through >= distance[j]) continue;
        distance[j] = through;
        previous[j] = row;
        if (through > level) continue;
        if (rowOf[j] < 0) {
          last = j;
          break;
        }
        columns[k] = columns[settled];
        columns[settled++] = j;
      }
    }
    for (let k = 0; k < scanned; k++) price[columns[k]] += distance[columns[k]] - level;
    for (let column = last, row = -1; row !== freeRow; ) {
      row = previous[column];
      rowOf[column] = row;
      const next = columnOf[row];
      columnOf[row] = column;
      column = next;
    }
  }

  return (scores, which, out, prices) => {
    const at = which * size * size;
    let total = 0;
    for (let k = 0; k < costs.length; k++) {
      costs[k] = -scores[at + k];
      total += costs[k];
    }
    if (!Number.isFinite(total)) throw new RangeError("assignmentSolver: scores must be finite numbers");
    for (let j = 0; j < size; j++) price[j] = prices === undefined ? 0 : prices[which * size + j];
    rowOf.fill(-1);
    columnOf.fill(-1);
    for (let i = 0; i < size; i++) {
      let best = 0;
      let least = Infinity;
      for (let j = 0; j < size; j++) {
        const cost = costs[i * size + j] - price[j];
        if (cost >= least) continue;
        least = cost;
        best = j;
      }
      if (rowOf[best] >= 0) continue;
      rowOf[best] = i;
      columnOf[i] = best;
    }
    for (let i = 0; i < size; i++) if (columnOf[i] < 0) augment(i);
    for (let i = 0; i < size; i++) out[which * size + i] = columnOf[i];
    for (let j = 0; prices !== undefined && j < size; j++) prices[which * size + j] = price[j];
  };
}
