import { join } from "node:path";
import { InputError } from "corral/errors";
import type { Rng } from "corral/random";
import { type LineFigure, renderLines, renderTable, svgToPng } from "../plot/index.ts";
import type { Verdict } from "./claims.ts";
import type { Executor } from "./executor.ts";
import type { Scale } from "./figure.ts";
import { writeResult } from "./write-result.ts";

/** A number, a name, or nothing where a quantity does not exist. */
export type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;

export interface Column {
  /** Its key in the rows. */
  readonly key: string;
  /** A line break begins a second line. */
  readonly label: string;
  /** How its numbers are written; by default with three significant digits. */
  readonly show?: (value: number) => string;
}

/** One inequality or equality that a claim says holds. */
export interface Check {
  /** Undefined where the numbers at hand cannot tell. */
  readonly holds?: boolean;
  /** The numbers of both sides. */
  readonly evidence: string;
}

/** A sentence of a paper about the numbers of a table. */
export interface TableClaim {
  readonly text: string;
  check(rows: readonly Row[]): readonly Check[];
}

/** Where numbers come from that are not computed from a seed alone. */
export interface TableSources {
  /** Trains runs. */
  readonly executor: Executor;
  /** Runs of each method, instead of the scale's own number. */
  readonly seeds?: number;
  /** Milliseconds since some fixed moment. */
  now(): number;
}

/** A table of a paper as data: how its rows are computed, and what the paper says about them. */
export interface TableDefinition {
  /** Paper and table, for example `"subteams/table-1"`. */
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  /** What each scale computes, in words. */
  readonly efforts: Readonly<Record<Scale, string>>;
  /** The same stream gives the same rows, but for times. */
  rows(scale: Scale, rng: Rng, sources: TableSources): Promise<readonly Row[]>;
  /** Whether rows come from runs that are trained, of which there can be any number. */
  readonly trained?: boolean;
  /** Lines to draw in place of the table itself. */
  readonly drawing?: (rows: readonly Row[]) => Pick<LineFigure, "panels" | "columns" | "panelSize">;
  readonly claims: readonly TableClaim[];
}

export interface TableClaimReport {
  readonly text: string;
  /** Reproduced when every check holds, contradicted when one fails, undecided otherwise and without any. */
  readonly verdict: Verdict;
  readonly checks: readonly Check[];
}

/** What a table came to. */
export interface TableReport {
  readonly id: string;
  readonly title: string;
  readonly scale: Scale;
  readonly caption: string;
  /** Of the columns that some row fills. */
  readonly columns: readonly { readonly key: string; readonly label: string }[];
  readonly rows: readonly Row[];
  readonly claims: readonly TableClaimReport[];
  readonly files: { readonly svg: string; readonly png: string; readonly csv: string; readonly json: string };
  /** Head and rows as they are shown. */
  readonly shown: readonly (readonly string[])[];
}

/** @throws InputError when the id is malformed or two columns have one key */
export function table(id: string, definition: Omit<TableDefinition, "id">): TableDefinition {
  if (!/^[a-z0-9-]+\/[a-z0-9-]+$/.test(id)) {
    throw new InputError(`table: expected an id such as "paper/table-1" but received "${id}"`);
  }
  const keys = definition.columns.map(({ key }) => key);
  const twice = keys.find((key, k) => keys.indexOf(key) !== k);
  if (twice !== undefined) throw new InputError(`table ${id}: two columns have the key ${twice}`);
  return { id, ...definition };
}

export interface ReproduceTableOptions extends TableSources {
  readonly scale: Scale;
  /** Directory for the files; the table's id is the path inside it. */
  readonly out: string;
  /** The same stream gives the same files, byte for byte, but for times. */
  readonly rng: Rng;
}

/** Computes a table, judges its claims, draws it, and writes `<out>/<id>.svg`, `.png`, `.csv` and `.json` (numbers in full). */
export async function reproduceTable(
  definition: TableDefinition,
  { scale, out, rng, ...sources }: ReproduceTableOptions,
): Promise<TableReport> {
  const { id, title, caption, drawing } = definition;
  const rows = await definition.rows(scale, rng, sources);
  const columns = definition.columns.filter(({ key }) => rows.some((row) => hasValue(row[key])));
  const claims = definition.claims.map(({ text, check }) => {
    const checks = check(rows);
    return { text, verdict: verdictOf(checks), checks };
  });
  const head = columns.map(({ label }) => label);
  const cells = rows.map((row) => columns.map((column) => showCell(row[column.key], column)));
  const right = columns.flatMap(({ key }, k) =>
    rows.some((row) => typeof row[key] === "number") ? [k] : [],
  );
  const base = join(out, ...id.split("/"));
  const files = { svg: `${base}.svg`, png: `${base}.png`, csv: `${base}.csv`, json: `${base}.json` };
  const report = {
    id,
    title,
    scale,
    caption,
    columns: columns.map(({ key, label }) => ({ key, label: label.replaceAll("\n", " ") })),
    rows,
    claims,
  };
  const svg =
    drawing === undefined
      ? renderTable({ title, caption, head, rows: cells, right })
      : await renderLines({ title, caption, ...drawing(rows) });
  writeResult(files.svg, svg);
  writeResult(files.png, svgToPng(svg));
  writeResult(files.csv, csvOf(columns, rows));
  writeResult(files.json, `${JSON.stringify({ format: 1, ...report }, null, 2)}\n`);
  return { ...report, files, shown: [report.columns.map(({ label }) => label), ...cells] };
}

/** A table's report as text for a terminal or a log. */
export function describeTable({ id, scale, shown, claims, files }: TableReport): string {
  const widths = shown[0].map((_, column) => Math.max(...shown.map((row) => row[column].length)));
  const lines = shown.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  const judged = claims.flatMap(({ text, verdict, checks }) => [
    `${verdict}: ${text}`,
    ...checks.map(({ holds, evidence }) => `    ${evidence}: ${describeAnswer(holds)}`),
  ]);
  return [`${id} (${scale})`, "", ...lines, "", ...judged, "", ...Object.values(files), ""].join("\n");
}

const hasValue = (cell: Cell | undefined): boolean => cell !== null && cell !== undefined;

function verdictOf(checks: readonly Check[]): Verdict {
  if (checks.some(({ holds }) => holds === false)) return "contradicted";
  return checks.length > 0 && checks.every(({ holds }) => holds) ? "reproduced" : "undecided";
}

function describeAnswer(holds: boolean | undefined): string {
  if (holds === undefined) return "undecided";
  return holds ? "holds" : "does not hold";
}

function showCell(cell: Cell | undefined, { show = threeDigits }: Column): string {
  if (typeof cell === "number") return show(cell);
  return cell ?? "";
}

/** Three significant digits; powers of ten for what is very large or small. */
export function threeDigits(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

function csvOf(columns: readonly Column[], rows: readonly Row[]): string {
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [
    columns.map(({ key }) => key),
    ...rows.map((row) => columns.map(({ key }) => String(row[key] ?? ""))),
  ];
  return `${lines.map((cells) => cells.map(quote).join(",")).join("\n")}\n`;
}
