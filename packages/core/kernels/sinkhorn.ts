/**
 * The gradients of chosen DAGs, by way of Sinkhorn's normalisation and of edges' probabilities.
 *
 * Where Sinkhorn works, the matrices of eight samples lie side by side: an entry is eight numbers of 32 bits, one of each.
 * Matrices of this size stay in the processor's nearest cache from the first iteration to the last. Addresses are in bytes.
 */

/** Bytes of an entry. */
const ENTRY: usize = 32;

/** Below, powers of e count as this one: no sum can tell, and what follows stays out of reach of denormal numbers, which are slow. */
const SMALLEST: f32 = -60;

const LOG2_OF_E: f32 = Math.LOG2E as f32;

/** How many matrices lie side by side. */
const SIDE_BY_SIDE: usize = 8;

/** e to the power of numbers that are not above 0 (the polynomial is that of Cephes' `expf`). */
function power(x: v128): v128 {
  x = f32x4.max(x, f32x4.splat(SMALLEST));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(LOG2_OF_E)));
  const r = f32x4.sub(
    f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375))),
    f32x4.mul(n, f32x4.splat(-2.1219444e-4)),
  );
  let p = f32x4.splat(1.98756915e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  const exponent = i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127));
  return f32x4.mul(p, i32x4.shl(exponent, 23));
}

/** What belongs to samples, one after the other: numbers of 32 bits. */
@unmanaged
class Samples {
  /** Agents by rank, integers, `[R, N]`. */
  order: usize = 0;
  /** The gradient for parents (last axis) of agents (first axis), `[N, R, N]`. */
  parents: usize = 0;
  /** `[R, N, N]` */
  orderScores: usize = 0;
  /** `[R, N, N]`, by agents or by ranks; an edge is chosen where its score is positive. */
  edgeScores: usize = 0;
  /** The gradients for scores: what comes out. */
  forOrder: usize = 0;
  forEdges: usize = 0;
  /** Room: for the rank of each agent `[N]`, and, beginning at a multiple of 16, two matrices and what Sinkhorn needs. */
  ranks: usize = 0;
  block: usize = 0;
}

/**
 * From the gradient for the parents of samples to that for the scores which chose them, as if choices were the soft ones at
 * whose side they stand.
 *
 * @param count samples, a multiple of eight, of which those from the `real`-th on are there for their company alone
 * @param learned 1 where scores order the agents
 * @param byRank 1 where edges belong to ranks, 0 where they belong to agents
 */
export function scoreGradients(
  at: usize,
  count: usize,
  real: usize,
  agents: usize,
  learned: usize,
  byRank: usize,
  iterations: usize,
): void {
  const samples = changetype<Samples>(at);
  const pairs = agents * agents;
  const matrix = pairs << 2;
  const child = (real * agents) << 2;
  const scores = samples.block;
  const gradient = scores + pairs * ENTRY;
  const space = gradient + pairs * ENTRY;
  for (let first: usize = 0; first < count; first += SIDE_BY_SIDE) {
    for (let side: usize = 0; side < SIDE_BY_SIDE; side++) {
      const sample = first + side;
      const order = samples.order + sample * (agents << 2);
      const edges = samples.edgeScores + sample * matrix;
      const upstream = samples.parents + sample * (agents << 2);
      const forEdges = samples.forEdges + sample * matrix;
      const forPlaces = gradient + (side << 2);
      if (byRank) {
        rankEdges(order, upstream, child, forEdges, agents);
        if (learned) rankPlaces(order, edges, upstream, child, forPlaces, agents);
      } else {
        agentEdges(order, upstream, child, forEdges, samples.ranks, agents);
        if (learned) agentPlaces(order, edges, upstream, child, forPlaces, agents);
      }
      if (learned) interleave(samples.orderScores + sample * matrix, scores + (side << 2), pairs);
    }
    if (!learned) continue;
    sinkhornGradient(scores, gradient, space, agents, iterations);
    for (let side: usize = 0; side < SIDE_BY_SIDE; side++) {
      separate(gradient + (side << 2), samples.forOrder + (first + side) * matrix, pairs);
    }
  }
  multiplyBySlopes(samples.edgeScores, samples.forEdges, count * pairs);
}

function interleave(from: usize, to: usize, count: usize): void {
  for (const end = from + (count << 2); from < end; from += 4, to += ENTRY) store<f32>(to, load<f32>(from));
}

function separate(from: usize, to: usize, count: usize): void {
  for (const end = to + (count << 2); to < end; from += ENTRY, to += 4) store<f32>(to, load<f32>(from));
}

function agentAt(order: usize, rank: usize): usize {
  return load<u32>(order + (rank << 2));
}

/** The gradient for `parent` of `agent`, whose numbers begin so many bytes after those of the agent before. */
function toldBy(upstream: usize, child: usize, agent: usize, parent: usize): f32 {
  return load<f32>(upstream + agent * child + (parent << 2));
}

/** A number where an edge is chosen, else 0: without a branch, which edges as random as these would mislead. */
function ifChosen(edges: usize, row: usize, column: usize, agents: usize, value: f32): f32 {
  const chosen = load<f32>(edges + ((row * agents + column) << 2)) > 0;
  return reinterpret<f32>(reinterpret<i32>(value) & -i32(chosen));
}

/** An edge between agents counts where their order permits it. */
function agentEdges(
  order: usize,
  upstream: usize,
  child: usize,
  out: usize,
  ranks: usize,
  agents: usize,
): void {
  for (let rank: usize = 0; rank < agents; rank++)
    store<u32>(ranks + (agentAt(order, rank) << 2), rank as u32);
  for (let j: usize = 0; j < agents; j++) {
    const rank = load<u32>(ranks + (j << 2));
    for (let i: usize = 0; i < agents; i++, out += 4) {
      const permitted = rank < load<u32>(ranks + (i << 2));
      store<i32>(out, reinterpret<i32>(toldBy(upstream, child, i, j)) & -i32(permitted));
    }
  }
}

/** At a rank, an agent comes before all that are later and after all that are earlier. */
function agentPlaces(
  order: usize,
  edges: usize,
  upstream: usize,
  child: usize,
  out: usize,
  agents: usize,
): void {
  const row = agents * ENTRY;
  for (let j: usize = 0; j < agents; j++, out += ENTRY) {
    let before: f32 = 0;
    let at = out + agents * row;
    for (let rank = agents; rank > 0; rank--) {
      at -= row;
      store<f32>(at, before);
      const other = agentAt(order, rank - 1);
      before += ifChosen(edges, j, other, agents, toldBy(upstream, child, other, j));
    }
    let after: f32 = 0;
    for (let rank: usize = 0; rank < agents; rank++, at += row) {
      store<f32>(at, load<f32>(at) + after);
      const other = agentAt(order, rank);
      after += ifChosen(edges, other, j, agents, toldBy(upstream, child, j, other));
    }
  }
}

/** An edge between ranks is one between whoever holds them. */
function rankEdges(order: usize, upstream: usize, child: usize, out: usize, agents: usize): void {
  for (let early: usize = 0; early < agents; early++) {
    const parent = agentAt(order, early);
    for (let late: usize = 0; late < agents; late++, out += 4) {
      store<f32>(out, early < late ? toldBy(upstream, child, agentAt(order, late), parent) : 0);
    }
  }
}

/** At a rank, an agent has the edges of that rank to and from the others. */
function rankPlaces(
  order: usize,
  edges: usize,
  upstream: usize,
  child: usize,
  out: usize,
  agents: usize,
): void {
  for (let rank: usize = 0; rank < agents; rank++) {
    for (let j: usize = 0; j < agents; j++, out += ENTRY) {
      let total: f32 = 0;
      for (let late = rank + 1; late < agents; late++) {
        const told = toldBy(upstream, child, agentAt(order, late), j);
        total += ifChosen(edges, rank, late, agents, told);
      }
      for (let early: usize = 0; early < rank; early++) {
        const told = toldBy(upstream, child, j, agentAt(order, early));
        total += ifChosen(edges, early, rank, agents, told);
      }
      store<f32>(out, total);
    }
  }
}

/** Multiplies a probability's gradient by its slope `p (1 - p)`, `p` the logistic function of a score, for `count` numbers. */
function multiplyBySlopes(scores: usize, gradient: usize, count: usize): void {
  const end = gradient + (count << 2);
  while (gradient < end) {
    const small = power(f32x4.neg(f32x4.abs(v128.load(scores))));
    const total = f32x4.add(small, f32x4.splat(1));
    const slope = f32x4.div(small, f32x4.mul(total, total));
    v128.store(gradient, f32x4.mul(v128.load(gradient), slope));
    scores += 16;
    gradient += 16;
  }
}

/**
 * From the gradient for the doubly stochastic matrices that `iterations` of normalising rows, then columns give, to that for
 * the scores whose exponentials are normalised.
 *
 * Every matrix on the way is that of exponentials, its rows and columns times factors, and only the factors are worked out.
 * Going back, gradients are those for logarithms: normalising a line takes from each entry its share of the line's total. A
 * total is what the normalisation before took, so these are products of the same matrix with vectors again; what all of them
 * took from an entry is summed at the end.
 *
 * @param scores `[N, N]` entries, which are overwritten
 * @param gradient `[N, N]` entries: for the matrices, then for the scores
 * @param space room for `(4 iterations + 1) N` entries
 */
function sinkhornGradient(
  scores: usize,
  gradient: usize,
  space: usize,
  size: usize,
  iterations: usize,
): void {
  const line = size * ENTRY;
  const row = line;
  const all = iterations * line;
  const rowFactors = space;
  const columnFactors = rowFactors + all;
  const rowTotals = columnFactors + all + line;
  const columnTotals = rowTotals + all;

  // The largest entry of each row and of each column becomes 1; columns have their own factor back from the start.
  subtractLargest(scores, row, ENTRY, size, rowTotals);
  subtractLargest(scores, ENTRY, row, size, columnFactors);
  exponentiate(scores, size * line);
  exponentiate(columnFactors, line);
  for (let at: usize = 0; at < all; at += line) {
    invertedProducts(scores, row, ENTRY, size, columnFactors + at, rowFactors + at);
    invertedProducts(scores, ENTRY, row, size, rowFactors + at, columnFactors + at + line);
  }

  // Each iteration has the totals of its rows and of its columns, times the factors that these have there.
  let at = all - line;
  scaleLines(gradient, row, ENTRY, size, rowFactors + at);
  scaleLines(gradient, ENTRY, row, size, columnFactors + all);
  totalsOfProducts(scores, gradient, row, ENTRY, size, rowTotals + at);
  totalsOfProducts(scores, gradient, ENTRY, row, size, columnTotals + at);
  scaleEntries(columnTotals + at, columnFactors + all, line);
  subtractProducts(scores, row, ENTRY, size, columnTotals + at, rowFactors + at, rowTotals + at);
  for (; at > 0; at -= line) {
    memory.fill(columnTotals + at - line, 0, line);
    memory.fill(rowTotals + at - line, 0, line);
    subtractProducts(scores, ENTRY, row, size, rowTotals + at, columnFactors + at, columnTotals + at - line);
    subtractProducts(
      scores,
      row,
      ENTRY,
      size,
      columnTotals + at - line,
      rowFactors + at - line,
      rowTotals + at - line,
    );
  }
  takeShares(scores, gradient, size, iterations, rowFactors, columnFactors, rowTotals, columnTotals);
}

/** Takes the largest entry of each line, which goes to `out`, off all of its entries. */
function subtractLargest(matrix: usize, between: usize, step: usize, size: usize, out: usize): void {
  for (let k: usize = 0; k < size; k++, matrix += between, out += ENTRY) {
    let a = v128.load(matrix);
    let b = v128.load(matrix, 16);
    const end = matrix + size * step;
    for (let at = matrix + step; at < end; at += step) {
      a = f32x4.max(a, v128.load(at));
      b = f32x4.max(b, v128.load(at, 16));
    }
    v128.store(out, a);
    v128.store(out, b, 16);
    for (let at = matrix; at < end; at += step) {
      v128.store(at, f32x4.sub(v128.load(at), a));
      v128.store(at, f32x4.sub(v128.load(at, 16), b), 16);
    }
  }
}

/** Replaces numbers that are not above 0 by the powers of e. */
function exponentiate(numbers: usize, bytes: usize): void {
  for (const end = numbers + bytes; numbers < end; numbers += 16)
    v128.store(numbers, power(v128.load(numbers)));
}

/** Inverses of the products of lines with a vector. */
function invertedProducts(
  matrix: usize,
  between: usize,
  step: usize,
  size: usize,
  vector: usize,
  out: usize,
): void {
  const length = size * ENTRY;
  for (let k: usize = 0; k < size; k++, matrix += between, out += ENTRY) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0, at = matrix; e < length; e += ENTRY, at += step) {
      a = f32x4.add(a, f32x4.mul(v128.load(at), v128.load(vector + e)));
      b = f32x4.add(b, f32x4.mul(v128.load(at, 16), v128.load(vector + e, 16)));
    }
    v128.store(out, f32x4.div(f32x4.splat(1), a));
    v128.store(out, f32x4.div(f32x4.splat(1), b), 16);
  }
}

/** `factor (out - factor (line . vector))` for each line: what is left of its total, which is there, times its factor. */
function subtractProducts(
  matrix: usize,
  between: usize,
  step: usize,
  size: usize,
  vector: usize,
  factors: usize,
  out: usize,
): void {
  const length = size * ENTRY;
  for (let k: usize = 0; k < size; k++, matrix += between, factors += ENTRY, out += ENTRY) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0, at = matrix; e < length; e += ENTRY, at += step) {
      a = f32x4.add(a, f32x4.mul(v128.load(at), v128.load(vector + e)));
      b = f32x4.add(b, f32x4.mul(v128.load(at, 16), v128.load(vector + e, 16)));
    }
    const f = v128.load(factors);
    const g = v128.load(factors, 16);
    v128.store(out, f32x4.mul(f, f32x4.sub(v128.load(out), f32x4.mul(f, a))));
    v128.store(out, f32x4.mul(g, f32x4.sub(v128.load(out, 16), f32x4.mul(g, b))), 16);
  }
}

/** Sums of the products of two matrices' entries along lines. */
function totalsOfProducts(
  matrix: usize,
  other: usize,
  between: usize,
  step: usize,
  size: usize,
  out: usize,
): void {
  const reach = size * step;
  for (let k: usize = 0; k < size; k++, matrix += between, other += between, out += ENTRY) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0; e < reach; e += step) {
      a = f32x4.add(a, f32x4.mul(v128.load(matrix + e), v128.load(other + e)));
      b = f32x4.add(b, f32x4.mul(v128.load(matrix + e, 16), v128.load(other + e, 16)));
    }
    v128.store(out, a);
    v128.store(out, b, 16);
  }
}

/** Multiplies the entries of each line by its factor. */
function scaleLines(matrix: usize, between: usize, step: usize, size: usize, factors: usize): void {
  const reach = size * step;
  for (let k: usize = 0; k < size; k++, matrix += between, factors += ENTRY) {
    const f = v128.load(factors);
    const g = v128.load(factors, 16);
    for (let at = matrix; at < matrix + reach; at += step) {
      v128.store(at, f32x4.mul(v128.load(at), f));
      v128.store(at, f32x4.mul(v128.load(at, 16), g), 16);
    }
  }
}

/** Multiplies numbers by others. */
function scaleEntries(to: usize, by: usize, bytes: usize): void {
  for (const end = to + bytes; to < end; to += 16, by += 16) {
    v128.store(to, f32x4.mul(v128.load(to), v128.load(by)));
  }
}

/** Takes from the gradient what every normalisation takes, and multiplies it by the matrix. */
function takeShares(
  matrix: usize,
  gradient: usize,
  size: usize,
  iterations: usize,
  rowFactors: usize,
  columnFactors: usize,
  rowTotals: usize,
  columnTotals: usize,
): void {
  const line = size * ENTRY;
  const all = iterations * line;
  for (let i: usize = 0; i < line; i += ENTRY) {
    for (let j: usize = 0; j < line; j += ENTRY, matrix += ENTRY, gradient += ENTRY) {
      let a = v128.load(gradient);
      let b = v128.load(gradient, 16);
      for (let at: usize = 0; at < all; at += line) {
        const factor = rowFactors + at + i;
        const total = columnTotals + at + j;
        a = f32x4.sub(a, f32x4.mul(v128.load(factor), v128.load(total)));
        b = f32x4.sub(b, f32x4.mul(v128.load(factor, 16), v128.load(total, 16)));
        const otherTotal = rowTotals + at + i;
        const otherFactor = columnFactors + at + j;
        a = f32x4.sub(a, f32x4.mul(v128.load(otherTotal), v128.load(otherFactor)));
        b = f32x4.sub(b, f32x4.mul(v128.load(otherTotal, 16), v128.load(otherFactor, 16)));
      }
      v128.store(gradient, f32x4.mul(v128.load(matrix), a));
      v128.store(gradient, f32x4.mul(v128.load(matrix, 16), b), 16);
    }
  }
}
