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
  /**
   * As many vectors of parameters as were asked for, zero at first. The functions below take any other too, but copy it.
   */
  readonly parameters: readonly Float64Array[];
  /** `pi^i(u | s, k)`, laid out like theta. */
  readonly conditionals: Float64Array;
  /** `pi(a|s)`, `[S, A]`. */
  readonly jointPolicy: Float64Array;
  /** `V(s)`, `[S]`. */
  readonly stateValues: Float64Array;
  /** `Q(s, a)`, `[S, A]`; filled by `differentiate` and the gaps. */
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
 * @param vectors how many vectors of parameters to keep room for
 * @throws InputError when the DAG has another number of agents than the game, or the game is too large
 */
export function exactSoftmaxPolicy(game: CooperativeMarkovGame, dag: Dag, vectors = 0): ExactSoftmaxPolicy {
  const layout = thetaLayout(game, dag);
  const { states, actions, parentActions, offsets, size } = layout;
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const memory = kernelMemory();
  const { kernels, view } = memory;
  const tree = actionTree(memory, layout);
  const evaluator = policyEvaluator(memory, game);
  const kept = Array.from({ length: vectors }, () => memory.reserve(size));
  const copied = memory.reserve(size);
  const conditionals = memory.reserve(size);
  const gradient = memory.reserve(size);
  const jointPolicy = memory.reserve(states * joint);
  const weighted = memory.reserve(states * joint);
  const deviate = bestDeviation(memory, layout, tree, evaluator);
  const copy = view(copied);
  const stretches = equallyWideRows(layout);

  /** Where kernels find parameters. */
  const place = (theta: Float64Array): number => {
    if (theta.length !== size) throw new InputError(`theta has ${theta.length} entries, expected ${size}`);
    if (theta.buffer === copy.buffer) return theta.byteOffset;
    copy.set(theta);
    return copied.address;
  };

  const evaluate = (theta: Float64Array) => evaluateAt(place(theta));

  const evaluateAt = (theta: number) => {
    for (const { from, rows, choices } of stretches) {
      kernels.softmaxRows(theta + from, conditionals.address + from, rows, choices);
    }
    tree.multiply(conditionals, jointPolicy);
    return evaluator.solve(jointPolicy);
  };

  const differentiateAt = (theta: number, lambda: number) => {
    const value = evaluateAt(theta);
    evaluator.weightAdvantages(jointPolicy, weighted);
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

  const gaps = (theta: Float64Array, sees: DeviationView) => {
    const value = evaluate(theta);
    const found = actions.map((_, i) => deviate(conditionals, jointPolicy, i, sees) - value);
    evaluator.solve(jointPolicy);
    evaluator.computeActionValues();
    return Float64Array.from(found);
  };

  return {
    game,
    layout,
    parameters: kept.map(view),
    conditionals: view(conditionals),
    jointPolicy: view(jointPolicy),
    stateValues: view(evaluator.stateValues),
    actionValues: view(evaluator.actionValues),
    visitation: view(evaluator.visitation),
    gradient: view(gradient),
    evaluate,
    differentiate: (theta, lambda = 0) => differentiateAt(place(theta), lambda),
    ascend(theta, { stepSize, steps, lambda = 0 }) {
      const at = place(theta);
      for (let step = 0; step < steps; step++) {
        differentiateAt(at, lambda);
        kernels.addScaled(at, gradient.address, size, stepSize);
      }
      if (at === copied.address) theta.set(copy);
      return kernels.areFinite(at, size) === 1;
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
