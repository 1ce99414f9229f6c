import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { agentSet, valueDependency } from "../structure/index.ts";
import { drawActions, jointActionSize } from "./actions.ts";
import { playControl } from "./control-policies.ts";
import { configureEnv } from "./definition.ts";
import type { Env } from "./env.ts";
import { warehouse } from "./warehouse.ts";
import { sendNothing, uniformShares } from "./warehouse-policies.ts";

type Overrides = Readonly<Record<string, unknown>>;

const started = (overrides: Overrides): Env => {
  const env = configureEnv(warehouse, overrides).factory();
  env.reset(createRng(0));
  return env;
};

function seen(env: Env): {
  readonly stock: number[];
  readonly demand: number[];
  readonly observed: number[][];
} {
  const { agents, observationSize, stateSize } = env.spec;
  const state = new Float32Array(stateSize);
  env.state(state, 0);
  const observations = new Float32Array(agents * observationSize);
  env.observe(observations, 0);
  return {
    stock: [...state].filter((_, k) => k % 2 === 0),
    demand: [...state].filter((_, k) => k % 2 === 1),
    observed: Array.from({ length: agents }, (_, i) => [
      ...observations.subarray(i * observationSize, (i + 1) * observationSize),
    ]),
  };
}

const ring = { instance: "ring" };
const signs = (sign: (i: number) => boolean) => Array.from({ length: 40 }, (_, i) => (sign(i) ? 1 : -1));

// Returns of fixed actions, in an independent implementation.
test.each([
  ["nine", {}, -6.887, -5.053],
  ["nine, sending all", { keep: false }, undefined, -5.313],
  ["ring", ring, -27.55, -24.83],
  ["ring, sending all", { ...ring, keep: false }, undefined, -24.6],
  ["ring, signs in turn", { ...ring, amplitude: signs((i) => i % 2 === 0) }, -27.55, 0],
  ["ring, signs in fours", { ...ring, amplitude: signs((i) => i % 8 < 4) }, -27.55, -13.95],
  ["ring, signs in fives", { ...ring, amplitude: signs((i) => i % 10 < 5) }, -27.55, -16.67],
])("%s: what sending nothing and uniform shares return", (_name, overrides, nothing, uniform) => {
  const { config, factory } = configureEnv(warehouse, overrides);
  const digits = config.instance === "nine" ? 3 : 2;
  expect(playControl(factory(), uniformShares(config), createRng(0))).toBeCloseTo(uniform, digits);
  if (nothing === undefined) expect(() => sendNothing(config)).toThrow("warehouse.keep: expected true");
  else expect(playControl(factory(), sendNothing(config), createRng(0))).toBeCloseTo(nothing, digits);
});

describe("the nine", () => {
  test("observe, act and depend on each other as described", () => {
    const { spec, couplings } = started({});
    expect(spec.observationSizes).toEqual([2, 3, 3, 2, 3, 2, 4, 2, 2]);
    expect(spec.actions.map((space) => space.kind === "simplex" && space.size)).toEqual([
      2, 3, 2, 2, 3, 2, 3, 2, 2,
    ]);
    const dependency = valueDependency(couplings!());
    const groups = [
      [0, 1],
      [0, 1],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [4, 5],
      [4, 5],
    ];
    const last = [4, 5, 6, 7, 8];
    expect(spec.actions.map((_, i) => [...agentSet(dependency, i)])).toEqual([...groups, last, last, last]);
  });

  test("one step by hand", () => {
    const env = started({});
    const sin = Math.fround(Math.sin(1));
    expect(seen(env)).toMatchObject({ stock: new Array(9).fill(1), demand: new Array(9).fill(0) });
    // 0 sends a quarter to 1; 1 a half to 0 and the rest to 3; 4 a tenth to 5 and a fifth to 7; nobody else anything.
    const outcome = env.step([0.75, 0.25, 0, 0.5, 0.5, 1, 0, 1, 0, 0.7, 0.1, 0.2, 1, 0, 1, 0, 0, 1, 0, 1, 0]);
    expect(outcome).toMatchObject({ reward: 0, truncated: false });
    const stock = [1.25, 0.25, 1, 1.5, 0.7, 1.1, 1, 1.2, 1].map(Math.fround);
    const now = seen(env);
    expect(now.stock).toEqual(stock);
    expect(now.demand).toEqual([-sin, sin, sin, -sin, sin, -sin, sin, -sin, -sin]);
    expect(now.observed).toEqual([
      [stock[0], -sin, 0, 0],
      [stock[0], stock[1], sin, 0],
      [stock[2], stock[3], sin, 0],
      [stock[3], -sin, 0, 0],
      [stock[4], stock[5], sin, 0],
      [stock[5], -sin, 0, 0],
      [stock[6], stock[7], stock[8], sin],
      [stock[7], -sin, 0, 0],
      [stock[8], -sin, 0, 0],
    ]);
  });
});

test("stock below 0 sends nothing, is paid for before the step, and by all who are rewarded with it", () => {
  const couplings = {
    agents: 3,
    state: [
      [0, 1],
      [1, 0],
    ],
    reward: [
      [0, 1],
      [0, 2],
      [2, 1],
    ],
  };
  const env = started({ couplings, amplitude: 0, initialStock: [-2, 1, -0.5] });
  const { reward, rewards } = env.step([0, 1, 0.75, 0.25, 1]);
  expect(Array.from(rewards!)).toEqual([-4, -4.25, -4.25]);
  expect(reward).toBe(-12.5);
  expect(seen(env).stock).toEqual([-1.75, 0.75, -0.5]);
});

test("whatever is played, stock is conserved up to demand", () => {
  const instances = fc.constantFrom<Overrides>(
    {},
    { ...ring, agents: 7 },
    { demandNoise: 0.5, initialNoise: 1 },
    { ...ring, agents: 2, keep: false, frequency: 2, phase: [0, 1] },
  );
  fc.assert(
    fc.property(instances, fc.nat(), (overrides, seed) => {
      const env = configureEnv(warehouse, overrides).factory();
      const rng = createRng(seed);
      env.reset(rng.split("env"));
      const actions = new Float64Array(jointActionSize(env.spec));
      const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
      for (let step = 0; step < 8; step++) {
        const before = env.snapshot() as unknown as { stock: number[]; demand: number[] };
        drawActions(env.spec, rng, actions);
        const { rewards } = env.step(actions);
        const after = env.snapshot() as unknown as { stock: number[] };
        expect(sum(after.stock)).toBeCloseTo(sum(before.stock) + sum(before.demand), 9);
        expect(Array.from(rewards!)).toEqual(before.stock.map((m) => 0 - (m < 0 ? m * m : 0)));
        before.stock.forEach((m, i) => {
          if (m < 0) expect(after.stock[i]).toBeGreaterThanOrEqual(m + before.demand[i]);
        });
      }
    }),
    { numRuns: 60 },
  );
});

test("demand swings as set, and its noise stays in its bounds", () => {
  const set = { amplitude: [1, 2], frequency: [0.5, 1], phase: 0.25, ...ring, agents: 2 };
  const env = started(set);
  env.step([1, 0, 1, 0]);
  env.step([1, 0, 1, 0]);
  const exact = [Math.sin(1.25), 2 * Math.sin(2.25)];
  expect(seen(env).demand).toEqual(exact.map(Math.fround));
  const noisy = configureEnv(warehouse, { ...set, demandNoise: 0.3, initialNoise: 0.1 }).factory();
  const rng = createRng(2);
  const noise: number[] = [];
  const stocks: number[] = [];
  for (let episode = 0; episode < 1000; episode++) {
    noisy.reset(rng);
    stocks.push(...seen(noisy).stock);
    noisy.step([1, 0, 1, 0]);
    noisy.step([1, 0, 1, 0]);
    noise.push(...seen(noisy).demand.map((z, i) => z - exact[i]));
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.max(...noise.map(Math.abs))).toBeLessThanOrEqual(0.3 + 1e-6);
  // Uniform in +-.3 has variance .03, and its square variance .09^2 * 4/45; four standard errors over 2000 draws.
  expect(Math.abs(mean(noise))).toBeLessThan(4 * Math.sqrt(0.03 / 2000));
  expect(Math.abs(mean(noise.map((n) => n * n)) - 0.03)).toBeLessThan(
    4 * Math.sqrt((0.0081 * 4) / 45 / 2000),
  );
  expect(Math.abs(mean(stocks) - 1)).toBeLessThan((4 * 0.1) / Math.sqrt(2000));
  expect(Math.abs(mean(stocks.map((m) => (m - 1) ** 2)) - 0.01)).toBeLessThan(4 * 0.01 * Math.sqrt(2 / 2000));
});

test("the time is seen where asked for", () => {
  const env = started({ ...ring, agents: 2, timeInObservation: true, horizon: 4 });
  expect(env.spec.observationSizes).toEqual([4, 4]);
  env.step([1, 0, 1, 0]);
  expect(seen(env).observed.map((own) => own[3])).toEqual([0.25, 0.25]);
});

const three = { agents: 3, state: [[0, 1]] };

test.each<[Overrides, string]>([
  [{ agents: 9 }, "warehouse.agents: expected instance=ring or couplings beside it: nine are nine (got 9)"],
  [{ ...ring, agents: 1 }, "warehouse.agents: expected an integer at least 2 (got 1)"],
  [{ instance: "twelve" }, 'warehouse.instance: expected one of "nine", "ring" (got "twelve")'],
  [
    { couplings: { agents: 9, state: [[9, 0]] } },
    "warehouse.couplings: state edge [9, 0]: no agent 9, expected 0..8",
  ],
  [
    { couplings: { agents: 9, state: [[1]] } },
    "warehouse.couplings: state: got [1] as an edge, expected [from, to]",
  ],
  [{ couplings: { agents: 9, stat: [] } }, 'Did you mean "state"?'],
  [{ couplings: 7 }, "warehouse.couplings: couplings: got 7, expected an object"],
  [
    { couplings: { agents: 2, steps: [{}] } },
    "warehouse.couplings: steps: expected couplings that stay as they are",
  ],
  [{ couplings: three }, "warehouse.amplitude: expected a number or 3 numbers beside couplings of 3 agents"],
  [
    { ...ring, agents: 4, couplings: three, amplitude: 1 },
    "warehouse.agents: expected the 3 of the couplings (got 4)",
  ],
  [
    { amplitude: [1, 2] },
    "warehouse.amplitude: expected one number for each of 9 warehouses, not 2 (got [1,2])",
  ],
  [{ ...ring, phase: [0] }, "warehouse.phase: expected one number for each of 40 warehouses, not 1"],
  [{ initialStock: [] }, "warehouse.initialStock: expected one number for each of 9 warehouses, not 0"],
  [
    { couplings: three, amplitude: 1, keep: false },
    "warehouse.keep: expected true, because warehouse 1 has nobody to send to (got false)",
  ],
])("%o is refused: %s", (overrides, message) => {
  expect(() => configureEnv(warehouse, overrides)).toThrow(InputError);
  expect(() => configureEnv(warehouse, overrides)).toThrow(message);
});

test("shares that do not sum to 1 are refused by name", () => {
  const env = started({ ...ring, agents: 2 });
  expect(() => env.step([0.5, 0.5, 0.5, 0.4])).toThrow("warehouse: shares of agent 1 sum to 0.9, expected 1");
  expect(() => env.step([1.5, -0.5, 1, 0])).toThrow(
    "warehouse: action of agent 0 is 1.5, expected a share in [0, 1]",
  );
});
