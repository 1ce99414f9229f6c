import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import type { JsonValue } from "corral/envs";
import { InputError } from "corral/errors";
import { canonicalJson } from "./exact-json.ts";
import { makeDirectory, onDisk, writeFileAtomic } from "./files.ts";
import { isLocked } from "./lock.ts";
import type { ResolvedRun } from "./resolve.ts";
import { parseRunSpec, type RunSpec, runIdentity } from "./spec.ts";

/** Version of the layout of run directories. */
const runFormat = 1;

/** `run.json`: what a run is, written once. */
export interface Run {
  readonly directory: string;
  readonly spec: RunSpec;
  /** Hash of the specification, see `runIdentity`. */
  readonly identity: string;
  /** The algorithm's settings in full. */
  readonly config: JsonValue;
  /** The environment's settings in full. */
  readonly envConfig: JsonValue;
  readonly env: { readonly id: string; readonly version: number };
  /** Version of corral that started the run. */
  readonly corral: string;
  /** The machine the run started on; no number of the run depends on it. */
  readonly host: HostFacts;
}

export interface HostFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly platform: string;
  readonly node: string;
  /** What executes the tensor programs, where it is known. */
  readonly engine: string | null;
}

/** A directory and what is to be trained there. */
export interface NewRun {
  readonly directory: string;
  readonly spec: RunSpec;
}

/** How far a run has come. */
export interface RunStatus {
  /** A run that was stopped, killed or never started is `"interrupted"`: training it goes on from there. */
  readonly state: "finished" | "interrupted" | "running" | "diverged";
  /** The last iteration whose metrics are written. */
  readonly iteration: number;
  /** Environment steps taken so far. */
  readonly steps: number;
  /** Of a diverged run: what stopped being finite, for example `"policy loss"`. */
  readonly quantity?: string;
}

/** Version of the corral library in use. */
export function corralVersion(): string {
  return (createRequire(import.meta.url)("corral/package.json") as { version: string }).version;
}

/**
 * Reads a run.
 *
 * @throws InputError when the directory is missing, is not a run, was written by another layout or changed by hand
 */
export function openRun(directory: string): Run {
  if (onDisk("read", directory, () => statSync(directory, { throwIfNoEntry: false })) === undefined) {
    throw new InputError(`no run at ${directory}: the directory does not exist`);
  }
  const path = join(directory, "run.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new InputError(`${directory} is not a run: it has no readable run.json`);
  }
  let stored: Omit<Run, "directory"> & { format?: unknown };
  try {
    stored = JSON.parse(text);
  } catch {
    throw new InputError(`${path} is not valid JSON`);
  }
  if (stored?.format !== runFormat) {
    throw new InputError(
      `${path} has format ${JSON.stringify(stored?.format)}, this corral reads format ${runFormat}`,
    );
  }
  const { identity, config, envConfig, env, corral, host } = stored;
  const spec = parseRunSpec(stored.spec);
  const expected = runIdentity(spec);
  if (identity !== expected) {
    throw new InputError(
      `${path}: its settings are not those it was made with (identity ${identity}, expected ${expected}): it was changed by hand; restore it, or start a new run`,
    );
  }
  return { directory, spec, identity, config, envConfig, env, corral, host };
}

/**
 * Makes the directory of a new run; does nothing when it already holds the same run. Call it with the run's lock
 * in hand.
 *
 * @throws InputError when the directory holds another run
 */
export function createRun({ directory, spec }: NewRun, resolved: ResolvedRun): Run {
  const existing = existingRun({ directory, spec });
  if (existing !== undefined) return existing;
  const run = {
    format: runFormat,
    identity: runIdentity(spec),
    spec,
    config: resolved.config,
    envConfig: resolved.envConfig,
    env: resolved.env,
    corral: corralVersion(),
    host: hostFacts(resolved.engine ?? null),
  };
  writeFileAtomic(join(directory, "run.json"), `${JSON.stringify(run, null, 2)}\n`);
  return openRun(directory);
}

/** Makes the directory itself. @throws InputError when it is a directory of something else */
export function prepareDirectory(directory: string): void {
  makeDirectory(directory);
  const entries = onDisk("read", directory, () => readdirSync(directory));
  const foreign = entries.find((name) => name !== "lock" && !name.endsWith(".tmp"));
  if (foreign !== undefined && !entries.includes("run.json")) {
    throw new InputError(`${directory} is not a run and not empty: it contains ${foreign}`);
  }
}

/** The run in a new run's directory, if it is there. @throws InputError when it is another run */
export function existingRun({ directory, spec }: NewRun): Run | undefined {
  const path = join(directory, "run.json");
  if (onDisk("read", path, () => statSync(path, { throwIfNoEntry: false })) === undefined) return undefined;
  const run = openRun(directory);
  if (run.identity === runIdentity(spec)) return run;
  const keys = Object.keys(spec) as (keyof RunSpec)[];
  const key = keys.find((name) => canonicalJson(run.spec[name]) !== canonicalJson(spec[name]))!;
  throw new InputError(
    `${directory} holds another run (${key} is ${JSON.stringify(run.spec[key])}, not ${JSON.stringify(spec[key])})`,
  );
}

/**
 * How far a run has come.
 *
 * @throws InputError when the directory is not a run
 */
export function runStatus(directory: string): RunStatus {
  openRun(directory);
  const stored = storedStatus(directory);
  if (stored?.state === "finished") return stored;
  if (isLocked(directory)) return { state: "running", ...lastPosition(directory) };
  return stored ?? { state: "interrupted", ...lastPosition(directory) };
}

/** The end a run has come to, from `status.json`: finished or diverged, undefined while there is more to do. */
export function storedStatus(directory: string): RunStatus | undefined {
  const path = join(directory, "status.json");
  if (onDisk("read", path, () => statSync(path, { throwIfNoEntry: false })) === undefined) return undefined;
  const text = onDisk("read", path, () => readFileSync(path, "utf8"));
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`${path} is not valid JSON`);
  }
}

/** Records the end a run has come to; undefined takes it back. */
export function writeStatus(directory: string, status: RunStatus | undefined): void {
  const path = join(directory, "status.json");
  if (status !== undefined) writeFileAtomic(path, `${JSON.stringify(status)}\n`);
  else onDisk("remove", path, () => rmSync(path, { force: true }));
}

/** Where the last whole line of metrics stands; 0 before the first. */
function lastPosition(directory: string): { iteration: number; steps: number } {
  try {
    const text = readFileSync(join(directory, "metrics.jsonl"), "utf8");
    const end = text.lastIndexOf("\n");
    const { iteration, steps } = JSON.parse(text.slice(text.lastIndexOf("\n", end - 1) + 1, end));
    return { iteration, steps };
  } catch {
    return { iteration: 0, steps: 0 };
  }
}

function hostFacts(engine: string | null): HostFacts {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    engine,
  };
}
