import { type Disagreement, verifyCertificate } from "corral/tabular";
import pc from "picocolors";
import type { CommonOptions } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { hashJson } from "../hash-json.ts";
import { grouped, printJson, table } from "../output.ts";
import { readJson } from "../read-json.ts";

/** Disagreements of one part that are named one by one; the others are counted here and named with `--json`. */
const MOST_NAMED = 10;

/** `corral verify`. */
export async function verify(file: string, { json }: CommonOptions): Promise<void> {
  const { passed, checks } = verifyCertificate(readJson(file), hashJson);
  if (!passed) process.exitCode = exitCodes.failed;
  if (json) return printJson({ file, passed, checks });
  const rows = checks.map(({ name, compared, disagreements }) => [
    disagreements.length === 0 ? pc.green("✔") : pc.red("✘"),
    name,
    grouped(compared),
    disagreements.length === 0 ? "" : grouped(disagreements.length),
  ]);
  console.log(`${pc.bold(file)}\n`);
  console.log(table(["", "part", "compared", "disagree"], rows, [2, 3]));
  const lines = checks.flatMap(({ name, disagreements }) => {
    const named = disagreements.slice(0, MOST_NAMED).map(describe);
    const more = disagreements.length - named.length;
    return more === 0 ? named : [...named, `and ${grouped(more)} more in ${name}`];
  });
  if (lines.length > 0) console.log(`\n${lines.map((line) => `  ${line}`).join("\n")}`);
  console.log(`\n${passed ? pc.green("verified") : pc.red("rejected")}`);
}

function describe({ path, found, expected }: Disagreement): string {
  return `${path} is ${inWords(found)}, expected ${inWords(expected)}`;
}

const inWords = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "missing" : JSON.stringify(value);
