import fc from "fast-check";
import { expect, test } from "vitest";
import type { FiniteGame } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import { denseGame, factoredCoordinationGame, randomGame } from "./cooperative-game.ts";
import { evaluatePolicy } from "./policy-value.ts";
import {
  requirePositiveVisitation,
  unvisitedStates,
  visitationMismatch,
  visitationMismatchBound,
} from "./visitation.ts";

// M = ((1-gamma) 2^-N + gamma (1-epsilon)^N) / ((1-gamma) 2^-N + gamma epsilon^N).
test.each([
  [2, 0.05, 58.479],
  [3, 0.05, 128.872],
  [5, 0.05, 471.369],
  [2, 0.1, 35.545],
  [3, 0.1, 97.056],
  [5, 0.1, 357.842],
])("mismatch of the Coordination Game, N = %d, epsilon = %d", (agents, epsilon, expected) => {
  const game = factoredCoordinationGame({ agents, epsilon });
  const mismatch = visitationMismatch(game);
  expect(mismatch).toBeCloseTo(expected, 3);
  const rare = 0.05 * 2 ** -agents;
  const closed = (rare + 0.95 * (1 - epsilon) ** agents) / (rare + 0.95 * epsilon ** agents);
  expect(mismatch / closed).toBeCloseTo(1, 10);
  expect(visitationMismatchBound(game)).toBeCloseTo(20 * 2 ** agents, 9);
});

test("the mismatch is the largest ratio over all pairs of deterministic policies", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
      const game = randomGame({ actions: [2, 1], states: 3 }, createRng(seed));
      const visits = Array.from({ length: 8 }, (_, code) => {
        const table = new Float64Array(6);
        for (let s = 0; s < 3; s++) table[2 * s + ((code >> s) & 1)] = 1;
        return evaluatePolicy(game, table).visitation;
      });
      let largest = 0;
      for (const a of visits) {
        for (const b of visits) for (let s = 0; s < 3; s++) largest = Math.max(largest, a[s] / b[s]);
      }
      expect(visitationMismatch(game)).toBeCloseTo(largest, 8);
      expect(visitationMismatch(game)).toBeLessThanOrEqual(visitationMismatchBound(game));
    }),
    { numRuns: 20, seed: 4 },
  );
});

/**
 * From state 0 one action stays and the other goes on to 1, which leads to 2 whatever is done; 2 returns to 0. No way leads
 * to state 3.
 */
const chain: FiniteGame = {
  actions: [2],
  states: 4,
  // biome-ignore format: one row for each state and action
  transition: Float64Array.of(
    1, 0, 0, 0,  0, 1, 0, 0,
    0, 0, 1, 0,  0, 0, 1, 0,
    1, 0, 0, 0,  1, 0, 0, 0,
    0, 0, 0, 1,  1, 0, 0, 0,
  ),
  reward: new Float64Array(8),
  initial: Float64Array.of(1, 0, 0, 0),
  discount: 0.5,
};

test("states that some or all policies never visit are found and named", () => {
  expect(unvisitedStates(chain)).toEqual({ unreachable: [3], avoidable: [1, 2] });
  expect(visitationMismatch(chain)).toBe(Number.POSITIVE_INFINITY);
  expect(() => requirePositiveVisitation(chain)).toThrow("game: states 3 cannot be reached");
  // A start in state 3 can stay there, but a start in state 1 must see 2 and 0.
  const starts = (...initial: number[]) => ({ ...chain, initial: Float64Array.from(initial) });
  expect(unvisitedStates(starts(0, 0, 0, 1))).toEqual({ unreachable: [], avoidable: [0, 1, 2] });
  expect(() => requirePositiveVisitation(starts(0, 0, 0, 1))).toThrow(
    "states 0, 1, 2 are never visited by some",
  );
  expect(unvisitedStates(starts(0, 0.5, 0, 0.5))).toEqual({ unreachable: [], avoidable: [] });
  expect(() => requirePositiveVisitation(starts(0, 0.5, 0, 0.5))).not.toThrow();
});

test("without a future only the states to start from are visited", () => {
  const myopic = (...initial: number[]) => ({ ...chain, initial: Float64Array.from(initial), discount: 0 });
  expect(unvisitedStates(myopic(0, 0.5, 0.5, 0))).toEqual({ unreachable: [0, 3], avoidable: [] });
  expect(visitationMismatch(myopic(0, 0.5, 0.5, 0))).toBe(Number.POSITIVE_INFINITY);
  expect(unvisitedStates(myopic(0.1, 0.2, 0.3, 0.4))).toEqual({ unreachable: [], avoidable: [] });
  expect(visitationMismatch(myopic(0.1, 0.2, 0.3, 0.4))).toBeCloseTo(1, 12);
});

test("noise that can never be avoided visits every state, in either form of the game", () => {
  const game = factoredCoordinationGame({ agents: 2, epsilon: 0.1 });
  const initial = Float64Array.of(1, 0, 0, 0);
  for (const epsilon of [0.1, 0]) {
    const noisy = { ...factoredCoordinationGame({ agents: 2, epsilon }), initial };
    const expected = { unreachable: [], avoidable: epsilon === 0 ? [1, 2, 3] : [] };
    expect(unvisitedStates(noisy)).toEqual(expected);
    expect(unvisitedStates(denseGame(noisy))).toEqual(expected);
  }
  expect(unvisitedStates(game)).toEqual({ unreachable: [], avoidable: [] });
});
