import { join } from "node:path";
import type { Learner } from "corral/algorithms";
import { InputError, unknownName } from "corral/errors";
import { createRng } from "corral/random";
import pc from "picocolors";
import {
  describeReport,
  describeTable,
  type Executor,
  type FigureRun,
  figures,
  type MetricDefinition,
  reproduce,
  reproduceTable,
  type Scale,
  scales,
  tables,
} from "../../papers/index.ts";
import { loadLearner, parseRunSpec, type RunSpec, readMetrics, runIdentity } from "../../runs/index.ts";
import { type PoolEvent, type PoolOutcome, type PoolProgress, runPool } from "../../scheduler/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { watchInterrupt } from "../interrupt.ts";
import { brief, duration, printJson, shellCommand } from "../output.ts";
import { createProgress, type ProgressLines } from "../progress.ts";
import { runResolver } from "../run-resolver.ts";
import { watchAttention } from "../watch-attention.ts";
import { watchDags } from "../watch-dags.ts";

interface ReproduceRequest extends CommonOptions {
  readonly scale: string;
  readonly seeds?: number;
  readonly jobs?: number;
  readonly out: string;
}

/** Iterations between checkpoints: runs of figures are short, and a lost minute is cheap. */
const checkpointEvery = 50;

/** Milliseconds in which processes start, too early to tell how long the rest takes. */
const settling = 5_000;

/** `corral reproduce`: trains what is missing, then draws and judges. */
export async function reproduceFigure(
  context: Context,
  id: string,
  request: ReproduceRequest,
): Promise<void> {
  const isTable = Object.hasOwn(tables, id);
  if (!isTable && !Object.hasOwn(figures, id)) {
    throw unknownName("figure", id, [...Object.keys(figures), ...Object.keys(tables)]);
  }
  if (!scales.includes(request.scale as Scale)) throw unknownName("scale", request.scale, scales);
  const scale = request.scale as Scale;
  if (isTable && request.seeds !== undefined && !tables[id].trained) {
    throw new InputError(`${id}: a table that trains nothing takes no --seeds`);
  }
  const progress = createProgress();
  const options = {
    scale,
    seeds: request.seeds,
    out: join(request.out, scale),
    rng: createRng(id),
    executor: poolExecutor(context, isTable ? undefined : figures[id].metric, request, progress),
    now: () => performance.now(),
  };
  const again = shellCommand(
    "reproduce",
    id,
    ...["--scale", scale],
    ...(request.seeds === undefined ? [] : ["--seeds", String(request.seeds)]),
    ...(request.out === "results" ? [] : ["--out", request.out]),
  );
  try {
    if (isTable) {
      const { shown, ...report } = await reproduceTable(tables[id], options);
      progress.stop();
      if (request.json) printJson(report);
      else console.log(coloured(describeTable({ shown, ...report })));
    } else {
      const report = await reproduce(figures[id], options);
      progress.stop();
      if (request.json) printJson(report);
      else console.log(coloured(describeReport(report)));
    }
  } catch (error) {
    progress.stop();
    if (!(error instanceof Stopped)) throw error;
    process.exitCode = exitCodes.interrupted;
    console.log(`${pc.yellow("■")} stopped; what is done is kept. Go on with\n\n  ${again}`);
  }
}

/** The user asked to stop before all runs were there. */
class Stopped extends Error {}

/** Trains runs in a pool of processes, each in a directory of its own that other figures find too. */
function poolExecutor(
  context: Context,
  metric: MetricDefinition | undefined,
  { out, jobs }: ReproduceRequest,
  progress: ProgressLines,
): Executor {
  return {
    async execute(runs) {
      const places = runs.map(({ request }) => {
        const spec = parseRunSpec({ ...request, checkpointEvery });
        return { directory: join(out, "runs", directoryName(spec)), spec };
      });
      const began = Date.now();
      const interrupt = watchInterrupt(progress.note);
      const outcomes = await runPool(places, {
        jobs,
        now: Date.now,
        signal: interrupt.signal,
        kill: interrupt.kill,
        onEvent: reporter(metric, runs, progress),
      }).finally(interrupt.dispose);
      expectFinished(outcomes);
      const trained = outcomes.filter(({ attempts }) => attempts > 0).length;
      const were = runs.length - trained;
      progress.note(
        pc.dim(`${trained} runs trained in ${duration(Date.now() - began)}, ${were} were there; drawing`),
      );
      return runs.map((run, index) => ({
        run,
        directory: places[index].directory,
        metrics: (name) => readMetrics(places[index].directory, name),
        attention: (samples) => watchAttention(context, places[index].directory, samples),
        dags: (states) => watchDags(context, places[index].directory, { states, samples: 1, noisy: false }),
        parameters: () => readParameters(context, places[index].directory),
      }));
    },
  };
}

/** The parameters of a run's newest checkpoint. */
async function readParameters(
  context: Context,
  directory: string,
): Promise<ReturnType<Learner["parameters"]>> {
  const { learner } = await loadLearner(directory, await runResolver(context));
  try {
    return learner.parameters();
  } finally {
    await learner.dispose();
  }
}

const directoryName = (spec: RunSpec): string =>
  `${spec.algorithm}-${spec.env.replaceAll("/", "-")}-seed${spec.seed}-${runIdentity(spec)}`;

function expectFinished(outcomes: readonly PoolOutcome[]): void {
  const missing = outcomes.filter(({ state }) => state !== "finished");
  if (missing.length === 0) return;
  if (missing.some(({ state }) => state === "interrupted")) throw new Stopped();
  const others = missing.length === 1 ? "" : ` (and ${missing.length - 1} more)`;
  throw new InputError(`${missing[0].message ?? missing[0].directory}${others}; a figure needs every run`);
}

/** Shows all runs together and, below, those that train now. */
function reporter(metric: MetricDefinition | undefined, runs: readonly FigureRun[], progress: ProgressLines) {
  const began = Date.now();
  let finished = 0;
  let present = 0;
  const latest = new Map<number, string>();
  return (event: PoolEvent): void => {
    switch (event.kind) {
      case "progress":
        progress.whole(event.progress.done / event.progress.total, overall(event.progress));
        break;
      case "retry":
        progress.note(
          pc.yellow(`${nameOf(runs[event.index])}: ${event.reason}; trying again (${event.attempt})`),
        );
        break;
      case "outcome":
        progress.endPart(event.index);
        if (event.outcome.state === "finished") finished++;
        if (event.outcome.state === "finished" && event.outcome.attempts === 0) present++;
        if (event.outcome.message !== undefined) progress.note(pc.red(event.outcome.message));
        break;
      case "run":
        runEvent(event);
    }
  };

  function overall(state: PoolProgress): string {
    const left = Date.now() - began < settling ? undefined : state.left;
    return [
      `${finished} of ${runs.length} runs`,
      ...(present > 0 ? [`${present} were there`] : []),
      ...(left === undefined || left === 0 ? [] : [`${duration(left)} left`]),
    ].join(pc.dim(" · "));
  }

  function runEvent({ index, event }: PoolEvent & { readonly kind: "run" }): void {
    const run = runs[index];
    if (event.kind === "note") progress.note(pc.yellow(`${nameOf(run)}: ${event.message}`));
    if (event.kind !== "start" && event.kind !== "iteration") return;
    const value = metric && event.kind === "iteration" ? event.metrics[metric.name] : undefined;
    if (value !== undefined) latest.set(index, `  ${metric?.label} ${brief(value)}`);
    const share = Math.min(1, event.position.steps / run.request.steps);
    progress.part(index, share, `${nameOf(run)}${latest.get(index) ?? ""}`);
  }
}

const nameOf = ({ panel, series, request }: FigureRun): string =>
  `${panel === undefined ? "" : `${panel}, `}${series}, seed ${request.seed}`;

const colours = { reproduced: pc.green, contradicted: pc.red, undecided: pc.yellow } as const;

/** The report with its verdicts in colour. */
function coloured(report: string): string {
  const [title, ...rest] = report.trimEnd().split("\n");
  const paint = (verdict: string) => colours[verdict as keyof typeof colours](pc.bold(verdict));
  const text = rest
    .join("\n")
    .replace(/^(reproduced|contradicted|undecided)(?=:)/gm, paint)
    .replace(/(?<=: )(reproduced|contradicted|undecided)$/gm, (verdict) =>
      colours[verdict as keyof typeof colours](verdict),
    )
    .replace(/^note:/gm, pc.yellow("note:"));
  return `${pc.bold(title)}\n${text}`;
}
