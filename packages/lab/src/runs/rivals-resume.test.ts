import { expect, test } from "vitest";
import { expectSameBytesWhenKilled } from "./testing/kill-and-resume.ts";

test("a run whose opponents learn, killed with SIGKILL again and again, finishes with the same bytes", async () => {
  const lines = await expectSameBytesWhenKilled({
    algorithm: "vdn",
    env: "mpe/world-comm",
    envConfig: { protocol: "mixed", horizon: 6 },
    // Rollouts of five steps leave episodes unfinished; the opponents' replay overflows, and their target is copied in between.
    config: {
      hidden: 8,
      environments: 4,
      batchSize: 6,
      cycles: 3,
      rolloutSteps: 5,
      replayCapacity: 20,
      rivals: { hidden: 8, updateInterval: 5, batchSize: 16, replayCapacity: 100, targetInterval: 7 },
    },
    seed: 1,
    steps: 60 * 8,
    evaluateEvery: 3,
    evaluationEpisodes: 4,
    checkpointEvery: 2,
  });
  expect(lines).toHaveLength(9);
  expect(lines.at(-1)).toContain("train/rivals-loss");
  expect(lines.at(-1)).toContain("eval/return-good-agents");
}, 120_000);
