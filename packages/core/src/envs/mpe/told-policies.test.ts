import { expect, test } from "vitest";
import { InputError } from "../../errors.ts";
import { createRng } from "../../random/index.ts";
import { playControl } from "../control-policies.ts";
import { configureEnv } from "../definition.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { particleEnvironments } from "./particle-environments.ts";

test.each([
  ["mpe/speaker-listener", [[1, 0]]],
  [
    "mpe/reference",
    [
      [0, 1],
      [1, 0],
    ],
  ],
  ["mpe/push", [[0, 0]]],
] as const)("in %s those who are told a place get there and stay", (name, wanted) => {
  const definition = particleEnvironments[name];
  const { config, factory } = configureEnv<never>(definition as never);
  const env = factory() as ParticleEnv;
  let distances = 0;
  for (let episode = 0; episode < 50; episode++) {
    const rng = createRng(episode);
    playControl(env, definition.policies(config).told(rng), rng);
    const { world, scenario } = env;
    for (const [agent, secret] of wanted) {
      const goal = world.agents + scenario.secrets[secret];
      distances += Math.hypot(world.x[agent] - world.x[goal], world.y[agent] - world.y[goal]);
    }
  }
  // A push carries an agent .2 along an axis, so that it can rest within .1 of the goal along each.
  expect(distances / (50 * wanted.length)).toBeLessThan(0.15);
});

test("opponents and numbers are refused", () => {
  const push = particleEnvironments["mpe/push"];
  const { config } = configureEnv(push, { protocol: "team" });
  expect(() => push.policies(config).told(createRng(0))).toThrow(InputError);
});
