import type { FiniteModel } from "../envs/index.ts";
import { jointActionCount } from "./joint-action.ts";
import { luFactor, luSolve, luSolveTransposed } from "./linear-solve.ts";

/** What a stationary policy is worth, exactly. */
export interface PolicyEvaluation {
  /** `V(mu)`. */
  readonly value: number;
  /** `V(s)`, `[S]`. */
  readonly stateValues: Float64Array;
  /** Discounted expected visits of each state from `mu`, `[S]`; they sum to `1 / (1 - gamma)`. */
  readonly visitation: Float64Array;
}

/**
 * Evaluates a joint policy by solving `(I - gamma P_pi) V = r_pi`, and its transpose for the visitation.
 *
 * @param jointPolicy `pi(a|s)`, `[S, A]`, each row summing to 1
 * @throws Error when the policy has another shape or its rows are not distributions
 */
export function evaluatePolicy(model: FiniteModel, jointPolicy: Float64Array): PolicyEvaluation {
  const { states, initial, discount, transition, reward } = model;
  const joint = jointActionCount(model.actions);
  expectPolicy(jointPolicy, states, joint);
  const expectedReward = new Float64Array(states);
  const system = new Float64Array(states * states);
  for (let s = 0; s < states; s++) {
    system[s * states + s] = 1;
    for (let a = 0; a < joint; a++) {
      const probability = jointPolicy[s * joint + a];
      if (probability === 0) continue;
      expectedReward[s] += probability * reward[s * joint + a];
      const row = (s * joint + a) * states;
      const weight = discount * probability;
      for (let next = 0; next < states; next++) system[s * states + next] -= weight * transition[row + next];
    }
  }
  const lu = luFactor(system, states);
  const stateValues = luSolve(lu, expectedReward);
  return {
    value: dot(initial, stateValues),
    stateValues,
    visitation: luSolveTransposed(lu, Float64Array.from(initial)),
  };
}

/** The best that any joint policy can reach. */
export interface Optimum {
  /** `V*(mu)`. */
  readonly value: number;
  /** `V*(s)`, `[S]`. */
  readonly stateValues: Float64Array;
  /** An optimal joint action in each state, `[S]`. */
  readonly policy: Int32Array;
}

/** Optimal value by policy iteration over joint actions, until no action improves a state by more than 1e-10. */
export function optimalValue(model: FiniteModel): Optimum {
  const { states, discount, transition, reward } = model;
  const joint = jointActionCount(model.actions);
  const policy = new Int32Array(states);
  for (;;) {
    const table = new Float64Array(states * joint);
    for (let s = 0; s < states; s++) table[s * joint + policy[s]] = 1;
    const { value, stateValues } = evaluatePolicy(model, table);
    let changed = false;
    for (let s = 0; s < states; s++) {
      let best = stateValues[s] + 1e-10;
      for (let a = 0; a < joint; a++) {
        const row = (s * joint + a) * states;
        let q = 0;
        for (let next = 0; next < states; next++) q += transition[row + next] * stateValues[next];
        q = reward[s * joint + a] + discount * q;
        if (q > best) {
          best = q;
          policy[s] = a;
          changed = true;
        }
      }
    }
    if (!changed) return { value, stateValues, policy };
  }
}

/**
 * Price of anarchy `V(mu) / V*(mu)` of a joint policy (Context-aware BN); one minus it is the normalised
 * suboptimality of Subteams.
 *
 * @param jointPolicy `pi(a|s)`, `[S, A]`
 * @param optimum `V*(mu)`: give it when many policies of one game are measured
 */
export function priceOfAnarchy(
  model: FiniteModel,
  jointPolicy: Float64Array,
  optimum: number = optimalValue(model).value,
): number {
  return evaluatePolicy(model, jointPolicy).value / optimum;
}

function expectPolicy(jointPolicy: Float64Array, states: number, joint: number): void {
  if (jointPolicy.length !== states * joint) {
    throw new Error(`joint policy has ${jointPolicy.length} entries, expected ${states} x ${joint}`);
  }
  for (let s = 0; s < states; s++) {
    let total = 0;
    for (let a = 0; a < joint; a++) total += jointPolicy[s * joint + a];
    // Conditionals in float32 multiply to rows that are off by about 1e-7.
    if (!(Math.abs(total - 1) < 1e-4)) {
      throw new Error(`joint policy: probabilities of state ${s} sum to ${total}, expected 1`);
    }
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
