import type { Rng } from "../random/index.ts";
import { type ActingSignals, independentPlay } from "./independent-play.ts";
import { commonThresholdScore, settleTopK, type TopKGame, type TopKScore } from "./top-k-scores.ts";
import { unitMaximum } from "./unit-maximum.ts";

/** The best independent policies of Top-K Selection that were found. */
export interface IndependentCeiling extends TopKScore {
  /** The signals for which each agent acts. */
  readonly acting: readonly ActingSignals[];
  /** The signal from which on each agent acts, where every agent acts above a threshold; 1 for never. */
  readonly thresholds: readonly number[] | undefined;
  /** The best that agents with one threshold for all reach. */
  readonly common: TopKScore & { readonly threshold: number };
  /** Climbs that were made, and how many of them ended at this return. */
  readonly climbs: number;
  readonly agreeing: number;
}

export interface CeilingOptions {
  /**
   * Where to climb from, after the best common threshold. Default: 16. With 0, and where the penalty counts once, that
   * threshold is the answer.
   */
  readonly starts?: number;
}

/** How far a search is. */
export interface CeilingProgress {
  /** Climbs that are over, of so many. */
  readonly done: number;
  readonly climbs: number;
  /** Best return so far. */
  readonly best: number;
}

/** Most rounds of a climb, in each of which every agent responds once; it mostly takes a dozen. */
const MOST_ROUNDS = 300;
/** A climb is over after two rounds that gain less. */
const STILL = 1e-13;
/** Returns that differ by less are the same. */
const SAME = 1e-9;

/**
 * The ceiling of independent play in Top-K Selection: the largest return of agents that see only their own signals. AGP
 * (Section 5.1) gives `C(N, K) (K/N)^K (1-K/N)^(N-K)` for the success without a penalty.
 *
 * Climbs by best responses, one agent after the other, from the best common threshold, from fixed roles and from random
 * policies, every other one of them not a threshold. A climb ends where no agent can gain alone by ANY policy of its signal;
 * that the best of these ends is the best of all is what many starts make likely and do not prove.
 *
 * @throws InputError when the settings are out of range
 */
export function independentCeiling(
  game: TopKGame,
  rng: Rng,
  options: CeilingOptions = {},
): IndependentCeiling {
  const search = searchIndependentCeiling(game, rng, options);
  for (;;) {
    const { done, value } = search.next();
    if (done) return value;
  }
}

/** `independentCeiling` in steps, so that the caller can show how far it is, and may stop. */
export function* searchIndependentCeiling(
  game: TopKGame,
  rng: Rng,
  { starts = 16 }: CeilingOptions = {},
): Generator<CeilingProgress, IndependentCeiling, void> {
  const { agents, k, penalty, penaltyMode } = settleTopK(game);
  const common = bestCommonThreshold(game);
  const alike = new Array<ActingSignals>(agents).fill([common.threshold, 1]);
  let best = { acting: alike, success: common.success, return: common.return };
  const climbs = starts === 0 || (penalty > 0 && penaltyMode === "once") ? 0 : starts + 1;
  const returns: number[] = [];
  for (let climb = 0; climb < climbs; climb++) {
    const play = independentPlay(game);
    const acting = climb === 0 ? [...alike] : startOf(climb - 1, agents, k, rng);
    let score = play.score(acting);
    for (let round = 0, still = 0; round < MOST_ROUNDS && still < 2; round++) {
      for (let i = 0; i < agents; i++) acting[i] = play.bestResponse(acting, i);
      const before = score.return;
      score = play.score(acting);
      still = score.return - before < STILL ? still + 1 : 0;
      yield { done: climb, climbs, best: best.return };
    }
    returns.push(score.return);
    // The simplest of equally good ones, which is looked at first, stays.
    if (score.return > best.return + SAME) best = { acting, ...score };
  }
  const areThresholds = best.acting.every((own) => own.length === 0 || (own.length === 2 && own[1] === 1));
  return {
    ...best,
    thresholds: areThresholds ? best.acting.map(([from = 1]) => from) : undefined,
    common,
    climbs,
    agreeing: returns.filter((value) => value > best.return - SAME).length,
  };
}

/** The threshold that brings the largest return when all agents share it. */
function bestCommonThreshold(game: TopKGame): TopKScore & { readonly threshold: number } {
  const threshold = unitMaximum((t) => commonThresholdScore(game, t).return, 2000);
  return { threshold, ...commonThresholdScore(game, threshold) };
}

function startOf(start: number, agents: number, k: number, rng: Rng): ActingSignals[] {
  if (start === 0) return Array.from({ length: agents }, (_, i) => (i < k ? [0, 1] : []));
  return Array.from({ length: agents }, () => {
    if (start % 2 === 1) return [rng.uniform(), 1];
    return Array.from({ length: 2 * (1 + rng.integer(3)) }, () => rng.uniform()).sort((a, b) => a - b);
  });
}
