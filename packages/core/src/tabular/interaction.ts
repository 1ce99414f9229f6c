import { jointActionCount } from "./joint-action.ts";

/**
 * The joint interaction of some agents with two actions each, all others playing action 0: the sum of `(-1)^(a_i + a_j + ...)
 * F(a_i, a_j, ...)` over their actions. It is 0 for every sum of functions that each leave out one of these agents (AGP,
 * Theorem B.1, where it is a third-order interaction).
 *
 * @param values value of each joint action, `[2^N]`, agent 0 as the most significant digit
 * @param among the agents that interact
 * @throws Error when the values are not those of agents with two actions, or an agent does not exist
 */
export function interaction(values: ArrayLike<number>, among: readonly number[]): number {
  const agents = Math.log2(values.length);
  if (!Number.isInteger(agents)) {
    throw new Error(`interaction: got ${values.length} values, expected a power of 2`);
  }
  const missing = among.find((i) => !(Number.isInteger(i) && i >= 0 && i < agents));
  if (missing !== undefined) throw new Error(`interaction: no agent ${missing}, expected 0..${agents - 1}`);
  let sum = 0;
  for (let chosen = 0; chosen < 2 ** among.length; chosen++) {
    let index = 0;
    let sign = 1;
    among.forEach((agent, k) => {
      if (((chosen >> k) & 1) === 0) return;
      index += 2 ** (agents - 1 - agent);
      sign = -sign;
    });
    sum += sign * values[index];
  }
  return sum;
}

/**
 * The best least-squares fit of a value table by a sum of functions of at most `order` agents each, every joint action
 * counting the same: 1 for the sums of VDN, 2 for the pairs of DCG.
 *
 * With equal weights the best fit is the sum of the table's analysis-of-variance components of at most that order. With
 * `M_i` the mean over the actions of agent i, the component of a set of agents is `F` with `I - M_i` applied for its
 * members and `M_i` for the others.
 *
 * @param actions number of actions of each agent `[N]`
 * @param values value of each joint action, `[A]`, agent 0 as the most significant digit
 * @returns the fitted values `[A]`
 * @throws Error when there are not as many values as joint actions
 */
export function leastSquaresFit(
  actions: readonly number[],
  values: ArrayLike<number>,
  order: number,
): Float64Array {
  const joint = expectTable(actions, values);
  // components[k]: the sum over all sets of k agents among those looked at so far.
  let components = [Float64Array.from(values)];
  let stride = joint;
  for (const n of actions) {
    stride /= n;
    const means = components.map((table) => meansOver(table, n, stride));
    const next = means.map((table) => table.slice());
    components.forEach((table, k) => {
      if (k === order) return;
      if (k + 1 === next.length) next.push(new Float64Array(joint));
      for (let a = 0; a < joint; a++) next[k + 1][a] += table[a] - means[k][a];
    });
    components = next;
  }
  const fit = new Float64Array(joint);
  for (const table of components) for (let a = 0; a < joint; a++) fit[a] += table[a];
  return fit;
}

/**
 * Whether a value table is an increasing function of one utility per agent, as in QMIX: whether two actions of an agent
 * compare the same way whatever the others do, for every agent.
 *
 * @param actions number of actions of each agent `[N]`
 * @param values value of each joint action, `[A]`, agent 0 as the most significant digit
 * @throws Error when there are not as many values as joint actions
 */
export function isMonotonic(actions: readonly number[], values: ArrayLike<number>): boolean {
  const joint = expectTable(actions, values);
  let stride = joint;
  return actions.every((n) => {
    stride /= n;
    for (let x = 0; x < n; x++) {
      for (let y = 0; y < x; y++) {
        let better = false;
        let worse = false;
        for (let a = 0; a < joint; a++) {
          if (Math.floor(a / stride) % n !== x) continue;
          const difference = values[a] - values[a + (y - x) * stride];
          better ||= difference > 0;
          worse ||= difference < 0;
        }
        if (better && worse) return false;
      }
    }
    return true;
  });
}

/** Each entry replaced by the mean over one agent's `n` actions, which lie `stride` apart. */
function meansOver(table: Float64Array, n: number, stride: number): Float64Array {
  const means = new Float64Array(table.length);
  for (let a = 0; a < table.length; a++) {
    const first = a - (Math.floor(a / stride) % n) * stride;
    let sum = 0;
    for (let x = 0; x < n; x++) sum += table[first + x * stride];
    means[a] = sum / n;
  }
  return means;
}

function expectTable(actions: readonly number[], values: ArrayLike<number>): number {
  const joint = jointActionCount(actions);
  if (values.length === joint) return joint;
  throw new Error(`value table: got ${values.length} values, expected ${joint}, one for each joint action`);
}
