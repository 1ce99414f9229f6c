import { expect, test } from "vitest";
import { constant, type Expr, evaluate, gradients, loadEngine, mul, sum } from "../tensor/index.ts";
import { doubleQ, type Experience, mixed, temporalDifference } from "./double-q.ts";

const engine = await loadEngine();
const floats = (shape: readonly number[], values: readonly number[]): Expr =>
  constant("float64", shape, values);
const integers = (shape: readonly number[], values: readonly number[]): Expr =>
  constant("int32", shape, values);
const numbers = async (value: Expr): Promise<number[]> =>
  [...(await evaluate(engine, value))].map((entry) => Number(entry) + 0);

// Three moments, two segments, one agent with three actions.
const online = floats([3, 2, 1, 3], [1, 2, 3, 4, 5, 6, 9, 8, 7, 1, 3, 3, 5, 4, 6, 2, 2, 1]);
const target = floats([3, 2, 1, 3], [0, 0, 0, 0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 15, 25, 35]);
const actions = integers([2, 2, 1], [2, 0, 1, 1]);
const available = floats([3, 2, 1, 3], [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1]);

test("the online network chooses what the target network values, the first of equals", async () => {
  const { taken, following } = doubleQ(online, target, { actions });
  expect(taken.shape).toEqual([2, 2, 1]);
  expect(await numbers(taken)).toEqual([3, 4, 8, 3]);
  expect(await numbers(following!)).toEqual([10, 50, 90, 15]);
});

test("among available actions only", async () => {
  const { following } = doubleQ(online, target, { actions, available });
  expect(await numbers(following!)).toEqual([20, 50, 70, 15]);
});

test("nothing follows the only step of a game", async () => {
  const { taken, following } = doubleQ(floats([1, 2, 1, 2], [1, 2, 3, 4]), target, {
    actions: integers([1, 2, 1], [1, 0]),
  });
  expect(following).toBeUndefined();
  expect(await numbers(taken)).toEqual([2, 3]);
});

const experience = (terminated: readonly number[], mask: readonly number[]): Experience => ({
  observations: floats([3, 2, 1, 1], [0, 0, 0, 0, 0, 0]),
  states: floats([3, 2, 1], [1, 2, 3, 4, 5, 6]),
  actions,
  rewards: floats([2, 2], [1, 2, 3, 4]),
  terminated: floats([2, 2], terminated),
  mask: floats([2, 2], mask),
});

test("the loss by hand: ends cut the bootstrap, steps not played do not count", async () => {
  const compared = {
    taken: floats([2, 2], [1, 2, 3, 4]),
    following: floats([2, 2], [10, 20, 30, 40]),
  };
  // Errors -5, -10, -15, -20 where all goes on with discount one half.
  const { loss, metrics } = temporalDifference(compared, experience([0, 0, 0, 0], [1, 1, 1, 1]), 0.5);
  expect(await numbers(loss)).toEqual([(25 + 100 + 225 + 400) / 4]);
  expect(await numbers(metrics.value)).toEqual([2.5]);
  const ended = temporalDifference(compared, experience([0, 1, 0, 0], [1, 1, 1, 0]), 0.5);
  expect((await numbers(ended.loss))[0]).toBeCloseTo((25 + 0 + 225) / 3, 12);
  expect((await numbers(ended.metrics.value))[0]).toBeCloseTo(2, 12);
});

test("where each agent has its value, all regress on the team's reward", async () => {
  const compared = {
    taken: floats([2, 2, 2], [1, 0, 2, 0, 3, 0, 4, 0]),
    following: floats([2, 2, 2], [2, 4, 2, 4, 2, 4, 2, 4]),
  };
  const { loss } = temporalDifference(compared, experience([1, 0, 0, 0], [1, 1, 0, 0]), 0.5);
  // Step (0, 0): r = 1 and nothing follows: errors 0 and -1. Step (0, 1): y = 3 and 4: errors -1 and -4.
  expect(await numbers(loss)).toEqual([(0 + 1 + 1 + 16) / 4]);
});

test("in a game of one step the target is the reward", async () => {
  const { loss } = temporalDifference(
    { taken: floats([2, 2], [0, 0, 0, 0]) },
    experience([1, 1, 1, 1], [1, 1, 1, 1]),
    0.5,
  );
  expect(await numbers(loss)).toEqual([(1 + 4 + 9 + 16) / 4]);
});

test("gradients reach the taken values only", async () => {
  const { taken, following } = doubleQ(online, target, { actions });
  const total = { taken: sum(taken, [2]), following: sum(following!, [2]) };
  const { loss } = temporalDifference(total, experience([0, 0, 0, 0], [1, 1, 1, 1]), 0.5);
  const [slopes, none] = gradients(loss, [online, target]);
  // 2 (Q - y) / 4 with y = 1 + 5, 2 + 25, 3 + 45, 4 + 7.5 at the taken places of the first two moments.
  const expected = new Array<number>(18).fill(0);
  for (const [place, error] of [
    [2, 3 - 6],
    [3, 4 - 27],
    [7, 8 - 48],
    [10, 3 - 11.5],
  ]) {
    expected[place] = error / 2;
  }
  expect(await numbers(slopes)).toEqual(expected);
  expect((await numbers(none)).every((value) => value === 0)).toBe(true);
});

test("a mixer sees the state of each value's own moment, and the target's parameters where they belong", async () => {
  const values = { taken: floats([2, 2, 1], [1, 1, 1, 1]), following: floats([2, 2, 1], [10, 10, 10, 10]) };
  const mixer = {
    parameters: [],
    apply: (views: Readonly<Record<string, Expr>>, utilities: Expr, states: Expr) =>
      mul(mul(sum(utilities, [2]), sum(states, [2])), views.factor),
  };
  const views = (factor: number) => ({ factor: floats([], [factor]) });
  const all = experience([0, 0, 0, 0], [1, 1, 1, 1]);
  const { taken, following } = mixed(mixer, views(1), views(100), values, all);
  expect(await numbers(taken)).toEqual([1, 2, 3, 4]);
  expect(await numbers(following!)).toEqual([3000, 4000, 5000, 6000]);
  expect(mixed(mixer, views(1), views(100), { taken: values.taken }, all).following).toBeUndefined();
});
