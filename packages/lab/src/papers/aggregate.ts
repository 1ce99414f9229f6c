import { InputError } from "corral/errors";
import type { Rng } from "corral/random";
import {
  bootstrapInterval,
  type Interval,
  interquartileMean,
  mean,
  median,
  shareAbove,
  standardError,
} from "corral/stats";
import type { FinishedRun } from "./executor.ts";

/** All runs of one curve, on one set of evaluation steps. */
export interface SeriesRuns {
  /** Name of the metric. */
  readonly metric: string;
  readonly series: string;
  readonly panel?: string;
  /** Evaluation steps that every run of the panel has, ascending. */
  readonly steps: readonly number[];
  readonly seeds: readonly number[];
  /** `values[run][step]`, runs in the order of `seeds`. */
  readonly values: readonly (readonly number[])[];
}

/** The mean of a curve's runs at each step, and its standard error (null for a single run). */
export interface SeriesCurve {
  readonly steps: readonly number[];
  readonly mean: readonly number[];
  readonly standardError: readonly (number | null)[];
}

/** One row of a figure's table: the values at the last common evaluation. */
export interface SeriesSummary {
  /** Name of the metric. */
  readonly metric: string;
  readonly series: string;
  readonly panel?: string;
  /** Environment steps at which the values were taken. */
  readonly steps: number;
  /** Runs. */
  readonly n: number;
  readonly mean: number;
  /** NaN for a single run. */
  readonly standardError: number;
  readonly interquartileMean: number;
  /** 95 % percentile bootstrap interval of the interquartile mean. */
  readonly interquartileInterval: Interval;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
  /** Share of runs above the figure's threshold, when it has one. */
  readonly shareAboveThreshold?: number;
}

/**
 * Gathers finished runs into curves. Runs of one panel are compared at the evaluation steps that all of them have.
 *
 * @throws InputError when a value is not finite (a run that diverged must not be left out in silence) or the runs of
 * a panel have no step in common
 */
export function alignRuns(finished: readonly FinishedRun[], metric: string): SeriesRuns[] {
  const read = finished.map(({ run, metrics }) => {
    const { steps, values } = metrics(metric);
    const at = new Map<number, number>();
    for (let i = 0; i < steps.length; i++) {
      if (!Number.isFinite(values[i])) {
        throw new InputError(
          `${nameRun(run)}: ${metric} is ${values[i]} at step ${steps[i]}: the run diverged`,
        );
      }
      at.set(steps[i], values[i]);
    }
    return { run, at };
  });
  const series = new Map<string, typeof read>();
  for (const entry of read) {
    const key = JSON.stringify([entry.run.panel ?? null, entry.run.series]);
    series.set(key, [...(series.get(key) ?? []), entry]);
  }
  return [...series.values()].map((members) => {
    const { panel, series: name } = members[0].run;
    const neighbours = read.filter(({ run }) => run.panel === panel);
    const steps = [...neighbours[0].at.keys()]
      .filter((step) => neighbours.every(({ at }) => at.has(step)))
      .sort((a, b) => a - b);
    if (steps.length === 0) {
      throw new InputError(
        `${nameRun(members[0].run)}: its panel's runs have no evaluation of ${metric} in common`,
      );
    }
    const ordered = [...members].sort((a, b) => a.run.request.seed - b.run.request.seed);
    return {
      metric,
      series: name,
      ...(panel === undefined ? {} : { panel }),
      steps,
      seeds: ordered.map(({ run }) => run.request.seed),
      values: ordered.map(({ at }) => steps.map((step) => at.get(step)!)),
    };
  });
}

/** How a run is called in messages. */
export function nameRun(run: FinishedRun["run"]): string {
  const place = run.panel === undefined ? run.series : `${run.panel}, ${run.series}`;
  return `run of ${place}, seed ${run.request.seed}`;
}

export function curveOf({ steps, values }: SeriesRuns): SeriesCurve {
  const columns = steps.map((_, i) => values.map((run) => run[i]));
  return {
    steps,
    mean: columns.map(mean),
    standardError: columns.map((column) => (column.length > 1 ? standardError(column) : null)),
  };
}

/** @param rng decides the bootstrap; every curve takes a stream of its own from it, by name */
export function summarise(runs: SeriesRuns, rng: Rng, threshold?: number): SeriesSummary {
  const last = runs.steps.length - 1;
  const values = runs.values.map((run) => run[last]);
  return {
    metric: runs.metric,
    series: runs.series,
    ...(runs.panel === undefined ? {} : { panel: runs.panel }),
    steps: runs.steps[last],
    n: values.length,
    mean: mean(values),
    standardError: standardError(values),
    interquartileMean: interquartileMean(values),
    interquartileInterval: bootstrapInterval([values], interquartileMean, {
      rng: rng.split(JSON.stringify(["interquartile mean", runs.panel ?? null, runs.series])),
    }),
    median: median(values),
    minimum: Math.min(...values),
    maximum: Math.max(...values),
    ...(threshold === undefined ? {} : { shareAboveThreshold: shareAbove(values, threshold) }),
  };
}
