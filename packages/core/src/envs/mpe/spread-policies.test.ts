import { expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { parseConfig } from "../config.ts";
import { averageReturn, uniformActions } from "../control-policies.ts";
import { configureEnv } from "../definition.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { type SpreadConfig, spread, spreadConfig } from "./spread.ts";
import { greedyAssignment } from "./spread-policies.ts";

const configOf = (overrides: Record<string, unknown>): SpreadConfig =>
  parseConfig("mpe/spread", spreadConfig, overrides);
const make = (overrides: Record<string, unknown>) => configureEnv(spread, overrides).factory() as ParticleEnv;

/** Actions of the policy in an environment with everybody at rest. */
function firstActions(overrides: Record<string, unknown>, x: number[], y: number[]): number[] {
  const env = make(overrides);
  env.reset(createRng(0));
  const { agents } = env.spec;
  const none = new Float64Array(agents);
  env.load({ x, y, vx: none, vy: none, messages: new Float64Array(2 * agents), secrets: [] });
  const state = new Float32Array(env.spec.stateSize);
  env.state(state, 0);
  const actions = new Float64Array(overrides.actions === "continuous" ? 5 * agents : agents);
  greedyAssignment(configOf(overrides))(state, 0, createRng(0), actions);
  return [...actions];
}

test("agents take the landmarks that are nearest together, not each its own nearest", () => {
  // Both agents are nearer to the landmark at 0. In all, .3 + .5 beats .9 + .1: agent 1 leaves it for the one at .6.
  expect(firstActions({ agents: 2 }, [-0.3, 0.1, 0, 0.6], [0, 0, 0, 0])).toEqual([2, 2]);
  // .4 + .05 beats .7 + .25. Who is closer than half of what a push makes, .1, rests.
  expect(firstActions({ agents: 2 }, [0.7, 0.05, 0, 0.3], [0, 0, 0, 0])).toEqual([1, 0]);
  expect(firstActions({ agents: 2 }, [0, 1, 0, 1], [0.5, -0.5, 0, 0])).toEqual([3, 4]);
});

test("continuous pushes are as long as the way that is left", () => {
  const actions = firstActions({ agents: 1, actions: "continuous" }, [0, 0.1], [0, -3]);
  const expected = [0, 0, 0.5, 1, 0];
  for (const [k, value] of expected.entries()) expect(actions[k]).toBeCloseTo(value, 6);
});

test("assignments are the best of all permutations", () => {
  const agents = 5;
  const rng = createRng("assignment");
  const permutations = (left: number[]): number[][] =>
    left.length === 0
      ? [[]]
      : left.flatMap((first) =>
          permutations(left.filter((k) => k !== first)).map((rest) => [first, ...rest]),
        );
  for (let trial = 0; trial < 20; trial++) {
    const [x, y] = [0, 1].map(() => Array.from({ length: 2 * agents }, () => 100 * rng.uniform()));
    const way = (order: readonly number[]) =>
      order.reduce((sum, l, i) => sum + Math.hypot(x[i] - x[agents + l], y[i] - y[agents + l]), 0);
    const least = Math.min(...permutations([0, 1, 2, 3, 4]).map(way));
    // At these distances everybody pushes with all its strength along both axes: directions tell the landmark.
    const actions = firstActions({ agents, actions: "continuous" }, x, y);
    const matches = permutations([0, 1, 2, 3, 4]).filter((order) =>
      order.every((l, i) => {
        const [dx, dy] = [x[agents + l] - x[i], y[agents + l] - y[i]];
        return (
          Math.abs(Math.min(1, Math.max(0, dx / 0.2)) - actions[5 * i + 2]) < 1e-3 &&
          Math.abs(Math.min(1, Math.max(0, dy / 0.2)) - actions[5 * i + 4]) < 1e-3
        );
      }),
    );
    expect(Math.min(...matches.map(way))).toBeCloseTo(least, 6);
  }
});

test("thirty agents find the landmarks that were put down for them", () => {
  const agents = 30;
  const rng = createRng("thirty");
  const [columns, rows] = [0, 1].map((axis) =>
    Array.from({ length: agents }, (_, k) => (axis === 0 ? 0.5 * (k % 6) : 2 * Math.floor(k / 6))),
  );
  const order = [...rng.permutation(agents)];
  // All but the first of a row are nearer to the landmark on their left, and together they do worse by taking it.
  const x = [...columns, ...order.map((k) => columns[k] + 0.3)];
  const y = [...rows, ...order.map((k) => rows[k])];
  expect(firstActions({ agents }, x, y)).toEqual(new Array(agents).fill(2));
});

test.each(["discrete", "continuous"])("assignment earns far more than random play, %s", (actions) => {
  const { factory, config } = configureEnv(spread, { actions });
  const rng = createRng("spread policies");
  const assigned = averageReturn(factory, greedyAssignment(config), 300, rng);
  const random = averageReturn(factory, uniformActions(factory().spec), 300, rng);
  expect(random.mean).toBeLessThan(-70);
  expect(assigned.mean).toBeGreaterThan(-36);
});

test("a game it cannot play is refused", () => {
  expect(() => greedyAssignment(configOf({ landmarkNeighbours: 2 }))).toThrow(
    "expected no neighbours settings",
  );
});
