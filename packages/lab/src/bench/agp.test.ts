import { createRng } from "corral/random";
import { loadEngine } from "corral/tensor";
import { expect, test } from "vitest";
import { type AgpTrainRow, type AgpUpdateRow, agpUpdate, benchAgp } from "./agp.ts";
import { agpTable } from "./tables.ts";
import { fakePeer } from "./testing/fake-peer.ts";

test("agp: repeated updates lower the loss of its fixed data, in groups too", async () => {
  const engine = await loadEngine();
  for (const neighbourhood of ["full", "sameAction"] as const) {
    const workload = await agpUpdate(engine, { agents: 3, neighbourhood, batch: 4 }, createRng(3));
    const losses: number[] = [];
    for (let k = 0; k < 60; k++) {
      await workload.run();
      losses.push(Number(workload.loss![0]));
    }
    await workload.dispose();
    expect(losses[59]).toBeLessThan(losses[0] / 10);
  }
});

test("benchAgp measures steps turn by turn with the peer, how they grow, and training", async () => {
  // A clock that moves on by one millisecond whenever it is read.
  let time = 0;
  const told: (AgpUpdateRow | AgpTrainRow)[] = [];
  const { host, rows } = await benchAgp({
    now: () => time++,
    against: "pytorch",
    onRow: (row) => told.push(row),
    effort: { rounds: 2, turn: 1, agents: [6, 3], warmup: 0, iterations: 1 },
    peer: fakePeer(),
  });
  expect(rows).toEqual(told);
  const updates = rows.filter((row) => row.kind === "update");
  expect(updates.map(({ agents, neighbourhood, batch }) => `${agents} ${neighbourhood} ${batch}`)).toEqual([
    "6 full 32",
    "6 full 256",
    "3 full 32",
    "6 sameAction 32",
    "3 sameAction 32",
    "6 sameAgent 32",
    "3 sameAgent 32",
  ]);
  // The fake peer answers with the batch, or twice the batch where parameters are separate.
  expect(updates[1].pytorch).toMatchObject({
    milliseconds: {
      "separate stacked": 512,
      "separate blocks": 512,
      "flat stacked": 256,
      "flat blocks": 256,
    },
    fastest: "flat stacked",
  });
  expect(updates[2].pytorch).toBeUndefined();
  // One iteration in a millisecond: ten rollouts of 32 episodes of one step, or of one.
  const training = rows.filter((row) => row.kind === "train");
  expect(training.map(({ preset, stepsPerSecond }) => [preset, stepsPerSecond])).toEqual([
    ["fast", 320_000],
    ["paper", 10_000],
  ]);
  expect(host.pytorch).toEqual({ version: "0.0", blas: "openblas" });
  const lines = agpTable(rows).split("\n");
  expect(lines[2]).toMatch(/^topk +6 +full +256 .* flat stacked +256\.00x /);
  expect(lines.at(-1)).toMatch(/^topk +paper +10000 +0$/);
});
