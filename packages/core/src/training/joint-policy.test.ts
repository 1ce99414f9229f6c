import { expect, test } from "vitest";
import { createEpisode, type EnvFactory, type EnvSpec } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import { type Exploration, evaluateGreedily, evaluationCopies, type JointPolicy } from "./joint-policy.ts";

/** An episode whose length, 1 to 9, is drawn; it pays its length at the end and succeeds if that is odd. */
const lengths: EnvFactory = () => {
  const spec: EnvSpec = {
    id: "lengths",
    version: 1,
    agents: 1,
    observationSize: 1,
    stateSize: 1,
    actions: [{ kind: "discrete", n: 2 }],
    horizon: 9,
    rewards: "team",
    sharedObservation: true,
    success: "the length is odd",
  };
  const episode = createEpisode(spec);
  let length = 0;
  return {
    spec,
    reset(rng) {
      episode.begin(rng);
      length = 1 + rng.integer(9);
    },
    step(actions) {
      episode.admit(actions);
      const ends = episode.time + 1 === length;
      return episode.conclude(ends ? length : 0, ends, undefined, length % 2 === 1);
    },
    observe: (out, at) => out.set([episode.time], at),
    state: (out, at) => out.set([length], at),
    available: (out, at) => out.set([1, 0], at),
    snapshot: () => ({ episode: episode.snapshot(), length }),
    restore: () => {},
    scene: () => ({ width: 1, height: 1, shapes: [] }),
  };
};

/** A policy that checks what it is given, and counts steps in its memory. */
function counting(size: number) {
  const explorations: (Exploration | undefined)[] = [];
  const memory = { steps: new Float32Array(size) };
  const policy: JointPolicy = {
    observations: new Float32Array(size),
    available: new Float32Array(size * 2),
    actions: new Int32Array(size),
    memory,
    async choose(exploration) {
      explorations.push(exploration);
      expect([...memory.steps]).toEqual([...policy.observations]);
      expect([...policy.available!]).toEqual(Array.from({ length: size }, () => [1, 0]).flat());
      for (let b = 0; b < size; b++) memory.steps[b]++;
    },
    async dispose() {},
  };
  return { policy, explorations };
}

test("every copy plays a number of episodes fixed beforehand, greedily, each from an empty memory", async () => {
  const episodes = 300;
  const copies = evaluationCopies(episodes);
  const { policy, explorations } = counting(copies);
  policy.memory.steps.fill(99);
  const metrics = await evaluateGreedily(policy, lengths, episodes, createRng(4));
  expect(explorations.every((exploration) => exploration === undefined)).toBe(true);

  // 256 copies of which 44 play twice, however long the others' episodes are.
  const played = Array.from({ length: copies }, (_, b) => {
    const rng = createRng(4).split("environments").split(String(b));
    return Array.from({ length: b < 44 ? 2 : 1 }, () => 1 + rng.integer(9));
  }).flat();
  const mean = played.reduce((sum, length) => sum + length, 0) / 300;
  const variance = played.reduce((sum, length) => sum + (length - mean) ** 2, 0) / 300;
  expect(played).toHaveLength(300);
  expect(metrics["eval/return"]).toBeCloseTo(mean, 9);
  expect(metrics["eval/return-deviation"]).toBeCloseTo(Math.sqrt(variance), 9);
  expect(metrics["eval/length"]).toBeCloseTo(mean, 9);
  expect(metrics["eval/success"]).toBeCloseTo(played.filter((length) => length % 2 === 1).length / 300, 9);
});

test("games without a goal have no success", async () => {
  const endless: EnvFactory = () => {
    const env = lengths();
    return { ...env, spec: { ...env.spec, success: undefined } };
  };
  const metrics = await evaluateGreedily(counting(2).policy, endless, 2, createRng(4));
  expect(Object.keys(metrics)).toEqual(["eval/return", "eval/return-deviation", "eval/length"]);
});

test("at most 256 copies are played side by side", () => {
  expect(evaluationCopies(5)).toBe(5);
  expect(evaluationCopies(256)).toBe(256);
  expect(evaluationCopies(4096)).toBe(256);
});
