import type { FiniteModel } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { enumerateJointActions, jointActionCount } from "./joint-action.ts";
import { unitMaximum } from "./unit-maximum.ts";

/**
 * A game of one joint action: one of S states is drawn, every agent sees its observation of the state, all act, the team is
 * paid.
 */
export interface ObservationGame {
  /** Number of actions of each agent `[N]`. */
  readonly actions: readonly number[];
  /** Number of different observations of each agent `[N]`. */
  readonly observations: readonly number[];
  /** Probability of each state `[S]`. */
  readonly probability: Float64Array;
  /** Which observation each agent makes, `[S, N]`. */
  readonly observed: Int32Array;
  /** Reward of each joint action, `[S, A]`, agent 0 as the most significant digit. */
  readonly reward: Float64Array;
}

/** The best that agents reach which act on their own observations alone. */
export interface IndependentOptimum {
  readonly value: number;
  /** The action of each agent at each of its observations, `[N][observations]`. */
  readonly policy: readonly Int32Array[];
}

/** Most steps of an enumeration, well below a second. */
const MOST_STEPS = 2 ** 25;

/** The first joint action of an environment's exact model; agents know what they observe and nothing else. */
export function observationGame(model: FiniteModel): ObservationGame {
  const { actions, states, reward, initial, observations } = model;
  const agents = actions.length;
  const size = observations.length / (states * agents);
  const observed = new Int32Array(states * agents);
  const counts = actions.map((_, i) => {
    const seen = new Map<string, number>();
    for (let s = 0; s < states; s++) {
      const at = (s * agents + i) * size;
      const key = observations.subarray(at, at + size).join();
      if (!seen.has(key)) seen.set(key, seen.size);
      observed[s * agents + i] = seen.get(key)!;
    }
    return seen.size;
  });
  return { actions, observations: counts, probability: initial, observed, reward };
}

/**
 * The best independent policy, by enumeration. Deterministic policies suffice, and randomness shared beforehand would not
 * help either: the expected reward is linear in the policy of each agent. For all choices of the other agents, the agent
 * with most policies answers with its best ones.
 *
 * @throws InputError when there are too many policies
 */
export function bestIndependentPolicy(game: ObservationGame): IndependentOptimum {
  const { actions, observations, probability, observed, reward } = game;
  const agents = actions.length;
  const states = probability.length;
  const joint = jointActionCount(actions);
  const counts = actions.map((n, i) => n ** observations[i]);
  const last = counts.indexOf(Math.max(...counts));
  const others = counts.reduce((product, count, i) => (i === last ? product : product * count), 1);
  if (others * states * actions[last] > MOST_STEPS) {
    throw new InputError(
      `independent policies: ${counts.join(" x ")} of them in ${states} states are too many to try, expected a smaller game`,
    );
  }
  // The other agents' actions at their observations, counted upwards like the digits of a number.
  const policy = actions.map((_, i) => new Int32Array(observations[i]));
  const stride = actions.slice(last + 1).reduce((product, n) => product * n, 1);
  const worth = new Float64Array(observations[last] * actions[last]);
  let best: IndependentOptimum = { value: Number.NEGATIVE_INFINITY, policy };
  do {
    worth.fill(0);
    for (let s = 0; s < states; s++) {
      let index = 0;
      for (let i = 0; i < agents; i++) {
        index = index * actions[i] + (i === last ? 0 : policy[i][observed[s * agents + i]]);
      }
      const own = observed[s * agents + last] * actions[last];
      for (let x = 0; x < actions[last]; x++) {
        worth[own + x] += probability[s] * reward[s * joint + index + x * stride];
      }
    }
    let value = 0;
    for (let o = 0; o < observations[last]; o++) {
      const row = worth.subarray(o * actions[last], (o + 1) * actions[last]);
      policy[last][o] = row.indexOf(Math.max(...row));
      value += row[policy[last][o]];
    }
    if (value > best.value) best = { value, policy: policy.map((own) => own.slice()) };
  } while (countUp(policy, actions, last));
  return best;
}

/** The best that one controller reaches which sees what all agents observe, but not what nobody does. */
export function bestSharedValue({ actions, probability, observed, reward }: ObservationGame): number {
  const agents = actions.length;
  const joint = jointActionCount(actions);
  const worth = new Map<string, Float64Array>();
  for (let s = 0; s < probability.length; s++) {
    const key = observed.subarray(s * agents, (s + 1) * agents).join();
    if (!worth.has(key)) worth.set(key, new Float64Array(joint));
    const row = worth.get(key)!;
    for (let a = 0; a < joint; a++) row[a] += probability[s] * reward[s * joint + a];
  }
  let value = 0;
  for (const row of worth.values()) value += row.reduce((most, one) => Math.max(most, one));
  return value;
}

/** The best that is possible when the state is known, hidden parts included. */
export function bestInformedValue({ actions, probability, reward }: ObservationGame): number {
  const joint = jointActionCount(actions);
  return probability.reduce((value, p, s) => {
    const row = reward.subarray(s * joint, (s + 1) * joint);
    return value + p * row.reduce((most, one) => Math.max(most, one));
  }, 0);
}

/** What agents reach that act uniformly at random. */
export function uniformValue({ actions, probability, reward }: ObservationGame): number {
  const joint = jointActionCount(actions);
  return reward.reduce((sum, pays, k) => sum + (probability[Math.floor(k / joint)] * pays) / joint, 0);
}

/**
 * The best that agents reach which are all alike: two actions each, nothing to see, and one probability of action 1 for all.
 *
 * @returns undefined in other games
 */
export function bestAlikeRate(game: ObservationGame): { rate: number; value: number } | undefined {
  const { actions, observations, probability, reward } = game;
  const agents = actions.length;
  if (actions.some((n) => n !== 2) || observations.some((n) => n !== 1)) return undefined;
  const joints = enumerateJointActions(actions);
  const joint = jointActionCount(actions);
  // The sum of rewards over joint actions in which so many act.
  const rewards = new Float64Array(agents + 1);
  for (let a = 0; a < joint; a++) {
    const acting = joints.subarray(a * agents, (a + 1) * agents).reduce((sum, x) => sum + x, 0);
    for (let s = 0; s < probability.length; s++) rewards[acting] += probability[s] * reward[s * joint + a];
  }
  const valueAt = (rate: number) =>
    rewards.reduce((sum, pays, acting) => sum + pays * rate ** acting * (1 - rate) ** (agents - acting), 0);
  const rate = unitMaximum(valueAt, 1000);
  return { rate, value: valueAt(rate) };
}

/** The next policies of all agents but one; false after the last. */
function countUp(policy: readonly Int32Array[], actions: readonly number[], except: number): boolean {
  for (let i = 0; i < policy.length; i++) {
    if (i === except) continue;
    for (let o = 0; o < policy[i].length; o++) {
      if (++policy[i][o] < actions[i]) return true;
      policy[i][o] = 0;
    }
  }
  return false;
}
