import { memoryUsage } from "node:process";
import { expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { drawActions, jointActionSize } from "../actions.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { particleEnvironments } from "./particle-environments.ts";

type Name = keyof typeof particleEnvironments;
const names = Object.keys(particleEnvironments) as Name[];
const opposed: readonly Name[] = ["mpe/push", "mpe/world-comm", "mpe/crypto", "mpe/tag", "mpe/adversary"];

const stepsPerRound = 2000;
/** Steps after which everybody returns to where they began: they stay among each other, and meet. */
const outing = 25;
/** Outings after which the same actions follow again, so that every round consists of the same steps. */
const outings = 4;

/** Growth of the heap in the median of all rounds, in bytes a step: in others something may be compiled or collected. */
function growth(steps: number, step: () => void): number {
  // Until the compiler is done with most of it.
  for (let k = 0; k < 20 * stepsPerRound; k++) step();
  const rounds = new Float64Array(steps / stepsPerRound);
  for (let round = 0; round < rounds.length; round++) {
    const before = memoryUsage().heapUsed;
    for (let k = 0; k < stepsPerRound; k++) step();
    rounds[round] = (memoryUsage().heapUsed - before) / stepsPerRound;
  }
  return rounds.sort()[rounds.length >> 1];
}

test("the measure sees two small arrays made at every step", () => {
  const kept: Float64Array[] = [];
  expect(
    growth(1e5, () => {
      kept[0] = new Float64Array(4);
      kept[1] = new Float64Array(4);
    }),
  ).toBeGreaterThan(160);
  expect(kept[1]).toHaveLength(4);
});

test("the measure sees one number boxed at every step", () => {
  // Beside a text an array holds its numbers in boxes, of 12 or 16 bytes.
  const kept: (number | string)[] = ["", 0.5];
  expect(
    growth(1e6, () => {
      kept[1] = (kept[1] as number) + 1;
    }),
  ).toBeGreaterThan(10);
  expect(kept[1]).toBeGreaterThan(1e6);
});

test.each<[Name, Record<string, unknown>]>([
  ...names.flatMap((name): [Name, Record<string, unknown>][] => [
    [name, { actions: "discrete" }],
    [name, { actions: "continuous" }],
  ]),
  ...opposed.map((name): [Name, Record<string, unknown>] => [name, { protocol: "team" }]),
  ["mpe/spread", { agents: 5, agentNeighbours: 2, landmarkNeighbours: 3, terminateOnSuccess: true }],
])("steps of %s make no garbage, %j", (name, overrides) => {
  // Within one episode, with numbers written where a batch would have them.
  const settings = { horizon: 1e9, ...overrides };
  const env = configureEnv(particleEnvironments[name] as EnvDefinition, settings).factory() as ParticleEnv;
  const rng = createRng(1);
  env.reset(rng);
  const { agents, observationSize, stateSize } = env.spec;
  const discrete = overrides.actions !== "continuous";
  const seen = new Float32Array(agents * observationSize);
  const state = new Float32Array(stateSize);
  const rewards = new Float64Array(1);
  const joints = Array.from({ length: outings * outing }, () => {
    const joint = discrete ? new Int32Array(agents) : new Float32Array(jointActionSize(env.spec));
    drawActions(env.spec, rng, joint);
    return joint;
  });
  const moving = [env.world.x, env.world.y, env.world.vx, env.world.vy];
  const start = moving.map((values) => values.slice());
  let time = 0;
  const step = (): void => {
    rewards[0] += env.step(joints[time]).reward;
    env.observe(seen, 0);
    env.state(state, 0);
    time = (time + 1) % joints.length;
    if (time % outing === 0) for (let k = 0; k < moving.length; k++) moving[k].set(start[k]);
  };
  // World-comm looks for everybody in every forest: a million steps of it would take most of this file's time.
  const perStep = growth(name === "mpe/world-comm" ? 2e5 : 1e6, step);
  // Of which a tenth is the measuring. One boxed number in every twelfth step would be more.
  expect(perStep).toBeLessThan(1);
  expect(rewards[0]).not.toBeNaN();
});
