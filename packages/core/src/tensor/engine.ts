/**
 * Where programs run: ONNX Runtime, native in Node when it is installed, else WebAssembly (also in the browser).
 */
import type { InferenceSession, Tensor } from "onnxruntime-common";
import { InputError } from "../errors.ts";
import type { DType, Shape } from "./expr.ts";

/** Memory of a program's input or result. */
export type Values = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** Tensors by the names a graph knows them by. */
export type Feeds = Record<string, Tensor>;

/** A loaded program: runs on prepared tensors and writes its results into prepared tensors. */
export interface Session {
  /** A tensor over existing memory, in the form this session's runtime takes. */
  tensor(dtype: DType, shape: Shape, values: Values): Tensor;
  run(feeds: Feeds, results: Feeds): Promise<void>;
  dispose(): Promise<void>;
}

/** A runtime that executes ONNX graphs. */
export interface Engine {
  readonly name: "onnxruntime-node" | "onnxruntime-web";
  readonly version: string;
  /**
   * Prepares an ONNX file for running.
   *
   * @throws InputError in one line when the runtime cannot load it: truncated, no ONNX at all, an unknown operator
   */
  load(model: Uint8Array, options?: SessionOptions): Promise<Session>;
}

export interface SessionOptions {
  /** Writes a profile of every kernel next to this path (native runtime only). */
  readonly profileTo?: string;
}

interface Runtime {
  readonly Tensor: new (type: DType, values: Values, shape: Shape) => Tensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<InferenceSession> };
  readonly env: {
    readonly versions: { readonly common: string };
    wasm: { numThreads?: number };
    logLevel?: string;
  };
}

/**
 * One thread: parallelism is across seeds, and small graphs get slower with more. Denormal numbers count as zero
 * because decaying Adam moments would otherwise slow every update down.
 */
const SESSION_OPTIONS = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  enableCpuMemArena: true,
  enableMemPattern: true,
  logSeverityLevel: 3,
  extra: { session: { set_denormal_as_zero: "1" } },
} as const;

/**
 * Loads a runtime: `onnxruntime-node` where it can be imported, else `onnxruntime-web`.
 *
 * @param only take this runtime or fail
 * @throws Error when neither (or not the one asked for) can be loaded
 */
export async function loadEngine(only?: Engine["name"]): Promise<Engine> {
  if (only !== "onnxruntime-web") {
    try {
      const loaded: Record<string, unknown> = await import("#onnxruntime-native");
      // A CommonJS package: loaders differ in whether its exports are the default export or the namespace.
      const runtime = (loaded.default ?? loaded) as Partial<Runtime>;
      if (runtime.InferenceSession !== undefined) return nativeEngine(runtime as Runtime);
    } catch (error) {
      if (only === "onnxruntime-node") throw error;
    }
    if (only === "onnxruntime-node") throw new Error("onnxruntime-node cannot run here");
  }
  return webEngine((await import("onnxruntime-web")) as unknown as Runtime);
}

async function createSession(
  name: Engine["name"],
  runtime: Runtime,
  model: Uint8Array,
  options: object,
): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(model, options);
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
    throw new InputError(`${name} cannot load this ONNX file of ${model.length} bytes: ${reason}`);
  }
}

function nativeEngine(runtime: Runtime): Engine {
  return {
    name: "onnxruntime-node",
    version: runtime.env.versions.common,
    async load(model, { profileTo } = {}) {
      const profiling =
        profileTo === undefined ? {} : { enableProfiling: true, profileFilePrefix: profileTo };
      const session = await createSession("onnxruntime-node", runtime, model, {
        ...SESSION_OPTIONS,
        ...profiling,
      });
      return {
        tensor: (dtype, shape, values) => new runtime.Tensor(dtype, values, shape),
        async run(feeds, results) {
          await session.run(feeds, results);
        },
        async dispose() {
          if (profileTo !== undefined) session.endProfiling();
          await session.release();
        },
      };
    },
  };
}

function webEngine(runtime: Runtime): Engine {
  // Small graphs run slower on two WebAssembly threads than on one.
  runtime.env.wasm.numThreads = 1;
  return {
    name: "onnxruntime-web",
    version: runtime.env.versions.common,
    async load(model) {
      const session = await createSession("onnxruntime-web", runtime, model, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
      });
      return {
        tensor: (dtype, shape, values) => new runtime.Tensor(dtype, values, shape),
        async run(feeds, results) {
          const produced = await session.run(feeds, Object.keys(results));
          for (const [name, tensor] of Object.entries(produced)) {
            (results[name].data as Float32Array).set(tensor.data as Float32Array);
          }
        },
        dispose: () => session.release(),
      };
    },
  };
}
