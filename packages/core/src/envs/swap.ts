import { z } from "zod";
import { defineEnv } from "./definition.ts";
import { agentCircle, createOneStepGame, oneIf } from "./one-step-game.ts";

/**
 * Swap: two agents see a fair bit each, and the team earns 1 if each chooses the bit that the other one sees. Agents
 * that see only their own bit are right at most half of the time; seeing both, always.
 *
 * Observation of agent `i`: its bit. State: both bits `[2]`.
 */
export const swap = defineEnv({
  name: "swap",
  description: "Each of two agents should choose the bit that the other one sees.",
  config: z.strictObject({}),
  create: () =>
    createOneStepGame({
      id: "swap",
      actions: [2, 2],
      success: "each agent chooses the bit the other one sees",
      states: [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ],
      observation: {
        size: 1,
        write(bits, out, at) {
          out[at] = bits[0];
          out[at + 1] = bits[1];
        },
      },
      ...oneIf((bits, actions) => actions[0] === bits[1] && actions[1] === bits[0]),
      // What each agent sees above, what it chooses below.
      picture: (bits, actions) => ({
        width: 2,
        height: 2,
        shapes: [0, 1].flatMap((i) => [
          { kind: "rectangle", x: i + 0.2, y: 0.2, width: 0.6, height: 0.6, label: String(bits[i]) } as const,
          agentCircle(i + 0.5, 1.5, actions?.[i]),
        ]),
      }),
    }),
});
