import { z } from "zod";
import { defineEnv } from "./definition.ts";
import { countActing, createOneStepGame, type OneStepRules, oneIf } from "./one-step-game.ts";

/**
 * One-hot (AGP, Theorem C.1): the team earns 1 if exactly one agent acts (1). Agents with fixed roles reach that; to
 * act one at a time and each equally often, they must share something random.
 *
 * Observation of every agent, and the state: 0. With `sharedNoise`, observation of agent `i`: a number `w` uniform in
 * [0, 1) that all agents see, then the one-hot number of the agent; state: `w`. If agent `floor(N w)` acts, exactly
 * one does, and each with probability `1/N`.
 */
export const oneHot = defineEnv({
  name: "one-hot",
  description: "Exactly one agent should act; they see nothing, or a random number they share.",
  config: z.strictObject({
    agents: z.int().min(2).max(1000).default(6).describe("N"),
    sharedNoise: z
      .boolean()
      .default(false)
      .describe("Whether agents see a random number common to all, and who they are"),
  }),
  create: ({ agents, sharedNoise }) =>
    createOneStepGame({
      id: "one-hot",
      actions: new Array<number>(agents).fill(2),
      success: "exactly one agent acts",
      ...(sharedNoise ? noiseAndIdentity(agents) : {}),
      ...oneIf((_, actions) => countActing(actions) === 1),
    }),
});

function noiseAndIdentity(agents: number): Pick<OneStepRules, "states" | "observation"> {
  return {
    states: { size: 1, draw: (rng, noise) => rng.fillUniform(noise) },
    observation: {
      size: 1 + agents,
      write(noise, out, at) {
        for (let i = 0; i < agents; i++) {
          out[at++] = noise[0];
          for (let j = 0; j < agents; j++) out[at++] = i === j ? 1 : 0;
        }
      },
    },
  };
}
