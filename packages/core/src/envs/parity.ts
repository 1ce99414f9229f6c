import { z } from "zod";
import { defineEnv } from "./definition.ts";
import { countActing, createOneStepGame, oneIf } from "./one-step-game.ts";

/**
 * Parity (AGP, Theorem B.1): the team earns 1 if an even number of agents act (1). From three agents on, no sum of
 * payoffs of single agents and pairs of agents fits this reward with a smaller squared error than the constant 1/2.
 *
 * Observation of every agent, and the state: 0.
 */
export const parity = defineEnv({
  name: "parity",
  description: "An even number of agents should act; they see nothing.",
  config: z.strictObject({ agents: z.int().min(2).max(1000).default(3).describe("N") }),
  create: ({ agents }) =>
    createOneStepGame({
      id: "parity",
      actions: new Array<number>(agents).fill(2),
      success: "an even number of agents act",
      ...oneIf((_, actions) => countActing(actions) % 2 === 0),
    }),
});
