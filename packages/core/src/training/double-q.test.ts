import { expect, test } from "vitest";
import {
  constant,
  type Expr,
  evaluate,
  gradients,
  loadEngine,
  matMul,
  mul,
  reshape,
  slice,
  sum,
  type Views,
} from "../tensor/index.ts";
import { doubleQ, type Experience, mixed, temporalDifference } from "./double-q.ts";

const engine = await loadEngine();
const floats = (shape: readonly number[], values: readonly number[]): Expr =>
  constant("float64", shape, values);
const integers = (shape: readonly number[], values: readonly number[]): Expr =>
  constant("int32", shape, values);
const numbers = async (value: Expr): Promise<number[]> =>
  [...(await evaluate(engine, value))].map((entry) => Number(entry) + 0);

// Three moments, two segments, one agent with three actions: the online network reads the first half of what is observed,
// the target network the second.
const moments = [
  [1, 2, 3, 0, 0, 0],
  [4, 5, 6, 0, 0, 0],
  [9, 8, 7, 10, 20, 30],
  [1, 3, 3, 40, 50, 60],
  [5, 4, 6, 70, 80, 90],
  [2, 2, 1, 15, 25, 35],
].flat();
const selecting = (from: number): Expr =>
  floats(
    [6, 3],
    Array.from({ length: 18 }, (_, k) => (Math.floor(k / 3) === from + (k % 3) ? 1 : 0)),
  );
const [online, target] = [{ reads: selecting(0) }, { reads: selecting(3) }];
const utilities = (views: Views, { observations }: Experience): Expr =>
  reshape(matMul(reshape(observations, [-1, 6]), views.reads), [...observations.shape.slice(0, -1), 3]);

const experience = (terminated: readonly number[], mask: readonly number[]): Experience => ({
  observations: floats([3, 2, 1, 6], moments),
  states: floats([3, 2, 1], [1, 2, 3, 4, 5, 6]),
  actions: integers([2, 2, 1], [2, 0, 1, 1]),
  rewards: floats([2, 2], [1, 2, 3, 4]),
  terminated: floats([2, 2], terminated),
  mask: floats([2, 2], mask),
});
const whole = experience([0, 0, 0, 0], [1, 1, 1, 1]);
const available = floats([3, 2, 1, 3], [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1]);

/** One of the two steps as transitions. */
function transitions(step: number, experience: Experience): Experience {
  const cut = (a: Expr, length: number): Expr => slice(a, 0, step, step + length);
  return {
    observations: cut(experience.observations, 2),
    states: cut(experience.states, 2),
    available: experience.available && cut(experience.available, 2),
    actions: cut(experience.actions, 1),
    rewards: cut(experience.rewards, 1),
    terminated: cut(experience.terminated, 1),
    mask: cut(experience.mask, 1),
  };
}

test("the online network chooses what the target network values, the first of equals", async () => {
  const { taken, following } = doubleQ(utilities, online, target, whole);
  expect(taken.shape).toEqual([2, 2, 1]);
  expect(await numbers(taken)).toEqual([3, 4, 8, 3]);
  expect(await numbers(following!)).toEqual([10, 50, 90, 15]);
});

test("among available actions only", async () => {
  const { following } = doubleQ(utilities, online, target, { ...whole, available });
  expect(await numbers(following!)).toEqual([20, 50, 70, 15]);
});

test("transitions give the same, moment by moment, without the target network where it says nothing", async () => {
  const asked: [Views, number][] = [];
  const noting = (views: Views, segments: Experience): Expr => {
    asked.push([views, segments.observations.shape[0]]);
    return utilities(views, segments);
  };
  const masked = { ...whole, available };
  for (const [step, expected] of [
    [3, 4, 20, 50],
    [8, 3, 70, 15],
  ].entries()) {
    const { taken, following } = doubleQ(noting, online, target, transitions(step, masked));
    expect([...(await numbers(taken)), ...(await numbers(following!))]).toEqual(expected);
  }
  expect(asked.slice(0, 3)).toEqual([
    [online, 1],
    [online, 1],
    [target, 1],
  ]);
});

test("nothing follows the only step of a game, and the target network is not asked", async () => {
  const only = transitions(0, whole);
  const views: Views[] = [];
  const { taken, following } = doubleQ(
    (asked, segments) => {
      views.push(asked);
      return utilities(asked, segments);
    },
    online,
    target,
    { ...only, observations: slice(only.observations, 0, 0, 1) },
  );
  expect(following).toBeUndefined();
  expect(await numbers(taken)).toEqual([3, 4]);
  expect(views).toEqual([online]);
});

test("the loss by hand: ends cut the bootstrap, steps not played do not count", async () => {
  const compared = {
    taken: floats([2, 2], [1, 2, 3, 4]),
    following: floats([2, 2], [10, 20, 30, 40]),
  };
  // Errors -5, -10, -15, -20 where all goes on with discount one half.
  const { loss, metrics } = temporalDifference(compared, whole, 0.5);
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
  for (const part of [whole, transitions(1, whole)]) {
    const { taken, following } = doubleQ(utilities, online, target, part);
    const [steps] = part.actions.shape;
    const total = { taken: sum(taken, [2]), following: sum(following!, [2]) };
    const { loss } = temporalDifference(total, part, 0.5);
    const [slopes, none] = gradients(loss, [online.reads, target.reads]);
    // Each step's error (Q - y) times what was observed goes to the column of the action taken, with
    // y = 1 + 5, 2 + 25, 3 + 45, 4 + 7.5.
    const expected = new Array<number>(18).fill(0);
    const errors = [
      [0, 2, 3 - 6],
      [1, 0, 4 - 27],
      [2, 1, 8 - 48],
      [3, 1, 3 - 11.5],
    ].slice(-2 * steps);
    for (const [row, action, error] of errors) {
      for (let k = 0; k < 6; k++)
        expected[k * 3 + action] += (moments[row * 6 + k] * error * 2) / (2 * steps);
    }
    for (const [k, slope] of (await numbers(slopes)).entries()) expect(slope).toBeCloseTo(expected[k], 9);
    expect((await numbers(none)).every((value) => value === 0)).toBe(true);
  }
});

test("a mixer sees the state of each value's own moment, and the target's parameters where they belong", async () => {
  const values = { taken: floats([2, 2, 1], [1, 1, 1, 1]), following: floats([2, 2, 1], [10, 10, 10, 10]) };
  const mixer = {
    parameters: [],
    apply: (views: Readonly<Record<string, Expr>>, utilities: Expr, states: Expr) =>
      mul(mul(sum(utilities, [2]), sum(states, [2])), views.factor),
  };
  const views = (factor: number) => ({ factor: floats([], [factor]) });
  const { taken, following } = mixed(mixer, views(1), views(100), values, whole);
  expect(await numbers(taken)).toEqual([1, 2, 3, 4]);
  expect(await numbers(following!)).toEqual([3000, 4000, 5000, 6000]);
  expect(mixed(mixer, views(1), views(100), { taken: values.taken }, whole).following).toBeUndefined();
});
