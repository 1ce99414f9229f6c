import fc from "fast-check";
import { expect, test } from "vitest";
import { assignmentSolver } from "./assignment.ts";

/** The largest sum over all permutations, by trying every one. */
function bruteForce(scores: Float32Array, size: number): number {
  const rest = (row: number, taken: number): number => {
    if (row === size) return 0;
    let best = -Infinity;
    for (let column = 0; column < size; column++) {
      if ((taken & (1 << column)) !== 0) continue;
      best = Math.max(best, scores[row * size + column] + rest(row + 1, taken | (1 << column)));
    }
    return best;
  };
  return rest(0, 0);
}

const total = (scores: Float32Array, size: number, columns: ArrayLike<number>): number =>
  Array.from(columns).reduce((sum, column, row) => sum + scores[row * size + column], 0);

function solve(scores: Float32Array, size: number): Int32Array {
  const out = new Int32Array(size);
  assignmentSolver(size)(scores, 0, out);
  expect([...out].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, k) => k));
  return out;
}

const floats = (length: number, largest: number) =>
  fc.array(fc.float({ min: -largest, max: largest, noNaN: true }), { minLength: length, maxLength: length });

/** Few different numbers, so that ties are common, or any. */
const matrix = (size: number) =>
  fc
    .oneof(
      fc.array(fc.integer({ min: -3, max: 3 }), { minLength: size * size, maxLength: size * size }),
      floats(size * size, 1e6),
    )
    .map((values) => Float32Array.from(values));

const matrices = fc
  .integer({ min: 1, max: 6 })
  .chain((size) => fc.record({ size: fc.constant(size), scores: matrix(size) }));

const drifting = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    scores: matrix(size),
    prices: floats(2 * size, 3),
    changes: fc.array(floats(size * size, 1), { minLength: 3, maxLength: 3 }),
  }),
);

test("the sum is the largest of all permutations", () => {
  fc.assert(
    fc.property(matrices, ({ size, scores }) => {
      const best = bruteForce(scores, size);
      expect(Math.abs(total(scores, size, solve(scores, size)) - best)).toBeLessThanOrEqual(
        1e-9 * Math.max(1, Math.abs(best)),
      );
    }),
    { numRuns: 500 },
  );
});

test("no exchange of two or three rows improves the solution of thirty, and one solver serves many", () => {
  const size = 30;
  const solver = assignmentSolver(size);
  fc.assert(
    fc.property(floats(2 * size * size, 5), (values) => {
      const scores = Float32Array.from(values);
      const out = new Int32Array(2 * size);
      for (let k = 0; k < 2; k++) solver(scores, k, out);
      for (let k = 0; k < 2; k++) {
        const own = scores.subarray(k * size * size, (k + 1) * size * size);
        const columns = out.slice(k * size, (k + 1) * size);
        const score = (row: number, column: number): number => own[row * size + columns[column]];
        expect(solve(own, size)).toEqual(columns);
        let improvement = 0;
        for (let a = 0; a < size; a++) {
          for (let b = 0; b < size; b++) {
            for (let c = 0; c < size; c++) {
              if (a === b || b === c || a === c) continue;
              const before = score(a, a) + score(b, b) + score(c, c);
              improvement = Math.max(improvement, score(a, b) + score(b, c) + score(c, a) - before);
              improvement = Math.max(improvement, score(a, b) + score(b, a) + score(c, c) - before);
            }
          }
        }
        expect(improvement).toBeLessThan(1e-9);
      }
    }),
    { numRuns: 10 },
  );
});

test("the prices of a near solution, or any others, change the way and not the sum", () => {
  fc.assert(
    fc.property(drifting, ({ size, scores, prices, changes }) => {
      const kept = Float64Array.from(prices);
      const solver = assignmentSolver(size);
      const two = new Float32Array(2 * size * size);
      const own = two.subarray(size * size);
      own.set(scores);
      const out = new Int32Array(2 * size).fill(-1, 0, size);
      for (const change of changes) {
        solver(two, 1, out, kept);
        const best = bruteForce(own, size);
        expect([...out.subarray(0, size)].every((column) => column === -1)).toBe(true);
        expect(Math.abs(total(own, size, out.subarray(size)) - best)).toBeLessThanOrEqual(
          1e-9 * Math.max(1, ...own.map(Math.abs)),
        );
        for (let k = 0; k < own.length; k++) own[k] += change[k];
      }
    }),
  );
});

test("a matrix that is nearly a permutation gives it", () => {
  expect([...solve(Float32Array.from([0, 9, 0, 0, 0, 9, 9, 0, 0]), 3)]).toEqual([1, 2, 0]);
});

test("scores that are no numbers are refused", () => {
  for (const bad of [Number.NaN, Infinity, -Infinity]) {
    expect(() => solve(Float32Array.from([0, 1, bad, 2]), 2)).toThrow(RangeError);
  }
});
