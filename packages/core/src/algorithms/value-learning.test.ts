/** Whether the value methods learn what they can represent, and only that: games whose optimum is known. */
import { describe, expect, test } from "vitest";
import { configureEnv, type EnvFactory, environments } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import type { Algorithm } from "../training/algorithm.ts";
import { recallGame, twoStepGame } from "../training/testing/small-games.ts";
import { iql } from "./iql.ts";
import { qmix } from "./qmix.ts";
import { qtran } from "./qtran.ts";
import { vdn } from "./vdn.ts";

const methods = { iql, vdn, qmix, qtran } as const;
type Method = keyof typeof methods;

/** Mean return of the greedy policy after `steps` steps with the fast preset and these settings. */
async function learned(
  method: Method,
  env: EnvFactory,
  settings: object,
  steps: number,
  episodes = 200,
): Promise<number> {
  const algorithm: Algorithm<never> = methods[method] as never;
  const config = algorithm.config.parse({ ...algorithm.presets!.fast.config, ...settings });
  const learner = await algorithm.create({ env, config, totalSteps: steps, rng: createRng(1) });
  for (let taken = 0; taken < steps; taken += learner.stepsPerIteration) await learner.iterate();
  const metrics = await learner.evaluate(episodes, createRng(0));
  await learner.dispose();
  return metrics["eval/return"];
}

const matrix = (payoff: readonly (readonly number[])[]): EnvFactory =>
  configureEnv(environments["matrix-game"], { payoff }).factory;

const quick = { hidden: 32, epsilonSteps: 4000, replayCapacity: 4000 };
/** All joint actions equally often, so that what a method fits is known. */
const uniform = { ...quick, epsilonEnd: 1 };

describe("one step", () => {
  test.each(Object.keys(methods) as Method[])("%s finds the optimum of an additive game", async (method) => {
    const payoff = [
      [1, 2, 0],
      [3, 4, 2],
      [0, 1, -1],
    ];
    expect(await learned(method, matrix(payoff), quick, 8000)).toBe(4);
  });

  // The climbing game of Son et al. 2019, Table 1: its best joint action is next to the worst.
  test.each([
    ["iql", 0],
    ["vdn", 0],
    ["qmix", 0],
    ["qtran", 8],
  ] as const)("of a game that is not monotonic, %s reaches %i", async (method, reached) => {
    const payoff = [
      [8, -12, -12],
      [-12, 0, 0],
      [-12, 0, 0],
    ];
    expect(await learned(method, matrix(payoff), uniform, 16_000)).toBe(reached);
  });

  test.each([
    [false, 0.5],
    [true, 1],
  ])("what only the other knows is learned with its observation alone: fullObs=%s", async (fullObs, best) => {
    const swap = configureEnv(environments.swap).factory;
    const reached = await learned("vdn", swap, { ...quick, fullObs }, 12_000);
    // 200 episodes: standard error .035 at one half.
    if (fullObs) expect(reached).toBe(best);
    else expect(Math.abs(reached - best)).toBeLessThan(0.12);
  });
});

test.each([false, true])(
  "six agents that choose the top two reach the ceiling of independent play and pass it only by communication: %s",
  async (fullObs) => {
    const topk = configureEnv(environments.topk).factory;
    const success = (1 + (await learned("vdn", topk, { fullObs }, 48_000, 4096))) / 2;
    // 240/729 = .3292 is the best without communication (AGP), with a standard error of .0073.
    if (fullObs) expect(success).toBeGreaterThan(0.45);
    else expect(Math.abs(success - 0.3075)).toBeLessThan(0.0375);
  },
);

describe("several steps", () => {
  // As in Rashid et al. 2018, Table 2: sums fit 6.5 to the branch that is worth 8, and independent learners 4.5.
  test.each([
    ["iql", 7],
    ["vdn", 7],
    ["qmix", 8],
    ["qtran", 8],
  ] as const)("of QMIX's two-step game %s reaches %i", async (method, reached) => {
    const settings = { ...uniform, environments: 8, targetInterval: 50 };
    expect(await learned(method, twoStepGame, settings, 16_000)).toBe(reached);
  });

  const recall = { ...quick, environments: 16, batchSize: 32, targetInterval: 50, replayCapacity: 1000 };

  test.each(Object.keys(methods) as Method[])("%s learns what to remember", async (method) => {
    const settings = { ...recall, recurrent: true, lastAction: true };
    expect(await learned(method, recallGame, settings, 12_000)).toBe(2);
  });

  test("without memory nothing is remembered", async () => {
    // Guessing earns 1, with a standard error of .05.
    expect(Math.abs((await learned("vdn", recallGame, recall, 6000)) - 1)).toBeLessThan(0.2);
  });
});
