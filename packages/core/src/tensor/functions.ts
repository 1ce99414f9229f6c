/** Functions composed of the primitive operators. */
import { type Expr, isFloat, resolveAxis, type Shape, ShapeError, showShape, sizeOf } from "./expr.ts";
import {
  abs,
  add,
  cast,
  div,
  equal,
  exp,
  log,
  logSoftmax,
  max,
  maximum,
  minimum,
  mul,
  neg,
  type Operand,
  range,
  relu,
  reshape,
  sigmoid,
  sqrt,
  sub,
  sum,
  where,
} from "./ops.ts";

export const square = (a: Expr): Expr => mul(a, a);

/** Mean over `axes` (all by default). */
export function mean(a: Expr, axes?: readonly number[], keep = false): Expr {
  const total = sum(a, axes, keep);
  return mul(total, sizeOf(total.shape) / sizeOf(a.shape));
}

/** Population variance over `axes` (all by default). */
export function variance(a: Expr, axes?: readonly number[], keep = false): Expr {
  const deviation = sub(a, mean(a, axes ?? a.shape.map((_, axis) => axis), true));
  return mean(square(deviation), axes, keep);
}

/** Minimum over `axes` (all by default). */
export const min = (a: Expr, axes?: readonly number[], keep = false): Expr => neg(max(neg(a), axes, keep));

/** `log(sum(exp(a)))` over one axis, without overflow. */
export function logSumExp(a: Expr, axis: number, keep = false): Expr {
  const highest = max(a, [axis], true);
  const total = add(log(sum(exp(sub(a, highest)), [axis], true)), highest);
  const along = resolveAxis("logSumExp", axis, a.shape);
  return keep
    ? total
    : reshape(
        total,
        a.shape.filter((_, k) => k !== along),
      );
}

/** `log(1 + exp(a))`, without overflow. */
export const softplus = (a: Expr): Expr => add(relu(a), log(add(exp(neg(abs(a))), 1)));

/** `log(sigmoid(a))`, without overflow. */
export const logSigmoid = (a: Expr): Expr => neg(softplus(neg(a)));

/** `a` where positive, else `exp(a) - 1`. */
export const elu = (a: Expr): Expr => add(relu(a), sub(exp(minimum(a, 0)), 1));

/** `a` where positive, else `slope * a`. */
export const leakyRelu = (a: Expr, slope = 0.01): Expr => maximum(a, mul(a, slope));

/** `a * sigmoid(a)`. */
export const silu = (a: Expr): Expr => mul(a, sigmoid(a));

/** Huber loss of an error: `e^2 / 2` up to `delta`, linear beyond, on both sides. */
export function huber(error: Expr, delta: number): Expr {
  const size = abs(error);
  const inner = minimum(size, delta);
  return mul(inner, sub(size, mul(inner, 0.5)));
}

/** One-hot rows of integer indices, `[...] -> [..., depth]`. */
export function oneHot(indices: Expr, depth: number, dtype: "float32" | "float64"): Expr {
  if (isFloat(indices.dtype)) throw new ShapeError("oneHot", `indices are ${indices.dtype}, not integers`);
  return cast(equal(reshape(indices, [...indices.shape, 1]), range(indices.dtype, depth)), dtype);
}

/** Entry `index` of each row, `[..., A] x [...] -> [...]`. */
export function pick(a: Expr, index: Expr): Expr {
  const depth = a.shape[a.shape.length - 1];
  if (!isFloat(a.dtype) || a.shape.length !== index.shape.length + 1) {
    throw new ShapeError(
      "pick",
      `${showShape(index.shape)} does not index the rows of ${showShape(a.shape)}`,
    );
  }
  return sum(mul(a, oneHot(index, depth, a.dtype)), [-1]);
}

/** Entropy of categorical distributions given by logits, in nats, `[..., A] -> [...]`. */
export function categoricalEntropy(logits: Expr): Expr {
  const logProbabilities = logSoftmax(logits);
  return neg(sum(mul(exp(logProbabilities), logProbabilities), [-1]));
}

/** Logits with unavailable actions (mask 0) pushed to `-1e10`. */
export const maskLogits = (logits: Expr, available: Expr): Expr =>
  where(available.dtype === "bool" ? available : equal(available, 1), logits, -1e10);

/** Euclidean norm of all entries. */
export const norm = (a: Expr): Expr => sqrt(sum(square(a)));

/** Flattens and joins expressions into one vector. */
export const flattened = (a: Expr): Expr => reshape(a, [sizeOf(a.shape)]);

/** Weighted mean `sum(w a) / sum(w)`; the weights get no say when they are all zero. */
export const weightedMean = (a: Expr, weights: Expr): Expr =>
  div(sum(mul(a, weights)), maximum(sum(weights), 1e-12));

export const lerp = (from: Operand, to: Operand, share: number): Expr =>
  add(scale(from, 1 - share), scale(to, share));

const scale = (a: Operand, factor: number): Operand => (typeof a === "number" ? a * factor : mul(a, factor));

/** `[..., d] -> [rows, d]`. */
export function rows(a: Expr): Expr {
  const width = a.shape[a.shape.length - 1];
  return reshape(a, [sizeOf(a.shape) / width, width]);
}

/** `[rows, d] -> [...leading, d]`. */
export const unrows = (a: Expr, leading: Shape): Expr => reshape(a, [...leading, a.shape[1]]);
