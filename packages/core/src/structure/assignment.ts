type Scores = Float32Array | Float64Array;

/**
 * Solves the problem `which` of many: its scores are the matrix `which` of `[R, N, N]`, and which column each row is given
 * goes to row `which` of `out`, `[R, N]`.
 *
 * @param prices what columns cost rows at the last solution, which is in `out`, `[R, N]`, or zeros in both: where to begin and
 * where to leave the new ones. Near a solution's scores they leave almost nothing to do.
 */
export type AssignmentSolver = (
  scores: Scores,
  which: number,
  out: Int32Array,
  prices?: Float64Array,
) => void;

/**
 * Solves assignment problems of one size exactly: the permutation of columns whose entries have the largest sum.
 *
 * The Hungarian method by shortest augmenting paths (Jonker and Volgenant 1987), `O(N^3)`: rows first take their
 * best columns as far as these are free, which serves most of them; each row left over searches the path of exchanges
 * that costs least. Of equal sums the same one is always found from the same beginning.
 *
 * @throws RangeError when a score is not a finite number
 */
export function assignmentSolver(size: number): AssignmentSolver {
  const price = new Float64Array(size);
  const rowOf = new Int32Array(size);
  const columnOf = new Int32Array(size);
  const distance = new Float64Array(size);
  const previous = new Int32Array(size);
  /** Columns: settled ones first, then those at the smallest distance, then the rest. */
  const columns = new Int32Array(size);

  /** Assigns a free row by the shortest alternating path to a free column, and updates the prices along it. */
  function augment(scores: Scores, at: number, freeRow: number): void {
    for (let j = 0; j < size; j++) {
      distance[j] = -scores[at + freeRow * size + j] - price[j];
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
      const slack = -scores[at + row * size + via] - price[via] - level;
      for (let k = settled; k < size; k++) {
        const j = columns[k];
        const through = -scores[at + row * size + j] - price[j] - slack;
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

  /**
   * Moves each price to the middle of the range in which, beside the others, every row prefers its own column. The search
   * leaves rows indifferent between columns; so it would have to be done again as soon as scores change at all.
   */
  function centrePrices(scores: Scores, at: number): void {
    for (let row = 0; row < size; row++) {
      const own = columnOf[row];
      distance[row] = -scores[at + row * size + own] - price[own];
    }
    for (let column = 0; column < size; column++) {
      const owner = rowOf[column];
      const line = at + owner * size;
      let most = Infinity;
      let rest = Infinity;
      for (let k = 0; k < size; k++) {
        if (k !== owner) most = Math.min(most, -scores[at + k * size + column] - distance[k]);
        if (k !== column) rest = Math.min(rest, -scores[line + k] - price[k]);
      }
      const own = -scores[line + column];
      price[column] = (most + own - rest) / 2;
      distance[owner] = own - price[column];
    }
  }

  return (scores, which, out, prices) => {
    const at = which * size * size;
    const first = which * size;
    for (let j = 0; j < size; j++) price[j] = prices === undefined ? 0 : prices[first + j];
    rowOf.fill(-1);
    columnOf.fill(-1);
    let total = 0;
    for (let i = 0; i < size; i++) {
      const row = at + i * size;
      // Most rows still like their last column best, and the comparisons below are then all alike.
      let best = prices === undefined ? 0 : out[first + i];
      let least = -scores[row + best] - price[best];
      for (let j = 0; j < size; j++) {
        const score = scores[row + j];
        total += score;
        const cost = -score - price[j];
        if (cost >= least) continue;
        least = cost;
        best = j;
      }
      if (rowOf[best] >= 0) continue;
      rowOf[best] = i;
      columnOf[i] = best;
    }
    if (!Number.isFinite(total)) throw new RangeError("assignmentSolver: scores must be finite numbers");
    let searched = false;
    for (let i = 0; i < size; i++) {
      if (columnOf[i] >= 0) continue;
      augment(scores, at, i);
      searched = true;
    }
    for (let i = 0; i < size; i++) out[first + i] = columnOf[i];
    if (prices === undefined) return;
    if (searched) centrePrices(scores, at);
    for (let j = 0; j < size; j++) prices[first + j] = price[j];
  };
}
