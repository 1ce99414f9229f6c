/** Element types a program computes with. Indices are `int32`; `bool` comes from comparisons. */
export type DType = "float32" | "float64" | "int32" | "int64" | "bool";
export type FloatType = "float32" | "float64";
export type Shape = readonly number[];
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** Values of a constant, in the array type of its dtype (`bool` as 0 and 1). */
export type ConstantData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/**
 * An immutable node of a program: what to compute from which inputs. Shapes are static and known while tracing.
 * Nodes are compared by identity; the compiler merges equal ones.
 */
export interface Expr {
  readonly op: Op;
  readonly inputs: readonly Expr[];
  readonly attributes: Attributes;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Name of an input leaf. */
  readonly name?: string;
  /** Values of a constant leaf. */
  readonly data?: ConstantData;
  /** Shape and dtype of each result, for the few operators that have several (read by `item`). */
  readonly results?: readonly { readonly shape: Shape; readonly dtype: DType }[];
}

/** What an operator writes its nodes to. */
export interface Lowering {
  /** Adds a node with `results` fresh outputs (one by default) and returns their names. */
  node(
    operator: string,
    inputs: readonly string[],
    attributes?: Attributes | Readonly<Record<string, string>>,
    options?: { readonly results?: number },
  ): readonly string[];
  /** Name of a constant tensor. */
  constant(dtype: DType, shape: Shape, data: ConstantData): string;
  /** Name of a constant int64 vector, the form in which ONNX takes shapes and axes. */
  integers(values: readonly number[]): string;
}

/** One operator: how it is written as ONNX and how gradients pass through it. */
export interface Op {
  readonly name: string;
  /** Emits the nodes that compute `expr` from its inputs' value names; returns the name of each result. */
  lower(expr: Expr, inputs: readonly string[], to: Lowering): readonly string[];
  /**
   * Vector-Jacobian product: from the gradient of the loss for each result of `expr` (undefined where it does not
   * matter) to the gradient for each input (undefined where none flows). Absent for operators that stop gradients.
   */
  vjp?(expr: Expr, upstream: readonly (Expr | undefined)[]): readonly (Expr | undefined)[];
}

/** A shape or dtype that an operator cannot take; the message names the operator, the argument and the shapes. */
export class ShapeError extends Error {
  constructor(op: string, problem: string) {
    super(`${op}: ${problem}`);
    this.name = "ShapeError";
  }
}

export const sizeOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

export function isFloat(dtype: DType): dtype is FloatType {
  return dtype === "float32" || dtype === "float64";
}

/**
 * An axis counted from the front; negative axes count from the end.
 *
 * @throws ShapeError naming `op` when `axis` is not an axis of `shape`
 */
export function resolveAxis(op: string, axis: number, shape: Shape): number {
  const resolved = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= shape.length) {
    throw new ShapeError(op, `axis ${axis} is not an axis of shape ${showShape(shape)}`);
  }
  return resolved;
}

/**
 * Shape of two operands broadcast against each other by NumPy's rules.
 *
 * @throws ShapeError naming `op` and both shapes when they do not fit
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new ShapeError(op, `shapes ${showShape(a)} and ${showShape(b)} cannot be broadcast together`);
    }
    shape[axis] = left === 1 ? right : left;
  }
  return shape;
}
