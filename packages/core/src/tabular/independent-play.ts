import { InputError } from "../errors.ts";
import { gaussLegendre } from "./gauss-legendre.ts";
import { settleTopK, type TopKGame, type TopKScore } from "./top-k-scores.ts";

/**
 * The signals for which an agent of Top-K Selection acts, as ends of intervals in increasing order: it acts from the first
 * number on up to the second, from the third up to the fourth, and so on. `[t, 1]` is a threshold at t, `[]` never acts.
 */
export type ActingSignals = readonly number[];

/** Top-K Selection among agents that see only their own signals. */
export interface IndependentPlay {
  /** What the team reaches when agent i acts for the signals `acting[i]`; exact up to rounding. */
  score(acting: readonly ActingSignals[]): TopKScore;
  /**
   * The best that one agent can do against the others, among ALL its policies: for each signal it acts if that is worth
   * more. Randomising could not help, because the return is linear in one agent's policy.
   */
  bestResponse(acting: readonly ActingSignals[], agent: number): ActingSignals;
}

/** An advantage below this is rounding. */
const ROUNDING = 1e-13;
/** Places in each piece at which an advantage that can rise and fall is looked at. */
const SAMPLES = 8;

/**
 * Without a penalty the best response is always a threshold: the larger the signal of an agent that acts, the more likely it
 * exceeds those of all silent agents; that of a silent one, the less likely that all acting agents exceed it.
 *
 * Everything is integrated exactly: between the ends of intervals, probabilities are polynomials of a signal.
 *
 * @throws InputError when the settings are out of range, or a penalty counts once: that depends on all agents at a time
 */
export function independentPlay(game: TopKGame): IndependentPlay {
  const { agents, k, penalty, penaltyMode, penaltyDistance: distance } = settleTopK(game);
  if (penalty > 0 && penaltyMode === "once") {
    throw new InputError(
      `independent play: a penalty that counts once is computed for common thresholds only, expected penaltyMode "perPair"`,
    );
  }
  // Degrees are at most N - 1, and a rule of n nodes is exact up to 2n - 1.
  const { nodes, weights } = gaussLegendre(Math.ceil(agents / 2));
  const integral = (of: (m: number) => number, from: number, to: number): number => {
    let sum = 0;
    for (let q = 0; q < nodes.length; q++) sum += weights[q] * of(from + (to - from) * nodes[q]);
    return sum * (to - from);
  };

  return {
    score(acting) {
      expectAgents(acting, agents);
      const ends = breaks(acting, 0);
      const counts = countsAround(acting, ends, k);
      let success = 0;
      for (let piece = 0; piece + 1 < ends.length; piece++) {
        // The largest silent signal is m, and exactly K act, all above it.
        success += integral((m) => counts.at(m, piece).density[k], ends[piece], ends[piece + 1]);
      }
      const cost = penalty === 0 ? 0 : penalty * closePairs(acting, distance);
      return { success, return: 2 * success - 1 - cost };
    },

    bestResponse(acting, agent) {
      expectAgents(acting, agents);
      const others = acting.filter((_, i) => i !== agent);
      const ends = breaks(others, penalty === 0 ? 0 : distance);
      const pieces = ends.length - 1;
      const counts = countsAround(others, ends, k);
      // Integrals up to the start of each piece of the densities of the largest silent signal, beside K-1 and K that act.
      const withFewer = new Float64Array(pieces + 1);
      const withAll = new Float64Array(pieces + 1);
      const fewer = (piece: number, to: number) =>
        integral((m) => counts.at(m, piece).density[k - 1], ends[piece], to);
      const all = (piece: number, to: number) =>
        integral((m) => counts.at(m, piece).density[k], ends[piece], to);
      for (let piece = 0; piece < pieces; piece++) {
        withFewer[piece + 1] = withFewer[piece] + fewer(piece, ends[piece + 1]);
        withAll[piece + 1] = withAll[piece] + all(piece, ends[piece + 1]);
      }
      /** How much more acting is worth than staying silent at signal v. */
      const advantage = (v: number, piece: number): number => {
        // Acting succeeds beside K-1 others if all silent signals are below v.
        const acts = withFewer[piece] + fewer(piece, v);
        // Staying silent succeeds beside K others that act above v and above all silent signals.
        const above = withAll[pieces] - withAll[piece] - all(piece, v);
        const silent = counts.at(v, piece).exactly[k] + above;
        let close = 0;
        if (penalty > 0) for (const other of others) close += measure(other, v - distance, v + distance);
        return 2 * (acts - silent) - penalty * close;
      };

      const response: number[] = [];
      const turn = (v: number) => {
        if (response[response.length - 1] === v) response.pop();
        else response.push(v);
      };
      const samples = penalty === 0 ? 1 : SAMPLES;
      let acts = false;
      for (let piece = 0; piece < pieces; piece++) {
        const width = ends[piece + 1] - ends[piece];
        for (let s = 0; s <= samples; s++) {
          const v = ends[piece] + (width * s) / samples;
          if (advantage(v, piece) > ROUNDING === acts) continue;
          acts = !acts;
          // At a piece's start the advantage jumps only by rounding; within, it passes zero since the place before.
          let low = s === 0 ? v : ends[piece] + (width * (s - 1)) / samples;
          let high = v;
          for (let middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2) {
            if (advantage(middle, piece) > ROUNDING === acts) high = middle;
            else low = middle;
          }
          turn(high);
        }
      }
      if (acts) turn(1);
      return response;
    },
  };
}

/** What several agents do, as functions of a signal m that lies in a given piece between two ends. */
interface Counts {
  at(
    m: number,
    piece: number,
  ): {
    /** `[most + 1]`: probability that exactly so many act, all above m, and the others are silent, all below. */
    readonly exactly: Float64Array;
    /** `[most + 1]`: density at m of the largest silent signal where exactly so many act, all above it. */
    readonly density: Float64Array;
  };
}

function countsAround(acting: readonly ActingSignals[], ends: readonly number[], most: number): Counts {
  const agents = acting.length;
  const pieces = ends.length - 1;
  // Of each piece and agent: whether it acts there, and how much of what lies above and below its start it acts for, and not.
  const acts = new Uint8Array(pieces * agents);
  const above = new Float64Array(pieces * agents);
  const below = new Float64Array(pieces * agents);
  for (let piece = 0; piece < pieces; piece++) {
    const middle = (ends[piece] + ends[piece + 1]) / 2;
    acting.forEach((own, i) => {
      const at = piece * agents + i;
      acts[at] = actsAt(own, middle) ? 1 : 0;
      above[at] = measure(own, ends[piece], 1);
      below[at] = ends[piece] - measure(own, 0, ends[piece]);
    });
  }
  const exactly = new Float64Array(most + 1);
  const density = new Float64Array(most + 1);
  const result = { exactly, density };
  return {
    at(m, piece) {
      exactly.fill(0);
      density.fill(0);
      exactly[0] = 1;
      const beyond = m - ends[piece];
      for (let at = piece * agents; at < (piece + 1) * agents; at++) {
        const act = above[at] - acts[at] * beyond;
        const silent = below[at] + (1 - acts[at]) * beyond;
        const isSilent = 1 - acts[at];
        for (let count = most; count > 0; count--) {
          density[count] = density[count] * silent + exactly[count] * isSilent + density[count - 1] * act;
          exactly[count] = exactly[count] * silent + exactly[count - 1] * act;
        }
        density[0] = density[0] * silent + exactly[0] * isSilent;
        exactly[0] *= silent;
      }
      return result;
    },
  };
}

/** Expected number of pairs of agents that act for signals closer than `distance`. */
function closePairs(acting: readonly ActingSignals[], distance: number): number {
  let pairs = 0;
  acting.forEach((one, i) => {
    for (const other of acting.slice(0, i)) {
      const ends = breaks([one, other], distance);
      for (let piece = 0; piece + 1 < ends.length; piece++) {
        // What lies within the distance is linear in each piece: its middle stands for the whole.
        const middle = (ends[piece] + ends[piece + 1]) / 2;
        if (!actsAt(one, middle)) continue;
        pairs += (ends[piece + 1] - ends[piece]) * measure(other, middle - distance, middle + distance);
      }
    }
  });
  return pairs;
}

/** How much of `[from, to]` the agent acts for. */
function measure(acting: ActingSignals, from: number, to: number): number {
  let sum = 0;
  for (let e = 0; e < acting.length; e += 2) {
    sum += Math.max(0, Math.min(acting[e + 1], to) - Math.max(acting[e], from));
  }
  return sum;
}

function actsAt(acting: ActingSignals, signal: number): boolean {
  for (let e = 0; e < acting.length; e += 2) {
    if (signal >= acting[e] && signal < acting[e + 1]) return true;
  }
  return false;
}

/** 0, 1, all ends of intervals, and what lies a distance off them, in increasing order. */
function breaks(acting: readonly ActingSignals[], distance: number): number[] {
  const ends = new Set([0, 1]);
  for (const own of acting) {
    for (const end of own) for (const near of [end, end - distance, end + distance]) ends.add(near);
  }
  return [...ends].filter((end) => end >= 0 && end <= 1).sort((a, b) => a - b);
}

function expectAgents(acting: readonly ActingSignals[], agents: number): void {
  if (acting.length !== agents) {
    throw new Error(`independent play: got ${acting.length} agents, expected ${agents}`);
  }
}
