import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { actionCheck, drawActions, jointActionSize, maskSize } from "./actions.ts";
import type { EnvSpec } from "./env.ts";

const spec: EnvSpec = {
  id: "mixed",
  version: 1,
  agents: 3,
  observationSize: 1,
  stateSize: 1,
  actions: [
    { kind: "discrete", n: 4 },
    { kind: "box", size: 2, low: -1, high: 3 },
    { kind: "discrete", n: 2 },
  ],
  horizon: 1,
  rewards: "team",
  sharedObservation: true,
};

test("sizes count real vectors in joint actions but not in masks", () => {
  expect(jointActionSize(spec)).toBe(4);
  expect(maskSize(spec)).toBe(6);
});

test("invalid actions are refused with agent, value and expectation", () => {
  const check = actionCheck(spec);
  check([3, -1, 3, 0]);
  for (const [actions, message] of [
    [[4, 0, 0, 0], "mixed: action of agent 0 is 4, expected an integer 0..3"],
    [[0, 0, 3.5, 0], "mixed: action of agent 1 is 3.5, expected a number in [-1, 3]"],
    [[0, 0, 0, 0.5], "mixed: action of agent 2 is 0.5, expected an integer 0..1"],
    [[0, 0, 0, Number.NaN], "mixed: action of agent 2 is NaN"],
    [[0, 0, 0], "mixed: joint action has 3 numbers, expected 4"],
  ] as const) {
    expect(() => check(actions)).toThrow(message);
    expect(() => check(actions)).toThrow(InputError);
  }
});

test("draws are uniform over available actions and over ranges", () => {
  const rng = createRng(2);
  const actions = new Float64Array(4);
  const counts = [0, 0, 0, 0];
  let sum = 0;
  const available = Uint8Array.of(0, 1, 0, 1, 0, 1);
  for (let k = 0; k < 4000; k++) {
    drawActions(spec, rng, actions, available);
    counts[actions[0]]++;
    expect(actions[3]).toBe(1);
    expect(Math.min(actions[1], actions[2])).toBeGreaterThanOrEqual(-1);
    expect(Math.max(actions[1], actions[2])).toBeLessThan(3);
    sum += actions[1] + actions[2];
  }
  // Four standard errors: 4 sqrt(4000 / 4) = 126, and 4 * (4 / sqrt 12) / sqrt 8000 = .052.
  expect(counts).toEqual([0, counts[1], 0, 4000 - counts[1]]);
  expect(Math.abs(counts[1] - 2000)).toBeLessThan(127);
  expect(Math.abs(sum / 8000 - 1)).toBeLessThan(0.052);
  drawActions(spec, rng, actions);
  expect(() => actionCheck(spec)(actions)).not.toThrow();
});
