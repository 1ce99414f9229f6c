/** Milliseconds since some fixed moment. */
export type Clock = () => number;

/** How long to measure. */
export interface Effort {
  /** Turns that corral and a peer take one after the other; results are medians over them. */
  readonly rounds: number;
  /** Milliseconds one turn of corral should last. */
  readonly turn: number;
}

/** Chunks of one turn, as many as the peers take. */
const CHUNKS = 5;

/** The middle value; the mean of the two middle ones when there are as many below as above. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median over five chunks of the mean time of `repeats` successive calls, in milliseconds. */
export async function millisecondsPerCall(
  now: Clock,
  call: () => Promise<void>,
  repeats: number,
): Promise<number> {
  const chunks: number[] = [];
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const start = now();
    for (let k = 0; k < repeats; k++) await call();
    chunks.push((now() - start) / repeats);
  }
  return median(chunks);
}

/** Warms a call up and finds how often to repeat it in a chunk so that five chunks last about `turn` milliseconds. */
export async function repeatsFor(now: Clock, call: () => Promise<void>, turn: number): Promise<number> {
  const warmup = 20;
  for (let k = 0; k < warmup; k++) await call();
  const each = await millisecondsPerCall(now, call, 2);
  return Math.min(5000, Math.max(1, Math.round(turn / CHUNKS / Math.max(each, 1e-6))));
}
