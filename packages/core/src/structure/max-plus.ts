import { InputError } from "../errors.ts";
import type { CoordinationGraph } from "./coordination-graph.ts";

/**
 * What a coordination graph says about joint actions, in each of B samples (DCG): the value of joint action `a` is the mean
 * of the utilities `f_i(a_i)` of all agents plus the mean of the payoffs `f_ij(a_i, a_j)` of all edges.
 */
export interface GraphValues {
  /** `[B, N, A]` */
  readonly utilities: Float32Array;
  /** `[B, E, A, A]`: rows are actions of an edge's first agent, columns of its second. */
  readonly payoffs: Float32Array;
  /** `[B, N, A]` of 0 and 1; every action when left out. */
  readonly available?: Uint8Array;
}

/**
 * Writes a joint action of high value for each of the first `samples` samples to `out` `[B, N]`, among the available ones.
 * Nothing is allocated, and the working memory is the maximiser's own: make one, use it for every batch.
 *
 * @throws RangeError when an array is too short, or an agent has no available action
 */
export type JointMaximiser = (values: GraphValues, samples: number, out: Int32Array) => void;

export interface MaxPlusOptions {
  /** Rounds of messages. Default: 8, as in DCG. */
  readonly iterations?: number;
  /** Whether the best joint action of all rounds is taken, rather than that of the last. Default: true. */
  readonly anytime?: boolean;
}

/** Most joint actions that `exactMaximum` looks at for one sample. */
const MOST_JOINT_ACTIONS = 2 ** 20;

/**
 * Share of the largest utility or payoff below which a difference counts as rounding. Ties are common on graphs with cycles,
 * where an agent's own preference can come back to it with the opposite sign.
 */
const ROUNDING = 2 ** -46;

/**
 * Max-plus on a coordination graph (Kok and Vlassis 2006, "Collaborative multiagent reinforcement learning by payoff
 * propagation"; Böhmer, Kurin and Whiteson 2020, "Deep coordination graphs", Section 4). In every round each agent tells
 * each neighbour, for every action of the neighbour, the most that its own side of their edge can bring, less the mean over
 * actions; all messages of a round are sent at once. Exact on graphs without cycles when there are at least as many rounds as edges on the longest path
 * and the best joint action is unique. In double precision.
 *
 * Without edges or rounds, every agent takes the action of highest utility. Of an agent's equal actions the lowest wins, of
 * equal joint actions the one found first.
 *
 * @param actions A, the same for every agent: agents with fewer have actions that are never available
 * @throws InputError when `actions` or `iterations` is not a whole number in range
 */
export function maxPlus(
  graph: CoordinationGraph,
  actions: number,
  { iterations = 8, anytime = true }: MaxPlusOptions = {},
): JointMaximiser {
  checkActions(actions);
  if (!Number.isInteger(iterations) || iterations < 0) {
    throw new InputError(`max-plus: got ${iterations} iterations, expected an integer that is at least 0`);
  }
  const table = valueTable(graph, actions);
  const passing = actions === 2 ? differences(table) : messages(table);
  const rounds = graph.first.length === 0 ? 0 : iterations;
  const greedy = new Int32Array(graph.agents);

  return (values, samples, out) => {
    checkSizes(graph, actions, values, samples, out);
    for (let b = 0; b < samples; b++) {
      table.load(values, b);
      passing.start();
      passing.choose(greedy);
      let best = -Infinity;
      out.set(greedy, b * graph.agents);
      for (let round = 0; round < rounds; round++) {
        const moved = passing.send();
        const changed = passing.choose(greedy);
        if (changed || round === 0) {
          const value = anytime ? table.value(greedy) : Infinity;
          if (value > best || !anytime) {
            best = value;
            out.set(greedy, b * graph.agents);
          }
        }
        // The same messages would be sent for ever.
        if (!moved) break;
      }
    }
  };
}

/**
 * The best joint action by enumeration of all `A^N`, for checks and for small teams; the earliest of equal ones.
 *
 * @param actions A, the same for every agent: agents with fewer have actions that are never available
 * @throws InputError when there are more than 2^20 joint actions
 */
export function exactMaximum(graph: CoordinationGraph, actions: number): JointMaximiser {
  checkActions(actions);
  const { agents, first, second } = graph;
  const joint = actions ** agents;
  if (joint > MOST_JOINT_ACTIONS) {
    throw new InputError(
      `exact maximum: ${agents} agents with ${actions} actions have ${actions}^${agents} joint actions, expected at most ${MOST_JOINT_ACTIONS}; use max-plus`,
    );
  }
  const table = valueTable(graph, actions);
  const { utilities, payoffs } = table;
  const size = agents * actions;
  /** Edges in the order of their first agent, who chooses before the second: those of agent i end before `ends[i]`. */
  const ends = new Int32Array(agents);
  for (const i of first) ends[i]++;
  for (let i = 1; i < agents; i++) ends[i] += ends[i - 1];
  /** `[N, N, A]`: row d holds the utilities of the agents from d on, with their payoffs with the agents before d. */
  const conditional = new Float64Array(agents * size);
  const chosen = new Int32Array(agents);
  const best = new Int32Array(agents);
  let most = -Infinity;

  return (values, samples, out) => {
    checkSizes(graph, actions, values, samples, out);
    for (let b = 0; b < samples; b++) {
      table.load(values, b);
      conditional.set(utilities);
      most = -Infinity;
      best.set(table.lowest);
      search(0, 0);
      out.set(best, b * agents);
    }
  };

  /** Goes through the actions of `agent` and of all later agents; `value` is what the earlier ones bring. */
  function search(agent: number, value: number): void {
    const row = agent * size;
    const own = row + agent * actions;
    for (let x = 0; x < actions; x++) {
      const sum = value + conditional[own + x];
      if (sum === -Infinity) continue;
      chosen[agent] = x;
      if (agent < agents - 1) {
        const from = (agent + 1) * actions;
        conditional.copyWithin(row + size + from, row + from, row + size);
        for (let e = agent === 0 ? 0 : ends[agent - 1]; e < ends[agent]; e++) {
          const other = row + size + second[e] * actions;
          const payoff = (e * actions + x) * actions;
          for (let y = 0; y < actions; y++) conditional[other + y] += payoffs[payoff + y];
        }
        search(agent + 1, sum);
      } else if (sum > most + table.tolerance()) {
        most = sum;
        best.set(chosen);
      }
    }
  }
}

/** Utilities and payoffs of one sample in double precision, divided by the numbers of agents and edges. */
interface ValueTable {
  readonly graph: CoordinationGraph;
  readonly actions: number;
  /** `[N, A]`, `-Infinity` where an action is not available. */
  readonly utilities: Float64Array;
  /** `[E, A, A]` */
  readonly payoffs: Float64Array;
  /** `[N]`: the first available action of each agent. */
  readonly lowest: Int32Array;
  /** Differences up to this are rounding. */
  tolerance(): number;
  load(values: GraphValues, sample: number): void;
  value(joint: Int32Array): number;
}

function valueTable(graph: CoordinationGraph, actions: number): ValueTable {
  const { agents, first, second } = graph;
  const edges = first.length;
  const utilities = new Float64Array(agents * actions);
  const payoffs = new Float64Array(edges * actions * actions);
  const lowest = new Int32Array(agents);
  let largest = 0;
  return {
    graph,
    actions,
    utilities,
    payoffs,
    lowest,
    tolerance: () => ROUNDING * largest,
    load(values, sample) {
      largest = 0;
      const utilitiesAt = sample * utilities.length;
      for (let k = 0; k < utilities.length; k++) {
        utilities[k] = values.utilities[utilitiesAt + k] / agents;
        largest = Math.max(largest, Math.abs(utilities[k]));
      }
      const payoffsAt = sample * payoffs.length;
      for (let k = 0; k < payoffs.length; k++) {
        payoffs[k] = values.payoffs[payoffsAt + k] / edges;
        largest = Math.max(largest, Math.abs(payoffs[k]));
      }
      const { available } = values;
      if (available === undefined) {
        lowest.fill(0);
        return;
      }
      for (let i = 0; i < agents; i++) {
        const at = i * actions;
        let x = 0;
        while (x < actions && available[utilitiesAt + at + x] === 0) x++;
        if (x === actions) throw new RangeError(`sample ${sample}: agent ${i} has no available action`);
        lowest[i] = x;
        for (let y = 0; y < actions; y++) {
          if (available[utilitiesAt + at + y] === 0) utilities[at + y] = -Infinity;
        }
      }
    },
    value(joint) {
      let value = 0;
      for (let i = 0; i < agents; i++) value += utilities[i * actions + joint[i]];
      for (let e = 0; e < edges; e++) {
        value += payoffs[(e * actions + joint[first[e]]) * actions + joint[second[e]]];
      }
      return value;
    },
  };
}

/** The messages of one sample. */
interface MessagePassing {
  /** Before the first round of a sample that was loaded. */
  start(): void;
  /** One round; whether any message differs from that of the round before. */
  send(): boolean;
  /** Writes every agent's best action; whether any differs from what was there. */
  choose(greedy: Int32Array): boolean;
}

/** For any number of actions. */
function messages(table: ValueTable): MessagePassing {
  const { graph, actions, utilities, payoffs, lowest } = table;
  const { agents, first, second } = graph;
  const edges = first.length;
  /** `[N, A]`: utilities with all messages of the last round, and of this. */
  let sums = new Float64Array(agents * actions);
  let next = new Float64Array(agents * actions);
  /** `[E, A]`: messages to each edge's second agent and to its first. */
  const forth = new Float64Array(edges * actions);
  const back = new Float64Array(edges * actions);
  // The sender's action behind each entry of a message: it rarely changes, so that looking there first saves the
  // processor from wrong guesses about the comparisons that follow.
  const forthBest = new Int32Array(edges * actions);
  const backBest = new Int32Array(edges * actions);
  const ofFirst = new Float64Array(actions);
  const ofSecond = new Float64Array(actions);
  const toSecond = new Float64Array(actions);
  const toFirst = new Float64Array(actions);

  return {
    start() {
      sums.set(utilities);
      forth.fill(0);
      back.fill(0);
    },
    send() {
      let moved = false;
      next.set(utilities);
      for (let e = 0; e < edges; e++) {
        const i = first[e] * actions;
        const j = second[e] * actions;
        const m = e * actions;
        for (let x = 0; x < actions; x++) {
          ofFirst[x] = sums[i + x] - back[m + x];
          ofSecond[x] = sums[j + x] - forth[m + x];
        }
        let secondMean = 0;
        let firstMean = 0;
        for (let y = 0; y < actions; y++) {
          secondMean += toSecond[y] = largest(ofFirst, m * actions + y, actions, forthBest, m + y);
          firstMean += toFirst[y] = largest(ofSecond, (m + y) * actions, 1, backBest, m + y);
        }
        secondMean /= actions;
        firstMean /= actions;
        for (let x = 0; x < actions; x++) {
          const onward = toSecond[x] - secondMean;
          const returned = toFirst[x] - firstMean;
          if (onward !== forth[m + x] || returned !== back[m + x]) moved = true;
          forth[m + x] = onward;
          back[m + x] = returned;
          next[j + x] += onward;
          next[i + x] += returned;
        }
      }
      [sums, next] = [next, sums];
      return moved;
    },
    choose(greedy) {
      const tolerance = table.tolerance();
      let changed = false;
      for (let i = 0, at = 0; i < agents; i++, at += actions) {
        let best = lowest[i];
        for (let x = best + 1; x < actions; x++) {
          if (sums[at + x] > sums[at + best] + tolerance) best = x;
        }
        if (greedy[i] !== best) {
          greedy[i] = best;
          changed = true;
        }
      }
      return changed;
    },
  };

  /** The largest of `own[x] + payoffs[at + x * stride]`, reached at `best[k]`, which is read and written. */
  function largest(own: Float64Array, at: number, stride: number, best: Int32Array, k: number): number {
    let most = own[best[k]] + payoffs[at + best[k] * stride];
    for (let x = 0, p = at; x < actions; x++, p += stride) {
      const sum = own[x] + payoffs[p];
      if (sum > most) {
        most = sum;
        best[k] = x;
      }
    }
    return most;
  }
}

/**
 * For two actions, where only differences between them matter, and a message is one number: how much more it says for action
 * 1 than for action 0. With `d` the sender's own difference and `f[x][y]` the payoffs, `max_x(x d + f[x][1]) - max_x(x d +
 * f[x][0])` is `(f[0][1] + f[1][1] - f[0][0] - f[1][0] + |d + f[1][1] - f[0][1]| - |d + f[1][0] - f[0][0]|) / 2`, which takes
 * no comparison that a processor could guess wrongly.
 */
function differences(table: ValueTable): MessagePassing {
  const { graph, utilities, payoffs, lowest } = table;
  const { agents, first, second } = graph;
  const edges = first.length;
  /** `[N]`: differences of the utilities, and with all messages of the last round and of this. */
  const own = new Float64Array(agents);
  let sums = new Float64Array(agents);
  let next = new Float64Array(agents);
  /** `[N]`: 1 for an agent without a choice. */
  const bound = new Uint8Array(agents);
  /** `[E]`: messages to each edge's second agent and to its first. */
  const forth = new Float64Array(edges);
  const back = new Float64Array(edges);
  /** `[E, 6]`: of either message, half the sum and the two differences of the formula. */
  const constants = new Float64Array(6 * edges);

  return {
    start() {
      for (let i = 0; i < agents; i++) {
        const [zero, one] = [utilities[2 * i], utilities[2 * i + 1]];
        bound[i] = zero === -Infinity || one === -Infinity ? 1 : 0;
        own[i] = bound[i] === 1 ? 0 : one - zero;
      }
      for (let e = 0, p = 0, c = 0; e < edges; e++, p += 4, c += 6) {
        // An agent without a choice brings the payoffs of its one action whichever it is thought to take.
        const x0 = bound[first[e]] === 1 ? lowest[first[e]] : 0;
        const x1 = bound[first[e]] === 1 ? x0 : 1;
        const y0 = bound[second[e]] === 1 ? lowest[second[e]] : 0;
        const y1 = bound[second[e]] === 1 ? y0 : 1;
        const f00 = payoffs[p + 2 * x0 + y0];
        const f01 = payoffs[p + 2 * x0 + y1];
        const f10 = payoffs[p + 2 * x1 + y0];
        const f11 = payoffs[p + 2 * x1 + y1];
        constants[c] = 0.5 * (f01 + f11 - f00 - f10);
        constants[c + 1] = f11 - f01;
        constants[c + 2] = f10 - f00;
        constants[c + 3] = 0.5 * (f10 + f11 - f00 - f01);
        constants[c + 4] = f11 - f10;
        constants[c + 5] = f01 - f00;
      }
      sums.set(own);
      forth.fill(0);
      back.fill(0);
    },
    send() {
      let moved = false;
      next.set(own);
      for (let e = 0, c = 0; e < edges; e++, c += 6) {
        const i = first[e];
        const j = second[e];
        const ofFirst = sums[i] - back[e];
        const ofSecond = sums[j] - forth[e];
        const onward =
          constants[c] + 0.5 * (Math.abs(ofFirst + constants[c + 1]) - Math.abs(ofFirst + constants[c + 2]));
        const returned =
          constants[c + 3] +
          0.5 * (Math.abs(ofSecond + constants[c + 4]) - Math.abs(ofSecond + constants[c + 5]));
        if (onward !== forth[e] || returned !== back[e]) moved = true;
        forth[e] = onward;
        back[e] = returned;
        next[j] += onward;
        next[i] += returned;
      }
      [sums, next] = [next, sums];
      return moved;
    },
    choose(greedy) {
      const tolerance = table.tolerance();
      let changed = false;
      for (let i = 0; i < agents; i++) {
        const best = bound[i] === 1 ? lowest[i] : sums[i] > tolerance ? 1 : 0;
        if (greedy[i] !== best) {
          greedy[i] = best;
          changed = true;
        }
      }
      return changed;
    },
  };
}

function checkActions(actions: number): void {
  if (Number.isInteger(actions) && actions >= 1) return;
  throw new InputError(`coordination graph: got ${actions} actions, expected a positive integer`);
}

function checkSizes(
  { agents, first }: CoordinationGraph,
  actions: number,
  { utilities, payoffs, available }: GraphValues,
  samples: number,
  out: Int32Array,
): void {
  expectLength("utilities", utilities.length, samples, agents * actions);
  expectLength("payoffs", payoffs.length, samples, first.length * actions * actions);
  if (available !== undefined) expectLength("available", available.length, samples, agents * actions);
  expectLength("out", out.length, samples, agents);
}

function expectLength(name: string, length: number, samples: number, size: number): void {
  if (length >= samples * size) return;
  throw new RangeError(`${name} has ${length} entries, expected at least ${samples} x ${size}`);
}
