import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileKernels } from "../../kernels/testing/compile-kernels.ts";
import { createRng } from "../random/index.ts";
import { kernelMemory } from "./kernels.ts";
import { rowLength } from "./transition-operator.ts";

/** The checked-in module with the kernels compiled anew; `npm run kernels` rewrites it. */
test("the kernels are compiled from their sources", { timeout: 120_000 }, async () => {
  await expect(await compileKernels("index.ts", "kernelsBinary")).toMatchFileSnapshot("./kernels-binary.ts");
});

test("a memory grows with what is kept in it, and says when it cannot", () => {
  const memory = kernelMemory();
  const numbers = memory.keep([1, 2, 3]);
  const many = memory.reserve(100_000);
  expect(memory.view(many).every((number) => number === 0)).toBe(true);
  expect([...memory.view(numbers)]).toEqual([1, 2, 3]);
  expect(() => memory.reserve(2 ** 30)).toThrow(
    /^game: exact evaluation needs 819\d MiB, expected at most 4096$/,
  );
});

describe("softmax of rows", () => {
  const memory = kernelMemory();
  const softmax = (theta: readonly number[], choices: number): number[] => {
    const from = memory.keep(theta);
    const to = memory.reserve(theta.length);
    memory.kernels.softmaxRows(from.address, to.address, theta.length / choices, choices);
    return [...memory.view(to)];
  };

  test("is that of the exponential function up to the last bits", () => {
    const rng = createRng("softmax");
    let worst = 0;
    for (const choices of [1, 2, 3, 4]) {
      for (const scale of [1, 10, 200]) {
        // An odd number of rows; of multiples of 2^-20, so that no difference is rounded.
        const theta = Array.from(
          { length: 501 * choices },
          () => Math.round((2 * rng.uniform() - 1) * scale * 2 ** 20) / 2 ** 20,
        );
        softmax(theta, choices).forEach((probability, k) => {
          const row = theta.slice(k - (k % choices), k - (k % choices) + choices);
          const expected = 1 / row.reduce((sum, other) => sum + Math.exp(other - theta[k]), 0);
          worst = Math.max(worst, Math.abs(probability / expected - 1));
        });
      }
    }
    expect(worst).toBeLessThan(8e-16);
  });

  test("is exactly 0 and 1 where parameters are far apart, and no number where one is none", () => {
    const far = [710, 1000, 1e300, Number.POSITIVE_INFINITY];
    const rows = far.flatMap((distance) => [0, distance, distance, 0]);
    expect(softmax(rows, 2)).toEqual(far.flatMap(() => [0, 1, 1, 0]));
    // The last of an odd number of rows takes another way.
    expect(softmax([...rows, 800, 0], 2).slice(-2)).toEqual([1, 0]);
    expect(softmax([0, 800, 0], 3)).toEqual([0, 1, 0]);
    expect(softmax([0, Number.NaN, 1, 2], 2).slice(0, 2)).toEqual([Number.NaN, Number.NaN]);
    expect(softmax([0, Number.NaN, 1], 3)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });
});

/** The solutions of `(matrix - I) V = b` and `(matrix - I)^T d = m`, and `- m V`. */
function solve(matrix: readonly (readonly number[])[], b: readonly number[], m: readonly number[]) {
  const states = b.length;
  const memory = kernelMemory();
  const length = rowLength(states);
  const size = length - 4;
  const system = memory.reserve((size + 2) * length);
  const right = memory.reserve(size);
  const [inverse, values, visitation] = [0, 1, 2].map(() => memory.reserve(size));
  memory.view(right).set(m);
  matrix.forEach((row, s) => {
    memory.view(system).set(row, s * length);
    memory.view(system)[s * length + size] = b[s];
  });
  const product = memory.kernels.solveSystem(
    system.address,
    states,
    size,
    right.address,
    inverse.address,
    values.address,
    visitation.address,
  );
  const [x, y] = [values, visitation].map((block) => [...memory.view({ ...block, length: states })]);
  return { x, y, product };
}

describe("a linear system", () => {
  test("by hand", () => {
    // -x/2 + y/4 = 0 and x/2 - 3y/4 = -1: x = 1, y = 2. Transposed: -x/2 + y/2 = -1 and x/4 - 3y/4 = 0: x = 3, y = 1.
    const rows = [
      [0.5, 0.25],
      [0.5, 0.25],
    ];
    expect(solve(rows, [0, -1], [-1, 0])).toEqual({ x: [1, 2], y: [3, 1], product: 1 });
  });

  test("is solved, plain and transposed, where rows are barely dominated by their diagonal", () => {
    const systems = fc.integer({ min: 1, max: 13 }).chain((size) => {
      const numbers = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size, maxLength: size });
      return fc.record({
        rows: fc.array(numbers, { minLength: size, maxLength: size }),
        b: numbers,
        m: numbers,
      });
    });
    fc.assert(
      fc.property(systems, ({ rows, b, m }) => {
        const matrix = rows.map((row, s) => {
          const total = row.reduce((sum, entry) => sum + Math.abs(entry), 0);
          return row.map((entry, k) => (k === s ? (s % 2 === 0 ? 1 : -1) * (total + 1) : entry));
        });
        const plusIdentity = matrix.map((row, s) => row.map((entry, k) => (k === s ? entry + 1 : entry)));
        const { x, y, product } = solve(plusIdentity, b, m);
        matrix.forEach((row, s) => {
          const plain = row.reduce((sum, entry, k) => sum + entry * x[k], 0);
          const transposed = matrix.reduce((sum, other, k) => sum + other[s] * y[k], 0);
          expect(plain).toBeCloseTo(b[s], 9);
          expect(transposed).toBeCloseTo(m[s], 9);
        });
        const expected = -m.reduce((sum, entry, s) => sum + entry * x[s], 0);
        expect(product).toBeCloseTo(expected, 9);
      }),
      { numRuns: 200, seed: 7 },
    );
  });
});

/** Numbers that tell any mistake in an index. */
const distinct = (length: number) => Float64Array.from({ length }, (_, k) => Math.sin(1 + k));

test("a digit is replaced at any place of an index, whatever its sizes", () => {
  const sizes = fc.record({
    left: fc.integer({ min: 1, max: 4 }),
    right: fc.integer({ min: 1, max: 8 }),
    sizeX: fc.integer({ min: 1, max: 3 }),
    sizeY: fc.integer({ min: 1, max: 3 }),
    gap: fc.integer({ min: 0, max: 2 }),
    transposed: fc.boolean(),
  });
  fc.assert(
    fc.property(sizes, ({ left, right, sizeX, sizeY, gap, transposed }) => {
      const memory = kernelMemory();
      const [numbers, factor] = [distinct(left * sizeX * right), distinct(sizeX * sizeY)];
      const [from, table] = [memory.keep(numbers), memory.keep(factor)];
      const row = sizeY * right + gap;
      const out = memory.reserve(left * row);
      const [strideX, strideY] = transposed ? [1, sizeX] : [sizeY, 1];
      const stage = memory.keepIndices([
        ...[left, right, sizeX, sizeY],
        ...[table.address, 8 * strideX, 8 * strideY, 8 * row, 0],
      ]);
      memory.kernels.replaceDigits(stage, 1, from.address, out.address);
      const expected = new Float64Array(left * row);
      for (let l = 0; l < left; l++) {
        for (let y = 0; y < sizeY; y++) {
          for (let r = 0; r < right; r++) {
            for (let x = 0; x < sizeX; x++) {
              expected[l * row + y * right + r] +=
                numbers[(l * sizeX + x) * right + r] * factor[x * strideX + y * strideY];
            }
          }
        }
      }
      memory.view(out).forEach((number, k) => {
        expect(number).toBeCloseTo(expected[k], 14);
      });
    }),
    { numRuns: 300, seed: 8 },
  );
});

test("tables are averaged over actions, and applied to values, whatever their sizes", () => {
  const sizes = fc.record({
    states: fc.integer({ min: 1, max: 19 }),
    actions: fc.integer({ min: 1, max: 6 }),
    shared: fc.boolean(),
  });
  fc.assert(
    fc.property(sizes, ({ states, actions, shared }) => {
      const memory = kernelMemory();
      const table = distinct((shared ? 1 : states) * actions * states);
      const [weights, values] = [distinct(states * actions), distinct(states)];
      const length = rowLength(states);
      const padded = new Float64Array(length);
      padded.set(values);
      const blocks = [table, weights, padded].map(memory.keep);
      const [average, expectation] = [states * length, table.length / states].map(memory.reserve);
      const stride = shared ? 0 : 8 * actions * states;
      memory.kernels.averageTable(
        ...[blocks[0].address, stride, blocks[1].address, average.address, 8 * length, states, actions],
      );
      memory.kernels.expectTable(
        ...[blocks[0].address, table.length / states, blocks[2].address, expectation.address, states],
      );
      for (let s = 0; s < states; s++) {
        for (let next = 0; next < states; next++) {
          let sum = 0;
          for (let a = 0; a < actions; a++) {
            const row = (shared ? a : s * actions + a) * states;
            sum += weights[s * actions + a] * table[row + next];
          }
          expect(memory.view(average)[s * length + next]).toBeCloseTo(sum, 13);
        }
      }
      memory.view(expectation).forEach((number, row) => {
        const expected = values.reduce((sum, value, next) => sum + value * table[row * states + next], 0);
        expect(number).toBeCloseTo(expected, 13);
      });
    }),
    { numRuns: 100, seed: 9 },
  );
});
