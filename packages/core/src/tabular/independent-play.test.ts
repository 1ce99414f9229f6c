import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { type ActingSignals, commonThresholdScore, independentPlay, type TopKGame } from "./index.ts";

/** Every order of the numbers. */
const orders = (items: readonly number[]): number[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item) => orders(items.filter((x) => x !== item)).map((rest) => [item, ...rest]));

/**
 * Success and return of three agents whose intervals end at multiples of 1/5, from the 125 boxes that their signals can lie
 * in: signals in the same fifth come in every order equally often, and two of them are closer than two fifths for certain
 * when their fifths are the same or neighbours, and half of the time when one fifth lies between.
 */
function scoreByBoxes({ k, penalty = 0 }: TopKGame, acting: readonly ActingSignals[]) {
  const acts = (own: ActingSignals, fifth: number) =>
    own.some((end, e) => e % 2 === 0 && (fifth + 0.5) / 5 > end && (fifth + 0.5) / 5 < own[e + 1]);
  let success = 0;
  let cost = 0;
  for (let box = 0; box < 125; box++) {
    const fifths = [Math.floor(box / 25), Math.floor(box / 5) % 5, box % 5];
    const chosen = fifths.map((fifth, i) => acts(acting[i], fifth));
    const ranked = orders([0, 1, 2]).filter((order) =>
      order.every((i, place) => place === 0 || fifths[order[place - 1]] >= fifths[i]),
    );
    for (const order of ranked) {
      if (order.every((i, place) => chosen[i] === place < k)) success += 1 / ranked.length / 125;
    }
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < i; j++) {
        const apart = Math.abs(fifths[i] - fifths[j]);
        if (chosen[i] && chosen[j]) cost += (penalty * (apart < 2 ? 1 : apart === 2 ? 0.5 : 0)) / 125;
      }
    }
  }
  return { success, return: 2 * success - 1 - cost };
}

/** Random intervals, whose ends are multiples of `1 / cells` when given. */
function randomActing(seed: number, agents: number, cells?: number): ActingSignals[] {
  const rng = createRng(seed);
  return Array.from({ length: agents }, () => {
    const ends = Array.from({ length: 2 * rng.integer(3) }, () => {
      return cells === undefined ? rng.uniform() : rng.integer(cells + 1) / cells;
    }).sort((a, b) => a - b);
    // An interval without length, or two that touch, are another set of signals than they look.
    return new Set(ends).size === ends.length ? ends : [];
  });
}

describe("score", () => {
  test("equals enumeration for intervals on a grid", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(1, 2), fc.constantFrom(0, 0.5, 4), (seed, k, penalty) => {
        const game = { agents: 3, k, penalty, penaltyDistance: 0.4 };
        const acting = randomActing(seed, 3, 5);
        const score = independentPlay(game).score(acting);
        const expected = scoreByBoxes(game, acting);
        expect(score.success).toBeCloseTo(expected.success, 12);
        expect(score.return).toBeCloseTo(expected.return, 12);
      }),
      { numRuns: 200 },
    );
  });

  test("equals the formulas of common thresholds and of fixed roles", () => {
    for (const game of [
      { agents: 6, k: 2 },
      { agents: 6, k: 2, penalty: 0.5 },
      { agents: 9, k: 4, penalty: 0.2, penaltyDistance: 0.3 },
    ]) {
      const play = independentPlay(game);
      for (const t of [0, 0.25, 2 / 3, 0.9, 1]) {
        const score = play.score(new Array(game.agents).fill([t, 1]));
        const expected = commonThresholdScore(game, t);
        expect(score.success).toBeCloseTo(expected.success, 12);
        expect(score.return).toBeCloseTo(expected.return, 12);
      }
    }
    const roles = Array.from({ length: 6 }, (_, i) => (i < 2 ? [0, 1] : []));
    // All C(6, 2) pairs of agents are equally often the top two.
    expect(independentPlay({ agents: 6, k: 2 }).score(roles).success).toBeCloseTo(1 / 15, 13);
  });
});

describe("bestResponse", () => {
  test("no policy of the agent brings more", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 2, max: 5 }),
        fc.constantFrom(0, 0.5, 3),
        (seed, agents, penalty) => {
          const game = { agents, k: 1 + (seed % (agents - 1)), penalty, penaltyDistance: 0.15 };
          const play = independentPlay(game);
          const acting = randomActing(seed, agents);
          const agent = seed % agents;
          const best = [...acting];
          best[agent] = play.bestResponse(acting, agent);
          const most = play.score(best).return;
          const others = Array.from({ length: 20 }, (_, k) => randomActing(seed + 1 + k, agents)[agent]);
          // Small changes of the response itself are the hardest to beat.
          const nearby = best[agent].map((end, e) => {
            const moved = [...best[agent]];
            const [low, high] = [moved[e - 1] ?? 0, moved[e + 1] ?? 1];
            moved[e] = Math.min(high, Math.max(low, end + (e % 2 === 0 ? 0.003 : -0.003)));
            return moved;
          });
          for (const deviation of [[], [0, 1], ...others, ...nearby]) {
            const changed = [...acting];
            changed[agent] = deviation;
            expect(play.score(changed).return).toBeLessThanOrEqual(most + 1e-11);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("is a threshold when there is no penalty, whatever the others do", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 6 }), (seed, agents) => {
        const play = independentPlay({ agents, k: 1 + (seed % (agents - 1)) });
        const response = play.bestResponse(randomActing(seed, agents), 0);
        if (response.length > 0) expect([response.length, response[1]]).toEqual([2, 1]);
      }),
    );
  });

  test("of one of two agents is to act when the other would rather not", () => {
    const play = independentPlay({ agents: 2, k: 1 });
    const [threshold, end] = play.bestResponse([[], [0.3, 1]], 0);
    expect(threshold).toBeCloseTo(0.7, 12);
    expect(end).toBe(1);
    expect(play.bestResponse([[], [0, 1]], 0)).toEqual([]);
  });

  test("can be to act for low and high signals and not between, to keep off the others", () => {
    const play = independentPlay({ agents: 2, k: 1, penalty: 20, penaltyDistance: 0.1 });
    // The other agent acts around 1/2: alone the agent would act from 1/2 on.
    const response = play.bestResponse([[], [0.45, 0.55]], 0);
    expect(response.length).toBe(4);
    expect(response[1]).toBeLessThan(0.45);
    expect(response[2]).toBeGreaterThan(0.55);
  });
});

test("refuses a penalty that counts once, and too few policies", () => {
  expect(() => independentPlay({ agents: 6, k: 2, penalty: 1, penaltyMode: "once" })).toThrow(
    new InputError(
      'independent play: a penalty that counts once is computed for common thresholds only, expected penaltyMode "perPair"',
    ),
  );
  expect(() => independentPlay({ agents: 6, k: 2 }).score([[]])).toThrow("got 1 agents, expected 6");
});
