import { InputError } from "../errors.ts";
import type { Dag } from "../structure/index.ts";
import { actionTree } from "./action-tree.ts";
import { bestDeviation, type DeviationView } from "./best-deviation.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import { kernelMemory } from "./kernels.ts";
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
   * Takes steps of gradient ascent on `L_lambda` in place, `theta <- theta + stepSize gradient`. The arrays hold what
   * `differentiate` filled in the last step. Returns whether the parameters are still finite.
   */
  ascend(
    theta: Float64Array,
    options: { readonly stepSize: number; readonly steps: number; readonly lambda?: number },
  ): boolean;
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
 * @throws InputError when the DAG has another number of agents than the game, or the game is too large
 */
export function exactSoftmaxPolicy(game: CooperativeMarkovGame, dag: Dag): ExactSoftmaxPolicy {
  const layout = thetaLayout(game, dag);
  const { states, actions, parentActions, offsets, size } = layout;
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const memory = kernelMemory();
  const { kernels, view } = memory;
  const tree = actionTree(memory, layout);
  const evaluator = policyEvaluator(memory, game);
  const theta = memory.reserve(size);
  const conditionals = memory.reserve(size);
  const gradient = memory.reserve(size);
  const jointPolicy = memory.reserve(states * joint);
  const weighted = memory.reserve(states * joint);
  const deviate = bestDeviation(memory, layout, tree, evaluator);
  const ownTheta = view(theta);
  const ownGradient = view(gradient);
  const stretches = equallyWideRows(layout);

  const take = (given: Float64Array) => {
    if (given.length !== size) {
      throw new InputError(`theta has ${given.length} entries, expected ${size}`);
    }
    ownTheta.set(given);
  };

  const evaluateOwn = () => {
    for (const { from, rows, choices } of stretches) {
      kernels.softmaxRows(theta.address + from, conditionals.address + from, rows, choices);
    }
    tree.multiply(conditionals, jointPolicy);
    return evaluator.solve(jointPolicy);
  };

  const evaluate = (given: Float64Array) => {
    take(given);
    return evaluateOwn();
  };

  const differentiateOwn = (lambda: number) => {
    const value = evaluateOwn();
    evaluator.weightAdvantages(jointPolicy, weighted);
    ownGradient.fill(0);
    tree.accumulate(weighted, gradient);
    for (const { from, rows, choices } of stretches) {
      kernels.projectRows(gradient.address + from, conditionals.address + from, rows, choices);
    }
    if (lambda > 0) addBarrier(lambda);
    return value;
  };

  const addBarrier = (lambda: number) => {
    actions.forEach((choices, i) => {
      const rows = states * parentActions[i];
      const [slope, pi] = [gradient, conditionals].map(({ address }) => address + 8 * offsets[i]);
      kernels.addBarrier(slope, pi, rows * choices, lambda / rows, 1 / choices);
    });
  };

  const gaps = (given: Float64Array, sees: DeviationView) => {
    const value = evaluate(given);
    const found = actions.map((_, i) => deviate(conditionals, jointPolicy, i, sees) - value);
    evaluator.solve(jointPolicy);
    return Float64Array.from(found);
  };

  return {
    game,
    layout,
    conditionals: view(conditionals),
    jointPolicy: view(jointPolicy),
    stateValues: view(evaluator.stateValues),
    actionValues: view(evaluator.actionValues),
    visitation: view(evaluator.visitation),
    gradient: ownGradient,
    evaluate,
    differentiate(given, lambda = 0) {
      take(given);
      return differentiateOwn(lambda);
    },
    ascend(given, { stepSize, steps, lambda = 0 }) {
      take(given);
      for (let step = 0; step < steps; step++) {
        differentiateOwn(lambda);
        kernels.addScaled(theta.address, gradient.address, size, stepSize);
      }
      given.set(ownTheta);
      return kernels.areFinite(theta.address, size) === 1;
    },
    regularisedValue(given, lambda) {
      const value = evaluate(given);
      let barrier = 0;
      for (let i = 0; i < agents; i++) {
        const end = offsets[i] + states * parentActions[i] * actions[i];
        let sum = 0;
        for (let row = offsets[i]; row < end; row += actions[i]) {
          sum += sumOfLogProbabilities(given, row, actions[i]);
        }
        barrier += sum / (states * parentActions[i] * actions[i]) + Math.log(actions[i]);
      }
      return value + lambda * barrier;
    },
    // The agent may keep its policy, so that a gap below zero is rounding.
    equilibriumGaps: (given) => gaps(given, "parents").map((gap) => Math.max(0, gap)),
    unconditionalGaps: (given) => gaps(given, "state"),
  };
}

/** Stretches of theta, as bytes from its beginning, whose rows have as many choices. */
function equallyWideRows({ actions, states, parentActions, offsets }: ThetaLayout) {
  const stretches: { readonly from: number; readonly choices: number; rows: number }[] = [];
  actions.forEach((choices, i) => {
    const rows = states * parentActions[i];
    const last = stretches.at(-1);
    if (last?.choices === choices) last.rows += rows;
    else stretches.push({ from: 8 * offsets[i], choices, rows });
  });
  return stretches;
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
