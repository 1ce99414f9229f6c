import { describe, expect, test } from "vitest";
import { annealedPull, annealingSchema } from "./mappo-annealing.ts";

const annealing = annealingSchema.parse({ weight: 0.1, finalWeight: 1 });

describe("the table", () => {
  test.each([
    [0, 1, 0.1],
    [0.39, 1, 0.1],
    [0.4, 1, 0.1],
    // One of 40 steps is 0.0075 of the run.
    [0.4074, 1, 0.1],
    [0.4075, 39 / 40, 0.1],
    [0.55, 0.5, 0.1],
    [0.6999, 1 / 40, 0.1],
    [0.7, 0, 0.1],
    [0.7025, 0, 0.1 + 0.9 / 40],
    [0.75, 0, 0.55],
    [0.8, 0, 1],
    [1, 0, 1],
  ])("at %d of the run: target %d, weight %d", (progress, target, weight) => {
    for (const updates of [10, 6250]) {
      const found = annealedPull(annealing, progress, updates);
      expect(found.target).toBeCloseTo(target, 12);
      expect(found.weight).toBeCloseTo(weight, 12);
    }
  });

  test("steps are equal and go one way", () => {
    const pulls = Array.from({ length: 4001 }, (_, k) => annealedPull(annealing, k / 4000, 1));
    expect(new Set(pulls.map(({ target }) => target.toFixed(9))).size).toBe(41);
    expect(new Set(pulls.map(({ weight }) => weight.toFixed(9))).size).toBe(41);
    for (let k = 1; k < pulls.length; k++) {
      expect(pulls[k].target).toBeLessThanOrEqual(pulls[k - 1].target);
      expect(pulls[k].weight).toBeGreaterThanOrEqual(pulls[k - 1].weight);
    }
  });
});

describe("the published code's steps of the weight", () => {
  const code = annealingSchema.parse({ weight: 0.05, finalWeight: 0.5, alphaStep: "code" });
  // 6250 updates: a step lasts floor(0.1 * 6250 / 40) = 15 updates and is (0.5 - 0.05) / 15 high.
  const at = (update: number) => annealedPull(code, update / 6250, 6250);

  test("divide by their length in updates, so that the final weight is passed early, up to 1", () => {
    expect(at(4375).weight).toBeCloseTo(0.05, 12);
    expect(at(4389).weight).toBeCloseTo(0.05, 12);
    expect(at(4390).weight).toBeCloseTo(0.08, 12);
    // After 15 steps, 225 updates or 3.6 % of the run.
    expect(at(4375 + 225).weight).toBeCloseTo(0.5, 12);
    expect(at(5000).weight).toBe(1);
    expect(at(6249).weight).toBe(1);
  });

  test("change nothing about the target", () => {
    for (const progress of [0, 0.5, 0.7, 1]) {
      expect(annealedPull(code, progress, 6250).target).toBe(annealedPull(annealing, progress, 1).target);
    }
  });

  test("need no more than one update", () => {
    expect(annealedPull(code, 0, 1).weight).toBe(0.05);
    expect(annealedPull(code, 1, 1).weight).toBeLessThanOrEqual(1);
  });
});

test("phases must follow each other", () => {
  expect(annealingSchema.safeParse({ thin: 0.8 }).success).toBe(false);
  expect(annealingSchema.safeParse({ empty: 0.9 }).success).toBe(false);
  const sudden = annealingSchema.parse({ thin: 0.5, empty: 0.5, firm: 0.5 });
  expect(annealedPull(sudden, 0.49, 10).target).toBe(1);
  expect(annealedPull(sudden, 0.5, 10)).toEqual({ target: 0, weight: 0.5 });
});
