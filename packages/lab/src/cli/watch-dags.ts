import type { DagRequest, DagSamples } from "corral/algorithms";
import { InputError } from "corral/errors";
import { createRng } from "corral/random";
import { loadLearner } from "../runs/index.ts";
import type { Context } from "./context.ts";
import { runResolver } from "./run-resolver.ts";

/**
 * DAGs that the policy of a run's newest checkpoint follows.
 *
 * @throws InputError when its agents follow none, or the environment has no such states
 */
export async function watchDags(
  context: Context,
  directory: string,
  request: DagRequest,
  seed: number | string = 0,
): Promise<DagSamples> {
  const { learner, run } = await loadLearner(directory, await runResolver(context));
  try {
    if (learner.dags === undefined) {
      throw new InputError(
        `${directory} was trained by ${run.spec.algorithm}, whose agents follow no DAG; expected a run of mappo`,
      );
    }
    return await learner.dags(request, createRng(seed).split("graph"));
  } finally {
    await learner.dispose();
  }
}
