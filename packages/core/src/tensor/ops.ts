/**
 * The primitive operators: for each its shape rule, its ONNX form and its vector-Jacobian product, in one place.
 * Everything else (`functions.ts`, `nn.ts`, `optim.ts`) is composed of these.
 *
 * Functions take expressions or plain numbers; a number becomes a scalar constant of the other operand's dtype.
 * Elementwise operators broadcast their operands by NumPy's rules. All of them throw a ShapeError that names the
 * operator, the argument and the shapes or dtypes when these do not fit.
 */
import {
  type Attributes,
  broadcastShapes,
  type ConstantData,
  type DType,
  type Expr,
  type FloatType,
  isFloat,
  type Lowering,
  type Op,
  resolveAxis,
  type Shape,
  ShapeError,
  sameShape,
  showShape,
  sizeOf,
} from "./expr.ts";
import { elementType } from "./onnx.ts";

export type Operand = Expr | number;

const expr = (
  op: Op,
  inputs: readonly Expr[],
  shape: Shape,
  dtype: DType,
  attributes: Attributes = {},
): Expr => Object.freeze({ op, inputs, shape: Object.freeze([...shape]), dtype, attributes });

/** An operator with one result whose ONNX node has the same inputs and attributes. */
const direct = (name: string, onnx: string, vjp?: Op["vjp"]): Op => ({
  name,
  lower: (e, inputs, to) => to.node(onnx, inputs, e.attributes),
  vjp,
});

// ── Leaves ──────────────────────────────────────────────────────────────────────────────────────────────────────

const inputOp: Op = {
  name: "input",
  lower: (e) => {
    throw new Error(`input "${e.name}" is not declared by the program that uses it`);
  },
};

/** A leaf that the caller feeds. */
export function input(name: string, dtype: DType, shape: Shape): Expr {
  return Object.freeze({ op: inputOp, inputs: [], attributes: {}, shape: [...shape], dtype, name });
}

const constantOp: Op = {
  name: "constant",
  lower: (e, _inputs, to) => [to.constant(e.dtype, e.shape, e.data!)],
};

const arrayFor: Record<DType, (values: ArrayLike<number>) => ConstantData> = {
  float32: (values) => Float32Array.from(values),
  float64: (values) => Float64Array.from(values),
  int32: (values) => Int32Array.from(values),
  int64: (values) => BigInt64Array.from(Array.from(values), BigInt),
  bool: (values) => Uint8Array.from(values),
};

const belongs: Record<DType, (value: number) => boolean> = {
  float32: () => true,
  float64: () => true,
  int32: (value) => value === (value | 0),
  int64: Number.isSafeInteger,
  bool: (value) => value === 0 || value === 1,
};

/**
 * A leaf with fixed values, in row-major order.
 *
 * @throws ShapeError when the number of values does not fill `shape` or one is none of the dtype's
 */
export function constant(dtype: DType, shape: Shape, values: ArrayLike<number>): Expr {
  if (values.length !== sizeOf(shape)) {
    throw new ShapeError("constant", `shape ${showShape(shape)} does not hold ${values.length} values`);
  }
  for (let i = 0; i < values.length; i++) {
    if (!belongs[dtype](values[i])) throw new ShapeError("constant", `${values[i]} is not of dtype ${dtype}`);
  }
  const data = arrayFor[dtype](values);
  return Object.freeze({ op: constantOp, inputs: [], attributes: {}, shape: [...shape], dtype, data });
}

/** A constant without axes. */
export const scalar = (dtype: DType, value: number): Expr => constant(dtype, [], [value]);

/** The integers `0..n-1`, `[n]`. */
export const range = (dtype: DType, n: number): Expr =>
  constant(
    dtype,
    [n],
    Array.from({ length: n }, (_, i) => i),
  );

/** A constant of one repeated value. */
export const filled = (dtype: DType, shape: Shape, value: number): Expr =>
  constant(dtype, shape, new Array<number>(sizeOf(shape)).fill(value));

const constantValue = (e: Expr): number | undefined =>
  e.op === constantOp && e.data!.length === 1 && e.shape.length === 0 ? Number(e.data![0]) : undefined;

// ── Elementwise, two operands ───────────────────────────────────────────────────────────────────────────────────

/**
 * A number as the other operand of `e`. Beside a column it is a matrix of one entry: the runtime walks a column and a
 * scalar entry by entry, measured eight times slower.
 */
function numberBeside({ dtype, shape }: Expr, value: number): Expr {
  const isColumn = shape.length > 1 && shape[shape.length - 1] === 1;
  return isColumn ? filled(dtype, new Array<number>(shape.length).fill(1), value) : scalar(dtype, value);
}

function operands(op: string, a: Operand, b: Operand): [Expr, Expr] {
  if (typeof a === "number" && typeof b === "number") {
    throw new ShapeError(op, "at least one operand must be an expression");
  }
  const left = typeof a === "number" ? numberBeside(b as Expr, a) : a;
  const right = typeof b === "number" ? numberBeside(left, b) : b;
  if (left.dtype !== right.dtype) {
    throw new ShapeError(op, `operands have different dtypes ${left.dtype} and ${right.dtype}`);
  }
  return [left, right];
}

type Accepted = "numbers" | "bools" | "anything";

function accept(op: string, accepted: Accepted, dtype: DType): void {
  if (accepted !== "anything" && (accepted === "bools") !== (dtype === "bool")) {
    throw new ShapeError(op, `takes ${accepted}, got ${dtype}`);
  }
}

function binary(op: Op, a: Operand, b: Operand, dtype?: DType, accepted: Accepted = "numbers"): Expr {
  const [left, right] = operands(op.name, a, b);
  accept(op.name, accepted, left.dtype);
  return expr(op, [left, right], broadcastShapes(op.name, left.shape, right.shape), dtype ?? left.dtype);
}

/** Sums a broadcast gradient back to the shape of the operand it belongs to. */
export function sumTo(gradient: Expr, shape: Shape): Expr {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.shape.length - shape.length;
  const axes: number[] = [];
  for (let axis = 0; axis < gradient.shape.length; axis++) {
    if (axis < extra || (shape[axis - extra] === 1 && gradient.shape[axis] !== 1)) axes.push(axis);
  }
  if (axes.length === 0) return reshape(gradient, shape);
  const leading = axes.length < gradient.shape.length && axes.every((axis, k) => axis === k);
  return reshape(leading ? sumLeading(gradient, axes.length) : sum(gradient, axes, true), shape);
}

/** Sums the first `count` axes to `[1, ...]` as a product with ones: measured several times faster than ReduceSum. */
function sumLeading(a: Expr, count: number): Expr {
  const rows = sizeOf(a.shape.slice(0, count));
  const matrix = reshape(a, [rows, sizeOf(a.shape) / rows]);
  return rows === 1 || !isFloat(a.dtype)
    ? sum(matrix, [0], true)
    : gemm(filled(a.dtype, [1, rows], 1), matrix);
}

const addOp: Op = direct("add", "Add", ({ inputs: [a, b] }, [g]) => [sumTo(g!, a.shape), sumTo(g!, b.shape)]);
const subOp: Op = direct("sub", "Sub", ({ inputs: [a, b] }, [g]) => [
  sumTo(g!, a.shape),
  neg(sumTo(g!, b.shape)),
]);
const mulOp: Op = direct("mul", "Mul", ({ inputs: [a, b] }, [g]) => [
  sumTo(mul(g!, b), a.shape),
  sumTo(mul(g!, a), b.shape),
]);
const divOp: Op = direct("div", "Div", (e, [g]) => {
  const [a, b] = e.inputs;
  const quotient = div(g!, b);
  return [sumTo(quotient, a.shape), neg(sumTo(mul(quotient, e), b.shape))];
});
const minimumOp: Op = direct("minimum", "Min", ({ inputs: [a, b] }, [g]) => {
  const first = lessOrEqual(a, b);
  return [sumTo(where(first, g!, 0), a.shape), sumTo(where(first, 0, g!), b.shape)];
});
const maximumOp: Op = direct("maximum", "Max", ({ inputs: [a, b] }, [g]) => {
  const first = greaterOrEqual(a, b);
  return [sumTo(where(first, g!, 0), a.shape), sumTo(where(first, 0, g!), b.shape)];
});
const powOp: Op = direct("pow", "Pow", (e, [g]) => {
  const [base, exponent] = e.inputs;
  return [
    sumTo(mul(g!, mul(exponent, pow(base, sub(exponent, 1)))), base.shape),
    sumTo(mul(g!, mul(e, log(base))), exponent.shape),
  ];
});

export function add(a: Operand, b: Operand): Expr {
  if (b === 0 && typeof a !== "number") return a;
  if (a === 0 && typeof b !== "number") return b;
  return binary(addOp, a, b);
}
export const sub = (a: Operand, b: Operand): Expr =>
  b === 0 && typeof a !== "number" ? a : binary(subOp, a, b);
export function mul(a: Operand, b: Operand): Expr {
  if (typeof a !== "number" && (b === 1 || (typeof b !== "number" && constantValue(b) === 1))) return a;
  if (typeof b !== "number" && (a === 1 || (typeof a !== "number" && constantValue(a) === 1))) return b;
  return binary(mulOp, a, b);
}
export const div = (a: Operand, b: Operand): Expr =>
  b === 1 && typeof a !== "number" ? a : binary(divOp, a, b);
/** The smaller of both; where they are equal the gradient goes to `a`. */
export const minimum = (a: Operand, b: Operand): Expr => binary(minimumOp, a, b);
/** The larger of both; where they are equal the gradient goes to `a`. */
export const maximum = (a: Operand, b: Operand): Expr => binary(maximumOp, a, b);
/** `a` to the power of `b`. The gradient for `b` needs a positive base. */
export const pow = (a: Operand, b: Operand): Expr => binary(powOp, a, b);

const comparison = (name: string, onnx: string, accepted: Accepted = "numbers") => {
  const op = direct(name, onnx);
  return (a: Operand, b: Operand): Expr => binary(op, a, b, "bool", accepted);
};

export const greater = comparison("greater", "Greater");
export const greaterOrEqual = comparison("greaterOrEqual", "GreaterOrEqual");
export const less = comparison("less", "Less");
export const lessOrEqual = comparison("lessOrEqual", "LessOrEqual");
export const equal = comparison("equal", "Equal", "anything");
export const and = comparison("and", "And", "bools");
export const or = comparison("or", "Or", "bools");

const notOp = direct("not", "Not");
export function not(a: Expr): Expr {
  accept("not", "bools", a.dtype);
  return expr(notOp, [a], a.shape, "bool");
}

const whereOp: Op = direct("where", "Where", ({ inputs: [condition, a, b] }, [g]) => [
  undefined,
  sumTo(where(condition, g!, 0), a.shape),
  sumTo(where(condition, 0, g!), b.shape),
]);

/** `a` where `condition` (bool) holds, else `b`; all three broadcast. */
export function where(condition: Expr, a: Operand, b: Operand): Expr {
  if (condition.dtype !== "bool") throw new ShapeError("where", `condition is ${condition.dtype}, not bool`);
  const [left, right] = operands("where", a, b);
  const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", left.shape, right.shape));
  return expr(whereOp, [condition, left, right], shape, left.dtype);
}

// ── Elementwise, one operand ────────────────────────────────────────────────────────────────────────────────────

/** A float dtype, or an error that names who asked. */
export function floatType(op: string, dtype: DType): FloatType {
  if (!isFloat(dtype)) throw new ShapeError(op, `needs a float, got ${dtype}`);
  return dtype;
}

const unary = (op: Op, a: Expr): Expr => expr(op, [a], a.shape, floatType(op.name, a.dtype));

const negOp: Op = direct("neg", "Neg", (_e, [g]) => [neg(g!)]);
const expOp: Op = direct("exp", "Exp", (e, [g]) => [mul(g!, e)]);
const logOp: Op = direct("log", "Log", ({ inputs: [a] }, [g]) => [div(g!, a)]);
const sqrtOp: Op = direct("sqrt", "Sqrt", (e, [g]) => [div(mul(g!, 0.5), e)]);
const absOp: Op = direct("abs", "Abs", ({ inputs: [a] }, [g]) => [mul(g!, sign(a))]);
const signOp: Op = direct("sign", "Sign");
const floorOp: Op = direct("floor", "Floor");
/** For values that are not below 0. A product with 0 or 1 is faster than a comparison and a choice. */
const unitStepOp: Op = {
  name: "unitStep",
  lower(e, [a], to) {
    // In one pass: the factor takes every positive float32 beyond 1, where a hard sigmoid ends.
    if (e.dtype === "float32") return to.node("HardSigmoid", [a], { alpha: 3e38, beta: 0 });
    return to.node("Cast", to.node("Cast", [a], { to: elementType("bool") }), { to: elementType(e.dtype) });
  },
};
const reluOp: Op = direct("relu", "Relu", (e, [g]) => [mul(g!, unitStep(e))]);
const tanhOp: Op = direct("tanh", "Tanh", (e, [g]) => [mul(g!, sub(1, mul(e, e)))]);
const sigmoidOp: Op = direct("sigmoid", "Sigmoid", (e, [g]) => [mul(g!, mul(e, sub(1, e)))]);
const sinOp: Op = direct("sin", "Sin", ({ inputs: [a] }, [g]) => [mul(g!, cos(a))]);
const cosOp: Op = direct("cos", "Cos", ({ inputs: [a] }, [g]) => [neg(mul(g!, sin(a)))]);

export const neg = (a: Expr): Expr => unary(negOp, a);
export const exp = (a: Expr): Expr => unary(expOp, a);
export const log = (a: Expr): Expr => unary(logOp, a);
export const sqrt = (a: Expr): Expr => unary(sqrtOp, a);
export const abs = (a: Expr): Expr => unary(absOp, a);
/** -1, 0 or 1; no gradient. */
export const sign = (a: Expr): Expr => unary(signOp, a);
/** Largest whole number not above; no gradient. */
export const floor = (a: Expr): Expr => unary(floorOp, a);
export const relu = (a: Expr): Expr => unary(reluOp, a);
/** 1 where `a`, which is nowhere below 0, is positive, else 0; no gradient. The slope of `relu`, from what it gives. */
export const unitStep = (a: Expr): Expr => unary(unitStepOp, a);
export const tanh = (a: Expr): Expr => unary(tanhOp, a);
export const sigmoid = (a: Expr): Expr => unary(sigmoidOp, a);
export const sin = (a: Expr): Expr => unary(sinOp, a);
export const cos = (a: Expr): Expr => unary(cosOp, a);

const clipOp: Op = direct("clip", "Clip", ({ inputs: [a, low, high] }, [g]) => [
  where(and(greaterOrEqual(a, low), lessOrEqual(a, high)), g!, 0),
  undefined,
  undefined,
]);

/** Limits values to `[low, high]`; the gradient passes where the value lies inside, ends included. */
export function clip(a: Expr, low: number, high: number): Expr {
  accept("clip", "numbers", a.dtype);
  if (!(low <= high)) throw new ShapeError("clip", `lower limit ${low} is above upper limit ${high}`);
  return expr(clipOp, [a, scalar(a.dtype, low), scalar(a.dtype, high)], a.shape, a.dtype);
}

const castOp: Op = {
  name: "cast",
  lower: (e, inputs, to) => to.node("Cast", inputs, { to: elementType(e.dtype) }),
  vjp: ({ inputs: [a] }, [g]) => [isFloat(a.dtype) ? cast(g!, a.dtype) : undefined],
};
/** The same values in another dtype; fractions are cut off towards zero, anything but 0 becomes true. */
export const cast = (a: Expr, dtype: DType): Expr =>
  a.dtype === dtype ? a : expr(castOp, [a], a.shape, dtype);

const stopGradientOp: Op = direct("stopGradient", "Identity");
/** The same values, through which no gradient flows. */
export const stopGradient = (a: Expr): Expr => expr(stopGradientOp, [a], a.shape, a.dtype);

// ── Shape ───────────────────────────────────────────────────────────────────────────────────────────────────────

const reshapeOp: Op = {
  name: "reshape",
  lower: (e, [a], to) => to.node("Reshape", [a, to.integers(e.shape)]),
  vjp: ({ inputs: [a] }, [g]) => [reshape(g!, a.shape)],
};

/** The same values under another shape; one extent may be -1 and is worked out. */
export function reshape(a: Expr, shape: Shape): Expr {
  const known = shape.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  const full = shape.map((extent) => (extent === -1 ? sizeOf(a.shape) / known : extent));
  if (sizeOf(full) !== sizeOf(a.shape) || full.some((extent) => !Number.isInteger(extent) || extent < 0)) {
    throw new ShapeError("reshape", `shape ${showShape(a.shape)} cannot become ${showShape(shape)}`);
  }
  if (sameShape(full, a.shape)) return a;
  return expr(reshapeOp, [a], full, a.dtype);
}

const transposeOp: Op = {
  name: "transpose",
  lower(e, [a], to) {
    const permutation = e.attributes.permutation as readonly number[];
    let moved = permutation.length;
    while (moved > 0 && permutation[moved - 1] === moved - 1) moved--;
    const width = sizeOf(e.shape.slice(moved));
    if (width < GATHERED_ROWS.least || width > GATHERED_ROWS.most) {
      return to.node("Transpose", [a], { perm: permutation });
    }
    const order = rowOrder(e.inputs[0].shape, permutation.slice(0, moved));
    const table = to.node("Reshape", [a, to.integers([order.length, width])])[0];
    const rows = to.node("Gather", [table, to.constant("int32", [order.length], order)], { axis: 0 })[0];
    return to.node("Reshape", [rows, to.integers(e.shape)]);
  },
  vjp: (e, [g]) => {
    const permutation = e.attributes.permutation as readonly number[];
    return [
      transpose(
        g!,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ];
  },
};

/**
 * Transpositions that move whole rows of so many numbers are written as gathering these rows: measured about twice as
 * fast as the runtime's own.
 */
const GATHERED_ROWS = { least: 4, most: 64 };

/** For each row of the result of a transposition of the leading axes: which row of its input it is. */
function rowOrder(shape: Shape, permutation: readonly number[]): Int32Array {
  const strides = permutation.map((axis) => sizeOf(shape.slice(axis + 1, permutation.length)));
  const extents = permutation.map((axis) => shape[axis]);
  const at = extents.map(() => 0);
  return Int32Array.from({ length: sizeOf(extents) }, () => {
    const row = at.reduce((total, index, k) => total + index * strides[k], 0);
    for (let k = at.length - 1; k >= 0 && ++at[k] === extents[k]; k--) at[k] = 0;
    return row;
  });
}

/** Axis `k` of the result is axis `permutation[k]` of `a`. */
export function transpose(a: Expr, permutation: readonly number[]): Expr {
  const sorted = [...permutation].sort((x, y) => x - y);
  if (permutation.length !== a.shape.length || sorted.some((axis, k) => axis !== k)) {
    throw new ShapeError(
      "transpose",
      `[${permutation.join(", ")}] is not a permutation of the axes of ${showShape(a.shape)}`,
    );
  }
  if (permutation.every((axis, k) => axis === k)) return a;
  const moving = permutation.filter((axis) => a.shape[axis] !== 1);
  if (moving.every((axis, k) => k === 0 || axis > moving[k - 1])) {
    return reshape(
      a,
      permutation.map((axis) => a.shape[axis]),
    );
  }
  if (a.op === transposeOp) {
    const before = a.attributes.permutation as readonly number[];
    return transpose(
      a.inputs[0],
      permutation.map((axis) => before[axis]),
    );
  }
  return expr(
    transposeOp,
    [a],
    permutation.map((axis) => a.shape[axis]),
    a.dtype,
    { permutation },
  );
}

const ones = (dtype: FloatType, count: number): ConstantData =>
  (dtype === "float32" ? new Float32Array(count) : new Float64Array(count)).fill(1);

const expandOp: Op = {
  name: "expand",
  lower(e, [a], to) {
    const { shape } = e.inputs[0];
    const width = e.shape[e.shape.length - 1];
    const isColumn = shape.length > 1 && sameShape([...shape.slice(0, -1), width], e.shape);
    if (!isColumn || !isFloat(e.dtype)) return to.node("Expand", [a, to.integers(e.shape)]);
    // The runtime repeats a column entry by entry; its product with a row of ones is several times faster.
    return to.node("MatMul", [a, to.constant(e.dtype, [1, width], ones(e.dtype, width))]);
  },
  vjp: ({ inputs: [a] }, [g]) => [sumTo(g!, a.shape)],
};

/** Repeats values along axes of extent 1 (and new leading axes) up to `shape`. */
export function expand(a: Expr, shape: Shape): Expr {
  if (!sameShape(broadcastShapes("expand", a.shape, shape), shape)) {
    throw new ShapeError("expand", `shape ${showShape(a.shape)} does not expand to ${showShape(shape)}`);
  }
  return sameShape(a.shape, shape) ? a : expr(expandOp, [a], shape, a.dtype);
}

const concatOp: Op = {
  name: "concat",
  lower: (e, inputs, to) => to.node("Concat", inputs, { axis: e.attributes.axis as number }),
  vjp: (e, [g]) => {
    const axis = e.attributes.axis as number;
    let start = 0;
    return e.inputs.map((part) => {
      const end = start + part.shape[axis];
      const piece = slice(g!, axis, start, end);
      start = end;
      return piece;
    });
  },
};

/** Joins along `axis`; all other extents must agree. */
export function concat(parts: readonly Expr[], axis: number): Expr {
  if (parts.length === 0) throw new ShapeError("concat", "nothing to join");
  const [first] = parts;
  const along = resolveAxis("concat", axis, first.shape);
  for (const [index, part] of parts.entries()) {
    const agrees =
      part.shape.length === first.shape.length &&
      part.shape.every((extent, k) => k === along || extent === first.shape[k]);
    if (!agrees || part.dtype !== first.dtype) {
      throw new ShapeError(
        "concat",
        `part ${index} is ${part.dtype} ${showShape(part.shape)}, which does not join ${first.dtype} ${showShape(first.shape)} along axis ${axis}`,
      );
    }
  }
  if (parts.length === 1) return first;
  const shape = [...first.shape];
  shape[along] = parts.reduce((total, part) => total + part.shape[along], 0);
  return expr(concatOp, parts, shape, first.dtype, { axis: along });
}

const sliceOp: Op = {
  name: "slice",
  lower: (e, [a], to) => {
    const { axis, start, end } = e.attributes as Record<string, number>;
    return to.node("Slice", [a, to.integers([start]), to.integers([end]), to.integers([axis])]);
  },
  vjp: (e, [g]) => {
    const { axis, start, end } = e.attributes as Record<string, number>;
    return [pad(g!, axis, start, e.inputs[0].shape[axis] - end)];
  },
};

/** Entries `start..end-1` along `axis`. */
export function slice(a: Expr, axis: number, start: number, end: number): Expr {
  const along = resolveAxis("slice", axis, a.shape);
  const whole = Number.isInteger(start) && Number.isInteger(end);
  if (!(whole && start >= 0 && start < end && end <= a.shape[along])) {
    throw new ShapeError("slice", `${start}..${end} is not a range of axis ${axis} of ${showShape(a.shape)}`);
  }
  if (start === 0 && end === a.shape[along]) return a;
  const shape = [...a.shape];
  shape[along] = end - start;
  return expr(sliceOp, [a], shape, a.dtype, { axis: along, start, end });
}

const padOp: Op = {
  name: "pad",
  lower: (e, [a], to) => {
    const { axis, before, after } = e.attributes as Record<string, number>;
    const rank = e.shape.length;
    const pads = new Array<number>(2 * rank).fill(0);
    pads[axis] = before;
    pads[rank + axis] = after;
    return to.node("Pad", [a, to.integers(pads)]);
  },
  vjp: (e, [g]) => {
    const { axis, before } = e.attributes as Record<string, number>;
    return [slice(g!, axis, before, before + e.inputs[0].shape[axis])];
  },
};

/** Adds zeros before and after along `axis`. */
export function pad(a: Expr, axis: number, before: number, after: number): Expr {
  const along = resolveAxis("pad", axis, a.shape);
  if (!(Number.isInteger(before) && Number.isInteger(after) && before >= 0 && after >= 0)) {
    throw new ShapeError("pad", `widths ${before} and ${after} must be whole numbers >= 0`);
  }
  if (before === 0 && after === 0) return a;
  const shape = [...a.shape];
  shape[along] += before + after;
  return expr(padOp, [a], shape, a.dtype, { axis: along, before, after });
}

// ── Several results ─────────────────────────────────────────────────────────────────────────────────────────────

const itemOp: Op = {
  name: "item",
  lower: () => {
    throw new Error("an item is read from its tuple, never emitted");
  },
};

/** Result `index` of an operator with several results. */
export const item = (tuple: Expr, index: number): Expr =>
  expr(itemOp, [tuple], tuple.results![index].shape, tuple.results![index].dtype, { index });

export const isItem = (e: Expr): boolean => e.op === itemOp;

const splitOp: Op = {
  name: "split",
  lower: (e, [a], to) =>
    to.node(
      "Split",
      [a, to.integers(e.attributes.sizes as number[])],
      { axis: e.attributes.axis as number },
      { results: e.results!.length },
    ),
  vjp: (e, upstream) => [
    concat(
      e.results!.map(({ shape }, index) => upstream[index] ?? filled(e.dtype, shape, 0)),
      e.attributes.axis as number,
    ),
  ],
};

/** Cuts `a` along `axis` into pieces of the given sizes, which add up to the whole. */
export function split(a: Expr, sizes: readonly number[], axis: number): readonly Expr[] {
  const along = resolveAxis("split", axis, a.shape);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== a.shape[along] || sizes.some((size) => !Number.isInteger(size) || size < 0)) {
    throw new ShapeError(
      "split",
      `sizes ${showShape(sizes)} do not add up to axis ${axis} of ${showShape(a.shape)}`,
    );
  }
  if (sizes.length === 1) return [a];
  const results = sizes.map((size) => ({
    shape: a.shape.map((extent, k) => (k === along ? size : extent)),
    dtype: a.dtype,
  }));
  const tuple = Object.freeze({ ...expr(splitOp, [a], [], a.dtype, { axis: along, sizes }), results });
  return sizes.map((_, index) => item(tuple, index));
}

// ── Reductions ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Reduction {
  readonly axes: readonly number[];
  readonly keptShape: Shape;
  readonly shape: Shape;
}

function reduction(op: string, a: Expr, axes: readonly number[] | undefined, keep: boolean): Reduction {
  accept(op, "numbers", a.dtype);
  const resolved = axes?.map((axis) => resolveAxis(op, axis, a.shape)) ?? a.shape.map((_, axis) => axis);
  if (new Set(resolved).size !== resolved.length) {
    throw new ShapeError(op, `axes ${showShape(axes!)} of shape ${showShape(a.shape)} repeat one`);
  }
  const keptShape = a.shape.map((extent, axis) => (resolved.includes(axis) ? 1 : extent));
  return {
    axes: resolved,
    keptShape,
    shape: keep ? keptShape : a.shape.filter((_, axis) => !resolved.includes(axis)),
  };
}

const sumOp: Op = {
  name: "sum",
  lower: (e, [a], to) =>
    to.node("ReduceSum", [a, to.integers(e.attributes.axes as number[])], {
      keepdims: e.attributes.keep as number,
    }),
  vjp: (e, [g]) => {
    const [a] = e.inputs;
    const kept = reduction("sum", a, e.attributes.axes as number[], true).keptShape;
    return [expand(reshape(g!, kept), a.shape)];
  },
};

/** Sum over `axes` (all by default). */
export function sum(a: Expr, axes?: readonly number[], keep = false): Expr {
  const rule = reduction("sum", a, axes, keep);
  if (rule.axes.every((axis) => a.shape[axis] === 1)) return reshape(a, rule.shape);
  return expr(sumOp, [a], rule.shape, a.dtype, { axes: rule.axes, keep: keep ? 1 : 0 });
}

const maxOp: Op = {
  name: "max",
  lower: (e, inputs, to) =>
    to.node("ReduceMax", inputs, {
      axes: e.attributes.axes as number[],
      keepdims: e.attributes.keep as number,
    }),
  vjp: (e, [g]) => {
    const [a] = e.inputs;
    const axes = e.attributes.axes as number[];
    const kept = reduction("max", a, axes, true).keptShape;
    const attained = cast(equal(a, reshape(e, kept)), a.dtype);
    return [mul(div(attained, sum(attained, axes, true)), reshape(g!, kept))];
  },
};

/** Maximum over `axes` (all by default); entries that attain it share the gradient equally. */
export function max(a: Expr, axes?: readonly number[], keep = false): Expr {
  const rule = reduction("max", a, axes, keep);
  // ONNX takes an empty list of axes for all axes.
  if (rule.axes.length === 0) return a;
  return expr(maxOp, [a], rule.shape, a.dtype, { axes: rule.axes, keep: keep ? 1 : 0 });
}

const argMaxOp: Op = {
  name: "argMax",
  lower: (e, inputs, to) => to.node("ArgMax", inputs, { axis: e.attributes.axis as number, keepdims: 0 }),
};

/** Index of the (first) maximum along `axis`, int64; no gradient. */
export function argMax(a: Expr, axis: number): Expr {
  const along = resolveAxis("argMax", axis, a.shape);
  if (!isFloat(a.dtype) && a.dtype !== "int32")
    throw new ShapeError("argMax", `takes floats or int32, got ${a.dtype}`);
  return expr(
    argMaxOp,
    [a],
    a.shape.filter((_, k) => k !== along),
    "int64",
    { axis: along },
  );
}

const cumSumOp: Op = {
  name: "cumSum",
  lower: (e, [a], to) =>
    to.node("CumSum", [a, to.constant("int64", [], BigInt64Array.of(BigInt(e.attributes.axis as number)))], {
      reverse: e.attributes.reverse as number,
    }),
  vjp: (e, [g]) => [cumSum(g!, e.attributes.axis as number, e.attributes.reverse === 0)],
};

/** Running sum along `axis`, from the end when `reverse`. */
export function cumSum(a: Expr, axis: number, reverse = false): Expr {
  accept("cumSum", "numbers", a.dtype);
  return expr(cumSumOp, [a], a.shape, a.dtype, {
    axis: resolveAxis("cumSum", axis, a.shape),
    reverse: reverse ? 1 : 0,
  });
}

// ── Products ────────────────────────────────────────────────────────────────────────────────────────────────────

/** How an operand of a product is stored, when not as `[...batch, m, k]`. */
interface Storage {
  /** Rows and columns are exchanged: `[...batch, k, m]`. */
  readonly transposed: boolean;
  /** The first axis lies before the batch: `[m, ...batch, k]`, or `[k, ...batch, m]`. */
  readonly interleaved: boolean;
}

const STORAGES: readonly Storage[] = [
  { transposed: false, interleaved: false },
  { transposed: true, interleaved: false },
  { transposed: false, interleaved: true },
  { transposed: true, interleaved: true },
];

/** The permutation that reads a stored operand as `[...batch, m, k]`. */
function readingOrder({ transposed, interleaved }: Storage, rank: number): readonly number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const matrix = interleaved ? [0, rank - 1] : [rank - 2, rank - 1];
  const batch = axes.filter((axis) => !matrix.includes(axis));
  return [...batch, ...(transposed ? matrix.reverse() : matrix)];
}

/** An operand as it is stored: without the transposition that a product can do while reading, if it is one. */
function asStored(a: Expr): { readonly stored: Expr; readonly storage: number } {
  if (a.op === transposeOp) {
    const permutation = a.attributes.permutation as readonly number[];
    const storage = STORAGES.findIndex((kind) =>
      sameShape(readingOrder(kind, permutation.length), permutation),
    );
    if (storage !== -1) return { stored: a.inputs[0], storage };
  }
  return { stored: a, storage: 0 };
}

/** Operand `k` of a product as the product reads it, and how it is stored. */
function operand(e: Expr, k: number): { readonly read: Expr; readonly storage: Storage } {
  const storage = STORAGES[(e.attributes.storages as readonly number[])[k]];
  return { read: transpose(e.inputs[k], readingOrder(storage, e.inputs[k].shape.length)), storage };
}

/** Matrices in the last two axes transposed. */
const swapLast = (a: Expr): Expr => transpose(a, readingOrder(STORAGES[1], a.shape.length));

/** Operands are kept as they are stored; the runtime transposes them while it reads them, without a copy. */
const matMulOp: Op = {
  name: "matMul",
  lower(e, inputs, to) {
    const read = inputs.map((name, k) => {
      const storage = (e.attributes.storages as readonly number[])[k];
      const perm = readingOrder(STORAGES[storage], e.inputs[k].shape.length);
      return storage === 0 ? name : to.node("Transpose", [name], { perm })[0];
    });
    return to.node("MatMul", read);
  },
  vjp: (e, [g]) => {
    const [a, b] = [operand(e, 0), operand(e, 1)];
    const forA = a.storage.transposed ? matMul(b.read, swapLast(g!)) : matMul(g!, swapLast(b.read));
    const forB = b.storage.transposed ? matMul(swapLast(g!), a.read) : matMul(swapLast(a.read), g!);
    return [asKept(forA, a), asKept(forB, b)];
  },
};

/** The gradient for an operand, given as `[...batch, m, k]` or, where it is stored transposed, `[...batch, k, m]`. */
function asKept(gradient: Expr, { read, storage }: ReturnType<typeof operand>): Expr {
  const summed = sumTo(gradient, (storage.transposed ? swapLast(read) : read).shape);
  const order = readingOrder({ ...storage, transposed: false }, summed.shape.length);
  return transpose(
    summed,
    order.map((_, axis) => order.indexOf(axis)),
  );
}

/** Product of the last two axes, `[..., m, k] x [..., k, n] -> [..., m, n]`; leading axes broadcast. */
export function matMul(a: Expr, b: Expr): Expr {
  accept("matMul", "numbers", a.dtype);
  const [m, k] = a.shape.slice(-2);
  const [inner, n] = b.shape.slice(-2);
  if (a.shape.length < 2 || b.shape.length < 2 || k !== inner || a.dtype !== b.dtype) {
    throw new ShapeError(
      "matMul",
      `${a.dtype} ${showShape(a.shape)} and ${b.dtype} ${showShape(b.shape)} do not multiply`,
    );
  }
  const leading = broadcastShapes("matMul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [left, right] = [asStored(a), asStored(b)];
  const storages = [left.storage, right.storage];
  return expr(matMulOp, [left.stored, right.stored], [...leading, m, n], a.dtype, { storages });
}

const gemmOp: Op = {
  name: "gemm",
  lower: (e, inputs, to) =>
    to.node("Gemm", inputs, {
      transA: e.attributes.transposeA as number,
      transB: e.attributes.transposeB as number,
    }),
  vjp: (e, [g]) => {
    const [a, b, c] = e.inputs;
    const transposeA = e.attributes.transposeA === 1;
    const transposeB = e.attributes.transposeB === 1;
    const forA = transposeA
      ? gemm(b, g!, undefined, { transposeA: transposeB, transposeB: true })
      : gemm(g!, b, undefined, { transposeB: !transposeB });
    const forB = transposeB
      ? gemm(g!, a, undefined, { transposeA: true, transposeB: transposeA })
      : gemm(a, g!, undefined, { transposeA: !transposeA });
    return c === undefined ? [forA, forB] : [forA, forB, sumTo(g!, c.shape)];
  },
};

/**
 * `A B + c` for matrices, `[m, k] x [k, n] + [n] -> [m, n]`; `transposeA`: `A` is given as `[k, m]`; `transposeB`: `B` is
 * given as `[n, k]`.
 */
export function gemm(
  a: Expr,
  b: Expr,
  c?: Expr,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Expr {
  if (a.shape.length !== 2 || b.shape.length !== 2) {
    throw new ShapeError("gemm", `needs two matrices, got ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  floatType("gemm", a.dtype);
  const [m, k] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const [inner, n] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
  if (k !== inner || a.dtype !== b.dtype) {
    throw new ShapeError(
      "gemm",
      `${a.dtype} ${showShape(a.shape)}${transposeA ? "ᵀ" : ""} and ${b.dtype} ${showShape(b.shape)}${transposeB ? "ᵀ" : ""} do not multiply`,
    );
  }
  if (
    c !== undefined &&
    (c.dtype !== a.dtype || !sameShape(broadcastShapes("gemm", c.shape, [m, n]), [m, n]))
  ) {
    throw new ShapeError(
      "gemm",
      `bias ${c.dtype} ${showShape(c.shape)} does not fit the product ${a.dtype} ${showShape([m, n])}`,
    );
  }
  return expr(gemmOp, c === undefined ? [a, b] : [a, b, c], [m, n], a.dtype, {
    transposeA: transposeA ? 1 : 0,
    transposeB: transposeB ? 1 : 0,
  });
}

/** Inputs: weights `[G, out, in]`, columns `[G, in, B]`, biases `[G, out, 1]`. */
const stackedAffineOp: Op = {
  name: "stackedAffine",
  lower(e, [weights, columns, biases], to) {
    const [{ shape: maps }, { shape: samples }] = e.inputs;
    const [count, outputs, inputs] = maps;
    const as = (name: string, ...shape: number[]): string =>
      to.node("Reshape", [name, to.integers(shape)])[0];
    const activated = (name: string): string =>
      e.attributes.rectified === 1 ? to.node("Relu", [name])[0] : name;
    if (e.dtype !== "float32") {
      const product = to.node("MatMul", [weights, columns]);
      return [activated(to.node("Add", [...product, biases])[0])];
    }
    // A convolution of width 1 with a group of channels for each map: one pass adds biases and rectifies, in the cache.
    const channels = to.node(
      "Conv",
      [
        as(columns, 1, count * inputs, samples[2]),
        as(weights, count * outputs, inputs, 1),
        as(biases, count * outputs),
      ],
      { group: count },
    )[0];
    return [as(activated(channels), ...e.shape)];
  },
  vjp(e, [g]) {
    const [weights, columns] = e.inputs;
    const upstream = e.attributes.rectified === 1 ? mul(g!, unitStep(e)) : g!;
    return [
      matMul(upstream, swapLast(columns)),
      matMul(swapLast(weights), upstream),
      sum(upstream, [2], true),
    ];
  },
};

/**
 * `G` affine maps side by side, each of its own columns: `W x + b`, `[G, out, in]`, `[G, in, B]` and `[G, out, 1]` to
 * `[G, out, B]`. Columns may be the same for all maps, `[1, in, B]`, or one map may serve all, `[1, out, in]` and `[1, out, 1]`.
 *
 * @param rectified whether `relu` follows
 */
export function stackedAffine(
  weights: Expr,
  columns: Expr,
  biases: Expr,
  { rectified = false }: { readonly rectified?: boolean } = {},
): Expr {
  floatType("stackedAffine", weights.dtype);
  const [count, outputs, inputs] = weights.shape;
  const [samples, , size] = columns.shape;
  const shape = [Math.max(count, samples), outputs, size];
  const fits =
    weights.shape.length === 3 &&
    sameShape(columns.shape, [count === 1 || samples === 1 ? samples : count, inputs, size]) &&
    sameShape(biases.shape, [count, outputs, 1]);
  if (!fits || columns.dtype !== weights.dtype || biases.dtype !== weights.dtype) {
    const [maps, samples, offsets] = [weights, columns, biases].map(
      (each) => `${each.dtype} ${showShape(each.shape)}`,
    );
    throw new ShapeError("stackedAffine", `${maps}, ${samples} and ${offsets} do not fit`);
  }
  if (count === 1 && samples > 1) {
    const values = add(matMul(weights, columns), biases);
    return rectified ? relu(values) : values;
  }
  if (count > 1 && samples === 1) {
    const one = [1, count * outputs];
    const [map, offsets] = [reshape(weights, [...one, inputs]), reshape(biases, [...one, 1])];
    return reshape(stackedAffine(map, columns, offsets, { rectified }), shape);
  }
  return expr(stackedAffineOp, [weights, columns, biases], shape, weights.dtype, {
    rectified: rectified ? 1 : 0,
  });
}

// ── Gathering ───────────────────────────────────────────────────────────────────────────────────────────────────

const gatherOp: Op = {
  name: "gather",
  lower: (_e, inputs, to) => to.node("Gather", inputs, { axis: 0 }),
  vjp: ({ inputs: [table, indices] }, [g]) => {
    const count = sizeOf(indices.shape);
    const updates = reshape(g!, [count, ...table.shape.slice(1)]);
    return [scatterAdd(reshape(indices, [count]), updates, table.shape[0])];
  },
};

/** Rows of a table, `[U, ...] x indices [...] -> [..., ...]`; indices are int32 or int64 in `0..U-1`. */
export function gather(table: Expr, indices: Expr): Expr {
  if (table.shape.length < 1 || (indices.dtype !== "int32" && indices.dtype !== "int64")) {
    throw new ShapeError(
      "gather",
      `needs a table and integer indices, got ${showShape(table.shape)} and ${indices.dtype}`,
    );
  }
  return expr(gatherOp, [table, indices], [...indices.shape, ...table.shape.slice(1)], table.dtype);
}

const scatterAddOp: Op = {
  name: "scatterAdd",
  lower: (e, [indices, updates], to) => {
    const zeros = to.node("Expand", [
      to.constant(e.dtype, [], e.dtype === "float64" ? new Float64Array(1) : new Float32Array(1)),
      to.integers(e.shape),
    ])[0];
    const wide = to.node("Cast", [indices], { to: elementType("int64") })[0];
    const column = to.node("Reshape", [wide, to.integers([sizeOf(e.inputs[0].shape), 1])])[0];
    return to.node("ScatterND", [zeros, column, updates], { reduction: "add" });
  },
  vjp: ({ inputs: [indices] }, [g]) => [undefined, gather(g!, indices)],
};

/** Adds row `k` of `updates` `[R, ...]` to row `indices[k]` of a table of `rows` zero rows. */
export function scatterAdd(indices: Expr, updates: Expr, rows: number): Expr {
  if (indices.dtype !== "int32" && indices.dtype !== "int64") {
    throw new ShapeError("scatterAdd", `needs integer indices, got ${indices.dtype}`);
  }
  floatType("scatterAdd", updates.dtype);
  if (indices.shape.length !== 1 || updates.shape[0] !== indices.shape[0]) {
    throw new ShapeError(
      "scatterAdd",
      `indices ${showShape(indices.shape)} do not match the rows of updates ${showShape(updates.shape)}`,
    );
  }
  return expr(scatterAddOp, [indices, updates], [rows, ...updates.shape.slice(1)], updates.dtype);
}

// ── Normalisation ───────────────────────────────────────────────────────────────────────────────────────────────

/** Up to this width a product with a square of ones is faster than a sum that is then broadcast along its row. */
const NARROW = 16;

/** The sum of each row: at every place of a narrow row, in one column that broadcasts along a wide one. */
function rowSums(a: Expr): Expr {
  const width = a.shape[a.shape.length - 1];
  return width > NARROW ? sum(a, [-1], true) : matMul(a, filled(a.dtype, [width, width], 1));
}

/**
 * Whether the runtime's own softmax takes longer than the same from elementwise operators and products with ones: many
 * rows that are short and do not fill its vectors of 16, measured two to four times faster.
 */
function hasShortRows({ shape }: Expr): boolean {
  const width = shape[shape.length - 1];
  return width < 2 * NARROW && width % NARROW !== 0 && sizeOf(shape) / width >= 256;
}

/** Each row less its maximum, the exponentials of that, and their sum at every place of the row. */
function shiftedPowers(e: Expr, values: string, to: Lowering) {
  const width = e.shape[e.shape.length - 1];
  const one = (operator: string, inputs: readonly string[], attributes?: Attributes): string =>
    to.node(operator, inputs, attributes)[0];
  const filledWith1 = (...shape: number[]): string =>
    to.constant(e.dtype, shape, ones(e.dtype as FloatType, sizeOf(shape)));
  const highest = one("ReduceMax", [values], { axes: [-1], keepdims: 1 });
  const shifted = one("Sub", [values, one("MatMul", [highest, filledWith1(1, width)])]);
  const powers = one("Exp", [shifted]);
  const total = one("MatMul", [powers, filledWith1(width, width)]);
  return { shifted, powers, total };
}

const softmaxOp: Op = {
  name: "softmax",
  lower(e, [a], to) {
    if (!hasShortRows(e)) return to.node("Softmax", [a], e.attributes);
    const { powers, total } = shiftedPowers(e, a, to);
    return to.node("Div", [powers, total]);
  },
  vjp(e, [g]) {
    const weighted = mul(g!, e);
    return [sub(weighted, mul(e, rowSums(weighted)))];
  },
};
const logSoftmaxOp: Op = {
  name: "logSoftmax",
  lower(e, [a], to) {
    if (!hasShortRows(e)) return to.node("LogSoftmax", [a], e.attributes);
    const { shifted, total } = shiftedPowers(e, a, to);
    return to.node("Sub", [shifted, to.node("Log", [total])[0]]);
  },
  vjp: (e, [g]) => [sub(g!, mul(exp(e), rowSums(g!)))],
};

function overLastAxis(op: Op, a: Expr): Expr {
  resolveAxis(op.name, -1, a.shape);
  return expr(op, [a], a.shape, floatType(op.name, a.dtype), { axis: -1 });
}

/** Softmax over the last axis, `[..., A] -> [..., A]`. */
export const softmax = (a: Expr): Expr => overLastAxis(softmaxOp, a);
/** Logarithm of the softmax over the last axis, `[..., A] -> [..., A]`. */
export const logSoftmax = (a: Expr): Expr => overLastAxis(logSoftmaxOp, a);

/** Inputs: values, and scale and bias where there are any. Results: output, means, inverses of the deviations. */
const layerNormOp: Op = {
  name: "layerNorm",
  lower(e, [a, scale, bias], to) {
    if (e.dtype === "float32") {
      const width = e.results![0].shape[e.results![0].shape.length - 1];
      const affine =
        scale === undefined ? [to.constant(e.dtype, [width], ones(e.dtype, width))] : [scale, bias];
      return to.node("LayerNormalization", [a, ...affine], { axis: -1, ...e.attributes }, { results: 3 });
    }
    // ONNX types the statistics of LayerNormalization as float32 whatever its input.
    const one = (operator: string, ...inputs: string[]): string => to.node(operator, inputs)[0];
    const average = (x: string): string => to.node("ReduceMean", [x], { axes: [-1], keepdims: 1 })[0];
    const number = (value: number): string => to.constant("float64", [], Float64Array.of(value));
    const mean = average(a);
    const centred = one("Sub", a, mean);
    const spread = one("Add", average(one("Mul", centred, centred)), number(e.attributes.epsilon as number));
    const inverse = one("Div", number(1), one("Sqrt", spread));
    const normalised = one("Mul", centred, inverse);
    const output = scale === undefined ? normalised : one("Add", one("Mul", normalised, scale), bias);
    return [output, mean, inverse];
  },
  vjp: (e, [g, forMean, forDeviation]) => {
    const [a, scale, bias] = e.inputs;
    if (g === undefined || forMean !== undefined || forDeviation !== undefined) {
      throw new Error("layerNorm: a gradient of its own gradient is not supported");
    }
    const width = a.shape[a.shape.length - 1];
    const rows = sizeOf(a.shape) / width;
    const matrix = (x: Expr): Expr => reshape(x, [rows, width]);
    const column = (x: Expr): Expr => reshape(x, [rows, 1]);
    const upstream = matrix(g);
    const inverse = column(item(e, 2));
    if (scale === undefined) {
      const normalised = matrix(item(e, 0));
      const alongNormal = mul(rowSums(mul(upstream, normalised)), 1 / width);
      const alongMean = mul(rowSums(upstream), 1 / width);
      const inward = sub(sub(upstream, alongMean), mul(normalised, alongNormal));
      return [reshape(mul(inward, inverse), a.shape)];
    }
    // Sums along rows and columns are products with vectors, into which the factors of rows and columns go.
    const share = reshape(mul(scale, 1 / width), [width, 1]);
    const centred = sub(matrix(a), column(item(e, 1)));
    const product = mul(upstream, centred);
    const alongNormal = mul(mul(gemm(product, share), inverse), inverse);
    const inward = sub(sub(mul(upstream, scale), gemm(upstream, share)), mul(centred, alongNormal));
    const forScale = gemm(reshape(inverse, [1, rows]), product);
    return [
      reshape(mul(inward, inverse), a.shape),
      reshape(forScale, scale.shape),
      reshape(sumLeading(upstream, 1), bias.shape),
    ];
  },
};

function layerNormOutput(inputs: readonly Expr[], epsilon: number): Expr {
  const [{ shape, dtype }] = inputs;
  const statistics = { shape: [...shape.slice(0, -1), 1], dtype };
  const results = [{ shape, dtype }, statistics, statistics];
  return item(Object.freeze({ ...expr(layerNormOp, inputs, [], dtype, { epsilon }), results }), 0);
}

/**
 * Layer normalisation over the last axis with a learned `scale` and `bias` `[d]`: values minus their mean, over
 * their standard deviation (population variance plus `epsilon`).
 */
export function layerNorm(a: Expr, scale: Expr, bias: Expr, epsilon = 1e-5): Expr {
  floatType("layerNorm", a.dtype);
  const width = a.shape[a.shape.length - 1];
  for (const [name, parameter] of [
    ["scale", scale],
    ["bias", bias],
  ] as const) {
    if (!sameShape(parameter.shape, [width]) || parameter.dtype !== a.dtype) {
      throw new ShapeError(
        "layerNorm",
        `${name} ${parameter.dtype} ${showShape(parameter.shape)} does not fit ${a.dtype} ${showShape(a.shape)}`,
      );
    }
  }
  return layerNormOutput([a, scale, bias], epsilon);
}

/** Layer normalisation over the last axis without scale and bias. */
export function normalise(a: Expr, epsilon = 1e-5): Expr {
  floatType("normalise", a.dtype);
  resolveAxis("normalise", -1, a.shape);
  return layerNormOutput([a], epsilon);
}

/** Inputs: values, weights, the values normalised, the inverses of their deviations, and the bias where there is one. */
const normalisedProductOp: Op = {
  name: "normalisedProduct",
  lower: (e, [, weights, normalised, , ...bias], to) =>
    to.node(e.shape.length === 2 ? "Gemm" : "MatMul", [normalised, weights, ...bias]),
  vjp(e, [g]) {
    const [, weights, normalised, inverse, bias] = e.inputs;
    const [width, outputs] = weights.shape.slice(-2);
    const single = e.shape.length === 2;
    const forNormalised = (upstream: Expr): Expr => {
      // Normalised rows have mean zero, so the mean of a column of weights counts for nothing. Without it the gradient for
      // the rows has mean zero too, and the normalisation's gradient loses one of its three terms.
      const centred = sub(weights, mul(sum(weights, [-2], true), 1 / width));
      return single
        ? gemm(upstream, centred, undefined, { transposeB: true })
        : matMul(upstream, swapLast(centred));
    };
    const average = (products: Expr): Expr => mul(sum(products, [-1], true), 1 / width);
    let forValues: Expr;
    if (outputs < width) {
      // What is done to rows costs least on the side where they are shorter.
      const alongNormal = average(mul(g!, bias === undefined ? e : sub(e, bias)));
      forValues = sub(forNormalised(mul(g!, inverse)), mul(normalised, mul(alongNormal, inverse)));
    } else {
      const upstream = forNormalised(g!);
      const alongNormal = average(mul(upstream, normalised));
      forValues = mul(sub(upstream, mul(normalised, alongNormal)), inverse);
    }
    const forWeights = single
      ? gemm(normalised, g!, undefined, { transposeA: true })
      : matMul(swapLast(normalised), g!);
    return [forValues, forWeights, undefined, undefined, bias && sumTo(g!, bias.shape)];
  },
};

/**
 * `normalise(a) W + c`, whose gradient takes half as many passes over the rows as those of its two parts:
 * `[m, k] x [k, n] + [n] -> [m, n]`, or several such products without a bias, `[G, m, k] x [G, k, n] -> [G, m, n]`.
 */
export function normalisedProduct(a: Expr, weights: Expr, bias?: Expr, epsilon = 1e-5): Expr {
  floatType("normalisedProduct", a.dtype);
  const [rows, width] = a.shape.slice(-2);
  const [inner, outputs] = weights.shape.slice(-2);
  const groups = a.shape.slice(0, -2);
  if (
    a.shape.length < 2 ||
    a.dtype !== weights.dtype ||
    inner !== width ||
    !sameShape(groups, weights.shape.slice(0, -2))
  ) {
    throw new ShapeError(
      "normalisedProduct",
      `${a.dtype} ${showShape(a.shape)} and ${weights.dtype} ${showShape(weights.shape)} do not multiply`,
    );
  }
  if (
    bias !== undefined &&
    (groups.length > 0 || bias.dtype !== a.dtype || !sameShape(bias.shape, [outputs]))
  ) {
    throw new ShapeError(
      "normalisedProduct",
      `bias ${bias.dtype} ${showShape(bias.shape)} does not fit the product ${a.dtype} ${showShape([...groups, rows, outputs])}`,
    );
  }
  const normalised = normalise(a, epsilon);
  const inverse = item(normalised.inputs[0], 2);
  const inputs = [a, weights, normalised, inverse, ...(bias === undefined ? [] : [bias])];
  return expr(normalisedProductOp, inputs, [...groups, rows, outputs], a.dtype);
}
