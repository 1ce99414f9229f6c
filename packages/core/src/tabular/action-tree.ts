import { topologicalOrder } from "../structure/index.ts";
import { jointActionCount } from "./joint-action.ts";
import type { Block, KernelMemory } from "./kernels.ts";
import type { ThetaLayout } from "./theta-layout.ts";

/** Products and sums over joint actions, one agent after the other in topological order. */
export interface ActionTree {
  /** `out[s][a] = prod_i factors^i(a_i | s, a_parents)`, factors laid out like theta, `out` `[S, A]`. */
  multiply(factors: Block, out: Block): void;
  /**
   * Sums `weights[s][a]` `[S, A]` over the joint actions in which an agent plays `u` and its parents `k`, for each entry
   * `(s, k, u)` of `out`, laid out like theta.
   */
  accumulate(weights: Block, out: Block): void;
}

/**
 * Level p of the tree holds, for all states, the joint actions of the first p agents of the topological order; the leaves are
 * joint actions with their digits in that order.
 */
export function actionTree(memory: KernelMemory, layout: ThetaLayout): ActionTree {
  const { kernels } = memory;
  const { dag, actions, states, parentActions, offsets, size } = layout;
  const agents = actions.length;
  const order = topologicalOrder(dag);
  const joint = jointActionCount(actions);
  const ones = memory.keep(new Float64Array(states).fill(1));
  const levels = memory.keepIndices(
    Array.from(order, (i, p) => {
      const parentIndex = parentIndices(layout, order.subarray(0, p), i);
      const count = states * parentIndex.length;
      // Where the parameters of agent i begin when the first p agents played x in state s. Loops over pairs may go on to one
      // row more, which is the spare room behind all parameters.
      const rows = Float64Array.from({ length: count + 1 }, (_, entry) => {
        if (entry === count) return 8 * size;
        const s = Math.floor(entry / parentIndex.length);
        return (
          8 * (offsets[i] + (s * parentActions[i] + parentIndex[entry % parentIndex.length]) * actions[i])
        );
      });
      // Every row is that of some x in some state, so of one only if there are as many.
      const alone = actions[i] === 2 && count === states * parentActions[i];
      return [
        ...[memory.reserve(count).address, memory.keepIndices(rows), count, actions[i]],
        ...[8 * offsets[i], 8 * states * parentActions[i] * actions[i], Number(alone)],
      ];
    }).flat(),
  );
  const sorted = order.every((agent, p) => agent === p);
  const leaves = memory.reserve(sorted ? 0 : states * joint).address;
  const jointIndex = jointIndexOfOrder(actions, order);
  const leafOfJointIndex = memory.keepIndices(inverse(jointIndex));
  const jointIndexOfLeaf = memory.keepIndices(jointIndex);

  return {
    multiply(factors, out) {
      const below = sorted ? out.address : leaves;
      kernels.multiplyLevels(levels, agents, ones.address, factors.address, below);
      if (!sorted) kernels.gather(leaves, out.address, states, 8 * joint, leafOfJointIndex);
    },
    accumulate(weights, out) {
      if (!sorted) kernels.gather(weights.address, leaves, states, 8 * joint, jointIndexOfLeaf);
      kernels.accumulateLevels(levels, agents, sorted ? weights.address : leaves, out.address);
    },
  };
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

/** Joint-action index of each index whose digits follow `order`, `[A]`. */
function jointIndexOfOrder(actions: readonly number[], order: Int32Array): Int32Array {
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

/** Where each number stands among all of them. */
function inverse(permutation: Int32Array): Int32Array {
  const positions = new Int32Array(permutation.length);
  permutation.forEach((number, position) => {
    positions[number] = position;
  });
  return positions;
}
