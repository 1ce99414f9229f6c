import type { ActionTree } from "./action-tree.ts";
import { jointActionCount } from "./joint-action.ts";
import type { Block, KernelMemory } from "./kernels.ts";
import type { PolicyEvaluator } from "./policy-evaluator.ts";
import { leastImprovement } from "./policy-value.ts";
import type { ThetaLayout } from "./theta-layout.ts";

/** What a deviating agent sees besides the state: its parents' actions, or nothing. */
export type DeviationView = "parents" | "state";

/** `V(mu)` where one agent plays the best it can and all others keep to their conditionals. */
export type Deviation = (
  /** `pi^i(u | s, k)` of all agents, laid out like theta. */
  conditionals: Block,
  /** `pi(a|s)`, `[S, A]`. */
  jointPolicy: Block,
  agent: number,
  sees: DeviationView,
) => number;

/**
 * Best deviations by policy iteration on the Markov decision process whose choices are tables of the agent's actions,
 * one action for each index it sees. Choices are compared by sums weighted with the others' conditionals, which hold
 * the probability of the parents' actions already, so that nothing is divided. The evaluator is left with the policy of the
 * last deviation.
 */
export function bestDeviation(
  memory: KernelMemory,
  layout: ThetaLayout,
  tree: ActionTree,
  evaluator: PolicyEvaluator,
): Deviation {
  const { states, actions, parentActions, offsets, size } = layout;
  const entries = states * jointActionCount(actions);
  const blocks = {
    factors: memory.reserve(size),
    sums: memory.reserve(size),
    others: memory.reserve(entries),
    policy: memory.reserve(entries),
  };
  const chosen = new Int32Array(states * Math.max(...parentActions));

  return (conditionals, jointPolicy, agent, sees) => {
    const factors = memory.view(blocks.factors);
    const sums = memory.view(blocks.sums);
    const others = memory.view(blocks.others);
    const policy = memory.view(blocks.policy);
    const actionValues = memory.view(evaluator.actionValues);
    const stateValues = memory.view(evaluator.stateValues);
    const choices = actions[agent];
    const rows = parentActions[agent];
    const rowsPerChoice = sees === "parents" ? 1 : rows;
    const from = offsets[agent];
    const end = from + states * rows * choices;
    factors.set(memory.view(conditionals));
    factors.fill(1, from, end);
    tree.multiply(blocks.factors, blocks.others);
    let value = evaluator.solve(jointPolicy);
    let highestTotal = Number.NEGATIVE_INFINITY;
    for (let round = 0; ; round++) {
      evaluator.computeActionValues();
      for (let k = 0; k < entries; k++) policy[k] = others[k] * actionValues[k];
      tree.accumulate(blocks.policy, blocks.sums);
      const least = leastImprovement(stateValues);
      let changed = false;
      for (let group = 0; group * rowsPerChoice < states * rows; group++) {
        const at = from + group * rowsPerChoice * choices;
        for (let k = choices; k < rowsPerChoice * choices; k++) sums[at + (k % choices)] += sums[at + k];
        let highest = round === 0 ? Number.NEGATIVE_INFINITY : sums[at + chosen[group]] + least;
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
      tree.multiply(blocks.factors, blocks.policy);
      value = evaluator.solve(blocks.policy);
      // Each exact improvement raises the values of all states; where rounding ends that, so does the search.
      const total = stateValues.reduce((sum, stateValue) => sum + stateValue, 0);
      if (!(total > highestTotal)) return value;
      highestTotal = total;
    }
  };
}
