import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import { luFactor, luSolve, luSolveTransposed } from "./linear-solve.ts";
import { transitionOperator } from "./transition-operator.ts";

/** Exact evaluation of joint policies of one game, in memory that is kept: nothing is allocated by its functions. */
export interface PolicyEvaluator {
  /** `V(s)` of the policy solved last, `[S]`. */
  readonly stateValues: Float64Array;
  /** Discounted expected visits of each state from `mu` under the policy solved last, `[S]`. */
  readonly visitation: Float64Array;
  /** `Q(s, a)` of the values solved last, `[S, A]`. */
  readonly actionValues: Float64Array;
  /**
   * Factors `I - gamma P_pi` and solves it for `stateValues`.
   *
   * @param jointPolicy `pi(a|s)`, `[S, A]`
   * @returns `V(mu)`
   */
  solveValues(jointPolicy: Float64Array): number;
  /** Solves the transposed system, with the same factors, for `visitation`. */
  solveVisitation(): void;
  /** Computes `actionValues` from `stateValues`. */
  computeActionValues(): void;
}

/**
 * An evaluator of a game, or of the game with another reward.
 *
 * @param reward `r[s][a]`, `[S, A]`
 */
export function policyEvaluator(
  game: CooperativeMarkovGame,
  reward: Float64Array = game.reward,
): PolicyEvaluator {
  const { states, initial, discount } = game;
  const joint = jointActionCount(game.actions);
  const operator = transitionOperator(game);
  const factors = new Float64Array(states * states);
  const inverseDiagonal = new Float64Array(states);
  const stateValues = new Float64Array(states);
  const visitation = new Float64Array(states);
  const actionValues = new Float64Array(states * joint);
  return {
    stateValues,
    visitation,
    actionValues,
    solveValues(jointPolicy) {
      averageReward(jointPolicy, reward, stateValues);
      operator.averageOverActions(jointPolicy, factors);
      subtractFromIdentity(factors, discount, states);
      luFactor(factors, states, inverseDiagonal);
      luSolve(factors, states, inverseDiagonal, stateValues);
      return dot(initial, stateValues);
    },
    solveVisitation() {
      visitation.set(initial);
      luSolveTransposed(factors, states, inverseDiagonal, visitation);
    },
    computeActionValues() {
      operator.expectNext(stateValues, actionValues);
      addReward(actionValues, reward, discount);
    },
  };
}

/** `r_pi(s) = sum_a pi(a|s) r(s, a)`. */
function averageReward(jointPolicy: Float64Array, reward: Float64Array, out: Float64Array): void {
  const joint = reward.length / out.length;
  for (let s = 0; s < out.length; s++) {
    let expected = 0;
    for (let k = s * joint; k < (s + 1) * joint; k++) expected += jointPolicy[k] * reward[k];
    out[s] = expected;
  }
}

/** `I - gamma P` in place of `P`. */
function subtractFromIdentity(matrix: Float64Array, discount: number, size: number): void {
  for (let k = 0; k < matrix.length; k++) matrix[k] *= -discount;
  for (let k = 0; k < matrix.length; k += size + 1) matrix[k] += 1;
}

/** `r + gamma E[V]` in place of `E[V]`. */
function addReward(expected: Float64Array, reward: Float64Array, discount: number): void {
  for (let k = 0; k < expected.length; k++) expected[k] = reward[k] + discount * expected[k];
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
