import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve as resolvePath } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "corral/errors";
import {
  finishedRun,
  type NewRun,
  openRun,
  type RunEvent,
  type RunSpec,
  runStatus,
  type TrainResult,
} from "../runs/index.ts";
import { timeLeft } from "./eta.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

export interface PoolOptions {
  /** Processes at a time; by default as many as there are cores. */
  readonly jobs?: number;
  /** Starts a worker process that calls `serveWorker`, with a message channel; by default `corral worker`. */
  readonly spawn?: () => ChildProcess;
  /** How often a run is taken up again after its process died; 3 by default. */
  readonly retries?: number;
  /** The clock, milliseconds; for progress only. */
  readonly now: () => number;
  readonly onEvent?: (event: PoolEvent) => void;
  /** Aborting stops every run after its current iteration, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Aborting kills the processes at once; the runs can be resumed from their last checkpoints. */
  readonly kill?: AbortSignal;
}

export type PoolEvent =
  /** Something happened in the run at `index` of the list. */
  | { readonly kind: "run"; readonly index: number; readonly directory: string; readonly event: RunEvent }
  /** Its process died and it is taken up again; `attempt` counts from 2. */
  | {
      readonly kind: "retry";
      readonly index: number;
      readonly directory: string;
      readonly attempt: number;
      readonly reason: string;
    }
  | { readonly kind: "progress"; readonly progress: PoolProgress }
  | { readonly kind: "outcome"; readonly index: number; readonly outcome: PoolOutcome };

/** How far all runs together have come. */
export interface PoolProgress {
  /** Environment steps taken, those of earlier sessions included. */
  readonly done: number;
  /** Steps that all runs take. */
  readonly total: number;
  /** Milliseconds until all is done; undefined before the first step. */
  readonly left?: number;
}

/** What became of one run. */
export interface PoolOutcome {
  readonly directory: string;
  readonly state: "finished" | "interrupted" | "diverged" | "failed";
  /** Of a run that ended or was stopped in good order. */
  readonly result?: TrainResult;
  /** Of a run that diverged or failed: why, in words. */
  readonly message?: string;
  /** Processes that worked on it; 0 when it was finished before or never started. */
  readonly attempts: number;
}

/**
 * Trains runs in child processes, a few at a time: the first seeds first, so that what is there when somebody stops them is
 * something of everything, and the time left is soon known. A run whose process dies is resumed from its checkpoint by
 * another one; a run that diverges, or whose input is not valid, is not tried again.
 *
 * @param runs directories of existing runs, or directories and what to train there
 * @returns what became of each run, in the order of the list; a run that fails does not stop the others
 * @throws InputError when `jobs` or `retries` is out of range or two runs share a directory
 */
export async function runPool(
  runs: readonly (string | NewRun)[],
  options: PoolOptions,
): Promise<PoolOutcome[]> {
  const {
    jobs = availableParallelism(),
    retries = 3,
    spawn = spawnWorker,
    now,
    onEvent,
    signal,
    kill,
  } = options;
  if (!Number.isInteger(jobs) || jobs < 1)
    throw new InputError(`jobs: expected an integer of at least 1 (got ${jobs})`);
  if (!Number.isInteger(retries) || retries < 0) {
    throw new InputError(`retries: expected an integer of at least 0 (got ${retries})`);
  }
  const directories = runs.map((run) => (typeof run === "string" ? run : run.directory));
  expectDistinct(directories);

  const places = Math.min(jobs, runs.length);
  const board = createBoard(runs, places);
  const outcomes: PoolOutcome[] = [];
  const report = (): void => onEvent?.({ kind: "progress", progress: board.progress() });
  const settle = (index: number, outcome: PoolOutcome): void => {
    outcomes[index] = outcome;
    board.settle(index, outcome);
    onEvent?.({ kind: "outcome", index, outcome });
    report();
  };
  const observe = (index: number) => (event: RunEvent) => {
    onEvent?.({ kind: "run", index, directory: directories[index], event });
    if (event.kind !== "start" && event.kind !== "iteration") return;
    board.move(index, event, now());
    report();
  };

  const queue = [...board.inOrderOfSeeds];
  /** One place at the table: takes run after run and keeps its process between them. */
  const work = async (): Promise<void> => {
    let worker: Worker | undefined;
    try {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const directory = directories[index];
        const early = settledBefore(runs[index], directory) ?? stopped(directory, signal, kill, 0);
        if (early !== undefined) {
          settle(index, early);
          continue;
        }
        for (let attempt = 1; ; attempt++) {
          worker ??= startWorker(spawn, signal, kill);
          const end = await worker.train(runs[index], observe(index));
          if (end.kind === "died" || (end.kind === "failed" && end.cause === "unexpected")) {
            worker.end();
            worker = undefined;
          }
          const outcome =
            outcomeOf(directory, end, attempt) ??
            stopped(directory, signal, kill, attempt) ??
            (attempt > retries ? gaveUp(directory, end, attempt) : undefined);
          if (outcome !== undefined) {
            settle(index, outcome);
            break;
          }
          const reason = reasonOf(end);
          onEvent?.({ kind: "retry", index, directory, attempt: attempt + 1, reason });
        }
      }
    } finally {
      worker?.end();
    }
  };
  report();
  await Promise.all(Array.from({ length: places }, work));
  return outcomes;
}

/** How a worker's work on one run ended. */
type End =
  | Exclude<FromWorker, { readonly kind: "event" }>
  | { readonly kind: "died"; readonly reason: string };

interface Worker {
  train(run: string | NewRun, onEvent: (event: RunEvent) => void): Promise<End>;
  /** Ends the process; it must not be training. */
  end(): void;
}

/** Characters kept of what a worker writes to its error stream, to explain its death. */
const errorTail = 2000;

function startWorker(spawn: () => ChildProcess, signal?: AbortSignal, kill?: AbortSignal): Worker {
  const child = spawn();
  let errors = "";
  child.stderr?.on("data", (chunk) => {
    errors = (errors + chunk).slice(-errorTail);
  });
  const death = new Promise<End>((resolve) => {
    child.once("error", (error) =>
      resolve({ kind: "died", reason: `it could not be started: ${error.message}` }),
    );
    child.once("close", (code, by) => {
      const how = by === null ? `exited with code ${code}` : `was killed by ${by}`;
      const last = errors.trim().split("\n").at(-1);
      resolve({ kind: "died", reason: last ? `its process ${how}: ${last}` : `its process ${how}` });
    });
  });
  // A message to a process that has just died fails; its death is noticed by the events above.
  const send = (message: ToWorker): void => {
    if (child.connected) child.send(message, () => {});
  };
  const onStop = (): void => send({ kind: "stop" });
  const onKill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", onStop);
  kill?.addEventListener("abort", onKill);
  return {
    async train(run, onEvent) {
      let listen: (message: FromWorker) => void = () => {};
      const answer = new Promise<End>((resolve) => {
        listen = (message) => {
          if (message.kind === "event") onEvent(message.event);
          else resolve(message);
        };
        child.on("message", listen);
      });
      send({ kind: "train", run });
      if (signal?.aborted) onStop();
      try {
        return await Promise.race([answer, death]);
      } finally {
        child.off("message", listen);
      }
    },
    end() {
      signal?.removeEventListener("abort", onStop);
      kill?.removeEventListener("abort", onKill);
      if (child.connected) child.disconnect();
    },
  };
}

/** What an end in good order means for the run; undefined when another attempt may go better. */
function outcomeOf(directory: string, end: End, attempts: number): PoolOutcome | undefined {
  if (end.kind === "done") return { directory, state: end.result.state, result: end.result, attempts };
  if (end.kind === "died" || end.cause === "unexpected") return undefined;
  const state = end.cause === "diverged" ? "diverged" : "failed";
  return { directory, state, message: end.message, attempts };
}

function gaveUp(directory: string, end: End, attempts: number): PoolOutcome {
  const message = `${directory}: gave up at attempt ${attempts}: ${reasonOf(end)}`;
  return { directory, state: "failed", message, attempts };
}

function reasonOf(end: End): string {
  if (end.kind === "died") return end.reason;
  return end.kind === "failed" ? end.message : "";
}

/** The outcome of a run that will not be worked on any more because the pool was told to stop. */
function stopped(
  directory: string,
  signal: AbortSignal | undefined,
  kill: AbortSignal | undefined,
  attempts: number,
): PoolOutcome | undefined {
  return signal?.aborted || kill?.aborted ? { directory, state: "interrupted", attempts } : undefined;
}

/** The outcome of a run that needs no process: it is finished, or cannot be read. */
function settledBefore(run: string | NewRun, directory: string): PoolOutcome | undefined {
  try {
    const result = finishedRun(run);
    return result && { directory, state: "finished", result, attempts: 0 };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { directory, state: "failed", message: error.message, attempts: 0 };
  }
}

/** Counts the steps of all runs, of which so many are trained at a time. */
function createBoard(runs: readonly (string | NewRun)[], places: number) {
  const rows = runs.map((run) => {
    const row = {
      kind: "",
      seed: 0 as RunSpec["seed"],
      total: 0,
      done: 0,
      resumed: 0,
      trained: 0,
      begun: undefined as number | undefined,
    };
    try {
      const { spec } = typeof run === "string" ? openRun(run) : run;
      const directory = typeof run === "string" ? run : run.directory;
      const there = existsSync(join(directory, "run.json")) ? runStatus(directory).steps : 0;
      const done = Math.min(there, spec.steps);
      const { seed, ...kind } = spec;
      return { ...row, kind: JSON.stringify(kind), seed, total: spec.steps, done, resumed: done };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return row;
    }
  });
  const seeds = [...new Set(rows.map(({ seed }) => seed))];
  const rank = (index: number): number => seeds.indexOf(rows[index].seed);
  const sum = (key: "total" | "done"): number => rows.reduce((total, row) => total + row[key], 0);
  return {
    inOrderOfSeeds: rows.map((_, index) => index).sort((a, b) => rank(a) - rank(b) || a - b),
    progress: (): PoolProgress => ({ done: sum("done"), total: sum("total"), left: timeLeft(rows, places) }),
    move(index: number, event: RunEvent & { kind: "start" | "iteration" }, now: number): void {
      const row = rows[index];
      row.done = Math.min(event.position.steps, row.total);
      // Resuming goes back to a checkpoint.
      row.resumed = Math.min(row.resumed, row.done);
      if (event.kind === "start") row.begun = now;
      else if (row.begun !== undefined) {
        row.trained += now - row.begun;
        row.begun = now;
      }
    },
    /** A run that will take no more steps counts only those it took. */
    settle(index: number, { state, result }: PoolOutcome): void {
      const row = rows[index];
      if (state === "finished") row.done = Math.min(result?.steps ?? row.total, row.total);
      else if (state !== "interrupted") row.total = row.done;
    },
  };
}

function expectDistinct(directories: readonly string[]): void {
  const seen = new Set<string>();
  for (const directory of directories) {
    const path = resolvePath(directory);
    if (seen.has(path)) throw new InputError(`two runs share the directory ${directory}`);
    seen.add(path);
  }
}

/** The command of this very package, from its sources or from its build. */
function spawnWorker(): ChildProcess {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "bin", "corral.js"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("bin/corral.js is not above this file");
    folder = parent;
  }
  return fork(join(folder, "bin", "corral.js"), ["worker"], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
}
