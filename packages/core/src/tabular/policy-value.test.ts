import fc from "fast-check";
import { expect, test } from "vitest";
import { configureEnv, environments, type FiniteModel } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import { randomGame } from "./cooperative-game.ts";
import {
  enumerateJointActions,
  jointActionCount,
  jointActionIndex,
  jointPolicyFromLogProbabilities,
} from "./joint-action.ts";
import { evaluatePolicy, optimalValue, priceOfAnarchy } from "./policy-value.ts";

function coordinationModel(agents: number, epsilon: number): FiniteModel {
  const env = configureEnv(environments["coordination-game"], { agents, epsilon }).factory();
  return env.model?.() ?? expect.unreachable();
}

function uniformPolicy({ states, actions }: FiniteModel): Float64Array {
  const joint = jointActionCount(actions);
  return new Float64Array(states * joint).fill(1 / joint);
}

test("joint actions count with agent 0 as the most significant digit", () => {
  expect([...enumerateJointActions([2, 3])]).toEqual([0, 0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 2]);
  expect(jointActionIndex([2, 3], [1, 1])).toBe(4);
});

test("two states by hand", () => {
  // One agent, two actions: stay (0) or move (1), always with success; state 1 pays 1; gamma = 1/2.
  const model: FiniteModel = {
    actions: [2],
    states: 2,
    transition: Float64Array.of(1, 0, 0, 1, 0, 1, 1, 0),
    reward: Float64Array.of(0, 0, 1, 1),
    initial: Float64Array.of(1, 0),
    discount: 0.5,
    observations: new Float32Array(2),
    stateFeatures: new Float32Array(2),
  };
  // Always move: V(0) = V(1)/2, V(1) = 1 + V(0)/2, so V(1) = 4/3 and V(0) = 2/3; visits 1 + 1/4 + ... and half that.
  const moving = evaluatePolicy(model, Float64Array.of(0, 1, 0, 1));
  expect(moving.value).toBeCloseTo(2 / 3, 12);
  expect(moving.stateValues[1]).toBeCloseTo(4 / 3, 12);
  expect(moving.visitation[0]).toBeCloseTo(4 / 3, 12);
  expect(moving.visitation[1]).toBeCloseTo(2 / 3, 12);
  // Best: move once, then stay: V(1) = 2, V(0) = 1.
  const best = optimalValue(model);
  expect(best.value).toBeCloseTo(1, 12);
  expect([...best.policy]).toEqual([1, 0]);
  expect(priceOfAnarchy(model, Float64Array.of(0, 1, 0, 1))).toBeCloseTo(2 / 3, 12);
});

// Closed forms: V* = mean r + gamma/(1-gamma) max R, V_uniform = mean r / (1-gamma).
test.each([
  [2, 0.05, 2.7125, 52.7875, 25],
  [2, 0.1, 2.45, 47.8, 25],
  [3, 0.05, 2.5795, 50.0105, 20],
  [3, 0.1, 2.216, 43.104, 20],
  [5, 0.05, 2.933411, 56.984802, 25],
  [5, 0.1, 2.76464, 53.77816, 25],
])("Coordination Game, N = %d, epsilon = %d", (agents, epsilon, maxReward, optimum, uniformValue) => {
  const model = coordinationModel(agents, epsilon);
  const { states, transition, reward } = model;
  let largest = 0;
  for (let a = 0; a < states; a++) {
    let expected = 0;
    for (let s = 0; s < states; s++) expected += transition[a * states + s] * reward[s * states];
    largest = Math.max(largest, expected);
  }
  expect(largest).toBeCloseTo(maxReward, 6);
  const best = optimalValue(model);
  expect(best.value).toBeCloseTo(optimum, 5);
  expect([...best.policy]).toEqual(new Array(states).fill(0));
  expect(evaluatePolicy(model, uniformPolicy(model)).value).toBeCloseTo(uniformValue, 9);
});

test("the uniform policy's price of anarchy with five agents", () => {
  for (const [epsilon, price] of [
    [0.05, 0.439],
    [0.1, 0.465],
  ]) {
    const model = coordinationModel(5, epsilon);
    const optimum = optimalValue(model).value;
    expect(priceOfAnarchy(model, uniformPolicy(model), optimum)).toBeCloseTo(price, 3);
  }
});

/** `log pi^i(a_i | s, a_parents)` of tabular softmax policies with `theta^i[s][k][u] = sin(1 + s + 2k + 3u + 5i)`. */
function sineLogProbabilities(model: FiniteModel, parents: readonly (readonly number[])[]): Float64Array {
  const agents = model.actions.length;
  const jointActions = enumerateJointActions(model.actions);
  const joint = jointActionCount(model.actions);
  const logProbabilities = new Float64Array(model.states * joint * agents);
  for (let s = 0; s < model.states; s++) {
    for (let a = 0; a < joint; a++) {
      const action = jointActions.subarray(a * agents, (a + 1) * agents);
      for (let i = 0; i < agents; i++) {
        const k = jointActionIndex(
          parents[i].map((j) => model.actions[j]),
          parents[i].map((j) => action[j]),
        );
        const logit = (u: number) => Math.sin(1 + s + 2 * k + 3 * u + 5 * i);
        const normaliser = Math.log(Math.exp(logit(0)) + Math.exp(logit(1)));
        logProbabilities[(s * joint + a) * agents + i] = logit(action[i]) - normaliser;
      }
    }
  }
  return logProbabilities;
}

test.each([
  {
    agents: 2,
    epsilon: 0.05,
    parents: [[], [0]],
    value: 30.45953589,
    first: 31.57621822,
    second: [0.530981, 0.07263, 0.109419, 0.286969],
  },
  {
    agents: 3,
    epsilon: 0.05,
    parents: [[], [], [1]],
    value: 17.98452461,
    first: 19.72756869,
    second: [0.355744, 0.175237, 0.058277, 0.014353, 0.233615, 0.115077, 0.03827, 0.009425],
  },
  {
    agents: 3,
    epsilon: 0.1,
    parents: [[], [0], [1]],
    value: 19.06994415,
    first: 20.84895941,
    second: [0.355744, 0.175237, 0.058277, 0.014353, 0.073308, 0.036111, 0.23026, 0.056709],
  },
])("reference values of sine policies, $agents agents, parents $parents", (reference) => {
  const { agents, epsilon, parents, value, first, second } = reference;
  const model = coordinationModel(agents, epsilon);
  const joint = 2 ** agents;
  const policy = jointPolicyFromLogProbabilities(
    sineLogProbabilities(model, parents),
    model.states,
    joint,
    agents,
  );
  second.forEach((probability, a) => {
    expect(policy[2 * joint + a]).toBeCloseTo(probability, 6);
  });
  const evaluation = evaluatePolicy(model, policy);
  expect(evaluation.value).toBeCloseTo(value, 7);
  expect(evaluation.stateValues[0]).toBeCloseTo(first, 7);
});

test("visits sum to 1 / (1 - gamma) and reproduce the value; shifted rewards shift it by c / (1 - gamma)", () => {
  const model = coordinationModel(3, 0.1);
  const joint = 8;
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 64, maxLength: 64 }),
      fc.double({ min: -5, max: 5, noNaN: true }),
      (weights, shift) => {
        const policy = Float64Array.from(weights, (weight, k) => {
          const from = k - (k % joint);
          return weight / weights.slice(from, from + joint).reduce((sum, other) => sum + other, 0);
        });
        const { value, visitation } = evaluatePolicy(model, policy);
        let visits = 0;
        let earned = 0;
        for (let s = 0; s < 8; s++) {
          visits += visitation[s];
          for (let a = 0; a < joint; a++) {
            earned += visitation[s] * policy[s * joint + a] * model.reward[s * joint + a];
          }
        }
        expect(visits).toBeCloseTo(20, 9);
        expect(earned).toBeCloseTo(value, 9);
        const shifted = { ...model, reward: model.reward.map((r) => r + shift) };
        expect(evaluatePolicy(shifted, policy).value - value).toBeCloseTo(shift * 20, 8);
      },
    ),
    { numRuns: 30 },
  );
});

test("the unit of rewards does not matter", () => {
  const game = randomGame({ actions: [2, 3], states: 4 }, createRng("unit"));
  const { value, policy } = optimalValue(game);
  for (const unit of [1e-15, 1e-9, 1e9]) {
    const other = optimalValue({ ...game, reward: game.reward.map((reward) => unit * reward) });
    expect(other.value / unit / value).toBeCloseTo(1, 12);
    expect(other.policy).toEqual(policy);
  }
});

test("policies of another shape or that are no distributions are refused", () => {
  const model = coordinationModel(2, 0.1);
  expect(() => evaluatePolicy(model, new Float64Array(15))).toThrow("15 entries, expected 4 x 4");
  expect(() => evaluatePolicy(model, new Float64Array(16).fill(0.3))).toThrow("state 0 sum to 1.2");
  expect(() => jointPolicyFromLogProbabilities(new Float64Array(7), 2, 2, 2)).toThrow("7 entries");
});
