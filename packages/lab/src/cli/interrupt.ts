import pc from "picocolors";

/** What the interrupt key and the system's request to end have asked for so far. */
export interface Interrupt {
  /** Asked once: come to an end in good order. */
  readonly signal: AbortSignal;
  /** Asked twice: end at once. */
  readonly kill: AbortSignal;
  /** Ends the watch. */
  dispose(): void;
}

/** @param say how the user is told that the first request was heard */
export function watchInterrupt(say: (message: string) => void): Interrupt {
  const stop = new AbortController();
  const kill = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      kill.abort();
      return;
    }
    say(pc.yellow("stopping with a checkpoint; once more to stop at once"));
    stop.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: stop.signal,
    kill: kill.signal,
    dispose() {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
