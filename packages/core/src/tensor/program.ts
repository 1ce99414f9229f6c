import type { Engine, Feeds, Session, SessionOptions, Values } from "./engine.ts";
import {
  type DType,
  type Expr,
  isFloat,
  type Shape,
  ShapeError,
  sameShape,
  showShape,
  sizeOf,
} from "./expr.ts";
import { topologicalOrder } from "./grad.ts";
import { graphBuilder, INTERNAL_PREFIX } from "./onnx.ts";
import { constant, input, isItem } from "./ops.ts";

export interface InputSpec {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Memory to read from at every run; the program makes its own when absent. */
  readonly values?: Values;
}

/**
 * State that programs share and update: parameters, optimiser moments, counters. It lives in two buffers; a run
 * reads one and writes the other, and only a successful run makes the new values current.
 */
export interface Variable {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** The current values. Writing to them changes the state. */
  readonly values: Values;
  /** Both buffers; `active` is the one that holds the current values. */
  readonly buffers: readonly [Values, Values];
  readonly active: 0 | 1;
  /** Makes the values in the other buffer current. */
  advance(): void;
}

/** An input of real numbers. */
export const float32 = (...shape: number[]) => ({ dtype: "float32", shape }) as const;

/** An input of integers, such as actions and row numbers. */
export const int32 = (...shape: number[]) => ({ dtype: "int32", shape }) as const;

/** What a variable of type `float32` holds now, as a constant. */
export const frozen = ({ shape, values }: Variable): Expr =>
  constant("float32", shape, values as Float32Array);

/** Result values or updates of a program, by name. */
export type Named<T> = Readonly<Record<string, T>>;

export interface ProgramSpec<I extends Named<InputSpec>, V extends Named<Variable>, O extends string> {
  readonly name: string;
  readonly inputs: I;
  readonly variables?: V;
  /** Traces the program: from expressions of inputs and variables to results and new values of variables. */
  build(leaves: { readonly [K in keyof I | keyof V]: Expr }): {
    readonly results: Readonly<Record<O, Expr>>;
    readonly updates?: { readonly [K in keyof V]?: Expr };
  };
  /** Results that must be finite: a run where one is not leaves all variables as they were and throws. */
  readonly finite?: readonly NoInfer<O>[];
}

/** A compiled program. */
export interface Program<I extends Named<InputSpec>, O extends string> {
  readonly name: string;
  /** The ONNX file. Inputs keep their names; updates are results called `next/<variable>`. */
  readonly onnx: Uint8Array;
  /** Number of nodes before the runtime's own optimisation. */
  readonly nodeCount: number;
  /** Memory read at every run. */
  readonly inputs: { readonly [K in keyof I]: ArrayOf<I[K]["dtype"]> };
  /** Memory written by every run. */
  readonly results: Readonly<Record<O, Values>>;
  /**
   * Computes the results and updates from what inputs and variables hold now. Programs that share variables must
   * not run at the same time.
   *
   * @throws NonFiniteError when a guarded result is not a finite number; variables then keep their values
   */
  run(): Promise<void>;
  /** Frees the runtime's memory; the program cannot run any more. Variables stay. */
  dispose(): Promise<void>;
}

/** A guarded result of a program is infinite or not a number. */
export class NonFiniteError extends Error {
  readonly quantity: string;
  readonly value: number;
  constructor(program: string, quantity: string, value: number) {
    super(`${program}: ${quantity} is ${value}`);
    this.name = "NonFiniteError";
    this.quantity = quantity;
    this.value = value;
  }
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/** The array type that holds a dtype; a union where the dtype is not known while typing. */
export type ArrayOf<D extends DType> = InstanceType<(typeof ARRAYS)[D]>;

/** Memory of zeros for a tensor. */
export function allocate(dtype: DType, shape: Shape): Values {
  return new ARRAYS[dtype](sizeOf(shape));
}

/**
 * New state with the given first values (zeros when absent).
 *
 * @throws ShapeError when the number of values does not fill `shape`
 */
export function variable(name: string, dtype: DType, shape: Shape, first?: ArrayLike<number>): Variable {
  const buffers = [allocate(dtype, shape), allocate(dtype, shape)] as const;
  if (first !== undefined) {
    if (first.length !== sizeOf(shape)) {
      throw new ShapeError("variable", `"${name}" of shape ${showShape(shape)} got ${first.length} values`);
    }
    (buffers[0] as Float32Array).set(first);
  }
  let active: 0 | 1 = 0;
  return {
    name,
    dtype,
    shape,
    buffers,
    get values() {
      return buffers[active];
    },
    get active() {
      return active;
    },
    advance() {
      active = active === 0 ? 1 : 0;
    },
  };
}

/**
 * Traces, lowers and loads a program; it can then be run many times without allocating.
 *
 * @throws ShapeError for operands that do not fit, an update that does not fit its variable, memory that does not
 * fit its input, a name used twice
 */
export async function compile<
  const I extends Named<InputSpec>,
  const V extends Named<Variable>,
  const O extends string,
>(engine: Engine, spec: ProgramSpec<I, V, O>, options?: SessionOptions): Promise<Program<I, O>> {
  const traced = trace(spec);
  const session = await engine.load(traced.onnx, options);
  return bind(spec, traced, session);
}

interface Traced {
  readonly onnx: Uint8Array;
  readonly nodeCount: number;
  readonly results: readonly (readonly [string, Expr])[];
  /** Names of the variables that a run replaces. */
  readonly updates: readonly string[];
}

/** Only traces and lowers: the ONNX file of a program, without loading it. */
export function trace<I extends Named<InputSpec>, V extends Named<Variable>, O extends string>(
  spec: ProgramSpec<I, V, O>,
): Traced {
  for (const [name, { dtype, shape, values }] of Object.entries(spec.inputs)) {
    if (values !== undefined && (values.length !== sizeOf(shape) || !(values instanceof ARRAYS[dtype]))) {
      throw new ShapeError(
        spec.name,
        `memory of input "${name}" is a ${values.constructor.name} of ${values.length}, expected ${dtype} ${showShape(shape)}`,
      );
    }
  }
  const leafSpecs: Record<string, { dtype: DType; shape: Shape }> = { ...spec.inputs, ...spec.variables };
  const leaves = Object.fromEntries(
    Object.entries(leafSpecs).map(([name, { dtype, shape }]) => [name, input(name, dtype, shape)]),
  );
  const built = spec.build(leaves as never);
  const updates = Object.entries(built.updates ?? {}).filter(
    (entry): entry is [string, Expr] => entry[1] !== undefined,
  );
  for (const [name, value] of updates) {
    const target = spec.variables?.[name];
    if (target === undefined)
      throw new ShapeError(spec.name, `updates "${name}", which is no variable of it`);
    if (!sameShape(target.shape, value.shape) || target.dtype !== value.dtype) {
      throw new ShapeError(
        spec.name,
        `the update of "${name}" is ${value.dtype} ${showShape(value.shape)}, the variable ${target.dtype} ${showShape(target.shape)}`,
      );
    }
  }
  const results = Object.entries(built.results) as [string, Expr][];
  const outputs = [...results, ...updates.map(([name, value]) => [`next/${name}`, value] as const)];
  checkNames(spec.name, [
    ...Object.keys(spec.inputs),
    ...Object.keys(spec.variables ?? {}),
    ...outputs.map(([name]) => name),
  ]);
  for (const name of spec.finite ?? []) {
    const { dtype } = built.results[name];
    if (!isFloat(dtype)) throw new ShapeError(spec.name, `"${name}" is ${dtype}, which is always finite`);
  }

  const builder = graphBuilder();
  const lowered = new Map<Expr, readonly string[]>();
  const seen = new Map<string, readonly string[]>();
  for (const node of topologicalOrder(outputs.map(([, value]) => value))) {
    if (node.name !== undefined) {
      if (leaves[node.name] !== node) node.op.lower(node, [], builder);
      lowered.set(node, [node.name]);
      continue;
    }
    if (isItem(node)) {
      lowered.set(node, [lowered.get(node.inputs[0])![node.attributes.index as number]]);
      continue;
    }
    const operands = node.inputs.map((child) => lowered.get(child)![0]);
    if (node.data !== undefined) {
      lowered.set(node, node.op.lower(node, operands, builder));
      continue;
    }
    // Equal operators on equal values are computed once.
    const key = `${node.op.name}(${operands.join(",")})${JSON.stringify(node.attributes)}${node.dtype}${showShape(node.shape)}`;
    const names = seen.get(key) ?? node.op.lower(node, operands, builder);
    seen.set(key, names);
    lowered.set(node, names);
  }
  for (const [name, value] of outputs) builder.alias(lowered.get(value)![0], name);

  const onnx = builder.encode({
    name: spec.name,
    inputs: Object.entries(leafSpecs).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    outputs: outputs.map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
  });
  return { onnx, nodeCount: builder.nodeCount, results, updates: updates.map(([name]) => name) };
}

/** In one file every input, variable and output needs a name of its own, none that the builder could make up. */
function checkNames(program: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name))
      throw new ShapeError(program, `two inputs, variables or results are called "${name}"`);
    if (name === "" || name.startsWith(INTERNAL_PREFIX)) {
      throw new ShapeError(
        program,
        `"${name}" cannot be a name: empty or beginning with "${INTERNAL_PREFIX}"`,
      );
    }
    seen.add(name);
  }
}

function bind<I extends Named<InputSpec>, V extends Named<Variable>, O extends string>(
  spec: ProgramSpec<I, V, O>,
  traced: Traced,
  session: Session,
): Program<I, O> {
  const feeds: Feeds = {};
  const fetches: Feeds = {};
  const inputs: Record<string, Values> = {};
  const results: Record<string, Values> = {};
  for (const [name, { dtype, shape, values }] of Object.entries(spec.inputs)) {
    inputs[name] = values ?? allocate(dtype, shape);
    feeds[name] = session.tensor(dtype, shape, inputs[name]);
  }
  for (const [name, { dtype, shape }] of traced.results) {
    results[name] = allocate(dtype, shape);
    fetches[name] = session.tensor(dtype, shape, results[name]);
  }
  const states = Object.entries(spec.variables ?? {}).map(([name, state]) => ({
    name,
    state,
    tensors: state.buffers.map((values) => session.tensor(state.dtype, state.shape, values)),
    replaced: traced.updates.includes(name),
  }));
  const guarded = spec.finite ?? [];

  return {
    name: spec.name,
    onnx: traced.onnx,
    nodeCount: traced.nodeCount,
    inputs: inputs as { readonly [K in keyof I]: ArrayOf<I[K]["dtype"]> },
    results: results as Record<O, Values>,
    async run() {
      for (const { name, state, tensors, replaced } of states) {
        feeds[name] = tensors[state.active];
        if (replaced) fetches[`next/${name}`] = tensors[1 - state.active];
      }
      await session.run(feeds, fetches);
      for (const name of guarded) {
        for (const value of results[name] as Float32Array) {
          if (!Number.isFinite(value)) throw new NonFiniteError(spec.name, name, value);
        }
      }
      for (const { state, replaced } of states) if (replaced) state.advance();
    },
    dispose: () => session.dispose(),
  };
}

/** Evaluates one expression of constants, for tests and small one-off computations. */
export async function evaluate(engine: Engine, value: Expr): Promise<Values> {
  const program = await compile(engine, {
    name: "evaluate",
    inputs: { unused: { dtype: "float32", shape: [1] } },
    build: () => ({ results: { value } }),
  });
  await program.run();
  await program.dispose();
  return program.results.value;
}
