import { InputError } from "../errors.ts";

/**
 * A linear system with a quadratic cost: `e(t+1) = A e + B u + d + noise`, and each of `T` steps costs `e'Q e + u'R u`, with
 * nothing to pay at the end. Matrices row by row; `n` numbers make a state, `m` an input.
 */
export interface LinearQuadraticProblem {
  readonly n: number;
  readonly m: number;
  /** `T`. */
  readonly horizon: number;
  /** `[n, n]` */
  readonly A: Float64Array;
  /** `[n, m]` */
  readonly B: Float64Array;
  /** `[n]` */
  readonly d: Float64Array;
  /** `[n, n]`, positive semidefinite. */
  readonly Q: Float64Array;
  /** `[m, m]`, positive definite. */
  readonly R: Float64Array;
}

/** The controller `u = -K e - k`. */
export interface AffineGain {
  /** `[m, n]` */
  readonly K: Float64Array;
  /** `[m]` */
  readonly k: Float64Array;
}

/** The function `e'P e + 2 p'e + q`. */
export interface QuadraticFunction {
  /** `[n, n]`, symmetric. */
  readonly P: Float64Array;
  /** `[n]` */
  readonly p: Float64Array;
  readonly q: number;
}

/**
 * The best controllers of all steps, and the cost to go without noise. Noise of mean 0 changes the cost only (certainty
 * equivalence; Bertsekas, Dynamic Programming and Optimal Control, section 3.1).
 *
 * @returns the gain of step t `[T]`, and the cost from step t on `[T + 1]`
 */
export function solveLinearQuadratic(problem: LinearQuadraticProblem): {
  readonly gains: readonly AffineGain[];
  readonly costs: readonly QuadraticFunction[];
} {
  const gains: AffineGain[] = [];
  const costs = [nothing(problem)];
  for (let t = 0; t < problem.horizon; t++) {
    gains.unshift(bestGain(problem, costs[0]));
    costs.unshift(costBefore(problem, gains[0], costs[0]));
  }
  return { gains, costs };
}

/** Cost from step t on `[T + 1]`, without noise, of a controller that is the same at every step. */
export function costOfGain(problem: LinearQuadraticProblem, gain: AffineGain): readonly QuadraticFunction[] {
  const costs = [nothing(problem)];
  for (let t = 0; t < problem.horizon; t++) costs.unshift(costBefore(problem, gain, costs[0]));
  return costs;
}

/** Cost matrices and vectors that change by less than this share of their largest entry have settled. */
const settled = 1e-12;
const mostSteps = 10_000;

/**
 * The controller that the best ones converge to, far from the end.
 *
 * @throws InputError when costs do not settle but for what each step adds: inputs cannot stabilise the system
 */
export function stationaryGain(problem: LinearQuadraticProblem): AffineGain {
  let cost = nothing(problem);
  for (let step = 0; step < mostSteps; step++) {
    const gain = bestGain(problem, cost);
    const next = costBefore(problem, gain, cost);
    if (!next.P.every(Number.isFinite)) break;
    if (close(cost.P, next.P) && close(cost.p, next.p)) return gain;
    cost = next;
  }
  throw new InputError(
    `linear-quadratic problem: costs do not settle in ${mostSteps} steps, expected a system that inputs can stabilise`,
  );
}

/**
 * Expected cost of an episode.
 *
 * @param costs from step t on `[T + 1]`, without noise
 * @param mean of the first state `[n]`
 * @param variance of each of its numbers, which are independent
 * @param noise variance of the noise on each number and step, likewise
 */
export function expectedCost(
  costs: readonly QuadraticFunction[],
  mean: ArrayLike<number>,
  variance: number,
  noise: number,
): number {
  const [{ P, p, q }, ...later] = costs;
  const n = p.length;
  let cost = q + variance * trace(P, n);
  for (let i = 0; i < n; i++) {
    cost += 2 * p[i] * mean[i];
    for (let j = 0; j < n; j++) cost += mean[i] * P[i * n + j] * mean[j];
  }
  for (const next of later) cost += noise * trace(next.P, n);
  return cost;
}

function nothing({ n }: LinearQuadraticProblem): QuadraticFunction {
  return { P: new Float64Array(n * n), p: new Float64Array(n), q: 0 };
}

/** `K = H^-1 B'PA` and `k = H^-1 B'(P d + p)` with `H = R + B'PB`, where `P`, `p` are the cost of what follows. */
function bestGain({ n, m, A, B, d, R }: LinearQuadraticProblem, { P, p }: QuadraticFunction): AffineGain {
  const PB = product(P, B, n, n, m);
  const H = transposedProduct(B, PB, m, n, m);
  for (let e = 0; e < H.length; e++) H[e] += R[e];
  const factor = cholesky(H, m);
  const K = transposedProduct(PB, A, m, n, n);
  solve(factor, K, m, n);
  const k = transposedProduct(PB, d, m, n, 1);
  const ahead = transposedProduct(B, p, m, n, 1);
  for (let e = 0; e < m; e++) k[e] += ahead[e];
  solve(factor, k, m, 1);
  return { K, k };
}

/** The cost of one step under a controller and of what follows. */
function costBefore(
  { n, m, A, B, d, Q, R }: LinearQuadraticProblem,
  { K, k }: AffineGain,
  { P, p, q }: QuadraticFunction,
): QuadraticFunction {
  // Under the controller e(t+1) = F e + c.
  const F = product(B, K, n, m, n);
  for (let e = 0; e < F.length; e++) F[e] = A[e] - F[e];
  const c = product(B, k, n, m, 1);
  for (let e = 0; e < n; e++) c[e] = d[e] - c[e];
  const RK = product(R, K, m, m, n);
  const Rk = product(R, k, m, m, 1);
  const Pc = product(P, c, n, n, 1);

  const before = transposedProduct(F, product(P, F, n, n, n), n, n, n);
  const paid = transposedProduct(K, RK, n, m, n);
  for (let e = 0; e < before.length; e++) before[e] += Q[e] + paid[e];

  const slope = Pc.map((value, i) => value + p[i]);
  const linear = transposedProduct(F, slope, n, n, 1);
  const linearPaid = transposedProduct(K, Rk, n, m, 1);
  for (let e = 0; e < n; e++) linear[e] += linearPaid[e];

  return { P: before, p: linear, q: q + dot(c, Pc) + 2 * dot(p, c) + dot(k, Rk) };
}

/** `X Y` of `[rows, inner]` and `[inner, columns]`. */
function product(
  X: Float64Array,
  Y: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < inner; k++) addMultiple(out, r * columns, X[r * inner + k], Y, k * columns, columns);
  }
  return out;
}

/** `X' Y` of `[inner, rows]` and `[inner, columns]`. */
function transposedProduct(
  X: Float64Array,
  Y: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let k = 0; k < inner; k++) {
    for (let r = 0; r < rows; r++) addMultiple(out, r * columns, X[k * rows + r], Y, k * columns, columns);
  }
  return out;
}

/** `out[to ..] += factor row[from ..]`, `count` numbers. */
function addMultiple(
  out: Float64Array,
  to: number,
  factor: number,
  row: Float64Array,
  from: number,
  count: number,
): void {
  if (factor === 0) return;
  for (let c = 0; c < count; c++) out[to + c] += factor * row[from + c];
}

/** The lower factor `L` of `H = L L'`. */
function cholesky(H: Float64Array, m: number): Float64Array {
  const L = new Float64Array(m * m);
  for (let r = 0; r < m; r++) {
    for (let c = 0; c <= r; c++) {
      let sum = H[r * m + c];
      for (let k = 0; k < c; k++) sum -= L[r * m + k] * L[c * m + k];
      if (r === c && !(sum > 0)) {
        throw new InputError(
          "linear-quadratic problem: R + B'PB is not positive definite, expected a cost on every input",
        );
      }
      L[r * m + c] = r === c ? Math.sqrt(sum) : sum / L[c * m + c];
    }
  }
  return L;
}

/** Solves `L L' X = Y` in place, `[m, columns]`. */
function solve(L: Float64Array, Y: Float64Array, m: number, columns: number): void {
  const divide = (r: number) => {
    for (let c = 0; c < columns; c++) Y[r * columns + c] /= L[r * m + r];
  };
  for (let r = 0; r < m; r++) {
    for (let k = 0; k < r; k++) addMultiple(Y, r * columns, -L[r * m + k], Y, k * columns, columns);
    divide(r);
  }
  for (let r = m - 1; r >= 0; r--) {
    for (let k = r + 1; k < m; k++) addMultiple(Y, r * columns, -L[k * m + r], Y, k * columns, columns);
    divide(r);
  }
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

function trace(X: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += X[i * n + i];
  return sum;
}

function close(x: Float64Array, y: Float64Array): boolean {
  const largest = y.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return x.every((value, i) => Math.abs(value - y[i]) <= settled * largest);
}
