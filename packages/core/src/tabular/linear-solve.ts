/**
 * Factors `A = L U` in place without exchanging rows, for matrices that are diagonally dominant by rows, such as
 * `I - gamma P`: elimination then lets no entry grow beyond twice the largest (Higham, Accuracy and Stability of
 * Numerical Algorithms, Theorem 9.9).
 *
 * @param matrix `[n, n]`, overwritten by `L` below the diagonal (its own diagonal is 1) and `U`
 * @param inverseDiagonal `[n]`, filled with `1 / U[k][k]`
 */
export function luFactor(matrix: Float64Array, size: number, inverseDiagonal: Float64Array): void {
  // Four pivots at a time, so that the entries below and to the right are touched a quarter as often.
  let k = 0;
  for (; k + 3 < size; k += 4) {
    eliminate(matrix, size, inverseDiagonal, k, k + 4, k + 4);
    let row = k + 4;
    for (; row + 1 < size; row += 2) eliminateTwoRows(matrix, size, inverseDiagonal, k, row);
    if (row < size) eliminateRow(matrix, size, inverseDiagonal, k, row);
  }
  eliminate(matrix, size, inverseDiagonal, k, size, size);
}

/** Takes the pivots `from` to `to - 1` off the rows that follow each up to `rows - 1`. */
function eliminate(
  matrix: Float64Array,
  size: number,
  inverseDiagonal: Float64Array,
  from: number,
  to: number,
  rows: number,
): void {
  for (let pivot = from; pivot < to; pivot++) {
    const inverse = 1 / matrix[pivot * size + pivot];
    inverseDiagonal[pivot] = inverse;
    for (let row = pivot + 1; row < rows; row++) {
      const multiple = matrix[row * size + pivot] * inverse;
      matrix[row * size + pivot] = multiple;
      for (let c = pivot + 1; c < size; c++) matrix[row * size + c] -= multiple * matrix[pivot * size + c];
    }
  }
}

/** Takes the pivots `k` to `k + 3` off rows `row` and `row + 1`. */
function eliminateTwoRows(
  matrix: Float64Array,
  size: number,
  inverseDiagonal: Float64Array,
  k: number,
  row: number,
): void {
  const p0 = k * size;
  const p1 = p0 + size;
  const p2 = p1 + size;
  const p3 = p2 + size;
  const a = row * size;
  const b = a + size;
  const u01 = matrix[p0 + k + 1];
  const u02 = matrix[p0 + k + 2];
  const u03 = matrix[p0 + k + 3];
  const u12 = matrix[p1 + k + 2];
  const u13 = matrix[p1 + k + 3];
  const u23 = matrix[p2 + k + 3];
  const a0 = matrix[a + k] * inverseDiagonal[k];
  const b0 = matrix[b + k] * inverseDiagonal[k];
  const a1 = (matrix[a + k + 1] - a0 * u01) * inverseDiagonal[k + 1];
  const b1 = (matrix[b + k + 1] - b0 * u01) * inverseDiagonal[k + 1];
  const a2 = (matrix[a + k + 2] - a0 * u02 - a1 * u12) * inverseDiagonal[k + 2];
  const b2 = (matrix[b + k + 2] - b0 * u02 - b1 * u12) * inverseDiagonal[k + 2];
  const a3 = (matrix[a + k + 3] - a0 * u03 - a1 * u13 - a2 * u23) * inverseDiagonal[k + 3];
  const b3 = (matrix[b + k + 3] - b0 * u03 - b1 * u13 - b2 * u23) * inverseDiagonal[k + 3];
  matrix[a + k] = a0;
  matrix[a + k + 1] = a1;
  matrix[a + k + 2] = a2;
  matrix[a + k + 3] = a3;
  matrix[b + k] = b0;
  matrix[b + k + 1] = b1;
  matrix[b + k + 2] = b2;
  matrix[b + k + 3] = b3;
  for (let c = k + 4; c < size; c++) {
    const u0 = matrix[p0 + c];
    const u1 = matrix[p1 + c];
    const u2 = matrix[p2 + c];
    const u3 = matrix[p3 + c];
    matrix[a + c] -= a0 * u0 + a1 * u1 + a2 * u2 + a3 * u3;
    matrix[b + c] -= b0 * u0 + b1 * u1 + b2 * u2 + b3 * u3;
  }
}

/** Takes the pivots `k` to `k + 3` off one row. */
function eliminateRow(
  matrix: Float64Array,
  size: number,
  inverseDiagonal: Float64Array,
  k: number,
  row: number,
): void {
  for (let pivot = k; pivot < k + 4; pivot++) {
    const multiple = matrix[row * size + pivot] * inverseDiagonal[pivot];
    matrix[row * size + pivot] = multiple;
    for (let c = pivot + 1; c < size; c++) matrix[row * size + c] -= multiple * matrix[pivot * size + c];
  }
}

/** Solves `A x = b` from the factors of `luFactor`; `x` `[n]` holds `b` and is overwritten. */
export function luSolve(
  factors: Float64Array,
  size: number,
  inverseDiagonal: Float64Array,
  x: Float64Array,
): void {
  for (let row = 1; row < size; row++) {
    let sum = x[row];
    for (let k = 0; k < row; k++) sum -= factors[row * size + k] * x[k];
    x[row] = sum;
  }
  for (let row = size - 1; row >= 0; row--) {
    let sum = x[row];
    for (let k = row + 1; k < size; k++) sum -= factors[row * size + k] * x[k];
    x[row] = sum * inverseDiagonal[row];
  }
}

/** Solves `A^T x = b` from the factors of `luFactor`; `x` `[n]` holds `b` and is overwritten. */
export function luSolveTransposed(
  factors: Float64Array,
  size: number,
  inverseDiagonal: Float64Array,
  x: Float64Array,
): void {
  for (let row = 0; row < size; row++) {
    const solved = x[row] * inverseDiagonal[row];
    x[row] = solved;
    for (let k = row + 1; k < size; k++) x[k] -= factors[row * size + k] * solved;
  }
  for (let row = size - 1; row > 0; row--) {
    const solved = x[row];
    for (let k = 0; k < row; k++) x[k] -= factors[row * size + k] * solved;
  }
}
