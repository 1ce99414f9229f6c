import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { configureEnv } from "./definition.ts";
import { environments } from "./environments.ts";
import { vectorise } from "./vectorise.ts";

describe("an environment put into a given state", () => {
  const coordination = configureEnv(environments["coordination-game"], { agents: 3, epsilon: 0 }).factory;
  const aloha = configureEnv(environments.aloha, { arrivalProbability: 0 }).factory;
  const cases = [
    ["coordination-game", coordination, [1, 0, 1], [0, 0, 0]],
    ["aloha", aloha, [0, 1, 2, 3, 4, 5, 0, 1, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0, 0, 0]],
  ] as const;

  test.each(cases)("shows it and plays on from there: %s", (name, factory, state, actions) => {
    const env = factory();
    const { agents, observationSize, stateSize } = env.spec;
    env.reset(createRng(1));
    env.setState!(state);
    const shown = new Float32Array(stateSize);
    env.state(shown, 0);
    expect([...shown]).toEqual(state);
    const observed = new Float32Array(agents * observationSize);
    env.observe(observed, 0);
    expect([...observed]).toEqual(name === "aloha" ? state : [...state, ...state, ...state]);
    const outcome = env.step(actions);
    env.state(shown, 0);
    // Agent 1 collides with agent 0, which sends though it has no message; agent 3 sends one of three.
    expect([...shown]).toEqual(name === "aloha" ? [0, 1, 2, 2, 4, 5, 0, 1, 0, 0] : [0, 0, 0]);
    expect(outcome.reward).toBeCloseTo(name === "aloha" ? -9.9 : 1, 12);
    // The next one reads the state that was given, where rewards count ones.
    if (name === "coordination-game") expect(env.step(actions).reward).toBe(3);
  });

  test.each([
    ["coordination-game", coordination, [0, 1], "a state of 2 numbers, expected 3, one for each agent"],
    ["coordination-game", coordination, [0, 1, 2], "number 2 of the state is 2, expected an integer of 0..1"],
    [
      "aloha",
      aloha,
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 6],
      "number 9 of the state is 6, expected an integer of 0..5",
    ],
    [
      "aloha",
      aloha,
      [0, -1, 0, 0, 0, 0, 0, 0, 0, 0],
      "number 1 of the state is -1, expected an integer of 0..5",
    ],
    ["aloha", aloha, [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0], "number 0 of the state is 0.5"],
  ] as const)("is refused what is none: %s, %o, %j", (_, factory, state, message) => {
    const env = factory();
    env.reset(createRng(1));
    expect(() => env.setState!(state)).toThrow(InputError);
    expect(() => env.setState!(state)).toThrow(message);
  });
});

test("batches say where the agents of every copy stand, and who sees whom", () => {
  const aloha = vectorise(configureEnv(environments.aloha, {}).factory, 2, createRng(1));
  const positions = new Float32Array(2 * 20);
  aloha.positions!(positions);
  // Agent 7 of the second copy: second row, third column.
  expect([...positions.subarray(20 + 14, 20 + 16)]).toEqual([2, 1]);
  expect(aloha.visibility).toBeUndefined();
  expect(
    vectorise(configureEnv(environments["coordination-game"], {}).factory, 1, createRng(1)).positions,
  ).toBe(undefined);
});

test("in forests only the leader and those in the same forest see", () => {
  const factory = configureEnv(environments["mpe/world-comm"], { protocol: "team", forests: 1 }).factory;
  const env = factory();
  const { agents } = env.spec;
  expect(agents).toBe(4);
  env.reset(createRng(1));
  const { moment, ...rest } = env.snapshot() as { moment: { x: number[]; y: number[] } };
  const [x, y] = [[...moment.x], [...moment.y]];
  const forest = x.length - 1;
  // Agents 1 and 2 in the forest, 0 (the leader) and 3 far from it.
  [x[0], x[1], x[2], x[3], x[forest]] = [-2, 1, 1.1, -2.5, 1];
  [y[0], y[1], y[2], y[3], y[forest]] = [0, 1, 1, 0.5, 1];
  env.restore({ ...rest, moment: { ...moment, x, y } });
  const visible = new Uint8Array(16);
  env.visibility!(visible, 0);
  expect([...visible]).toEqual([0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0]);
  const positions = new Float32Array(8);
  env.positions!(positions, 0);
  expect([...positions.subarray(2, 4)]).toEqual([1, -1]);
});
