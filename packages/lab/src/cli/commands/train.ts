import { existsSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { type Algorithm, algorithms, type Preset } from "corral/algorithms";
import type { JsonValue } from "corral/envs";
import { unknownName } from "corral/errors";
import pc from "picocolors";
import {
  finishedRun,
  isModulePath,
  type MetricsLine,
  type NewRun,
  openRun,
  parseRunSpec,
  type Run,
  type RunEvent,
  type RunSpec,
  readMetricsLines,
  runIdentity,
  type TrainResult,
  train,
} from "../../runs/index.ts";
import { eta } from "../../scheduler/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { findEnvironment } from "../find-environment.ts";
import { watchInterrupt } from "../interrupt.ts";
import { brief, duration, grouped, printJson, shellCommand } from "../output.ts";
import { createProgress } from "../progress.ts";
import { runResolver } from "../run-resolver.ts";
import { curvesTable, lastMetrics, runTitle, valuesOf } from "../run-view.ts";
import { readSettings, refuseUnprefixed, splitSettings } from "../settings.ts";

interface TrainRequest extends CommonOptions {
  readonly algorithm: string;
  /** Name, or path of a module. */
  readonly env: string;
  /** `key=value` words. */
  readonly settings: readonly string[];
  /** Named group of the algorithm's settings to start from. */
  readonly preset?: string;
  readonly seed: number | string;
  readonly steps: number;
  readonly evaluateEvery: number;
  readonly evaluationEpisodes: number;
  readonly checkpointEvery: number;
  readonly out?: string;
}

/** `corral train`: a run that is there already is resumed, or said to be finished. */
export async function trainNew(context: Context, request: TrainRequest): Promise<void> {
  if (!Object.hasOwn(algorithms, request.algorithm)) {
    throw unknownName("algorithm", request.algorithm, Object.keys(algorithms));
  }
  const algorithm = algorithms[request.algorithm as keyof typeof algorithms];
  const { env, definition } = await findEnvironment(request.env, context);
  const typed = splitSettings(request.settings);
  refuseUnprefixed(typed.own, algorithm, definition);
  const { seed, steps, evaluateEvery, evaluationEpisodes, checkpointEvery } = request;
  const spec = parseRunSpec({
    algorithm: request.algorithm,
    env,
    config: { ...presetOf(algorithm, request.preset), ...readSettings(typed.own, algorithm.config) },
    envConfig: readSettings(typed.env, definition.config),
    seed,
    steps,
    evaluateEvery,
    evaluationEpisodes,
    checkpointEvery,
  });
  await trainAndReport(context, { directory: request.out ?? defaultDirectory(spec), spec }, request);
}

function presetOf({ name, presets = {} }: Algorithm, preset: string | undefined): Preset["config"] {
  if (preset === undefined) return {};
  if (!Object.hasOwn(presets, preset)) throw unknownName(`preset of ${name}`, preset, Object.keys(presets));
  return presets[preset].config;
}

/** `corral resume`. */
export async function resume(context: Context, directory: string, options: CommonOptions): Promise<void> {
  await trainAndReport(context, directory, options);
}

/** One directory for each thing to compute, with a name that can be read. */
function defaultDirectory(spec: RunSpec): string {
  const env = isModulePath(spec.env) ? basename(spec.env, extname(spec.env)) : spec.env.replaceAll("/", "-");
  const seed = String(spec.seed).replace(/[^\w-]+/g, "_");
  return join("runs", `${spec.algorithm}-${env}-seed${seed}-${runIdentity(spec).slice(0, 8)}`);
}

async function trainAndReport(
  context: Context,
  run: string | NewRun,
  { json }: CommonOptions,
): Promise<void> {
  const already = finishedRun(run);
  const resolve = await runResolver(context);
  const progress = createProgress();
  const interrupt = watchInterrupt(progress.note);
  // A run may be killed at any instant and still be resumed.
  interrupt.kill.addEventListener("abort", () => {
    progress.stop();
    process.exit(exitCodes.interrupted);
  });
  const began = Date.now();
  let result: TrainResult;
  try {
    result =
      already ??
      (await train(run, {
        resolve,
        now: Date.now,
        signal: interrupt.signal,
        onEvent: reporter(run, progress),
      }));
  } finally {
    progress.stop();
    interrupt.dispose();
  }
  const opened = openRun(result.directory);
  const seconds = (Date.now() - began) / 1000;
  if (result.state === "interrupted") process.exitCode = exitCodes.interrupted;
  if (json) printJson({ ...result, alreadyFinished: already !== undefined, metrics: lastMetrics(opened) });
  else if (already !== undefined) reportFinished(opened, result, pc.dim("finished before; nothing to do"));
  else if (result.state === "finished")
    reportFinished(opened, result, pc.dim(`took ${duration(1000 * seconds)}`));
  else reportInterrupted(result);
}

/** Shows the events of a run as they happen. */
function reporter(run: string | NewRun, progress: ReturnType<typeof createProgress>) {
  const { directory, spec } = typeof run === "string" ? openRun(run) : run;
  let since = 0;
  let resumed = 0;
  let latest = "";
  return (event: RunEvent): void => {
    if (event.kind === "note") progress.note(pc.yellow(event.message));
    if (event.kind === "start") {
      since = Date.now();
      resumed = event.position.steps;
      progress.note(pc.bold(runTitle({ spec })));
      for (const fact of describeFacts(directory)) progress.note(fact);
      if (resumed > 0) progress.note(`going on from step ${grouped(resumed)}`);
    }
    if (event.kind !== "start" && event.kind !== "iteration") return;
    const { steps } = event.position;
    const now = Date.now();
    if (event.kind === "iteration") {
      const value = event.metrics["eval/return"];
      if (value !== undefined) latest = `return ${brief(value)}`;
    }
    const rate = now > since ? (1000 * (steps - resumed)) / (now - since) : 0;
    const left = eta({ done: steps, total: spec.steps, resumed, since }, now);
    const parts = [
      ...(latest === "" ? [] : [latest]),
      ...(left === undefined ? [] : [`${duration(left)} left`]),
      ...(rate > 0 ? [`${brief(rate)} steps/s`] : []),
      `step ${grouped(steps)} of ${grouped(spec.steps)}`,
    ];
    progress.whole(Math.min(1, steps / spec.steps), parts.join(pc.dim(" · ")));
  };
}

/** What the learner decided on the way, one line each. */
function describeFacts(directory: string): string[] {
  const path = join(directory, "facts.json");
  if (!existsSync(path)) return [];
  const facts = JSON.parse(readFileSync(path, "utf8")) as Record<string, JsonValue>;
  return Object.entries(facts).map(([key, value]) => pc.dim(`${key.padEnd(12)} ${inWords(value)}`));
}

function inWords(value: JsonValue): string {
  if (Array.isArray(value)) return value.map(inWords).join(" ");
  if (typeof value !== "object" || value === null) return String(value ?? "-");
  return Object.entries(value)
    .map(([key, item]) => `${key} ${inWords(item)}`)
    .join(", ");
}

function reportFinished(run: Run, result: TrainResult, remark: string): void {
  const lines = readMetricsLines(run.directory);
  const shown = (name: string) =>
    name === "train/return" || (name.startsWith("eval/") && varies(lines, name));
  console.log(`${pc.green("✔")} ${pc.bold(runTitle(run))}: ${grouped(result.steps)} steps, ${remark}\n`);
  console.log(curvesTable(lines, shown));
  console.log(`
  policy    ${join(run.directory, "policy.onnx")}
  look      ${shellCommand("show", run.directory)}
  evaluate  ${shellCommand("evaluate", run.directory)}`);
}

/** Whether there is more than one value to tell of a metric. */
const varies = (lines: readonly MetricsLine[], name: string): boolean =>
  name === "eval/return" || new Set(valuesOf(lines, name)).size > 1;

function reportInterrupted({ directory, steps }: TrainResult): void {
  console.log(
    `${pc.yellow("■")} stopped at step ${grouped(steps)}; go on with\n\n  ${shellCommand("resume", directory)}`,
  );
}
