import { describe, expect, test } from "vitest";
import { loadEngine } from "./engine.ts";
import type { Expr } from "./expr.ts";
import { gradients } from "./grad.ts";
import * as ops from "./ops.ts";
import { evaluate } from "./program.ts";

const engine = await loadEngine();
const vector = (...values: number[]): Expr => ops.constant("float64", [values.length], values);
const matrix = (...rows: readonly number[][]): Expr =>
  ops.constant("float64", [rows.length, rows[0].length], rows.flat());
const integers = (...values: number[]): Expr => ops.constant("int32", [values.length], values);
const bools = (...values: number[]): Expr => ops.constant("bool", [values.length], values);
const counted = matrix([1, 2, 3], [4, 5, 6]);
const numbered = (count: number): Expr =>
  ops.constant(
    "float64",
    [count],
    Array.from({ length: count }, (_, k) => k),
  );
type Nested = number | readonly Nested[];
const shapeOf = (values: Nested): readonly number[] =>
  typeof values === "number" ? [] : [values.length, ...shapeOf(values[0])];
const numbersOf = (values: Nested): readonly number[] =>
  typeof values === "number" ? [values] : values.flatMap(numbersOf);

/** Hand-worked values of every operator, as nested rows. */
const cases: Record<string, readonly (readonly [Expr, Nested])[]> = {
  constant: [[ops.constant("int64", [1, 2], [-3, 4]), [[-3, 4]]]],
  scalar: [[ops.scalar("float64", 2.5), 2.5]],
  range: [[ops.range("int32", 4), [0, 1, 2, 3]]],
  filled: [[ops.filled("float64", [1, 2], 7), [[7, 7]]]],
  add: [
    [
      ops.add(counted, vector(10, 20, 30)),
      [
        [11, 22, 33],
        [14, 25, 36],
      ],
    ],
    [
      ops.add(matrix([1], [2]), vector(10, 20)),
      [
        [11, 21],
        [12, 22],
      ],
    ],
    [ops.add(0, vector(5)), [5]],
  ],
  sub: [
    [ops.sub(vector(1, 2), vector(5, 1)), [-4, 1]],
    [ops.sub(1, vector(5)), [-4]],
  ],
  mul: [
    [ops.mul(vector(1, -2), 3), [3, -6]],
    [ops.mul(ops.scalar("float64", 1), vector(4)), [4]],
  ],
  div: [
    [ops.div(vector(1, -2), 4), [0.25, -0.5]],
    [ops.div(1, vector(4)), [0.25]],
  ],
  minimum: [[ops.minimum(vector(1, 5, 3), vector(2, 4, 3)), [1, 4, 3]]],
  maximum: [[ops.maximum(vector(1, 5, 3), 3), [3, 5, 3]]],
  pow: [
    [ops.pow(vector(2, 9), vector(3, 0.5)), [8, 3]],
    [ops.pow(2, vector(-1)), [0.5]],
  ],
  greater: [[ops.greater(vector(1, 2, 3), 2), [0, 0, 1]]],
  greaterOrEqual: [[ops.greaterOrEqual(vector(1, 2, 3), 2), [0, 1, 1]]],
  less: [[ops.less(vector(1, 2, 3), 2), [1, 0, 0]]],
  lessOrEqual: [[ops.lessOrEqual(vector(1, 2, 3), 2), [1, 1, 0]]],
  equal: [
    [ops.equal(integers(1, 2, 3), 2), [0, 1, 0]],
    [ops.equal(bools(0, 1), bools(1, 1)), [0, 1]],
  ],
  and: [[ops.and(bools(0, 0, 1, 1), bools(0, 1, 0, 1)), [0, 0, 0, 1]]],
  or: [[ops.or(bools(0, 0, 1, 1), bools(0, 1, 0, 1)), [0, 1, 1, 1]]],
  not: [[ops.not(bools(0, 1)), [1, 0]]],
  where: [
    [ops.where(bools(1, 0), vector(1, 2), vector(3, 4)), [1, 4]],
    [
      ops.where(bools(1, 0), matrix([1], [2]), 0),
      [
        [1, 0],
        [2, 0],
      ],
    ],
  ],
  neg: [
    [ops.neg(vector(1, -2)), [-1, 2]],
    [ops.neg(ops.neg(vector(3))), [3]],
  ],
  exp: [[ops.exp(vector(0, 1)), [1, Math.E]]],
  log: [[ops.log(vector(1, Math.E)), [0, 1]]],
  sqrt: [[ops.sqrt(vector(9, 0)), [3, 0]]],
  abs: [[ops.abs(vector(-2, 3)), [2, 3]]],
  sign: [[ops.sign(vector(-2, 0, 3)), [-1, 0, 1]]],
  floor: [[ops.floor(vector(-1.5, 1.5, 2)), [-2, 1, 2]]],
  relu: [[ops.relu(vector(-2, 3)), [0, 3]]],
  unitStep: [
    [ops.unitStep(vector(0, 1e-300, 3)), [0, 1, 1]],
    [ops.unitStep(ops.constant("float32", [4], [0, 1.2e-38, 0.5, 3e38])), [0, 1, 1, 1]],
  ],
  tanh: [[ops.tanh(vector(0, Math.atanh(0.5))), [0, 0.5]]],
  sigmoid: [[ops.sigmoid(vector(0, Math.log(3))), [0.5, 0.75]]],
  sin: [[ops.sin(vector(0, Math.PI / 2)), [0, 1]]],
  cos: [[ops.cos(vector(0, Math.PI)), [1, -1]]],
  clip: [[ops.clip(vector(-2, 0.5, 2), -1, 1), [-1, 0.5, 1]]],
  cast: [
    [ops.cast(vector(-1.7, 1.7), "int32"), [-1, 1]],
    [ops.cast(vector(0, 0.5, -2), "bool"), [0, 1, 1]],
    [ops.cast(bools(1, 0), "float64"), [1, 0]],
  ],
  stopGradient: [[ops.stopGradient(vector(3)), [3]]],
  reshape: [
    [
      ops.reshape(counted, [3, -1]),
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
    [
      ops.reshape(ops.reshape(counted, [6]), [2, 3]),
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
  ],
  transpose: [
    [
      ops.transpose(counted, [1, 0]),
      [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
    ],
    [ops.transpose(ops.reshape(counted, [1, 2, 3]), [2, 0, 1]), [[[1, 4]], [[2, 5]], [[3, 6]]]],
    // Rows of four numbers change places, by one permutation and by two after each other.
    [
      ops.transpose(ops.reshape(numbered(24), [3, 2, 2, 2]), [1, 0, 2, 3]),
      [
        [
          [
            [0, 1],
            [2, 3],
          ],
          [
            [8, 9],
            [10, 11],
          ],
          [
            [16, 17],
            [18, 19],
          ],
        ],
        [
          [
            [4, 5],
            [6, 7],
          ],
          [
            [12, 13],
            [14, 15],
          ],
          [
            [20, 21],
            [22, 23],
          ],
        ],
      ],
    ],
    [
      ops.transpose(ops.transpose(counted, [1, 0]), [1, 0]),
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
  ],
  expand: [
    [
      ops.expand(matrix([1], [2]), [2, 2, 2]),
      [
        [
          [1, 1],
          [2, 2],
        ],
        [
          [1, 1],
          [2, 2],
        ],
      ],
    ],
  ],
  concat: [
    [
      ops.concat([counted, matrix([7], [8])], -1),
      [
        [1, 2, 3, 7],
        [4, 5, 6, 8],
      ],
    ],
    [ops.concat([vector(1), vector(2, 3), vector(4)], 0), [1, 2, 3, 4]],
  ],
  slice: [
    [
      ops.slice(counted, -1, 1, 3),
      [
        [2, 3],
        [5, 6],
      ],
    ],
  ],
  pad: [[ops.pad(matrix([1, 2]), 1, 1, 2), [[0, 1, 2, 0, 0]]]],
  split: [
    [ops.split(counted, [1, 2], 1)[0], [[1], [4]]],
    [
      ops.split(counted, [1, 2], 1)[1],
      [
        [2, 3],
        [5, 6],
      ],
    ],
  ],
  sum: [
    [ops.sum(counted), 21],
    [ops.sum(counted, [0]), [5, 7, 9]],
    [ops.sum(counted, [-1], true), [[6], [15]]],
    [
      ops.sum(counted, []),
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
    [ops.sum(matrix([1, 2]), [0]), [1, 2]],
    [ops.sum(integers(1, 2)), 3],
  ],
  max: [
    [ops.max(matrix([1, 9], [4, 5])), 9],
    [ops.max(matrix([1, 9], [4, 5]), [0]), [4, 9]],
    [ops.max(matrix([1, 9], [4, 5]), [1], true), [[9], [5]]],
    [
      ops.max(matrix([1, 9], [4, 5]), []),
      [
        [1, 9],
        [4, 5],
      ],
    ],
  ],
  argMax: [
    [ops.argMax(matrix([1, 9, 9], [4, 3, 2]), 1), [1, 0]],
    [ops.argMax(matrix([1, 9], [4, 3]), 0), [1, 0]],
  ],
  cumSum: [
    [
      ops.cumSum(counted, 1),
      [
        [1, 3, 6],
        [4, 9, 15],
      ],
    ],
    [
      ops.cumSum(counted, -1, true),
      [
        [6, 5, 3],
        [15, 11, 6],
      ],
    ],
  ],
  matMul: [
    [
      ops.matMul(counted, matrix([1, 0], [0, 1], [1, 1])),
      [
        [4, 5],
        [10, 11],
      ],
    ],
    [ops.matMul(ops.reshape(counted, [2, 1, 3]), matrix([1], [10], [100])), [[[321]], [[654]]]],
    [ops.matMul(counted, ops.transpose(matrix([1, 10, 100]), [1, 0])), [[321], [654]]],
    // Two matrices whose rows alternate, [1 2 3] and [4 5 6], against columns that do not and that do.
    [
      ops.matMul(
        ops.transpose(ops.reshape(counted, [1, 2, 3]), [1, 0, 2]),
        ops.reshape(vector(1, 10, 100, 2, 20, 200), [2, 3, 1]),
      ),
      [[[321]], [[1308]]],
    ],
    [
      ops.matMul(
        ops.transpose(ops.reshape(counted, [1, 2, 3]), [1, 0, 2]),
        ops.transpose(ops.reshape(vector(1, 2, 10, 20, 100, 200), [3, 2, 1]), [1, 0, 2]),
      ),
      [[[321]], [[1308]]],
    ],
  ],
  gemm: [
    [
      ops.gemm(counted, matrix([1, 0], [0, 1], [1, 1]), vector(10, 20)),
      [
        [14, 25],
        [20, 31],
      ],
    ],
    [ops.gemm(counted, matrix([1], [10]), undefined, { transposeA: true }), [[41], [52], [63]]],
    [ops.gemm(counted, matrix([1, 10, 100]), undefined, { transposeB: true }), [[321], [654]]],
  ],
  stackedAffine: (["float32", "float64"] as const).flatMap((dtype) => {
    const stack = (shape: readonly number[], values: readonly number[]): Expr =>
      ops.constant(dtype, shape, values);
    const weights = stack([2, 2, 2], [10, 1, 0, 1, -1, 0, -2, 1]);
    const columns = stack([2, 2, 2], [1, 2, 1, 2, 1, -2, -3, -1]);
    const biases = stack([2, 2, 1], [100, 202, 0, 0]);
    const first = [
      [111, 122],
      [203, 204],
    ];
    const second = (...rows: readonly (readonly number[])[]): Nested => [first, rows];
    return [
      [ops.stackedAffine(weights, columns, biases), second([-1, 2], [-5, 3])],
      [ops.stackedAffine(weights, columns, biases, { rectified: true }), second([0, 2], [0, 3])],
      [ops.stackedAffine(weights, stack([1, 2, 2], [1, 2, 1, 2]), biases), second([-1, -2], [-1, -2])],
      [
        ops.stackedAffine(stack([1, 1, 2], [3, 1]), columns, stack([1, 1, 1], [-1]), { rectified: true }),
        [[[3, 7]], [[0, 0]]],
      ],
    ] as const;
  }),
  gather: [
    [
      ops.gather(counted, integers(1, 0, 1)),
      [
        [4, 5, 6],
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
    [ops.gather(vector(7, 8), ops.constant("int64", [1, 2], [1, 0])), [[8, 7]]],
  ],
  scatterAdd: [[ops.scatterAdd(integers(2, 0, 2), matrix([1], [10], [100]), 4), [[10], [0], [101], [0]]]],
  softmax: [
    [
      ops.softmax(matrix([0, 0], [Math.log(3), 0])),
      [
        [0.5, 0.5],
        [0.75, 0.25],
      ],
    ],
  ],
  logSoftmax: [[ops.logSoftmax(vector(1000, 0)), [0, -1000]]],
  layerNorm: [
    [
      ops.layerNorm(matrix([3, 7], [5, 1]), vector(1, 10), vector(0, 0.5), 0),
      [
        [-1, 10.5],
        [1, -9.5],
      ],
    ],
  ],
  normalisedProduct: [
    [
      ops.normalisedProduct(matrix([3, 7], [5, 1]), matrix([1, 2, 0], [4, 6, 10]), vector(0, 0.5, 1), 0),
      [
        [3, 4.5, 11],
        [-3, -3.5, -9],
      ],
    ],
    [
      ops.normalisedProduct(
        ops.reshape(matrix([3, 7], [5, 1]), [2, 1, 2]),
        ops.reshape(matrix([1, 4], [2, 6]), [2, 2, 1]),
        undefined,
        0,
      ),
      [[[3]], [[-4]]],
    ],
  ],
  normalise: [
    [
      ops.normalise(matrix([3, 7], [5, 1]), 0),
      [
        [-1, 1],
        [1, -1],
      ],
    ],
  ],
};

describe("values of every operator by hand", () => {
  test("the list is complete", () => {
    const helpers = ["floatType", "input", "isItem", "item", "sumTo"];
    expect([...Object.keys(cases), ...helpers].sort()).toEqual(Object.keys(ops).sort());
  });

  for (const [name, list] of Object.entries(cases)) {
    test.each(list)(`${name} %#`, async (found, expected) => {
      expect(found.shape).toEqual(shapeOf(expected));
      const values = Array.from((await evaluate(engine, found)) as Float64Array, Number);
      const wanted = numbersOf(expected);
      expect(values).toHaveLength(wanted.length);
      for (const [k, value] of wanted.entries()) expect(values[k]).toBeCloseTo(value, 12);
    });
  }
});

test.each([1, 2, 5, 12, 16, 20, 40])(
  "softmax of many rows of %i, large values and equal ones among them",
  async (width) => {
    const rows = 300;
    const values = Float64Array.from(
      { length: rows * width },
      (_, k) => (k % 7 === 0 ? 900 : (k * 13) % 29) - 14,
    );
    const x = ops.constant("float64", [rows, width], values);
    const found = (await evaluate(engine, ops.softmax(x))) as Float64Array;
    const logarithms = (await evaluate(engine, ops.logSoftmax(x))) as Float64Array;
    for (let row = 0; row < rows; row++) {
      const own = values.subarray(row * width, (row + 1) * width);
      const highest = Math.max(...own);
      const total = own.reduce((sum, value) => sum + Math.exp(value - highest), 0);
      own.forEach((value, k) => {
        expect(found[row * width + k]).toBeCloseTo(Math.exp(value - highest) / total, 12);
        expect(logarithms[row * width + k]).toBeCloseTo(value - highest - Math.log(total), 10);
      });
    }
  },
);

describe("gradients where a function has a kink or none at all", () => {
  const slopes = async (apply: (a: Expr) => Expr, at: Expr): Promise<number[]> => {
    const [found] = gradients(ops.sum(apply(at)), [at]);
    return Array.from((await evaluate(engine, found)) as Float64Array, (slope) => slope + 0);
  };

  test.each([
    ["minimum with an equal operand passes to the first", (a: Expr) => ops.minimum(a, 1), [0, 1], [1, 1]],
    ["maximum with an equal operand passes to the first", (a: Expr) => ops.maximum(a, 1), [1, 2], [1, 1]],
    ["maximum as the second passes only when larger", (a: Expr) => ops.maximum(1, a), [1, 2], [0, 1]],
    ["clip passes at its limits", (a: Expr) => ops.clip(a, -1, 1), [-1.5, -1, 0, 1, 1.5], [0, 1, 1, 1, 0]],
    ["relu is flat at 0", ops.relu, [-1, 0, 1], [0, 0, 1]],
    ["abs is flat at 0", ops.abs, [-1, 0, 1], [-1, 0, 1]],
    ["equal maxima share", (a: Expr) => ops.max(a), [3, 1, 3], [0.5, 0, 0.5]],
    ["floor and sign pass nothing", (a: Expr) => ops.add(ops.floor(a), ops.sign(a)), [0.5], [0]],
    ["stopGradient stops", (a: Expr) => ops.mul(ops.stopGradient(a), a), [3], [3]],
    ["a whole number in between stops", (a: Expr) => ops.cast(ops.cast(a, "int32"), "float64"), [3], [0]],
  ] as const)("%s", async (_, apply, at, expected) => {
    expect(await slopes(apply, vector(...at))).toEqual(expected);
  });

  test("of what the loss does not depend on is zero, of the loss itself one", async () => {
    const x = vector(1, 2);
    const loss = ops.sum(x);
    const [unrelated, itself] = gradients(loss, [vector(5, 6, 7), loss]);
    expect(await evaluate(engine, unrelated)).toEqual(new Float64Array(3));
    expect(await evaluate(engine, itself)).toEqual(Float64Array.of(1));
  });

  test("a node in between counts as independent", async () => {
    const x = vector(2);
    const y = ops.mul(x, x);
    const [forY, forX] = gradients(ops.sum(ops.mul(y, ops.add(y, x))), [y, x]);
    // d/dy (y^2 + x y) = 2 y + x = 10 and d/dx = y = 4 at y = 4 and x = 2.
    expect(await evaluate(engine, forY)).toEqual(Float64Array.of(10));
    expect(await evaluate(engine, forX)).toEqual(Float64Array.of(4));
  });
});
