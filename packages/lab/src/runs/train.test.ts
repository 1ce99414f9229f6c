import { fork } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "corral/errors";
import { decodeSafetensors } from "corral/tensor";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  DivergedRun,
  loadLearner,
  openRun,
  parseRunSpec,
  type RunEvent,
  type RunSpec,
  readMetrics,
  readMetricsLines,
  runStatus,
  train,
} from "./index.ts";
import { lastingBytes } from "./testing/kill-and-resume.ts";
import { resolve } from "./testing/random-walk.ts";

const base = parseRunSpec({
  algorithm: "random-walk",
  env: "standstill",
  seed: 7,
  steps: 8 * 10,
  evaluateEvery: 4,
  evaluationEpisodes: 2,
  checkpointEvery: 3,
});

let folder: string;
let directory: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-train-"));
  directory = join(folder, "run");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const complete = (at: string, spec: RunSpec = base) =>
  train({ directory: at, spec }, { resolve, now: () => 0 });

/** Trains until `iteration` is done, then stops with a checkpoint there. */
function stopAt(iteration: number, at = directory, spec = base) {
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.kind === "iteration" && event.position.iteration === iteration) controller.abort();
  };
  return train({ directory: at, spec }, { resolve, now: () => 0, onEvent, signal: controller.signal });
}

async function resumed(): Promise<string[]> {
  const notes: string[] = [];
  const onEvent = (event: RunEvent) => event.kind === "note" && notes.push(event.message);
  await train(directory, { resolve, now: () => 0, onEvent });
  return notes;
}

describe("a run", () => {
  test("says how often it is evaluated when steps were given for iterations", async () => {
    const notes: string[] = [];
    const onEvent = (event: RunEvent) => event.kind === "note" && notes.push(event.message);
    const options = { resolve, now: () => 0, onEvent };
    await train({ directory, spec: { ...base, evaluateEvery: 9 } }, options);
    expect(notes).toEqual([]);
    await train({ directory: `${directory}-rarely`, spec: { ...base, evaluateEvery: 41 } }, options);
    expect(notes).toEqual([
      "evaluateEvery counts iterations, and the run has 10: with 41 it is evaluated at its beginning and end only " +
        "(41 steps are 5 iterations)",
    ]);
  });

  test("leaves the files it promises", async () => {
    const events: RunEvent[] = [];
    let clock = 0;
    const result = await train(
      { directory, spec: base },
      { resolve, now: () => (clock += 10), onEvent: (event) => events.push(event) },
    );
    expect(result).toEqual({ directory, state: "finished", iteration: 10, steps: 80 });
    expect(runStatus(directory)).toEqual({ state: "finished", iteration: 10, steps: 80 });
    expect(readdirSync(directory).sort()).toEqual([
      "checkpoints",
      "facts.json",
      "metrics.jsonl",
      "parameters.safetensors",
      "policy.onnx",
      "run.json",
      "status.json",
      "tensorboard",
      "timing.jsonl",
    ]);
    // Every third iteration and the last; the last two stay.
    expect(readdirSync(join(directory, "checkpoints")).sort()).toEqual(["10.safetensors", "9.safetensors"]);
    const saved = events.filter(({ kind }) => kind === "checkpoint");
    expect(saved.map((event) => "position" in event && event.position.iteration)).toEqual([3, 6, 9, 10]);
    expect(events[0]).toEqual({ kind: "start", position: { iteration: 0, iterations: 10, steps: 0 } });
    expect(events.at(-1)).toEqual({ kind: "end", result });
    expect(readFileSync(join(directory, "metrics.jsonl"), "utf8")).not.toContain('"at"');
    const run = openRun(directory);
    expect(run.config).toEqual({ size: 5, stepSize: 0.1, divergeAt: 0, pause: 0, crashAt: 0 });
    expect(run.env).toEqual({ id: "standstill", version: 1 });
  });

  test("its metrics are those of the learner, and evaluation draws from a stream of its own", async () => {
    await complete(directory);
    const often = join(folder, "often");
    await complete(often, { ...base, evaluateEvery: 1 });
    expect(readMetrics(often, "train/position")).toEqual(readMetrics(directory, "train/position"));
    expect(readMetrics(directory, "eval/return").steps).toEqual([0, 32, 64, 80]);
    const every = readMetrics(often, "eval/return").values;
    expect([0, 4, 8, 10].map((i) => every[i])).toEqual(readMetrics(directory, "eval/return").values);
    const { tensors } = decodeSafetensors(readFileSync(join(directory, "parameters.safetensors")));
    expect(tensors.position.data[0]).toBe(readMetrics(directory, "train/position").values.at(-1));
  });

  test("is evaluated only at the end when asked to", async () => {
    await complete(directory, { ...base, evaluateEvery: 0 });
    expect(readMetrics(directory, "eval/return").steps).toEqual([80]);
    expect(readMetricsLines(directory)).toHaveLength(10);
  });

  test("that is finished is left as it is", async () => {
    await complete(directory);
    const never = () => Promise.reject(new Error("resolved a finished run"));
    const result = await train({ directory, spec: base }, { resolve: never, now: () => 0 });
    expect(result.state).toBe("finished");
  });

  test("that diverges keeps its last checkpoint and says what diverged", async () => {
    const spec = { ...base, config: { divergeAt: 6 } };
    const error = await complete(directory, spec).catch((caught) => caught);
    expect(error).toBeInstanceOf(DivergedRun);
    expect(error.message).toBe(`${directory} diverged at iteration 6: policy loss is NaN`);
    expect(runStatus(directory)).toEqual({
      state: "diverged",
      iteration: 5,
      steps: 40,
      quantity: "policy loss",
    });
    expect(readdirSync(join(directory, "checkpoints"))).toEqual(["3.safetensors"]);
    expect(readMetricsLines(directory).at(-1)?.iteration).toBe(5);
    await expect(complete(directory, spec)).rejects.toThrow(DivergedRun);
  });

  test("can be loaded to evaluate it", async () => {
    await complete(directory);
    const { learner, iteration } = await loadLearner(directory, resolve);
    expect(iteration).toBe(10);
    expect(learner.parameters().position.data[0]).toBe(
      readMetrics(directory, "train/position").values.at(-1),
    );
  });
});

describe("resuming", () => {
  let expected: Record<string, string>;
  beforeEach(async () => {
    await complete(join(folder, "whole"));
    expected = lastingBytes(join(folder, "whole"));
    await stopAt(8);
  });

  test("a stopped run is interrupted and goes on", async () => {
    expect(runStatus(directory)).toEqual({ state: "interrupted", iteration: 8, steps: 64 });
    expect(await resumed()).toEqual([]);
    expect(lastingBytes(directory)).toEqual(expected);
  });

  test("a torn line of metrics is ignored by readers and cut off", async () => {
    appendFileSync(join(directory, "metrics.jsonl"), '{"iteration":9,"ste');
    expect(readMetricsLines(directory).at(-1)?.iteration).toBe(8);
    await resumed();
    expect(lastingBytes(directory)).toEqual(expected);
  });

  test.each([
    ["cut short", (path: string) => truncateSync(path, 100), /truncated/],
    ["empty", (path: string) => truncateSync(path, 0), /truncated/],
    [
      "with one bit of a tensor flipped",
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 1] ^= 1;
        writeFileSync(path, bytes);
      },
      /checksum/,
    ],
    [
      "with one digit of the metadata changed",
      (path: string) => {
        const text = readFileSync(path).toString("latin1").replace('"steps":"64"', '"steps":"65"');
        writeFileSync(path, Buffer.from(text, "latin1"));
      },
      /checksum/,
    ],
  ])("falls back when the newest checkpoint is %s", async (_, damage, reason) => {
    damage(join(directory, "checkpoints", "8.safetensors"));
    const notes = await resumed();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(reason);
    expect(notes[0]).toContain("going on from 6");
    expect(lastingBytes(directory)).toEqual(expected);
  });

  test("falls back when metrics are missing that the newest checkpoint counts on", async () => {
    const path = join(directory, "metrics.jsonl");
    truncateSync(path, readFileSync(path).length - 1);
    expect((await resumed())[0]).toContain("counts on");
    expect(lastingBytes(directory)).toEqual(expected);
  });

  test("refuses when no checkpoint is usable", async () => {
    for (const name of readdirSync(join(directory, "checkpoints"))) {
      truncateSync(join(directory, "checkpoints", name), 50);
    }
    await expect(resumed()).rejects.toThrow(
      /no usable checkpoint in .*; delete it to train from the beginning/,
    );
    rmSync(join(directory, "checkpoints"), { recursive: true });
    await resumed();
    expect(lastingBytes(directory)).toEqual(expected);
  });

  test.each([
    [{ algorithm: "other-walk" }, /belongs to algorithm other-walk, expected random-walk/],
    [{ seed: 8 }, /belongs to run [0-9a-f]{16}, expected/],
  ])("refuses the checkpoint of another run: %j", async (difference, message) => {
    const other = join(folder, "other");
    await stopAt(9, other, { ...base, ...difference });
    cpSync(join(other, "checkpoints"), join(directory, "checkpoints"), { recursive: true });
    // Enough bytes of metrics for the foreign checkpoint.
    await expect(resumed()).rejects.toThrow(message);
    await expect(resumed()).rejects.toThrow(InputError);
  });

  test("refuses another version of the environment or other defaults", async () => {
    const changed = async (spec: RunSpec) => ({
      ...(await resolve(spec)),
      env: { id: "standstill", version: 2 },
    });
    await expect(train(directory, { resolve: changed, now: () => 0 })).rejects.toThrow(
      /began with environment .*"version":1.* now it is .*"version":2.*; start a new run/,
    );
    const defaults = async (spec: RunSpec) => ({ ...(await resolve(spec)), config: { size: 6 } });
    await expect(train(directory, { resolve: defaults, now: () => 0 })).rejects.toThrow(
      /settings of random-walk/,
    );
  });
});

describe("what is not a run", () => {
  test("a missing directory, another directory, another run", async () => {
    expect(() => openRun(directory)).toThrow(`no run at ${directory}: the directory does not exist`);
    mkdirSync(directory);
    writeFileSync(join(directory, "thesis.tex"), "");
    expect(() => openRun(directory)).toThrow(`${directory} is not a run: it has no readable run.json`);
    await expect(complete(directory)).rejects.toThrow("is not a run and not empty: it contains thesis.tex");
    const other = join(folder, "other");
    await complete(other);
    await expect(complete(other, { ...base, seed: 9 })).rejects.toThrow(
      `${other} holds another run (seed is 7, not 9)`,
    );
  });

  test("settings changed by hand", async () => {
    await complete(directory);
    const path = join(directory, "run.json");
    const changed = JSON.parse(readFileSync(path, "utf8"));
    changed.spec.evaluationEpisodes += 1;
    writeFileSync(path, JSON.stringify(changed));
    const byHand = /run\.json: .* it was changed by hand; /;
    await expect(complete(directory, changed.spec)).rejects.toThrow(byHand);
    await expect(complete(directory)).rejects.toThrow(byHand);
    expect(() => openRun(directory)).toThrow(byHand);
  });

  test("another layout", async () => {
    await complete(directory);
    const path = join(directory, "run.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"format": 1', '"format": 2'));
    expect(() => openRun(directory)).toThrow(`${path} has format 2, this corral reads format 1`);
    writeFileSync(path, "{");
    expect(() => openRun(directory)).toThrow(`${path} is not valid JSON`);
  });

  test("an unknown name or setting leaves no directory behind", async () => {
    await expect(complete(directory, { ...base, algorithm: "random-wlak" })).rejects.toThrow(
      'Did you mean "random-walk"?',
    );
    await expect(complete(directory, { ...base, env: "standstil" })).rejects.toThrow("unknown environment");
    await expect(complete(directory, { ...base, config: { sise: 3 } })).rejects.toThrow("random-walk.sise");
    await expect(complete(directory, { ...base, envConfig: { horizon: 0 } })).rejects.toThrow(
      "standstill.horizon",
    );
    await expect(complete(directory, { ...base, env: "./no-such-env.ts" })).rejects.toThrow(
      "environment ./no-such-env.ts cannot be imported",
    );
    expect(existsSync(directory)).toBe(false);
  });
});

describe("the lock", () => {
  test("keeps a second training out while the first one lives", async () => {
    let second: Promise<unknown> = Promise.resolve();
    const onEvent = (event: RunEvent) => {
      if (event.kind === "iteration" && event.position.iteration === 2) {
        expect(runStatus(directory)).toEqual({ state: "running", iteration: 2, steps: 16 });
        second = complete(directory).catch((error) => error);
      }
    };
    await train({ directory, spec: base }, { resolve, now: () => 0, onEvent });
    expect(await second).toEqual(new InputError(`${directory} is being trained by process ${process.pid}`));
    expect(existsSync(join(directory, "lock"))).toBe(false);
  });

  test("of a dead process, of a reused process id, and a torn one are taken over", async () => {
    await stopAt(5);
    const path = join(directory, "lock");
    for (const lock of [
      JSON.stringify({ host: hostname(), pid: 2 ** 31 - 1, start: "1", parent: null }),
      JSON.stringify({ host: hostname(), pid: process.pid, start: "1", parent: null }),
      '{"host":',
    ]) {
      writeFileSync(path, lock);
      expect(runStatus(directory).state).toBe("interrupted");
      rmSync(join(directory, "status.json"), { force: true });
      await stopAt(runStatus(directory).iteration + 1);
    }
    expect(runStatus(directory).iteration).toBe(8);
  });

  test("of another machine is respected", async () => {
    await stopAt(5);
    writeFileSync(
      join(directory, "lock"),
      JSON.stringify({ host: "elsewhere", pid: 1, start: null, parent: null }),
    );
    await expect(complete(directory)).rejects.toThrow(
      /process 1 on elsewhere \(if it is gone, delete .*lock\)/,
    );
  });

  test("of a worker that lost its parent is waited for", async () => {
    await stopAt(5);
    const script = join(folder, "sleep.mjs");
    writeFileSync(script, "process.on('message', () => process.exit()); process.send('ready');");
    const worker = fork(script);
    await new Promise((done) => worker.once("message", done));
    const holder = { host: hostname(), pid: worker.pid, start: null };
    writeFileSync(
      join(directory, "lock"),
      JSON.stringify({ ...holder, parent: { pid: 2 ** 31 - 1, start: "1" } }),
    );
    const notes: string[] = [];
    const onEvent = (event: RunEvent) => {
      if (event.kind !== "note") return;
      notes.push(event.message);
      worker.send("stop");
    };
    const result = await train(directory, { resolve, now: () => 0, onEvent });
    expect(notes).toEqual([`waiting for process ${worker.pid}, which lost its parent, to stop`]);
    expect(result.state).toBe("finished");
  });
});

describe("what the file system refuses", () => {
  test("a full disk", async () => {
    mkdirSync(directory);
    await stopAt(5);
    const path = join(directory, "metrics.jsonl");
    rmSync(path);
    rmSync(join(directory, "checkpoints"), { recursive: true });
    symlinkSync("/dev/full", path);
    await expect(resumed()).rejects.toThrow(
      new InputError(`cannot write ${path}: no space left on the device (ENOSPC)`),
    );
    expect(existsSync(join(directory, "lock"))).toBe(false);
  });

  test("a path below a file, and one that no one may write", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(complete(join(folder, "file", "run"))).rejects.toThrow(
      /cannot \w+.* .*file.*: a part of the path is not a directory \(ENOTDIR\)/,
    );
    await expect(complete("/proc/corral-run")).rejects.toThrow(
      /^cannot create directory \/proc\/corral-run: .* \((ENOENT|EACCES|EPERM|EROFS)\)$/,
    );
  });
});
