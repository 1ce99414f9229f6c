import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metrics } from "corral/algorithms";
import { InputError, unknownName } from "corral/errors";
import { onDisk } from "./files.ts";
import { openRun } from "./run.ts";

/** One line of `metrics.jsonl`. */
export interface MetricsLine {
  readonly iteration: number;
  /** Environment steps taken so far. */
  readonly steps: number;
  readonly metrics: Metrics;
}

/** One metric over the course of a run; the arrays have one element for each line that holds it. */
export interface MetricSeries {
  readonly iterations: readonly number[];
  /** Environment steps taken so far. */
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** A line as it is stored. Numbers that are not finite become null. */
export function formatMetricsLine({ iteration, steps, metrics }: MetricsLine): string {
  return `${JSON.stringify({ iteration, steps, metrics })}\n`;
}

/**
 * All lines of a run so far. A last line without its end is ignored: it is being written, or its writer was
 * killed. Numbers that were not finite read as NaN.
 *
 * @throws InputError when the directory is not a run or a whole line is not valid
 */
export function readMetricsLines(directory: string): MetricsLine[] {
  openRun(directory);
  const path = join(directory, "metrics.jsonl");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    return onDisk("read", path, () => {
      throw error;
    });
  }
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1)
    .map((line, index) => parseLine(line, () => `${path}: line ${index + 1} is not a line of metrics`));
}

/**
 * One metric over the course of a run.
 *
 * @param name for example `"eval/return"`
 * @throws InputError when the run has metrics but none of that name
 */
export function readMetrics(directory: string, name: string): MetricSeries {
  const lines = readMetricsLines(directory);
  const found = lines.filter(({ metrics }) => Object.hasOwn(metrics, name));
  if (found.length === 0 && lines.length > 0) {
    const names = new Set(lines.flatMap(({ metrics }) => Object.keys(metrics)));
    throw unknownName("metric", name, [...names].sort());
  }
  return {
    iterations: found.map(({ iteration }) => iteration),
    steps: found.map(({ steps }) => steps),
    values: found.map(({ metrics }) => metrics[name]),
  };
}

function parseLine(text: string, problem: () => string): MetricsLine {
  let line: { iteration: number; steps: number; metrics: Record<string, number | null> };
  try {
    line = JSON.parse(text);
  } catch {
    throw new InputError(problem());
  }
  if (typeof line?.iteration !== "number" || typeof line.steps !== "number" || !line.metrics) {
    throw new InputError(problem());
  }
  const metrics = Object.entries(line.metrics).map(([name, value]) => [name, value ?? Number.NaN] as const);
  return { iteration: line.iteration, steps: line.steps, metrics: Object.fromEntries(metrics) };
}
