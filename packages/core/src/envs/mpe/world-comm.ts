import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { obstacles } from "./landmarks.ts";
import { flee } from "./opponents.ts";
import type { Scenario } from "./scenario.ts";
import { count, opposedSettings, refuseIdleOpponents } from "./settings.ts";
import { putMessage, putOffset, putOffsets, putPosition, putVelocity, putZeros } from "./views.ts";
import {
  type AgentBody,
  type Body,
  countOverlaps,
  createWorld,
  nearestBody,
  overlap,
  putDistance,
  putStrayPenalty,
} from "./world.ts";

export const worldCommConfig = z
  .strictObject({
    adversaries: count.default(4).describe("Pursuers, the first of the agents; the first of them leads"),
    goodAgents: count.default(2).describe("Prey, faster than the pursuers"),
    obstacles: z.int().min(0).max(1000).default(1),
    food: count.default(2),
    forests: z.int().min(0).max(1000).default(2).describe("Places that hide who is inside from who is not"),
    ...opposedSettings,
  })
  .superRefine(refuseIdleOpponents);

export type WorldCommConfig = z.output<typeof worldCommConfig>;

/** Number of the agent that speaks. */
const leader = 0;

/**
 * Slow pursuers with a leader who speaks chase fast prey that wants food and can hide in forests.
 *
 * An agent sees another if both are in the same forest, if both are in none, or if it is the leader. Own reward of a pursuer:
 * 5 for each pair of prey and pursuer that collides, minus a tenth of its distance to the nearest prey. Of prey: -5 for each
 * pursuer that it collides with, twice what straying costs, 2 for each food it is at, minus a twentieth of its distance to
 * the nearest food. Observation: own velocity and position, landmarks, other agents that are seen, velocities of prey seen,
 * whether one is in each forest (1 or -1; for prey this comes before the velocities) and, for pursuers, what the leader said.
 */
export const worldComm = defineParticleEnv({
  name: "mpe/world-comm",
  suiteVersion: 3,
  description: "Pursuers with a leader who speaks hunt prey that feeds and hides in forests.",
  config: worldCommConfig,
  suiteSettings: {
    num_good: "goodAgents",
    num_adversaries: "adversaries",
    num_obstacles: "obstacles",
    num_food: "food",
    num_forests: "forests",
  },
  create: createWorldComm,
});

function createWorldComm(config: WorldCommConfig): Scenario {
  const { adversaries, goodAgents, food, forests } = config;
  const agents = adversaries + goodAgents;
  const world = createWorld(
    4,
    Array.from({ length: agents }, (_, i) => (i < adversaries ? pursuer(i) : prey(i - adversaries))),
    [
      ...obstacles(config.obstacles),
      ...Array.from({ length: food }, (_, k) => foodItem(k)),
      ...Array.from({ length: forests }, (_, k) => forest(k)),
    ],
  );
  const { entities } = world;
  const firstFood = agents + config.obstacles;
  const firstForest = firstFood + food;

  // Along each axis, and to the nearest of what an agent wants.
  const penalty = new Float64Array(2);
  const away = new Float64Array(1);

  const sees = (viewer: number, other: number): boolean => {
    if (viewer === leader) return true;
    let hidden = false;
    for (let f = firstForest; f < entities; f++) {
      const inside = overlap(world, viewer, f);
      const otherInside = overlap(world, other, f);
      if (inside && otherInside) return true;
      hidden ||= inside || otherInside;
    }
    return !hidden;
  };
  const putVelocitiesSeen = (viewer: number, out: Float64Array, at: number): number => {
    let to = at;
    for (let other = adversaries; other < agents; other++) {
      if (other === viewer) continue;
      to = sees(viewer, other) ? putVelocity(world, other, out, to) : putZeros(out, to, 2);
    }
    return to;
  };
  const putForests = (viewer: number, out: Float64Array, at: number): number => {
    for (let f = 0; f < forests; f++) out[at + f] = overlap(world, viewer, firstForest + f) ? 1 : -1;
    return at + forests;
  };

  const base = 4 + 2 * (entities - agents) + 2 * (agents - 1) + forests;
  return {
    world,
    landmarkRange: 0.9,
    observationSizes: Array.from({ length: agents }, (_, i) =>
      i < adversaries ? base + 2 * goodAgents + world.words : base + 2 * (goodAgents - 1),
    ),
    secrets: new Int32Array(0),
    sees,
    observe(agent, out, at) {
      let to = putVelocity(world, agent, out, at);
      to = putPosition(world, agent, out, to);
      to = putOffsets(world, agent, agents, entities, out, to);
      for (let other = 0; other < agents; other++) {
        if (other === agent) continue;
        to = sees(agent, other) ? putOffset(world, agent, other, out, to) : putZeros(out, to, 2);
      }
      if (agent < adversaries) {
        to = putVelocitiesSeen(agent, out, to);
        to = putForests(agent, out, to);
        putMessage(world, leader, out, to);
      } else {
        to = putForests(agent, out, to);
        putVelocitiesSeen(agent, out, to);
      }
    },
    reward(out) {
      let caught = 0;
      for (let i = adversaries; i < agents; i++) {
        const pursuers = countOverlaps(world, i, 0, adversaries);
        caught += pursuers;
        putStrayPenalty(world.x, i, penalty, 0);
        putStrayPenalty(world.y, i, penalty, 1);
        const meals = countOverlaps(world, i, firstFood, firstForest);
        putDistance(world, i, nearestBody(world, i, firstFood, firstForest), away, 0);
        out[i] = -5 * pursuers - 2 * (penalty[0] + penalty[1]) + 2 * meals - 0.05 * away[0];
      }
      for (let i = 0; i < adversaries; i++) {
        putDistance(world, i, nearestBody(world, i, adversaries, agents), away, 0);
        out[i] = 5 * caught - 0.1 * away[0];
      }
    },
    goals: () => [],
    sides: {
      adversaries,
      team: Array.from({ length: adversaries }, (_, i) => i),
      script: flee(world, adversaries, agents, firstFood),
    },
  };
}

function pursuer(i: number): AgentBody {
  const leads = i === leader;
  return {
    name: leads ? "leadadversary_0" : `adversary_${i - 1}`,
    kind: leads ? "leader" : "adversary",
    colour: leads ? [0.65, 0.15, 0.15] : [0.95, 0.45, 0.45],
    size: 0.075,
    collides: true,
    moves: true,
    speaks: leads,
    acceleration: 3,
    topSpeed: 1,
  };
}

function prey(k: number): AgentBody {
  return {
    name: `agent_${k}`,
    kind: "agent",
    colour: [0.45, 0.95, 0.45],
    size: 0.045,
    collides: true,
    moves: true,
    speaks: false,
    acceleration: 4,
    topSpeed: 1.3,
  };
}

const foodItem = (k: number): Body => ({
  name: `food ${k}`,
  kind: "food",
  colour: [0.15, 0.15, 0.65],
  size: 0.03,
  collides: false,
});

const forest = (k: number): Body => ({
  name: `forest ${k}`,
  kind: "forest",
  colour: [0.6, 0.9, 0.6],
  size: 0.3,
  collides: false,
});
