import { describe, expect, test } from "vitest";
import { loadEngine } from "./engine.ts";
import type { Expr, FloatType, Shape } from "./expr.ts";
import * as functions from "./functions.ts";
import { gradients } from "./grad.ts";
import { constant, sum } from "./ops.ts";
import { evaluate } from "./program.ts";

const engine = await loadEngine();
const vector = (...values: number[]): Expr => constant("float64", [values.length], values);
const matrix = (...rows: readonly number[][]): Expr =>
  constant("float64", [rows.length, rows[0].length], rows.flat());
const integers = (...values: number[]): Expr => constant("int32", [values.length], values);
const single = (...values: number[]): Expr => constant("float32", [values.length], values);

interface Case {
  readonly found: Expr;
  readonly shape: Shape;
  readonly values: readonly number[];
}
const value = (found: Expr, shape: Shape, ...values: number[]): Case => ({ found, shape, values });
const { LN2, E } = Math;

/** Hand-worked values of every function. */
const cases: Record<string, readonly Case[]> = {
  square: [value(functions.square(vector(-3, 0.5)), [2], 9, 0.25)],
  mean: [
    value(functions.mean(matrix([1, 2, 6], [3, 5, 7])), [], 4),
    value(functions.mean(matrix([1, 2, 6], [3, 5, 7]), [1]), [2], 3, 5),
    value(functions.mean(matrix([1, 2, 6], [3, 5, 7]), [-2], true), [1, 3], 2, 3.5, 6.5),
  ],
  variance: [
    value(functions.variance(vector(2, 4, 4, 4, 5, 5, 7, 9)), [], 4),
    value(functions.variance(matrix([1, 3], [10, 20]), [1]), [2], 1, 25),
    value(functions.variance(matrix([1, 3], [3, 9]), [0], true), [1, 2], 1, 9),
    // Around a large mean a difference of squares would lose everything.
    value(functions.variance(vector(1e9, 1e9 + 2)), [], 1),
  ],
  min: [
    value(functions.min(matrix([3, -1], [0, 5])), [], -1),
    value(functions.min(matrix([3, -1], [0, 5]), [0], true), [1, 2], 0, -1),
  ],
  logSumExp: [
    value(
      functions.logSumExp(matrix([0, 0], [1000, 1000], [-1000, -1000]), 1),
      [3],
      LN2,
      1000 + LN2,
      -1000 + LN2,
    ),
    value(
      functions.logSumExp(matrix([Math.log(3), 5], [Math.log(4), -800]), 0, true),
      [1, 2],
      Math.log(7),
      5,
    ),
    value(functions.logSumExp(vector(1e300, -1e300), -1), [], 1e300),
  ],
  softplus: [
    value(functions.softplus(vector(0, 800, -800, Math.log(E - 1))), [4], LN2, 800, 0, 1),
    value(functions.softplus(vector(-30)), [1], Math.exp(-30)),
  ],
  logSigmoid: [value(functions.logSigmoid(vector(0, 800, -800)), [3], -LN2, 0, -800)],
  elu: [value(functions.elu(vector(2, 0, -1, -800, 800)), [5], 2, 0, 1 / E - 1, -1, 800)],
  leakyRelu: [
    value(functions.leakyRelu(vector(3, 0, -2)), [3], 3, 0, -0.02),
    value(functions.leakyRelu(vector(3, 0, -2), 0.25), [3], 3, 0, -0.5),
  ],
  silu: [
    value(
      functions.silu(vector(0, Math.log(3), -Math.log(3), 800, -800)),
      [5],
      0,
      0.75 * Math.log(3),
      -0.25 * Math.log(3),
      800,
      0,
    ),
  ],
  // Quadratic to 2 on either side, then 2 (|e| - 1).
  huber: [
    value(
      functions.huber(vector(0, 1, -1, 2, -2, 3, -3, 100, -100), 2),
      [9],
      0,
      0.5,
      0.5,
      2,
      2,
      4,
      4,
      198,
      198,
    ),
  ],
  oneHot: [
    value(functions.oneHot(integers(2, 0), 3, "float64"), [2, 3], 0, 0, 1, 1, 0, 0),
    value(functions.oneHot(constant("int64", [1, 1], [1]), 2, "float64"), [1, 1, 2], 0, 1),
    value(functions.oneHot(integers(-1, 2), 2, "float64"), [2, 2], 0, 0, 0, 0),
  ],
  pick: [
    value(functions.pick(matrix([1, 2, 3], [4, 5, 6]), integers(2, 0)), [2], 3, 4),
    value(functions.pick(vector(7, 8), constant("int64", [], [1])), [], 8),
  ],
  categoricalEntropy: [
    value(functions.categoricalEntropy(matrix([0, 0, 0, 0], [5, 5, -1e10, -1e10])), [2], Math.log(4), LN2),
    value(functions.categoricalEntropy(vector(800, -800)), [], 0),
    // Probabilities 3/4 and 1/4.
    value(functions.categoricalEntropy(vector(Math.log(3), 0)), [], 2 * LN2 - 0.75 * Math.log(3)),
  ],
  maskLogits: [
    value(functions.maskLogits(matrix([1, 2], [3, 4]), matrix([1, 0], [0, 1])), [2, 2], 1, -1e10, -1e10, 4),
    value(
      functions.maskLogits(matrix([1, 2], [3, 4]), constant("bool", [2], [0, 1])),
      [2, 2],
      -1e10,
      2,
      -1e10,
      4,
    ),
  ],
  norm: [value(functions.norm(matrix([2, 4], [5, 6])), [], 9), value(functions.norm(vector(0, 0)), [], 0)],
  flattened: [value(functions.flattened(matrix([1, 2], [3, 4])), [4], 1, 2, 3, 4)],
  weightedMean: [
    value(functions.weightedMean(matrix([1, 5], [2, 100]), matrix([2, 1], [1, 0])), [], 9 / 4),
    value(functions.weightedMean(vector(3, 4), vector(0, 0)), [], 0),
  ],
  lerp: [
    value(functions.lerp(vector(0, 10), vector(4, 20), 0.25), [2], 1, 12.5),
    value(functions.lerp(2, vector(4), 0.5), [1], 3),
    value(functions.lerp(vector(4), 8, 1), [1], 8),
  ],
  rows: [value(functions.rows(constant("float64", [1, 2, 2], [1, 2, 3, 4])), [2, 2], 1, 2, 3, 4)],
  unrows: [value(functions.unrows(matrix([1], [2], [3], [4]), [2, 2]), [2, 2, 1], 1, 2, 3, 4)],
};

async function valuesOf(found: Expr): Promise<number[]> {
  return Array.from((await evaluate(engine, found)) as Float64Array, Number);
}

async function expectValues({ found, shape, values }: Case): Promise<void> {
  expect(found.shape).toEqual(shape);
  const computed = await valuesOf(found);
  expect(computed).toHaveLength(values.length);
  for (const [k, value] of values.entries()) {
    expect(Math.abs(computed[k] - value)).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(value)));
  }
}

describe("values worked by hand", () => {
  test("the list is complete", () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(functions).sort());
  });
  for (const [name, list] of Object.entries(cases)) {
    test.each(list)(`${name} %#`, expectValues);
  }
});

/** Derivative at each entry of a function applied to every entry. */
const slopes = async (apply: (a: Expr) => Expr, at: Expr): Promise<number[]> =>
  (await valuesOf(gradients(sum(apply(at)), [at])[0])).map((slope) => (slope === 0 ? 0 : slope));

describe("gradients at extremes and kinks", () => {
  test.each([
    ["softplus", functions.softplus, [1, 0.5, 0]],
    ["logSigmoid", functions.logSigmoid, [0, 0.5, 1]],
    ["silu", functions.silu, [1, 0.5, 0]],
    ["elu", functions.elu, [1, 1, 0]],
  ] as const)("%s has its slope at 0, and a finite one where exp overflows", async (_, apply, expected) => {
    expect(await slopes(apply, vector(800, 0, -800))).toEqual(expected);
  });

  test("huber's slope is limited on both sides", async () => {
    const slope = await slopes((e) => functions.huber(e, 2), vector(-50, -2.5, -1, 0, 1, 2.5, 50));
    expect(slope).toEqual([-2, -2, -1, 0, 1, 2, 2]);
  });

  test("logSumExp of large and small numbers", async () => {
    const slope = await slopes((a) => functions.logSumExp(a, 0), vector(1000, 1000, -1000));
    expect(slope).toEqual([0.5, 0.5, 0]);
  });

  test("an unavailable action gets no gradient, the others the same as without it", async () => {
    const logits = vector(0.3, 5, -0.2);
    const masked = (a: Expr): Expr => functions.logSumExp(functions.maskLogits(a, vector(1, 0, 1)), 0);
    const [first, unavailable, last] = await slopes(masked, logits);
    const total = Math.exp(0.3) + Math.exp(-0.2);
    expect(unavailable).toBe(0);
    expect(first).toBeCloseTo(Math.exp(0.3) / total, 14);
    expect(last).toBeCloseTo(Math.exp(-0.2) / total, 14);
  });
});

describe("float32", () => {
  const extremes = single(90, -90, 800, -800);
  test.each([
    ["softplus", functions.softplus, [90, 0, 800, 0]],
    ["logSigmoid", functions.logSigmoid, [0, -90, 0, -800]],
    ["elu", functions.elu, [90, -1, 800, -1]],
    ["silu", functions.silu, [90, 0, 800, 0]],
  ] as const)("%s does not overflow", async (_, apply, expected) => {
    const found = await valuesOf(apply(extremes));
    for (const [k, value] of expected.entries()) expect(found[k]).toBeCloseTo(value, 6);
  });

  test("results have the operand's dtype", () => {
    const dtypes: [Expr, FloatType][] = [
      [functions.mean(single(1, 2)), "float32"],
      [functions.oneHot(integers(1), 2, "float32"), "float32"],
      [functions.huber(vector(1), 1), "float64"],
    ];
    for (const [found, dtype] of dtypes) expect(found.dtype).toBe(dtype);
  });
});
