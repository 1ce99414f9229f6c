import { instantiateKernels } from "../web-assembly.ts";
import { kernelsBinary } from "./kernels-binary.ts";

/** Numbers in a kernel memory. */
export interface Block {
  /** Where they begin, in bytes. */
  readonly address: number;
  readonly length: number;
}

/** The memory that kernels work on; everything that works together shares one. */
export interface KernelMemory {
  readonly kernels: Kernels;
  /**
   * Room for numbers, which are zero.
   *
   * @throws InputError when the memory cannot grow so far
   */
  reserve(length: number): Block;
  /** Keeps a copy of numbers. */
  keep(numbers: ArrayLike<number>): Block;
  /** Keeps a copy of integers of at least 0, in 32 bits each. Returns their address. */
  keepIndices(indices: ArrayLike<number>): number;
  /** The numbers of a block themselves. Views taken before the last `reserve` or `keep` are void. */
  view(block: Block): Float64Array;
}

/**
 * What `packages/core/kernels` exports; its sources say what each does. Addresses, widths and strides are in bytes, all else
 * counts.
 */
export interface Kernels {
  softmaxRows(theta: number, out: number, rows: number, choices: number): void;
  projectRows(gradient: number, conditionals: number, rows: number, choices: number): void;
  addBarrier(gradient: number, conditionals: number, count: number, weight: number, share: number): void;
  addScaled(theta: number, gradient: number, count: number, scale: number): void;
  areFinite(numbers: number, count: number): number;
  multiplyLevels(levels: number, agents: number, ones: number, factors: number, leaves: number): void;
  accumulateLevels(levels: number, agents: number, leaves: number, out: number): void;
  gather(numbers: number, out: number, rows: number, width: number, index: number): void;
  replaceDigits(stages: number, count: number, numbers: number, out: number): void;
  averageTable(
    table: number,
    strideTable: number,
    weights: number,
    out: number,
    strideOut: number,
    states: number,
    actions: number,
  ): void;
  expectTable(table: number, rows: number, values: number, out: number, states: number): void;
  averageReward(
    policy: number,
    reward: number,
    out: number,
    stride: number,
    states: number,
    width: number,
  ): void;
  addReward(
    reward: number,
    expected: number,
    stride: number,
    out: number,
    states: number,
    width: number,
  ): void;
  weightAdvantages(
    reward: number,
    expected: number,
    stride: number,
    actionValues: number,
    policy: number,
    stateValues: number,
    visitation: number,
    out: number,
    states: number,
    width: number,
  ): void;
  solveSystem(
    matrix: number,
    states: number,
    size: number,
    m: number,
    inverse: number,
    values: number,
    visitation: number,
  ): number;
}

/** Loops over pairs may run over the end of a block, or read ahead. */
const SPARE_BYTES = 32;

/** An empty memory with kernels of its own. */
export function kernelMemory(): KernelMemory {
  const instance = instantiateKernels<Kernels>(kernelsBinary, "game: exact evaluation");
  const reserveBytes = (bytes: number): number => instance.reserve(bytes + SPARE_BYTES);
  const reserve = (length: number): Block => ({ address: reserveBytes(8 * length), length });
  const view = ({ address, length }: Block) => new Float64Array(instance.buffer(), address, length);

  return {
    kernels: instance.kernels,
    reserve,
    keep(numbers) {
      const block = reserve(numbers.length);
      view(block).set(numbers);
      return block;
    },
    keepIndices(indices) {
      const address = reserveBytes(4 * indices.length);
      new Uint32Array(instance.buffer(), address, indices.length).set(indices);
      return address;
    },
    view,
  };
}
