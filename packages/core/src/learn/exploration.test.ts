import { describe, expect, test } from "vitest";
import type { EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { exploreUniformly, linearSchedule } from "./exploration.ts";

test("a schedule falls in a line and then stays", () => {
  const epsilon = linearSchedule(1, 0.05, 50_000);
  expect(epsilon(0)).toBe(1);
  expect(epsilon(10_000)).toBeCloseTo(0.81, 12);
  expect(epsilon(25_000)).toBeCloseTo(0.525, 12);
  expect(epsilon(49_999)).toBeCloseTo(0.050019, 12);
  expect(epsilon(50_000)).toBe(0.05);
  expect(epsilon(1e9)).toBe(0.05);
});

const specOf = (...actions: readonly number[]): EnvSpec => ({
  id: "toy",
  version: 1,
  agents: actions.length,
  observationSize: 1,
  stateSize: 1,
  actions: actions.map((n) => ({ kind: "discrete", n })),
  horizon: 1,
  rewards: "team",
  sharedObservation: false,
});

describe("exploration", () => {
  const copies = 4000;

  /** Shares of each action, per agent, after exploring from action 0 everywhere. */
  function shares(spec: EnvSpec, available: Float32Array | undefined, epsilon: number): number[][] {
    const actions = new Int32Array(copies * spec.agents);
    exploreUniformly(spec, actions, available, epsilon, createRng(1));
    return Array.from({ length: spec.agents }, (_, i) => {
      const counts = [0, 0, 0];
      for (let b = 0; b < copies; b++) counts[actions[b * spec.agents + i]]++;
      return counts.map((count) => count / copies);
    });
  }

  function expectNear(found: number[][], expected: number[][]): void {
    for (const [i, row] of expected.entries()) {
      for (const [a, share] of row.entries()) {
        // Standard error at most .008; exactly zero where it must be.
        if (share === 0) expect(found[i][a]).toBe(0);
        else expect(Math.abs(found[i][a] - share)).toBeLessThan(0.032);
      }
    }
  }

  test("replaces an action with probability epsilon by any of all", () => {
    // 1 - .6 + .6 / 3 keep action 0.
    expectNear(shares(specOf(3, 3), undefined, 0.6), [
      [0.6, 0.2, 0.2],
      [0.6, 0.2, 0.2],
    ]);
  });

  test("draws available actions only, not padding", () => {
    // Agent 0 may play 0 and 2; agent 1 has two actions, of which it may play 1 only: then it never keeps 0.
    const available = new Float32Array(copies * 6);
    for (let b = 0; b < copies; b++) available.set([1, 0, 1, 0, 1, 0], b * 6);
    expectNear(shares(specOf(3, 2), available, 1), [
      [0.5, 0, 0.5],
      [0, 1, 0],
    ]);
  });

  test("agents explore independently", () => {
    const actions = new Int32Array(copies * 2);
    exploreUniformly(specOf(3, 3), actions, undefined, 0.5, createRng(2));
    let both = 0;
    let one = 0;
    for (let b = 0; b < copies; b++) {
      const changed = Math.min(1, actions[2 * b]) + Math.min(1, actions[2 * b + 1]);
      if (changed === 2) both++;
      if (changed === 1) one++;
    }
    // An agent's action changes with probability .5 * 2/3 = 1/3: both 1/9, one 4/9.
    expect(Math.abs(both / copies - 1 / 9)).toBeLessThan(0.02);
    expect(Math.abs(one / copies - 4 / 9)).toBeLessThan(0.032);
  });

  test("without epsilon nothing changes, and the same stream explores equally", () => {
    const actions = Int32Array.from({ length: 8 }, (_, k) => k % 3);
    exploreUniformly(specOf(3, 3), actions, undefined, 0, createRng(1));
    expect([...actions]).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
    const [a, b] = [0, 1].map(() => {
      const copy = actions.slice();
      exploreUniformly(specOf(3, 3), copy, undefined, 1, createRng(7));
      return copy;
    });
    expect(b).toEqual(a);
  });

  test("an agent without an available action is named", () => {
    const available = Float32Array.of(1, 1, 1, 1, 1, 1, 0, 0);
    expect(() => exploreUniformly(specOf(2, 2), new Int32Array(4), available, 1, createRng(1))).toThrow(
      new InputError("toy: agent 1 has no available action in copy 1"),
    );
  });
});
