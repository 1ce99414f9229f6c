/** Position of a stream, as JSON. */
export type RngState = readonly number[];

/**
 * A seeded stream of random numbers. Streams are named: a split depends on the parent's name and the child's
 * name only, never on how many numbers were drawn, so that adding a draw or a split shifts no other stream.
 */
export interface Rng {
  /** The root seed and the path of split names, for example `7/env/3`. */
  readonly name: string;
  /** A stream of its own for one purpose. */
  split(child: string): Rng;
  /** Uniform 32-bit unsigned integer. */
  next(): number;
  /** Uniform in `[0, 1)` with 53 random bits. */
  uniform(): number;
  /** Uniform integer in `0..n-1`, without modulo bias. */
  integer(n: number): number;
  /** Standard normal. */
  normal(): number;
  /** Standard Gumbel, `-log(-log(u))`. */
  gumbel(): number;
  /** Index drawn with probability proportional to its non-negative weight. */
  categorical(weights: ArrayLike<number>): number;
  /** Uniform permutation of `0..n-1`, written to `out` when given. */
  permutation(n: number, out?: Int32Array): Int32Array;
  /** `k` distinct integers of `0..n-1` in the order drawn. */
  sampleWithoutReplacement(n: number, k: number): Int32Array;
  fillUniform(out: Float32Array | Float64Array): void;
  fillNormal(out: Float32Array | Float64Array): void;
  fillGumbel(out: Float32Array | Float64Array): void;
  state(): RngState;
  restore(state: RngState): void;
}
