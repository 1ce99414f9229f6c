import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { grey, landmarks } from "./landmarks.ts";
import type { Scenario } from "./scenario.ts";
import { cooperativeSettings, count, localRatio, sightSettings, terminateOnSuccess } from "./settings.ts";
import { createSight } from "./sight.ts";
import { putListed, putMessage, putPosition, putVelocity, putZeros } from "./views.ts";
import { countOverlaps, createWorld, nearestBody, putDistance } from "./world.ts";

export const spreadConfig = z.strictObject({
  agents: count.default(3).describe("Agents, and as many landmarks"),
  localRatio,
  terminateOnSuccess: terminateOnSuccess.describe(
    "Whether the episode ends once every landmark has an agent closer than .1",
  ),
  curriculum: z.literal([0, 1]).default(1).describe("Stage: collisions cost nothing in 0; 1 is the game"),
  ...sightSettings,
  ...cooperativeSettings,
});

export type SpreadConfig = z.output<typeof spreadConfig>;

/**
 * Agents cover landmarks and keep out of each other's way.
 *
 * Common reward: minus each landmark's distance to its nearest agent, summed. Own: -1 for each agent one collides with.
 * Observation: own velocity and position, landmarks, other agents, and their messages, which are always zero.
 */
export const spread = defineParticleEnv({
  name: "mpe/spread",
  suiteVersion: 3,
  description: "Agents spread over landmarks without running into each other.",
  config: spreadConfig,
  suiteSettings: { N: "agents", local_ratio: "localRatio" },
  create: createSpread,
});

/** A landmark counts as covered when an agent is closer than this. */
const covered = 0.1;

function createSpread(config: SpreadConfig): Scenario {
  const { agents, localRatio: ratio, curriculum } = config;
  const world = createWorld(
    2,
    Array.from({ length: agents }, (_, k) => ({
      name: `agent_${k}`,
      kind: "agent",
      colour: [0.35, 0.35, 0.85],
      size: 0.15,
      collides: true,
      moves: true,
      speaks: false,
    })),
    landmarks(new Array(agents).fill(grey), 0.05),
  );
  const sight = createSight(world, config);
  // From each landmark to its nearest agent.
  const away = new Float64Array(agents);
  const measure = (): void => {
    for (let k = 0; k < agents; k++) {
      putDistance(world, agents + k, nearestBody(world, agents + k, 0, agents), away, k);
    }
  };
  const size = 4 + 2 * sight.landmarks.length + 4 * sight.agents.length;

  return {
    world,
    landmarkRange: 1,
    observationSizes: new Array<number>(agents).fill(size),
    secrets: new Int32Array(0),
    observe(agent, out, at) {
      sight.look(agent);
      let to = putVelocity(world, agent, out, at);
      to = putPosition(world, agent, out, to);
      to = putListed(world, agent, sight.landmarks, out, to);
      to = putListed(world, agent, sight.agents, out, to);
      for (let k = 0; k < sight.agents.length; k++) {
        const other = sight.agents[k];
        to = other < 0 ? putZeros(out, to, world.words) : putMessage(world, other, out, to);
      }
    },
    reward(out) {
      let common = 0;
      measure();
      for (let k = 0; k < agents; k++) common -= away[k];
      for (let i = 0; i < agents; i++) {
        // An agent overlaps with itself.
        const own = curriculum === 0 ? 0 : 1 - countOverlaps(world, i, 0, agents);
        out[i] = (1 - ratio) * common + ratio * own;
      }
    },
    goals: () => [],
    ...(config.terminateOnSuccess && {
      ending: {
        success: `every landmark has an agent closer than ${covered}`,
        reached() {
          measure();
          for (let k = 0; k < agents; k++) if (away[k] >= covered) return false;
          return true;
        },
      },
    }),
  };
}
