import { InputError } from "./errors.ts";

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

/** Compiled kernels with a memory of their own. */
export interface KernelInstance<Kernels> {
  readonly kernels: Kernels;
  /**
   * Room for so many bytes, which are zero. Returns its address, a multiple of a cache line.
   *
   * @throws InputError when the memory cannot grow so far
   */
  reserve(bytes: number): number;
  /** The memory itself. What was taken before the last `reserve` is void. */
  buffer(): ArrayBuffer;
}

const PAGE_BYTES = 2 ** 16;
/** What addresses of 32 bits reach. */
const LARGEST_BYTES = 2 ** 32;
const CACHE_LINE_BYTES = 64;

/**
 * An instance of a module compiled from `packages/core/kernels`.
 *
 * @param binary in base 64
 * @param purpose what needs the memory, as an error says it: `game: exact evaluation`
 */
export function instantiateKernels<Kernels>(binary: string, purpose: string): KernelInstance<Kernels> {
  const memory = new WebAssembly.Memory({ initial: 1 });
  // Engines keep what they have compiled: the same bytes again cost next to nothing.
  const module = new WebAssembly.Module(Uint8Array.from(atob(binary), (byte) => byte.charCodeAt(0)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernels = exports as Kernels & { readonly firstFree: { readonly value: number } };
  let free = kernels.firstFree.value;

  return {
    kernels,
    reserve(bytes) {
      const address = Math.ceil(free / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
      const end = address + bytes;
      const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
      try {
        if (missing > 0) memory.grow(missing);
      } catch {
        throw new InputError(
          `${purpose} needs ${Math.ceil(end / 2 ** 20)} MiB, expected at most ${LARGEST_BYTES / 2 ** 20}`,
        );
      }
      free = end;
      return address;
    },
    buffer: () => memory.buffer,
  };
}
