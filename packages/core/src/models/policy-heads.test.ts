import { expect, test } from "vitest";
import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { constant, type Expr, evaluate, loadEngine } from "../tensor/index.ts";
import { chosenActions, policyHead } from "./policy-heads.ts";

const engine = await loadEngine();
const values = async (result: Expr): Promise<number[]> => [
  ...((await evaluate(engine, result)) as Float32Array),
];

const specOf = (...actions: ActionSpace[]): EnvSpec => ({
  id: "some",
  version: 1,
  agents: actions.length,
  observationSize: 1,
  stateSize: 1,
  actions,
  horizon: 1,
  rewards: "team",
  sharedObservation: false,
});
const box: ActionSpace = { kind: "box", size: 2, low: -1, high: 3 };
const shares: ActionSpace = { kind: "simplex", size: 2 };
const three: ActionSpace = { kind: "discrete", n: 3 };
const table = (shape: readonly number[], ...numbers: number[]): Expr => constant("float32", shape, numbers);

test("a normal distribution: decisions, densities, entropies and actions by hand", async () => {
  const head = policyHead("some", specOf(box), "auto");
  const group = { agents: [0], inputs: 1, outputs: 2 };
  const output = {
    group,
    last: table([1, 2, 1], 0.5, -1),
    logDeviations: table([1, 2, 1], 0, Math.log(2)),
  };
  const decisions = head.decide(output, table([1, 2, 1], 1, -0.5));
  const found = await values(decisions);
  expect(found[0]).toBeCloseTo(1.5, 6);
  expect(found[1]).toBeCloseTo(-2, 6);
  const [logProbability] = await values(head.logProbabilities(output, decisions));
  expect(logProbability).toBeCloseTo(-0.5 - 0.125 - Math.log(2) - Math.log(2 * Math.PI), 6);
  const [entropy] = await values(head.entropies(output));
  expect(entropy).toBeCloseTo(1 + Math.log(2 * Math.PI) + Math.log(2), 6);
  const actions = await values(head.actions(group, decisions));
  expect(actions[0]).toBeCloseTo(1 + 2 * Math.tanh(1.5), 6);
  expect(actions[1]).toBeCloseTo(1 + 2 * Math.tanh(-2), 6);
  expect(await values(head.decide(output))).toEqual([0.5, -1]);
});

test("shares are the softmax of decisions", async () => {
  const head = policyHead("some", specOf(shares), "auto");
  const decisions = table([1, 2, 1], Math.log(3), 0);
  const [more, less] = await values(head.actions({ agents: [0], inputs: 1, outputs: 2 }, decisions));
  expect(more).toBeCloseTo(0.75, 6);
  expect(less).toBeCloseTo(0.25, 6);
});

test("a categorical distribution leaves out what may not be played", async () => {
  const head = policyHead("some", specOf(three), "auto");
  const output = {
    group: { agents: [0], inputs: 1, outputs: 3 },
    last: table([1, 3, 1], 9, Math.log(3), 0),
    available: table([1, 3, 1], 0, 1, 1),
  };
  expect(await values(head.decide(output))).toEqual([0, 1, 0]);
  const drawn = head.decide(output, table([1, 3, 1], 5, 0, 2));
  expect(await values(drawn)).toEqual([0, 0, 1]);
  expect(await values(chosenActions(drawn))).toEqual([2]);
  expect((await values(head.logProbabilities(output, drawn)))[0]).toBeCloseTo(Math.log(0.25), 6);
  const entropy = -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25));
  expect((await values(head.entropies(output)))[0]).toBeCloseTo(entropy, 6);
});

test("heads that do not fit are refused", () => {
  expect(() => policyHead("some", specOf(box, three), "auto")).toThrow(
    "some: actions of agent 1 of some are discrete, expected a box as those of agent 0",
  );
  expect(() => policyHead("some", specOf(box), "simplex-gauss")).toThrow(
    "some.head: actions of agent 0 of some are a box, got simplex-gauss, expected box",
  );
});
