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
