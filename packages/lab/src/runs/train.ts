import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DivergenceError, type Learner, type Metrics } from "corral/algorithms";
import { InputError } from "corral/errors";
import { createRng } from "corral/random";
import { encodeSafetensors } from "corral/tensor";
import {
  type Checkpoint,
  type CheckpointOwner,
  type FileLengths,
  newestCheckpoint,
  removeCheckpoint,
  writeCheckpoint,
} from "./checkpoint.ts";
import { canonicalJson } from "./exact-json.ts";
import { fileSize, makeDirectory, openGrowing, removeLeftovers, writeFileAtomic } from "./files.ts";
import { lockRun } from "./lock.ts";
import { formatMetricsLine, type MetricsLine } from "./metrics.ts";
import type { ResolvedRun, ResolveRun } from "./resolve.ts";
import {
  corralVersion,
  createRun,
  existingRun,
  type NewRun,
  openRun,
  prepareDirectory,
  type Run,
  storedStatus,
  writeStatus,
} from "./run.ts";
import type { RunSpec } from "./spec.ts";
import { fileVersionRecord, scalarsRecord } from "./tensorboard.ts";

/** What happens while a run trains. */
export type RunEvent =
  /** Training starts or goes on at `iteration`. */
  | { readonly kind: "start"; readonly position: RunPosition }
  /** An iteration is done and its metrics are written. Iteration 0 is the evaluation before training. */
  | { readonly kind: "iteration"; readonly position: RunPosition; readonly metrics: Metrics }
  | { readonly kind: "checkpoint"; readonly position: RunPosition }
  /** Something the user should know, in one line. */
  | { readonly kind: "note"; readonly message: string }
  | { readonly kind: "end"; readonly result: TrainResult };

export interface RunPosition {
  readonly iteration: number;
  /** Iterations the whole run takes. */
  readonly iterations: number;
  /** Environment steps taken so far. */
  readonly steps: number;
}

export interface TrainOptions {
  readonly resolve: ResolveRun;
  /** The clock, milliseconds since 1970. It reaches `timing.jsonl` and the TensorBoard mirror only. */
  readonly now: () => number;
  readonly onEvent?: (event: RunEvent) => void;
  /** Aborting stops after the current iteration, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Mirror metrics to `tensorboard/`; true by default. */
  readonly tensorboard?: boolean;
  /** Process this one works for and whose end it notices, so that a successor waits for it. */
  readonly parent?: number;
}

export interface TrainResult {
  readonly directory: string;
  readonly state: "finished" | "interrupted";
  readonly iteration: number;
  /** Environment steps taken. */
  readonly steps: number;
}

/** Training stopped because a quantity was no longer a finite number. Repeating the run would repeat it. */
export class DivergedRun extends InputError {
  readonly directory: string;
  /** For example `"policy loss"`. */
  readonly quantity: string;
  /** The iteration that failed. */
  readonly iteration: number;
  constructor(directory: string, iteration: number, cause: DivergenceError) {
    super(`${directory} diverged at iteration ${iteration}: ${cause.message}`);
    this.name = "DivergedRun";
    this.directory = directory;
    this.quantity = cause.quantity;
    this.iteration = iteration;
  }
}

/** The result of a run that is finished, else undefined. @throws InputError when the directory holds another run */
export function finishedRun(run: string | NewRun): TrainResult | undefined {
  const directory = typeof run === "string" ? openRun(run).directory : run.directory;
  if (typeof run !== "string" && existingRun(run) === undefined) return undefined;
  const stored = storedStatus(directory);
  if (stored?.state !== "finished") return undefined;
  return { directory, state: "finished", iteration: stored.iteration, steps: stored.steps };
}

/**
 * Trains a run to its end, from its newest checkpoint when it has one. A process killed at any instant loses at
 * most the iterations since that checkpoint; what `metrics.jsonl`, `parameters.safetensors` and `policy.onnx`
 * hold in the end does not depend on how often that happened. A finished run is left as it is.
 *
 * @param run the directory of an existing run, or a directory and what to train there
 * @throws InputError when the run cannot be read, written, or resumed, or another process trains it
 * @throws DivergedRun when a loss, gradient or parameter is not finite; the last checkpoint stays
 */
export async function train(run: string | NewRun, options: TrainOptions): Promise<TrainResult> {
  const already = finishedRun(run);
  if (already !== undefined) return already;
  const { directory, spec } = typeof run === "string" ? openRun(run) : run;
  // Names and settings are checked before anything is written; some only show when a learner is made of them.
  const resolved = await options.resolve(spec);
  const fresh =
    existingRun({ directory, spec }) === undefined ? await createLearner(spec, resolved) : undefined;
  prepareDirectory(directory);
  const onWait = (message: string) => options.onEvent?.({ kind: "note", message });
  const release = await lockRun(directory, options.parent, onWait);
  try {
    // The process that was waited for may have finished the run.
    const finished = finishedRun({ directory, spec });
    if (finished !== undefined) return finished;
    removeLeftovers(directory);
    removeLeftovers(join(directory, "checkpoints"));
    const opened = createRun({ directory, spec }, resolved);
    const result = await trainLocked(opened, resolved, fresh, options);
    options.onEvent?.({ kind: "end", result });
    return result;
  } finally {
    release();
  }
}

/** A learner as it was at a run's newest checkpoint. */
export interface LoadedLearner {
  readonly run: Run;
  readonly resolved: ResolvedRun;
  /** Dispose of it after use. */
  readonly learner: Learner;
  readonly iteration: number;
  readonly steps: number;
}

/**
 * Brings back the learner of a run, for example to evaluate it.
 *
 * @throws InputError when the run has no usable checkpoint or its algorithm or environment has changed
 */
export async function loadLearner(directory: string, resolve: ResolveRun): Promise<LoadedLearner> {
  const run = openRun(directory);
  const resolved = await resolve(run.spec);
  expectUnchanged(run, resolved);
  const { checkpoint } = newestCheckpoint(directory, ownerOf(run), Number.POSITIVE_INFINITY);
  if (checkpoint === undefined) throw new InputError(`${directory} has no checkpoint yet`);
  const learner = await createLearner(run.spec, resolved);
  learner.restore(checkpoint.learner);
  return { run, resolved, learner, iteration: checkpoint.iteration, steps: checkpoint.steps };
}

/** @param fresh a learner at its beginning, where one was already made */
async function trainLocked(
  run: Run,
  resolved: ResolvedRun,
  fresh: Learner | undefined,
  options: TrainOptions,
): Promise<TrainResult> {
  const { directory } = run;
  expectUnchanged(run, resolved);
  const owner = ownerOf(run);
  const { checkpoint, unusable } = newestCheckpoint(
    directory,
    owner,
    fileSize(join(directory, "metrics.jsonl")),
  );
  const learner = fresh ?? (await createLearner(run.spec, resolved));
  if (checkpoint !== undefined) learner.restore(checkpoint.learner);
  try {
    for (const { iteration, reason } of unusable) {
      removeCheckpoint(directory, iteration);
      const message = `checkpoint ${iteration} is not usable (${reason}); going on from ${checkpoint?.iteration}`;
      options.onEvent?.({ kind: "note", message });
    }
    writeFileAtomic(join(directory, "facts.json"), `${JSON.stringify(learner.facts, null, 2)}\n`);
    writeStatus(directory, undefined);
    const log = openLog(directory, checkpoint?.lengths, options);
    try {
      return await iterate(run, owner, learner, checkpoint, log, options);
    } finally {
      log.close();
    }
  } finally {
    await learner.dispose();
  }
}

/** The training loop. */
async function iterate(
  { directory, spec }: Run,
  owner: CheckpointOwner,
  learner: Learner,
  checkpoint: Checkpoint | undefined,
  log: Log,
  { now, onEvent, signal }: TrainOptions,
): Promise<TrainResult> {
  let iteration = checkpoint?.iteration ?? 0;
  let steps = checkpoint?.steps ?? 0;
  let savedIteration = iteration;
  const position = (): RunPosition => {
    const left = Math.ceil(Math.max(0, spec.steps - steps) / learner.stepsPerIteration);
    return { iteration, iterations: iteration + left, steps };
  };
  const save = (): void => {
    if (savedIteration === iteration) return;
    log.sync();
    writeCheckpoint(directory, owner, {
      iteration,
      steps,
      lengths: log.lengths(),
      learner: learner.snapshot(),
    });
    savedIteration = iteration;
    onEvent?.({ kind: "checkpoint", position: position() });
  };
  // A stream of its own for each evaluation: evaluating more or less often changes no other number.
  const evaluate = (at: number): Promise<Metrics> =>
    learner.evaluate(spec.evaluationEpisodes, createRng(spec.seed).split(`evaluation/${at}`));
  const record = (metrics: Metrics, timing: { train: number; evaluate: number }): void => {
    log.append({ iteration, steps, metrics }, timing);
    onEvent?.({ kind: "iteration", position: position(), metrics });
  };

  onEvent?.({ kind: "start", position: position() });
  const { iterations } = position();
  const { stepsPerIteration } = learner;
  if (spec.evaluateEvery > iterations && spec.evaluateEvery >= stepsPerIteration) {
    const meant = Math.max(1, Math.round(spec.evaluateEvery / stepsPerIteration));
    onEvent?.({
      kind: "note",
      message:
        `evaluateEvery counts iterations, and the run has ${iterations}: with ${spec.evaluateEvery} it is evaluated at its ` +
        `beginning and end only (${spec.evaluateEvery} steps are ${meant} iterations)`,
    });
  }
  let evaluated = checkpoint !== undefined || spec.evaluateEvery === 0;
  while (steps < spec.steps) {
    // Lets signals and messages of other processes in, even when a learner never waits.
    await nextTurn();
    if (signal?.aborted) {
      save();
      return { directory, state: "interrupted", iteration, steps };
    }
    const start = now();
    if (!evaluated) {
      const metrics = await evaluate(0);
      record(metrics, { train: 0, evaluate: now() - start });
      evaluated = true;
      continue;
    }
    const next = iteration + 1;
    const last = steps + learner.stepsPerIteration >= spec.steps;
    const evaluates = last || (spec.evaluateEvery > 0 && next % spec.evaluateEvery === 0);
    let metrics: Metrics;
    let trained: number;
    try {
      metrics = await learner.iterate();
      trained = now();
      if (evaluates) metrics = { ...metrics, ...(await evaluate(next)) };
    } catch (error) {
      if (!(error instanceof DivergenceError)) throw error;
      writeStatus(directory, { state: "diverged", iteration, steps, quantity: error.quantity });
      throw new DivergedRun(directory, next, error);
    }
    iteration = next;
    steps += learner.stepsPerIteration;
    record(metrics, { train: trained - start, evaluate: now() - trained });
    if (last || iteration % spec.checkpointEvery === 0) save();
  }

  const parameters = encodeSafetensors(learner.parameters(), { algorithm: owner.algorithm, env: owner.env });
  writeFileAtomic(join(directory, "parameters.safetensors"), parameters);
  writeFileAtomic(join(directory, "policy.onnx"), learner.exportPolicy());
  writeStatus(directory, { state: "finished", iteration, steps });
  return { directory, state: "finished", iteration, steps };
}

const createLearner = (spec: RunSpec, { algorithm, factory, config }: ResolvedRun): Promise<Learner> =>
  algorithm.create({ env: factory, config, totalSteps: spec.steps, rng: createRng(spec.seed) });

const ownerOf = (run: Run): CheckpointOwner => ({
  algorithm: run.spec.algorithm,
  env: `${run.env.id}@${run.env.version}`,
  corral: run.corral,
  run: run.identity,
});

/** A run goes on only with the very definitions it began with, because others would give other numbers. */
function expectUnchanged(run: Run, resolved: ResolvedRun): void {
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ["corral", run.corral, corralVersion()],
    ["environment", run.env, resolved.env],
    [`settings of ${run.spec.algorithm}`, run.config, resolved.config],
    [`settings of ${run.env.id}`, run.envConfig, resolved.envConfig],
  ];
  for (const [what, then, today] of facts) {
    const [before, after] = [canonicalJson(then), canonicalJson(today)];
    if (before !== after) {
      throw new InputError(
        `${run.directory} began with ${what} ${before}, now it is ${after}; start a new run`,
      );
    }
  }
}

/** The files of a run that grow. */
interface Log {
  append(line: MetricsLine, timing: { readonly train: number; readonly evaluate: number }): void;
  lengths(): FileLengths;
  sync(): void;
  close(): void;
}

/** Opens the growing files, cut back to where they stood at a checkpoint (empty without one). */
function openLog(directory: string, lengths: FileLengths | undefined, options: TrainOptions): Log {
  const { now } = options;
  const metrics = openGrowing(join(directory, "metrics.jsonl"), lengths?.metrics ?? 0);
  const timing = openGrowing(join(directory, "timing.jsonl"), lengths?.timing ?? 0);
  const events = options.tensorboard === false ? undefined : openEvents(directory, lengths?.tensorboard ?? 0);
  if (events?.length === 0) events.append(fileVersionRecord(now() / 1000));
  const files = [metrics, timing, ...(events === undefined ? [] : [events])];
  return {
    append(line, { train, evaluate }) {
      const at = now();
      timing.append(`${JSON.stringify({ iteration: line.iteration, at, train, evaluate })}\n`);
      events?.append(scalarsRecord(line.metrics, line.steps, at / 1000));
      metrics.append(formatMetricsLine(line));
    },
    lengths: () => ({
      metrics: metrics.length,
      timing: timing.length,
      tensorboard: events?.length ?? 0,
    }),
    sync() {
      for (const file of files) file.sync();
    },
    close() {
      for (const file of files) file.close();
    },
  };
}

/** One event file for the whole run; TensorBoard asks only that its name contains `tfevents`. */
function openEvents(directory: string, length: number) {
  makeDirectory(join(directory, "tensorboard"));
  return openGrowing(join(directory, "tensorboard", "events.out.tfevents.0.corral"), length);
}
