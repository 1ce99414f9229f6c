import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { type DType, type Expr, type Shape, ShapeError } from "./expr.ts";
import * as functions from "./functions.ts";
import { gradients } from "./grad.ts";
import * as nn from "./nn.ts";
import * as ops from "./ops.ts";
import { initialise, layoutOf, orthogonal, uniformFanIn, unpack, xavier } from "./params.ts";

const leaf = (shape: Shape, dtype: DType = "float32"): Expr => ops.input("x", dtype, shape);
const matrix = leaf([2, 3]);
const double = leaf([2, 3], "float64");
const whole = leaf([2, 3], "int32");
const bool = leaf([2, 3], "bool");

/** What each operator refuses and the message it gives. */
const operatorCases: Record<string, readonly (readonly [() => unknown, string])[]> = {
  add: [
    [() => ops.add(matrix, leaf([4])), "shapes [2, 3] and [4] cannot be broadcast together"],
    [() => ops.add(matrix, leaf([3, 1, 2])), "shapes [2, 3] and [3, 1, 2] cannot be broadcast together"],
    [() => ops.add(matrix, double), "operands have different dtypes float32 and float64"],
    [() => ops.add(1, 2), "at least one operand must be an expression"],
    [() => ops.add(bool, bool), "takes numbers, got bool"],
  ],
  sub: [
    [() => ops.sub(leaf([2]), matrix), "shapes [2] and [2, 3] cannot be broadcast together"],
    [() => ops.sub(bool, bool), "takes numbers, got bool"],
  ],
  mul: [
    [() => ops.mul(matrix, leaf([2])), "shapes [2, 3] and [2] cannot be broadcast together"],
    [() => ops.mul(1, 1), "at least one operand must be an expression"],
    [() => ops.mul(whole, matrix), "operands have different dtypes int32 and float32"],
  ],
  div: [[() => ops.div(matrix, leaf([2])), "shapes [2, 3] and [2] cannot be broadcast together"]],
  minimum: [[() => ops.minimum(matrix, leaf([2])), "shapes [2, 3] and [2] cannot be broadcast together"]],
  maximum: [[() => ops.maximum(matrix, double), "operands have different dtypes float32 and float64"]],
  pow: [[() => ops.pow(matrix, leaf([2])), "shapes [2, 3] and [2] cannot be broadcast together"]],
  greater: [[() => ops.greater(matrix, leaf([2])), "shapes [2, 3] and [2] cannot be broadcast together"]],
  greaterOrEqual: [[() => ops.greaterOrEqual(bool, bool), "takes numbers, got bool"]],
  less: [[() => ops.less(matrix, double), "operands have different dtypes float32 and float64"]],
  lessOrEqual: [[() => ops.lessOrEqual(3, 4), "at least one operand must be an expression"]],
  equal: [[() => ops.equal(matrix, whole), "operands have different dtypes float32 and int32"]],
  and: [
    [() => ops.and(matrix, matrix), "takes bools, got float32"],
    [() => ops.and(bool, leaf([2], "bool")), "shapes [2, 3] and [2] cannot be broadcast together"],
  ],
  or: [[() => ops.or(whole, whole), "takes bools, got int32"]],
  not: [[() => ops.not(matrix), "takes bools, got float32"]],
  where: [
    [() => ops.where(matrix, matrix, 0), "condition is float32, not bool"],
    [() => ops.where(bool, matrix, double), "operands have different dtypes float32 and float64"],
    [() => ops.where(bool, leaf([2]), 0), "shapes [2, 3] and [2] cannot be broadcast together"],
    [() => ops.where(bool, 1, 0), "at least one operand must be an expression"],
  ],
  ...Object.fromEntries(
    Object.entries({
      neg: ops.neg,
      exp: ops.exp,
      log: ops.log,
      sqrt: ops.sqrt,
      abs: ops.abs,
      sign: ops.sign,
      floor: ops.floor,
      relu: ops.relu,
      tanh: ops.tanh,
      sigmoid: ops.sigmoid,
      sin: ops.sin,
      cos: ops.cos,
      unitStep: ops.unitStep,
    }).map(([name, apply]) => [name, [[() => apply(whole), "needs a float, got int32"]]] as const),
  ),
  clip: [
    [() => ops.clip(matrix, 1, 0), "lower limit 1 is above upper limit 0"],
    [() => ops.clip(matrix, Number.NaN, 0), "lower limit NaN is above upper limit 0"],
    [() => ops.clip(bool, 0, 1), "takes numbers, got bool"],
  ],
  constant: [
    [() => ops.constant("float32", [2, 2], [1, 2, 3]), "shape [2, 2] does not hold 3 values"],
    [() => ops.constant("int32", [2], [1, 0.5]), "0.5 is not of dtype int32"],
    [() => ops.constant("int32", [], [2 ** 31]), "2147483648 is not of dtype int32"],
    [() => ops.constant("int64", [], [Number.NaN]), "NaN is not of dtype int64"],
    [() => ops.constant("bool", [], [2]), "2 is not of dtype bool"],
    [() => ops.mul(whole, 0.5), "0.5 is not of dtype int32"],
  ],
  reshape: [
    [() => ops.reshape(matrix, [4]), "shape [2, 3] cannot become [4]"],
    [() => ops.reshape(matrix, [4, -1]), "shape [2, 3] cannot become [4, -1]"],
    [() => ops.reshape(matrix, [-1, -1]), "shape [2, 3] cannot become [-1, -1]"],
    [() => ops.reshape(matrix, [-2, -3]), "shape [2, 3] cannot become [-2, -3]"],
    [() => ops.reshape(matrix, [1.5, 4]), "shape [2, 3] cannot become [1.5, 4]"],
  ],
  transpose: [
    [() => ops.transpose(matrix, [0]), "[0] is not a permutation of the axes of [2, 3]"],
    [() => ops.transpose(matrix, [1, 1]), "[1, 1] is not a permutation of the axes of [2, 3]"],
  ],
  expand: [
    [() => ops.expand(matrix, [4, 3]), "shapes [2, 3] and [4, 3] cannot be broadcast together"],
    [() => ops.expand(matrix, [1, 3]), "shape [2, 3] does not expand to [1, 3]"],
    [() => ops.expand(matrix, [3]), "shape [2, 3] does not expand to [3]"],
  ],
  concat: [
    [() => ops.concat([], 0), "nothing to join"],
    [() => ops.concat([matrix, matrix], 2), "axis 2 is not an axis of shape [2, 3]"],
    [
      () => ops.concat([matrix, leaf([3, 3])], 1),
      "part 1 is float32 [3, 3], which does not join float32 [2, 3] along axis 1",
    ],
    [
      () => ops.concat([matrix, matrix, double], 0),
      "part 2 is float64 [2, 3], which does not join float32 [2, 3] along axis 0",
    ],
    [() => ops.concat([matrix, leaf([2])], 0), "part 1 is float32 [2], which does not join"],
  ],
  slice: [
    [() => ops.slice(matrix, 1, 1, 4), "1..4 is not a range of axis 1 of [2, 3]"],
    [() => ops.slice(matrix, 0, 1, 1), "1..1 is not a range of axis 0 of [2, 3]"],
    [() => ops.slice(matrix, 0, -1, 1), "-1..1 is not a range of axis 0 of [2, 3]"],
    [() => ops.slice(matrix, 1, 0.5, 2), "0.5..2 is not a range of axis 1 of [2, 3]"],
    [() => ops.slice(matrix, -3, 0, 1), "axis -3 is not an axis of shape [2, 3]"],
  ],
  pad: [
    [() => ops.pad(matrix, 0, -1, 0), "widths -1 and 0 must be whole numbers >= 0"],
    [() => ops.pad(matrix, 0, 0, 1.5), "widths 0 and 1.5 must be whole numbers >= 0"],
    [() => ops.pad(matrix, 2, 1, 0), "axis 2 is not an axis of shape [2, 3]"],
  ],
  split: [
    [() => ops.split(matrix, [1, 1], 1), "sizes [1, 1] do not add up to axis 1 of [2, 3]"],
    [() => ops.split(matrix, [4, -1], 1), "sizes [4, -1] do not add up to axis 1 of [2, 3]"],
    [() => ops.split(matrix, [3], 5), "axis 5 is not an axis of shape [2, 3]"],
  ],
  sum: [
    [() => ops.sum(matrix, [2]), "axis 2 is not an axis of shape [2, 3]"],
    [() => ops.sum(matrix, [0.5]), "axis 0.5 is not an axis of shape [2, 3]"],
    [() => ops.sum(matrix, [1, -1]), "axes [1, -1] of shape [2, 3] repeat one"],
    [() => ops.sum(bool), "takes numbers, got bool"],
  ],
  max: [
    [() => ops.max(matrix, [-3]), "axis -3 is not an axis of shape [2, 3]"],
    [() => ops.max(matrix, [0, 0]), "axes [0, 0] of shape [2, 3] repeat one"],
    [() => ops.max(bool), "takes numbers, got bool"],
  ],
  argMax: [
    [() => ops.argMax(matrix, 2), "axis 2 is not an axis of shape [2, 3]"],
    [() => ops.argMax(bool, 0), "takes floats or int32, got bool"],
  ],
  cumSum: [
    [() => ops.cumSum(matrix, 2), "axis 2 is not an axis of shape [2, 3]"],
    [() => ops.cumSum(bool, 0), "takes numbers, got bool"],
  ],
  matMul: [
    [() => ops.matMul(matrix, matrix), "float32 [2, 3] and float32 [2, 3] do not multiply"],
    [() => ops.matMul(matrix, leaf([3, 2], "float64")), "float32 [2, 3] and float64 [3, 2] do not multiply"],
    [() => ops.matMul(matrix, leaf([3])), "float32 [2, 3] and float32 [3] do not multiply"],
    [() => ops.matMul(leaf([2, 2, 3]), leaf([4, 3, 2])), "shapes [2] and [4] cannot be broadcast together"],
    [() => ops.matMul(leaf([1, 1], "bool"), leaf([1, 1], "bool")), "takes numbers, got bool"],
  ],
  stackedAffine: [
    [
      () => ops.stackedAffine(leaf([2, 3, 4]), leaf([2, 5, 1]), leaf([2, 3, 1])),
      "float32 [2, 3, 4], float32 [2, 5, 1] and float32 [2, 3, 1] do not fit",
    ],
    [
      () => ops.stackedAffine(leaf([3, 3, 4]), leaf([2, 4, 1]), leaf([3, 3, 1])),
      "float32 [3, 3, 4], float32 [2, 4, 1] and float32 [3, 3, 1] do not fit",
    ],
    [
      () => ops.stackedAffine(leaf([1, 2, 3]), leaf([1, 3, 5]), leaf([2])),
      "float32 [1, 2, 3], float32 [1, 3, 5] and float32 [2] do not fit",
    ],
    [
      () => ops.stackedAffine(leaf([1, 2, 3], "int32"), leaf([1, 3, 5]), leaf([1, 2, 1])),
      "needs a float, got int32",
    ],
  ],
  gemm: [
    [() => ops.gemm(leaf([1, 2, 3]), matrix), "needs two matrices, got [1, 2, 3] and [2, 3]"],
    [() => ops.gemm(matrix, matrix), "float32 [2, 3] and float32 [2, 3] do not multiply"],
    [
      () => ops.gemm(matrix, leaf([3, 4]), undefined, { transposeA: true, transposeB: true }),
      "float32 [2, 3]ᵀ and float32 [3, 4]ᵀ do not multiply",
    ],
    [() => ops.gemm(matrix, leaf([3, 4]), leaf([2])), "shapes [2] and [2, 4] cannot be broadcast together"],
    [
      () => ops.gemm(matrix, leaf([3, 1]), leaf([2, 4])),
      "bias float32 [2, 4] does not fit the product float32 [2, 1]",
    ],
    [
      () => ops.gemm(matrix, leaf([3, 4]), leaf([4], "float64")),
      "bias float64 [4] does not fit the product float32 [2, 4]",
    ],
    [() => ops.gemm(whole, leaf([3, 4], "int32")), "needs a float, got int32"],
  ],
  gather: [
    [() => ops.gather(matrix, matrix), "needs a table and integer indices, got [2, 3] and float32"],
    [() => ops.gather(leaf([]), whole), "needs a table and integer indices, got [] and int32"],
  ],
  scatterAdd: [
    [
      () => ops.scatterAdd(leaf([3], "int32"), matrix, 5),
      "indices [3] do not match the rows of updates [2, 3]",
    ],
    [() => ops.scatterAdd(whole, matrix, 5), "indices [2, 3] do not match the rows of updates [2, 3]"],
    [() => ops.scatterAdd(leaf([2]), matrix, 5), "needs integer indices, got float32"],
    [() => ops.scatterAdd(leaf([2], "int32"), whole, 5), "needs a float, got int32"],
  ],
  softmax: [
    [() => ops.softmax(whole), "needs a float, got int32"],
    [() => ops.softmax(leaf([])), "axis -1 is not an axis of shape []"],
  ],
  logSoftmax: [[() => ops.logSoftmax(whole), "needs a float, got int32"]],
  layerNorm: [
    [() => ops.layerNorm(matrix, leaf([2]), leaf([3])), "scale float32 [2] does not fit float32 [2, 3]"],
    [() => ops.layerNorm(matrix, leaf([3]), leaf([1, 3])), "bias float32 [1, 3] does not fit float32 [2, 3]"],
    [
      () => ops.layerNorm(matrix, leaf([3]), leaf([3], "float64")),
      "bias float64 [3] does not fit float32 [2, 3]",
    ],
    [() => ops.layerNorm(whole, leaf([3], "int32"), leaf([3], "int32")), "needs a float, got int32"],
  ],
  normalisedProduct: [
    [() => ops.normalisedProduct(whole, whole), "needs a float, got int32"],
    [() => ops.normalisedProduct(matrix, leaf([2, 4])), "float32 [2, 3] and float32 [2, 4] do not multiply"],
    [
      () => ops.normalisedProduct(matrix, leaf([3, 4], "float64")),
      "float32 [2, 3] and float64 [3, 4] do not multiply",
    ],
    [
      () => ops.normalisedProduct(leaf([5, 2, 3]), leaf([3, 4])),
      "float32 [5, 2, 3] and float32 [3, 4] do not multiply",
    ],
    [
      () => ops.normalisedProduct(matrix, leaf([3, 4]), leaf([3])),
      "bias float32 [3] does not fit the product float32 [2, 4]",
    ],
    [
      () => ops.normalisedProduct(leaf([5, 2, 3]), leaf([5, 3, 4]), leaf([4])),
      "bias float32 [4] does not fit the product float32 [5, 2, 4]",
    ],
  ],
  normalise: [
    [() => ops.normalise(whole), "needs a float, got int32"],
    [() => ops.normalise(leaf([])), "axis -1 is not an axis of shape []"],
  ],
};

/** Operators that take whatever they are given, and helpers that are no operators. */
const cannotFail = [
  "cast",
  "filled",
  "floatType",
  "input",
  "isItem",
  "item",
  "range",
  "scalar",
  "stopGradient",
  "sumTo",
];

const functionCases: Record<string, readonly (readonly [() => unknown, string])[]> = {
  mean: [[() => functions.mean(whole), "needs a float, got int32"]],
  oneHot: [
    [() => functions.oneHot(matrix, 4, "float32"), "indices are float32, not integers"],
    [() => functions.oneHot(bool, 4, "float32"), "indices are bool, not integers"],
  ],
  pick: [
    [() => functions.pick(matrix, leaf([3], "int32")), "[3] does not index the rows of [2, 3]"],
    [() => functions.pick(matrix, leaf([1], "int32")), "[1] does not index the rows of [2, 3]"],
    [() => functions.pick(matrix, whole), "[2, 3] does not index the rows of [2, 3]"],
    [() => functions.pick(leaf([]), leaf([], "int32")), "[] does not index the rows of []"],
    [() => functions.pick(whole, leaf([2], "int32")), "needs a float, got int32"],
  ],
  weightedMean: [[() => functions.weightedMean(matrix, leaf([2, 1])), "weights [2, 1] do not fit [2, 3]"]],
  logSumExp: [[() => functions.logSumExp(matrix, 2), "axis 2 is not an axis of shape [2, 3]"]],
};

/** Checks that say by which name they complain. */
const namedCases: readonly (readonly [string, () => unknown, string])[] = [
  ["gradients", () => gradients(matrix, []), "the loss must be a float scalar, got float32 [2, 3]"],
  ["gradients", () => gradients(leaf([], "int32"), []), "the loss must be a float scalar, got int32 []"],
  ["actor/0", () => nn.linear("actor/0", 3, 2).apply({}, leaf([5, 4])), "takes 3 features, got [5, 4]"],
  ["attention", () => nn.selfAttention("attention", 6, 4), "4 heads do not divide a width of 6"],
  ["attention", () => nn.selfAttention("attention", 4, 2).apply({}, leaf([4])), "takes [V, ..., 4], got [4]"],
  [
    "attention",
    () => nn.selfAttention("attention", 4, 2).weights({}, leaf([1, 2, 3])),
    "takes [V, ..., 4], got [1, 2, 3]",
  ],
  [
    "attention",
    () => nn.selfAttention("attention", 4, 2).apply({}, leaf([3, 2, 4]), leaf([1, 3], "bool")),
    "takes a mask [3, 3] or [2, 3, 3], got [1, 3]",
  ],
  [
    "attention",
    () => nn.selfAttention("attention", 4, 2).apply({}, leaf([3, 2, 4]), leaf([3, 3, 3], "bool")),
    "takes a mask [3, 3] or [2, 3, 3], got [3, 3, 3]",
  ],
  [
    "memory/input",
    () => nn.gruCell("memory", 3, 2).apply({}, leaf([5, 4]), leaf([5, 2])),
    "takes 3 features, got [5, 4]",
  ],
  ["unpack", () => unpack(leaf([3]), layoutOf([])), "needs a vector of 0, got [3]"],
  ["orthogonal", () => orthogonal()([2, 3, 4], createRng(0)), "initialises a matrix, got shape [2, 3, 4]"],
  ["xavier", () => xavier()([3], createRng(0)), "initialises a matrix, got shape [3]"],
  ["uniformFanIn", () => uniformFanIn()([3], createRng(0)), "initialises a matrix, got shape [3]"],
];

function expectShapeError(attempt: () => unknown, message: string): void {
  let thrown: unknown;
  try {
    attempt();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ShapeError);
  expect((thrown as ShapeError).message.slice(0, message.length)).toBe(message);
}

test("the list of operators is complete", () => {
  expect([...Object.keys(operatorCases), ...cannotFail].sort()).toEqual(Object.keys(ops).sort());
});

describe.each([
  ["operators", operatorCases],
  ["functions", functionCases],
])("%s name themselves, the argument and the shapes", (_, table) => {
  for (const [name, cases] of Object.entries(table)) {
    test.each(cases)(`${name} %#`, (attempt, problem) => expectShapeError(attempt, `${name}: ${problem}`));
  }
});

describe("modules, initialisers and gradients say who complains", () => {
  test.each(namedCases)("%s %#", (name, attempt, problem) =>
    expectShapeError(attempt, `${name}: ${problem}`),
  );

  test("a parameter whose initialiser takes matrices only", () => {
    const layout = layoutOf([{ name: "w", shape: [3], initialise: xavier() }]);
    expectShapeError(() => initialise(layout, createRng(0)), "xavier: initialises a matrix, got shape [3]");
  });
});
