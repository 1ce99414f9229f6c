import { median } from "./stopwatch.ts";

/** How a peer did in the same minutes as corral. */
export interface PeerResult {
  /** Median over the rounds of each way to write the workload, in milliseconds. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** The fastest of them; the ratios are against it. */
  readonly fastest: string;
  /** How many times as long the peer takes: the ratio of the medians. */
  readonly ratio: number;
  /** Lowest and highest ratio of a single round. */
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Compares times taken round by round.
 *
 * @param own corral's milliseconds in each round
 * @param variants the peer's milliseconds in each round, by variant
 */
export function compare(
  own: readonly number[],
  variants: Readonly<Record<string, readonly number[]>>,
): PeerResult {
  const milliseconds = Object.fromEntries(
    Object.entries(variants).map(([name, times]) => [name, median(times)]),
  );
  const fastest = Object.keys(milliseconds).reduce((best, name) =>
    milliseconds[name] < milliseconds[best] ? name : best,
  );
  const ratios = variants[fastest].map((time, round) => time / own[round]);
  return {
    milliseconds,
    fastest,
    ratio: milliseconds[fastest] / median(own),
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
  };
}
