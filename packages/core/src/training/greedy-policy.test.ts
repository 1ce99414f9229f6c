import { describe, expect, test } from "vitest";
import { type EnvSpec, vectorise } from "../envs/index.ts";
import { agentNetwork } from "../models/index.ts";
import { createRng } from "../random/index.ts";
import {
  add,
  type Expr,
  initialise,
  type Layout,
  layoutOf,
  loadEngine,
  mul,
  type Variable,
  type Views,
  variable,
} from "../tensor/index.ts";
import { greedyPolicy } from "./greedy-policy.ts";
import { forget, type JointPolicy } from "./joint-policy.ts";
import { unevenGame } from "./testing/small-games.ts";

const engine = await loadEngine();
const agents = 2;
const spec: EnvSpec = {
  id: "toy",
  version: 1,
  agents,
  observationSize: 3,
  stateSize: 1,
  actions: [
    { kind: "discrete", n: 3 },
    { kind: "discrete", n: 3 },
  ],
  horizon: 5,
  rewards: "team",
  sharedObservation: false,
};

/** Parameters `[scale]` of a policy whose utilities are the observations times the scale, plus what it remembers. */
const layout: Layout = layoutOf([{ name: "scale", shape: [], initialise: () => Float64Array.of(1) }]);
const scale = (value: number): Variable => variable("scale", "float32", [1], [value]);

const readsOff = (masked: boolean, vector: Variable, remembers = false) =>
  greedyPolicy(engine, {
    name: "toy",
    spec,
    shape: { actions: 3, masked },
    network: { vector, layout },
    memory: remembers ? { sum: [agents, 3], lastAction: [agents, 3] } : {},
    step(views, { observations, sum }) {
      const seen = mul(observations, views.scale);
      const total: Expr = sum === undefined ? seen : add(seen, sum);
      const memory: Views = sum === undefined ? {} : { sum: total };
      return { utilities: total, memory };
    },
  });

async function choose(policy: JointPolicy, observations: readonly number[], available?: readonly number[]) {
  policy.observations.set(observations);
  if (available !== undefined) policy.available!.set(available);
  await policy.choose();
  return [...policy.actions];
}

describe("greedy actions", () => {
  test("have the largest utility, the first of equals, by the parameters of the moment", async () => {
    const vector = scale(1);
    const policy = await readsOff(false, vector).create(2);
    const seen = [1, 3, 2, 5, 4, 5, -1, -1, -1, 0, 0, 0.5];
    expect(await choose(policy, seen)).toEqual([1, 0, 0, 2]);
    expect(policy.available).toBeUndefined();
    (vector.values as Float32Array)[0] = -1;
    expect(await choose(policy, seen)).toEqual([0, 1, 0, 0]);
    await policy.dispose();
  });

  test("are available", async () => {
    const policy = await readsOff(true, scale(1)).create(1);
    expect(await choose(policy, [1, 3, 2, -5, -6, -7], [1, 0, 1, 0, 1, 1])).toEqual([2, 1]);
    await policy.dispose();
  });

  test("are replaced when exploring, by available ones", async () => {
    const policy = await readsOff(true, scale(1)).create(1);
    policy.observations.set([1, 3, 2, 1, 2, 3]);
    policy.available!.set([1, 0, 1, 0, 1, 0]);
    const counts = new Map<string, number>();
    const rng = createRng(1);
    for (let k = 0; k < 400; k++) {
      await policy.choose({ epsilon: 0.5, rng });
      const joint = policy.actions.join();
      counts.set(joint, (counts.get(joint) ?? 0) + 1);
    }
    // Greedily 2 and 1; the first agent's 0 comes with probability one quarter.
    expect([...counts.keys()].sort()).toEqual(["0,1", "2,1"]);
    expect(Math.abs(counts.get("0,1")! - 100)).toBeLessThan(35);
    await policy.dispose();
  });
});

test("memory moves on, with the actions that were really played, and is forgotten copy by copy", async () => {
  const policy = await readsOff(false, scale(1), true).create(2);
  const row = [1, 2, 3, 3, 2, 1];
  expect(await choose(policy, [...row, ...row])).toEqual([2, 0, 2, 0]);
  expect(await choose(policy, [9, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0])).toEqual([0, 1, 2, 0]);
  expect([...policy.memory.sum]).toEqual([10, 2, 3, 3, 11, 1, ...row]);
  expect([...policy.memory.lastAction]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]);
  forget(policy, 0, 2);
  expect([...policy.memory.sum]).toEqual([0, 0, 0, 0, 0, 0, ...row]);
  expect([...policy.memory.lastAction]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]);
  // What exploring changed is what is remembered.
  const rng = createRng(3);
  for (let k = 0; k < 20; k++) {
    await policy.choose({ epsilon: 1, rng });
    const ones = [...policy.memory.lastAction].flatMap((value, at) => (value === 1 ? [at % 3] : []));
    expect(ones).toEqual([...policy.actions]);
  }
  await policy.dispose();
});

describe("as an ONNX file", () => {
  const { spec: uneven } = unevenGame();
  const network = agentNetwork("agent", {
    agents,
    observationSize: 2,
    actions: 3,
    hidden: 4,
    recurrent: true,
    lastAction: true,
    agentId: true,
  });
  const layout = layoutOf(network.parameters);
  const vector = variable("agent", "float32", [layout.size], initialise(layout, createRng(2)));
  const policy = greedyPolicy(engine, {
    name: "toy",
    spec: uneven,
    shape: { actions: 3, masked: true },
    network: { vector, layout },
    memory: network.trunk.memory,
    step: network.step,
  });

  test("it plays an episode as the policy does, carrying its memory by hand", async () => {
    const session = await engine.load(policy.export());
    const inputs = {
      observations: { shape: [1, 2, 2], values: new Float32Array(4) },
      available: { shape: [1, 2, 3], values: new Float32Array(6) },
      hidden: { shape: [1, 2, 4], values: new Float32Array(8) },
      lastAction: { shape: [1, 2, 3], values: new Float32Array(6) },
    };
    const results = {
      utilities: { shape: [1, 2, 3], values: new Float32Array(6) },
      "next/hidden": { shape: [1, 2, 4], values: new Float32Array(8) },
    };
    const actions = new Int32Array(2);
    const tensors = (all: Record<string, { shape: number[]; values: Float32Array }>) =>
      Object.fromEntries(
        Object.entries(all).map(([name, { shape, values }]) => [
          name,
          session.tensor("float32", shape, values),
        ]),
      );

    const own = await policy.create(1);
    const batch = vectorise(unevenGame, 1, createRng(5));
    for (let step = 0; step < 12; step++) {
      own.observations.set(batch.observations);
      own.available!.set([1, batch.available![1], 1, 1, 1, 0]);
      inputs.observations.values.set(own.observations);
      inputs.available.values.set(own.available!);
      await session.run(tensors(inputs), {
        ...tensors(results),
        actions: session.tensor("int32", [1, 2], actions),
      });
      await own.choose();
      expect([...actions]).toEqual([...own.actions]);
      for (const [k, value] of results["next/hidden"].values.entries()) {
        expect(value).toBeCloseTo(own.memory.hidden[k], 6);
      }
      const allowed = [...results.utilities.values].map((value, k) =>
        own.available![k] === 1 ? value : -1e9,
      );
      expect(actions[0]).toBe(allowed.indexOf(Math.max(...allowed.slice(0, 3))));

      inputs.hidden.values.set(results["next/hidden"].values);
      for (const i of [0, 1])
        for (let a = 0; a < 3; a++) inputs.lastAction.values[i * 3 + a] = actions[i] === a ? 1 : 0;
      batch.step(own.actions);
      if (batch.terminated[0] + batch.truncated[0] > 0) {
        forget(own, 0, 1);
        inputs.hidden.values.fill(0);
        inputs.lastAction.values.fill(0);
      }
    }
    await own.dispose();
    await session.dispose();
  });
});
