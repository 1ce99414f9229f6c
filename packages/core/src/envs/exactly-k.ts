import { z } from "zod";
import { defineEnv } from "./definition.ts";
import { fewerThanAgents } from "./fewer-than-agents.ts";
import { countActing, createOneStepGame, oneIf } from "./one-step-game.ts";

/**
 * Exactly-K (AGP): agents act (1) or not (0), and the team earns 1 if exactly `k` of them act. Agents that
 * all act with one probability reach at most `C(N, K) (K/N)^K (1 - K/N)^(N - K)`; agents with fixed roles reach 1.
 *
 * Observation of every agent, and the state: 0.
 */
export const exactlyK = defineEnv({
  name: "exactly-k",
  description: "Exactly K agents should act; they see nothing.",
  config: z
    .strictObject({
      agents: z.int().min(2).max(1000).default(6).describe("N"),
      k: z.int().min(1).default(2).describe("K: how many should act, fewer than agents"),
    })
    .superRefine(fewerThanAgents),
  create: ({ agents, k }) =>
    createOneStepGame({
      id: "exactly-k",
      actions: new Array<number>(agents).fill(2),
      success: k === 1 ? "exactly one agent acts" : `exactly ${k} agents act`,
      ...oneIf((_, actions) => countActing(actions) === k),
    }),
});
