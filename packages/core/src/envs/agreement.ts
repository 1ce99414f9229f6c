import { z } from "zod";
import { defineEnv } from "./definition.ts";
import type { JointAction } from "./env.ts";
import { createOneStepGame, oneIf } from "./one-step-game.ts";

/**
 * Agreement (AGP, Theorem 3.1): the team earns 1 if all agents choose the same action. Agents that never see each
 * other can: any fixed choice will do.
 *
 * Observation of every agent, and the state: 0.
 */
export const agreement = defineEnv({
  name: "agreement",
  description: "All agents should choose the same action; they see nothing.",
  config: z.strictObject({
    agents: z.int().min(2).max(1000).default(2).describe("N"),
    actions: z.int().min(2).max(1000).default(2).describe("Actions of each agent"),
  }),
  create: ({ agents, actions }) =>
    createOneStepGame({
      id: "agreement",
      actions: new Array<number>(agents).fill(actions),
      success: "all agents choose the same action",
      ...oneIf((_, chosen) => allChoose(chosen[0], chosen)),
    }),
});

/** Whether every agent chooses this action. */
export function allChoose(action: number, actions: JointAction): boolean {
  for (let i = 0; i < actions.length; i++) if (actions[i] !== action) return false;
  return true;
}
