import { memoryUsage } from "node:process";
import { expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { drawActions, jointActionSize } from "../actions.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import { particleEnvironments } from "./particle-environments.ts";

const names = Object.keys(particleEnvironments) as (keyof typeof particleEnvironments)[];
const steps = 2000;

/** Median growth of the heap over rounds of steps, in bytes a step: a round in which garbage is collected does not count. */
function growth(step: () => void): number {
  // Until the compiler is done with it.
  for (let k = 0; k < 10 * steps; k++) step();
  const rounds = Array.from({ length: 15 }, () => {
    const before = memoryUsage().heapUsed;
    for (let k = 0; k < steps; k++) step();
    return (memoryUsage().heapUsed - before) / steps;
  });
  return rounds.sort((a, b) => a - b)[7];
}

test("the measure sees two small arrays made at every step", () => {
  const kept: Float64Array[] = [];
  expect(
    growth(() => {
      kept[0] = new Float64Array(4);
      kept[1] = new Float64Array(4);
    }),
  ).toBeGreaterThan(160);
  expect(kept[1]).toHaveLength(4);
});

test.each(
  names.flatMap(
    (name) =>
      [
        [name, "discrete"],
        [name, "continuous"],
      ] as const,
  ),
)("steps of %s make no arrays or objects, %s", (name, actions) => {
  // Within one episode, with numbers written where a batch would have them.
  const env = configureEnv(particleEnvironments[name] as EnvDefinition, { actions, horizon: 1e9 }).factory();
  const rng = createRng(1);
  env.reset(rng);
  const { agents, observationSize, stateSize } = env.spec;
  const seen = new Float32Array(agents * observationSize);
  const state = new Float32Array(stateSize);
  const joint = actions === "discrete" ? new Int32Array(agents) : new Float32Array(jointActionSize(env.spec));
  drawActions(env.spec, rng, joint);
  const perStep = growth(() => {
    env.step(joint);
    env.observe(seen, 0);
    env.state(state, 0);
  });
  // The engine may box a number that one function returns to another, 16 bytes each (mostly none, at most 96 were seen). One
  // array or object for each agent, or one array of views, would be more.
  expect(perStep).toBeLessThan(160);
});
