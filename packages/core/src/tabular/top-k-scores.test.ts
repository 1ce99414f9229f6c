import { describe, expect, test } from "vitest";
import { topKActions, topKReward } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { commonThresholdScore, sharedSignalsScore, type TopKGame, uniformScore } from "./index.ts";

const paper = { agents: 6, k: 2 };
const penalised = { ...paper, penalty: 0.5 };

describe("the games of the paper", () => {
  test("agents that act at random", () => {
    expect(uniformScore(paper)).toEqual({ success: 1 / 64, return: -0.96875 });
    expect(uniformScore(penalised).return).toBeCloseTo(-1.325, 12);
  });

  test("agents that know all signals", () => {
    expect(sharedSignalsScore(paper)).toEqual({ success: 1, return: 1 });
    expect(sharedSignalsScore(penalised)!.success).toBe(1);
    // The top two are within 0.1 with probability 1 - 0.9^6 = 0.468559.
    expect(sharedSignalsScore(penalised)!.return).toBeCloseTo(0.7657205, 12);
  });

  test("all act above 2/3", () => {
    const score = commonThresholdScore(paper, 2 / 3);
    expect(score.success).toBeCloseTo(240 / 729, 12);
    expect(score.return).toBeCloseTo(-0.3415638, 7);
    expect(commonThresholdScore(penalised, 2 / 3).return).toBeCloseTo(-0.7665638, 7);
  });

  test("the formula of a common threshold under the penalty", () => {
    for (const t of [0.3, 0.7457, 0.85, 0.95]) {
      const c = 1 - t;
      const close = c ** 2 - Math.max(0, c - 0.1) ** 2;
      const expected = 2 * 15 * c ** 2 * t ** 4 - 1 - 0.5 * 15 * close;
      expect(commonThresholdScore(penalised, t).return).toBeCloseTo(expected, 12);
    }
    expect(commonThresholdScore(penalised, 1)).toEqual({ success: 0, return: -1 });
  });
});

describe("scores are what playing the environment's rules brings on average", () => {
  const games: Required<TopKGame>[] = [
    { agents: 5, k: 3, penalty: 0.5, penaltyMode: "perPair", penaltyDistance: 0.15 },
    { agents: 5, k: 3, penalty: 0.7, penaltyMode: "once", penaltyDistance: 0.15 },
    { agents: 4, k: 2, penalty: 3, penaltyMode: "once", penaltyDistance: 0.2 },
    { agents: 4, k: 1, penalty: 3, penaltyMode: "perPair", penaltyDistance: 0.2 },
  ];
  test.each(games)("%j", (game) => {
    const rng = createRng(7);
    const draws = 40_000;
    const sums = { common: 0, uniform: 0, shared: 0 };
    const signals = new Float64Array(game.agents);
    for (let d = 0; d < draws; d++) {
      rng.fillUniform(signals);
      sums.common += topKReward(
        signals,
        Array.from(signals, (u) => (u > 0.55 ? 1 : 0)),
        game,
      );
      sums.uniform += topKReward(
        signals,
        Array.from(signals, () => rng.integer(2)),
        game,
      );
      sums.shared += Math.max(topKReward(signals, topKActions(signals, game.k), game), -1);
    }
    // A reward is within 8 of its mean, mostly much closer: five standard errors are below 0.04.
    expect(Math.abs(sums.common / draws - commonThresholdScore(game, 0.55).return)).toBeLessThan(0.04);
    expect(Math.abs(sums.uniform / draws - uniformScore(game).return)).toBeLessThan(0.04);
    expect(Math.abs(sums.shared / draws - sharedSignalsScore(game)!.return)).toBeLessThan(0.04);
  });

  test("a team of which only some top K are worth their penalty pair by pair has no formula here", () => {
    expect(sharedSignalsScore({ agents: 6, k: 3, penalty: 1 })).toBeUndefined();
    expect(sharedSignalsScore({ agents: 6, k: 3, penalty: 2 / 3 })).toBeDefined();
  });
});

test("refuses games that cannot be", () => {
  const message = (game: TopKGame) => () => uniformScore(game);
  expect(message({ agents: 6, k: 6 })).toThrow(
    new InputError("topk: got k = 6, expected an integer at least 1 and below the 6 agents"),
  );
  expect(message({ agents: 1.5, k: 1 })).toThrow(
    new InputError("topk: got 1.5 agents, expected an integer that is at least 2"),
  );
  expect(message({ ...paper, penalty: -1 })).toThrow(
    new InputError("topk: got a penalty of -1, expected a number that is at least 0"),
  );
  expect(message({ ...paper, penaltyDistance: 2 })).toThrow(
    new InputError("topk: got a penalty distance of 2, expected a number in [0, 1]"),
  );
});
