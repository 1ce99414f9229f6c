import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { configureEnv } from "./definition.ts";
import { matrixGame } from "./matrix-game.ts";

function pay(overrides: Record<string, unknown>, actions: readonly number[]) {
  const env = configureEnv(matrixGame, overrides).factory();
  env.reset(createRng(0));
  const { reward, success } = env.step(actions);
  return { reward, success };
}

test("the default is the table of AGP's Theorem 3.2", () => {
  expect(pay({}, [0, 0])).toEqual({ reward: 3, success: true });
  expect(pay({}, [0, 1])).toEqual({ reward: -1, success: false });
  expect(pay({}, [1, 0])).toEqual({ reward: -1, success: false });
  expect(pay({}, [1, 1])).toEqual({ reward: 2, success: false });
});

test("nested lists and a flat list with the numbers of actions are the same game", () => {
  const nested = [[[0, 1]], [[2, 3]], [[4, 5]]];
  const flat = { payoff: [0, 1, 2, 3, 4, 5], actions: [3, 1, 2] };
  for (const overrides of [{ payoff: nested }, { payoff: nested, actions: [3, 1, 2] }, flat]) {
    const { spec } = configureEnv(matrixGame, overrides).factory();
    expect(spec.actions.map((space) => space.kind === "discrete" && space.n)).toEqual([3, 1, 2]);
    expect(spec.success).toBe("the reward is the largest of the table, 5");
    for (let index = 0; index < 6; index++) {
      const actions = [Math.floor(index / 2), 0, index % 2];
      expect(pay(overrides, actions)).toEqual({ reward: index, success: index === 5 });
    }
  }
});

test("one agent is a bandit, and several joint actions can be the best", () => {
  const bandit = { payoff: [4, -1, 4], actions: [3] };
  expect([0, 1, 2].map((arm) => pay(bandit, [arm]).success)).toEqual([true, false, true]);
});

test("the model holds the table", () => {
  const table = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })).chain(([n, m]) =>
    fc.record({
      actions: fc.constant([n, m]),
      payoff: fc.array(fc.double({ noNaN: true, min: -100, max: 100 }), {
        minLength: n * m,
        maxLength: n * m,
      }),
    }),
  );
  fc.assert(
    fc.property(table, ({ actions, payoff }) => {
      const model = configureEnv(matrixGame, { actions, payoff }).factory().model?.();
      expect([...(model?.reward ?? [])]).toEqual(payoff);
      expect(model).toMatchObject({ actions, states: 1, discount: 0 });
    }),
  );
});

test("a table of more than 16,384 joint actions has no model", () => {
  const sized = (agents: number) =>
    configureEnv(matrixGame, {
      payoff: new Array(2 ** agents).fill(1),
      actions: new Array(agents).fill(2),
    }).factory();
  expect(sized(14).model?.().reward).toHaveLength(16_384);
  expect(sized(15).model).toBeUndefined();
});

test("the scene shows a table of two agents, and what was chosen", () => {
  const env = configureEnv(matrixGame, { payoff: [[1, 2, 3.5]] }).factory();
  env.reset(createRng(0));
  expect(env.scene()).toMatchObject({ width: 3, height: 1 });
  expect(env.scene().shapes.map((shape) => shape.kind === "rectangle" && shape.label)).toEqual([
    "1",
    "2",
    "3.5",
  ]);
  env.step([0, 2]);
  const fills = env.scene().shapes.map((shape) => (shape.kind === "rectangle" ? shape.fill : ""));
  expect(fills[0]).toBe(fills[1]);
  expect(fills[2]).not.toBe(fills[1]);
  expect(env.scene().caption).toBe("reward 3.5, success");
});

test.each([
  [{ payoff: [1, 2, 3] }, "expected lists inside lists, one level for each agent, or actions=[2,2]"],
  [
    { payoff: [1, 2, 3], actions: [2, 2] },
    "expected 2 x 2 = 4 numbers, one for each joint action, not 3 (got [1,2,3])",
  ],
  [{ payoff: [1, 2], actions: [3] }, "expected 3 numbers, one for each joint action, not 2"],
  [
    { payoff: [[1, 2], [3]] },
    "expected a list of 2 at [1], as elsewhere in the table, not of 1 (got [[1,2],[3]])",
  ],
  [{ payoff: [[1, 2], 3] }, "expected a list of 2 at [1], as elsewhere in the table, not 3"],
  [
    {
      payoff: [
        [1, 2],
        [3, "x"],
      ],
    },
    'expected a number at [1][1], not "x"',
  ],
  [
    {
      payoff: [
        [1, 2],
        [3, [4]],
      ],
    },
    "expected a number at [1][1], not [4]",
  ],
  [
    {
      payoff: [
        ["x", 2],
        [3, 4],
      ],
    },
    'expected a number at [0][0], not "x"',
  ],
  [{ payoff: [[], []] }, "expected a list of at least one entry at [0]"],
  [{ payoff: [] }, "expected lists inside lists"],
  [
    {
      payoff: [
        [1, 2],
        [3, 4],
      ],
      actions: [2, 3],
    },
    "expected the sizes 2 x 3 that actions says, not 2 x 2",
  ],
  [{ actions: [3, 3] }, "not 2 x 2 (got the default [[3,-1],[-1,2]])"],
  [{ payoff: "table.json" }, 'expected a list (got "table.json")'],
])("%j is refused: %s", (overrides, message) => {
  expect(() => configureEnv(matrixGame, overrides)).toThrow(/^matrix-game\.payoff: .*$/);
  expect(() => configureEnv(matrixGame, overrides)).toThrow(message);
});
