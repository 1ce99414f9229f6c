import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { grey, landmarks } from "./landmarks.ts";
import { guard } from "./opponents.ts";
import type { Scenario } from "./scenario.ts";
import { count, opposedSettings, refuseIdleOpponents, sightSettings } from "./settings.ts";
import { createSight } from "./sight.ts";
import { putListed, putOffset } from "./views.ts";
import { createWorld, nearestBody, putDistance } from "./world.ts";

export const adversaryConfig = z
  .strictObject({
    goodAgents: count.default(2).describe("Good agents beside one adversary, and as many landmarks"),
    ...sightSettings,
    ...opposedSettings,
  })
  .superRefine(refuseIdleOpponents);

export type AdversaryConfig = z.output<typeof adversaryConfig>;

const adversary = 0;
const firstGood = 1;

/**
 * Good agents want one of them at a landmark that the adversary, who does not know which it is, should not reach.
 *
 * Own reward of the adversary: minus its distance to the landmark. Of each good agent: that distance, minus the distance of the
 * nearest good agent. Observation of the adversary: landmarks, other agents. Of a good agent: the goal before these.
 */
export const adversaryGame = defineParticleEnv({
  name: "mpe/adversary",
  suiteVersion: 3,
  description: "A team covers landmarks so that an adversary cannot tell which one counts.",
  config: adversaryConfig,
  suiteSettings: { N: "goodAgents" },
  create: createAdversary,
});

function createAdversary(config: AdversaryConfig): Scenario {
  const { goodAgents } = config;
  const agents = goodAgents + 1;
  const world = createWorld(
    2,
    Array.from({ length: agents }, (_, i) => ({
      name: i === adversary ? "adversary_0" : `agent_${i - firstGood}`,
      kind: i === adversary ? "adversary" : "agent",
      colour: i === adversary ? [0.85, 0.35, 0.35] : [0.35, 0.35, 0.85],
      size: 0.15,
      collides: false,
      moves: true,
      speaks: false,
    })),
    landmarks(new Array(goodAgents).fill(grey), 0.08),
  );
  const sight = createSight(world, config);
  const size = 2 * sight.landmarks.length + 2 * sight.agents.length;
  const secrets = new Int32Array(1);
  // From the adversary to the goal, and from the goal to the nearest good agent.
  const away = new Float64Array(2);

  return {
    world,
    landmarkRange: 1,
    observationSizes: Array.from({ length: agents }, (_, i) => (i === adversary ? size : size + 2)),
    secrets,
    observe(agent, out, at) {
      sight.look(agent);
      let to = at;
      if (agent !== adversary) to = putOffset(world, agent, agents + secrets[0], out, to);
      to = putListed(world, agent, sight.landmarks, out, to);
      putListed(world, agent, sight.agents, out, to);
    },
    reward(out) {
      const goal = agents + secrets[0];
      putDistance(world, adversary, goal, away, 0);
      putDistance(world, goal, nearestBody(world, goal, firstGood, agents), away, 1);
      out[adversary] = -away[0];
      for (let i = firstGood; i < agents; i++) out[i] = away[0] - away[1];
    },
    goals: () =>
      Array.from({ length: goodAgents }, (_, k) => ({ agent: firstGood + k, landmark: agents + secrets[0] })),
    sides: {
      adversaries: 1,
      team: Array.from({ length: goodAgents }, (_, k) => firstGood + k),
      script: (opponent) => guard(world, opponent, firstGood),
    },
  };
}
