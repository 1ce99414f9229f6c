import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import type { Block, KernelMemory } from "./kernels.ts";
import { rowLength, transitionOperator } from "./transition-operator.ts";

/** Exact evaluation of joint policies of one game. */
export interface PolicyEvaluator {
  /** `V(s)` of the policy solved last, `[S]`. */
  readonly stateValues: Block;
  /** Discounted expected visits of each state from `mu` under the policy solved last, `[S]`. */
  readonly visitation: Block;
  /** `Q(s, a)` of the values solved last, `[S, A]`. */
  readonly actionValues: Block;
  /**
   * Solves `(I - gamma P_pi) V = r_pi` for `stateValues`, and the transposed system for `visitation`.
   *
   * @param jointPolicy `pi(a|s)`, `[S, A]`
   * @returns `V(mu)`
   */
  solve(jointPolicy: Block): number;
  /** Computes `actionValues` from `stateValues`. */
  computeActionValues(): void;
  /** As `computeActionValues`, and fills `out` `[S, A]` with `d(s) pi(a|s) (Q(s, a) - V(s))` of the policy solved last. */
  weightAdvantages(jointPolicy: Block, out: Block): void;
}

/**
 * An evaluator of a game, or of the game with another reward.
 *
 * @param reward `r[s][a]`, `[S, A]`
 */
export function policyEvaluator(
  memory: KernelMemory,
  game: CooperativeMarkovGame,
  reward: Float64Array = game.reward,
): PolicyEvaluator {
  const { kernels } = memory;
  const { states, initial, discount } = game;
  const joint = jointActionCount(game.actions);
  const operator = transitionOperator(memory, game, discount);
  const rewards = memory.keep(reward);
  // The system is that of gamma P_pi - I, so that values and visits come from the negative reward and initial distribution.
  const stride = rowLength(states);
  const size = stride - 4;
  const matrix = memory.reserve((size + 2) * stride);
  const negativeInitial = memory.reserve(size);
  memory.view(negativeInitial).set(initial.map((mass) => -mass));
  const inverse = memory.reserve(size);
  const padded = { stateValues: memory.reserve(size), visitation: memory.reserve(size) };
  const actionValues = memory.reserve(states * joint);
  return {
    stateValues: { ...padded.stateValues, length: states },
    visitation: { ...padded.visitation, length: states },
    actionValues,
    solve(jointPolicy) {
      operator.averageOverActions(jointPolicy, matrix);
      kernels.averageReward(
        jointPolicy.address,
        rewards.address,
        matrix.address + 8 * size,
        8 * stride,
        states,
        8 * joint,
      );
      return kernels.solveSystem(
        matrix.address,
        states,
        size,
        negativeInitial.address,
        inverse.address,
        padded.stateValues.address,
        padded.visitation.address,
      );
    },
    computeActionValues() {
      operator.expectNext(padded.stateValues);
      kernels.addReward(
        rewards.address,
        operator.expected.address,
        operator.strideExpected,
        actionValues.address,
        states,
        8 * joint,
      );
    },
    weightAdvantages(jointPolicy, out) {
      operator.expectNext(padded.stateValues);
      kernels.weightAdvantages(
        rewards.address,
        operator.expected.address,
        operator.strideExpected,
        actionValues.address,
        jointPolicy.address,
        padded.stateValues.address,
        padded.visitation.address,
        out.address,
        states,
        8 * joint,
      );
    },
  };
}
