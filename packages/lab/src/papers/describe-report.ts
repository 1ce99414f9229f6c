import type { ComparisonReport, Measure } from "./claims.ts";
import type { FigureReport } from "./reproduce.ts";

/** A report as text for a terminal or a log: table, verdicts with their evidence, warnings, files. */
export function describeReport(report: FigureReport): string {
  const withShare = report.table.some(({ shareAboveThreshold }) => shareAboveThreshold !== undefined);
  const withPanel = report.table.some(({ panel }) => panel !== undefined);
  const withMetric = report.table.some(({ metric }) => metric !== report.metric);
  const rows = [
    [
      ...(withMetric ? ["metric"] : []),
      ...(withPanel ? ["panel"] : []),
      "curve",
      "n",
      "mean ± s.e.",
      "IQM [95 %]",
      "median",
      "min",
      ...(withShare ? ["above"] : []),
    ],
    ...report.table.map((row) => [
      ...(withMetric ? [row.metric] : []),
      ...(withPanel ? [row.panel ?? ""] : []),
      row.series,
      String(row.n),
      `${number(row.mean)} ± ${number(row.standardError)}`,
      `${number(row.interquartileMean)} [${number(row.interquartileInterval.low)}, ${number(row.interquartileInterval.high)}]`,
      number(row.median),
      number(row.minimum),
      ...(withShare ? [`${Math.round(100 * (row.shareAboveThreshold ?? 0))} %`] : []),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  const claims = report.claims.flatMap(({ text, verdict, comparisons }) => [
    `${verdict}: ${text}`,
    ...comparisons.map((comparison) => `    ${describeComparison(comparison)}`),
  ]);
  return [
    `${report.id} (${report.scale}, ${report.seeds} seed${report.seeds === 1 ? "" : "s"}, ${report.metric})`,
    "",
    ...table,
    ...(claims.length === 0 ? [] : ["", ...claims]),
    ...(report.warnings.length === 0 ? [] : ["", ...report.warnings.map((warning) => `note: ${warning}`)]),
    "",
    ...Object.values(report.files),
    "",
  ].join("\n");
}

const signs = { better: ">", "no-worse": "≥", similar: "≈" } as const;

/** For example `full > random: -0.027 [-0.066, 0.012] at 98.75 %, g -0.33, n 60 + 60: undecided`. */
function describeComparison({ rule, verdict, interval, ...result }: ComparisonReport): string {
  const margin =
    rule.margin === 0 ? "" : rule.kind === "better" ? ` (by ${rule.margin})` : ` (margin ${rule.margin})`;
  const panel = rule.panel === undefined ? "" : `${rule.panel}: `;
  const metric = rule.metric === undefined ? "" : `${rule.metric}: `;
  const first = describeMeasured(rule.first, rule.measure);
  const second = describeMeasured(rule.second, rule.secondMeasure ?? rule.measure);
  const measure = describeMeasure(rule.measure);
  const level = Number((100 * interval.confidence).toPrecision(4));
  const effect = Number.isNaN(result.effectSize) ? "" : `, g ${number(result.effectSize)}`;
  const size = `n ${result.sizes[0]} + ${result.sizes[1]}`;
  return (
    `${metric}${panel}${first} ${signs[rule.kind]} ${second}${margin}${measure}: ${number(result.difference)} ` +
    `[${number(interval.low)}, ${number(interval.high)}] at ${level} %${effect}, ${size}: ${verdict}`
  );
}

function describeMeasure(measure: Measure): string {
  if (measure.kind === "training-average") return ", averaged over training";
  return measure.kind === "late-average" ? `, averaged over the last ${100 * measure.share} %` : "";
}

/** A curve's name, or what is measured of it where that is not its end. */
function describeMeasured(series: string, measure: Measure): string {
  if (measure.kind === "constant") return String(Number(measure.value.toPrecision(4)));
  if (measure.kind === "initial") return `${measure.share === 1 ? "" : `${measure.share} of `}its start`;
  return series;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "-" : value > 0 ? "inf" : "-inf";
  const digits = Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 10 ? 2 : 3;
  return value.toFixed(digits);
}
