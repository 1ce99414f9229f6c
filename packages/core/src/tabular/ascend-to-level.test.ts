import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { parseTopology } from "../structure/index.ts";
import { ascendToLevel } from "./ascend-to-level.ts";
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

test("ends where gradient ascent with small steps ends, at any level and in fewer steps", () => {
  const level = 1e-7;
  const ended = ascendToLevel(policy, zero, { ...options, level });
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
    const ended = ascendToLevel(policy, start, { ...options, level: stationarityLevel(game, lambda) });
    expect(ended.reached).toBe(true);
    expect(policy.regularisedValue(ended.theta, lambda)).toBeGreaterThan(
      policy.regularisedValue(start, lambda),
    );
    expect(start).toEqual(before);
  }
});

test("says when it stopped before the level: out of steps, told so, or at the end of precision", () => {
  const few = ascendToLevel(policy, zero, { ...options, level: 1e-7, steps: 3 });
  expect(few).toMatchObject({ reached: false, steps: 3 });
  const told = ascendToLevel(policy, zero, { ...options, level: 1e-7, report: (step) => step < 2 });
  expect(told).toMatchObject({ reached: false, steps: 2 });
  expect(ascendToLevel(policy, zero, { ...options, level: 0 }).reached).toBe(false);
});
