import { expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { couplingGraphs } from "../structure/index.ts";
import {
  jointGame,
  observationPolicies,
  productPolicy,
  randomLogits,
  randomStructuredGame,
  type StructuredGame,
} from "./structured-game.ts";

/**
 * Agent 0 has two states and one action, agent 1 two states and two actions. Agent 0 enters the next state of 1 and is seen by
 * it; agent 1 enters the reward of 0.
 */
const pair: StructuredGame = {
  couplings: couplingGraphs(2, { state: [[0, 1]], observation: [[0, 1]], reward: [[1, 0]] }),
  states: [2, 2],
  actions: [1, 2],
  transitions: [
    // By s_0.
    Float64Array.of(0.9, 0.1, 0.3, 0.7),
    // By s_0, s_1, a_1: row r is (1 - r/10, r/10).
    Float64Array.from({ length: 16 }, (_, k) => (k % 2 === 0 ? 10 - k / 2 : (k - 1) / 2) / 10),
  ],
  rewards: [Float64Array.from({ length: 8 }, (_, k) => k), Float64Array.of(10, 20, 30, 40)],
  initial: Float64Array.of(0.25, 0.25, 0.25, 0.25),
  discount: 0.5,
};

test("joint tables by hand", () => {
  const { actions, states, transition, rewards, reward } = jointGame(pair);
  expect([actions, states]).toEqual([[1, 2], 4]);
  // From s = (1, 0) under a = (0, 1): P_0 = (.3, .7), and row s_0 s_1 a_1 = 101 of P_1, (.5, .5).
  const row = (2 * 2 + 1) * 4;
  [0.15, 0.15, 0.35, 0.35].forEach((chance, next) => {
    expect(transition[row + next]).toBeCloseTo(chance, 15);
  });
  // Agent 0 is paid by s_0, s_1, a_1, agent 1 by s_1 and a_1.
  expect([...rewards[0]]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([...rewards[1]]).toEqual([10, 20, 30, 40, 10, 20, 30, 40]);
  expect([...reward]).toEqual([10, 21, 32, 43, 14, 25, 36, 47]);
});

test("policies see their observations alone", () => {
  const threefold = Math.log(3);
  // Agent 0 has no choice; agent 1 plays by s_0, s_1.
  const logits = [Float64Array.of(5, -5), Float64Array.of(0, 0, 0, threefold, threefold, 0, 1000, 0)];
  const policies = observationPolicies(pair, logits);
  expect([...policies[0]]).toEqual([1, 1]);
  [0.5, 0.5, 0.25, 0.75, 0.75, 0.25, 1, 0].forEach((chance, k) => {
    expect(policies[1][k]).toBeCloseTo(chance, 15);
  });
  expect(productPolicy(pair, policies)).toEqual(policies[1]);
});

test("random games are games, and the same stream makes the same one", () => {
  const couplings = couplingGraphs(3, { state: [[0, 1]], reward: [[2, 0]], observation: [[1, 2]] });
  const options = { couplings, states: [2, 3, 1], actions: [3, 1, 2], rewards: [-2, -1] } as const;
  const game = randomStructuredGame(options, createRng(3));
  // Checks every row.
  const { rewards } = jointGame(game);
  for (const own of rewards) for (const reward of own) expect(-2 <= reward && reward < -1).toBe(true);
  const logits = randomLogits(game, createRng(4));
  expect(logits.map((table) => table.length)).toEqual([2 * 3, 3 * 1, 3 * 2]);
  const policy = productPolicy(game, observationPolicies(game, logits));
  for (let s = 0; s < 6; s++) {
    expect(policy.subarray(6 * s, 6 * s + 6).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 14);
  }
  expect(randomStructuredGame(options, createRng(3))).toEqual(game);
});

test.each<[Partial<StructuredGame>, string]>([
  [{ states: [2] }, "states has 1 entries, expected 2"],
  [{ transitions: pair.transitions.slice(1) }, "transitions has 1 entries, expected 2"],
  [{ transitions: [pair.transitions[1], pair.transitions[1]] }, "transitions[0] has 16 entries, expected 4"],
  [{ rewards: [pair.rewards[1], pair.rewards[1]] }, "rewards[0] has 4 entries, expected 8"],
  [{ initial: Float64Array.of(1, 1, 0, 0) }, "initial sums to 2"],
])("refuses tables that do not fit the couplings: %#", (wrong, message) => {
  const build = () => jointGame({ ...pair, ...wrong });
  expect(build).toThrow(InputError);
  expect(build).toThrow(message);
});

test("refuses logits of another size", () => {
  expect(() => observationPolicies(pair, [Float64Array.of(0, 0)])).toThrow("logits has 1 entries");
  expect(() => observationPolicies(pair, [Float64Array.of(0, 0), Float64Array.of(0, 0)])).toThrow(
    "logits[1] has 2 entries, expected 8",
  );
});
