import type { TopKConfig } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { exactlyKProbability } from "./independent-count.ts";

/** What a team reaches in Top-K Selection, exactly. */
export interface TopKScore {
  /** Probability that exactly the agents with the K largest signals act. */
  readonly success: number;
  readonly return: number;
}

/** A game of Top-K Selection (AGP): without a penalty unless one is given. */
export type TopKGame = Pick<TopKConfig, "agents" | "k"> & Partial<TopKConfig>;

/** The settings of the environment, with its defaults. */
export function settleTopK(game: TopKGame): TopKConfig {
  const { agents, k } = game;
  if (!Number.isInteger(agents) || agents < 2) {
    throw new InputError(`topk: got ${agents} agents, expected an integer that is at least 2`);
  }
  if (!Number.isInteger(k) || k < 1 || k >= agents) {
    throw new InputError(`topk: got k = ${k}, expected an integer at least 1 and below the ${agents} agents`);
  }
  const { penalty = 0, penaltyMode = "perPair", penaltyDistance = 0.1 } = game;
  if (!(penalty >= 0 && Number.isFinite(penalty))) {
    throw new InputError(`topk: got a penalty of ${penalty}, expected a number that is at least 0`);
  }
  if (!(penaltyDistance >= 0 && penaltyDistance <= 1)) {
    throw new InputError(`topk: got a penalty distance of ${penaltyDistance}, expected a number in [0, 1]`);
  }
  return { agents, k, penalty, penaltyMode, penaltyDistance };
}

/**
 * Every agent acts when its own signal is above one threshold `t`. When exactly K are, they are the top K, so success is the
 * probability `C(N, K) (1-t)^K t^(N-K)` of exactly that. Without a penalty `t = 1 - K/N` is best, and reaches the bound that
 * AGP states in Section 5.1.
 */
export function commonThresholdScore(game: TopKGame, threshold: number): TopKScore {
  const { agents, k, penalty, penaltyMode, penaltyDistance } = settleTopK(game);
  const above = 1 - threshold;
  const success = exactlyKProbability(agents, k, above);
  let cost = 0;
  if (penalty > 0 && penaltyMode === "perPair") {
    const apart = Math.max(0, above - penaltyDistance);
    cost = ((agents * (agents - 1)) / 2) * (above * above - apart * apart);
  } else if (penalty > 0) {
    for (let acting = 2; acting <= agents; acting++) {
      // All of these signals are at least a distance apart with the probability that they fit into what the gaps leave.
      const room = Math.max(0, 1 - ((acting - 1) * penaltyDistance) / above);
      if (above > 0) cost += exactlyKProbability(agents, acting, above) * (1 - room ** acting);
    }
  }
  return { success, return: 2 * success - 1 - penalty * cost };
}

/** Each agent acts or not with probability 1/2, whatever it sees. */
export function uniformScore(game: TopKGame): TopKScore {
  const { agents, penalty, penaltyMode, penaltyDistance } = settleTopK(game);
  const success = 2 ** -agents;
  let cost = 0;
  if (penalty > 0 && penaltyMode === "perPair") {
    // Two signals are closer than d with probability d (2 - d).
    cost = ((agents * (agents - 1)) / 8) * penaltyDistance * (2 - penaltyDistance);
  } else if (penalty > 0) {
    for (let acting = 2; acting <= agents; acting++) {
      const room = Math.max(0, 1 - (acting - 1) * penaltyDistance);
      cost += exactlyKProbability(agents, acting, 0.5) * (1 - room ** acting);
    }
  }
  return { success, return: 2 * success - 1 - penalty * cost };
}

/**
 * A team whose agents know all signals: exactly the top K act, unless they cost more than they earn.
 *
 * @returns undefined where that happens for some signals and not for others pair by pair: for `penalty k (k - 1) / 2` above
 *   2 with `perPair`
 */
export function sharedSignalsScore(game: TopKGame): TopKScore | undefined {
  const { agents, k, penalty, penaltyMode, penaltyDistance } = settleTopK(game);
  if (penaltyMode === "once" || k <= 2) {
    // The K-1 gaps between neighbours among the top K are all at least a distance with this probability.
    const apart = Math.max(0, 1 - (k - 1) * penaltyDistance) ** agents;
    const acts = k === 1 || penalty <= 2;
    return {
      success: acts ? 1 : apart,
      return: apart + (1 - apart) * Math.max(-1, 1 - penalty),
    };
  }
  if ((penalty * k * (k - 1)) / 2 > 2) return undefined;
  let cost = 0;
  // Ranks r and r + gap are closer than d when at least `gap` of N uniform numbers fall into [0, d).
  let fewer = 0;
  for (let gap = 1; gap < k; gap++) {
    fewer += exactlyKProbability(agents, gap - 1, penaltyDistance);
    cost += (k - gap) * (1 - fewer);
  }
  return { success: 1, return: 1 - penalty * cost };
}
