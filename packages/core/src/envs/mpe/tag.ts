import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { obstacles } from "./landmarks.ts";
import { flee } from "./opponents.ts";
import type { Scenario } from "./scenario.ts";
import {
  count,
  opposedSettings,
  refuseIdleOpponents,
  sightSettings,
  terminateOnSuccess,
} from "./settings.ts";
import { createSight } from "./sight.ts";
import { putListed, putPosition, putVelocity, putZeros } from "./views.ts";
import { type AgentBody, countOverlaps, createWorld, putStrayPenalty } from "./world.ts";

export const tagConfig = z
  .strictObject({
    adversaries: count.default(3).describe("Pursuers, the first of the agents"),
    goodAgents: count.default(1).describe("Prey, faster than the pursuers"),
    obstacles: z.int().min(0).max(1000).default(2),
    terminateOnSuccess: terminateOnSuccess.describe(
      "Whether the episode ends once every prey is caught by some pursuer",
    ),
    curriculum: z
      .literal([0, 1, 2])
      .default(2)
      .describe("Stage: prey has half, three quarters or, in 2, all of its speed and acceleration"),
    ...sightSettings,
    ...opposedSettings,
  })
  .superRefine(refuseIdleOpponents);

export type TagConfig = z.output<typeof tagConfig>;

/** What prey has of its speed and acceleration in each stage of the curriculum. */
const vigour = [0.5, 0.75, 1] as const;

/**
 * Slow pursuers chase fast prey among obstacles.
 *
 * Own reward of every pursuer: 10 for each pair of prey and pursuer that collides. Of prey: -10 for each pursuer that it
 * collides with, and what straying costs. Observation: own velocity and position, obstacles, other agents, and the velocities
 * of prey among them.
 */
export const tag = defineParticleEnv({
  name: "mpe/tag",
  suiteVersion: 3,
  description: "Slow pursuers hunt fast prey among obstacles.",
  config: tagConfig,
  suiteSettings: { num_good: "goodAgents", num_adversaries: "adversaries", num_obstacles: "obstacles" },
  create: createTag,
});

function createTag(config: TagConfig): Scenario {
  const { adversaries, goodAgents, curriculum } = config;
  const agents = adversaries + goodAgents;
  const world = createWorld(
    2,
    Array.from({ length: agents }, (_, i) =>
      i < adversaries ? pursuer(i) : prey(i - adversaries, curriculum),
    ),
    obstacles(config.obstacles),
  );
  const sight = createSight(world, config);
  const base = 4 + 2 * sight.landmarks.length + 2 * sight.agents.length;
  // Along each axis.
  const penalty = new Float64Array(2);
  const velocitiesSeen = (i: number) =>
    sight.nearestAgents ? sight.agents.length : goodAgents - (i < adversaries ? 0 : 1);

  return {
    world,
    landmarkRange: 0.9,
    observationSizes: Array.from({ length: agents }, (_, i) => base + 2 * velocitiesSeen(i)),
    secrets: new Int32Array(0),
    observe(agent, out, at) {
      sight.look(agent);
      let to = putVelocity(world, agent, out, at);
      to = putPosition(world, agent, out, to);
      to = putListed(world, agent, sight.landmarks, out, to);
      to = putListed(world, agent, sight.agents, out, to);
      for (let k = 0; k < sight.agents.length; k++) {
        const other = sight.agents[k];
        if (other >= adversaries) to = putVelocity(world, other, out, to);
        // Among the nearest, every agent has its place, also one whose velocity is not shown.
        else if (sight.nearestAgents) to = putZeros(out, to, 2);
      }
    },
    reward(out) {
      let caught = 0;
      for (let i = adversaries; i < agents; i++) {
        const pursuers = countOverlaps(world, i, 0, adversaries);
        caught += pursuers;
        putStrayPenalty(world.x, i, penalty, 0);
        putStrayPenalty(world.y, i, penalty, 1);
        out[i] = -10 * pursuers - penalty[0] - penalty[1];
      }
      for (let i = 0; i < adversaries; i++) out[i] = 10 * caught;
    },
    goals: () => [],
    sides: {
      adversaries,
      team: Array.from({ length: adversaries }, (_, i) => i),
      script: flee(world, adversaries, agents, world.entities),
    },
    ...(config.terminateOnSuccess && {
      ending: {
        success: "every prey is caught by some pursuer",
        reached() {
          for (let i = adversaries; i < agents; i++) {
            if (countOverlaps(world, i, 0, adversaries) === 0) return false;
          }
          return true;
        },
      },
    }),
  };
}

function pursuer(k: number): AgentBody {
  return {
    name: `adversary_${k}`,
    kind: "adversary",
    colour: [0.85, 0.35, 0.35],
    size: 0.075,
    collides: true,
    moves: true,
    speaks: false,
    acceleration: 3,
    topSpeed: 1,
  };
}

function prey(k: number, curriculum: 0 | 1 | 2): AgentBody {
  return {
    name: `agent_${k}`,
    kind: "agent",
    colour: [0.35, 0.85, 0.35],
    size: 0.05,
    collides: true,
    moves: true,
    speaks: false,
    acceleration: 4 * vigour[curriculum],
    topSpeed: 1.3 * vigour[curriculum],
  };
}
