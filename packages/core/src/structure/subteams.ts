import { InputError } from "../errors.ts";
import { checkAgents, type Dag, fromAdjacency } from "./dag.ts";
import type { DagRows } from "./dag-rows.ts";
import type { Partition } from "./partition.ts";

/** When to stop merging: exactly one of `budget` and `targetBlocks`. */
export interface SubteamOptions {
  /** Most edges the DAG may have; merging stops at the first merge that would exceed it. */
  readonly budget?: number;
  /** Merge until this many blocks remain, whatever the number of edges. */
  readonly targetBlocks?: number;
  /**
   * Which of several equally dependent pairs is merged. `"default"`: the one that adds the fewest edges, then the
   * smaller smallest id of the first block, then of the second. `"lexicographic"`: by smallest ids alone.
   */
  readonly tie?: "default" | "lexicographic";
}

/** Rows that a subteam builder writes. */
export interface SubteamRows extends DagRows {
  /** `[R, N]`: the block `0..K-1` of each agent, blocks numbered by their smallest agent. */
  readonly blocks?: Int32Array;
}

/**
 * Writes row `row` of `out` from row `row` of the scores and returns the number of blocks K.
 *
 * The order is block after block, and within a block the order of merging.
 *
 * @param scores `[R, N, N]`, larger is more dependent; only entries above the diagonal are read
 * @throws RangeError when a score is not a finite number
 */
export type SubteamBuilder = (scores: ArrayLike<number>, row: number, out: SubteamRows) => number;

/**
 * Dependency-based subteams (Subteams, Algorithm 1): from singletons, the two blocks with the largest mean
 * dependency are joined, with edges from every agent of the block with the smaller smallest id to every agent of
 * the other, until the next merge would exceed the edge budget or enough blocks have been merged. The DAG is
 * acyclic and satisfies the subteam assumption. Means are compared after rounding to 1e-9.
 *
 * The builder keeps its working memory, so that a call allocates nothing: make one, use it for every step.
 *
 * @throws InputError when the options are not valid
 */
export function subteamBuilder(agents: number, options: SubteamOptions): SubteamBuilder {
  checkAgents(agents);
  const { budget, targetBlocks } = checkOptions(agents, options);
  const fewestEdgesFirst = options.tie !== "lexicographic";
  // A block is known by its smallest agent. Entry [a, b] with a < b belongs to the pair of blocks a and b.
  const sums = new Float64Array(agents * agents);
  const means = new Float64Array(agents * agents);
  const sizes = new Int32Array(agents);
  // The agents of a block in order: from its smallest agent along `following` to `lasts`.
  const following = new Int32Array(agents);
  const lasts = new Int32Array(agents);
  const remaining = new Int32Array(agents);

  return (scores, row, out) => {
    const at = row * agents * agents;
    let total = 0;
    for (let a = 0; a < agents; a++) {
      sizes[a] = 1;
      following[a] = -1;
      lasts[a] = a;
      remaining[a] = a;
      for (let b = a + 1; b < agents; b++) {
        const score = scores[at + a * agents + b];
        total += score;
        sums[a * agents + b] = score;
        means[a * agents + b] = roundMean(score);
      }
    }
    if (!Number.isFinite(total))
      throw new RangeError(`dependency scores of row ${row}: expected finite numbers`);

    const { adjacency } = out;
    adjacency.fill(0, at, at + agents * agents);
    let blocks = agents;
    let edges = 0;
    while (blocks > targetBlocks && edges < budget) {
      let first = remaining[0];
      let second = remaining[1];
      let secondAt = 1;
      let best = means[first * agents + second];
      let cost = sizes[first] * sizes[second];
      // Pairs are met in the order of their smallest ids, so the first of equals stays.
      for (let x = 0; x < blocks; x++) {
        const a = remaining[x];
        for (let y = x + 1; y < blocks; y++) {
          const b = remaining[y];
          const mean = means[a * agents + b];
          if (mean < best) continue;
          if (mean === best && !(fewestEdgesFirst && sizes[a] * sizes[b] < cost)) continue;
          best = mean;
          first = a;
          second = b;
          secondAt = y;
          cost = sizes[a] * sizes[b];
        }
      }
      if (edges + cost > budget) break;

      for (let u = first; u >= 0; u = following[u]) {
        for (let v = second; v >= 0; v = following[v]) adjacency[at + u * agents + v] = 1;
      }
      edges += cost;
      following[lasts[first]] = second;
      lasts[first] = lasts[second];
      sizes[first] += sizes[second];
      remaining.copyWithin(secondAt, secondAt + 1, blocks);
      blocks--;
      for (let x = 0; x < blocks; x++) {
        const other = remaining[x];
        if (other === first) continue;
        const pair = other < first ? other * agents + first : first * agents + other;
        sums[pair] += sums[other < second ? other * agents + second : second * agents + other];
        means[pair] = roundMean(sums[pair] / (sizes[first] * sizes[other]));
      }
    }

    let place = row * agents;
    for (let x = 0; x < blocks; x++) {
      for (let u = remaining[x]; u >= 0; u = following[u]) {
        if (out.order !== undefined) out.order[place++] = u;
        if (out.blocks !== undefined) out.blocks[row * agents + u] = x;
      }
    }
    return blocks;
  };
}

/**
 * Algorithm 1 once, see `subteamBuilder`.
 *
 * @param scores `[N, N]`, symmetric, larger is more dependent; the diagonal is ignored
 * @returns the blocks by smallest agent, each in its topological order, and the DAG
 * @throws InputError when the scores have the wrong size, are not symmetric or not finite, or the options are not
 *   valid
 */
export function buildSubteams(
  scores: ArrayLike<number>,
  agents: number,
  options: SubteamOptions,
): { blocks: Partition; dag: Dag } {
  const build = subteamBuilder(agents, options);
  checkScores(scores, agents);
  const rows = {
    adjacency: new Uint8Array(agents * agents),
    order: new Int32Array(agents),
    blocks: new Int32Array(agents),
  };
  const blocks: number[][] = Array.from({ length: build(scores, 0, rows) }, () => []);
  for (const agent of rows.order) blocks[rows.blocks[agent]].push(agent);
  return { blocks, dag: fromAdjacency(agents, rows.adjacency) };
}

/** In units of 1e-9, so that means that differ by rounding errors only are equal. */
function roundMean(mean: number): number {
  return Math.round(mean * 1e9);
}

function checkOptions(agents: number, options: SubteamOptions): { budget: number; targetBlocks: number } {
  const { budget, targetBlocks, tie = "default" } = options;
  if ((budget === undefined) === (targetBlocks === undefined)) {
    const got = budget === undefined ? "neither" : "both";
    throw new InputError(`subteams: got ${got} of budget and targetBlocks, expected exactly one`);
  }
  if (budget !== undefined && !(Number.isInteger(budget) && budget >= 0)) {
    throw new InputError(`subteams: got budget ${budget}, expected an integer that is at least 0`);
  }
  if (
    targetBlocks !== undefined &&
    !(Number.isInteger(targetBlocks) && targetBlocks >= 1 && targetBlocks <= agents)
  ) {
    throw new InputError(`subteams: got targetBlocks ${targetBlocks}, expected an integer in 1..${agents}`);
  }
  if (tie !== "default" && tie !== "lexicographic") {
    throw new InputError(`subteams: got tie "${tie}", expected "default" or "lexicographic"`);
  }
  return { budget: budget ?? Infinity, targetBlocks: targetBlocks ?? 1 };
}

function checkScores(scores: ArrayLike<number>, agents: number): void {
  if (scores.length !== agents * agents) {
    throw new InputError(`dependency scores: got ${scores.length} entries, expected ${agents} x ${agents}`);
  }
  for (let i = 0; i < agents; i++) {
    for (let j = i + 1; j < agents; j++) {
      const score = scores[i * agents + j];
      const mirrored = scores[j * agents + i];
      if (!Number.isFinite(score)) {
        throw new InputError(`dependency scores: entry [${i}, ${j}] is ${score}, expected a finite number`);
      }
      if (!(Math.abs(score - mirrored) <= 1e-6 * Math.max(1, Math.abs(score)))) {
        throw new InputError(
          `dependency scores: entry [${i}, ${j}] is ${score} but [${j}, ${i}] is ${mirrored}, expected equal scores`,
        );
      }
    }
  }
}
