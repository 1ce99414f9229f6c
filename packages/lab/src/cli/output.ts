import Table from "cli-table3";
import pc from "picocolors";

/** Prints a value as JSON; numbers that are not finite become null. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

/** A table without lines. @param right columns whose cells stand at the right, by index */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const made = new Table({
    head: head.map((cell) => pc.bold(cell)),
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "  ",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "  ",
    },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: head.map((_, column) => (right.includes(column) ? "right" : "left")),
  });
  made.push(...rows.map((row) => [...row]));
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Text in lines that fit the terminal, as far as words allow, each behind `indent` blanks. */
export function paragraph(text: string, indent: number): string {
  const width = Math.max(30, Math.min(process.stdout.columns ?? 120, 120) - indent);
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line) => " ".repeat(indent) + line).join("\n");
}

/** A number for reading: four significant digits, no needless zeros, large ones grouped. */
export function brief(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "-";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  if (size >= 10_000) return grouped(Math.round(value));
  if (size !== 0 && size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/** 200000 as "200,000". */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Milliseconds as "3 h 20 min", "2 min 5 s", "18 s" or "2.4 s". */
export function duration(milliseconds: number): string {
  if (milliseconds < 9_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** A title above a part of the output. */
export const heading = (text: string): string => pc.bold(text);

/** How this command is called here: `npx corral` when npx started it. */
export const commandName = (): string => (process.env.npm_command === "exec" ? "npx corral" : "corral");

/** A command with its arguments, ready to be copied to a shell. */
export function shellCommand(...words: readonly string[]): string {
  const quote = (word: string) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return `${commandName()} ${words.map(quote).join(" ")}`;
}
