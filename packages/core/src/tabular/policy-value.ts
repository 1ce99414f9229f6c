import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import { type Block, kernelMemory } from "./kernels.ts";
import { policyEvaluator } from "./policy-evaluator.ts";

/** What a stationary policy is worth, exactly. */
export interface PolicyEvaluation {
  /** `V(mu)`. */
  readonly value: number;
  /** `V(s)`, `[S]`. */
  readonly stateValues: Float64Array;
  /** Discounted expected visits of each state from `mu`, `[S]`; they sum to `1 / (1 - gamma)`. */
  readonly visitation: Float64Array;
}

/**
 * Evaluates a joint policy by solving `(I - gamma P_pi) V = r_pi`, and its transpose for the visitation.
 *
 * @param jointPolicy `pi(a|s)`, `[S, A]`, each row summing to 1
 * @throws Error when the policy has another shape or its rows are not distributions
 */
export function evaluatePolicy(game: CooperativeMarkovGame, jointPolicy: Float64Array): PolicyEvaluation {
  expectPolicy(jointPolicy, game.states, jointActionCount(game.actions));
  const memory = kernelMemory();
  const evaluator = policyEvaluator(memory, game);
  const value = evaluator.solve(memory.keep(jointPolicy));
  const copy = (block: Block) => memory.view(block).slice();
  return { value, stateValues: copy(evaluator.stateValues), visitation: copy(evaluator.visitation) };
}

/** The best that any joint policy can reach. */
export interface Optimum {
  /** `V*(mu)`. */
  readonly value: number;
  /** `V*(s)`, `[S]`. */
  readonly stateValues: Float64Array;
  /** An optimal joint action in each state, `[S]`. */
  readonly policy: Int32Array;
}

/**
 * Optimal value by policy iteration over joint actions.
 *
 * @param reward `r[s][a]`, `[S, A]`: another reward than the game's own
 */
export function optimalValue(game: CooperativeMarkovGame, reward: Float64Array = game.reward): Optimum {
  const { states } = game;
  const joint = jointActionCount(game.actions);
  const memory = kernelMemory();
  const evaluator = policyEvaluator(memory, game, reward);
  const table = memory.reserve(states * joint);
  const choices = memory.view(table);
  const stateValues = memory.view(evaluator.stateValues);
  const actionValues = memory.view(evaluator.actionValues);
  const policy = new Int32Array(states);
  let best: Optimum | undefined;
  for (let previous = Number.NEGATIVE_INFINITY; ; ) {
    choices.fill(0);
    for (let s = 0; s < states; s++) choices[s * joint + policy[s]] = 1;
    const value = evaluator.solve(table);
    const total = stateValues.reduce((sum, stateValue) => sum + stateValue, 0);
    // Each exact improvement raises the values of all states; where rounding ends that, so does the search.
    if (best !== undefined && !(total > previous)) return best;
    best = { value, stateValues: stateValues.slice(), policy: policy.slice() };
    previous = total;
    evaluator.computeActionValues();
    const least = leastImprovement(stateValues);
    for (let s = 0; s < states; s++) {
      let highest = actionValues[s * joint + policy[s]] + least;
      for (let a = 0; a < joint; a++) {
        if (actionValues[s * joint + a] > highest) {
          highest = actionValues[s * joint + a];
          policy[s] = a;
        }
      }
    }
  }
}

/** What values of actions must differ by to be more than rounding. */
export function leastImprovement(stateValues: Float64Array): number {
  return 1e-13 * stateValues.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}

/**
 * Price of anarchy `V(mu) / V*(mu)` of a joint policy (Context-aware BN); one minus it is the normalised
 * suboptimality of Subteams.
 *
 * @param jointPolicy `pi(a|s)`, `[S, A]`
 * @param optimum `V*(mu)`: give it when many policies of one game are measured
 */
export function priceOfAnarchy(
  game: CooperativeMarkovGame,
  jointPolicy: Float64Array,
  optimum: number = optimalValue(game).value,
): number {
  return evaluatePolicy(game, jointPolicy).value / optimum;
}

function expectPolicy(jointPolicy: Float64Array, states: number, joint: number): void {
  if (jointPolicy.length !== states * joint) {
    throw new Error(`joint policy has ${jointPolicy.length} entries, expected ${states} x ${joint}`);
  }
  for (let s = 0; s < states; s++) {
    let total = 0;
    for (let a = 0; a < joint; a++) total += jointPolicy[s * joint + a];
    // Conditionals in float32 multiply to rows that are off by about 1e-7.
    if (!(Math.abs(total - 1) < 1e-4)) {
      throw new Error(`joint policy: probabilities of state ${s} sum to ${total}, expected 1`);
    }
  }
}
