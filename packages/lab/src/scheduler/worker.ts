import { InputError } from "corral/errors";
import { DivergedRun, type ResolveRun, type RunEvent, train } from "../runs/index.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** Least milliseconds between two reports of iterations: enough for a progress line, cheap for a fast learner. */
const reportInterval = 100;

/** Milliseconds an orphan has to reach the end of its iteration before it exits without a checkpoint. */
const orphanPatience = 10_000;

/**
 * The life of a worker process: trains what the pool sends, one run at a time, and reports. When the pool's
 * process is gone, however it went, the worker stops after its current iteration and exits. It ignores the
 * terminal's interrupt signal, because the pool tells it when to stop.
 *
 * @param options how names are resolved, and the clock in milliseconds
 * @throws InputError when the process was not started with a channel to a pool
 */
export function serveWorker({
  resolve,
  now,
}: {
  readonly resolve: ResolveRun;
  readonly now: () => number;
}): void {
  if (process.send === undefined) {
    throw new InputError("worker: expected to be started by a pool of runs, not by hand");
  }
  // The pool went away while this process was starting.
  if (!process.connected) process.exit();
  const parent = process.ppid;
  const controller = new AbortController();
  let training: Promise<void> | undefined;
  process.on("SIGINT", () => {});
  process.on("disconnect", () => {
    controller.abort();
    setTimeout(() => process.exit(), orphanPatience).unref();
    Promise.resolve(training).finally(() => process.exit());
  });
  process.on("message", (message: ToWorker) => {
    if (message.kind === "stop") controller.abort();
    else training = trainOne(message.run);
  });

  async function trainOne(run: (ToWorker & { kind: "train" })["run"]): Promise<void> {
    let reported = Number.NEGATIVE_INFINITY;
    const onEvent = (event: RunEvent): void => {
      if (event.kind === "iteration") {
        if (now() - reported < reportInterval && event.position.iteration < event.position.iterations) return;
        reported = now();
      }
      tell({ kind: "event", event });
    };
    try {
      const options = { resolve, now, onEvent, signal: controller.signal, parent };
      tell({ kind: "done", result: await train(run, options) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const cause =
        error instanceof DivergedRun ? "diverged" : error instanceof InputError ? "input" : "unexpected";
      const detail = cause === "unexpected" && error instanceof Error ? (error.stack ?? message) : message;
      tell({ kind: "failed", cause, message: detail });
    }
  }
}

/** A pool that is gone is noticed by the channel's end, not here. */
function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
