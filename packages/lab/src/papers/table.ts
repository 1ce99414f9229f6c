import { join } from "node:path";
import { InputError } from "corral/errors";
import type { Rng } from "corral/random";
import { renderTable, svgToPng } from "../plot/index.ts";
import type { Verdict } from "./claims.ts";
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

/** One exact inequality or equality that a claim says holds. */
export interface Check {
  readonly holds: boolean;
  /** The numbers of both sides. */
  readonly evidence: string;
}

/** A sentence of a paper about numbers that are computed, not sampled: no interval is needed to judge it. */
export interface TableClaim {
  readonly text: string;
  check(rows: readonly Row[]): readonly Check[];
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
  /** The same stream gives the same rows. */
  rows(scale: Scale, rng: Rng): Promise<readonly Row[]>;
  readonly claims: readonly TableClaim[];
}

export interface TableClaimReport {
  readonly text: string;
  /** Reproduced when every check holds, contradicted when one fails, undecided without any. */
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

/**
 * Computes a table, judges its claims, draws it, and writes `<out>/<id>.svg`, `.png`, `.csv` and `.json` (numbers in full).
 *
 * @param options `out`: directory for the files; `rng`: the same stream gives the same files, byte for byte
 */
export async function reproduceTable(
  definition: TableDefinition,
  { scale, out, rng }: { readonly scale: Scale; readonly out: string; readonly rng: Rng },
): Promise<TableReport> {
  const { id, title, caption } = definition;
  const rows = await definition.rows(scale, rng);
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
  const svg = renderTable({ title, caption, head, rows: cells, right });
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
    ...checks.map(({ holds, evidence }) => `    ${evidence}: ${holds ? "holds" : "does not hold"}`),
  ]);
  return [`${id} (${scale})`, "", ...lines, "", ...judged, "", ...Object.values(files), ""].join("\n");
}

const hasValue = (cell: Cell | undefined): boolean => cell !== null && cell !== undefined;

function verdictOf(checks: readonly Check[]): Verdict {
  if (checks.length === 0) return "undecided";
  return checks.every(({ holds }) => holds) ? "reproduced" : "contradicted";
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
