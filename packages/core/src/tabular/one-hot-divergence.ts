import { InputError } from "../errors.ts";

/**
 * `KL(pi* || pi)` of the uniform distribution over the N joint actions in which exactly one agent acts, from agents that act
 * independently with these probabilities: `log(1/N) - (1/N) sum log p_i - ((N-1)/N) sum log(1 - p_i)` (AGP, Theorem C.1).
 * Infinite when an agent never acts, or always does.
 *
 * @param rates `[N]`, in [0, 1]
 */
export function oneHotDivergence(rates: ArrayLike<number>): number {
  const agents = rates.length;
  let sum = 0;
  for (let i = 0; i < agents; i++) {
    // A single agent acts for certain: it never has to stay silent.
    sum += Math.log(rates[i]) + (agents === 1 ? 0 : (agents - 1) * Math.log1p(-rates[i]));
  }
  return -Math.log(agents) - sum / agents;
}

/**
 * The least of `oneHotDivergence` over all rates, `-(N-1) log(1 - 1/N)` at `p_i = 1/N`. It grows with N towards 1 and never
 * reaches it; AGP's Theorem C.1 says it is at least `log N`, which holds at N = 2 only.
 *
 * @throws InputError unless there are at least two agents
 */
export function leastOneHotDivergence(agents: number): number {
  if (!Number.isInteger(agents) || agents < 2) {
    throw new InputError(`one-hot: got ${agents} agents, expected an integer that is at least 2`);
  }
  return -(agents - 1) * Math.log1p(-1 / agents);
}
