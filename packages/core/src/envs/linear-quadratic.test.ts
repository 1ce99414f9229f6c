import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import {
  type AffineGain,
  costOfGain,
  expectedCost,
  type LinearQuadraticProblem,
  type QuadraticFunction,
  solveLinearQuadratic,
  stationaryGain,
} from "./linear-quadratic.ts";

const array = (...values: number[]) => Float64Array.from(values);

const scalar = { n: 1, m: 1, horizon: 2, A: array(2), B: array(1), d: array(1), Q: array(1), R: array(1) };

test("two steps of one number by hand", () => {
  const { gains, costs } = solveLinearQuadratic(scalar);
  // Last step: u = 0 and e^2. First: min e^2 + u^2 + (2e + u + 1)^2 at u = -(2e + 1)/2, so 3e^2 + 2e + 1/2.
  const numbers = gains.map(({ K, k }) => [K[0], k[0]]);
  expect(numbers[0][0]).toBeCloseTo(1, 14);
  expect(numbers[0][1]).toBeCloseTo(0.5, 14);
  expect(numbers[1]).toEqual([0, 0]);
  expect(costs.map(({ P, p, q }) => [P[0], p[0], q].map((value) => Number(value.toFixed(12))))).toEqual([
    [3, 1, 0.5],
    [1, 0, 0],
    [0, 0, 0],
  ]);
  // At 2 on average, with variance .5, and noise of variance .1 on the one state that follows and is paid for.
  expect(expectedCost(costs, [2], 0.5, 0.1)).toBeCloseTo(12 + 4 + 0.5 + 3 * 0.5 + 0.1, 12);
});

test("the stationary gain solves the algebraic Riccati equation", () => {
  // P = 1 + 4P - 4P^2/(1 + P), so P^2 - 4P - 1 = 0.
  const P = 2 + Math.sqrt(5);
  const { K, k } = stationaryGain({ ...scalar, d: array(0) });
  expect(K[0]).toBeCloseTo((2 * P) / (1 + P), 10);
  expect(k[0]).toBe(0);
});

/** Three numbers, two inputs, nothing symmetric. */
const problem: LinearQuadraticProblem = {
  n: 3,
  m: 2,
  horizon: 6,
  A: array(0.9, 0.2, 0, -0.3, 1.1, 0.4, 0.1, 0, 0.7),
  B: array(1, 0, 0.2, 0.5, 0, -0.7),
  d: array(0.3, -0.2, 0.1),
  Q: array(2, 0.3, 0, 0.3, 1, 0.1, 0, 0.1, 0.5),
  R: array(0.6, 0.1, 0.1, 0.4),
};

/** The cost of an episode, played. */
function played(
  gains: readonly AffineGain[],
  first: readonly number[],
  noise: (t: number, i: number) => number,
): number {
  const { n, m, A, B, d, Q, R } = problem;
  let e = [...first];
  let cost = 0;
  gains.forEach(({ K, k }, t) => {
    const u = Array.from(
      { length: m },
      (_, a) => -k[a] - e.reduce((sum, value, i) => sum + K[a * n + i] * value, 0),
    );
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) cost += e[i] * Q[i * n + j] * e[j];
    for (let a = 0; a < m; a++) for (let b = 0; b < m; b++) cost += u[a] * R[a * m + b] * u[b];
    e = e.map((_, i) => {
      let next = d[i] + noise(t, i);
      for (let j = 0; j < n; j++) next += A[i * n + j] * e[j];
      for (let a = 0; a < m; a++) next += B[i * m + a] * u[a];
      return next;
    });
  });
  return cost;
}

const valueAt = ({ P, p, q }: QuadraticFunction, e: readonly number[]): number =>
  e.reduce((sum, x, i) => sum + 2 * p[i] * x + e.reduce((s, y, j) => s + x * P[i * 3 + j] * y, 0), q);

test("costs are those of playing, and no change of a gain lowers them", () => {
  const { gains, costs } = solveLinearQuadratic(problem);
  const first = [1, -2, 0.5];
  const still = () => 0;
  const best = played(gains, first, still);
  expect(valueAt(costs[0], first)).toBeCloseTo(best, 10);
  for (let t = 0; t < 6; t++) {
    for (const part of ["K", "k"] as const) {
      for (let entry = 0; entry < gains[t][part].length; entry++) {
        const [more, less] = [0.05, -0.05].map((by) => {
          const changed = gains.map(({ K, k }) => ({ K: K.slice(), k: k.slice() }));
          changed[t][part][entry] += by;
          return played(changed, first, still) - best;
        });
        expect(more).toBeGreaterThan(0);
        // At a minimum of a quadratic both directions cost the same.
        expect(less).toBeCloseTo(more, 10);
      }
    }
  }
  const constant = { K: array(0.3, -0.1, 0.2, 0, 0.4, 0.1), k: array(0.2, -0.3) };
  expect(valueAt(costOfGain(problem, constant)[0], first)).toBeCloseTo(
    played(new Array<AffineGain>(6).fill(constant), first, still),
    10,
  );
});

test("the expected cost is the mean over noise and first states", () => {
  const { gains, costs } = solveLinearQuadratic(problem);
  const rng = createRng("noise");
  const [variance, noise, episodes] = [0.8, 0.3, 4000];
  const mean = [1, -2, 0.5];
  const sampled = Array.from({ length: episodes }, () =>
    played(
      gains,
      mean.map((value) => value + Math.sqrt(variance) * rng.normal()),
      () => Math.sqrt(noise) * rng.normal(),
    ),
  );
  const average = sampled.reduce((sum, cost) => sum + cost, 0) / episodes;
  const spread = Math.sqrt(sampled.reduce((sum, cost) => sum + (cost - average) ** 2, 0) / episodes);
  const exact = expectedCost(costs, mean, variance, noise);
  expect(Math.abs(average - exact)).toBeLessThan((4 * spread) / Math.sqrt(episodes));
  // Noise is a good part of it.
  expect(exact).toBeGreaterThan(1.15 * expectedCost(costs, mean, variance, 0));
});

test("a cost that inputs reach only after a while is no reason to stop early", () => {
  // A point that is pushed: only its place costs, which the push changes one step later.
  const pushed: LinearQuadraticProblem = {
    n: 2,
    m: 1,
    horizon: 80,
    A: array(1, 1, 0, 1),
    B: array(0, 1),
    d: array(0, 0),
    Q: array(1, 0, 0, 0),
    R: array(1),
  };
  const { K } = stationaryGain(pushed);
  const { gains } = solveLinearQuadratic(pushed);
  expect(K[0]).toBeCloseTo(gains[0].K[0], 10);
  expect(K[1]).toBeCloseTo(gains[0].K[1], 10);
  expect(K[0]).toBeGreaterThan(0.1);
});

test("what cannot be solved is refused", () => {
  expect(() => solveLinearQuadratic({ ...scalar, R: array(0) })).toThrow("not positive definite");
  expect(() => stationaryGain({ ...scalar, B: array(0) })).toThrow("costs do not settle");
});
