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
  folder = mkdtempSync(join(tmpdir(), "corral-off-policy-resume-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = { hidden: 8, environments: 4, batchSize: 6, cycles: 3 };
const often = { evaluateEvery: 3, evaluationEpisodes: 4, checkpointEvery: 2 };

test.each([
  {
    algorithm: "vdn",
    env: "aloha",
    envConfig: { horizon: 7 },
    // Rollouts of five steps leave episodes, which are stored whole, unfinished; the replay overflows.
    config: { ...small, rolloutSteps: 5, replayCapacity: 20, targetInterval: 7 },
    seed: 1,
    steps: 60 * 8,
    ...often,
  },
  {
    algorithm: "qmix",
    env: "topk",
    config: {
      ...small,
      recurrent: false,
      lastAction: false,
      replayCapacity: 40,
      optimiser: "adam",
      standardiseRewards: true,
      finalLearningRate: 1e-5,
    },
    seed: 2,
    steps: 12 * 8,
    ...often,
  },
])(
  "$algorithm on $env, killed with SIGKILL again and again, finishes with the same bytes",
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
    const lines = expected["metrics.jsonl"].trimEnd().split("\n");
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toContain("train/loss");
    expect(lastingBytes(killed)).toEqual(expected);
  },
  120_000,
);
