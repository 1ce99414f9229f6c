import type { Highs, Model } from "highs";
import type { BlockCells, DecompositionFit } from "./decomposition-cells.ts";

/** How far from feasible and optimal the solver may end, relative to the range of a column. */
const TOLERANCE = 1e-10;

/**
 * Loads the solver. The fit has the smallest possible largest error (Chebyshev approximation) in every column of a
 * table, by one linear program for each: minimise `t` subject to `-t <= sum_k w_k(cell of block k) - table <= t`.
 * Best fits are rarely unique; their error is. It throws an Error when the solver ends without an optimum.
 */
export async function loadMinimaxDecomposition(): Promise<DecompositionFit> {
  // Loaded on demand: it brings WebAssembly that nothing else here needs.
  const { default: loadHighs } = await import("highs");
  const highs = await loadHighs();
  return (space, table) => minimaxDecomposition(highs, space, table);
}

function minimaxDecomposition(highs: Highs, space: BlockCells, table: Float64Array): Float64Array {
  const { points } = space;
  const outputs = table.length / points;
  // The programs differ in the bounds of their rows alone, so each starts from the best basis of the one before.
  return highs.withModel(chebyshevProgram(highs, space), (model) => {
    model.options.set({
      output_flag: false,
      primal_feasibility_tolerance: TOLERANCE,
      dual_feasibility_tolerance: TOLERANCE,
    });
    const fit = new Float64Array(table.length);
    for (let m = 0; m < outputs; m++) {
      const column = Float64Array.from({ length: points }, (_, x) => table[x * outputs + m]);
      const low = column.reduce((least, value) => Math.min(least, value), Infinity);
      const range = column.reduce((most, value) => Math.max(most, value), -Infinity) - low;
      // Scaled to 0..1, the solver's tolerances mean the same for every table.
      const scaled = column.map((value) => (range === 0 ? 0 : (value - low) / range));
      const fitted = fitColumn(highs, model, space, scaled);
      for (let x = 0; x < points; x++) fit[x * outputs + m] = low + range * fitted[x];
    }
    return fit;
  });
}

/**
 * The program without its right-hand sides. Columns: a weight for each cell, block after block, then `t`. Rows:
 * `fit + t` at every point, then `fit - t`.
 */
function chebyshevProgram(highs: Highs, space: BlockCells) {
  const { points, cells } = space;
  const starts = blockStarts(space);
  const error = cells.reduce((sum, count) => sum + count, 0);
  const numCols = error + 1;
  const numRows = 2 * points;
  const colUpper = new Float64Array(numCols).fill(highs.infinity);
  const colLower = colUpper.map((_, column) => (column === error ? 0 : -highs.infinity));
  // The blocks' weights are free up to constants: all but the first block start from zero.
  for (const first of starts.slice(1)) {
    colLower[first] = 0;
    colUpper[first] = 0;
  }
  const columnsOf = (x: number) => [...space.cellOf.map((cellOf, k) => starts[k] + cellOf[x]), error];
  const indices: number[] = [];
  const values: number[] = [];
  for (let row = 0; row < numRows; row++) {
    indices.push(...columnsOf(row % points));
    values.push(...cells.map(() => 1), row < points ? 1 : -1);
  }
  const perRow = cells.length + 1;
  return {
    numCols,
    numRows,
    colCost: new Float64Array(numCols).map((_, column) => (column === error ? 1 : 0)),
    colLower,
    colUpper,
    rowLower: new Float64Array(numRows).fill(-highs.infinity),
    rowUpper: new Float64Array(numRows).fill(highs.infinity),
    matrix: {
      format: "csr",
      numRows,
      numCols,
      starts: Array.from({ length: numRows + 1 }, (_, row) => row * perRow),
      indices,
      values,
    },
  } as const;
}

/** The best fit of one column, `[X]`. */
function fitColumn(highs: Highs, model: Model, space: BlockCells, column: Float64Array): Float64Array {
  const { points, cellOf } = space;
  const lower = new Float64Array(2 * points).fill(-highs.infinity);
  const upper = new Float64Array(2 * points).fill(highs.infinity);
  lower.set(column, 0);
  upper.set(column, points);
  model.changeRowsBounds({ kind: "range", from: 0, to: 2 * points - 1 }, lower, upper);
  model.run();
  const status = model.getModelStatus();
  if (status !== highs.constants.modelStatus.optimal) {
    throw new Error(`minimax decomposition: HiGHS ended with model status ${status}, expected an optimum`);
  }
  const weights = model.getSolution().colValue;
  const starts = blockStarts(space);
  return column.map((_, x) => cellOf.reduce((sum, cells, k) => sum + weights[starts[k] + cells[x]], 0));
}

/** Number of cells in the blocks before each, `[K]`. */
function blockStarts({ cells }: BlockCells): number[] {
  return cells.map((_, k) => cells.slice(0, k).reduce((sum, count) => sum + count, 0));
}
