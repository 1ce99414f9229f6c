import fc from "fast-check";
import { expect, test } from "vitest";
import { luFactor, luSolve, luSolveTransposed } from "./linear-solve.ts";

test("a system by hand that needs a row exchange", () => {
  // 2y = 4, 3x + y = 5: y = 2, x = 1. Transposed: 3y = 3, 2x + y = 5: y = 1, x = 2.
  const lu = luFactor(Float64Array.of(0, 2, 3, 1), 2);
  expect([...luSolve(lu, Float64Array.of(4, 5))]).toEqual([1, 2]);
  expect([...luSolveTransposed(lu, Float64Array.of(3, 5))]).toEqual([2, 1]);
});

test("solutions solve random systems, plain and transposed, and the inputs stay as they were", () => {
  const systems = fc.integer({ min: 1, max: 8 }).chain((size) =>
    fc.record({
      size: fc.constant(size),
      matrix: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size * size, maxLength: size * size }),
      right: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: size, maxLength: size }),
    }),
  );
  fc.assert(
    fc.property(systems, ({ size, matrix, right }) => {
      // A heavy shifted diagonal keeps the matrix regular and makes every pivot a row exchange.
      const a = Float64Array.from(matrix);
      for (let k = 0; k < size; k++) a[k * size + ((k + 1) % size)] += 100;
      const b = Float64Array.from(right);
      const kept = [...a];
      const lu = luFactor(a, size);
      const x = luSolve(lu, b);
      const y = luSolveTransposed(lu, b);
      for (let row = 0; row < size; row++) {
        let plain = 0;
        let transposed = 0;
        for (let k = 0; k < size; k++) {
          plain += kept[row * size + k] * x[k];
          transposed += kept[k * size + row] * y[k];
        }
        expect(plain).toBeCloseTo(right[row], 9);
        expect(transposed).toBeCloseTo(right[row], 9);
      }
      expect([...a]).toEqual(kept);
      expect([...b]).toEqual(right);
    }),
  );
});

test("singular, non-finite and misshapen matrices are refused", () => {
  expect(() => luFactor(Float64Array.of(1, 2, 2, 4), 2)).toThrow("singular (pivot 1 is 0)");
  expect(() => luFactor(Float64Array.of(Number.NaN), 1)).toThrow("singular (pivot 0 is NaN)");
  expect(() => luFactor(new Float64Array(3), 2)).toThrow("3 entries, expected 2 x 2");
});
