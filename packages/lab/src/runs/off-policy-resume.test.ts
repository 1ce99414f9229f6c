import { expect, test } from "vitest";
import { expectSameBytesWhenKilled } from "./testing/kill-and-resume.ts";

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
    const lines = await expectSameBytesWhenKilled(values);
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toContain("train/loss");
  },
  120_000,
);
