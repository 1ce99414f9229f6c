import { InputError } from "../errors.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";
import { kernelMemory } from "./kernels.ts";
import { optimalValue } from "./policy-value.ts";
import { rowLength, transitionOperator } from "./transition-operator.ts";

/** States that break the assumption `d_pi(s) > 0` for every policy and state, in increasing order. */
export interface UnvisitedStates {
  /** No policy ever visits these. */
  readonly unreachable: readonly number[];
  /** Some policy visits these, another one never does. */
  readonly avoidable: readonly number[];
}

/**
 * The states that some policy never visits, found on the graph of positive transition probabilities. The bounds assume
 * that there are none (Subteams and BN-rates, Assumption 1); an initial distribution that is positive everywhere is enough,
 * and without a future (a discount of 0) it is needed.
 */
export function unvisitedStates(game: CooperativeMarkovGame): UnvisitedStates {
  const { states, initial } = game;
  const joint = jointActionCount(game.actions);
  const reachable = reachableStates(game);
  const memory = kernelMemory();
  const operator = transitionOperator(memory, game, 1);
  const marks = memory.reserve(rowLength(states));
  const outside = memory.view(marks);
  const leaving = memory.view(operator.expected);
  const unreachable: number[] = [];
  const avoidable: number[] = [];
  for (let s = 0; s < states; s++) {
    if (!reachable[s]) unreachable.push(s);
    else if (initial[s] === 0 && canAvoid(s)) avoidable.push(s);
  }
  return { unreachable, avoidable };

  /** Whether the largest set of states without `s` that some policy never leaves holds all initial states. */
  function canAvoid(s: number): boolean {
    outside.fill(0);
    outside[s] = 1;
    for (let shrunk = true; shrunk; ) {
      shrunk = false;
      // A sum of non-negative numbers is exactly zero only where all of them are.
      operator.expectNext(marks);
      for (let x = 0; x < states; x++) {
        const from = (x * operator.strideExpected) / 8;
        if (outside[x] === 1 || leaving.subarray(from, from + joint).includes(0)) continue;
        if (initial[x] > 0) return false;
        outside[x] = 1;
        shrunk = true;
      }
    }
    return true;
  }
}

/**
 * @throws InputError naming the first states that some policy never visits
 */
export function requirePositiveVisitation(game: CooperativeMarkovGame): void {
  const { unreachable, avoidable } = unvisitedStates(game);
  if (unreachable.length > 0) {
    throw new InputError(
      `game: states ${listed(unreachable)} cannot be reached, expected visits of every state`,
    );
  }
  if (avoidable.length > 0) {
    throw new InputError(
      `game: states ${listed(avoidable)} are never visited by some policies, expected visits under every policy`,
    );
  }
}

/**
 * `M = max_{pi, pi', s} d_pi(s) / d_pi'(s)`, exactly: the most and the fewest visits of each state are the optimal
 * values of two single-agent problems over joint actions that pay 1 in that state. Infinite when some policy never visits
 * a state (`unvisitedStates`).
 */
export function visitationMismatch(game: CooperativeMarkovGame): number {
  const { states } = game;
  const { unreachable, avoidable } = unvisitedStates(game);
  if (unreachable.length + avoidable.length > 0) return Number.POSITIVE_INFINITY;
  const joint = jointActionCount(game.actions);
  const reward = new Float64Array(states * joint);
  let mismatch = 1;
  for (let s = 0; s < states; s++) {
    reward.fill(1, s * joint, (s + 1) * joint);
    const most = optimalValue(game, reward).value;
    reward.fill(-1, s * joint, (s + 1) * joint);
    const fewest = -optimalValue(game, reward).value;
    reward.fill(0, s * joint, (s + 1) * joint);
    mismatch = Math.max(mismatch, most / fewest);
  }
  return mismatch;
}

/** A bound on `visitationMismatch` that needs no solving: `1 / ((1 - gamma) min_s mu(s))`. */
export function visitationMismatchBound({ initial, discount }: CooperativeMarkovGame): number {
  return 1 / ((1 - discount) * initial.reduce((least, mass) => Math.min(least, mass)));
}

function reachableStates(game: CooperativeMarkovGame): boolean[] {
  const { states, initial, discount } = game;
  const reached = Array.from(initial, (mass) => mass > 0);
  if (discount === 0) return reached;
  const memory = kernelMemory();
  const operator = transitionOperator(memory, game, 1);
  const everyAction = memory.keep(new Float64Array(states * jointActionCount(game.actions)).fill(1));
  const matrix = memory.reserve(states * rowLength(states));
  operator.averageOverActions(everyAction, matrix);
  const edges = memory.view(matrix);
  const waiting = reached.flatMap((isReached, s) => (isReached ? [s] : []));
  for (let s = waiting.pop(); s !== undefined; s = waiting.pop()) {
    for (let next = 0; next < states; next++) {
      if (edges[s * rowLength(states) + next] === 0 || reached[next]) continue;
      reached[next] = true;
      waiting.push(next);
    }
  }
  return reached;
}

function listed(states: readonly number[]): string {
  return states.length > 10 ? `${states.slice(0, 10).join(", ")}, ...` : states.join(", ");
}
