import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { parseTopology } from "../structure/index.ts";
import { ascendToLevel, type LevelAscentOptions } from "./ascend-to-level.ts";
import { stationarityLevel } from "./bounds.ts";
import { factoredCoordinationGame } from "./cooperative-game.ts";
import { createAscent, practicalStepSize, runAscent } from "./gradient-ascent.ts";
import { exactSoftmaxPolicy } from "./softmax-policy.ts";
import { gaussianTheta } from "./theta-layout.ts";

const game = factoredCoordinationGame({ agents: 3, epsilon: 0.05 });
const dag = parseTopology("full", 3);
const policy = exactSoftmaxPolicy(game, dag);
const zero = new Float64Array(policy.layout.size);
const lambda = 0.1;
const options = { lambda, stepSize: practicalStepSize(3), steps: 5000 };

function ascend(start: Float64Array, level: number, more: Partial<LevelAscentOptions> = {}) {
  const ascent = ascendToLevel(policy, start, { ...options, level, ...more });
  let yielded = 0;
  for (;;) {
    const { done, value } = ascent.next();
    if (done) return { ...value, yielded };
    expect(value).toMatchObject({ steps: yielded, reached: false });
    yielded++;
  }
}

test("ends where gradient ascent with small steps ends, at any level and in fewer steps", () => {
  const level = 1e-7;
  const ended = ascend(zero, level);
  expect(ended.reached).toBe(true);
  expect(ended.gradientNorm).toBeLessThanOrEqual(level);
  policy.differentiate(ended.theta, lambda);
  expect(Math.hypot(...policy.gradient)).toBeCloseTo(ended.gradientNorm, 15);
  const slow = { stepSize: 1, iterations: 100_000, lambda, gradientNorm: level };
  const [state] = runAscent(createAscent(game, dag, [zero], slow));
  expect(state.status).toBe("stationary");
  expect(policy.regularisedValue(ended.theta, lambda)).toBeCloseTo(state.records[1].objective, 8);
  expect(20 * ended.steps).toBeLessThan(state.iteration);
});

test("reaches the level of the lemmas from random starts, never below the value it started from", () => {
  for (let seed = 0; seed < 20; seed++) {
    const start = gaussianTheta(policy.layout, createRng(seed));
    const before = start.slice();
    const ended = ascend(start, stationarityLevel(game, lambda));
    expect(ended.reached).toBe(true);
    expect(policy.regularisedValue(ended.theta, lambda)).toBeGreaterThan(
      policy.regularisedValue(start, lambda),
    );
    expect(start).toEqual(before);
  }
});

test("says when it ended before the level: out of steps, or at the end of precision", () => {
  expect(ascend(zero, 1e-7, { steps: 3 })).toMatchObject({ reached: false, steps: 3, yielded: 3 });
  expect(ascend(zero, 0).reached).toBe(false);
});
