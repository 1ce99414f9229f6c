import { InputError } from "../errors.ts";

/** How all agents should act, each on its own with one probability, so that exactly K do. */
export interface CountBound {
  /** The probability with which each agent acts. */
  readonly rate: number;
  /** The probability that exactly K agents act. */
  readonly value: number;
}

/**
 * The probability `f(N, K, p) = C(N, K) p^K (1 - p)^(N - K)` that exactly `k` of N agents act when each does with
 * probability `rate`, independently of the others (AGP, Equation 9).
 */
export function exactlyKProbability(agents: number, k: number, rate: number): number {
  checkCount(agents, k);
  // Rates are added up as logarithms: powers and binomial coefficients of a thousand agents do not fit a number.
  let sum = logPower(rate, k) + logPower(1 - rate, agents - k);
  for (let i = 1; i <= k; i++) sum += Math.log((agents - k + i) / i);
  return Math.exp(sum);
}

/**
 * The most that `exactlyKProbability` reaches, at the rate `K / N` (AGP, Section 3). It bounds agents that are all alike:
 * with fixed roles, where agents 0 to K-1 act and the others do not, independent policies reach 1.
 */
export function countBound(agents: number, k: number): CountBound {
  checkCount(agents, k);
  const rate = k / agents;
  return { rate, value: exactlyKProbability(agents, k, rate) };
}

/** `log(base^exponent)`, with `0^0 = 1`. */
function logPower(base: number, exponent: number): number {
  return exponent === 0 ? 0 : exponent * Math.log(base);
}

/** @throws InputError unless there are `agents` agents and `k` of them */
function checkCount(agents: number, k: number): void {
  if (!Number.isInteger(agents) || agents < 1) {
    throw new InputError(`agents: got ${agents}, expected a positive integer`);
  }
  if (!Number.isInteger(k) || k < 0 || k > agents) {
    throw new InputError(`k: got ${k}, expected an integer in 0..${agents}`);
  }
}
