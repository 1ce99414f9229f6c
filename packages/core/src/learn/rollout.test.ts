import { expect, test } from "vitest";
import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRollout, mostActions, needsMasks, writeMasks } from "./rollout.ts";

const specOf = (...actions: readonly (number | ActionSpace)[]): EnvSpec => ({
  id: "toy",
  version: 1,
  agents: actions.length,
  observationSize: 3,
  stateSize: 4,
  actions: actions.map((space) => (typeof space === "number" ? { kind: "discrete", n: space } : space)),
  horizon: 5,
  rewards: "team",
  sharedObservation: false,
});

test("actions are padded to the most that an agent has", () => {
  expect(mostActions(specOf(2, 4, 3))).toBe(4);
});

test("a real-valued action space is refused", () => {
  const box = { kind: "box", size: 2, low: -1, high: 1 } as const;
  expect(() => mostActions(specOf(2, box))).toThrow(
    new InputError("toy: needs discrete actions, got a box for agent 1"),
  );
});

test("masks are needed for unavailable actions and for padding, and only then", () => {
  const available = new Uint8Array(6);
  expect(needsMasks({ spec: specOf(3, 3) })).toBe(false);
  expect(needsMasks({ spec: specOf(3, 2) })).toBe(true);
  expect(needsMasks({ spec: specOf(3, 3), available })).toBe(true);
});

test("masks of unequal action counts mark padding", () => {
  const out = new Float32Array(2 * 3 * 3).fill(9);
  writeMasks({ spec: specOf(2, 3, 1), size: 2 }, out);
  const once = [1, 1, 0, 1, 1, 1, 1, 0, 0];
  expect([...out]).toEqual([...once, ...once]);
});

test("the environment's masks are spread to the padded layout, copy by copy", () => {
  const out = new Float32Array(2 * 3 * 3).fill(9);
  // Copy 0: agent 0 may only 1, agent 1 anything but 1, agent 2 its one action. Copy 1: 0; 1; none.
  const available = Uint8Array.of(0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0);
  writeMasks({ spec: specOf(2, 3, 1), size: 2, available }, out);
  expect([...out]).toEqual([0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
});

test("a rollout has room for every step, and for masks and scores where there are any", () => {
  const batch = { spec: specOf(2, 3), size: 7 } as Parameters<typeof createRollout>[0];
  const rollout = createRollout({ ...batch, dependency: new Float32Array(7 * 4) }, 6);
  const lengths = Object.fromEntries(
    Object.entries(rollout).map(([name, value]) => [name, typeof value === "number" ? value : value.length]),
  );
  expect(lengths).toEqual({
    steps: 6,
    environments: 7,
    observations: 6 * 7 * 2 * 3,
    states: 6 * 7 * 4,
    available: 6 * 7 * 2 * 3,
    dependency: 6 * 7 * 2 * 2,
    parents: 6 * 7 * 2 * 2,
    actions: 6 * 7 * 2,
    logProbabilities: 6 * 7 * 2,
    rewards: 6 * 7,
    ended: 6 * 7,
    truncated: 6 * 7,
    finalStates: 6 * 7 * 4,
    lastStates: 7 * 4,
  });
  const plain = createRollout({ ...batch, spec: specOf(2, 2) }, 6);
  expect(plain.available).toBeUndefined();
  expect(plain.dependency).toBeUndefined();
});
