import { join } from "node:path";
import type { DagSamples } from "corral/algorithms";
import { InputError } from "corral/errors";
import type { AttentionReport } from "corral/models";
import type { Rng } from "corral/random";
import { type Axis, type LineFigure, renderLines, svgToPng } from "../plot/index.ts";
import { alignRuns, curveOf, nameRun, type SeriesRuns, type SeriesSummary, summarise } from "./aggregate.ts";
import { attentionMeasures, drawAttention } from "./attention.ts";
import { type ClaimReport, judgeClaims, measureRun } from "./claims.ts";
import { dagMeasures, describeDag, drawDags } from "./dag-drawing.ts";
import type { Executor, FigureRun, FinishedRun } from "./executor.ts";
import {
  type FigureDefinition,
  figureRuns,
  isShownOf,
  type MetricDefinition,
  metricsOf,
  type Scale,
  settingsOf,
} from "./figure.ts";
import { writeResult } from "./write-result.ts";

export interface ReproduceOptions {
  readonly scale: Scale;
  /** Runs per curve, instead of the scale's own number. */
  readonly seeds?: number;
  readonly executor: Executor;
  /** Directory for the files; the figure's id is the path inside it. */
  readonly out: string;
  /** Decides the bootstrap intervals. The same stream over the same runs gives the same files, byte for byte. */
  readonly rng: Rng;
}

/** What a figure came to. */
export interface FigureReport {
  readonly id: string;
  readonly title: string;
  readonly scale: Scale;
  readonly seeds: number;
  readonly metric: string;
  readonly caption: string;
  /** One row per curve. */
  readonly table: readonly SeriesSummary[];
  readonly claims: readonly ClaimReport[];
  /** What a reader must know before believing the verdicts. */
  readonly warnings: readonly string[];
  readonly files: { readonly svg: string; readonly png: string; readonly csv: string; readonly json: string };
}

/**
 * Makes a figure: has its runs executed, aggregates them over seeds, judges the claims, draws, and writes
 * `<out>/<id>.svg`, `.png`, `.csv` (every run's values) and `.json` (curves, table and verdicts).
 *
 * @throws InputError when runs are missing or diverged, or share no evaluation
 */
export async function reproduce(
  definition: FigureDefinition,
  options: ReproduceOptions,
): Promise<FigureReport> {
  const runs = figureRuns(definition, options.scale, options.seeds);
  const executed = inOrder(runs, await options.executor.execute(runs));
  const { heatMaps, dags } = definition;
  const watched = heatMaps && (await watchAttention(executed, heatMaps));
  const followed = dags && (await watchDags(executed, dags.state));
  const finished = watched?.runs ?? followed?.runs ?? executed;
  const metrics = metricsOf(definition);
  const aligned = metrics.flatMap((metric) =>
    alignRuns(
      finished.filter(({ run }) => isShownOf(metric, run.series)),
      metric.name,
    ).map((entry) => {
      const { divisor = 1 } = metricIn(definition, metric, entry.panel);
      return { ...entry, values: entry.values.map((run) => run.map((value) => value / divisor)) };
    }),
  );
  const directionOf = (metric = definition.metric.name) =>
    metrics.find(({ name }) => name === metric)!.better;
  const claims = judgeClaims(
    definition.claims,
    (series, panel, measure, metric = definition.metric.name) => {
      const found = aligned.find(
        (entry) => entry.metric === metric && entry.series === series && entry.panel === panel,
      )!;
      return found.values.map((values) => measureRun(measure, found.steps, values, directionOf(metric)));
    },
    directionOf,
  );
  const seeds = Math.max(...aligned.map((entry) => entry.seeds.length));
  const table = aligned.map((entry) => {
    const isFirst = entry.metric === definition.metric.name;
    const rng = isFirst ? options.rng : options.rng.split(entry.metric);
    return summarise(entry, rng, isFirst ? definition.threshold : undefined);
  });
  const caption = describeFigure(definition, aligned, options.scale);
  const warnings = warningsOf(definition, options.scale, claims);
  const base = join(options.out, ...definition.id.split("/"));
  const files = { svg: `${base}.svg`, png: `${base}.png`, csv: `${base}.csv`, json: `${base}.json` };
  const head = { id: definition.id, title: definition.title, scale: options.scale, seeds };
  const body = { metric: definition.metric.name, caption, table, claims, warnings };

  const text = { title: definition.title, caption };
  const svg =
    watched !== undefined
      ? drawAttention(watched.drawn, text)
      : dags !== undefined
        ? drawDags(followed!.drawn, { ...text, child: dags.child })
        : await renderLines(drawing(definition, aligned, caption));
  writeResult(files.svg, svg);
  writeResult(files.png, svgToPng(svg));
  writeResult(files.csv, csvOf(aligned));
  const curves = aligned.map((entry) => ({ ...placeOf(entry), seeds: entry.seeds, ...curveOf(entry) }));
  const further = {
    ...(watched && { attention: watched.drawn }),
    ...(followed && {
      dags: followed.drawn.map(({ series, found }) => ({ series, ...describeDag(found) })),
    }),
  };
  writeResult(
    files.json,
    `${JSON.stringify({ format: 1, ...head, ...body, curves, ...further }, null, 2)}\n`,
  );
  return { ...head, ...body, files };
}

/** Adds to every run the measures of its attention, as metrics at its end. */
async function watchAttention(
  finished: readonly FinishedRun[],
  { series, samples }: NonNullable<FigureDefinition["heatMaps"]>,
): Promise<{ readonly runs: FinishedRun[]; readonly drawn: AttentionReport }> {
  const reports: AttentionReport[] = [];
  for (const run of finished) reports.push(await run.attention(samples));
  const runs = finished.map((run, index) => withMeasures(run, attentionMeasures(reports[index])));
  return { runs, drawn: reports[finished.findIndex(({ run }) => run.series === series)] };
}

/** Adds to every run the measures of its DAGs in a state, as metrics at its end. */
async function watchDags(
  finished: readonly FinishedRun[],
  state: readonly number[],
): Promise<{
  readonly runs: FinishedRun[];
  readonly drawn: readonly { readonly series: string; readonly found: DagSamples }[];
}> {
  const all: { series: string; found: DagSamples }[] = [];
  for (const run of finished) all.push({ series: run.run.series, found: await run.dags([state]) });
  return {
    runs: finished.map((run, index) => withMeasures(run, dagMeasures(all[index].found))),
    drawn: all.filter(({ series }, index) => all.findIndex((each) => each.series === series) === index),
  };
}

/** A run with further metrics at its end. */
const withMeasures = (run: FinishedRun, measures: Readonly<Record<string, number>>): FinishedRun => ({
  ...run,
  metrics: (name) =>
    Object.hasOwn(measures, name)
      ? { steps: [run.run.request.steps], values: [measures[name]] }
      : run.metrics(name),
});

/** The finished runs in the order they were asked for, whatever order they came back in. */
function inOrder(runs: readonly FigureRun[], finished: readonly FinishedRun[]): FinishedRun[] {
  const key = (run: FigureRun) => JSON.stringify([run.panel ?? null, run.series, run.request.seed]);
  const byKey = new Map(finished.map((entry) => [key(entry.run), entry]));
  return runs.map((run) => {
    const found = byKey.get(key(run));
    // A mean over the runs that happened to finish would be biased: failing runs are not a random part.
    if (found === undefined)
      throw new InputError(`${nameRun(run)} did not finish; the figure needs every run`);
    return found;
  });
}

/** The figure's metric as a panel shows it; further ones are the same in all panels. */
const metricIn = (
  definition: FigureDefinition,
  metric: MetricDefinition,
  panel: string | undefined,
): MetricDefinition =>
  metric.name === definition.metric.name ? settingsOf(definition, panel).metric : metric;

function describeFigure(definition: FigureDefinition, aligned: readonly SeriesRuns[], scale: Scale): string {
  const own = definition.captions?.[scale];
  const caption = own === undefined ? definition.caption : `${definition.caption} ${own}`;
  const lengths = describeLengths(definition, scale);
  if (definition.heatMaps !== undefined || definition.dags !== undefined)
    return `${caption} Trained for ${lengths}.`;
  const seeds = Math.max(...aligned.map((entry) => entry.seeds.length));
  const fewer = new Map(
    aligned.filter((entry) => entry.seeds.length < seeds).map((entry) => [entry.series, entry.seeds.length]),
  );
  const except = [...fewer].map(([series, count]) => `${series}: ${count}`).join(", ");
  const over =
    (seeds === 1 ? "One seed" : `Mean over ${seeds} seeds`) +
    `${except === "" ? "" : ` (${except})`} of ${lengths}`;
  const band = seeds === 1 ? "no band." : "band: one standard error to each side.";
  return `${caption} ${over}; ${band}`;
}

const panelsOf = ({ runs }: FigureDefinition) => [...new Set(runs.map(({ panel }) => panel))];

/** How long runs are: "2,000 environment steps", or "150 (nine), 80 (ring) episodes" where panels differ. */
export function describeLengths(definition: FigureDefinition, scale: Scale): string {
  const lengths = panelsOf(definition).map((panel) => {
    const { length, stepsEach } = settingsOf(definition, panel);
    return { panel, count: grouped(length[scale] / stepsEach) };
  });
  const alike = lengths.every(({ count }) => count === lengths[0].count);
  const counts = alike
    ? lengths[0].count
    : lengths.map(({ panel, count }) => `${count} (${panel})`).join(", ");
  return `${counts} ${stepsOf(definition)}`;
}

const stepsOf = ({ steps = "environment steps" }: FigureDefinition): string => steps;

/** 200000 as "200,000", in every locale. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function warningsOf(definition: FigureDefinition, scale: Scale, claims: readonly ClaimReport[]): string[] {
  const isShort = panelsOf(definition).some((panel) => {
    const { length } = settingsOf(definition, panel);
    return length[scale] < length.paper;
  });
  const [own, full] = ([scale, "paper"] as const).map((each) => describeLengths(definition, each));
  const short = isShort ? [`runs are of ${own}, the paper's of ${full}: its claims are about those`] : [];
  const undecided = claims.flatMap(({ text, warning }) =>
    warning === undefined ? [] : [`"${text}" is undecided. ${warning}`],
  );
  return [...short, ...undecided];
}

function drawing(definition: FigureDefinition, aligned: readonly SeriesRuns[], caption: string): LineFigure {
  const panels = [...new Set(aligned.map(({ panel }) => panel))];
  const rules = [...(definition.references ?? []), ...(definition.measureReferences?.() ?? [])];
  return {
    title: definition.title,
    caption,
    ...(definition.panelSize === undefined ? {} : { panelSize: definition.panelSize }),
    panels: metricsOf(definition).flatMap((metric, row) =>
      panels.map((panel) => ({
        ...(panel === undefined || row > 0 ? {} : { title: panel }),
        x: { label: stepsOf(definition) },
        y: axisOf(metricIn(definition, metric, panel)),
        curves: aligned
          .filter((entry) => entry.metric === metric.name && entry.panel === panel)
          .map((entry) => {
            const curve = curveOf(entry);
            const { stepsEach } = settingsOf(definition, panel);
            const band = (sign: number) =>
              curve.mean.map((value, i) => value + sign * (curve.standardError[i] ?? 0));
            return {
              name: entry.series,
              steps: curve.steps.map((step) => step / stepsEach),
              centre: curve.mean,
              ...(entry.seeds.length > 1 ? { low: band(-1), high: band(1) } : {}),
              ...(definition.dashed === undefined
                ? {}
                : { dashed: definition.dashed.includes(entry.series) }),
            };
          }),
        references: rules.filter(
          (reference) => row === 0 && (reference.panel === undefined || reference.panel === panel),
        ),
      })),
    ),
    // One row for each metric.
    ...(definition.furtherMetrics === undefined ? {} : { columns: panels.length }),
  };
}

function axisOf({ label, unit, domain, logarithmic }: MetricDefinition): Axis {
  return {
    label,
    ...(unit === undefined ? {} : { unit }),
    ...(domain === undefined ? {} : { domain }),
    ...(logarithmic === undefined ? {} : { logarithmic }),
  };
}

function placeOf({ metric, series, panel }: SeriesRuns): { metric: string; series: string; panel?: string } {
  return { metric, series, ...(panel === undefined ? {} : { panel }) };
}

/** One line per metric, run and evaluation. */
function csvOf(aligned: readonly SeriesRuns[]): string {
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = ["metric,panel,series,seed,steps,value"];
  for (const { metric, panel, series, seeds, steps, values } of aligned) {
    seeds.forEach((seed, run) => {
      steps.forEach((step, i) => {
        lines.push(`${metric},${quote(panel ?? "")},${quote(series)},${seed},${step},${values[run][i]}`);
      });
    });
  }
  return `${lines.join("\n")}\n`;
}
