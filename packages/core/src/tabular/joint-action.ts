/** Number of joint actions, the product of the agents' numbers of actions. */
export function jointActionCount(actions: readonly number[]): number {
  return actions.reduce((product, n) => product * n, 1);
}

/**
 * Every joint action, in order of its index: mixed-radix with agent 0 as the most significant digit.
 *
 * @param actions number of actions of each agent `[N]`
 * @returns `[A, N]`
 */
export function enumerateJointActions(actions: readonly number[]): Int32Array {
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const table = new Int32Array(joint * agents);
  for (let index = 0; index < joint; index++) {
    let rest = index;
    for (let i = agents - 1; i >= 0; i--) {
      table[index * agents + i] = rest % actions[i];
      rest = Math.floor(rest / actions[i]);
    }
  }
  return table;
}

/** Index of a joint action `[N]` among all of them. */
export function jointActionIndex(actions: readonly number[], jointAction: ArrayLike<number>): number {
  return actions.reduce((index, n, i) => index * n + jointAction[i], 0);
}

/**
 * The joint policy of agents whose conditionals are known: `pi(a|s) = exp(sum_i log pi^i(a_i | s, a_parents))`.
 * A network is asked once for each state and joint action; the parents' actions are those of the joint action, and
 * the DAG may differ from state to state.
 *
 * @param logProbabilities `log pi^i(a_i | s, a_parents(i))` of agent `i` in joint action `a`, `[S, A, N]`
 * @returns `pi(a|s)`, `[S, A]`
 * @throws Error when the array has another size
 */
export function jointPolicyFromLogProbabilities(
  logProbabilities: Float64Array | Float32Array,
  states: number,
  jointActions: number,
  agents: number,
): Float64Array {
  if (logProbabilities.length !== states * jointActions * agents) {
    throw new Error(
      `log-probabilities have ${logProbabilities.length} entries, expected ${states} x ${jointActions} x ${agents}`,
    );
  }
  const policy = new Float64Array(states * jointActions);
  for (let k = 0; k < policy.length; k++) {
    let total = 0;
    for (let i = 0; i < agents; i++) total += logProbabilities[k * agents + i];
    policy[k] = Math.exp(total);
  }
  return policy;
}
