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

/**
 * Level p of the tree holds, for all states, the joint actions of the first p agents of the topological order; the leaves are
 * joint actions with their digits in that order.
 */
export function actionTree(layout: ThetaLayout): ActionTree {
  const { dag, actions, states, parentActions, offsets } = layout;
  const agents = actions.length;
  const order = topologicalOrder(dag);
  const joint = jointActionCount(actions);
  const permutation = jointIndexOfOrder(actions, order);
  // rows[p][s, x]: where the parameters of the next agent begin when the first p agents played x in state s.
  const rows = Array.from(order, (i, p) => {
    const parentIndex = parentIndices(layout, order.subarray(0, p), i);
    const size = parentIndex.length;
    return Int32Array.from({ length: states * size }, (_, entry) => {
      const s = Math.floor(entry / size);
      return offsets[i] + (s * parentActions[i] + parentIndex[entry % size]) * actions[i];
    });
  });
  const levels = rows.map((row) => new Float64Array(row.length));
  const ordered = new Float64Array(permutation === undefined ? 0 : states * joint);

  return {
    multiply(factors, out) {
      levels[0].fill(1);
      for (let p = 0; p < agents; p++) {
        const below = p + 1 < agents ? levels[p + 1] : permutation === undefined ? out : ordered;
        multiplyLevel(levels[p], below, rows[p], factors, actions[order[p]]);
      }
      if (permutation === undefined) return;
      for (let s = 0; s < states * joint; s += joint) {
        for (let x = 0; x < joint; x++) out[s + permutation[x]] = ordered[s + x];
      }
    },
    accumulate(weights, out) {
      if (permutation !== undefined) {
        for (let s = 0; s < states * joint; s += joint) {
          for (let x = 0; x < joint; x++) ordered[s + x] = weights[s + permutation[x]];
        }
      }
      for (let p = agents - 1; p >= 0; p--) {
        const below = p + 1 < agents ? levels[p + 1] : permutation === undefined ? weights : ordered;
        sumLevel(levels[p], below, rows[p], out, actions[order[p]]);
      }
    },
  };
}

function multiplyLevel(
  above: Float64Array,
  below: Float64Array,
  rows: Int32Array,
  factors: Float64Array,
  choices: number,
): void {
  if (choices === 2) {
    for (let x = 0; x < rows.length; x++) {
      const row = rows[x];
      const product = above[x];
      below[2 * x] = product * factors[row];
      below[2 * x + 1] = product * factors[row + 1];
    }
    return;
  }
  for (let x = 0; x < rows.length; x++) {
    for (let u = 0; u < choices; u++) below[x * choices + u] = above[x] * factors[rows[x] + u];
  }
}

function sumLevel(
  above: Float64Array,
  below: Float64Array,
  rows: Int32Array,
  out: Float64Array,
  choices: number,
): void {
  if (choices === 2) {
    for (let x = 0; x < rows.length; x++) {
      const row = rows[x];
      const first = below[2 * x];
      const second = below[2 * x + 1];
      out[row] += first;
      out[row + 1] += second;
      above[x] = first + second;
    }
    return;
  }
  for (let x = 0; x < rows.length; x++) {
    let sum = 0;
    for (let u = 0; u < choices; u++) {
      const weight = below[x * choices + u];
      out[rows[x] + u] += weight;
      sum += weight;
    }
    above[x] = sum;
  }
}

/** The parent-action index of `agent` for each joint action of the agents `before` it. */
function parentIndices({ dag, actions }: ThetaLayout, before: Int32Array, agent: number): Int32Array {
  const played = new Int32Array(actions.length);
  const size = before.reduce((count, j) => count * actions[j], 1);
  return Int32Array.from({ length: size }, (_, x) => {
    for (let q = before.length - 1; q >= 0; q--) {
      const j = before[q];
      played[j] = x % actions[j];
      x = Math.floor(x / actions[j]);
    }
    return dag.parents[agent].reduce((index, j) => index * actions[j] + played[j], 0);
  });
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
