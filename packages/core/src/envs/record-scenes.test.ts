import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { playControl } from "./control-policies.ts";
import { configureEnv, type EnvDefinition } from "./definition.ts";
import type { Env } from "./env.ts";
import { environments } from "./environments.ts";
import { playScenes, recordScenes } from "./record-scenes.ts";

const definitions = Object.values(environments) as readonly EnvDefinition[];
const game = configureEnv(environments["coordination-game"], { agents: 3, horizon: 4, epsilon: 0 });
const zeros = environments["coordination-game"].policies({ ...game.config }).zeros(createRng(0));

test("the first episode is recorded, from its own stream, and nothing after it", () => {
  const { env, record } = recordScenes(game.factory(), createRng("start"));
  const other = game.factory();
  env.reset(createRng("another stream"));
  other.reset(createRng("start"));
  expect(env.scene()).toEqual(other.scene());
  const first = env.scene();
  let total = 0;
  const rewards = [0];
  for (let step = 0; step < 4; step++) {
    expect(record()).toBeUndefined();
    total += env.step([0, 0, 0]).reward;
    rewards.push(total);
  }
  const episode = record();
  expect(episode?.moments.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
  expect(episode?.moments.map(({ reward }) => reward)).toEqual(rewards);
  expect(episode?.moments[0].scene).toEqual(first);
  expect(episode).not.toHaveProperty("success");
  env.reset(createRng("next"));
  other.reset(createRng("next"));
  expect(env.scene()).toEqual(other.scene());
  env.step([1, 1, 1]);
  expect(record()?.moments).toHaveLength(5);
});

test("an episode that is broken off is forgotten", () => {
  const { env, record } = recordScenes(game.factory(), createRng(1));
  env.reset(createRng(2));
  env.step([1, 1, 1]);
  env.reset(createRng(2));
  for (let step = 0; step < 4; step++) env.step([0, 0, 0]);
  expect(record()?.moments.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
});

test("all players meet the same start, and the same player repeats itself", () => {
  const play = (policy: Parameters<typeof playScenes>[1], seed: number) =>
    playScenes(game.factory, policy, createRng(seed).split("start"), createRng(seed).split("choices"));
  expect(play("random", 5)).toEqual(play("random", 5));
  expect(play("random", 5).moments[0]).toEqual(play(zeros, 5).moments[0]);
  expect(play("random", 5)).not.toEqual(play(zeros, 5));
  expect(play(zeros, 5).moments.at(-1)?.scene.caption).toBe("this state pays 3");
});

test("success is told where there is any, and masks are heeded", () => {
  const topk = configureEnv(environments.topk, {});
  const optimal = environments.topk.policies(topk.config).optimal(createRng(0));
  expect(playScenes(topk.factory, optimal, createRng(1), createRng(2)).success).toBe(true);
  const masked = (): Env => ({
    ...game.factory(),
    available: (out, at) => out.set([1, 0, 1, 0, 1, 0], at),
  });
  const { moments } = playScenes(masked, "random", createRng(3), createRng(4));
  expect(moments.slice(1).every(({ scene }) => scene.caption === "this state pays 3")).toBe(true);
});

const withPolicies = definitions.filter(({ policies }) => policies !== undefined);
test.each(withPolicies)("the reference policies of $name play", (definition) => {
  const { config, factory } = configureEnv(definition);
  for (const [name, make] of Object.entries(definition.policies!(config))) {
    const total = playControl(factory(), make(createRng(name)), createRng("play"));
    expect(total, name).toSatisfy(Number.isFinite);
  }
});
