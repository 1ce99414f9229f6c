/**
 * PPO's clipped objective with an entropy bonus (Schulman et al. 2017, equations 7 and 9), each agent's ratio for itself,
 * on rows of which each stands for many samples: what the policy's steps with given and with learned DAGs share.
 */
import type { Learnable, Rollout } from "../learn/index.ts";
import type { ConditionalRows, DagChoices, JointSamples } from "../models/index.ts";
import {
  add,
  type Expr,
  exp,
  float32,
  maximum,
  minimum,
  mul,
  neg,
  sub,
  sum,
  type Views,
} from "../tensor/index.ts";
import type { Metrics } from "../training/index.ts";
import type { DensityPull } from "./mappo-annealing.ts";

/** What a step scores: joint decisions of all agents, and where the DAGs among them came from. */
export interface Decisions extends JointSamples {
  readonly dagChoices?: DagChoices;
}

/** One step on the minibatch it was prepared for, until the next is prepared. */
export type PolicyStep = (entropyCoefficient: number, pull: DensityPull) => Promise<Metrics>;

export interface PolicyStepper {
  /** @param chosen whether the present parameters made the choices of learned DAGs */
  prepare(
    minibatch: Int32Array,
    decisions: Decisions,
    advantages: Float64Array,
    chosen: boolean,
  ): Promise<PolicyStep>;
  dispose(): Promise<void>;
}

// ── The objective ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Inputs of the clipped objective by row and action, `[K, A]`, and the rows' weights `[K]`. */
export const objectiveInputs = (rows: number, actions: number) =>
  ({
    oldLogProbabilities: float32(rows, actions),
    positive: float32(rows, actions),
    negative: float32(rows, actions),
    weight: float32(rows),
    entropyCoefficient: float32(),
  }) as const;

type ObjectiveLeaves = Readonly<Record<keyof ReturnType<typeof objectiveInputs>, Expr>>;

/** The loss of log-probabilities `[K, A]`, and its parts. */
function clippedObjective(logProbabilities: Expr, leaves: ObjectiveLeaves, clipRange: number) {
  const ratio = exp(sub(logProbabilities, leaves.oldLogProbabilities));
  // min(rA, clip(r)A) is A min(r, 1 + clip) for positive and A max(r, 1 - clip) for negative advantages.
  const gain = add(
    mul(leaves.positive, minimum(ratio, 1 + clipRange)),
    mul(leaves.negative, maximum(ratio, 1 - clipRange)),
  );
  const rowEntropy = neg(sum(mul(exp(logProbabilities), logProbabilities), [1]));
  const entropy = sum(mul(rowEntropy, leaves.weight));
  const policyLoss = neg(sum(gain));
  return { policyLoss, entropy, loss: sub(policyLoss, mul(entropy, leaves.entropyCoefficient)) };
}

/** A step of the policy's optimiser on the clipped objective of log-probabilities `[K, A]`. */
export function clippedStep(
  network: Learnable,
  logProbabilities: Expr,
  views: Views,
  leaves: ObjectiveLeaves & Parameters<Learnable["step"]>[2],
  clipRange: number,
) {
  const { loss, policyLoss, entropy } = clippedObjective(logProbabilities, leaves, clipRange);
  const { gradientNorm, updates } = network.step(loss, views, leaves);
  return {
    loss,
    results: {
      "policy loss": policyLoss,
      entropy,
      "actor gradient norm": gradientNorm,
      logProbabilities,
    },
    updates,
  };
}

/** Metrics of a step that has run. */
export const objectiveMetrics = (
  results: Readonly<Record<"policy loss" | "entropy" | "actor gradient norm", ArrayLike<number | bigint>>>,
) => ({
  "train/policy-loss": Number(results["policy loss"][0]),
  "train/entropy": Number(results.entropy[0]),
  "train/actor-gradient-norm": Number(results["actor gradient norm"][0]),
});

// ── Its data ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The clipped objective's data by decision and action, `[K, A]` (`weight`: `[K]`). */
interface DecisionSums {
  /** Sum of positive advantages over the number of decisions. */
  readonly positive: Float64Array;
  /** Sum of negative advantages over the number of decisions. */
  readonly negative: Float64Array;
  /** Share of the decisions. */
  readonly weight: Float64Array;
  /** How often the action was taken. */
  readonly counts: Int32Array;
  readonly oldLogProbabilities: Float32Array;
}

/**
 * Sums samples that share a decision and an action: they also share the ratio, and the objective is linear in positive
 * and in negative advantages, so summing each kind loses nothing. This needs equal old log-probabilities in a row: they
 * are, since one policy took all of a rollout's decisions, and where decisions are redrawn their tag keeps others apart.
 */
export function sumByDecision(
  minibatch: Int32Array,
  rows: Pick<ConditionalRows, "rowOf" | "sizes">,
  advantages: Float64Array,
  rollout: Rollout,
  agents: number,
  actions: number,
): DecisionSums {
  const capacity = rows.sizes[2];
  const positive = new Float64Array(capacity * actions);
  const negative = new Float64Array(capacity * actions);
  const weight = new Float64Array(capacity);
  const counts = new Int32Array(capacity * actions);
  const oldLogProbabilities = new Float32Array(capacity * actions);
  const perDecision = 1 / (minibatch.length * agents);
  for (let n = 0; n < minibatch.length; n++) {
    const advantage = advantages[minibatch[n]] * perDecision;
    for (let i = 0; i < agents; i++) {
      const decision = minibatch[n] * agents + i;
      const row = rows.rowOf[n * agents + i];
      const entry = row * actions + rollout.actions[decision];
      (advantage > 0 ? positive : negative)[entry] += advantage;
      weight[row] += perDecision;
      counts[entry]++;
      oldLogProbabilities[entry] = rollout.logProbabilities[decision];
    }
  }
  return { positive, negative, weight, counts, oldLogProbabilities };
}

/** Writes a minibatch's sums into the inputs of the objective. */
export function fillObjective(
  inputs: Readonly<Record<"positive" | "negative" | "weight" | "oldLogProbabilities", Float32Array>>,
  sums: DecisionSums,
): void {
  inputs.positive.set(sums.positive);
  inputs.negative.set(sums.negative);
  inputs.weight.set(sums.weight);
  inputs.oldLogProbabilities.set(sums.oldLogProbabilities);
}

/**
 * How far the policy was, before the step, from the one that acted, over all decisions of a minibatch. The divergence
 * is estimated by the mean of the negative log-ratio.
 *
 * @param logProbabilities `[K, A]`
 */
export function ratioStatistics(
  logProbabilities: Float32Array,
  { counts, oldLogProbabilities }: DecisionSums,
  clipRange: number,
) {
  let decisions = 0;
  let divergence = 0;
  let clipped = 0;
  let largest = 0;
  for (let entry = 0; entry < counts.length; entry++) {
    const count = counts[entry];
    if (count === 0) continue;
    const change = logProbabilities[entry] - oldLogProbabilities[entry];
    const error = Math.abs(Math.exp(change) - 1);
    decisions += count;
    divergence -= count * change;
    if (error > clipRange) clipped += count;
    largest = Math.max(largest, error);
  }
  return {
    "train/approximate-kl": divergence / decisions,
    "train/clip-fraction": clipped / decisions,
    "train/largest-ratio-change": largest,
  };
}
