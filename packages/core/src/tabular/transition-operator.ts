import type { CooperativeMarkovGame, FactoredTransition } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import type { Block, KernelMemory } from "./kernels.ts";

/** The two products with a game's transition that exact evaluation is made of, both times a scale. */
export interface TransitionOperator {
  /**
   * `P_pi[s][s'] = sum_a pi(a|s) P(s'|s, a)`.
   *
   * @param weights `pi(a|s)`, or any weights, `[S, A]`
   * @param out `[S, rowLength(S)]`, what follows the first `S` numbers of a row being left as it is or meaningless
   */
  averageOverActions(weights: Block, out: Block): void;
  /**
   * Fills `expected` with `sum_s' P(s'|s, a) V(s')`.
   *
   * @param values `V`, `[S]`, with room for and a zero in `rowLength(S)` numbers
   */
  expectNext(values: Block): void;
  /** `[S, A]`, or `[A]` where all states share a transition. */
  readonly expected: Block;
  /** From the numbers of one state in `expected` to those of the next, in bytes; 0 where all states share a transition. */
  readonly strideExpected: number;
}

/** Numbers in a row of a matrix over states: for kernels a multiple of four, and four more for right-hand sides. */
export function rowLength(states: number): number {
  return 4 * Math.ceil(states / 4) + 4;
}

/**
 * The operator of a game. A dense transition that is the same in every state is used as such, and as a product over
 * agents where it is one.
 */
export function transitionOperator(
  memory: KernelMemory,
  game: CooperativeMarkovGame,
  scale: number,
): TransitionOperator {
  const { transition, states, actions } = game;
  if (!(transition instanceof Float64Array)) return factoredOperator(memory, game, transition, scale);
  const block = jointActionCount(actions) * states;
  if (dependsOnState(transition, states, block)) return denseOperator(memory, game, transition, scale);
  const shared = transition.subarray(0, block);
  const factored = findFactors(shared, actions, states);
  if (factored !== undefined) return factoredOperator(memory, game, factored, scale);
  return denseOperator(memory, game, shared, scale);
}

/**
 * The factors of a table `[A, S]` that is a product over agents whose local states are as many as their actions, up to
 * rounding; undefined where it is none.
 */
function findFactors(
  table: Float64Array,
  actions: readonly number[],
  states: number,
): FactoredTransition | undefined {
  const joint = jointActionCount(actions);
  if (joint !== states) return undefined;
  const digit = (index: number, i: number) =>
    Math.floor(index / jointActionCount(actions.slice(i + 1))) % actions[i];
  const digits = actions.map((_, i) => Int32Array.from({ length: joint }, (__, index) => digit(index, i)));
  // If it is a product, its factor for an agent is the marginal of that agent, whatever the others do.
  const marginals = actions.map((choices, i) => {
    const marginal = new Float64Array(choices * choices);
    for (let u = 0; u < choices; u++) {
      const row = u * jointActionCount(actions.slice(i + 1)) * states;
      for (let next = 0; next < states; next++) marginal[u * choices + digits[i][next]] += table[row + next];
    }
    return marginal;
  });
  for (let a = 0; a < joint; a++) {
    for (let next = 0; next < states; next++) {
      let product = 1;
      for (let i = 0; i < actions.length; i++)
        product *= marginals[i][digits[i][a] * actions[i] + digits[i][next]];
      if (Math.abs(product - table[a * states + next]) > 1e-15) return undefined;
    }
  }
  const factors = marginals.map((marginal, i) => {
    const factor = new Float64Array(actions[i] * marginal.length);
    for (let local = 0; local < actions[i]; local++) factor.set(marginal, local * marginal.length);
    return factor;
  });
  return { localStates: actions, factors };
}

/** @param transition `[S, A, S]`, or `[A, S]` of all states */
function denseOperator(
  memory: KernelMemory,
  { states, actions }: CooperativeMarkovGame,
  transition: Float64Array,
  scale: number,
): TransitionOperator {
  const { kernels } = memory;
  const joint = jointActionCount(actions);
  const table = memory.keep(transition);
  const entries = memory.view(table);
  for (let k = 0; k < entries.length; k++) entries[k] *= scale;
  const rows = transition.length / states;
  const shared = rows === joint;
  const expected = memory.reserve(rows);
  return {
    averageOverActions(weights, out) {
      const strideTable = shared ? 0 : 8 * joint * states;
      const strideOut = 8 * rowLength(states);
      kernels.averageTable(
        table.address,
        strideTable,
        weights.address,
        out.address,
        strideOut,
        states,
        joint,
      );
    },
    expectNext(values) {
      kernels.expectTable(table.address, rows, values.address, expected.address, states);
    },
    expected,
    strideExpected: shared ? 0 : 8 * joint,
  };
}

/**
 * Products agent by agent: a vector over joint actions becomes one over states by replacing one digit after the other,
 * which costs `A sum_i S_i` in place of `A S`.
 */
function factoredOperator(
  memory: KernelMemory,
  { states, actions }: CooperativeMarkovGame,
  { localStates, factors }: FactoredTransition,
  scale: number,
): TransitionOperator {
  const { kernels } = memory;
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const shared = factors.every(
    (factor, i) => !dependsOnState(factor, localStates[i], actions[i] * localStates[i]),
  );
  // All states at once where their factors agree, else one state at a time.
  const batches = shared ? 1 : states;
  const perBatch = states / batches;
  // The digit replaced last, agent 0's, brings the scale.
  const tables = factors.map(
    (factor, i) => memory.keep(i === 0 ? factor.map((p) => p * scale) : factor).address,
  );
  const widest = widestStage(actions, localStates);
  const buffers = [memory.reserve(perBatch * widest).address, memory.reserve(perBatch * widest).address];
  const expected = memory.reserve(batches * joint);

  /** Where the table of agent `i` begins for the local state that it has in state `s`. */
  const tableOf = (i: number, s: number) => {
    const local = Math.floor(s / jointActionCount(localStates.slice(i + 1))) % localStates[i];
    return tables[i] + 8 * local * actions[i] * localStates[i];
  };
  /** For each batch, the stages from the last agent to the first that make digits `from` digits `to`. */
  const stages = (
    from: readonly number[],
    to: readonly number[],
    strides: (i: number) => readonly [number, number],
    blocks: number,
    lastStride: number,
  ) =>
    memory.keepIndices(
      Array.from({ length: batches }, (_, batch) =>
        actions.map((__, back) => {
          const i = agents - 1 - back;
          const left = blocks * jointActionCount(from.slice(0, i));
          const right = jointActionCount(to.slice(i + 1));
          const strideLeft = i === 0 ? lastStride : 8 * to[i] * right;
          return [
            ...[left, right, from[i], to[i]],
            ...[tableOf(i, batch), ...strides(i), strideLeft, buffers[i % 2]],
          ];
        }),
      ).flat(2),
    );
  const stride = 8 * rowLength(states);
  const averaging = stages(actions, localStates, (i) => [8 * localStates[i], 8], perBatch, stride);
  const expecting = stages(localStates, actions, (i) => [8, 8 * localStates[i]], 1, 8 * joint);
  const stageBytes = 4 * 9;

  return {
    averageOverActions(weights, out) {
      for (let batch = 0; batch < batches; batch++) {
        const from = weights.address + 8 * batch * joint;
        const to = out.address + batch * stride;
        kernels.replaceDigits(averaging + batch * agents * stageBytes, agents, from, to);
      }
    },
    expectNext(values) {
      for (let batch = 0; batch < batches; batch++) {
        const to = expected.address + 8 * batch * joint;
        kernels.replaceDigits(expecting + batch * agents * stageBytes, agents, values.address, to);
      }
    },
    expected,
    strideExpected: shared ? 0 : 8 * joint,
  };
}

/** The most entries between any two digits being replaced, in either direction. */
function widestStage(actions: readonly number[], localStates: readonly number[]): number {
  let widest = 1;
  for (let cut = 0; cut <= actions.length; cut++) {
    const toStates = jointActionCount(actions.slice(0, cut)) * jointActionCount(localStates.slice(cut));
    const toActions = jointActionCount(localStates.slice(0, cut)) * jointActionCount(actions.slice(cut));
    widest = Math.max(widest, toStates, toActions);
  }
  return widest;
}

/** Whether the blocks of the table, one for each state, differ. */
function dependsOnState(table: Float64Array, states: number, block: number): boolean {
  for (let k = block; k < states * block; k++) if (table[k] !== table[k - block]) return true;
  return false;
}
