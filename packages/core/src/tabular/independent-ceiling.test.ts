import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { commonThresholdScore, countBound, independentCeiling, independentPlay } from "./index.ts";

describe("independentCeiling", () => {
  test.each([
    [6, 2, 0.329218, 2 / 3],
    [5, 2, 0.3456, 0.6],
    [4, 2, 0.375, 0.5],
    [3, 1, 0.444444, 2 / 3],
  ])("of %i agents, %i of whom should act", (agents, k, value, threshold) => {
    const ceiling = independentCeiling({ agents, k }, createRng(1));
    expect(ceiling.success).toBeCloseTo(value, 5);
    expect(ceiling.success).toBeCloseTo(countBound(agents, k).value, 10);
    expect(ceiling.return).toBeCloseTo(2 * value - 1, 5);
    // From fixed roles, unequal thresholds and intervals alike.
    expect(ceiling.agreeing).toBe(ceiling.climbs);
    for (const t of ceiling.thresholds!) expect(t).toBeCloseTo(threshold, 5);
  });

  test("of two agents is reached on a whole line of thresholds", () => {
    expect(independentCeiling({ agents: 2, k: 1 }, createRng(1)).success).toBeCloseTo(0.5, 12);
    const play = independentPlay({ agents: 2, k: 1 });
    for (const t of [0.1, 0.3, 0.5]) {
      const line = [
        [t, 1],
        [1 - t, 1],
      ];
      expect(play.score(line).success).toBeCloseTo(0.5, 12);
    }
  });

  test("of the paper's penalty game lies at equal thresholds, among all policies", () => {
    const game = { agents: 6, k: 2, penalty: 0.5 };
    const ceiling = independentCeiling(game, createRng(2));
    expect(ceiling.return).toBeCloseTo(-0.7065615, 7);
    expect(ceiling.success).toBeCloseTo(0.2999484, 6);
    for (const t of ceiling.thresholds!) expect(t).toBeCloseTo(0.745695, 5);
    expect(ceiling.agreeing).toBe(ceiling.climbs);
    // No common threshold does better: the derivative changes sign there.
    const at = (t: number) => commonThresholdScore(game, t).return;
    expect(at(0.745)).toBeLessThan(ceiling.return);
    expect(at(0.7464)).toBeLessThan(ceiling.return);
    expect(ceiling.common.return).toBeCloseTo(ceiling.return, 12);
  });

  test("under a heavy penalty some agents act for separate signals, which no thresholds match", () => {
    const game = { agents: 3, k: 2, penalty: 5, penaltyDistance: 0.5 };
    const ceiling = independentCeiling(game, createRng(1));
    expect(ceiling.thresholds).toBeUndefined();
    expect(ceiling.return).toBeGreaterThan(-1);
    expect(ceiling.common.return).toBeCloseTo(-1, 9);
    expect(independentPlay(game).score(ceiling.acting).return).toBe(ceiling.return);
  });

  test("twice the paper's penalty has every agent act for the same three separate ranges of signals", () => {
    const game = { agents: 6, k: 2, penalty: 1 };
    const ceiling = independentCeiling(game, createRng(1), { starts: 2 });
    // Gaps between the ranges keep acting agents apart. Four million draws gave -0.8975, standard error 0.0004.
    expect(ceiling.return).toBeCloseTo(-0.8974, 4);
    expect(ceiling.common.return).toBeCloseTo(-0.9475, 4);
    const ranges = [0.6765, 0.6963, 0.7888, 0.8488, 0.9165, 1];
    for (const own of ceiling.acting) {
      expect(own.length).toBe(ranges.length);
      for (const [e, end] of own.entries()) expect(end).toBeCloseTo(ranges[e], 3);
    }
  });

  test("is an equilibrium: no agent can do better alone", () => {
    const game = { agents: 4, k: 2, penalty: 0.3 };
    const ceiling = independentCeiling(game, createRng(1));
    const play = independentPlay(game);
    for (let i = 0; i < 4; i++) {
      const changed = [...ceiling.acting];
      changed[i] = play.bestResponse(ceiling.acting, i);
      expect(play.score(changed).return).toBeLessThanOrEqual(ceiling.return + 1e-9);
    }
  });

  test("answers with the best common threshold alone when asked, or when a penalty counts once", () => {
    const game = { agents: 40, k: 10 };
    const alone = independentCeiling(game, createRng(1), { starts: 0 });
    expect(alone.climbs).toBe(0);
    expect(alone.success).toBeCloseTo(countBound(40, 10).value, 10);
    const once = independentCeiling({ agents: 6, k: 2, penalty: 0.5, penaltyMode: "once" }, createRng(1));
    expect(once.climbs).toBe(0);
    expect(once.return).toBeCloseTo(once.common.return, 12);
    // Counted once the penalty costs less.
    expect(once.return).toBeGreaterThan(-0.7065615);
  });
});
