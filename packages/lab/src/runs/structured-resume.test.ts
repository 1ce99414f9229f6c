import { expect, test } from "vitest";
import { expectSameBytesWhenKilled } from "./testing/kill-and-resume.ts";

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
    const lines = await expectSameBytesWhenKilled(values);
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toContain("train/critic-loss");
  },
  120_000,
);
