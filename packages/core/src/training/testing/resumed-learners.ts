import { expect } from "vitest";
import { createRng } from "../../random/index.ts";
import type { Learner, LearnerSnapshot, Metrics } from "../algorithm.ts";

/** Metrics of so many iterations. */
export async function iterate(learner: Learner, times: number): Promise<Metrics[]> {
  const metrics: Metrics[] = [];
  for (let k = 0; k < times; k++) metrics.push(await learner.iterate());
  return metrics;
}

/** Everything that must be equal for two learners to go on equally. */
export const stateOf = (learner: Learner) => ({
  parameters: learner.parameters(),
  snapshot: learner.snapshot(),
  policy: Buffer.from(learner.exportPolicy()).toString("base64"),
});

/** A snapshot as a file would keep it: what is done with the learner afterwards does not reach into it. */
function saved(learner: Learner): LearnerSnapshot {
  const { tensors, json } = learner.snapshot();
  return { tensors: structuredClone(tensors), json: JSON.parse(JSON.stringify(json)) };
}

/**
 * Expects a learner that is restored from a snapshot to go on bit for bit like one that never stopped, whether it is new or
 * has been elsewhere.
 *
 * @param make a new learner that draws from this seed
 * @param before iterations before the snapshot
 * @param after iterations behind it
 * @returns metrics of the iterations of the learner that never stopped
 */
export async function expectToResume(
  make: (seed: number) => Promise<Learner>,
  before: number,
  after: number,
): Promise<Metrics[]> {
  const [whole, first, fresh] = [await make(5), await make(5), await make(5)];
  const used = await make(6);
  const metrics = await iterate(whole, before + after);
  const state = stateOf(whole);
  const evaluation = await whole.evaluate(4, createRng(1));

  await iterate(first, before);
  const snapshot = saved(first);
  await iterate(first, 1);
  await iterate(used, 2);
  await used.evaluate(3, createRng(2));
  for (const second of [fresh, used]) {
    second.restore(snapshot);
    expect(await iterate(second, after)).toEqual(metrics.slice(before));
    expect(stateOf(second)).toEqual(state);
    expect(await second.evaluate(4, createRng(1))).toEqual(evaluation);
  }
  for (const learner of [whole, first, fresh, used]) await learner.dispose();
  return metrics;
}
