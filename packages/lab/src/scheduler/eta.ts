/** How far a group of runs has come, in environment steps. */
export interface Progress {
  /** Steps taken, those of earlier sessions included. */
  readonly done: number;
  /** Steps that all runs together take. */
  readonly total: number;
  /** Of `done`, the steps that were there when this session started: they tell nothing about its speed. */
  readonly resumed: number;
  /** When this session started, milliseconds. */
  readonly since: number;
}

/** Milliseconds until all is done at the average speed of this session; undefined before its first step. */
export function eta({ done, total, resumed, since }: Progress, now: number): number | undefined {
  if (done >= total) return 0;
  const fresh = done - resumed;
  return fresh > 0 && now > since ? ((now - since) * (total - done)) / fresh : undefined;
}

/** One of several runs that are trained in one session. */
export interface RunProgress {
  /** Runs of one kind differ only in their seeds, so they take equally long. */
  readonly kind: string;
  /** Steps taken, of how many, and those that were there when this session started. */
  readonly done: number;
  readonly total: number;
  readonly resumed: number;
  /** Milliseconds it has been trained in this session. */
  readonly trained: number;
}

/**
 * Milliseconds until all runs are done, `jobs` at a time: each at the speed that its kind has shown in this session. Runs of
 * kinds not seen yet are taken to be as long as those of the others on average; undefined before the first step of all.
 */
export function timeLeft(runs: readonly RunProgress[], jobs: number): number | undefined {
  const kinds = new Map<string, { steps: number; time: number; length: number }>();
  for (const { kind, done, total, resumed, trained } of runs) {
    if (done <= resumed || trained <= 0) continue;
    const seen = kinds.get(kind) ?? { steps: 0, time: 0, length: total };
    kinds.set(kind, { ...seen, steps: seen.steps + done - resumed, time: seen.time + trained });
  }
  let average = 0;
  for (const { steps, time, length } of kinds.values()) average += (time / steps) * (length / kinds.size);
  let left = 0;
  for (const { kind, done, total } of runs) {
    if (done >= total) continue;
    if (kinds.size === 0) return undefined;
    const seen = kinds.get(kind);
    left += seen === undefined ? average * (1 - done / total) : (seen.time / seen.steps) * (total - done);
  }
  return left / jobs;
}
