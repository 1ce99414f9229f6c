import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { grey, landmarks } from "./landmarks.ts";
import type { Scenario } from "./scenario.ts";
import { cooperativeSettings, localRatio } from "./settings.ts";
import { putColour, putMessage, putOffsets, putVelocity } from "./views.ts";
import { type Colour, createWorld, putDistance } from "./world.ts";

export const referenceConfig = z.strictObject({ localRatio, ...cooperativeSettings });

export type ReferenceConfig = z.output<typeof referenceConfig>;

const colours: readonly Colour[] = [
  [0.75, 0.25, 0.25],
  [0.25, 0.75, 0.25],
  [0.25, 0.25, 0.75],
];

/**
 * Each of two agents has a landmark to reach that only the other knows, and both can speak.
 *
 * Own reward: minus the partner's distance to its landmark; common: the mean of both. Observation: own velocity, landmarks,
 * the colour of the partner's landmark, what the partner said.
 */
export const reference = defineParticleEnv({
  name: "mpe/reference",
  suiteVersion: 3,
  description: "Two agents tell each other which landmark to reach.",
  config: referenceConfig,
  suiteSettings: { local_ratio: "localRatio" },
  create: createReference,
});

function createReference({ localRatio: ratio }: ReferenceConfig): Scenario {
  const world = createWorld(
    10,
    Array.from({ length: 2 }, (_, k) => ({
      name: `agent_${k}`,
      kind: "agent",
      colour: grey,
      size: 0.05,
      collides: false,
      moves: true,
      speaks: true,
    })),
    landmarks(colours, 0.05),
  );
  const { agents, entities } = world;
  // What each agent knows: the landmark of the other.
  const secrets = new Int32Array(2);
  // From the partner of each agent to its landmark.
  const away = new Float64Array(agents);

  return {
    world,
    landmarkRange: 1,
    observationSizes: [21, 21],
    secrets,
    observe(agent, out, at) {
      let to = putVelocity(world, agent, out, at);
      to = putOffsets(world, agent, agents, entities, out, to);
      to = putColour(colours[secrets[agent]], out, to);
      putMessage(world, 1 - agent, out, to);
    },
    reward(out) {
      for (let i = 0; i < agents; i++) putDistance(world, 1 - i, agents + secrets[i], away, i);
      const common = (away[0] + away[1]) / 2;
      for (let i = 0; i < agents; i++) out[i] = -(1 - ratio) * common - ratio * away[i];
    },
    goals: () => [
      { agent: 0, landmark: agents + secrets[1] },
      { agent: 1, landmark: agents + secrets[0] },
    ],
  };
}
