import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { configureEnv } from "./definition.ts";
import type { Env } from "./env.ts";
import { temperature } from "./temperature.ts";

const quiet = { noise: 0, initialVariance: 0 };

const started = (overrides: Readonly<Record<string, unknown>>): Env => {
  const env = configureEnv(temperature, overrides).factory();
  env.reset(createRng(0));
  return env;
};

/** Puts the zones at these temperatures, at the start of an episode. */
function at(env: Env, temperatures: readonly number[]): void {
  env.restore({ ...(env.snapshot() as object), temperatures });
}

const temperaturesOf = (env: Env) => (env.snapshot() as unknown as { temperatures: number[] }).temperatures;

function observed(env: Env): number[][] {
  const { agents, observationSize } = env.spec;
  const out = new Float32Array(agents * observationSize);
  env.observe(out, 0);
  return Array.from({ length: agents }, (_, i) => [
    ...out.subarray(i * observationSize, (i + 1) * observationSize),
  ]);
}

test("one step by hand: zones 0, 2, 4 in a row and 1, 3 in another", () => {
  const env = started({ ...quiet, agents: 5 });
  at(env, [20, 30, 25, 22, 32]);
  const { reward, rewards, truncated } = env.step([10, -30, 0, -9, 5]);
  for (const [i, own] of [-5, -73, -9, -0.81, -100.25].entries()) expect(rewards?.[i]).toBeCloseTo(own, 12);
  expect(reward).toBeCloseTo(-188.06, 12);
  expect(truncated).toBe(false);
  // .7 x + .3 u + 9.3 + .3 (neighbours - x).
  const next = [
    14 + 3 + 9.3 + 0.3 * 5,
    21 - 9 + 9.3 - 0.3 * 8,
    17.5 + 9.3 + 0.3 * (20 + 32 - 50),
    15.4 - 2.7 + 9.3 + 0.3 * 8,
    22.4 + 1.5 + 9.3 - 0.3 * 7,
  ];
  temperaturesOf(env).forEach((x, i) => {
    expect(x).toBeCloseTo(next[i], 12);
  });
});

test("a zone observes itself, the lower and the higher neighbour, and ends observe less", () => {
  const temperatures = [20, 30, 25, 22, 32];
  const raw = started({ ...quiet, agents: 5, normalise: false });
  at(raw, temperatures);
  expect(raw.spec.observationSizes).toEqual([2, 2, 3, 2, 2]);
  expect(observed(raw)).toEqual([
    [20, 25, 0],
    [30, 22, 0],
    [25, 20, 32],
    [22, 30, 0],
    [32, 25, 0],
  ]);
  const state = new Float32Array(5);
  raw.state(state, 0);
  expect([...state]).toEqual(temperatures);
  const normalised = started({ ...quiet, agents: 5 });
  at(normalised, temperatures);
  expect(observed(normalised)[2]).toEqual([0.3, -0.2, 1].map(Math.fround));
  normalised.state(state, 0);
  expect([...state]).toEqual([-0.2, 0.8, 0.3, 0, 1].map(Math.fround));
  const { spec } = started({});
  expect(spec.observationSizes?.filter((size) => size === 2)).toHaveLength(4);
  expect(spec.actions[7]).toEqual({ kind: "box", size: 1, low: -30, high: 30 });
  expect(started({ paperLike: true }).spec.actions[7]).toMatchObject({ low: -9, high: 9 });
  expect(started({ paperLike: true, largestInput: 12 }).spec.actions[7]).toMatchObject({
    low: -12,
    high: 12,
  });
});

test("held at the target zones stay, left alone they reach 31 °C", () => {
  const held = started({ ...quiet, initialMean: 22 });
  const alone = started({ ...quiet, horizon: 200 });
  const hold = new Array<number>(40).fill(-9);
  for (let step = 0; step < 40; step++) held.step(hold);
  for (let step = 0; step < 200; step++) alone.step(new Array<number>(40).fill(0));
  for (const x of temperaturesOf(held)) expect(x).toBeCloseTo(22, 9);
  for (const x of temperaturesOf(alone)) expect(x).toBeCloseTo(31, 9);
});

test.each([
  ["equation", 0.038_73],
  ["table", 0.096_82],
  [0.5, 0.5],
])("noise as the %s has it, and first temperatures of variance 2.5", (noise, deviation) => {
  const env = configureEnv(temperature, { noise }).factory();
  const rng = createRng("noise");
  const first: number[] = [];
  const second: number[] = [];
  for (let episode = 0; episode < 100; episode++) {
    env.reset(rng);
    first.push(...temperaturesOf(env));
    at(env, new Array<number>(40).fill(22));
    env.step(new Array<number>(40).fill(-9));
    second.push(...temperaturesOf(env));
  }
  const variance = (values: number[], mean: number) =>
    values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const average = first.reduce((sum, x) => sum + x, 0) / 4000;
  // Four standard errors: of a mean sqrt(2.5 / 4000), of a variance its share sqrt(2 / 4000).
  expect(Math.abs(average - 30)).toBeLessThan(4 * Math.sqrt(2.5 / 4000));
  expect(Math.abs(variance(first, 30) / 2.5 - 1)).toBeLessThan(4 * Math.sqrt(2 / 4000));
  expect(Math.abs(variance(second, 22) / deviation ** 2 - 1)).toBeLessThan(4 * Math.sqrt(2 / 4000) + 1e-3);
});

test("settings and inputs out of range are refused", () => {
  expect(() => configureEnv(temperature, { noise: "loud" })).toThrow("temperature.noise: expected");
  expect(() => configureEnv(temperature, { agents: 0 })).toThrow(
    "temperature.agents: expected an integer at least 1",
  );
  expect(() => configureEnv(temperature, { capacity: 0 })).toThrow(
    "temperature.capacity: expected a number above 0",
  );
  const env = started({ agents: 3 });
  expect(() => env.step([0, 31, 0])).toThrow(
    "temperature: action of agent 1 is 31, expected a number in [-30, 30]",
  );
});
