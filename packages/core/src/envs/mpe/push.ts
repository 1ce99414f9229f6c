import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { grey, landmarks } from "./landmarks.ts";
import { guard } from "./opponents.ts";
import type { Scenario } from "./scenario.ts";
import { opposedSettings, refuseIdleOpponents } from "./settings.ts";
import { putColour, putOffset, putOffsets, putVelocity } from "./views.ts";
import { type Colour, createWorld, putDistance } from "./world.ts";

export const pushConfig = z.strictObject(opposedSettings).superRefine(refuseIdleOpponents);

const colours: readonly Colour[] = [
  [0.1, 0.9, 0.1],
  [0.1, 0.1, 0.9],
];
/** The good agent's own colour tells which landmark is the goal. */
const ownColours: readonly Colour[] = [
  [0.25, 0.75, 0.25],
  [0.25, 0.25, 0.75],
];
const adversary = 0;
const good = 1;

/**
 * One agent wants to stay at its landmark, the other to keep it away and be there itself, without knowing which it is.
 *
 * Own reward of the good agent: minus its distance to the landmark. Of the adversary: that distance minus its own. Observation of
 * the adversary: own velocity, landmarks, the good agent. Of the good agent: own velocity, goal, own colour, landmarks, their
 * colours, the adversary.
 */
export const push = defineParticleEnv({
  name: "mpe/push",
  suiteVersion: 3,
  description: "An agent holds a landmark against an adversary that pushes it away.",
  config: pushConfig,
  suiteSettings: {},
  create: createPush,
});

function createPush(): Scenario {
  const world = createWorld(
    2,
    [
      {
        name: "adversary_0",
        kind: "adversary",
        colour: [0.75, 0.25, 0.25],
        size: 0.05,
        collides: true,
        moves: true,
        speaks: false,
      },
      {
        name: "agent_0",
        kind: "agent",
        colour: grey,
        size: 0.05,
        collides: true,
        moves: true,
        speaks: false,
      },
    ],
    landmarks(colours, 0.05),
  );
  const { agents, entities } = world;
  const secrets = new Int32Array(1);
  // From each agent to the goal.
  const away = new Float64Array(agents);

  return {
    world,
    landmarkRange: 1,
    observationSizes: [8, 19],
    secrets,
    observe(agent, out, at) {
      let to = putVelocity(world, agent, out, at);
      if (agent === adversary) {
        to = putOffsets(world, agent, agents, entities, out, to);
        putOffset(world, agent, good, out, to);
        return;
      }
      to = putOffset(world, agent, agents + secrets[0], out, to);
      to = putColour(ownColours[secrets[0]], out, to);
      to = putOffsets(world, agent, agents, entities, out, to);
      for (let k = 0; k < colours.length; k++) to = putColour(colours[k], out, to);
      putOffset(world, agent, adversary, out, to);
    },
    reward(out) {
      const goal = agents + secrets[0];
      for (let i = 0; i < agents; i++) putDistance(world, i, goal, away, i);
      out[adversary] = away[good] - away[adversary];
      out[good] = -away[good];
    },
    goals: () => [{ agent: good, landmark: agents + secrets[0] }],
    sides: { adversaries: 1, team: [good], script: (opponent) => guard(world, opponent, good) },
  };
}
