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
  folder = mkdtempSync(join(tmpdir(), "corral-structured-resume-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hidden = { actorHidden: [6], criticHidden: [6] };
const often = { evaluateEvery: 3, evaluationEpisodes: 4, checkpointEvery: 2 };

test.each([
  {
    algorithm: "mastac",
    env: "temperature",
    envConfig: { agents: 5, horizon: 7 },
    // Rollouts of five steps leave episodes unfinished, and the replay overflows.
    config: { ...hidden, rolloutSteps: 5, cycles: 3, batchSize: 6, replayCapacity: 40, dependency: "kappa" },
    seed: 1,
    steps: 15 * 8,
    ...often,
  },
  {
    algorithm: "mastac-pg",
    env: "warehouse",
    envConfig: { initialNoise: 0.1, demandNoise: 0.1 },
    config: { ...hidden, rolloutSteps: 5, environments: 3, epochs: 2, minibatches: 3 },
    seed: 2,
    steps: 15 * 8,
    ...often,
  },
])(
  "$algorithm on $env, killed with SIGKILL again and again, finishes with the same bytes",
  async (values) => {
    const spec = parseRunSpec(values);
    const whole = join(folder, `${spec.algorithm}-whole`);
    const killed = join(folder, `${spec.algorithm}-killed`);
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
    expect(lines.at(-1)).toContain("train/critic-loss");
    expect(lastingBytes(killed)).toEqual(expected);
  },
  120_000,
);
