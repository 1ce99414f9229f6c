import { InputError } from "../errors.ts";
import type { Dag } from "../structure/index.ts";
import { actionTree } from "./action-tree.ts";
import { bestDeviation, type DeviationView } from "./best-deviation.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import { policyEvaluator } from "./policy-evaluator.ts";
import { type ThetaLayout, thetaLayout } from "./theta-layout.ts";

/**
 * The tabular softmax Bayesian-network policies of one DAG in one game, with everything about them that is exact.
 * The arrays are overwritten by the functions below and nothing is allocated: copy what must last.
 */
export interface ExactSoftmaxPolicy {
  readonly game: CooperativeMarkovGame;
  readonly layout: ThetaLayout;
  /** `pi^i(u | s, k)`, laid out like theta. */
  readonly conditionals: Float64Array;
  /** `pi(a|s)`, `[S, A]`. */
  readonly jointPolicy: Float64Array;
  /** `V(s)`, `[S]`. */
  readonly stateValues: Float64Array;
  /** `Q(s, a)`, `[S, A]`; filled by `differentiate` only. */
  readonly actionValues: Float64Array;
  /** Discounted expected visits of each state from `mu`, which sum to `1 / (1 - gamma)`, `[S]`. */
  readonly visitation: Float64Array;
  /** Gradient of `L_lambda`, laid out like theta; filled by `differentiate` only. */
  readonly gradient: Float64Array;
  /** Fills conditionals, joint policy, state values and visitation. Returns `V(mu)`. */
  evaluate(theta: Float64Array): number;
  /**
   * As `evaluate`, and fills action values and the gradient of `L_lambda` (the value alone for `lambda = 0`, the
   * default). Returns `V(mu)`.
   *
   * With unnormalised visits `d`, `dV/dtheta^i[s,k,u] = d(s) pi(k|s) pi^i(u|s,k) (Q(s,k,u) - Q(s,k))`; the papers
   * (Subteams and BN-rates, Lemma 1) print another factor `1 / (1 - gamma)`, which belongs to normalised visits. The
   * barrier adds `lambda / (S |A^{P^i}|) (1/|A^i| - pi^i(u|s,k))`.
   */
  differentiate(theta: Float64Array, lambda?: number): number;
  /**
   * `L_lambda = V(mu) + lambda sum_i (sum_{s,k,u} log pi^i(u|s,k) / (S |A^{P^i}| |A^i|) + log |A^i|)` (BN-rates,
   * Section 4.1). Fills what `evaluate` fills.
   */
  regularisedValue(theta: Float64Array, lambda: number): number;
  /**
   * `gap^i = max V(mu) over policies of agent i alone - V(mu)`, `[N]`; the deviating agent sees the state and its
   * parents' actions, and its children answer what it does. The largest is the equilibrium gap. Fills what `evaluate`
   * fills.
   */
  equilibriumGaps(theta: Float64Array): Float64Array;
  /**
   * As `equilibriumGaps` for an agent that deviates to one action for each state, whatever its parents do, `[N]`; can be
   * negative. It is what the published BNPG code measures.
   */
  unconditionalGaps(theta: Float64Array): Float64Array;
}

/**
 * @throws InputError when the DAG has another number of agents than the game
 */
export function exactSoftmaxPolicy(game: CooperativeMarkovGame, dag: Dag): ExactSoftmaxPolicy {
  const layout = thetaLayout(game, dag);
  const { states, actions, parentActions, offsets, size } = layout;
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const tree = actionTree(layout);
  const evaluator = policyEvaluator(game);
  const { stateValues, visitation, actionValues } = evaluator;
  const conditionals = new Float64Array(size);
  const jointPolicy = new Float64Array(states * joint);
  const gradient = new Float64Array(size);
  const weighted = new Float64Array(states * joint);

  const prepare = (theta: Float64Array) => {
    if (theta.length !== size) {
      throw new InputError(`theta has ${theta.length} entries, expected ${size}`);
    }
    for (let i = 0; i < agents; i++) {
      const end = offsets[i] + states * parentActions[i] * actions[i];
      softmaxRows(theta, conditionals, offsets[i], end, actions[i]);
    }
    tree.multiply(conditionals, jointPolicy);
    return evaluator.solveValues(jointPolicy);
  };

  const evaluate = (theta: Float64Array) => {
    const value = prepare(theta);
    evaluator.solveVisitation();
    return value;
  };

  const deviate = bestDeviation(game, layout, tree);

  const gaps = (theta: Float64Array, sees: DeviationView) => {
    const value = evaluate(theta);
    return Float64Array.from(
      { length: agents },
      (_, i) => deviate(conditionals, jointPolicy, i, sees) - value,
    );
  };

  return {
    game,
    layout,
    conditionals,
    jointPolicy,
    stateValues,
    actionValues,
    visitation,
    gradient,
    evaluate,
    differentiate(theta, lambda = 0) {
      const value = prepare(theta);
      evaluator.solveVisitation();
      evaluator.computeActionValues();
      weightAdvantages(visitation, jointPolicy, actionValues, stateValues, weighted);
      gradient.fill(0);
      tree.accumulate(weighted, gradient);
      for (let i = 0; i < agents; i++) {
        const barrier = lambda / (states * parentActions[i]);
        const end = offsets[i] + states * parentActions[i] * actions[i];
        projectRows(gradient, conditionals, offsets[i], end, actions[i], barrier);
      }
      return value;
    },
    regularisedValue(theta, lambda) {
      const value = evaluate(theta);
      let barrier = 0;
      for (let i = 0; i < agents; i++) {
        const end = offsets[i] + states * parentActions[i] * actions[i];
        let sum = 0;
        for (let row = offsets[i]; row < end; row += actions[i]) {
          sum += sumOfLogProbabilities(theta, row, actions[i]);
        }
        barrier += sum / (states * parentActions[i] * actions[i]) + Math.log(actions[i]);
      }
      return value + lambda * barrier;
    },
    // The agent may keep its policy, so that a gap below zero is rounding.
    equilibriumGaps: (theta) => gaps(theta, "parents").map((gap) => Math.max(0, gap)),
    unconditionalGaps: (theta) => gaps(theta, "state"),
  };
}

/**
 * `d(s) pi(a|s) (Q(s, a) - V(s))`. Any number may be taken off all Q-values of a state; its value keeps the sums of the
 * gradient's rows at rounding error.
 */
function weightAdvantages(
  visitation: Float64Array,
  jointPolicy: Float64Array,
  actionValues: Float64Array,
  stateValues: Float64Array,
  out: Float64Array,
): void {
  const joint = out.length / visitation.length;
  for (let s = 0; s < visitation.length; s++) {
    const visits = visitation[s];
    const baseline = stateValues[s];
    for (let k = s * joint; k < (s + 1) * joint; k++) {
      out[k] = visits * jointPolicy[k] * (actionValues[k] - baseline);
    }
  }
}

function softmaxRows(
  theta: Float64Array,
  out: Float64Array,
  from: number,
  end: number,
  choices: number,
): void {
  if (choices === 2) {
    // Without a branch on which is larger; a ratio of 0 or infinity gives exactly 0 and 1.
    for (let row = from; row < end; row += 2) {
      const ratio = Math.exp(theta[row + 1] - theta[row]);
      out[row] = 1 / (1 + ratio);
      out[row + 1] = 1 / (1 + 1 / ratio);
    }
    return;
  }
  for (let row = from; row < end; row += choices) {
    let highest = theta[row];
    for (let u = 1; u < choices; u++) if (theta[row + u] > highest) highest = theta[row + u];
    let sum = 0;
    for (let u = 0; u < choices; u++) {
      const power = Math.exp(theta[row + u] - highest);
      out[row + u] = power;
      sum += power;
    }
    for (let u = 0; u < choices; u++) out[row + u] /= sum;
  }
}

/** Turns sums `g` into `g - pi W + barrier (1/|A^i| - pi)`, where `W` is the sum of the row. */
function projectRows(
  gradient: Float64Array,
  conditionals: Float64Array,
  from: number,
  end: number,
  choices: number,
  barrier: number,
): void {
  if (choices === 2) {
    const share = barrier / 2;
    for (let row = from; row < end; row += 2) {
      const sum = gradient[row] + gradient[row + 1] + barrier;
      gradient[row] += share - conditionals[row] * sum;
      gradient[row + 1] += share - conditionals[row + 1] * sum;
    }
    return;
  }
  const share = barrier / choices;
  for (let row = from; row < end; row += choices) {
    let sum = barrier;
    for (let u = 0; u < choices; u++) sum += gradient[row + u];
    for (let u = 0; u < choices; u++) gradient[row + u] += share - conditionals[row + u] * sum;
  }
}

/** `sum_u log softmax(theta)[u]` of one row, exact where probabilities underflow. */
function sumOfLogProbabilities(theta: Float64Array, row: number, choices: number): number {
  let highest = theta[row];
  for (let u = 1; u < choices; u++) highest = Math.max(highest, theta[row + u]);
  let powers = 0;
  let logits = 0;
  for (let u = 0; u < choices; u++) {
    powers += Math.exp(theta[row + u] - highest);
    logits += theta[row + u] - highest;
  }
  return logits - choices * Math.log(powers);
}
