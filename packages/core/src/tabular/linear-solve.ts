/** LU factors of a square matrix with its rows exchanged, `P A = L U`. */
export interface LuFactors {
  /** `n`. */
  readonly size: number;
  /** `L` below the diagonal (its own diagonal is 1) and `U` on and above it, `[n, n]`. */
  readonly factors: Float64Array;
  /** Row `order[k]` of the matrix is row `k` of `L U`, `[n]`. */
  readonly order: Int32Array;
}

/**
 * Factors a matrix by Gaussian elimination with partial pivoting.
 *
 * @param matrix `[n, n]`, left as it is
 * @throws Error when the matrix is singular or holds a number that is not finite
 */
export function luFactor(matrix: Float64Array, size: number): LuFactors {
  if (matrix.length !== size * size) {
    throw new Error(`luFactor: matrix has ${matrix.length} entries, expected ${size} x ${size}`);
  }
  const factors = Float64Array.from(matrix);
  const order = Int32Array.from({ length: size }, (_, k) => k);
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let row = k + 1; row < size; row++) {
      if (Math.abs(factors[row * size + k]) > Math.abs(factors[pivot * size + k])) pivot = row;
    }
    const diagonal = factors[pivot * size + k];
    if (diagonal === 0 || !Number.isFinite(diagonal)) {
      throw new Error(`luFactor: matrix is singular (pivot ${k} is ${diagonal})`);
    }
    if (pivot !== k) {
      const moved = factors.slice(k * size, (k + 1) * size);
      factors.copyWithin(k * size, pivot * size, (pivot + 1) * size);
      factors.set(moved, pivot * size);
      [order[k], order[pivot]] = [order[pivot], order[k]];
    }
    for (let row = k + 1; row < size; row++) {
      const multiple = factors[row * size + k] / diagonal;
      factors[row * size + k] = multiple;
      if (multiple === 0) continue;
      for (let column = k + 1; column < size; column++) {
        factors[row * size + column] -= multiple * factors[k * size + column];
      }
    }
  }
  return { size, factors, order };
}

/** Solves `A x = b`; both `[n]`. */
export function luSolve({ size, factors, order }: LuFactors, right: Float64Array): Float64Array {
  const x = Float64Array.from(order, (row) => right[row]);
  for (let row = 1; row < size; row++) {
    for (let k = 0; k < row; k++) x[row] -= factors[row * size + k] * x[k];
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) x[row] -= factors[row * size + k] * x[k];
    x[row] /= factors[row * size + row];
  }
  return x;
}

/** Solves `A^T x = b` from the factors of `A`; both `[n]`. */
export function luSolveTransposed({ size, factors, order }: LuFactors, right: Float64Array): Float64Array {
  const y = Float64Array.from(right);
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) y[row] -= factors[k * size + row] * y[k];
    y[row] /= factors[row * size + row];
  }
  for (let row = size - 2; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) y[row] -= factors[k * size + row] * y[k];
  }
  const x = new Float64Array(size);
  for (let row = 0; row < size; row++) x[order[row]] = y[row];
  return x;
}
