import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { averageReturn, followPlan, playControl } from "./control-policies.ts";
import { configureEnv } from "./definition.ts";
import { softmaxShares } from "./softmax-shares.ts";
import { warehouse, warehouseNetwork } from "./warehouse.ts";
import { createPlay, planWarehouse } from "./warehouse-plan.ts";
import { randomShares, uniformShares } from "./warehouse-policies.ts";

test("the gradient of a plan's return is that of finite differences", () => {
  const { config } = configureEnv(warehouse, {
    couplings: {
      agents: 4,
      state: [
        [0, 1],
        [1, 2],
        [2, 0],
        [0, 3],
      ],
      reward: [
        [1, 0],
        [1, 3],
      ],
    },
    amplitude: [-1.5, 1, -1, -2],
    horizon: 5,
  });
  const network = warehouseNetwork(config);
  const size = network.begin[4];
  const play = createPlay(network, 5);
  const logits = new Float64Array(5 * size);
  createRng(7).fillNormal(logits);
  const valueAt = (gradient: Float64Array): number =>
    play(
      Array.from({ length: 5 }, (_, t) => {
        const shares = new Float64Array(size);
        softmaxShares(network.begin, logits.subarray(t * size, (t + 1) * size), shares);
        return shares;
      }),
      gradient,
    );
  const gradient = new Float64Array(logits.length);
  expect(valueAt(gradient)).toBeLessThan(-0.5);
  const unused = new Float64Array(logits.length);
  const slopes = Array.from(logits, (logit, k) => {
    const at = (moved: number) => {
      logits[k] = moved;
      return valueAt(unused);
    };
    const slope = (at(logit + 1e-6) - at(logit - 1e-6)) / 2e-6;
    logits[k] = logit;
    return slope;
  });
  expect(slopes.filter((slope) => Math.abs(slope) > 0.01).length).toBeGreaterThan(12);
  slopes.forEach((slope, k) => {
    expect(gradient[k]).toBeCloseTo(slope, 7);
  });
});

test("a plan for two that can only share their loss shares it evenly", () => {
  // Stock of 2 less 1.5 (sin 1 + sin 2) is left at step 3, the last that is paid for; -m^2 is concave, so even is best.
  const { config, factory } = configureEnv(warehouse, {
    instance: "ring",
    agents: 2,
    amplitude: [-1, -0.5],
    horizon: 4,
  });
  const left = 2 - 1.5 * (Math.sin(1) + Math.sin(2));
  const plan = planWarehouse(config, createRng(1), { starts: 1, steps: 1000 });
  expect(plan.return).toBeLessThanOrEqual(-(left ** 2) / 2 + 1e-12);
  expect(plan.return).toBeCloseTo(-(left ** 2) / 2, 4);
  expect(playControl(factory(), followPlan(plan.actions), createRng(0))).toBeCloseTo(plan.return, 12);
});

test("nine warehouses can do without any shortage, the ring cannot", () => {
  const nine = configureEnv(warehouse);
  const without = planWarehouse(nine.config, createRng(1), { starts: 1, steps: 500 });
  expect(without.return).toBe(0);
  expect(playControl(nine.factory(), followPlan(without.actions), createRng(0))).toBe(0);
  const ring = configureEnv(warehouse, { instance: "ring" });
  const plan = planWarehouse(ring.config, createRng(1), { starts: 1, steps: 2000 });
  expect(plan.return).toBeCloseTo(-11.02, 2);
  expect(playControl(ring.factory(), followPlan(plan.actions), createRng(0))).toBeCloseTo(plan.return, 9);
});

test("noise leaves nothing to plan beforehand", () => {
  const { config } = configureEnv(warehouse, { initialNoise: 0.1 });
  expect(() => planWarehouse(config, createRng(1))).toThrow("warehouse.initialNoise: expected 0 for a plan");
  const quiet = configureEnv(warehouse).config;
  expect(() => planWarehouse(quiet, createRng(1), { starts: 0 })).toThrow("starts is 0, expected at least 1");
});

// Means and deviations over this many episodes in an independent implementation.
test.each([
  ["random shares", {}, randomShares, -7.08, 2.95, 200],
  ["random shares on the ring", { instance: "ring" }, randomShares, -30.99, 2.4, 50],
  ["uniform shares of noisy stock", { initialNoise: 0.1 }, uniformShares, -5.12, 0.42, 200],
] as const)("%s return what was measured", (_name, overrides, policy, mean, deviation, episodes) => {
  const { config, factory } = configureEnv(warehouse, overrides);
  const ours = averageReturn(factory, policy(config), 1000, createRng("warehouse policies"));
  expect(Math.abs(ours.mean - mean)).toBeLessThan(4 * deviation * Math.sqrt(1 / episodes + 1 / 1000));
  expect(ours.deviation).toBeGreaterThan(0.8 * deviation);
  expect(ours.deviation).toBeLessThan(1.2 * deviation);
});
