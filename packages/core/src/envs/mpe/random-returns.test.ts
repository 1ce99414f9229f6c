import { expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { drawActions } from "../actions.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import { particleEnvironments } from "./particle-environments.ts";

/**
 * Returns of uniformly random discrete actions in MPE2 1.1.0 with fresh resets: mean and standard error of each agent, of this
 * many episodes; the last is the sum over agents.
 */
const measured: Record<keyof typeof particleEnvironments, { episodes: number; returns: [number, number][] }> =
  {
    "mpe/reference": {
      episodes: 2000,
      returns: [
        [-28.249, 0.23],
        [-28.04, 0.231],
        [-56.289, 0.416],
      ],
    },
    "mpe/push": {
      episodes: 2000,
      returns: [
        [-0.26, 0.402],
        [-28.099, 0.287],
        [-28.359, 0.288],
      ],
    },
    "mpe/world-comm": {
      episodes: 600,
      returns: [
        [3.147, 0.355],
        [3.177, 0.356],
        [3.105, 0.353],
        [3.024, 0.359],
        [-25.737, 1.448],
        [-24.433, 1.399],
        [-37.717, 2.398],
      ],
    },
    "mpe/speaker-listener": {
      episodes: 2000,
      returns: [
        [-39.948, 0.753],
        [-39.948, 0.753],
        [-79.896, 1.506],
      ],
    },
    "mpe/crypto": {
      episodes: 2000,
      returns: [
        [-37.462, 0.097],
        [0.14, 0.141],
        [0.14, 0.141],
        [-37.182, 0.223],
      ],
    },
    "mpe/tag": {
      episodes: 2000,
      returns: [
        [4.295, 0.23],
        [4.295, 0.23],
        [4.295, 0.23],
        [-15.297, 0.445],
        [-2.412, 0.632],
      ],
    },
    "mpe/spread": {
      episodes: 2000,
      returns: [
        [-26.398, 0.173],
        [-26.41, 0.174],
        [-26.391, 0.174],
        [-79.198, 0.52],
      ],
    },
    "mpe/adversary": {
      episodes: 2000,
      returns: [
        [-28.39, 0.294],
        [7.357, 0.36],
        [7.357, 0.36],
        [-13.675, 0.525],
      ],
    },
  };

const episodes = 1000;

test.each(Object.entries(measured))("random play of %s returns what it does there", (name, known) => {
  const definition = particleEnvironments[name as keyof typeof particleEnvironments] as EnvDefinition;
  const env = configureEnv(definition).factory();
  const { agents, horizon } = env.spec;
  const rng = createRng("random returns");
  const choices = rng.split("actions");
  const actions = new Int32Array(agents);
  const totals = new Float64Array(agents + 1);
  for (let episode = 0; episode < episodes; episode++) {
    env.reset(rng);
    for (let t = 0; t < horizon; t++) {
      drawActions(env.spec, choices, actions);
      const { reward, rewards = [] } = env.step(actions);
      for (let i = 0; i < agents; i++) totals[i] += rewards[i];
      totals[agents] += reward;
    }
  }
  expect(known.returns).toHaveLength(agents + 1);
  for (const [k, [mean, standardError]] of known.returns.entries()) {
    const both = standardError * Math.sqrt(1 + known.episodes / episodes);
    expect(Math.abs(totals[k] / episodes - mean) / both, `${name}, ${k}`).toBeLessThan(3.5);
  }
});

test("random words of Crypto are wrong three times out of four", () => {
  // Eve's return has the exact mean -37.5 and, as 25 independent errors of 0 or 2, the variance 25 * 0.75.
  const { factory } = configureEnv(particleEnvironments["mpe/crypto"] as EnvDefinition);
  const env = factory();
  const rng = createRng("crypto");
  const actions = new Int32Array(3);
  let total = 0;
  for (let episode = 0; episode < episodes; episode++) {
    env.reset(rng);
    for (let t = 0; t < 25; t++) {
      drawActions(env.spec, rng, actions);
      total += env.step(actions).rewards?.[0] ?? Number.NaN;
    }
  }
  expect(Math.abs(total / episodes + 37.5)).toBeLessThan(3.5 * Math.sqrt((25 * 0.75) / episodes));
});
