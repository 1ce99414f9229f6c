import { expect, test } from "vitest";
import { configureEnv, environments } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import {
  type CooperativeMarkovGame,
  checkGame,
  denseGame,
  factoredCoordinationGame,
  gameFromJson,
  randomGame,
} from "./cooperative-game.ts";
import { kernelMemory } from "./kernels.ts";
import { policyEvaluator } from "./policy-evaluator.ts";
import { evaluatePolicy, optimalValue } from "./policy-value.ts";

/** Two agents with 1 and 2 actions, two states. */
const valid = () => ({
  actions: [1, 2],
  states: 2,
  transition: [
    [
      [1, 0],
      [0.25, 0.75],
    ],
    [
      [0.5, 0.5],
      [0, 1],
    ],
  ] as unknown[][][],
  reward: [
    [0, 1],
    [2, -3],
  ] as unknown[][],
  initial: [0.5, 0.5] as unknown[],
  discount: 0.9 as unknown,
});

test("a game file becomes flat tables", () => {
  const game = gameFromJson(JSON.parse(JSON.stringify(valid())));
  expect(game.actions).toEqual([1, 2]);
  expect([...game.transition]).toEqual([1, 0, 0.25, 0.75, 0.5, 0.5, 0, 1]);
  expect([...game.reward]).toEqual([0, 1, 2, -3]);
  expect([...game.initial]).toEqual([0.5, 0.5]);
  expect(game.discount).toBe(0.9);
});

type Draft = ReturnType<typeof valid> & Record<string, unknown>;
const mistakes: [string, (game: Draft) => void][] = [
  ["game: transition[0][1] sums to 0.875, expected 1", (game) => (game.transition[0][1] = [0.125, 0.75])],
  [
    "game: transition[1][0][1] is -0.5, expected a probability",
    (game) => (game.transition[1][0] = [1.5, -0.5]),
  ],
  ["game: transition[1][0][0] is NaN", (game) => (game.transition[1][0] = [Number.NaN, 1])],
  ["game: transition[1][0][0] is null, expected a number", (game) => (game.transition[1][0] = [null, 1])],
  [
    "game: transition[0][0] has 3 entries, expected 2 (one number for each next state)",
    (game) => (game.transition[0][0] = [1, 0, 0]),
  ],
  [
    "game: transition[1] has 1 entries, expected 2 (one row for each joint action)",
    (game) => (game.transition[1] = [[1, 0]]),
  ],
  ["game: transition has 1 entries, expected 2 (one entry for each state)", (game) => game.transition.pop()],
  [
    "game: reward[1][0] is Infinity, expected a finite number",
    (game) => (game.reward[1][0] = Number.POSITIVE_INFINITY),
  ],
  ["game: reward[0] has 1 entries, expected 2", (game) => game.reward[0].pop()],
  ["game: initial sums to 0.75, expected 1", (game) => (game.initial[0] = 0.25)],
  ["game: initial has 3 entries, expected 2", (game) => game.initial.push(0)],
  ["game: discount is 1, expected a number in [0, 1)", (game) => (game.discount = 1)],
  ["game: discount is -0.1, expected a number in [0, 1)", (game) => (game.discount = -0.1)],
  ['game: discount is the string "0.9", expected a number', (game) => (game.discount = "0.9")],
  ["game: actions[1] is 1.5, expected a positive integer", (game) => (game.actions = [1, 1.5])],
  ["game: actions is empty", (game) => (game.actions = [])],
  ["game: states is 0, expected a positive integer", (game) => (game.states = 0)],
  ['game: unknown key "rewards", expected', (game) => (game.rewards = [])],
  ['game: "initial" is missing', (game) => delete (game as Record<string, unknown>).initial],
  [
    "game: a table of 2000 x 100000000 x 2000 numbers needs 2980000 GiB, expected at most 1 GiB",
    (game) => Object.assign(game, { states: 2000, actions: [10000, 10000] }),
  ],
];

test.each(mistakes)("refused: %s", (message, spoil) => {
  const game = valid() as Draft;
  spoil(game);
  expect(() => gameFromJson(game)).toThrow(message);
});

test("what is no object is refused", () => {
  expect(() => gameFromJson([1])).toThrow("game: got an array, expected an object with actions");
  expect(() => gameFromJson(null)).toThrow("game: got null");
});

test("the memory limit is counted in bytes", () => {
  expect(() => gameFromJson(valid(), 64)).not.toThrow();
  expect(() => gameFromJson(valid(), 63)).toThrow(
    "2 x 2 x 2 numbers needs 64 bytes, expected at most 63 bytes",
  );
});

test.each([
  [2, 0.05],
  [3, 0.1],
  [5, 0.05],
])("the factored Coordination Game is the environment's, N = %d, epsilon = %d", (agents, epsilon) => {
  const factored = factoredCoordinationGame({ agents, epsilon });
  const env = configureEnv(environments["coordination-game"], { agents, epsilon }).factory();
  const dense = denseGame(factored);
  const model = env.model?.() ?? expect.unreachable();
  expect(dense.reward).toEqual(model.reward);
  expect(dense.initial).toEqual(model.initial);
  dense.transition.forEach((probability, k) => {
    expect(probability).toBeCloseTo(model.transition[k], 14);
  });
});

/** Factors that depend on the local state, unequal sizes everywhere. */
function unevenFactoredGame(): CooperativeMarkovGame {
  const rng = createRng("uneven");
  const [actions, localStates] = [
    [2, 3, 2],
    [3, 2, 2],
  ];
  const factors = actions.map((choices, i) => {
    const local = localStates[i];
    return randomGame({ actions: [choices], states: local }, rng.split(`${i}`)).transition;
  });
  const reward = new Float64Array(12 * 12);
  rng.fillNormal(reward);
  return {
    actions,
    states: 12,
    transition: { localStates, factors },
    reward,
    initial: new Float64Array(12).fill(1 / 12),
    discount: 0.8,
  };
}

test("factored and dense transitions give the same values, visits and optimum", () => {
  const stateless = factoredCoordinationGame({ agents: 3, epsilon: 0.2 });
  // Still the same rows in every state, but no longer a product.
  const almost = denseGame(stateless);
  for (let s = 0; s < 8; s++) {
    almost.transition[(s * 8 + 5) * 8] += 0.01;
    almost.transition[(s * 8 + 5) * 8 + 3] -= 0.01;
  }
  // Too little to matter, enough to take the way of games whose rows differ from state to state.
  const different = { ...almost, transition: almost.transition.slice() };
  different.transition[0] += 2 ** -50;
  // Agents that reach what they do with probabilities that differ, found to be a product again in its table.
  const lopsided = {
    ...stateless,
    transition: {
      localStates: [2, 2, 2],
      factors: [0.1, 0.3, 0.6].map((p) => Float64Array.of(1 - p, p, 0.2, 0.8, 1 - p, p, 0.2, 0.8)),
    },
  };
  const pairs = [unevenFactoredGame(), stateless, lopsided].map((game) => [game, denseGame(game)] as const);
  for (const [game, dense] of [...pairs, [almost, different] as const]) {
    checkGame(game);
    checkGame(dense);
    const joint = 12 * 12 === game.reward.length ? 12 : 8;
    const policy = randomGame({ actions: [1], states: joint }, createRng(4)).transition;
    const table = new Float64Array(game.states * joint);
    for (let s = 0; s < game.states; s++) table.set(policy.subarray(0, joint), s * joint);
    const [a, b] = [game, dense].map((form) => {
      const memory = kernelMemory();
      const evaluator = policyEvaluator(memory, form);
      const value = evaluator.solve(memory.keep(table));
      evaluator.computeActionValues();
      const { visitation, actionValues } = evaluator;
      return { value, visitation: memory.view(visitation), actionValues: memory.view(actionValues) };
    });
    expect(a.value).toBeCloseTo(b.value, 11);
    a.visitation.forEach((visits, s) => {
      expect(visits).toBeCloseTo(b.visitation[s], 11);
    });
    a.actionValues.forEach((value, k) => {
      expect(value).toBeCloseTo(b.actionValues[k], 11);
    });
    expect(optimalValue(game).value).toBeCloseTo(optimalValue(dense).value, 11);
  }
});

test("bad factors are refused by name", () => {
  const game = factoredCoordinationGame({ agents: 2, epsilon: 0.1 });
  const factors = [Float64Array.of(0.9, 0.1, 0.1, 0.9, 0.9, 0.2, 0.1, 0.9), new Float64Array(8).fill(0.5)];
  const spoilt = (transition: object) => ({
    ...game,
    transition: { localStates: [2, 2], factors, ...transition },
  });
  expect(() => checkGame(spoilt({}))).toThrow("factors[0][1][0] sums to 1.1");
  expect(() => checkGame(spoilt({ localStates: [2, 3] }))).toThrow("2 x 3 multiply to 6, expected 4");
  expect(() => checkGame(spoilt({ localStates: [4] }))).toThrow("expected 2 (one for each agent)");
  expect(() => checkGame(spoilt({ factors: [factors[1], new Float64Array(4)] }))).toThrow(
    "factors[1] has 4 entries, expected 2 x 2 x 2",
  );
  expect(() => denseGame(game, 511)).toThrow("4 x 4 x 4 numbers");
});

test("ten agents are evaluated without their dense table, which would take 8 GiB", () => {
  const game = factoredCoordinationGame({ agents: 10, epsilon: 0.1, bound: 3 });
  expect(() => denseGame(game)).toThrow("1024 x 1024 x 1024 numbers needs 8 GiB");
  const uniform = new Float64Array(1024 * 1024).fill(1 / 1024);
  const mean = game.reward.reduce((sum, reward) => sum + reward, 0) / 1024 ** 2;
  expect(evaluatePolicy(game, uniform).value).toBeCloseTo(mean / 0.05, 9);
});
