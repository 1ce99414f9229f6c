import { environments } from "corral/envs";
import { describe, expect, test } from "vitest";
import { compare } from "./comparison.ts";
import { benchDag } from "./dag.ts";
import { benchEngine, type EngineRow } from "./engine.ts";
import { benchEnvs } from "./environments.ts";
import { benchMastac, type MastacRow } from "./mastac.ts";
import { median, millisecondsPerCall } from "./stopwatch.ts";
import { benchStructure } from "./structure.ts";
import {
  dagTable,
  describeHost,
  engineTable,
  envTable,
  mastacTable,
  structureTable,
  tabularTable,
  trainTable,
} from "./tables.ts";
import { benchTabular, type TabularRow } from "./tabular.ts";
import { fakePeer } from "./testing/fake-peer.ts";
import { benchTrain } from "./train.ts";

/** A clock that moves on by one millisecond whenever it is read. */
const tickingClock = () => {
  let time = 0;
  return () => time++;
};

test("the time of a call is the median of five chunks' means", async () => {
  const moments = [0, 10, 10, 14, 14, 20, 20, 120, 120, 128];
  const calls: number[] = [];
  const time = await millisecondsPerCall(
    () => moments.shift()!,
    async () => {
      calls.push(1);
    },
    2,
  );
  // Chunks last 10, 4, 6, 100 and 8 ms.
  expect(time).toBe(4);
  expect(calls).toHaveLength(10);
});

test("medians", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 10])).toBe(3);
});

test("a comparison is against the fastest variant, with the spread over rounds", () => {
  const result = compare([1, 2, 4], { separate: [9, 9, 9], flat: [3, 8, 6] });
  expect(result).toEqual({
    milliseconds: { separate: 9, flat: 6 },
    fastest: "flat",
    ratio: 3,
    lowest: 1.5,
    highest: 4,
  });
});

describe("benchEngine", () => {
  test("measures every workload turn by turn with the peer", async () => {
    const told: EngineRow[] = [];
    const { host, rows } = await benchEngine({
      now: tickingClock(),
      against: "pytorch",
      onRow: (row) => told.push(row),
      effort: { rounds: 2, turn: 5 },
      peer: fakePeer(),
    });
    expect(rows).toEqual(told);
    expect(rows.map(({ workload, batch }) => `${workload} ${batch}`)).toEqual([
      "ppo-mlp 32",
      "ppo-mlp 640",
      "ppo-mlp 6400",
      "agp 32",
      "agp 256",
      "policy-forward 1",
      "policy-forward 32",
      "policy-forward 160",
    ]);
    // The ticking clock gives a chunk of two calls half a millisecond each; the fake peer answers with the batch.
    expect(rows[1]).toMatchObject({
      milliseconds: 0.5,
      pytorch: { milliseconds: { separate: 1280, flat: 640 }, fastest: "flat", ratio: 1280 },
    });
    expect(rows[7].pytorch).toMatchObject({ milliseconds: { forward: 320 }, ratio: 640 });
    expect(host.pytorch).toEqual({ version: "0.0", blas: "openblas" });
    expect(describeHost(host)).toContain("PyTorch 0.0 (openblas)");
    expect(engineTable(rows).split("\n")[2]).toMatch(/^ppo-mlp +640 .* flat +1280\.00x /);
  });
});

describe("benchTrain", () => {
  test("splits iterations into rollout and update and compares whole updates", async () => {
    const { rows } = await benchTrain({
      now: tickingClock(),
      against: "pytorch",
      effort: { warmup: 0, iterations: 2, rounds: 1, updates: 1 },
      peer: fakePeer(),
    });
    const training = rows.filter((row) => row.kind === "train");
    expect(training.map(({ env, dag }) => `${env} ${dag}`)).toEqual([
      "coordination-game full",
      "coordination-game product",
      "coordination-game heuristic(4)",
      "aloha full",
      "aloha product",
      "aloha heuristic(10)",
    ]);
    // The clock is read at the start, after the last environment step and at the end.
    expect(training[0]).toMatchObject({
      iterations: 2,
      milliseconds: { iteration: 2, rollout: 1, environment: 1, update: 1 },
      stepsPerSecond: 320_000,
      official: { stepsPerSecond: 324, ratio: 320_000 / 324 },
    });
    expect(training[0].decisions.all).toBe(3200);
    expect(training[0].decisions.early).toBeGreaterThan(100);
    expect(training[2].official).toBeUndefined();
    const updates = rows.filter((row) => row.kind === "update");
    expect(updates).toHaveLength(4);
    expect(updates[0]).toMatchObject({
      milliseconds: 1,
      pytorch: { milliseconds: { "all rows": 2, "distinct rows": 1 }, fastest: "distinct rows", ratio: 1 },
    });
    expect(trainTable(rows)).toContain("distinct rows");
  });
});

test("benchMastac measures rounds turn by turn with the peer, and growth", async () => {
  const told: MastacRow[] = [];
  const { rows } = await benchMastac({
    now: tickingClock(),
    against: "pytorch",
    onRow: (row) => told.push(row),
    effort: { rounds: 1, turn: 1, compared: 4, agents: [3, 4] },
    peer: fakePeer(),
  });
  expect(rows).toEqual(told);
  const cases = rows.map(
    ({ algorithm, agents, sets, replace }) => `${algorithm} ${agents} ${sets} ${replace}`,
  );
  expect(cases).toEqual([
    "mastac 4 kappa 2 own",
    "mastac 4 kappa 2 all",
    "mastac 4 exact own",
    "mastac 4 exact all",
    "maddpg 4 everybody own",
    "mastac 3 kappa 2 all",
  ]);
  // Two zones on each of two levels: linear actors that observe both, critics that are told states and actions of both.
  expect(rows[3].parameters).toBe(4 * (2 + 1) + 4 * (4 * 64 + 2 * 64 * 64 + 64 + 3 * 64 + 1));
  expect(rows[0].pytorch!.milliseconds).toEqual({ modules: 512, batched: 512, "critic by critic": 512 });
  expect(Object.keys(rows[1].pytorch!.milliseconds)).toEqual(["modules", "batched"]);
  // In MADDPG critics are told eight observed states and four actions.
  expect(rows[4].parameters).toBe(4 * (2 + 1) + 4 * (12 * 64 + 2 * 64 * 64 + 64 + 3 * 64 + 1));
  expect(rows[4].pytorch!.milliseconds).toEqual({ modules: 512, batched: 512 });
  expect(rows[5].pytorch).toBeUndefined();
  const [compared, growth] = mastacTable(rows).split("\n\n");
  expect(compared.split("\n")[1]).toMatch(/^mastac +4 +kappa 2 +own +1\.00 +512 modules.* 512\.00x$/);
  expect(growth.split("\n").map((line) => line.split(/ +/)[1])).toEqual(["N", "3", "4"]);
});

test("benchDag sets learned DAGs beside the full one, turn by turn", async () => {
  const { rows } = await benchDag({ now: tickingClock(), effort: { warmup: 0, iterations: 1 } });
  expect(rows.map(({ env, agents }) => `${env} ${agents}`)).toEqual([
    "coordination-game 5",
    "aloha 10",
    "coordination-game 10",
    "coordination-game 30",
  ]);
  // 640 steps of 32 copies in two ticks.
  expect(rows[0]).toMatchObject({
    full: { step: 1 / 20, update: 1 },
    learned: { step: 1 / 20, update: 1 },
    ratios: { step: 1, update: 1, both: 1 },
    stepsPerSecond: 320_000,
    official: { stepsPerSecond: 148, ratio: 320_000 / 148 },
  });
  expect(rows[3].official).toBeUndefined();
  expect(dagTable(rows).split("\n")[2]).toMatch(/^aloha +10 .* 39\.5 +\d+x$/);
});

test("benchTabular measures steps, an ascent and growth, turn by turn with the peer", async () => {
  const told: TabularRow[] = [];
  const { host, rows } = await benchTabular({
    now: tickingClock(),
    against: "numpy",
    onRow: (row) => told.push(row),
    effort: { rounds: 2, turn: 5, steps: 3 },
    peer: fakePeer(),
  });
  expect(rows).toEqual(told);
  const steps = rows.filter((row) => row.kind === "step");
  expect(steps.map(({ transition, starts }) => `${transition} ${starts}`)).toEqual([
    "any table 1",
    "any table 50",
    "joint action alone 1",
    "joint action alone 50",
    "coordination game 1",
    "coordination game 50",
  ]);
  // As in benchEngine: half a millisecond of the ticking clock, and twice the starts from the fake peer.
  expect(steps[1]).toMatchObject({ milliseconds: 0.5, numpy: { milliseconds: { dense: 100 }, ratio: 200 } });
  expect(steps[5].numpy!.fastest).toBe("joint-action");
  const [ascent] = rows.filter((row) => row.kind === "ascent");
  expect(ascent).toMatchObject({ starts: 50, steps: 3, milliseconds: 1, numpy: { ratio: 100 } });
  // After three steps next to nothing has been gained on standard normal starts, at .56.
  expect(ascent.suboptimality).toBeGreaterThan(0.5);
  expect(ascent.suboptimality).toBeLessThan(0.57);
  const growth = rows.filter((row) => row.kind === "growth");
  expect(growth.map(({ agents }) => agents)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  // 2 actions x 2^N states x (2^N - 1) rows of a full DAG.
  expect(growth[3]).toMatchObject({ states: 32, parameters: 2 * 32 * 31 });
  expect(host.numpy).toEqual({ version: "0.1", blas: "openblas" });
  expect(describeHost(host)).toContain("NumPy 0.1 (openblas)");
  expect(tabularTable(rows)).toMatch(/^any table +5 +50 +0\.500 +100 dense +dense +200\.00x/m);
});

test("benchEnvs measures every environment with one, 32 and 64 copies", () => {
  const rows = benchEnvs({ now: tickingClock(), turn: 1 });
  expect(rows.map(({ env, copies }) => `${env} ${copies}`)).toEqual(
    Object.keys(environments).flatMap((env) => [`${env} 1`, `${env} 32`, `${env} 64`]),
  );
  // 64 calls in one millisecond of the ticking clock.
  expect(rows[1].stepsPerSecond).toBe(32 * 64_000);
  expect(rows[1].reference).toBeUndefined();
  const tag = rows.find(({ env, copies }) => env === "mpe/tag" && copies === 1);
  expect(tag?.reference).toEqual({ stepsPerSecond: 2800, ratio: 64_000 / 2800 });
  expect(envTable(rows)).toMatch(/^mpe\/tag +4 +1 +64,?000 +2,?800 +23x$/m);
  expect(envTable(rows)).toContain("aloha");
});

test("benchStructure measures a ring and a random team, with kappa 2 and exact", () => {
  let bytes = 0;
  const memory = () => (bytes += 1_000_000);
  const rows = benchStructure({ now: tickingClock(), memory, agents: 50, rounds: 2 });
  expect(rows.map(({ team, kappa }) => `${team}: ${kappa}`)).toEqual([
    "ring: 2",
    "ring: undefined",
    "random, degree 4: 2",
    "random, degree 4: undefined",
  ]);
  expect(rows[0]).toMatchObject({
    agents: 50,
    edges: 200,
    milliseconds: { graphs: 1, value: 1, gradient: 1, criticSum: 1 },
    size: { value: 11, criticSum: 21 },
    megabytes: 1,
  });
  expect(rows[1].size).toEqual({ value: 50, criticSum: 50 });
  expect(structureTable(rows)).toMatch(/^ring +50 +200 +kappa 2 +1\.00 .* 11, 21 +1$/m);
});
