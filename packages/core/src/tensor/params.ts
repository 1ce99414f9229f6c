import type { Rng } from "../random/index.ts";
import { type Expr, type FloatType, type Shape, ShapeError, showShape, sizeOf } from "./expr.ts";
import { concat, reshape, split } from "./ops.ts";

/** Fills a new parameter, `[in, out]` for weights of a linear map. */
export type Initialiser = (shape: Shape, rng: Rng) => Float64Array;

/** A parameter that a module needs: its name (`actor/body/0/w`), shape and first values. */
export interface Parameter {
  readonly name: string;
  readonly shape: Shape;
  readonly initialise: Initialiser;
}

/** The parameters' places in one flat vector. */
export interface Layout {
  readonly parameters: readonly Parameter[];
  readonly offsets: readonly number[];
  /** Length of the vector. */
  readonly size: number;
}

/** Expressions of the parameters, by name. */
export type Views = Readonly<Record<string, Expr>>;

/** Lays parameters out one after the other. @throws Error when two have the same name */
export function layoutOf(parameters: readonly Parameter[]): Layout {
  const names = new Set<string>();
  const offsets: number[] = [];
  let size = 0;
  for (const parameter of parameters) {
    if (names.has(parameter.name)) throw new Error(`two parameters are called "${parameter.name}"`);
    names.add(parameter.name);
    offsets.push(size);
    size += sizeOf(parameter.shape);
  }
  return { parameters, offsets, size };
}

/** First values of all parameters; each draws from a stream of its own name, so order does not matter. */
export function initialise(layout: Layout, rng: Rng): Float64Array {
  const vector = new Float64Array(layout.size);
  for (const [index, { name, shape, initialise: fill }] of layout.parameters.entries()) {
    vector.set(fill(shape, rng.split(name)), layout.offsets[index]);
  }
  return vector;
}

/** The parameters inside a flat vector, `[size]`, as expressions by name. */
export function unpack(vector: Expr, layout: Layout): Views {
  if (vector.shape.length !== 1 || vector.shape[0] !== layout.size) {
    throw new ShapeError("unpack", `needs a vector of ${layout.size}, got ${showShape(vector.shape)}`);
  }
  const pieces = split(
    vector,
    layout.parameters.map(({ shape }) => sizeOf(shape)),
    0,
  );
  return Object.fromEntries(
    layout.parameters.map(({ name, shape }, index) => [name, reshape(pieces[index], shape)]),
  );
}

/** The reverse of `unpack`: one flat vector from expressions in the layout's order. */
export const pack = (parts: readonly Expr[]): Expr =>
  concat(
    parts.map((part) => reshape(part, [sizeOf(part.shape)])),
    0,
  );

/** Copies of the parameters in a flat vector, by name. */
export function namedArrays<T extends Float32Array | Float64Array>(
  vector: T,
  layout: Layout,
): Record<string, { shape: Shape; data: T }> {
  return Object.fromEntries(
    layout.parameters.map(({ name, shape }, index) => {
      const start = layout.offsets[index];
      return [name, { shape, data: vector.slice(start, start + sizeOf(shape)) as T }];
    }),
  );
}

export const zeros: Initialiser = (shape) => new Float64Array(sizeOf(shape));
export const ones: Initialiser = (shape) => new Float64Array(sizeOf(shape)).fill(1);

/**
 * Rows or columns orthonormal (whichever are fewer), times `gain`: the Q of a normal matrix with the signs of R
 * (Saxe et al. 2014).
 */
export const orthogonal =
  (gain = 1): Initialiser =>
  (shape, rng) => {
    const [rows, columns] = matrixShape("orthogonal", shape);
    const [vectors, length] = rows < columns ? [rows, columns] : [columns, rows];
    const basis: Float64Array[] = [];
    for (let k = 0; k < vectors; k++) {
      const vector = new Float64Array(length);
      rng.fillNormal(vector);
      // Twice is enough: a second pass of Gram-Schmidt removes what rounding left of the first.
      for (let pass = 0; pass < 2; pass++) {
        for (const other of basis) {
          let product = 0;
          for (let i = 0; i < length; i++) product += vector[i] * other[i];
          for (let i = 0; i < length; i++) vector[i] -= product * other[i];
        }
      }
      const size = Math.sqrt(vector.reduce((total, x) => total + x * x, 0));
      basis.push(vector.map((x) => x / size));
    }
    const out = new Float64Array(rows * columns);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        out[r * columns + c] = gain * (rows < columns ? basis[r][c] : basis[c][r]);
      }
    }
    return out;
  };

/** Uniform in `±gain sqrt(6 / (in + out))` (Glorot and Bengio 2010). */
export const xavier =
  (gain = 1): Initialiser =>
  (shape, rng) => {
    const [inputs, outputs] = matrixShape("xavier", shape);
    return uniform(gain * Math.sqrt(6 / (inputs + outputs)))(shape, rng);
  };

/** Uniform in `±1 / sqrt(fanIn)`, the usual default of linear layers; for biases the fan-in must be given. */
export const uniformFanIn =
  (fanIn?: number): Initialiser =>
  (shape, rng) =>
    uniform(1 / Math.sqrt(fanIn ?? matrixShape("uniformFanIn", shape)[0]))(shape, rng);

/** Uniform in `±limit`. */
export const uniform =
  (limit: number): Initialiser =>
  (shape, rng) => {
    const out = new Float64Array(sizeOf(shape));
    rng.fillUniform(out);
    return out.map((u) => (2 * u - 1) * limit);
  };

/** Normal with the given standard deviation. */
export const normal =
  (deviation: number): Initialiser =>
  (shape, rng) => {
    const out = new Float64Array(sizeOf(shape));
    rng.fillNormal(out);
    return out.map((z) => z * deviation);
  };

function matrixShape(name: string, shape: Shape): readonly [number, number] {
  if (shape.length !== 2) throw new ShapeError(name, `initialises a matrix, got shape ${showShape(shape)}`);
  return [shape[0], shape[1]];
}

export const toFloat = (dtype: FloatType, values: ArrayLike<number>): Float32Array | Float64Array =>
  dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values);
