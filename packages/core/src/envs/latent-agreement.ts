import { z } from "zod";
import { allChoose } from "./agreement.ts";
import { defineEnv } from "./definition.ts";
import { createOneStepGame, oneIf } from "./one-step-game.ts";

/**
 * Latent agreement (AGP, Theorem 3.1): a fair bit is drawn that no agent sees, and the team earns 1 if all agents
 * choose it. No policy of the observations, joint or not, is right more than half of the time.
 *
 * Observation of every agent: 0. State: the bit, so whatever acts on the state can do better than any agent.
 */
export const latentAgreement = defineEnv({
  name: "latent-agreement",
  description: "All agents should choose a hidden fair bit; they see nothing.",
  config: z.strictObject({ agents: z.int().min(2).max(1000).default(2).describe("N") }),
  create: ({ agents }) =>
    createOneStepGame({
      id: "latent-agreement",
      actions: new Array<number>(agents).fill(2),
      success: "all agents choose the hidden bit",
      states: [[0], [1]],
      ...oneIf(([bit], actions) => allChoose(bit, actions)),
    }),
});
