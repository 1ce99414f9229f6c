/**
 * From dense to empty DAGs (Context-aware BN, Section 7.4.4): what density learned DAGs are pulled to, and how strongly,
 * in the course of a run. Agents first act on what others do and end up acting alone.
 */
import { z } from "zod";

const share = z.number().min(0).max(1);

export const annealingSchema = z
  .strictObject({
    thin: share.default(0.4).describe("Share of the run from which the target density falls from 1"),
    empty: share.default(0.7).describe("Share of the run at which the target density is 0"),
    firm: share
      .default(0.8)
      .describe("Share of the run at which the final weight is reached, from `empty` on"),
    steps: z.int().min(1).default(40).describe("Equal steps in which density and weight change"),
    weight: z.number().min(0).default(0.05).describe("Weight of the distance from the target density"),
    finalWeight: z.number().min(0).default(0.5).describe("Weight at the end"),
    alphaStep: z
      .enum(["table", "code"])
      .default("table")
      .describe(
        "How the weight rises: in equal steps, or as in published code, where a step is the rise over the length of a " +
          "step in updates, and 1 is the limit",
      ),
  })
  .refine(({ thin, empty, firm }) => thin <= empty && empty <= firm, {
    error: "expected thin <= empty <= firm, shares of the run in this order",
  });

export type Annealing = z.output<typeof annealingSchema>;

/** The term `weight |density - target|` of the policy's loss; density is the mean over a batch. */
export interface DensityPull {
  /** eta, in `[0, 1]` */
  readonly target: number;
  /** alpha */
  readonly weight: number;
}

/**
 * The pull at a share `progress` of the run. It depends on nothing else but for `alphaStep: "code"`, where the number
 * of updates of the whole run decides how long a step is.
 */
export function annealedPull(annealing: Annealing, progress: number, updates: number): DensityPull {
  const { thin, empty, firm, steps, weight, finalWeight, alphaStep } = annealing;
  const stepsDone = (from: number, to: number): number =>
    progress >= to ? steps : Math.max(0, Math.floor(((progress - from) / (to - from)) * steps + 1e-9));
  const target = 1 - stepsDone(thin, empty) / steps;
  if (alphaStep === "table") {
    return { target, weight: weight + ((finalWeight - weight) * stepsDone(empty, firm)) / steps };
  }
  const interval = Math.max(1, Math.floor(((firm - empty) * updates) / steps + 1e-9));
  const since = Math.round((progress - empty) * updates);
  const taken = Math.max(0, Math.floor(since / interval));
  const rise = ((finalWeight - weight) / interval) * taken;
  return { target, weight: Math.min(Math.max(1, weight), weight + rise) };
}
