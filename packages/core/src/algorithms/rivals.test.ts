/** Opponents that learn at the same time as the team (`Env.rivals`). */
import { expect, test } from "vitest";
import { z } from "zod";
import {
  configureEnv,
  createEpisode,
  defineEnv,
  type EnvSpec,
  environments,
  parseConfig,
  type Snapshot,
} from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import type { Algorithm, Learner } from "../training/algorithm.ts";
import { type AlgorithmName, algorithms } from "./index.ts";

/**
 * Two steps. Both agents of the team are paid for playing 1, so that they always will. Two rivals, who observe and can do
 * unequally much, answer to that. The investor sees the time and what it did first: doing 0 first pays .4 at once, doing 1
 * pays 1 in the second step, if the first agent plays 1 then. The reader sees one of three signs, drawn anew at every step,
 * and is paid 1 for the number of the sign plus what the second agent does, modulo 3. So the best they can have is 1 and 2.
 */
const market = defineEnv({
  name: "market",
  description: "Two agents and the two who live on them.",
  config: z.strictObject({}),
  create() {
    const spec: EnvSpec = {
      id: "market",
      version: 1,
      agents: 2,
      observationSize: 1,
      stateSize: 1,
      actions: [
        { kind: "discrete", n: 2 },
        { kind: "discrete", n: 2 },
      ],
      horizon: 2,
      rewards: "team",
      sharedObservation: true,
      sides: ["team", "rivals"],
    };
    const episode = createEpisode(spec);
    const own = [0, 0];
    let team = 0;
    let first = 0;
    let sign = 0;
    return {
      spec,
      reset(rng) {
        episode.begin(rng);
        first = 0;
        sign = rng.integer(3);
      },
      step(actions, theirs) {
        episode.admit(actions);
        const { rng, time } = episode;
        const [investor, reader] = [theirs?.[0] ?? rng.integer(2), theirs?.[1] ?? rng.integer(3)];
        if (investor > 1) throw new Error(`the investor did ${investor}`);
        own[0] = time === 0 ? (investor === 0 ? 0.4 : 0) : first === 1 && actions[0] === 1 ? 1 : 0;
        own[1] = reader === (sign + actions[1]) % 3 ? 1 : 0;
        if (time === 0) first = investor;
        sign = rng.integer(3);
        team = actions[0] + actions[1];
        return episode.conclude(team, time === 1);
      },
      observe: (out, at) => void out.fill(episode.time, at, at + 2),
      state: (out, at) => void out.fill(episode.time, at, at + 1),
      sideRewards: () => [team, own[0] + own[1]],
      rivals: {
        names: ["investor", "reader"],
        spec: {
          id: "market: rivals",
          version: 1,
          agents: 2,
          observationSize: 3,
          observationSizes: [2, 3],
          stateSize: 0,
          actions: [
            { kind: "discrete", n: 2 },
            { kind: "discrete", n: 3 },
          ],
          horizon: 2,
          rewards: "individual",
          sharedObservation: false,
        },
        observe(out, at) {
          out.fill(0, at, at + 6);
          out[at] = episode.time;
          out[at + 1] = first;
          out[at + 3 + sign] = 1;
        },
        rewards: () => own,
      },
      snapshot: () => ({ first, sign, episode: episode.snapshot() }),
      restore(snapshot) {
        const saved = snapshot as unknown as { first: number; sign: number; episode: Snapshot };
        ({ first, sign } = saved);
        episode.restore(saved.episode);
      },
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  },
});

function create(
  name: AlgorithmName,
  env: unknown,
  settings: object,
  envSettings: object = {},
): Promise<Learner> {
  const algorithm = algorithms[name] as unknown as Algorithm<unknown>;
  const config = algorithm.config.parse(settings);
  const { factory } = configureEnv(env as typeof market, envSettings as Record<string, unknown>);
  return algorithm.create({ env: factory, config, totalSteps: 4000, rng: createRng(3) });
}

const quick = {
  hidden: 16,
  updateInterval: 2,
  batchSize: 32,
  epsilonSteps: 1000,
  learningRate: 3e-3,
  targetInterval: 50,
};
const valueLoop = {
  environments: 4,
  batchSize: 16,
  epsilonSteps: 500,
  optimiser: "adam",
  learningRate: 3e-3,
  targetInterval: 50,
};

test.each([
  ["vdn", { ...valueLoop, hidden: 16, recurrent: false, lastAction: false }],
  ["iql", { ...valueLoop, hidden: 16 }],
  ["mappo", { environments: 16, hidden: 16, dag: "full" }],
  ["agp-pg", { environments: 16, width: 16, heads: 2, layers: 1, learningRate: 3e-3 }],
] as const)("beside %s they learn the best answer to what the team does", async (name, settings) => {
  const learner = await create(name, market, { ...settings, rivals: quick });
  const before = await learner.evaluate(200, createRng("evaluation"));
  let steps = 0;
  let metrics: Awaited<ReturnType<Learner["iterate"]>> = {};
  for (; steps < 3000; steps += learner.stepsPerIteration) metrics = await learner.iterate();
  const after = await learner.evaluate(200, createRng("evaluation"));
  expect(before["eval/return-rivals"]).toBeLessThan(2.5);
  expect(after["eval/return-team"]).toBe(4);
  expect(after["eval/return-rivals"]).toBe(3);
  expect(metrics["train/rivals-epsilon"]).toBe(0.05);
  expect(metrics["train/rivals-loss"]).toBeLessThan(1);
  expect(learner.facts.rivals).toMatchObject({ agents: ["investor", "reader"], settings: quick });
  expect(Object.keys(learner.parameters()).filter((parameter) => parameter.startsWith("rivals"))).toEqual([]);
  await learner.dispose();
});

const particles = { hidden: 8, environments: 3, batchSize: 4, replayCapacity: 100, cycles: 2 };

test.each([
  ["vdn", "mpe/world-comm", { ...particles, recurrent: false, lastAction: false, rolloutSteps: 7 }],
  ["iql", "mpe/crypto", { ...particles, rolloutSteps: 10 }],
  ["mappo", "mpe/adversary", { environments: 4, rolloutSteps: 10, hidden: 8 }],
  ["agp-pg", "mpe/tag", { environments: 4, rolloutSteps: 10, width: 8, heads: 2, layers: 1 }],
] as const)(
  "%s on %s goes on from a snapshot with the same bytes, and so do its opponents",
  async (name, env, settings) => {
    const rivals = { hidden: 8, updateInterval: 5, batchSize: 8, replayCapacity: 60, targetInterval: 7 };
    const begin = () => create(name, environments[env], { ...settings, rivals }, { protocol: "mixed" });
    const play = async (learner: Learner) => {
      const metrics = [];
      for (let k = 0; k < 3; k++) metrics.push(await learner.iterate());
      return [...metrics, await learner.evaluate(3, createRng("evaluation"))];
    };
    const whole = await begin();
    await play(whole);
    const { tensors, json } = whole.snapshot();
    const saved = { tensors: structuredClone(tensors), json: JSON.parse(JSON.stringify(json)) };
    const resumed = await begin();
    resumed.restore(saved);
    const expected = await play(whole);
    expect(expected[0]["train/rivals-loss"]).toBeGreaterThan(0);
    expect(await play(resumed)).toEqual(expected);
    const [one, other] = [whole.snapshot(), resumed.snapshot()];
    expect(other.tensors).toEqual(one.tensors);
    expect(other.json).toEqual(one.json);
    expect(Object.keys(one.tensors)).toContain("rivals/replay/individualRewards");
    for (const learner of [whole, resumed]) await learner.dispose();
  },
);

test("their settings are refused where there is nobody to have them", async () => {
  const settings = { ...particles, rivals: {} };
  await expect(create("vdn", environments["mpe/tag"], settings, { protocol: "team" })).rejects.toThrow(
    "vdn.rivals: mpe/tag-v3 (team against scripted, sum) has no opponents that learn, expected none of their settings " +
      "or an environment such as mpe/tag with protocol=mixed",
  );
  const small = { ...particles, rivals: { replayCapacity: 10 } };
  await expect(create("vdn", environments["mpe/tag"], small, { protocol: "mixed" })).rejects.toThrow(
    "vdn.rivals.replayCapacity: 10 is below the batch size 128",
  );
  const parse = (rivals: unknown) => () => parseConfig("vdn", algorithms.vdn.config, { rivals });
  expect(parse("fast")).toThrow('vdn.rivals: expected an object such as {"hidden":64} (got "fast")');
  expect(parse({ batchsize: 3 })).toThrow(
    "vdn.rivals.batchsize: unknown setting (got 3), expected one of hidden, ",
  );
  expect(parse({ batchsize: 3 })).toThrow('Did you mean "batchSize"?');
  expect(parse({ hidden: 0 })).toThrow(/^vdn\.rivals\.hidden: .*\(got 0\)$/);
});

test("continuous teams meet them too", async () => {
  const settings = { actorHidden: [8], criticHidden: [8], batchSize: 8, learningStarts: 8, cycles: 2 };
  const learner = await create("facmac", environments["mpe/tag"], settings, {
    protocol: "mixed",
    actions: "continuous",
  });
  expect((await learner.iterate())["train/rivals-epsilon"]).toBe(1);
  expect((await learner.iterate())["train/rivals-epsilon"]).toBeLessThan(1);
  expect(await learner.evaluate(2, createRng(0))).toHaveProperty("eval/return-good-agents");
  await learner.dispose();
});
