import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { InputError } from "corral/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseRunSpec, type RunSpec, runStatus, train } from "../runs/index.ts";
import { lastingBytes } from "../runs/testing/kill-and-resume.ts";
import { resolve } from "../runs/testing/random-walk.ts";
import { timeLeft } from "./eta.ts";
import { eta, type PoolEvent, runPool } from "./index.ts";
import { forkSource, workersFor } from "./testing/spawn-worker.ts";

const resolver = fileURLToPath(new URL("../runs/testing/random-walk.ts", import.meta.url));
const spawn = workersFor(resolver);
const now = () => 0;
const base = parseRunSpec({
  algorithm: "random-walk",
  env: "standstill",
  seed: 1,
  steps: 8 * 30,
  evaluateEvery: 10,
  checkpointEvery: 4,
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-pool-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const place = (name: string, changes: Partial<RunSpec> = {}) => ({
  directory: join(folder, name),
  spec: { ...base, ...changes },
});

/** The bytes of the same run trained here without interruption. */
async function undisturbed(spec: RunSpec): Promise<Record<string, string>> {
  const directory = mkdtempSync(join(folder, "whole-"));
  await train({ directory, spec }, { resolve, now });
  return lastingBytes(directory);
}

const holder = (directory: string): number => JSON.parse(readFileSync(join(directory, "lock"), "utf8")).pid;

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
      // A killed child of a killed parent may stay as a zombie where no one collects it.
      if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return;
    } catch {
      return;
    }
    await pause(20);
  }
}

/** Set when the given run reports an iteration from the given one on. */
const reaches = (event: PoolEvent, index: number, iteration: number): boolean =>
  event.kind === "run" &&
  event.index === index &&
  event.event.kind === "iteration" &&
  event.event.position.iteration >= iteration;

describe("a pool", () => {
  test("trains every run, reports progress, and leaves finished runs alone", async () => {
    const runs = [1, 2, 3].map((seed) => place(`seed-${seed}`, { seed }));
    const events: PoolEvent[] = [];
    const outcomes = await runPool(runs, { jobs: 2, spawn, now, onEvent: (event) => events.push(event) });
    for (const [index, { directory, spec }] of runs.entries()) {
      const result = { directory, state: "finished", iteration: 30, steps: 240 };
      expect(outcomes[index]).toEqual({ directory, state: "finished", result, attempts: 1 });
      expect(lastingBytes(directory)).toEqual(await undisturbed(spec));
    }
    const progress = events.flatMap((event) => (event.kind === "progress" ? [event.progress] : []));
    expect(progress[0]).toEqual({ done: 0, total: 720, left: undefined });
    expect(progress.at(-1)).toEqual({ done: 720, total: 720, left: 0 });

    const never = () => {
      throw new Error("a process was started for finished runs");
    };
    const again = await runPool(runs, { spawn: never, now });
    expect(again.map(({ state, attempts }) => [state, attempts])).toEqual(Array(3).fill(["finished", 0]));
  });

  test("trains the first seeds first", async () => {
    const runs = [1, 2].flatMap((curve) =>
      [7, 3].map((seed) => place(`curve-${curve}-seed-${seed}`, { seed, checkpointEvery: curve })),
    );
    const started: number[] = [];
    const onEvent = (event: PoolEvent): void => {
      if (event.kind === "run" && event.event.kind === "start") started.push(event.index);
    };
    const outcomes = await runPool(runs, { jobs: 1, spawn, now, onEvent });
    expect(started).toEqual([0, 2, 1, 3]);
    expect(outcomes.map(({ directory }) => directory)).toEqual(runs.map(({ directory }) => directory));
  });

  test("takes up a run whose process dies, from its checkpoint", async () => {
    const run = place("crashing", { config: { crashAt: 7 } });
    const events: PoolEvent[] = [];
    const [outcome] = await runPool([run], { jobs: 1, spawn, now, onEvent: (event) => events.push(event) });
    expect(outcome).toMatchObject({ state: "finished", attempts: 2 });
    const retry = events.find(({ kind }) => kind === "retry");
    expect(retry).toMatchObject({ attempt: 2, reason: "its process was killed by SIGKILL" });
    const starts = events.flatMap((event) =>
      event.kind === "run" && event.event.kind === "start" ? [event.event.position.iteration] : [],
    );
    expect(starts).toEqual([0, 4]);
    // The same numbers as a learner that never crashed.
    const { "metrics.jsonl": metrics } = await undisturbed(base);
    expect(lastingBytes(run.directory)["metrics.jsonl"]).toBe(metrics);
  });

  test("survives workers killed from outside, several times", async () => {
    const run = place("killed", { config: { pause: 5 } });
    let kills = 0;
    const onEvent = (event: PoolEvent) => {
      if (kills < 3 && reaches(event, 0, 3 + 7 * kills)) {
        kills++;
        process.kill(holder(run.directory), "SIGKILL");
      }
    };
    let clock = 0;
    const [outcome] = await runPool([run], { jobs: 1, spawn, now: () => ++clock, onEvent });
    expect(outcome).toMatchObject({ state: "finished", attempts: kills + 1 });
    expect(kills).toBeGreaterThan(0);
    expect(lastingBytes(run.directory)).toEqual(await undisturbed(run.spec));
  });

  test("gives up after the retries, and goes on with the other runs", async () => {
    // Checkpoints that come too late: every process starts from the beginning and dies at the same place.
    const runs = [place("hopeless", { config: { crashAt: 7 }, checkpointEvery: 100 }), place("fine")];
    const [hopeless, fine] = await runPool(runs, { jobs: 1, retries: 1, spawn, now });
    expect(hopeless).toEqual({
      directory: runs[0].directory,
      state: "failed",
      message: `${runs[0].directory}: gave up at attempt 2: its process was killed by SIGKILL`,
      attempts: 2,
    });
    expect(fine.state).toBe("finished");
  });

  test("does not repeat what would fail again", async () => {
    const runs = [
      place("diverging", { config: { divergeAt: 3 } }),
      place("misspelt", { algorithm: "random-wlak" }),
      place("damaged"),
    ];
    const controller = new AbortController();
    const onEvent = (event: { kind: string; position?: { iteration: number } }) => {
      if (event.kind === "iteration" && event.position?.iteration === 5) controller.abort();
    };
    await train(runs[2], { resolve, now, onEvent, signal: controller.signal });
    for (const iteration of [4, 5]) {
      truncateSync(join(runs[2].directory, "checkpoints", `${iteration}.safetensors`), 9);
    }
    const outcomes = await runPool(runs, { jobs: 1, spawn, now });
    expect(outcomes.map(({ state, attempts }) => [state, attempts])).toEqual([
      ["diverged", 1],
      ["failed", 1],
      ["failed", 1],
    ]);
    expect(outcomes[0].message).toMatch(/diverged at iteration 3: policy loss is NaN$/);
    expect(outcomes[1].message).toContain('Did you mean "random-walk"?');
    expect(outcomes[2].message).toContain("no usable checkpoint");
  });

  test("says why a process cannot start", async () => {
    const broken = () => forkSource("no-such-script.ts", []);
    const [outcome] = await runPool([place("never")], { retries: 0, spawn: broken, now });
    expect(outcome.message).toMatch(/gave up at attempt 1: its process exited with code 1/);
  });

  test("refuses jobs, retries and directories that make no sense", async () => {
    for (const jobs of [0, -1, 1.5, Number.NaN]) {
      await expect(runPool([], { jobs, now })).rejects.toThrow(
        new InputError(`jobs: expected an integer of at least 1 (got ${jobs})`),
      );
    }
    await expect(runPool([], { retries: -1, now })).rejects.toThrow("retries: expected an integer");
    await expect(runPool([place("a"), place("a")], { now })).rejects.toThrow("two runs share the directory");
    const [missing] = await runPool([join(folder, "missing")], { now });
    expect(missing).toMatchObject({ state: "failed", attempts: 0 });
  });
});

describe("stopping", () => {
  test("an abort leaves every run resumable, and a terminal's interrupt alone does not end workers", async () => {
    const runs = [1, 2, 3].map((seed) => place(`seed-${seed}`, { seed, config: { pause: 5 } }));
    const controller = new AbortController();
    const onEvent = (event: PoolEvent) => {
      if (!reaches(event, 0, 3) || controller.signal.aborted) return;
      process.kill(holder(runs[0].directory), "SIGINT");
      controller.abort();
    };
    const outcomes = await runPool(runs, { jobs: 2, spawn, now, onEvent, signal: controller.signal });
    expect(outcomes.map(({ state }) => state)).toEqual(Array(3).fill("interrupted"));
    expect(outcomes[0].result?.iteration).toBeGreaterThanOrEqual(3);
    // Stopped in good order: the checkpoint is at the very last iteration.
    const last = outcomes[0].result!.iteration;
    expect(existsSync(join(runs[0].directory, "checkpoints", `${last}.safetensors`))).toBe(true);
    expect(outcomes[2]).toEqual({ directory: runs[2].directory, state: "interrupted", attempts: 0 });

    const resumed = await runPool(runs, { jobs: 2, spawn, now });
    expect(resumed.map(({ state }) => state)).toEqual(Array(3).fill("finished"));
    for (const { directory, spec } of runs) {
      expect(lastingBytes(directory)).toEqual(await undisturbed(spec));
    }
  });

  test("a second abort kills, and the run is still resumable", async () => {
    const run = place("killed", { config: { pause: 5 } });
    const kill = new AbortController();
    const onEvent = (event: PoolEvent) => {
      if (reaches(event, 0, 6)) kill.abort();
    };
    const [outcome] = await runPool([run], { jobs: 1, retries: 0, spawn, now, onEvent, kill: kill.signal });
    expect(outcome).toEqual({ directory: run.directory, state: "interrupted", attempts: 1 });
    expect(runStatus(run.directory).state).toBe("interrupted");
    await runPool([run], { jobs: 1, spawn, now });
    expect(lastingBytes(run.directory)).toEqual(await undisturbed(run.spec));
  });

  test("workers of a killed pool stop by themselves, and a successor may start at once", async () => {
    const runs = [1, 2].map((seed) => place(`seed-${seed}`, { seed, config: { pause: 10 }, steps: 8 * 60 }));
    const pool = forkSource("pool-process.ts", [resolver, JSON.stringify(runs)]);
    const begun = new Set<number>();
    await new Promise<void>((done) => {
      pool.on("message", (event: PoolEvent) => {
        for (const index of [0, 1]) if (reaches(event, index, 2)) begun.add(index);
        if (begun.size === 2) done();
      });
    });
    const workers = runs.map(({ directory }) => holder(directory));
    pool.kill("SIGKILL");
    const successor = runPool(runs, { jobs: 2, spawn, now });
    await Promise.all(workers.map(gone));
    const outcomes = await successor;
    expect(outcomes.map(({ state }) => state)).toEqual(["finished", "finished"]);
    for (const { directory, spec } of runs) {
      expect(lastingBytes(directory)).toEqual(await undisturbed(spec));
    }
  });
});

describe("remaining time", () => {
  test("is what is left at the speed of this session", () => {
    // 100 steps in 10 s; 300 of 500 are left.
    const progress = { done: 200, total: 500, resumed: 100, since: 5000 };
    expect(eta(progress, 15_000)).toBe(30_000);
  });

  test("is unknown before the first step and nothing after the last", () => {
    expect(eta({ done: 100, total: 500, resumed: 100, since: 0 }, 1000)).toBeUndefined();
    expect(eta({ done: 1, total: 500, resumed: 0, since: 7 }, 7)).toBeUndefined();
    expect(eta({ done: 500, total: 500, resumed: 500, since: 0 }, 0)).toBe(0);
  });

  test("of several runs is that of each at the speed of its kind", () => {
    const run = { kind: "slow", done: 0, total: 100, resumed: 0, trained: 0 };
    // Slow runs take 10 ms a step and quick ones 1 ms, the steps that were there do not count.
    const runs = [
      { ...run, done: 50, resumed: 20, trained: 300 },
      run,
      { ...run, kind: "quick", total: 1000, done: 500, trained: 500 },
    ];
    expect(timeLeft(runs, 2)).toBe((500 + 1000 + 500) / 2);
    // A kind that was not seen yet takes as long as those that were, whatever its steps: (1000 + 1000) / 2.
    expect(timeLeft([...runs, { ...run, kind: "new", total: 7 }], 1)).toBe(2000 + 1000);
    expect(timeLeft([run, { ...run, done: 100 }], 2)).toBeUndefined();
    expect(timeLeft([{ ...run, done: 100, resumed: 100 }], 2)).toBe(0);
  });
});
