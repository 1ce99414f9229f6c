import { InputError } from "corral/errors";
import type { AttentionReport } from "corral/models";
import { createRng } from "corral/random";
import { loadLearner } from "../runs/index.ts";
import type { Context } from "./context.ts";
import { runResolver } from "./run-resolver.ts";

/**
 * Attention of a run's newest checkpoint over about `samples` moments of play.
 *
 * @throws InputError when the run's policy has no attention
 */
export async function watchAttention(
  context: Context,
  directory: string,
  samples: number,
  seed: number | string = 0,
): Promise<AttentionReport> {
  const { learner, run } = await loadLearner(directory, await runResolver(context));
  try {
    if (learner.attention === undefined) {
      throw new InputError(
        `${directory} was trained by ${run.spec.algorithm}, whose policy has no attention among actions; expected a run of agp or agp-pg with a graph`,
      );
    }
    return await learner.attention(samples, createRng(seed).split("attention"));
  } finally {
    await learner.dispose();
  }
}
