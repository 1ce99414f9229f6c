import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { coordinationGame, coordinationReward, defaultBound } from "./coordination-game.ts";
import { configureEnv } from "./definition.ts";

test("rewards of two and three agents, state by state, as the papers print them", () => {
  const bound = defaultBound;
  expect([0, 1, 1, 2].map((ones) => coordinationReward(2, ones, bound(2)))).toEqual([3, 0, 0, 2]);
  const onesOfState = [0, 1, 1, 2, 1, 2, 2, 3];
  expect(onesOfState.map((ones) => coordinationReward(3, ones, bound(3)))).toEqual([3, 0, 0, 1, 0, 1, 1, 2]);
  expect([0, 1, 2, 3, 4, 5].map((ones) => coordinationReward(5, ones, bound(5)))).toEqual([3, 3, 0, 1, 2, 2]);
});

test("the default bound is that of the papers", () => {
  expect([2, 3, 5, 10].map(defaultBound)).toEqual([1, 1, 2, 3]);
});

test("without flips the next state is the joint action", () => {
  const joint = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.nat(), fc.array(joint, { minLength: 1, maxLength: 20 }), (seed, plays) => {
      for (const rewardOn of ["current", "next"] as const) {
        const env = configureEnv(coordinationGame, { epsilon: 0, rewardOn }).factory();
        env.reset(createRng(seed));
        const seen = new Float32Array(5);
        env.state(seen, 0);
        let before = [...seen];
        plays.forEach((actions, step) => {
          const outcome = env.step(actions);
          const paid = rewardOn === "next" ? actions : before;
          const ones = paid.reduce((sum, bit) => sum + bit, 0);
          expect(outcome.reward).toBe(coordinationReward(5, ones, 2));
          expect(outcome.truncated).toBe(step === 19);
          expect(outcome.terminated).toBe(false);
          env.state(seen, 0);
          expect([...seen]).toEqual(actions);
          before = actions;
        });
      }
    }),
    { numRuns: 30 },
  );
});

test("bits flip with probability epsilon, and start as the config says", () => {
  const flips = (overrides: Record<string, unknown>) => {
    const env = configureEnv(coordinationGame, { horizon: 1, ...overrides }).factory();
    const rng = createRng(5);
    const bits = new Float32Array(5);
    let onesAtReset = 0;
    let flipped = 0;
    for (let episode = 0; episode < 4000; episode++) {
      env.reset(rng);
      env.state(bits, 0);
      onesAtReset += bits.reduce((sum, bit) => sum + bit, 0);
      env.step([0, 1, 0, 1, 0]);
      env.state(bits, 0);
      flipped += bits[0] + (1 - bits[1]) + bits[2] + (1 - bits[3]) + bits[4];
    }
    return { flipped: flipped / 20_000, ones: onesAtReset / 20_000 };
  };
  // Standard errors: sqrt(.1 * .9 / 20000) = .0021, sqrt(.25 / 20000) = .0035, sqrt(.16 / 20000) = .0028.
  const uniform = flips({});
  expect(Math.abs(uniform.flipped - 0.1)).toBeLessThan(0.0085);
  expect(Math.abs(uniform.ones - 0.5)).toBeLessThan(0.015);
  const biased = flips({ initial: "biased", epsilon: 0.05 });
  expect(Math.abs(biased.flipped - 0.05)).toBeLessThan(0.0065);
  expect(Math.abs(biased.ones - 0.8)).toBeLessThan(0.012);
});

test("the model of two agents by hand", () => {
  const { transition, reward, initial, stateFeatures } =
    configureEnv(coordinationGame, { agents: 2, epsilon: 0.1 }).factory().model?.() ?? expect.unreachable();
  // Joint action 01 from any state: 00 by one flip, 01 by none, 10 by two, 11 by one.
  const row = [...transition.subarray((3 * 4 + 1) * 4, (3 * 4 + 2) * 4)];
  [0.09, 0.81, 0.01, 0.09].forEach((probability, s) => {
    expect(row[s]).toBeCloseTo(probability, 12);
  });
  expect([0, 1, 2, 3].map((s) => reward[s * 4 + 2])).toEqual([3, 0, 0, 2]);
  expect([...initial]).toEqual([0.25, 0.25, 0.25, 0.25]);
  expect([...stateFeatures]).toEqual([0, 0, 0, 1, 1, 0, 1, 1]);
  const next = configureEnv(coordinationGame, { agents: 2, epsilon: 0.1, rewardOn: "next" }).factory();
  expect(next.model?.().reward[1]).toBeCloseTo(3 * 0.09 + 2 * 0.09, 12);
});
