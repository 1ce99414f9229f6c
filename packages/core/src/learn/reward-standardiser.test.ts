import { expect, test } from "vitest";
import { rewardStandardiser } from "./reward-standardiser.ts";

/** What the running moments are after batches, if the first 1e-4 entries had mean 0 and variance 1. */
function moments(...batches: readonly (readonly number[])[]): { mean: number; variance: number } {
  // Merging keeps sums: of entries, of values, and of squared deviations; each batch's variance is unbiased.
  let [count, mean, spread] = [1e-4, 0, 1e-4];
  for (const batch of batches) {
    const n = batch.length;
    const own = batch.reduce((sum, value) => sum + value, 0) / n;
    const unbiased = batch.reduce((sum, value) => sum + (value - own) ** 2, 0) / (n - 1);
    const total = count + n;
    spread += unbiased * n + ((own - mean) ** 2 * count * n) / total;
    mean = (mean * count + own * n) / total;
    count = total;
  }
  return { mean, variance: spread / count };
}

test("the first batch by hand", () => {
  // Mean 3, unbiased variance (4 + 0 + 4) / 2 = 4, all but 1e-4 of the weight: (r - 3) / 2.
  const rewards = Float32Array.of(1, 3, 5);
  rewardStandardiser().standardise(rewards);
  for (const [k, value] of [-1, 0, 1].entries()) expect(rewards[k]).toBeCloseTo(value, 3);
});

test("every batch counts before it is used, again if it comes again", () => {
  const standardiser = rewardStandardiser();
  const batches = [
    [1, 3, 5],
    [10, -10, 0, 2],
    [1, 3, 5],
  ];
  for (const [k, batch] of batches.entries()) {
    const rewards = Float32Array.from(batch);
    standardiser.standardise(rewards);
    const { mean, variance } = moments(...batches.slice(0, k + 1));
    for (const [at, reward] of batch.entries()) {
      expect(rewards[at]).toBeCloseTo((reward - mean) / Math.sqrt(variance), 5);
    }
  }
  expect(standardiser.state().count).toBeCloseTo(10.0001, 9);
});

test("equal rewards become finite numbers", () => {
  const rewards = Float32Array.of(-1, -1, -1, -1);
  rewardStandardiser().standardise(rewards);
  expect(rewards.every(Number.isFinite)).toBe(true);
});

test("goes on from its state", () => {
  const [whole, first, second] = [0, 1, 2].map(rewardStandardiser);
  for (const each of [whole, first]) each.standardise(Float32Array.of(1, -2, 3));
  second.restore(JSON.parse(JSON.stringify(first.state())));
  const [a, b] = [whole, second].map((each) => {
    const rewards = Float32Array.of(0.5, 0.25);
    each.standardise(rewards);
    return rewards;
  });
  expect(b).toEqual(a);
  expect(second.state()).toEqual(whole.state());
});
