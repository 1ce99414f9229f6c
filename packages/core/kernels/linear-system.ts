/**
 * Solves `A V = b` and `A^T d = m` for `A = gamma P - I`, where rows of `P` are distributions, by the factors `A = L U` of
 * elimination without exchanging rows: `A` is diagonally dominant by rows, and so no entry grows beyond twice the largest
 * (Higham, Accuracy and Stability of Numerical Algorithms, Theorem 9.9).
 *
 * The matrix has one more column, `b`, and one more row, `m`, which elimination turns into `L^-1 b` and `U^-T m`, and the
 * corner where they meet into `- m^T V`. It goes on with zeros to a size that is a multiple of four, and a pair of rows and
 * four columns for `m` and `b`. The kernel puts `m` there, and takes 1 off the diagonal.
 *
 * @param matrix `gamma P` with `b` in column `size`
 * @param states of them, the size of `A`
 * @param inverse filled with the inverses of the diagonal of `U`
 * @returns `- m^T V`
 */
export function solveSystem(
  matrix: usize,
  states: usize,
  size: usize,
  m: usize,
  inverse: usize,
  values: usize,
  visitation: usize,
): f64 {
  const width = size << 3;
  const stride = width + 32;
  const last = matrix + size * stride;
  for (let k: usize = 0; k < size; k++) {
    const diagonal = matrix + k * (stride + 8);
    store<f64>(diagonal, k < states ? load<f64>(diagonal) - 1 : -1);
  }
  memory.copy(last, m, width);
  store<f64>(last + width, 0);

  // Four pivots at a time, so that what lies below and to the right is read and written a quarter as often.
  for (let k: usize = 0; k < width; k += 32) {
    const pivots = matrix + (k >> 3) * stride + k;
    eliminateAmongFour(pivots, stride, stride - k, inverse + k);
    eliminateFromTwo(pivots, pivots + 4 * stride, last + stride, stride, stride - k, inverse + k);
  }
  const value = load<f64>(last + width);

  memory.copy(visitation, last, width);
  for (let k = width; k > 0; ) {
    k -= 32;
    const rows = matrix + (k >> 3) * stride;
    solveFour(rows, k, stride, inverse + k, values);
    solveFourTransposed(rows, k, stride, visitation);
  }
  return value;
}

/** Takes each of four pivots off the rows of the others. Row pointers are at the first pivot's column. */
function eliminateAmongFour(row0: usize, stride: usize, width: usize, inverse: usize): void {
  const row1 = row0 + stride;
  const row2 = row1 + stride;
  const row3 = row2 + stride;
  const u01 = load<f64>(row0, 8);
  const u02 = load<f64>(row0, 16);
  const u03 = load<f64>(row0, 24);
  const i0 = 1 / load<f64>(row0);
  const l10 = load<f64>(row1) * i0;
  const l20 = load<f64>(row2) * i0;
  const l30 = load<f64>(row3) * i0;
  const u11 = load<f64>(row1, 8) - l10 * u01;
  const u12 = load<f64>(row1, 16) - l10 * u02;
  const u13 = load<f64>(row1, 24) - l10 * u03;
  const i1 = 1 / u11;
  const l21 = (load<f64>(row2, 8) - l20 * u01) * i1;
  const l31 = (load<f64>(row3, 8) - l30 * u01) * i1;
  const u22 = load<f64>(row2, 16) - l20 * u02 - l21 * u12;
  const u23 = load<f64>(row2, 24) - l20 * u03 - l21 * u13;
  const i2 = 1 / u22;
  const l32 = (load<f64>(row3, 16) - l30 * u02 - l31 * u12) * i2;
  const u33 = load<f64>(row3, 24) - l30 * u03 - l31 * u13 - l32 * u23;
  storeFour(inverse, i0, i1, i2, 1 / u33);
  storeFour(row1, l10, u11, u12, u13);
  storeFour(row2, l20, l21, u22, u23);
  storeFour(row3, l30, l31, l32, u33);

  const m10 = v128.load64_splat(row1);
  const m20 = v128.load64_splat(row2);
  const m21 = v128.load64_splat(row2, 8);
  const m30 = v128.load64_splat(row3);
  const m31 = v128.load64_splat(row3, 8);
  const m32 = v128.load64_splat(row3, 16);
  for (let c: usize = 32; c < width; c += 16) {
    const x0 = v128.load(row0 + c);
    const x1 = less(v128.load(row1 + c), m10, x0);
    const x2 = less(less(v128.load(row2 + c), m20, x0), m21, x1);
    const x3 = less(less(less(v128.load(row3 + c), m30, x0), m31, x1), m32, x2);
    v128.store(row1 + c, x1);
    v128.store(row2 + c, x2);
    v128.store(row3 + c, x3);
  }
}

/** Takes four pivots off the rows from `a` to `end`, two rows at a time. */
function eliminateFromTwo(
  row0: usize,
  a: usize,
  end: usize,
  stride: usize,
  width: usize,
  inverse: usize,
): void {
  const row1 = row0 + stride;
  const row2 = row1 + stride;
  const row3 = row2 + stride;
  const u01 = load<f64>(row0, 8);
  const u02 = load<f64>(row0, 16);
  const u03 = load<f64>(row0, 24);
  const u12 = load<f64>(row1, 16);
  const u13 = load<f64>(row1, 24);
  const u23 = load<f64>(row2, 24);
  const i0 = load<f64>(inverse);
  const i1 = load<f64>(inverse, 8);
  const i2 = load<f64>(inverse, 16);
  const i3 = load<f64>(inverse, 24);
  while (a < end) {
    const b = a + stride;
    const l0 = load<f64>(a) * i0;
    const m0 = load<f64>(b) * i0;
    const l1 = (load<f64>(a, 8) - l0 * u01) * i1;
    const m1 = (load<f64>(b, 8) - m0 * u01) * i1;
    const l2 = (load<f64>(a, 16) - l0 * u02 - l1 * u12) * i2;
    const m2 = (load<f64>(b, 16) - m0 * u02 - m1 * u12) * i2;
    storeFour(a, l0, l1, l2, (load<f64>(a, 24) - l0 * u03 - l1 * u13 - l2 * u23) * i3);
    storeFour(b, m0, m1, m2, (load<f64>(b, 24) - m0 * u03 - m1 * u13 - m2 * u23) * i3);
    const a0 = v128.load64_splat(a);
    const a1 = v128.load64_splat(a, 8);
    const a2 = v128.load64_splat(a, 16);
    const a3 = v128.load64_splat(a, 24);
    const b0 = v128.load64_splat(b);
    const b1 = v128.load64_splat(b, 8);
    const b2 = v128.load64_splat(b, 16);
    const b3 = v128.load64_splat(b, 24);
    for (let c: usize = 32; c < width; c += 32) {
      const x0 = v128.load(row0 + c);
      const x1 = v128.load(row1 + c);
      const x2 = v128.load(row2 + c);
      const x3 = v128.load(row3 + c);
      v128.store(a + c, less(less(less(less(v128.load(a + c), a0, x0), a1, x1), a2, x2), a3, x3));
      v128.store(b + c, less(less(less(less(v128.load(b + c), b0, x0), b1, x1), b2, x2), b3, x3));
      const y0 = v128.load(row0 + c, 16);
      const y1 = v128.load(row1 + c, 16);
      const y2 = v128.load(row2 + c, 16);
      const y3 = v128.load(row3 + c, 16);
      v128.store(a + c, less(less(less(less(v128.load(a + c, 16), a0, y0), a1, y1), a2, y2), a3, y3), 16);
      v128.store(b + c, less(less(less(less(v128.load(b + c, 16), b0, y0), b1, y1), b2, y2), b3, y3), 16);
    }
    a = b + stride;
  }
}

/** Four unknowns of `U x = b`, of which those behind them are known. Rows begin at the first column, `k` is their diagonal. */
function solveFour(row0: usize, k: usize, stride: usize, inverse: usize, x: usize): void {
  const width = stride - 32;
  const row1 = row0 + stride;
  const row2 = row1 + stride;
  const row3 = row2 + stride;
  let sums0 = f64x2.splat(0);
  let sums1 = sums0;
  let sums2 = sums0;
  let sums3 = sums0;
  for (let c = k + 32; c < width; c += 16) {
    const known = v128.load(x + c);
    sums0 = f64x2.add(sums0, f64x2.mul(v128.load(row0 + c), known));
    sums1 = f64x2.add(sums1, f64x2.mul(v128.load(row1 + c), known));
    sums2 = f64x2.add(sums2, f64x2.mul(v128.load(row2 + c), known));
    sums3 = f64x2.add(sums3, f64x2.mul(v128.load(row3 + c), known));
  }
  const x3 = (load<f64>(row3 + width) - sum(sums3)) * load<f64>(inverse, 24);
  const x2 = (load<f64>(row2 + width) - sum(sums2) - load<f64>(row2 + k, 24) * x3) * load<f64>(inverse, 16);
  const x1 =
    (load<f64>(row1 + width) - sum(sums1) - load<f64>(row1 + k, 24) * x3 - load<f64>(row1 + k, 16) * x2) *
    load<f64>(inverse, 8);
  const x0 =
    (load<f64>(row0 + width) -
      sum(sums0) -
      load<f64>(row0 + k, 24) * x3 -
      load<f64>(row0 + k, 16) * x2 -
      load<f64>(row0 + k, 8) * x1) *
    load<f64>(inverse);
  storeFour(x + k, x0, x1, x2, x3);
}

/** Four unknowns of `L^T x = b` in place of `b`, and takes their multiples off those before. */
function solveFourTransposed(row0: usize, k: usize, stride: usize, x: usize): void {
  const row1 = row0 + stride;
  const row2 = row1 + stride;
  const row3 = row2 + stride;
  const x3 = load<f64>(x + k, 24);
  const x2 = load<f64>(x + k, 16) - load<f64>(row3 + k, 16) * x3;
  const x1 = load<f64>(x + k, 8) - load<f64>(row3 + k, 8) * x3 - load<f64>(row2 + k, 8) * x2;
  const x0 =
    load<f64>(x + k) - load<f64>(row3 + k) * x3 - load<f64>(row2 + k) * x2 - load<f64>(row1 + k) * x1;
  storeFour(x + k, x0, x1, x2, x3);
  const m0 = v128.load64_splat(x + k);
  const m1 = v128.load64_splat(x + k, 8);
  const m2 = v128.load64_splat(x + k, 16);
  const m3 = v128.load64_splat(x + k, 24);
  for (let c: usize = 0; c < k; c += 16) {
    const rest = less(less(v128.load(x + c), m0, v128.load(row0 + c)), m1, v128.load(row1 + c));
    v128.store(x + c, less(less(rest, m2, v128.load(row2 + c)), m3, v128.load(row3 + c)));
  }
}

/** `x - factor y` */
function less(x: v128, factor: v128, y: v128): v128 {
  return f64x2.sub(x, f64x2.mul(factor, y));
}

function sum(pair: v128): f64 {
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

function storeFour(to: usize, x0: f64, x1: f64, x2: f64, x3: f64): void {
  store<f64>(to, x0);
  store<f64>(to, x1, 8);
  store<f64>(to, x2, 16);
  store<f64>(to, x3, 24);
}
