import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRng } from "corral/random";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseRunSpec, train } from "./index.ts";
import { killAndResume, lastingBytes } from "./testing/kill-and-resume.ts";
import { resolve } from "./testing/shipped.ts";

const resolver = fileURLToPath(new URL("testing/shipped.ts", import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-mappo-resume-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Nine steps at a time leave episodes unfinished when a process is killed. */
const quick = { hidden: 8, environments: 4, rolloutSteps: 9 };
const length = { steps: 36 * 8, evaluateEvery: 3, evaluationEpisodes: 4, checkpointEvery: 2 };

test.each([
  {
    algorithm: "mappo",
    env: "coordination-game",
    envConfig: { horizon: 7 },
    config: { ...quick, dag: "random(4,episode)", finalEntropyCoefficient: 0, minibatches: 2 },
    seed: 1,
    ...length,
  },
  {
    algorithm: "mappo",
    env: "aloha",
    config: { ...quick, dag: "heuristic(10)", resample: "dag+actions", epochs: 2 },
    seed: 2,
    ...length,
  },
  {
    algorithm: "mappo",
    env: "topk",
    envConfig: { agents: 4, k: 1 },
    config: { ...quick, dag: "learned", minibatches: 2, annealing: { weight: 0.5 } },
    seed: 3,
    ...length,
  },
])(
  "MAPPO on $env, killed with SIGKILL again and again, finishes with the same bytes",
  async (values) => {
    const spec = parseRunSpec(values);
    const whole = join(folder, `${spec.env}-whole`);
    const killed = join(folder, `${spec.env}-killed`);
    expect((await train({ directory: whole, spec }, { resolve, now: () => 0 })).state).toBe("finished");
    const ends = await killAndResume(resolver, killed, spec, {
      kills: 4,
      spread: 80,
      rng: createRng(spec.seed),
    });
    expect(ends.at(-1)).toBe(0);
    expect(ends.filter((end) => end === "SIGKILL").length).toBeGreaterThan(1);
    const expected = lastingBytes(whole);
    expect(expected["metrics.jsonl"].trimEnd().split("\n")).toHaveLength(9);
    expect(lastingBytes(killed)).toEqual(expected);
  },
  120_000,
);
