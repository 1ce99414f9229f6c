import { expect, test } from "vitest";
import type { EnvSpec } from "../envs/index.ts";
import { createSegments, segmentFields, segmentInputs, segmentShape } from "./segments.ts";

const specOf = (horizon: number, ...actions: readonly number[]): EnvSpec => ({
  id: "toy",
  version: 1,
  agents: actions.length,
  observationSize: 3,
  stateSize: 4,
  actions: actions.map((n) => ({ kind: "discrete", n })),
  horizon,
  rewards: "team",
  sharedObservation: false,
});

test("an episode has as many steps as the horizon, a transition one, and each a moment more", () => {
  const sizes = { agents: 2, observationSize: 3, stateSize: 4, actions: 5, controls: 0 };
  const common = { ...sizes, individualRewards: false, masked: false };
  expect(segmentShape({ spec: specOf(9, 5, 5) }, "episode")).toEqual({ ...common, steps: 9, moments: 10 });
  expect(segmentShape({ spec: specOf(9, 5, 5) }, "transition")).toEqual({ ...common, steps: 1, moments: 2 });
});

test("nothing follows the only step of a game", () => {
  for (const unit of ["transition", "episode"] as const) {
    expect(segmentShape({ spec: specOf(1, 5, 5) }, unit)).toMatchObject({ steps: 1, moments: 1 });
  }
});

const controlled: EnvSpec = {
  ...specOf(6, 2, 2),
  actions: [
    { kind: "box", size: 1, low: -1, high: 1 },
    { kind: "box", size: 2, low: -1, high: 1 },
  ],
  rewards: "individual",
};

test("real vectors and the agents' own rewards have arrays of their own", () => {
  const shape = segmentShape({ spec: controlled }, "transition");
  expect(shape).toMatchObject({ actions: 0, controls: 3, individualRewards: true, masked: false });
  const segments = createSegments(shape, 5);
  expect(segments.actions).toHaveLength(0);
  expect(segments.controls).toHaveLength(15);
  expect(segments.individualRewards).toHaveLength(10);
  expect(segmentInputs(segments).controls!.shape).toEqual([1, 5, 3]);
  expect(segmentFields(segments).map(({ name }) => name)).toEqual([
    "observations",
    "states",
    "controls",
    "rewards",
    "individualRewards",
    "terminated",
    "mask",
  ]);
});

test("teams of discrete agents and agents with real vectors are refused", () => {
  const mixed: EnvSpec = { ...controlled, actions: [{ kind: "discrete", n: 2 }, controlled.actions[1]] };
  expect(() => segmentShape({ spec: mixed }, "transition")).toThrow(
    "toy: needs discrete actions, got a box for agent 1",
  );
});

test("masks are kept where actions can be unavailable or padding", () => {
  const available = new Uint8Array(10);
  expect(segmentShape({ spec: specOf(2, 5, 5), available }, "episode").masked).toBe(true);
  expect(segmentShape({ spec: specOf(2, 5, 4) }, "episode").masked).toBe(true);
  expect(createSegments(segmentShape({ spec: specOf(2, 5, 5) }, "episode"), 3).available).toBeUndefined();
});

test("a program reads the memory of the segments, under their shapes", () => {
  const segments = createSegments(segmentShape({ spec: specOf(2, 5, 4) }, "episode"), 7);
  const inputs = segmentInputs(segments);
  expect(
    Object.fromEntries(Object.entries(inputs).map(([name, { dtype, shape }]) => [name, [dtype, ...shape]])),
  ).toEqual({
    observations: ["float32", 3, 7, 2, 3],
    states: ["float32", 3, 7, 4],
    available: ["float32", 3, 7, 2, 5],
    actions: ["int32", 2, 7, 2],
    rewards: ["float32", 2, 7],
    terminated: ["float32", 2, 7],
    mask: ["float32", 2, 7],
  });
  for (const { name, values, rows, width } of segmentFields(segments)) {
    const input = inputs[name as keyof typeof inputs]!;
    expect(input.values).toBe(values);
    expect(rows * 7 * width).toBe(values.length);
    expect(input.shape.reduce((product, extent) => product * extent)).toBe(values.length);
  }
});
