import { expect, test } from "vitest";
import { expectSameBytesWhenKilled } from "./testing/kill-and-resume.ts";

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
    expect(await expectSameBytesWhenKilled(values)).toHaveLength(9);
  },
  120_000,
);
