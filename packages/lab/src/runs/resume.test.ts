import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRng } from "corral/random";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseRunSpec, train } from "./index.ts";
import { watchDisk } from "./testing/disk-moments.ts";
import { killAndResume, lastingBytes } from "./testing/kill-and-resume.ts";
import { resolve } from "./testing/random-walk.ts";

const resolver = fileURLToPath(new URL("testing/random-walk.ts", import.meta.url));
const spec = parseRunSpec({
  algorithm: "random-walk",
  env: "standstill",
  seed: 7,
  steps: 8 * 12,
  evaluateEvery: 5,
  evaluationEpisodes: 3,
  checkpointEvery: 3,
});

let folder: string;
let expected: Record<string, string>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "corral-resume-"));
  await train({ directory: join(folder, "whole"), spec }, { resolve, now: () => 0 });
  expected = lastingBytes(join(folder, "whole"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the run that the others are compared with has every line", () => {
  const lines = expected["metrics.jsonl"].trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).iteration)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const evaluated = lines.filter((line) => line.includes("eval/return"));
  expect(evaluated.map((line) => JSON.parse(line).iteration)).toEqual([0, 5, 10, 12]);
});

test("a process killed at any instant leaves a directory that finishes with the same bytes", async () => {
  const directory = join(folder, "watched");
  const states = join(folder, "states");
  let count = 0;
  const keep = () => {
    if (existsSync(directory)) cpSync(directory, join(states, String(count++)), { recursive: true });
  };
  const stop = watchDisk(keep, keep);
  try {
    await train({ directory, spec }, { resolve, now: () => 0 });
  } finally {
    stop();
  }
  expect(lastingBytes(directory)).toEqual(expected);
  expect(count).toBeGreaterThan(100);
  for (let state = 0; state < count; state++) {
    const copy = join(states, String(state));
    markDead(join(copy, "lock"));
    await train({ directory: copy, spec }, { resolve, now: () => 0 });
    expect(lastingBytes(copy), `after moment ${state}`).toEqual(expected);
  }
});

test("stopping by signal after every few iterations changes nothing", async () => {
  const directory = join(folder, "stopped");
  let result = { state: "interrupted", iteration: 0 };
  const stops: number[] = [];
  while (result.state === "interrupted") {
    const controller = new AbortController();
    const from = result.iteration;
    result = await train(
      { directory, spec },
      {
        resolve,
        now: () => 0,
        signal: controller.signal,
        onEvent: (event) => {
          if (event.kind === "iteration" && event.position.iteration === from + 5) controller.abort();
        },
      },
    );
    stops.push(result.iteration);
  }
  expect(stops).toEqual([5, 10, 12]);
  expect(lastingBytes(directory)).toEqual(expected);
});

test("a child killed with SIGKILL again and again finishes with the same bytes", async () => {
  const directory = join(folder, "killed");
  const ends = await killAndResume(resolver, directory, spec, { kills: 8, spread: 60, rng: createRng(3) });
  expect(ends.at(-1)).toBe(0);
  expect(ends.filter((end) => end === "SIGKILL").length).toBeGreaterThan(4);
  expect(lastingBytes(directory)).toEqual(expected);
}, 120_000);

/** The lock as it would be found if its process had been killed: no process has the largest id. */
function markDead(path: string): void {
  if (!existsSync(path)) return;
  const holder = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...holder, pid: 2 ** 31 - 1 }));
}
