import type { ActionTree } from "./action-tree.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import { policyEvaluator } from "./policy-evaluator.ts";
import type { ThetaLayout } from "./theta-layout.ts";

/** What a deviating agent sees besides the state: its parents' actions, or nothing. */
export type DeviationView = "parents" | "state";

/** `V(mu)` where one agent plays the best it can and all others keep to their conditionals. */
export type Deviation = (
  /** `pi^i(u | s, k)` of all agents, laid out like theta. */
  conditionals: Float64Array,
  /** `pi(a|s)`, `[S, A]`. */
  jointPolicy: Float64Array,
  agent: number,
  sees: DeviationView,
) => number;

/**
 * Best deviations by policy iteration on the Markov decision process whose choices are tables of the agent's actions,
 * one action for each index it sees. Choices are compared by sums weighted with the others' conditionals, which hold
 * the probability of the parents' actions already, so that nothing is divided.
 */
export function bestDeviation(game: CooperativeMarkovGame, layout: ThetaLayout, tree: ActionTree): Deviation {
  const { states, actions, parentActions, offsets, size } = layout;
  const entries = states * jointActionCount(actions);
  const evaluator = policyEvaluator(game);
  const factors = new Float64Array(size);
  const sums = new Float64Array(size);
  const others = new Float64Array(entries);
  const policy = new Float64Array(entries);
  const chosen = new Int32Array(states * Math.max(...parentActions));

  return (conditionals, jointPolicy, agent, sees) => {
    const choices = actions[agent];
    const rows = parentActions[agent];
    const rowsPerChoice = sees === "parents" ? 1 : rows;
    const from = offsets[agent];
    const end = from + states * rows * choices;
    factors.set(conditionals);
    factors.fill(1, from, end);
    tree.multiply(factors, others);
    let value = evaluator.solveValues(jointPolicy);
    let highestTotal = Number.NEGATIVE_INFINITY;
    for (let round = 0; ; round++) {
      evaluator.computeActionValues();
      for (let k = 0; k < entries; k++) policy[k] = others[k] * evaluator.actionValues[k];
      sums.fill(0, from, end);
      tree.accumulate(policy, sums);
      let changed = false;
      for (let group = 0; group * rowsPerChoice < states * rows; group++) {
        const at = from + group * rowsPerChoice * choices;
        for (let k = choices; k < rowsPerChoice * choices; k++) sums[at + (k % choices)] += sums[at + k];
        let highest = sums[at + chosen[group]];
        if (round === 0) highest = Number.NEGATIVE_INFINITY;
        else highest += 1e-13 * (1 + Math.abs(highest));
        for (let u = 0; u < choices; u++) {
          if (sums[at + u] <= highest) continue;
          highest = sums[at + u];
          chosen[group] = u;
          changed = true;
        }
      }
      if (!changed) return value;
      factors.fill(0, from, end);
      for (let row = 0; row < states * rows; row++) {
        factors[from + row * choices + chosen[Math.floor(row / rowsPerChoice)]] = 1;
      }
      tree.multiply(factors, policy);
      value = evaluator.solveValues(policy);
      // Each exact improvement raises the values of all states; where rounding ends that, so does the search.
      const total = evaluator.stateValues.reduce((sum, stateValue) => sum + stateValue, 0);
      if (!(total > highestTotal)) return value;
      highestTotal = total;
    }
  };
}
