import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { alohaConfig, alohaNeighbours, createAloha } from "./aloha.ts";

const defaults = alohaConfig.parse({});

test("neighbours are those of the published game, and the plain grid without the wrapped edge", () => {
  const published = [
    [1, 5],
    [0, 2, 6],
    [1, 3, 7],
    [2, 4, 8],
    [3, 5, 9],
    [0, 4, 6],
    [1, 5, 7],
    [2, 6, 8],
    [3, 7, 9],
    [4, 8],
  ];
  expect(alohaNeighbours(defaults)).toEqual(published);
  published[4] = [3, 9];
  published[5] = [0, 6];
  expect(alohaNeighbours({ ...defaults, wrapEdge: false })).toEqual(published);
  expect(alohaNeighbours({ rows: 3, columns: 1, wrapEdge: false })).toEqual([[1], [0, 2], [1]]);
  expect(alohaNeighbours({ rows: 3, columns: 1, wrapEdge: true })).toEqual([[1], [0, 2], [1]]);
});

test("one step by hand: success, collision, an empty sender that disturbs, a full queue", () => {
  const env = createAloha(defaults);
  env.reset(createRng(0));
  const state = (): number[] => {
    const out = new Float32Array(10);
    env.state(out, 0);
    return [...out];
  };
  const nothing = new Array(10).fill(0);
  // 0 sends alone: success, and its queue is empty from here on.
  expect(env.stepWith([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], nothing).reward).toBeCloseTo(0.1, 12);
  // 0 has nothing to send but disturbs 1; 3 and 8 collide; 6 is disturbed by 1 and disturbs it.
  const outcome = env.stepWith([1, 1, 0, 1, 0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(outcome.reward).toBe(-40);
  expect(state()).toEqual([0, 2, 1, 1, 1, 1, 1, 1, 1, 2]);
  expect(env.transmitted).toBe(1);
  for (let step = 0; step < 6; step++) env.stepWith(nothing, new Array(10).fill(1));
  expect(state()).toEqual(new Array(10).fill(5));
});

test("dependency is minus the distance on the grid, without the wrapped edge", () => {
  const env = createAloha(defaults);
  env.reset(createRng(0));
  const scores = new Float32Array(100);
  env.dependency?.(scores, 0);
  expect(scores[0 * 10 + 5]).toBe(-1);
  expect(scores[4 * 10 + 5]).toBe(-5);
  expect(scores[9 * 10 + 0]).toBe(-5);
});

test("whatever is played, messages are conserved and rewards add up", () => {
  const joint = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(fc.array(fc.tuple(joint, joint), { minLength: 1, maxLength: 25 }), (plays) => {
      const env = createAloha({ ...defaults, maxBacklog: 100 });
      env.reset(createRng(0));
      let reward = 0;
      let arrived = 10;
      for (const [actions, arrivals] of plays) {
        reward += env.stepWith(actions, arrivals).reward;
        arrived += arrivals.reduce((sum, one) => sum + one, 0);
      }
      const held = new Float32Array(10);
      env.state(held, 0);
      expect(held.reduce((sum, one) => sum + one, 0) + env.transmitted).toBe(arrived);
      const collisions = (0.1 * env.transmitted - reward) / 10;
      expect(Math.abs(collisions - Math.round(collisions))).toBeLessThan(1e-9);
    }),
    { numRuns: 50 },
  );
});
