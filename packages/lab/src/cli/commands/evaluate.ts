import { createRng } from "corral/random";
import { studentQuantile } from "corral/stats";
import pc from "picocolors";
import { loadLearner } from "../../runs/index.ts";
import type { CommonOptions, Context } from "../context.ts";
import { brief, grouped, printJson, table } from "../output.ts";
import { runResolver } from "../run-resolver.ts";
import { runTitle } from "../run-view.ts";

interface EvaluateOptions extends CommonOptions {
  readonly episodes: number;
  readonly seed: number | string;
}

/** `corral evaluate`: plays episodes with the policy of a run's newest checkpoint. */
export async function evaluate(context: Context, directory: string, options: EvaluateOptions): Promise<void> {
  const { episodes, seed, json } = options;
  const { learner, run, steps } = await loadLearner(directory, await runResolver(context));
  try {
    const metrics = await learner.evaluate(episodes, createRng(seed).split("evaluate"));
    const precision = precisionOf(metrics["eval/return-deviation"], episodes);
    if (json) return printJson({ directory, steps, episodes, seed, metrics, ...precision });
    const rows = Object.entries(metrics).map(([name, value]) => [
      name,
      brief(value),
      name === "eval/return" && precision !== undefined
        ? `± ${brief(precision.standardError)} s.e., 95 % within ±${brief(precision.halfWidth)}`
        : "",
    ]);
    console.log(
      `${pc.bold(runTitle(run))}, after ${grouped(steps)} steps: ${grouped(episodes)} episodes without exploration\n`,
    );
    console.log(table(["metric", "value", ""], rows, [1]));
  } finally {
    await learner.dispose();
  }
}

/** How well the mean return is known, from the deviation of the episodes (divided by their number). */
function precisionOf(deviation: number | undefined, episodes: number) {
  if (deviation === undefined || episodes < 2) return undefined;
  const standardError = deviation / Math.sqrt(episodes - 1);
  return { standardError, halfWidth: standardError * studentQuantile(0.975, episodes - 1) };
}
