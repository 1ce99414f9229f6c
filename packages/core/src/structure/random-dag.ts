import { InputError } from "../errors.ts";
import { checkAgents, type Dag, type Edge, fromEdges } from "./dag.ts";
import type { DagRows } from "./dag-rows.ts";

/** The draws that `randomDag` needs. */
export interface RandomIntegers {
  /** Uniform integer in `0..n-1`. */
  integer(n: number): number;
  /** Uniform permutation of `0..n-1`, written to `out` when given. */
  permutation(n: number, out?: Int32Array): Int32Array;
}

/** The draws that `bernoulliDag` needs. */
export interface RandomUniforms {
  /** Uniform in `[0, 1)`. */
  uniform(): number;
}

/** Draws a DAG and writes it to row `row` of `out`. */
export type DagSampler<Random> = (random: Random, row: number, out: DagRows) => void;

/**
 * A random DAG: a uniform permutation as topological order, and `min(budget, N(N-1)/2)` distinct pairs of agents,
 * uniform without replacement, joined from the earlier to the later.
 *
 * @throws InputError unless the budget is an integer that is at least 0
 */
export function randomDag(agents: number, budget: number, random: RandomIntegers): Dag {
  const { pairs, count } = checkBudget(agents, budget);
  const order = random.permutation(agents);
  const chosen = new Set<number>();
  for (let limit = pairs - count; limit < pairs; limit++) {
    const pair = random.integer(limit + 1);
    chosen.add(chosen.has(pair) ? limit : pair);
  }
  const list: Edge[] = [];
  for (const pair of chosen) {
    const later = laterOf(pair);
    list.push([order[earlierOf(pair, later)], order[later]]);
  }
  return fromEdges(agents, list);
}

/**
 * `randomDag` into rows, without allocating: equal draws give equal DAGs.
 *
 * @throws InputError unless the budget is an integer that is at least 0
 */
export function randomDagSampler(agents: number, budget: number): DagSampler<RandomIntegers> {
  const { pairs, count } = checkBudget(agents, budget);
  const order = new Int32Array(agents);
  return (random, row, out) => {
    const at = row * agents * agents;
    random.permutation(agents, order);
    out.adjacency.fill(0, at, at + agents * agents);
    // Floyd's sampling: the k-th draw is from the first pairs - count + k + 1 pairs, and a pair drawn before
    // gives way to the newest one.
    for (let limit = pairs - count; limit < pairs; limit++) {
      const pair = random.integer(limit + 1);
      const later = laterOf(pair);
      const entry = at + order[earlierOf(pair, later)] * agents + order[later];
      if (out.adjacency[entry] === 0) {
        out.adjacency[entry] = 1;
      } else {
        const newest = laterOf(limit);
        out.adjacency[at + order[earlierOf(limit, newest)] * agents + order[newest]] = 1;
      }
    }
    out.order?.set(order, row * agents);
  };
}

/**
 * A DAG with the order `0..N-1` in which each of the `N(N-1)/2` edges is present with probability
 * `probability`, independently. Takes as many draws as there are edges, plus one.
 *
 * @throws InputError unless the probability is in `[0, 1]`
 */
export function bernoulliDag(agents: number, probability: number, random: RandomUniforms): Dag {
  const { pairs, logMiss } = checkProbability(agents, probability);
  const list: Edge[] = [];
  for (let pair = skip(logMiss, random); pair < pairs; pair += 1 + skip(logMiss, random)) {
    const later = laterOf(pair);
    list.push([earlierOf(pair, later), later]);
  }
  return fromEdges(agents, list);
}

/**
 * `bernoulliDag` into rows, without allocating: equal draws give equal DAGs.
 *
 * @throws InputError unless the probability is in `[0, 1]`
 */
export function bernoulliDagSampler(agents: number, probability: number): DagSampler<RandomUniforms> {
  const { pairs, logMiss } = checkProbability(agents, probability);
  return (random, row, out) => {
    const at = row * agents * agents;
    out.adjacency.fill(0, at, at + agents * agents);
    for (let pair = skip(logMiss, random); pair < pairs; pair += 1 + skip(logMiss, random)) {
      const later = laterOf(pair);
      out.adjacency[at + earlierOf(pair, later) * agents + later] = 1;
    }
    if (out.order !== undefined) for (let i = 0; i < agents; i++) out.order[row * agents + i] = i;
  };
}

/** Pairs `earlier < later` are numbered by `later`, then `earlier`: (0,1), (0,2), (1,2), (0,3), ... */
function laterOf(pair: number): number {
  let later = Math.floor((1 + Math.sqrt(1 + 8 * pair)) / 2);
  // The square root can be off by one unit in the last place.
  if ((later * (later - 1)) / 2 > pair) later--;
  else if ((later * (later + 1)) / 2 <= pair) later++;
  return later;
}

function earlierOf(pair: number, later: number): number {
  return pair - (later * (later - 1)) / 2;
}

/** How many absent edges precede the next present one: geometric, by inversion. */
function skip(logMiss: number, random: RandomUniforms): number {
  const exponential = -Math.log1p(-random.uniform());
  return logMiss === 0 ? Infinity : Math.floor(exponential / logMiss);
}

function checkBudget(agents: number, budget: number): { pairs: number; count: number } {
  checkAgents(agents);
  if (!Number.isInteger(budget) || budget < 0) {
    throw new InputError(`random DAG: got budget ${budget}, expected an integer that is at least 0`);
  }
  const pairs = (agents * (agents - 1)) / 2;
  return { pairs, count: Math.min(budget, pairs) };
}

function checkProbability(agents: number, probability: number): { pairs: number; logMiss: number } {
  checkAgents(agents);
  if (!(probability >= 0 && probability <= 1)) {
    throw new InputError(`Bernoulli DAG: got probability ${probability}, expected a number in [0, 1]`);
  }
  return { pairs: (agents * (agents - 1)) / 2, logMiss: -Math.log1p(-probability) };
}
