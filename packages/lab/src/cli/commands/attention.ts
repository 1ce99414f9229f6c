import { join } from "node:path";
import { InputError } from "corral/errors";
import pc from "picocolors";
import { attentionMeasures, writeAttention } from "../../papers/index.ts";
import { openRun } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { brief, printJson, table } from "../output.ts";
import { runTitle } from "../run-view.ts";
import { watchAttention } from "../watch-attention.ts";

interface AttentionOptions extends CommonOptions {
  readonly samples: number;
  readonly seed: number | string;
  readonly layer?: number;
  readonly out?: string;
}

/** `corral attention`: which actions of a trained team attend to which, as files and in single numbers. */
export async function attention(
  context: Context,
  directory: string,
  { samples, seed, layer, out = join(directory, "attention"), json }: AttentionOptions,
): Promise<void> {
  const run = openRun(directory);
  const report = await watchAttention(context, directory, samples, seed);
  const layers = report.layers.length;
  if (layer !== undefined && layer > layers) {
    throw new InputError(`--layer is ${layer}, expected 1 to ${layers}: the network has ${layers}`);
  }
  const text = { title: "Attention among actions", caption: `${runTitle(run)}.` };
  const files = writeAttention(report, out, text, (layer ?? layers) - 1);
  const measures = attentionMeasures(report);
  if (json) return printJson({ directory, seed, measures, files, ...report });
  const rows = Object.entries(measures).map(([name, value]) => [name, brief(value)]);
  console.log(
    `${pc.bold(runTitle(run))}: mean over ${report.samples} moments, last layer, mean of the heads\n`,
  );
  console.log(table(["measure", "value"], rows, [1]));
  console.log(`\n${Object.values(files).join("\n")}`);
}
