import { z } from "zod";
import type { Preset } from "./algorithm.ts";

/** Settings of the agents' network, to be spread into a schema; defaults are those of PyMARL. */
export const agentSettings = {
  hidden: z.int().min(1).default(64).describe("Width of the agents' network"),
  recurrent: z
    .boolean()
    .default(true)
    .describe("Whether agents remember the episode, by a gated recurrent unit in place of the second layer"),
  lastAction: z.boolean().default(true).describe("Whether an agent is told its own last action"),
  agentId: z
    .boolean()
    .default(true)
    .describe("Whether an agent is told which one it is; all share one network"),
} as const;

/** Settings of exploration by random actions, to be spread into a schema, with its length. */
export const explorationSettings = (defaults: { readonly steps: number }) =>
  ({
    epsilonStart: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe("Probability of a random action at the beginning"),
    epsilonEnd: z.number().min(0).max(1).default(0.05).describe("Probability of a random action in the end"),
    epsilonSteps: z
      .int()
      .min(1)
      .default(defaults.steps)
      .describe("Environment steps from the one to the other, in a line"),
  }) as const;

/** Settings of a monotonic mixing network, to be spread into a schema, with the algorithm's own default. */
export const mixingSettings = (defaults: { readonly embedding: number }) =>
  ({
    embedding: z
      .int()
      .min(1)
      .default(defaults.embedding)
      .describe("Width of the mixing network's hidden layer"),
    hypernetHidden: z
      .int()
      .min(0)
      .default(64)
      .describe("Width of the hidden layer between state and mixing weights; 0 for none"),
  }) as const;

/** What all methods that learn from a replay have in common in particle environments. */
export const particleLoop = {
  mpe: {
    replayUnit: "episode",
    optimiser: "adam",
    replayCapacity: 5000,
    standardiseRewards: true,
  },
  "mpe-fast": {
    environments: 8,
    rolloutSteps: 1,
    cycles: 100,
    batchSize: 128,
    replayCapacity: 50_000,
    optimiser: "adam",
    learningRate: 1e-3,
    targetInterval: 64,
    standardiseRewards: true,
  },
} as const;

/** Steps over which methods that explore at random cease to, with the loop `mpe-fast`. */
export const particleExploration = { epsilonSteps: 20_000 } as const;

/** What particle environments' presets are for. */
export const particlePurposes = {
  mpe:
    "for particle environments, as PyMARL and EPyMARL have it: 32 episodes after each episode, Adam at 5e-4, exploration that " +
    "fades over 50 000 steps, standardised rewards, a time limit that is no end",
  "mpe-fast":
    "for particle environments on few cores: 128 transitions after every 8 steps, Adam at 1e-3, exploration that fades over " +
    "20 000 steps, standardised rewards",
} as const;

const withoutMemory = { recurrent: false, lastAction: false } as const;

/** Presets that the value methods have in common. */
export const valuePresets = {
  pymarl: {
    description:
      "the defaults: PyMARL's network with memory, RMSprop, one update of 32 episodes after each episode",
    config: {},
  },
  epymarl: {
    description:
      "EPyMARL's: no memory, Adam, standardised rewards, a time limit that counts as an end; the target is copied every " +
      "200 episodes, which stands for 200 updates",
    config: {
      recurrent: false,
      lastAction: false,
      replayUnit: "episode",
      optimiser: "adam",
      standardiseRewards: true,
      truncationIsTerminal: true,
    },
  },
  agpPaper: {
    description:
      "what AGP says of all methods that it compares, Adam at 5e-4, batches of 32 and a replay of 50 000, which count " +
      "episodes here, with EPyMARL's networks",
    config: {
      recurrent: false,
      lastAction: false,
      replayUnit: "episode",
      replayCapacity: 50_000,
      optimiser: "adam",
    },
  },
  mpe: { description: particlePurposes.mpe, config: { ...withoutMemory, ...particleLoop.mpe } },
  "mpe-fast": {
    description: particlePurposes["mpe-fast"],
    config: { ...withoutMemory, ...particleLoop["mpe-fast"], ...particleExploration },
  },
  fast: {
    description:
      "for games of one step such as Top-K: 64 samples after every 32 fresh episodes, Adam at 1e-3, exploration that " +
      "fades over 20 000 episodes, no memory",
    config: {
      recurrent: false,
      lastAction: false,
      environments: 32,
      batchSize: 64,
      replayCapacity: 50_000,
      optimiser: "adam",
      learningRate: 1e-3,
      epsilonSteps: 20_000,
    },
  },
} as const satisfies Record<string, Preset>;

/** What agents tell each other when they act, for a learner's facts. */
export const communication = {
  none: "none: each agent acts on its own observations",
  observations: "every agent is told all agents' observations before each action",
} as const;
