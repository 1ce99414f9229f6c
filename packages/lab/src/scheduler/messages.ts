import type { NewRun, RunEvent, TrainResult } from "../runs/index.ts";

/** What the pool tells a worker process. */
export type ToWorker =
  /** Train this; a worker trains one run at a time. */
  | { readonly kind: "train"; readonly run: string | NewRun }
  /** Stop after the current iteration, with a checkpoint. */
  | { readonly kind: "stop" };

/** What a worker process tells the pool. */
export type FromWorker =
  | { readonly kind: "event"; readonly event: RunEvent }
  | { readonly kind: "done"; readonly result: TrainResult }
  | {
      readonly kind: "failed";
      /** `"input"` and `"diverged"` would fail again in the same way; `"unexpected"` may not. */
      readonly cause: "input" | "diverged" | "unexpected";
      readonly message: string;
    };
