/** What the methods with maximum-entropy policies under mixed critics (FOP, MACPF) have in common. */
import { z } from "zod";
import { InputError } from "../errors.ts";
import { lambdaReturns, type SegmentShape, type Segments } from "../learn/index.ts";
import { type Expr, exp, mean, mul, neg, slice, sub, sum, weightedMean } from "../tensor/index.ts";
import type { Experience } from "./double-q.ts";

/** Settings of soft critics, to be spread into a schema behind those of off-policy algorithms. */
export const softCriticSettings = {
  learningStarts: z
    .int()
    .min(0)
    .default(100)
    .describe("Transitions or episodes stored before the first update; at least a batch"),
  traceDecay: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe("Lambda of the TD(lambda) targets, which look ahead within a replayed segment"),
  codeEntropyTerm: z
    .boolean()
    .default(false)
    .describe(
      "Add the next moment's entropy to targets as the published code does: not discounted, and behind an end too",
    ),
} as const;

/** Settings of what entropy weighs in the course of a run, to be spread into a schema, with the algorithm's own defaults. */
export const temperatureSettings = (defaults: { readonly start: number; readonly end: number }) =>
  ({
    temperatureStart: z
      .number()
      .positive()
      .default(defaults.start)
      .describe("Weight of the policies' entropy at the beginning"),
    temperatureEnd: z.number().positive().default(defaults.end).describe("Weight of the entropy in the end"),
    temperatureSteps: z
      .int()
      .min(1)
      .default(90_000)
      .describe("Environment steps from the one to the other, in a line"),
  }) as const;

type SoftCriticConfig = z.output<z.ZodObject<typeof softCriticSettings>> & { readonly discount: number };

/**
 * Whether anything follows the last step of segments.
 *
 * @throws InputError when the entropy behind the only step of a game is asked for
 */
export function bootstraps(
  name: string,
  { steps, moments }: SegmentShape,
  { codeEntropyTerm }: SoftCriticConfig,
): boolean {
  if (moments === steps && codeEntropyTerm) {
    throw new InputError(
      `${name}.codeEntropyTerm: got true for a game of one step, which has no next moment; expected false`,
    );
  }
  return moments > steps;
}

/** The part of the experience at the moments at which agents act. */
export function whileActing({ observations, states, available, actions }: Experience) {
  const [steps] = actions.shape;
  const acting = (a: Expr): Expr => slice(a, 0, 0, steps);
  return {
    observations: acting(observations),
    states: acting(states),
    available: available && acting(available),
    actions,
  };
}

/**
 * What a soft policy makes smaller: `sum_a pi(a) (temperature log pi(a) - Q(a))`, mean over agents and over the steps
 * that were played; and the mean entropy of its agents.
 *
 * @param logProbabilities of all actions, `[T, B, N, A]`
 * @param utilities of all actions, `[T, B, N, A]`
 * @param mask `[T, B]`
 */
export function softPolicyLoss(
  logProbabilities: Expr,
  utilities: Expr,
  temperature: Expr,
  mask: Expr,
): { readonly loss: Expr; readonly entropy: Expr } {
  const expected = (a: Expr): Expr => {
    const perAgent = sum(mul(exp(logProbabilities), a), [3]);
    return weightedMean(mean(perAgent, [2]), mask);
  };
  return {
    loss: expected(sub(mul(logProbabilities, temperature), utilities)),
    entropy: neg(expected(logProbabilities)),
  };
}

/**
 * TD(lambda) targets with the entropy of what follows: `G_t - discount (1 - d_t) temperature log pi_{t+1}`.
 *
 * @param values of the joint actions drawn at all moments, `[M, B]`
 * @param logProbabilities mean over agents of the log-probability of the actions drawn, `[M, B]`
 * @param targets written, `[T, B]`
 */
export function softTargets(
  segments: Segments,
  values: Float32Array,
  logProbabilities: Float32Array,
  temperature: number,
  { discount, traceDecay, codeEntropyTerm }: SoftCriticConfig,
  targets: Float32Array,
): void {
  const { terminated, size } = segments;
  lambdaReturns(segments, values, discount, traceDecay, targets);
  for (let k = 0; k < targets.length; k++) {
    const share = codeEntropyTerm ? 1 : discount * (1 - terminated[k]);
    targets[k] -= share * temperature * logProbabilities[k + size];
  }
}
