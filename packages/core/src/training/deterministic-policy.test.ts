import { expect, test } from "vitest";
import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { actionHead, agentNetworks } from "../models/index.ts";
import { createRng } from "../random/index.ts";
import { allocate, loadEngine, namedArrays } from "../tensor/index.ts";
import { agentLearnable } from "./agent-learnable.ts";
import { deterministicPolicy } from "./deterministic-policy.ts";

const engine = await loadEngine();
const observationSizes = [3, 1, 2, 3];

const specOf = (actions: readonly ActionSpace[]): EnvSpec => ({
  id: "made-up",
  version: 1,
  agents: 4,
  observationSize: 3,
  observationSizes,
  stateSize: 4,
  actions,
  horizon: 2,
  rewards: "individual",
  sharedObservation: false,
});
const boxes = specOf([1, 2, 1, 1].map((size, i) => ({ kind: "box", size, low: -i - 1, high: 2 })));
const shares = specOf([2, 3, 2, 2].map((size) => ({ kind: "simplex", size })));

/** A team that learns as one, or in two halves, with drawn biases too. */
function team(spec: EnvSpec, halves: boolean, hidden: readonly number[]) {
  const sizes = spec.actions.map((space, i) => ({
    inputs: observationSizes[i],
    outputs: (space as { size: number }).size,
  }));
  const parts = halves
    ? [
        [0, 2],
        [1, 3],
      ]
    : [[0, 1, 2, 3]];
  const actors = parts.map((members, k) => {
    const networks = agentNetworks("actor", { sizes, members, hidden });
    const learned = agentLearnable(`actor-${k}`, networks, {}, createRng(k));
    createRng(`values ${k}`).fillNormal(learned.vector.values as Float32Array);
    return learned;
  });
  const head = actionHead("made", spec, { head: "auto" });
  return { actors, policy: deterministicPolicy(engine, { name: "made", spec, head, actors }) };
}

/** Runs a file once. */
async function run(
  onnx: Uint8Array,
  name: string,
  values: Float32Array,
  shape: readonly number[],
  size: number,
) {
  const session = await engine.load(onnx);
  const out = allocate("float32", [1, size]) as Float32Array;
  const result = name === "observations" ? "actions" : "action";
  await session.run(
    { [name]: session.tensor("float32", shape, values) },
    { [result]: session.tensor("float32", [1, size], out) },
  );
  await session.dispose();
  return [...out];
}

test.each([
  ["boxes of a linear network", boxes, false, []],
  ["boxes in two parts", boxes, true, [5]],
  ["shares", shares, false, [64, 64]],
] as const)("the separate files play exactly what the team plays: %s", async (_, spec, halves, hidden) => {
  const { policy } = team(spec, halves, hidden);
  const acting = await policy.create(1);
  createRng("observations").fillNormal(acting.observations);
  // What agents do not observe is of no consequence.
  for (let k = 0; k < 12; k++)
    if (k % 3 >= observationSizes[(k / 3) | 0]) acting.observations[k] = Number.NaN;
  await acting.choose();
  const joint = [...acting.actions];
  const sizes = spec.actions.map((space) => (space as { size: number }).size);
  const { observations } = acting;
  expect(await run(policy.export(), "observations", observations, [1, 4, 3], joint.length)).toEqual(joint);
  const files = policy.exportEach();
  expect(Object.keys(files)).toEqual(["agent-0", "agent-1", "agent-2", "agent-3"]);
  const own: number[] = [];
  for (const [i, size] of observationSizes.entries()) {
    const seen = observations.slice(3 * i, 3 * i + size);
    own.push(...(await run(files[`agent-${i}`], "observation", seen, [1, size], sizes[i])));
  }
  expect(own).toEqual(joint);
  await acting.dispose();
});

test("an agent's action is its network's last layer through the head", async () => {
  const { actors, policy } = team(boxes, true, []);
  const acting = await policy.create(1);
  createRng("observations").fillNormal(acting.observations);
  await acting.choose();
  const of = (part: number) =>
    namedArrays(actors[part].vector.values as Float32Array, actors[part].named.layout);
  const w = of(1)["actor/1/0/w"].data;
  const b = of(1)["actor/1/0/b"].data;
  const seen = acting.observations[3];
  // Agent 1 has two numbers in [-2, 2], behind the one of agent 0.
  for (const k of [0, 1]) {
    expect(acting.actions[1 + k]).toBeCloseTo(2 * Math.tanh(w[k] * seen + b[k]), 5);
  }
  const greedy = [...acting.actions];
  await acting.choose({ epsilon: 0, rng: createRng(5) });
  const noise = new Float32Array(5);
  createRng(5).fillNormal(noise);
  const moved = Math.min(2, Math.max(-2, greedy[2] + 0.1 * 2 * noise[2]));
  expect(acting.actions[2]).toBeCloseTo(moved, 5);
  await acting.choose();
  expect([...acting.actions]).toEqual(greedy);
  await acting.dispose();
});
