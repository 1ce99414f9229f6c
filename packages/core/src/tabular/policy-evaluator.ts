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
      for (let s = 0; s < states; s++) {
        let expected = 0;
        for (let k = s * joint; k < (s + 1) * joint; k++) expected += jointPolicy[k] * reward[k];
        stateValues[s] = expected;
      }
      operator.averageOverActions(jointPolicy, factors);
      for (let k = 0; k < factors.length; k++) factors[k] *= -discount;
      for (let k = 0; k < factors.length; k += states + 1) factors[k] += 1;
      luFactor(factors, states, inverseDiagonal);
      luSolve(factors, states, inverseDiagonal, stateValues);
      let value = 0;
      for (let s = 0; s < states; s++) value += initial[s] * stateValues[s];
      return value;
    },
    solveVisitation() {
      visitation.set(initial);
      luSolveTransposed(factors, states, inverseDiagonal, visitation);
    },
    computeActionValues() {
      operator.expectNext(stateValues, actionValues);
      for (let k = 0; k < actionValues.length; k++) actionValues[k] = reward[k] + discount * actionValues[k];
    },
  };
}
