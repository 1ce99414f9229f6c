import { z } from "zod";

const shared = {
  actions: z
    .enum(["discrete", "continuous"])
    .default("discrete")
    .describe("One choice of moves and words, or numbers in [0, 1] for each direction and word"),
  rewards: z
    .enum(["sum", "mean", "individual"])
    .default("sum")
    .describe(
      "The team's reward is the sum or the mean of its agents' own; individual is the sum, with own rewards told to learners that want them",
    ),
  integrator: z
    .enum(["mpe2", "velocityFirst"])
    .default("mpe2")
    .describe(
      "mpe2 moves with the velocity before the step; velocityFirst, as older versions, with the one after",
    ),
  horizon: z.int().min(1).default(25).describe("Steps of an episode"),
};

/** Settings of every game without opponents. */
export const cooperativeSettings = {
  protocol: z.literal("joint").default("joint").describe("Everybody is in the team"),
  ...shared,
};

/** Settings of every game of two sides. */
export const opposedSettings = {
  protocol: z
    .enum(["joint", "team", "mixed"])
    .default("joint")
    .describe(
      "joint: one team of everybody, both sides; team: one side, against opponents that do not learn; mixed: the same side, " +
        "against independent Q-learners that train at the same time on their own rewards",
    ),
  opponents: z
    .enum(["scripted", "random", "noop"])
    .optional()
    .describe("How the other side plays when protocol=team: scripted when left out"),
  ...shared,
};

/** What is common to the settings of all games. */
export interface ParticleConfig {
  readonly protocol: "joint" | "team" | "mixed";
  readonly opponents?: "scripted" | "random" | "noop";
  readonly actions: "discrete" | "continuous";
  readonly rewards: "sum" | "mean" | "individual";
  readonly integrator: "mpe2" | "velocityFirst";
  readonly horizon: number;
}

/** To be given to `superRefine`: only under `protocol=team` is there a choice of opponents. */
export function refuseIdleOpponents(
  { protocol, opponents }: Pick<ParticleConfig, "protocol" | "opponents">,
  { addIssue }: { readonly addIssue: (issue: { code: "custom"; path: string[]; message: string }) => void },
): void {
  if (protocol === "team" || opponents === undefined) return;
  const why = protocol === "joint" ? "under joint everybody learns" : "under mixed they are Q-learners";
  addIssue({ code: "custom", path: ["opponents"], message: `expected protocol=team beside it: ${why}` });
}

/** How many there are of something that there must be. */
export const count = z.int().min(1).max(1000);

export const localRatio = z
  .number()
  .min(0)
  .max(1)
  .default(0.5)
  .describe("Weight of an agent's own reward beside the common one, which has the rest");

export const terminateOnSuccess = z.boolean().default(false);

/** Observations of the nearest only. */
export const sightSettings = {
  agentNeighbours: count
    .optional()
    .describe(
      "Observe this many of the nearest agents, nearest first, with zeros for missing ones; else all",
    ),
  landmarkNeighbours: count
    .optional()
    .describe(
      "Observe this many of the nearest landmarks, nearest first, with zeros for missing ones; else all",
    ),
};
