import type { CooperativeMarkovGame, FactoredTransition } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";

/** The two products with a game's transition that exact evaluation is made of. Neither allocates. */
export interface TransitionOperator {
  /**
   * `P_pi[s][s'] = sum_a pi(a|s) P(s'|s, a)`.
   *
   * @param weights `pi(a|s)`, or any weights, `[S, A]`
   * @param out `[S, S]`
   */
  averageOverActions(weights: Float64Array, out: Float64Array): void;
  /**
   * `sum_s' P(s'|s, a) V(s')`.
   *
   * @param values `V`, `[S]`
   * @param out `[S, A]`
   */
  expectNext(values: Float64Array, out: Float64Array): void;
}

/**
 * The operator of a game. A dense transition that is the same in every state is used as such, and as a product over
 * agents where it is one.
 */
export function transitionOperator(game: CooperativeMarkovGame): TransitionOperator {
  const { transition, states, actions } = game;
  if (!(transition instanceof Float64Array)) return factoredOperator(game, transition);
  const block = jointActionCount(actions) * states;
  if (dependsOnState(transition, states, block)) return denseOperator(game, transition, block);
  const factored = findFactors(transition.subarray(0, block), actions, states);
  return factored === undefined ? denseOperator(game, transition, 0) : factoredOperator(game, factored);
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

/** @param stride how far the rows of one state are from those of the next; 0 where all states share theirs */
function denseOperator(
  game: CooperativeMarkovGame,
  transition: Float64Array,
  stride: number,
): TransitionOperator {
  const { states } = game;
  const joint = jointActionCount(game.actions);
  /** Expectations of joint actions `a` to `a + 3` in state `s`: four sums at a time wait less for each other. */
  const expectFour = (values: Float64Array, out: Float64Array, s: number, a: number) => {
    const r0 = s * stride + a * states;
    const r1 = r0 + states;
    const r2 = r1 + states;
    const r3 = r2 + states;
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let next = 0; next < states; next++) {
      const value = values[next];
      sum0 += transition[r0 + next] * value;
      sum1 += transition[r1 + next] * value;
      sum2 += transition[r2 + next] * value;
      sum3 += transition[r3 + next] * value;
    }
    const to = s * joint + a;
    out[to] = sum0;
    out[to + 1] = sum1;
    out[to + 2] = sum2;
    out[to + 3] = sum3;
  };
  return {
    averageOverActions(weights, out) {
      for (let s = 0; s < states; s++) {
        const to = s * states;
        out.fill(0, to, to + states);
        let a = 0;
        // Four rows at a time read and write the sums a quarter as often.
        for (; a + 3 < joint; a += 4) {
          const from = s * joint + a;
          const w0 = weights[from];
          const w1 = weights[from + 1];
          const w2 = weights[from + 2];
          const w3 = weights[from + 3];
          if (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 0) continue;
          const r0 = s * stride + a * states;
          const r1 = r0 + states;
          const r2 = r1 + states;
          const r3 = r2 + states;
          for (let next = 0; next < states; next++) {
            out[to + next] +=
              w0 * transition[r0 + next] +
              w1 * transition[r1 + next] +
              w2 * transition[r2 + next] +
              w3 * transition[r3 + next];
          }
        }
        for (; a < joint; a++) {
          const weight = weights[s * joint + a];
          const row = s * stride + a * states;
          for (let next = 0; next < states; next++) out[to + next] += weight * transition[row + next];
        }
      }
    },
    expectNext(values, out) {
      const computed = stride === 0 ? 1 : states;
      for (let s = 0; s < computed; s++) {
        let a = 0;
        for (; a + 3 < joint; a += 4) expectFour(values, out, s, a);
        for (; a < joint; a++) {
          const row = s * stride + a * states;
          let sum = 0;
          for (let next = 0; next < states; next++) sum += transition[row + next] * values[next];
          out[s * joint + a] = sum;
        }
      }
      for (let s = computed; s < states; s++) out.copyWithin(s * joint, 0, joint);
    },
  };
}

/**
 * Products agent by agent: a vector over joint actions becomes one over states by replacing one digit after the other,
 * which costs `A sum_i S_i` in place of `A S`.
 */
function factoredOperator(
  game: CooperativeMarkovGame,
  { localStates, factors }: FactoredTransition,
): TransitionOperator {
  const { states, actions } = game;
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const stateless = factors.every(
    (factor, i) => !dependsOnState(factor, localStates[i], actions[i] * localStates[i]),
  );
  // All states at once where their factors agree, else one state at a time.
  const batches = stateless ? 1 : states;
  const perBatch = states / batches;
  const widest = widestStage(actions, localStates);
  const buffers = [new Float64Array(perBatch * widest), new Float64Array(perBatch * widest)];
  const digits = new Int32Array(agents);
  const readDigits = (s: number) => {
    for (let i = agents - 1; i >= 0; i--) {
      digits[i] = stateless ? 0 : s % localStates[i];
      s = Math.floor(s / localStates[i]);
    }
  };
  return {
    averageOverActions(weights, out) {
      for (let batch = 0; batch < batches; batch++) {
        readDigits(batch);
        let from = weights;
        let fromAt = batch * joint;
        // Digits to the left of agent i are still actions, those to the right already local states.
        let left = (perBatch * joint) as number;
        let right = 1;
        for (let i = agents - 1; i >= 0; i--) {
          left /= actions[i];
          const to = i === 0 ? out : buffers[i % 2];
          const toAt = i === 0 ? batch * states : 0;
          const factorAt = digits[i] * actions[i] * localStates[i];
          replaceDigit(
            from,
            fromAt,
            to,
            toAt,
            left,
            actions[i],
            localStates[i],
            right,
            factors[i],
            factorAt,
            localStates[i],
            1,
          );
          right *= localStates[i];
          from = to;
          fromAt = 0;
        }
      }
    },
    expectNext(values, out) {
      const rows = stateless ? 1 : states;
      for (let s = 0; s < rows; s++) {
        readDigits(s);
        let from = values;
        let left = states;
        let right = 1;
        for (let i = agents - 1; i >= 0; i--) {
          left /= localStates[i];
          const to = i === 0 ? out : buffers[i % 2];
          const toAt = i === 0 ? s * joint : 0;
          const factorAt = digits[i] * actions[i] * localStates[i];
          replaceDigit(
            from,
            0,
            to,
            toAt,
            left,
            localStates[i],
            actions[i],
            right,
            factors[i],
            factorAt,
            1,
            localStates[i],
          );
          right *= actions[i];
          from = to;
        }
      }
      for (let s = rows; s < states; s++) out.copyWithin(s * joint, 0, joint);
    },
  };
}

/** `to[l, y, r] = sum_x from[l, x, r] factor[x, y]`, the entry `factor[x, y]` at `factorAt + x strideX + y strideY`. */
function replaceDigit(
  from: Float64Array,
  fromAt: number,
  to: Float64Array,
  toAt: number,
  left: number,
  sizeX: number,
  sizeY: number,
  right: number,
  factor: Float64Array,
  factorAt: number,
  strideX: number,
  strideY: number,
): void {
  if (sizeX === 2 && sizeY === 2 && (right & (right - 1)) === 0) {
    const f00 = factor[factorAt];
    const f01 = factor[factorAt + strideY];
    const f10 = factor[factorAt + strideX];
    const f11 = factor[factorAt + strideX + strideY];
    // One loop over all pairs: where `right` is a power of two, masks tell the digits left and right of the pair.
    const low = right - 1;
    for (let pair = 0; pair < left * right; pair++) {
      const offset = ((pair & ~low) << 1) | (pair & low);
      const x0 = from[fromAt + offset];
      const x1 = from[fromAt + offset + right];
      to[toAt + offset] = x0 * f00 + x1 * f10;
      to[toAt + offset + right] = x0 * f01 + x1 * f11;
    }
    return;
  }
  for (let l = 0; l < left; l++) {
    for (let y = 0; y < sizeY; y++) {
      for (let r = 0; r < right; r++) {
        let sum = 0;
        for (let x = 0; x < sizeX; x++) {
          sum += from[fromAt + (l * sizeX + x) * right + r] * factor[factorAt + x * strideX + y * strideY];
        }
        to[toAt + (l * sizeY + y) * right + r] = sum;
      }
    }
  }
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
