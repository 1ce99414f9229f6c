import { agrees, checkEnv, configureEnv, type GoldenReport, replayGolden } from "corral/envs";
import pc from "picocolors";
import type { CommonOptions, Context } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { findEnvironment } from "../find-environment.ts";
import { grouped, printJson, table } from "../output.ts";
import { readJson } from "../read-json.ts";
import { readSettings, splitSettings } from "../settings.ts";

interface CheckOptions extends CommonOptions {
  readonly golden?: string;
  readonly episodes: number;
  readonly seed: number | string;
}

/** `corral check`: everything algorithms rely on and, where asked for, recorded trajectories. */
export async function check(
  context: Context,
  nameOrPath: string,
  words: readonly string[],
  { golden: file, episodes, seed, json }: CheckOptions,
): Promise<void> {
  const { definition } = await findEnvironment(nameOrPath, context);
  const typed = splitSettings(words);
  const settings = readSettings({ ...typed.own, ...typed.env }, definition.config);
  const { factory, config } = configureEnv(definition, settings);
  const golden =
    file === undefined ? undefined : replayGolden(definition.name, definition.golden, readJson(file));
  const report = checkEnv(factory, { episodes, seed });
  const passed = report.passed && (golden === undefined || agrees(golden));
  if (!passed) process.exitCode = exitCodes.failed;
  if (json) return printJson({ env: definition.name, config, passed, checks: report.checks, golden });

  const { spec, rivals } = factory();
  const { agents, horizon } = spec;
  const opponents =
    rivals === undefined
      ? ""
      : `; opponents that learn in training (${rivals.names.join(", ")}) play at random here`;
  console.log(
    `${pc.bold(definition.name)}: ${agents} agents, episodes of at most ${horizon} steps${opponents}\n`,
  );
  for (const { name, passed: kept, required, detail } of report.checks) {
    const mark = kept ? pc.green("✔") : required ? pc.red("✘") : pc.yellow("!");
    console.log(`  ${mark} ${name}${kept ? "" : pc.dim(`: ${detail}`)}`);
  }
  if (golden !== undefined) console.log(`\n${describeGolden(golden)}`);
  console.log(`\n${passed ? pc.green("passed") : pc.red("failed")}`);
}

function describeGolden(golden: GoldenReport): string {
  const rows = golden.deviations.map(({ quantity, largest, tolerance, episode, step }) => [
    largest <= tolerance ? pc.green("✔") : pc.red("✘"),
    quantity,
    exponential(largest),
    exponential(tolerance),
    episode,
    String(step),
  ]);
  const head = ["", "quantity", "largest deviation", "tolerance", "episode", "step"];
  return [
    `${pc.bold(golden.schema)}: ${grouped(golden.episodes)} episodes, ${grouped(golden.steps)} steps replayed\n`,
    table(head, rows, [2, 3, 5]),
  ].join("\n");
}

const exponential = (value: number): string => (value === 0 ? "0" : value.toExponential(2));
