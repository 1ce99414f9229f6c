/**
 * Factors `A = L U` in place without exchanging rows, for matrices that are diagonally dominant by rows, such as
 * `I - gamma P`: elimination then lets no entry grow beyond twice the largest (Higham, Accuracy and Stability of
 * Numerical Algorithms, Theorem 9.9).
 *
 * @param matrix `[n, n]`, overwritten by `L` below the diagonal (its own diagonal is 1) and `U`
 * @param inverseDiagonal `[n]`, filled with `1 / U[k][k]`
 */
export function luFactor(matrix: Float64Array, size: number, inverseDiagonal: Float64Array): void {
  for (let row = 0; row < size; row++) {
    const at = row * size;
    let k = 0;
    // Four pivots at a time touch each entry of the row a quarter as often.
    for (; k + 3 < row; k += 4) {
      const p0 = k * size;
      const p1 = p0 + size;
      const p2 = p1 + size;
      const p3 = p2 + size;
      const m0 = matrix[at + k] * inverseDiagonal[k];
      const m1 = (matrix[at + k + 1] - m0 * matrix[p0 + k + 1]) * inverseDiagonal[k + 1];
      const m2 =
        (matrix[at + k + 2] - m0 * matrix[p0 + k + 2] - m1 * matrix[p1 + k + 2]) * inverseDiagonal[k + 2];
      const m3 =
        (matrix[at + k + 3] - m0 * matrix[p0 + k + 3] - m1 * matrix[p1 + k + 3] - m2 * matrix[p2 + k + 3]) *
        inverseDiagonal[k + 3];
      matrix[at + k] = m0;
      matrix[at + k + 1] = m1;
      matrix[at + k + 2] = m2;
      matrix[at + k + 3] = m3;
      for (let c = k + 4; c < size; c++) {
        matrix[at + c] -=
          m0 * matrix[p0 + c] + m1 * matrix[p1 + c] + m2 * matrix[p2 + c] + m3 * matrix[p3 + c];
      }
    }
    for (; k < row; k++) {
      const m = matrix[at + k] * inverseDiagonal[k];
      matrix[at + k] = m;
      for (let c = k + 1; c < size; c++) matrix[at + c] -= m * matrix[k * size + c];
    }
    inverseDiagonal[row] = 1 / matrix[at + row];
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
