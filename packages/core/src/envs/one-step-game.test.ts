import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { configureEnv } from "./definition.ts";
import type { FiniteModel } from "./env.ts";
import { type EnvironmentName, environments } from "./environments.ts";

function make(name: EnvironmentName, overrides: Record<string, unknown> = {}) {
  return configureEnv<never>(environments[name] as never, overrides).factory();
}

function modelOf(name: EnvironmentName, overrides: Record<string, unknown> = {}): FiniteModel {
  return make(name, overrides).model?.() ?? expect.unreachable();
}

/** The actions of joint action `a`, agent 0 being the most significant digit. */
function digits(a: number, actions: readonly number[]): number[] {
  const of: number[] = [];
  for (const n of [...actions].reverse()) {
    of.unshift(a % n);
    a = Math.floor(a / n);
  }
  return of;
}

/** Value of the best deterministic policy in which the agents of each group act on what all of them observe. */
function bestValue(model: FiniteModel, groups: readonly (readonly number[])[]): number {
  const agents = model.actions.length;
  const width = model.observations.length / model.states / agents;
  const seen = (s: number, i: number) =>
    model.observations.subarray((s * agents + i) * width, (s * agents + i + 1) * width).join();
  // What each group sees in each state, as an index, and all its maps from that to joint actions of its agents.
  const views = groups.map((group) => {
    const texts = Array.from({ length: model.states }, (_, s) => group.map((i) => seen(s, i)).join(";"));
    const distinct = [...new Set(texts)];
    return { of: texts.map((text) => distinct.indexOf(text)), count: distinct.length };
  });
  const maps = groups.map((group, g) => {
    const choices = group.reduce((product, i) => product * model.actions[i], 1);
    return Array.from({ length: choices ** views[g].count }, (_, m) =>
      digits(m, new Array(views[g].count).fill(choices)).map((c) =>
        digits(
          c,
          group.map((i) => model.actions[i]),
        ),
      ),
    );
  });
  const joint = model.reward.length / model.states;
  let best = Number.NEGATIVE_INFINITY;
  const search = (g: number, chosen: (readonly number[])[][]) => {
    if (g < groups.length) {
      for (const map of maps[g]) search(g + 1, [...chosen, map]);
      return;
    }
    let value = 0;
    for (let s = 0; s < model.states; s++) {
      const actions = new Array<number>(agents).fill(0);
      groups.forEach((group, k) => {
        group.forEach((i, place) => {
          actions[i] = chosen[k][views[k].of[s]][place];
        });
      });
      const a = actions.reduce((index, action, i) => index * model.actions[i] + action, 0);
      value += model.initial[s] * model.reward[s * joint + a];
    }
    best = Math.max(best, value);
  };
  search(0, []);
  return best;
}

/** Expected reward when every agent acts with probability `p`, whatever it sees. */
function symmetricValue(model: FiniteModel, p: number): number {
  let value = 0;
  for (let a = 0; a < model.reward.length; a++) {
    value += digits(a, model.actions).reduce(
      (product, bit) => product * (bit === 1 ? p : 1 - p),
      model.reward[a],
    );
  }
  return value;
}

const apart = [[0], [1]];
const together = [[0, 1]];

test("agreement: agents apart can always agree", () => {
  const model = modelOf("agreement");
  expect([...model.reward]).toEqual([1, 0, 0, 1]);
  expect(bestValue(model, apart)).toBe(1);
  const three = modelOf("agreement", { agents: 3, actions: 3 });
  expect([...three.reward].flatMap((reward, a) => (reward === 1 ? [a] : []))).toEqual([0, 13, 26]);
});

test("latent agreement: nobody gets beyond one half, together or apart", () => {
  const model = modelOf("latent-agreement");
  expect([...model.reward]).toEqual([1, 0, 0, 0, 0, 0, 0, 1]);
  expect([...model.observations]).toEqual([0, 0, 0, 0]);
  expect([...model.stateFeatures]).toEqual([0, 1]);
  expect(bestValue(model, apart)).toBe(0.5);
  expect(bestValue(model, together)).toBe(0.5);
});

test("swap: one half apart, 1 together", () => {
  const model = modelOf("swap");
  // States and joint actions 00, 01, 10, 11: right is the state read backwards.
  expect([...model.reward]).toEqual([1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  expect([...model.observations]).toEqual([0, 0, 0, 1, 1, 0, 1, 1]);
  expect(model.observations).toEqual(model.stateFeatures);
  expect(bestValue(model, apart)).toBe(0.5);
  expect(bestValue(model, together)).toBe(1);
});

test("exactly-k: the best common probability of acting is K/N, but roles always succeed", () => {
  for (const [agents, k, value] of [
    [5, 2, 0.3456],
    [6, 2, 240 / 729],
    [4, 1, 0.421875],
    [6, 3, 0.3125],
  ]) {
    const model = modelOf("exactly-k", { agents, k });
    expect(symmetricValue(model, k / agents)).toBeCloseTo(value, 12);
    expect(symmetricValue(model, k / agents - 0.01)).toBeLessThan(value);
    expect(symmetricValue(model, k / agents + 0.01)).toBeLessThan(value);
  }
  expect(bestValue(modelOf("exactly-k", { agents: 4, k: 2 }), [[0], [1], [2], [3]])).toBe(1);
  expect(() => make("exactly-k", { agents: 4, k: 4 })).toThrow(
    "exactly-k.k: expected an integer at least 1 and below agents=4 (got 4)",
  );
});

test("one-hot: a common probability reaches (1 - 1/N)^(N - 1)", () => {
  const model = modelOf("one-hot");
  expect(symmetricValue(model, 1 / 6)).toBeCloseTo((5 / 6) ** 5, 12);
  expect((5 / 6) ** 5).toBeCloseTo(0.4019, 4);
  expect([...model.reward].filter((reward) => reward === 1)).toHaveLength(6);
});

test("one-hot with shared noise: agent floor(N w) acts, always one, each equally often", () => {
  const env = make("one-hot", { sharedNoise: true });
  expect(env.spec).toMatchObject({ observationSize: 7, stateSize: 1, sharedObservation: false });
  expect(env.model).toBeUndefined();
  const rng = createRng("noise");
  const seen = new Float32Array(42);
  const counts = new Array(6).fill(0);
  const episodes = 12_000;
  for (let episode = 0; episode < episodes; episode++) {
    env.reset(rng);
    env.observe(seen, 0);
    // Each agent from its own observation alone: the noise, and which agent it is.
    const actions = Array.from({ length: 6 }, (_, i) => {
      const [w, ...identity] = seen.subarray(7 * i, 7 * i + 7);
      return identity.indexOf(1) === Math.floor(6 * w) ? 1 : 0;
    });
    counts[actions.indexOf(1)]++;
    const { reward, success } = env.step(actions);
    if (reward !== 1 || success !== true) expect.unreachable();
  }
  // Counts of 2000 have a standard deviation of sqrt(12000 * 5 / 36) = 40.8.
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(4.5 * 41);
  env.state(seen, 0);
  expect(seen[0]).toBe(seen[7]);
});

test("parity: the interaction of three agents is 4", () => {
  const model = modelOf("parity");
  expect([...model.reward]).toEqual([1, 0, 0, 1, 0, 1, 1, 0]);
  const signs = [1, -1, -1, 1, -1, 1, 1, -1];
  expect(signs.reduce((sum, sign, a) => sum + sign * model.reward[a], 0)).toBe(4);
  expect(symmetricValue(modelOf("parity", { agents: 5 }), 0.5)).toBe(0.5);
});

test("hidden bits are fair", () => {
  const env = make("swap");
  const rng = createRng(2);
  const bits = new Float32Array(2);
  const counts = [0, 0, 0, 0];
  for (let episode = 0; episode < 8000; episode++) {
    env.reset(rng);
    env.state(bits, 0);
    counts[2 * bits[0] + bits[1]]++;
  }
  // Counts of 2000 have a standard deviation of sqrt(8000 * 3 / 16) = 38.7.
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(4.5 * 39);
});

test("a game of nothing to see shows one number, 0, and ends with its first step", () => {
  for (const name of ["agreement", "one-hot", "exactly-k", "parity", "matrix-game"] as const) {
    const env = make(name);
    const { agents } = env.spec;
    expect(env.spec).toMatchObject({ observationSize: 1, stateSize: 1, sharedObservation: true, horizon: 1 });
    env.reset(createRng(0));
    const seen = new Float32Array(agents + 2).fill(7);
    env.observe(seen, 1);
    expect([...seen]).toEqual([7, ...new Array(agents).fill(0), 7]);
    expect(env.step(new Array(agents).fill(0))).toMatchObject({ terminated: true, truncated: false });
    expect(() => env.step(new Array(agents).fill(0))).toThrow("the episode ended after 1 steps");
  }
});

test("the model of many agents would be too large", () => {
  expect(make("parity", { agents: 14 }).model).toBeDefined();
  expect(make("parity", { agents: 15 }).model).toBeUndefined();
  expect(make("latent-agreement", { agents: 14 }).model).toBeUndefined();
});

test("scenes: what is to be done, then who did what and what it earned", () => {
  const env = make("exactly-k", { agents: 3, k: 1 });
  env.reset(createRng(0));
  expect(env.scene()).toMatchObject({ width: 3, height: 1, caption: "success: exactly one agent acts" });
  env.step([0, 1, 0]);
  const labels = env.scene().shapes.map((shape) => shape.kind === "circle" && shape.label);
  expect(labels).toEqual(["0", "1", "0"]);
  expect(env.scene().caption).toBe("reward 1, success");
  const copy = make("exactly-k", { agents: 3, k: 1 });
  copy.reset(createRng(1));
  copy.restore(JSON.parse(JSON.stringify(env.snapshot())));
  expect(copy.scene()).toEqual(env.scene());
  copy.reset(createRng(1));
  expect(copy.scene().caption).toBe("success: exactly one agent acts");
});
