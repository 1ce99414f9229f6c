import { instantiateKernels } from "../web-assembly.ts";
import { dagKernelsBinary } from "./dag-kernels-binary.ts";

/** What `packages/core/kernels/dags.ts` exports; its sources say what each does. Addresses are in bytes. */
interface DagKernels {
  gumbel(words: number, count: number): void;
  logistic(words: number, count: number): void;
  scoreGradients(
    samples: number,
    count: number,
    real: number,
    agents: number,
    learned: number,
    byRank: number,
    iterations: number,
  ): void;
}

/** Kernels with a memory of their own, and where in it arrays of the given lengths begin, of numbers of 32 bits. */
export function dagKernels(lengths: readonly number[]): {
  readonly kernels: DagKernels;
  readonly buffer: ArrayBuffer;
  readonly addresses: readonly number[];
} {
  const instance = instantiateKernels<DagKernels>(dagKernelsBinary, "learned DAGs: a batch of samples");
  // Loops over four numbers may run over the end of an array: it goes on to the next multiple of a cache line.
  const addresses = lengths.map((length) => instance.reserve(4 * length));
  return { kernels: instance.kernels, buffer: instance.buffer(), addresses };
}
