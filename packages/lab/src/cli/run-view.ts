import { basename } from "node:path";
import { quantile } from "corral/stats";
import pc from "picocolors";
import { sparkline } from "../plot/index.ts";
import { isModulePath, type MetricsLine, type Run, readMetricsLines } from "../runs/index.ts";
import { brief, table } from "./output.ts";
import { asTyped } from "./settings.ts";

/** A run in a few words. */
export function runTitle({ spec }: Pick<Run, "spec">): string {
  const settings = [
    ...Object.entries(spec.config).map(([key, value]) => `${key}=${asTyped(value)}`),
    ...Object.entries(spec.envConfig).map(([key, value]) => `env.${key}=${asTyped(value)}`),
  ];
  const words = settings.length === 0 ? "" : ` ${settings.join(" ")}`;
  const env = isModulePath(spec.env) ? basename(spec.env) : spec.env;
  return `${spec.algorithm} on ${env}${words}, seed ${spec.seed}`;
}

/** The last value of every metric of a run. */
export function lastMetrics(run: Run): Record<string, number> {
  return Object.assign({}, ...readMetricsLines(run.directory).map(({ metrics }) => metrics));
}

/** Columns of a curve: what the terminal leaves beside the other columns. */
const curveWidth = (): number => Math.min(32, Math.max(12, (process.stdout.columns ?? 96) - 64));

/** One row for each metric: its curve, extremes and last value. */
export function curvesTable(lines: readonly MetricsLine[], shown: (name: string) => boolean): string {
  const width = curveWidth();
  const rows = metricNames(lines)
    .filter(shown)
    .map((name) => {
      const values = valuesOf(lines, name);
      const finite = values.filter(Number.isFinite);
      const numbers = [Math.min(...finite), Math.max(...finite)].map(brief);
      const last = pc.bold(brief(values[values.length - 1]));
      return [name, pc.cyan(sparkline(values, { width, ...usualRange(finite) })), ...numbers, last];
    });
  return table(["metric", "curve", "least", "most", "last"], rows, [2, 3, 4]);
}

/** The range without values far outside the middle half, so that a catastrophic start does not flatten a curve. */
function usualRange(values: readonly number[]): { low?: number; high?: number } {
  if (values.length === 0) return {};
  const [lower, upper] = [quantile(values, 0.25), quantile(values, 0.75)];
  const reach = 3 * (upper - lower);
  const usual = values.filter((value) => value >= lower - reach && value <= upper + reach);
  return { low: Math.min(...usual), high: Math.max(...usual) };
}

/** Evaluations first, then in the order in which they appear. */
export function metricNames(lines: readonly MetricsLine[]): string[] {
  const names = [...new Set(lines.flatMap(({ metrics }) => Object.keys(metrics)))];
  const rank = (name: string) => (name.startsWith("eval/") ? 0 : 1);
  return names.sort((a, b) => rank(a) - rank(b));
}

export function valuesOf(lines: readonly MetricsLine[], name: string): number[] {
  return lines.filter(({ metrics }) => Object.hasOwn(metrics, name)).map(({ metrics }) => metrics[name]);
}
