import fc from "fast-check";
import { expect, test } from "vitest";
import { luFactor, luSolve, luSolveTransposed } from "./linear-solve.ts";

test("a system by hand", () => {
  // 4x + y = 6, x + 3y = 7: x = 1, y = 2. Transposed with right side (5, 4): x = y = 1.
  const matrix = Float64Array.of(4, 1, 1, 3);
  const inverseDiagonal = new Float64Array(2);
  luFactor(matrix, 2, inverseDiagonal);
  expect([...matrix]).toEqual([4, 1, 0.25, 2.75]);
  expect([...inverseDiagonal]).toEqual([0.25, 1 / 2.75]);
  const [x, y] = [Float64Array.of(6, 7), Float64Array.of(5, 4)];
  luSolve(matrix, 2, inverseDiagonal, x);
  expect([...x]).toEqual([1, 2]);
  luSolveTransposed(matrix, 2, inverseDiagonal, y);
  expect([...y]).toEqual([1, 1]);
});

test("solutions solve random systems whose rows are barely dominated by their diagonal, plain and transposed", () => {
  const systems = fc.integer({ min: 1, max: 9 }).chain((size) =>
    fc.record({
      size: fc.constant(size),
      entries: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size * size, maxLength: size * size }),
      right: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size, maxLength: size }),
    }),
  );
  fc.assert(
    fc.property(systems, ({ size, entries, right }) => {
      const matrix = Float64Array.from(entries);
      for (let row = 0; row < size; row++) {
        const off = entries
          .slice(row * size, (row + 1) * size)
          .reduce((sum, entry) => sum + Math.abs(entry), 0);
        matrix[row * size + row] = (row % 2 === 0 ? 1 : -1) * (off + 1);
      }
      const factors = matrix.slice();
      const inverseDiagonal = new Float64Array(size);
      luFactor(factors, size, inverseDiagonal);
      const x = Float64Array.from(right);
      const y = Float64Array.from(right);
      luSolve(factors, size, inverseDiagonal, x);
      luSolveTransposed(factors, size, inverseDiagonal, y);
      for (let row = 0; row < size; row++) {
        let plain = 0;
        let transposed = 0;
        for (let k = 0; k < size; k++) {
          plain += matrix[row * size + k] * x[k];
          transposed += matrix[k * size + row] * y[k];
        }
        expect(plain).toBeCloseTo(right[row], 9);
        expect(transposed).toBeCloseTo(right[row], 9);
      }
    }),
  );
});
