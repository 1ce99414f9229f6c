import { createRng } from "corral/random";
import { loadEngine } from "corral/tensor";
import { expect, test } from "vitest";
import { agpUpdate, policyForward, ppoUpdate } from "./workloads.ts";

const engine = await loadEngine();

test.each([
  ["ppo-mlp", ppoUpdate, 32],
  ["agp", agpUpdate, 4],
] as const)("%s: repeated updates lower the loss of its fixed data", async (_name, make, batch) => {
  const workload = await make(engine, batch, createRng(3));
  const losses: number[] = [];
  for (let k = 0; k < 60; k++) {
    await workload.run();
    losses.push(Number(workload.loss![0]));
  }
  await workload.dispose();
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(losses[59]).toBeLessThan(losses[0] - 0.02);
});

test("ppo-mlp: the first ratio is 1, so the first loss is minus the mean advantage and the entropy's share", async () => {
  const batch = 8;
  const workload = await ppoUpdate(engine, batch, createRng(5));
  await workload.run();
  const rng = createRng(5);
  rng.fillNormal(new Float32Array(batch * 16));
  for (let k = 0; k < batch; k++) rng.integer(2);
  const advantages = new Float32Array(batch);
  rng.fillNormal(advantages);
  const gain = advantages.reduce((total, value) => total + value, 0) / batch;
  const entropy = (-gain - Number(workload.loss![0])) / 0.01;
  expect(entropy).toBeGreaterThan(0.5);
  expect(entropy).toBeLessThan(Math.log(2) + 1e-3);
  await workload.dispose();
});

test("policy-forward: logits that differ from row to row", async () => {
  const workload = await policyForward(engine, 2, createRng(4));
  await workload.run();
  const logits = Array.from(workload.outputs!, Number);
  await workload.dispose();
  expect(logits).toHaveLength(10);
  expect(logits.every(Number.isFinite)).toBe(true);
  expect(logits.slice(0, 5)).not.toEqual(logits.slice(5));
});
