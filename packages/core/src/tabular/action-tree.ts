import { topologicalOrder } from "../structure/index.ts";
import { jointActionCount } from "./joint-action.ts";
import type { ThetaLayout } from "./theta-layout.ts";

/** Products and sums over joint actions, one agent after the other in topological order. */
export interface ActionTree {
  /** `out[s][a] = prod_i factors^i(a_i | s, a_parents)`, factors laid out like theta, `out` `[S, A]`. */
  multiply(factors: Float64Array, out: Float64Array): void;
  /** Adds `weights[s][a]` `[S, A]` to entry `(s, k, u)` of every agent that plays `u` under parents' actions `k` in `a`. */
  accumulate(weights: Float64Array, out: Float64Array): void;
}

export function actionTree(layout: ThetaLayout): ActionTree {
  const { dag, actions, states, parentActions, offsets } = layout;
  const agents = actions.length;
  const order = topologicalOrder(dag);
  const joint = jointActionCount(actions);
  // Level p holds the joint actions of the first p agents of the order; rows[p][x] is where, among the parameters of
  // one state, the row of the next agent begins after those agents played x.
  const sizes = [1];
  const rows: Int32Array[] = [];
  for (let p = 0; p < agents; p++) {
    const i = order[p];
    const row = new Int32Array(sizes[p]);
    const played = new Int32Array(agents);
    for (let x = 0; x < sizes[p]; x++) {
      let rest = x;
      for (let q = p - 1; q >= 0; q--) {
        played[order[q]] = rest % actions[order[q]];
        rest = Math.floor(rest / actions[order[q]]);
      }
      let k = 0;
      for (const j of dag.parents[i]) k = k * actions[j] + played[j];
      row[x] = k * actions[i];
    }
    rows.push(row);
    sizes.push(sizes[p] * actions[i]);
  }
  const permutation = jointIndexOfOrder(actions, order);
  const levels = sizes.map((count) => new Float64Array(count));
  const leaves = levels[agents];
  const at = new Int32Array(agents);

  return {
    multiply(factors, out) {
      levels[0][0] = 1;
      for (let s = 0; s < states; s++) {
        for (let p = 0; p < agents; p++) {
          const i = order[p];
          const base = offsets[i] + s * parentActions[i] * actions[i];
          multiplyLevel(levels[p], levels[p + 1], rows[p], factors, base, actions[i]);
        }
        if (permutation === undefined) out.set(leaves, s * joint);
        else for (let x = 0; x < joint; x++) out[s * joint + permutation[x]] = leaves[x];
      }
    },
    accumulate(weights, out) {
      for (let i = 0; i < agents; i++) at[i] = offsets[i];
      for (let s = 0; s < states; s++) {
        for (let x = 0; x < joint; x++) {
          leaves[x] = weights[s * joint + (permutation === undefined ? x : permutation[x])];
        }
        for (let p = agents - 1; p >= 0; p--) {
          const i = order[p];
          sumLevel(levels[p], levels[p + 1], rows[p], out, at[i], actions[i]);
          at[i] += parentActions[i] * actions[i];
        }
      }
    },
  };
}

function multiplyLevel(
  above: Float64Array,
  below: Float64Array,
  rows: Int32Array,
  factors: Float64Array,
  base: number,
  choices: number,
): void {
  let at = 0;
  if (choices === 2) {
    for (let x = 0; x < rows.length; x++) {
      const row = base + rows[x];
      const product = above[x];
      below[at++] = product * factors[row];
      below[at++] = product * factors[row + 1];
    }
    return;
  }
  for (let x = 0; x < rows.length; x++) {
    const row = base + rows[x];
    for (let u = 0; u < choices; u++) below[at++] = above[x] * factors[row + u];
  }
}

function sumLevel(
  above: Float64Array,
  below: Float64Array,
  rows: Int32Array,
  out: Float64Array,
  base: number,
  choices: number,
): void {
  let at = 0;
  if (choices === 2) {
    for (let x = 0; x < rows.length; x++) {
      const row = base + rows[x];
      const first = below[at++];
      const second = below[at++];
      out[row] += first;
      out[row + 1] += second;
      above[x] = first + second;
    }
    return;
  }
  for (let x = 0; x < rows.length; x++) {
    const row = base + rows[x];
    let sum = 0;
    for (let u = 0; u < choices; u++) {
      const weight = below[at++];
      out[row + u] += weight;
      sum += weight;
    }
    above[x] = sum;
  }
}

/** Joint-action index of each index whose digits follow `order`, `[A]`; undefined where the two are the same. */
function jointIndexOfOrder(actions: readonly number[], order: Int32Array): Int32Array | undefined {
  if (order.every((agent, p) => agent === p)) return undefined;
  const joint = jointActionCount(actions);
  const weight = actions.map((_, i) => jointActionCount(actions.slice(i + 1)));
  return Int32Array.from({ length: joint }, (_, x) => {
    let index = 0;
    for (let p = order.length - 1; p >= 0; p--) {
      const i = order[p];
      index += (x % actions[i]) * weight[i];
      x = Math.floor(x / actions[i]);
    }
    return index;
  });
}
