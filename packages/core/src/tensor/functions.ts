/** Functions composed of the primitive operators. */
import { type Expr, resolveAxis, type Shape, ShapeError, sameShape, showShape, sizeOf } from "./expr.ts";
import {
  abs,
  add,
  cast,
  div,
  equal,
  exp,
  floatType,
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

/** `a^2`, elementwise. */
export const square = (a: Expr): Expr => mul(a, a);

/** Mean over `axes` (all by default). */
export function mean(a: Expr, axes?: readonly number[], keep = false): Expr {
  floatType("mean", a.dtype);
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
  const along = resolveAxis("logSumExp", axis, a.shape);
  const highest = max(a, [along], true);
  const total = add(log(sum(exp(sub(a, highest)), [along], true)), highest);
  return keep
    ? total
    : reshape(
        total,
        a.shape.filter((_, k) => k !== along),
      );
}

/** `log(1 + exp(a))`, without overflow. */
export function softplus(a: Expr): Expr {
  const positive = relu(a);
  // -|a| is written a - 2 relu(a), so that the slope at 0 is 1/2; with abs it would be 0.
  return add(positive, log(add(exp(sub(a, mul(positive, 2))), 1)));
}

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

/** One-hot rows of integer indices, `[...] -> [..., depth]`; an index outside `0..depth-1` gives a row of zeros. */
export function oneHot(indices: Expr, depth: number, dtype: "float32" | "float64"): Expr {
  if (indices.dtype !== "int32" && indices.dtype !== "int64") {
    throw new ShapeError("oneHot", `indices are ${indices.dtype}, not integers`);
  }
  return cast(equal(reshape(indices, [...indices.shape, 1]), range(indices.dtype, depth)), dtype);
}

/** Entry `index` of each row, `[..., A] x [...] -> [...]`; indices are integers. All entries must be finite. */
export function pick(a: Expr, index: Expr): Expr {
  const dtype = floatType("pick", a.dtype);
  const depth = a.shape[a.shape.length - 1];
  if (a.shape.length === 0 || !sameShape(a.shape.slice(0, -1), index.shape)) {
    throw new ShapeError(
      "pick",
      `${showShape(index.shape)} does not index the rows of ${showShape(a.shape)}`,
    );
  }
  return sum(mul(a, oneHot(index, depth, dtype)), [-1]);
}

/** Entropy of categorical distributions given by logits, in nats, `[..., A] -> [...]`. */
export function categoricalEntropy(logits: Expr): Expr {
  const logProbabilities = logSoftmax(logits);
  return neg(sum(mul(exp(logProbabilities), logProbabilities), [-1]));
}

/** Logits with unavailable actions (mask 0 or false) replaced by `-1e10`; the mask broadcasts to the logits. */
export const maskLogits = (logits: Expr, available: Expr): Expr =>
  where(available.dtype === "bool" ? available : equal(available, 1), logits, -1e10);

/** Euclidean norm of all entries, a scalar; its gradient at zero is not a number. */
export const norm = (a: Expr): Expr => sqrt(sum(square(a)));

/** All entries in row-major order as one vector. */
export const flattened = (a: Expr): Expr => reshape(a, [sizeOf(a.shape)]);

/** Weighted mean `sum(w a) / sum(w)` of all entries, a scalar; 0 when all weights are 0. Weights are not negative. */
export function weightedMean(a: Expr, weights: Expr): Expr {
  if (!sameShape(a.shape, weights.shape)) {
    throw new ShapeError(
      "weightedMean",
      `weights ${showShape(weights.shape)} do not fit ${showShape(a.shape)}`,
    );
  }
  return div(sum(mul(a, weights)), maximum(sum(weights), 1e-12));
}

/** Straight line from `from` (share 0) to `to` (share 1). */
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
