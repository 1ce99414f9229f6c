import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { loadEngine } from "./engine.ts";
import type { Expr } from "./expr.ts";
import * as functions from "./functions.ts";
import { gradients } from "./grad.ts";
import { type GradientCase, gradientError } from "./gradient-check.ts";
import * as nn from "./nn.ts";
import * as ops from "./ops.ts";
import { layoutOf, unpack } from "./params.ts";
import { evaluate } from "./program.ts";

const engine = await loadEngine();
const indices = (values: number[]): Expr => ops.constant("int32", [values.length], values);
const mask = (shape: number[], values: number[]): Expr => ops.constant("bool", shape, values);

/** Gradient checks of every operator that lets gradients through. Kinks are avoided by the range of the inputs. */
const operatorCases: Record<string, GradientCase | readonly GradientCase[]> = {
  add: [
    { shapes: [[2, 3], [3]], apply: (a, b) => ops.add(a, b) },
    {
      shapes: [
        [2, 1, 3],
        [4, 1],
      ],
      apply: (a, b) => ops.add(a, b),
    },
  ],
  sub: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    apply: (a, b) => ops.sub(a, b),
  },
  mul: { shapes: [[2, 3], [3]], apply: (a, b) => ops.mul(a, b) },
  div: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    apply: (a, b) => ops.div(a, b),
    between: [0.5, 2],
  },
  minimum: { shapes: [[6], [6]], apply: (a, b) => ops.minimum(a, b) },
  maximum: { shapes: [[6], [1]], apply: (a, b) => ops.maximum(a, b) },
  pow: { shapes: [[5], [5]], apply: (a, b) => ops.pow(a, b), between: [0.5, 2] },
  where: { shapes: [[2, 2], [2]], apply: (a, b) => ops.where(mask([2, 2], [1, 0, 0, 1]), a, b) },
  neg: { shapes: [[4]], apply: (a) => ops.neg(a) },
  exp: { shapes: [[4]], apply: (a) => ops.exp(a) },
  log: { shapes: [[4]], apply: (a) => ops.log(a), between: [0.5, 2] },
  sqrt: { shapes: [[4]], apply: (a) => ops.sqrt(a), between: [0.5, 2] },
  abs: { shapes: [[6]], apply: (a) => ops.abs(a) },
  relu: { shapes: [[6]], apply: (a) => ops.relu(a) },
  tanh: { shapes: [[4]], apply: (a) => ops.tanh(a) },
  sigmoid: { shapes: [[4]], apply: (a) => ops.sigmoid(a) },
  sin: { shapes: [[4]], apply: (a) => ops.sin(a) },
  cos: { shapes: [[4]], apply: (a) => ops.cos(a) },
  clip: { shapes: [[8]], apply: (a) => ops.clip(a, -0.4, 0.6) },
  cast: { shapes: [[4]], apply: (a) => ops.cast(ops.cast(a, "float64"), "float64") },
  reshape: { shapes: [[2, 6]], apply: (a) => ops.mul(ops.reshape(a, [3, -1]), ops.reshape(a, [3, 4])) },
  transpose: [
    { shapes: [[2, 3, 4]], apply: (a) => ops.transpose(a, [2, 0, 1]) },
    { shapes: [[2, 1, 3]], apply: (a) => ops.mul(ops.transpose(a, [0, 2, 1]), ops.reshape(a, [2, 3, 1])) },
    {
      shapes: [[2, 3, 2, 2]],
      apply: (a) => ops.mul(ops.transpose(a, [1, 0, 2, 3]), ops.reshape(a, [3, 2, 2, 2])),
    },
    { shapes: [[2, 3, 2]], apply: (a) => ops.mul(ops.transpose(ops.transpose(a, [2, 0, 1]), [1, 2, 0]), a) },
  ],
  expand: { shapes: [[3, 1]], apply: (a) => ops.expand(a, [2, 3, 4]) },
  concat: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    apply: (a, b) => ops.concat([a, b, a], -1),
  },
  slice: { shapes: [[2, 5]], apply: (a) => ops.slice(a, 1, 1, 4) },
  pad: { shapes: [[2, 3]], apply: (a) => ops.pad(a, 0, 1, 2) },
  split: {
    shapes: [[2, 5]],
    apply: (a) => {
      const [left, , right] = ops.split(a, [2, 1, 2], 1);
      return ops.mul(left, right);
    },
  },
  sum: [
    { shapes: [[2, 3, 4]], apply: (a) => ops.sum(a, [0, -1]) },
    { shapes: [[2, 3]], apply: (a) => ops.sum(a, [1], true) },
  ],
  max: { shapes: [[3, 4]], apply: (a) => ops.max(a, [-1]) },
  cumSum: [
    { shapes: [[2, 4]], apply: (a) => ops.cumSum(a, 1) },
    { shapes: [[2, 4]], apply: (a) => ops.cumSum(a, 0, true) },
  ],
  matMul: [
    {
      shapes: [
        [2, 3],
        [3, 4],
      ],
      apply: (a, b) => ops.matMul(a, b),
    },
    {
      shapes: [
        [2, 2, 3],
        [3, 2],
      ],
      apply: (a, b) => ops.matMul(a, b),
    },
    {
      shapes: [
        [2, 1, 2, 3],
        [2, 3, 2],
      ],
      apply: (a, b) => ops.matMul(a, b),
    },
    // Operands that are read in place: rows and columns exchanged, matrices that lie inside each other, or both.
    {
      shapes: [
        [3, 2, 4],
        [3, 2, 5],
      ],
      apply: (a, b) => ops.matMul(ops.transpose(a, [1, 2, 0]), ops.transpose(b, [1, 0, 2])),
    },
    {
      shapes: [
        [2, 3, 4],
        [2, 5, 4],
      ],
      apply: (a, b) => ops.matMul(a, ops.transpose(b, [0, 2, 1])),
    },
    {
      shapes: [
        [4, 3],
        [4, 2, 5],
      ],
      apply: (a, b) => ops.matMul(ops.transpose(a, [1, 0]), ops.transpose(b, [1, 0, 2])),
    },
    {
      shapes: [
        [4, 3, 1, 2],
        [3, 2, 5, 4],
      ],
      apply: (a, b) => ops.matMul(ops.transpose(a, [1, 2, 3, 0]), ops.transpose(b, [0, 1, 3, 2])),
    },
  ],
  gemm: [
    { shapes: [[2, 3], [3, 4], [4]], apply: (a, b, c) => ops.gemm(a, b, c) },
    {
      shapes: [
        [3, 2],
        [3, 4],
      ],
      apply: (a, b) => ops.gemm(a, b, undefined, { transposeA: true }),
    },
    {
      shapes: [
        [2, 3],
        [4, 3],
        [2, 4],
      ],
      apply: (a, b, c) => ops.gemm(a, b, c, { transposeB: true }),
    },
    {
      shapes: [
        [3, 2],
        [4, 3],
        [2, 1],
      ],
      apply: (a, b, c) => ops.gemm(a, b, c, { transposeA: true, transposeB: true }),
    },
  ],
  stackedAffine: [
    {
      shapes: [
        [2, 3, 4],
        [2, 4, 5],
        [2, 3, 1],
      ],
      apply: (w, x, b) => ops.stackedAffine(w, x, b),
    },
    {
      shapes: [
        [2, 3, 4],
        [1, 4, 5],
        [2, 3, 1],
      ],
      apply: (w, x, b) => ops.stackedAffine(w, x, b, { rectified: true }),
    },
  ],
  gather: [
    { shapes: [[4, 3]], apply: (a) => ops.gather(a, indices([3, 0, 3, 1, 1])) },
    { shapes: [[70, 2]], apply: (a) => ops.gather(a, indices([69, 0, 69, 1])) },
    { shapes: [[4]], apply: (a) => ops.gather(a, indices([3, 0, 3])) },
  ],
  scatterAdd: { shapes: [[4, 2]], apply: (a) => ops.scatterAdd(indices([2, 0, 2, 1]), a, 5) },
  softmax: [
    { shapes: [[3, 4]], apply: (a) => ops.softmax(a) },
    { shapes: [[5]], apply: (a) => ops.softmax(ops.expand(ops.reshape(a, [1, 5]), [256, 5])) },
  ],
  logSoftmax: [
    { shapes: [[3, 4]], apply: (a) => ops.logSoftmax(a) },
    { shapes: [[2, 20]], apply: (a) => ops.logSoftmax(a) },
    { shapes: [[3]], apply: (a) => ops.logSoftmax(ops.expand(ops.reshape(a, [1, 3]), [256, 3])) },
  ],
  layerNorm: [
    { shapes: [[2, 3, 5], [5], [5]], apply: (a, scale, bias) => ops.layerNorm(a, scale, bias) },
    { shapes: [[3, 20], [20], [20]], apply: (a, scale, bias) => ops.layerNorm(a, scale, bias) },
  ],
  normalise: { shapes: [[2, 3, 5]], apply: (a) => ops.normalise(a) },
  normalisedProduct: [
    { shapes: [[4, 5], [5, 2], [2]], apply: (a, weights, bias) => ops.normalisedProduct(a, weights, bias) },
    { shapes: [[4, 3], [3, 5], [5]], apply: (a, weights, bias) => ops.normalisedProduct(a, weights, bias) },
    {
      shapes: [
        [4, 5],
        [5, 2],
      ],
      apply: (a, weights) => ops.normalisedProduct(a, weights),
    },
    {
      shapes: [
        [2, 4, 5],
        [2, 5, 3],
      ],
      apply: (a, weights) => ops.normalisedProduct(a, weights),
    },
    {
      shapes: [
        [2, 4, 3],
        [2, 3, 3],
      ],
      apply: (a, weights) => ops.normalisedProduct(a, weights, undefined, 0.1),
    },
  ],
};

/** Operators without a gradient by nature, and helpers that are not operators. */
const withoutGradient = [
  "and",
  "argMax",
  "constant",
  "equal",
  "filled",
  "floatType",
  "floor",
  "greater",
  "greaterOrEqual",
  "input",
  "isItem",
  "item",
  "less",
  "lessOrEqual",
  "not",
  "or",
  "range",
  "scalar",
  "sign",
  "stopGradient",
  "sumTo",
  "unitStep",
];

const functionCases: Record<string, GradientCase | readonly GradientCase[]> = {
  square: { shapes: [[4]], apply: (a) => functions.square(a) },
  mean: { shapes: [[2, 3]], apply: (a) => functions.mean(a, [1]) },
  variance: { shapes: [[2, 3]], apply: (a) => functions.variance(a, [1], true) },
  min: { shapes: [[2, 3]], apply: (a) => functions.min(a, [1]) },
  logSumExp: { shapes: [[2, 3]], apply: (a) => functions.logSumExp(a, 1) },
  softplus: { shapes: [[6]], apply: (a) => functions.softplus(a), between: [-3, 3] },
  logSigmoid: { shapes: [[6]], apply: (a) => functions.logSigmoid(a), between: [-3, 3] },
  elu: { shapes: [[6]], apply: (a) => functions.elu(a) },
  leakyRelu: { shapes: [[6]], apply: (a) => functions.leakyRelu(a) },
  silu: { shapes: [[6]], apply: (a) => functions.silu(a) },
  huber: { shapes: [[9]], apply: (a) => functions.huber(a, 0.5) },
  pick: { shapes: [[3, 4]], apply: (a) => functions.pick(a, indices([1, 3, 0])) },
  categoricalEntropy: { shapes: [[3, 4]], apply: (a) => functions.categoricalEntropy(a) },
  maskLogits: {
    shapes: [[2, 3]],
    apply: (a) => ops.softmax(functions.maskLogits(a, mask([2, 3], [1, 0, 1, 1, 1, 0]))),
  },
  norm: { shapes: [[5]], apply: (a) => functions.norm(a) },
  flattened: { shapes: [[2, 3]], apply: (a) => functions.flattened(a) },
  weightedMean: { shapes: [[4], [4]], apply: (a, w) => functions.weightedMean(a, w), between: [0.2, 1] },
  lerp: { shapes: [[3], [3]], apply: (a, b) => functions.lerp(a, b, 0.3) },
  rows: { shapes: [[2, 3, 4]], apply: (a) => functions.rows(a) },
  unrows: { shapes: [[6, 4]], apply: (a) => functions.unrows(a, [2, 3]) },
};

/** A module's output as a function of its flat parameter vector and its inputs. */
function moduleCase<I extends readonly Expr[]>(
  module: nn.Module<I>,
  inputs: readonly (readonly number[])[],
  ...rest: Expr[]
): GradientCase {
  const layout = layoutOf(module.parameters);
  return {
    shapes: [[layout.size], ...inputs],
    apply: (vector, ...values) => module.apply(unpack(vector, layout), ...([...values, ...rest] as never)),
  };
}

const moduleCases: Record<string, GradientCase | readonly GradientCase[]> = {
  linear: [
    moduleCase(nn.linear("layer", 3, 2), [[2, 2, 3]]),
    moduleCase(nn.linear("layer", 3, 2, { bias: false }), [[4, 3]]),
  ],
  orthogonalLinear: moduleCase(nn.orthogonalLinear("layer", 3, 2, 1), [[2, 3]]),
  layerNormalisation: moduleCase(nn.layerNormalisation("norm", 4), [[3, 4]]),
  sequence: [
    moduleCase(nn.sequence(nn.linear("a", 3, 4), ops.tanh, nn.linear("b", 4, 2)), [[2, 3]]),
    moduleCase(nn.sequence(nn.layerNormalisation("norm", 4), nn.linear("a", 4, 2)), [[2, 3, 4]]),
  ],
  mlp: moduleCase(nn.mlp("mlp", 3, 2, { hidden: [5, 4], activation: ops.tanh }), [[4, 3]]),
  selfAttention: [
    moduleCase(nn.selfAttention("attention", 4, 2), [[3, 2, 4]]),
    moduleCase(nn.selfAttention("attention", 4, 2), [[2, 2, 4]], mask([2, 2], [1, 0, 1, 1])),
    moduleCase(nn.selfAttention("attention", 4, 2), [[2, 2, 1, 4]], mask([2, 1, 1, 2], [1, 0, 1, 1])),
  ],
  gruCell: moduleCase(nn.gruCell("gru", 3, 2), [
    [4, 3],
    [4, 2],
  ]),
};

for (const [room, cases, exported, exempt] of [
  ["operator", operatorCases, ops, withoutGradient],
  ["function", functionCases, functions, ["oneHot"]],
  ["module", moduleCases, nn, ["parameterCount"]],
] as const) {
  describe(`gradients of every ${room} against central differences`, () => {
    test("the list is complete", () => {
      expect([...Object.keys(cases), ...exempt].sort()).toEqual(Object.keys(exported).sort());
    });
    for (const [name, checks] of Object.entries(cases)) {
      for (const [index, check] of [checks].flat().entries()) {
        test(`${name} ${index}`, async () => {
          const rng = createRng(`gradients/${name}/${index}`);
          expect(await gradientError(engine, check as GradientCase, rng)).toBeLessThan(1e-6);
        });
      }
    }
  });
}

test("gradients reach nodes that lie within chains of reshapes and signs", async () => {
  const x = ops.constant("float64", [4], [1, 2, 3, 4]);
  const [wide, turned] = [ops.reshape(x, [1, 4]), ops.neg(x)];
  const loss = ops.sum(ops.mul(ops.reshape(wide, [4]), ops.neg(turned)));
  const [forWide, forTurned] = gradients(loss, [wide, turned]);
  expect([...((await evaluate(engine, forWide)) as Float64Array)]).toEqual([1, 2, 3, 4]);
  expect([...((await evaluate(engine, forTurned)) as Float64Array)]).toEqual([-1, -2, -3, -4]);
});
