import { dagKernelsBinary } from "./dag-kernels-binary.ts";

/** What is used of the global that every engine has and the language's own library does not declare. */
declare const WebAssembly: {
  readonly Memory: new (pages: {
    readonly initial: number;
  }) => {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  };
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** What `packages/core/kernels/dags.ts` exports; its sources say what each does. Addresses are in bytes. */
interface DagKernels {
  gumbel(words: number, count: number): void;
  logistic(words: number, count: number): void;
  scoreGradients(
    samples: number,
    count: number,
    agents: number,
    learned: number,
    byRank: number,
    iterations: number,
  ): void;
}

const PAGE_BYTES = 2 ** 16;
/** Arrays begin at multiples of a cache line, so that loops over four numbers may run over the end of one. */
const ALIGNMENT_BYTES = 64;

/** Kernels with a memory of their own, and where in it arrays of the given lengths begin, of numbers of 32 bits. */
export function dagKernels(lengths: readonly number[]): {
  readonly kernels: DagKernels;
  readonly buffer: ArrayBuffer;
  readonly addresses: readonly number[];
} {
  const memory = new WebAssembly.Memory({ initial: 1 });
  // Engines keep what they have compiled: the same bytes again cost next to nothing.
  const module = new WebAssembly.Module(Uint8Array.from(atob(dagKernelsBinary), (c) => c.charCodeAt(0)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernels = exports as DagKernels & { readonly firstFree: { readonly value: number } };
  let end = kernels.firstFree.value;
  const addresses = lengths.map((length) => {
    const address = ALIGNMENT_BYTES * Math.ceil(end / ALIGNMENT_BYTES);
    end = address + 4 * length;
    return address;
  });
  const last = ALIGNMENT_BYTES * Math.ceil(end / ALIGNMENT_BYTES);
  memory.grow(Math.ceil(last / PAGE_BYTES) - 1);
  return { kernels, buffer: memory.buffer, addresses };
}
