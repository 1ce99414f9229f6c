/** Settings of the learners of deterministic actors on real-valued actions that MAStAC is compared with. */
import { z } from "zod";
import { headKinds } from "../models/index.ts";
import type { Preset } from "./algorithm.ts";
import { type OffPolicyConfig, offPolicySettings } from "./off-policy.ts";

const widths = z.array(z.int().min(1));

/** Settings to be spread into a schema, with the algorithm's own defaults. */
export const controlSettings = (defaults: ControlDefaults) =>
  ({
    environments: offPolicySettings.environments,
    rolloutSteps: z
      .int()
      .min(0)
      .default(defaults.rolloutSteps)
      .describe("Steps per environment between updates; 0 stands for one full episode"),
    updates: offPolicySettings.updates,
    cycles: offPolicySettings.cycles,
    replayCapacity: z
      .int()
      .min(1)
      .default(defaults.replayCapacity)
      .describe("Most transitions that are kept"),
    batchSize: z.int().min(1).default(defaults.batchSize).describe("Transitions of an update"),
    learningStarts: z
      .int()
      .min(0)
      .default(defaults.learningStarts)
      .describe("Transitions stored before the first update; at least a batch"),
    sampling: z
      .enum(["without-replacement", "with-replacement"])
      .default(defaults.sampling)
      .describe("Whether one update can draw the same transition twice"),
    discount: z.number().min(0).max(1).default(defaults.discount).describe("Discount of future rewards"),
    truncationIsTerminal: offPolicySettings.truncationIsTerminal,
    actorLearningRate: z
      .number()
      .positive()
      .default(defaults.actorLearningRate)
      .describe("Adam's step size for actors"),
    criticLearningRate: z
      .number()
      .positive()
      .default(defaults.criticLearningRate)
      .describe("Adam's step size for critics"),
    optimiserEpsilon: z
      .number()
      .positive()
      .default(defaults.optimiserEpsilon)
      .describe("What Adam adds to its denominator"),
    maxGradientNorm: z
      .number()
      .min(0)
      .default(defaults.maxGradientNorm)
      .describe("Norm that gradients are clipped to; 0 for no clipping"),
    targetRate: z
      .number()
      .positive()
      .max(1)
      .default(defaults.targetRate)
      .describe("Share of the present networks mixed into the targets after an update"),
    actorHidden: widths
      .default([...defaults.hidden])
      .describe("Widths of the actors' hidden layers; none makes them linear"),
    criticHidden: widths.default([...defaults.hidden]).describe("Widths of the critics' hidden layers"),
    actorOutputGain: z
      .number()
      .positive()
      .default(1)
      .describe("Factor on the first weights of the actors' last layer"),
    head: z
      .enum(["auto", ...headKinds])
      .default("auto")
      .describe(
        "Actions: a tanh over their range (box); shares as a softmax whose logits take Gumbel noise, in updates too " +
          "(simplex), or normal noise while exploring (simplex-gauss); auto: box, or simplex-gauss for shares",
      ),
    deviation: z
      .number()
      .min(0)
      .optional()
      .describe(
        "Noise: of logits, or as a share of half a range; by default 0.1 of a range, 0.3 for simplex-gauss, 1 for simplex",
      ),
    uniformSteps: z
      .int()
      .min(0)
      .default(defaults.uniformSteps)
      .describe("Environment steps at the beginning in which actions are drawn uniformly"),
    actionPenalty: z
      .number()
      .min(0)
      .default(defaults.actionPenalty)
      .describe("Weight in the actors' loss of the mean square of what their last layer gives"),
    rewardScale: z.number().positive().default(1).describe("Factor on rewards in critics' targets"),
    rivals: offPolicySettings.rivals,
  }) as const;

export interface ControlDefaults {
  readonly rolloutSteps: number;
  readonly replayCapacity: number;
  readonly batchSize: number;
  readonly learningStarts: number;
  readonly sampling: OffPolicyConfig["sampling"];
  readonly discount: number;
  readonly actorLearningRate: number;
  readonly criticLearningRate: number;
  readonly optimiserEpsilon: number;
  readonly maxGradientNorm: number;
  readonly targetRate: number;
  readonly hidden: readonly number[];
  readonly uniformSteps: number;
  readonly actionPenalty: number;
}

export type ControlConfig = z.output<z.ZodObject<ReturnType<typeof controlSettings>>>;

/**
 * What the off-policy loop is told. Its epsilon falls to 0 at the end of the steps that are drawn uniformly; targets are
 * the updates' own matter.
 */
export const controlLoop = (config: ControlConfig): OffPolicyConfig => ({
  ...config,
  replayUnit: "transition",
  epsilonStart: config.uniformSteps > 0 ? 1 : 0,
  epsilonEnd: 0,
  epsilonSteps: Math.max(1, config.uniformSteps),
  optimiser: "adam",
  learningRate: config.criticLearningRate,
  targetInterval: 1,
  targetRate: undefined,
  standardiseRewards: false,
});

/** How `agentLearnable` and `targetedLearnable` are to step. */
export const adamOptions = ({ optimiserEpsilon: epsilon, maxGradientNorm }: ControlConfig) => ({
  epsilon,
  maxGradientNorm,
});

/**
 * Presets for the three problems of MABN, which says nothing of the settings of the methods that it compares with; here they get
 * those of MAStAC: networks, noise, step sizes, discounts, and one update after each episode.
 *
 * @param more settings of the algorithm that every preset has beside these
 */
export function paperPresets(more: Preset["config"]) {
  const settings = {
    rolloutSteps: 0,
    replayCapacity: 100_000,
    batchSize: 256,
    learningStarts: 0,
    sampling: "without-replacement",
    targetRate: 0.01,
    optimiserEpsilon: 1e-8,
    maxGradientNorm: 0,
    uniformSteps: 0,
    actionPenalty: 0,
    criticHidden: [64, 64, 64],
    ...more,
  };
  const warehouses = { ...settings, actorHidden: [64, 64, 64], discount: 0.95 };
  return {
    paperNine: {
      description: "MABN's settings of MAStAC for nine warehouses",
      config: { ...warehouses, actorLearningRate: 1e-4, criticLearningRate: 1e-3 },
    },
    paperRing: {
      description: "MABN's settings of MAStAC for the ring of 40 warehouses, with more noise",
      config: { ...warehouses, actorLearningRate: 5e-4, criticLearningRate: 5e-3, deviation: 1 },
    },
    paperTemperature: {
      description: "MABN's settings of MAStAC for 40 zones: linear actors, discount 0.9",
      config: {
        ...settings,
        actorHidden: [],
        discount: 0.9,
        actorLearningRate: 1e-4,
        criticLearningRate: 1e-3,
      },
    },
  } satisfies Record<string, Preset>;
}
