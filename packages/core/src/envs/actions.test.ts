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

const sharing: EnvSpec = {
  ...spec,
  id: "sharing",
  actions: [
    { kind: "simplex", size: 1 },
    { kind: "discrete", n: 2 },
    { kind: "simplex", size: 3 },
  ],
};

test("shares are not negative and sum to 1, as closely as float32 can tell", () => {
  expect(jointActionSize(sharing)).toBe(5);
  expect(maskSize(sharing)).toBe(2);
  const check = actionCheck(sharing);
  check([1, 1, 0.2, 0.3, 0.5]);
  check([1, 0, 0, 0, 1]);
  check(Float32Array.of(0.99991, 1, 1 / 3, 1 / 3, 1 / 3));
  for (const [actions, message] of [
    [[1, 0, -0.1, 0.6, 0.5], "sharing: action of agent 2 is -0.1, expected a share in [0, 1]"],
    [[1, 0, 0.5, 1.5, 0.5], "sharing: action of agent 2 is 1.5, expected a share in [0, 1]"],
    [[1, 0, 0.5, 0.25, 0.5], "sharing: shares of agent 2 sum to 1.25, expected 1"],
    [[0.9997, 0, 1, 0, 0], "sharing: shares of agent 0 sum to 0.9997, expected 1"],
    [[1, 0, 0.5, Number.NaN, 0.5], "sharing: action of agent 2 is NaN"],
    [[1, 2, 0.5, 0, 0.5], "sharing: action of agent 1 is 2, expected an integer 0..1"],
  ] as const) {
    expect(() => check(actions)).toThrow(message);
    expect(() => check(actions)).toThrow(InputError);
  }
});

test("shares are drawn uniformly among all shares", () => {
  const rng = createRng(3);
  const check = actionCheck(sharing);
  const actions = new Float32Array(5);
  const draws = 4000;
  let sum = 0;
  let squares = 0;
  let products = 0;
  for (let k = 0; k < draws; k++) {
    drawActions(sharing, rng, actions);
    check(actions);
    sum += actions[2];
    squares += actions[3] ** 2;
    products += actions[3] * actions[4];
  }
  // Dirichlet(1, 1, 1): E x = 1/3, E x^2 = 2/12, E x y = 1/12; variances 1/18, 1/15 - 1/36 and 1/90 - 1/144.
  expect(Math.abs(sum / draws - 1 / 3)).toBeLessThan(4 * Math.sqrt(1 / 18 / draws));
  expect(Math.abs(squares / draws - 1 / 6)).toBeLessThan(4 * Math.sqrt((1 / 15 - 1 / 36) / draws));
  expect(Math.abs(products / draws - 1 / 12)).toBeLessThan(4 * Math.sqrt((1 / 90 - 1 / 144) / draws));
});
