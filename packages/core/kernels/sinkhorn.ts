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
  /** 1 where an edge is chosen, `[R, N, N]`, by agents or by ranks; so are scores. */
  edges: usize = 0;
  /** The gradient for parents (columns) of agents (rows), `[R, N, N]`. */
  parents: usize = 0;
  orderScores: usize = 0;
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
 * @param count samples, a multiple of eight
 * @param learned 1 where scores order the agents
 * @param byRank 1 where edges belong to ranks, 0 where they belong to agents
 */
export function scoreGradients(
  at: usize,
  count: usize,
  agents: usize,
  learned: usize,
  byRank: usize,
  iterations: usize,
): void {
  const samples = changetype<Samples>(at);
  const pairs = agents * agents;
  const matrix = pairs << 2;
  const scores = samples.block;
  const gradient = scores + pairs * ENTRY;
  const space = gradient + pairs * ENTRY;
  for (let first: usize = 0; first < count; first += SIDE_BY_SIDE) {
    for (let side: usize = 0; side < SIDE_BY_SIDE; side++) {
      const sample = first + side;
      const order = samples.order + sample * (agents << 2);
      const edges = samples.edges + sample * matrix;
      const upstream = samples.parents + sample * matrix;
      const forEdges = samples.forEdges + sample * matrix;
      const forPlaces = gradient + (side << 2);
      if (byRank) {
        rankEdges(order, upstream, forEdges, agents);
        if (learned) rankPlaces(order, edges, upstream, forPlaces, agents);
      } else {
        agentEdges(order, upstream, forEdges, samples.ranks, agents);
        if (learned) agentPlaces(order, edges, upstream, forPlaces, agents);
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

function entry(matrix: usize, row: usize, column: usize, agents: usize): f32 {
  return load<f32>(matrix + ((row * agents + column) << 2));
}

/** An edge between agents counts where their order permits it. */
function agentEdges(order: usize, upstream: usize, out: usize, ranks: usize, agents: usize): void {
  for (let rank: usize = 0; rank < agents; rank++)
    store<u32>(ranks + (agentAt(order, rank) << 2), rank as u32);
  for (let j: usize = 0; j < agents; j++) {
    const rank = load<u32>(ranks + (j << 2));
    for (let i: usize = 0; i < agents; i++, out += 4) {
      store<f32>(out, rank < load<u32>(ranks + (i << 2)) ? entry(upstream, i, j, agents) : 0);
    }
  }
}

/** At a rank, an agent comes before all that are later and after all that are earlier. */
function agentPlaces(order: usize, edges: usize, upstream: usize, out: usize, agents: usize): void {
  const row = agents * ENTRY;
  for (let j: usize = 0; j < agents; j++, out += ENTRY) {
    let before: f32 = 0;
    let at = out + agents * row;
    for (let rank = agents; rank > 0; rank--) {
      at -= row;
      store<f32>(at, before);
      const other = agentAt(order, rank - 1);
      before += entry(upstream, other, j, agents) * entry(edges, j, other, agents);
    }
    let after: f32 = 0;
    for (let rank: usize = 0; rank < agents; rank++, at += row) {
      store<f32>(at, load<f32>(at) + after);
      const other = agentAt(order, rank);
      after += entry(upstream, j, other, agents) * entry(edges, other, j, agents);
    }
  }
}

/** An edge between ranks is one between whoever holds them. */
function rankEdges(order: usize, upstream: usize, out: usize, agents: usize): void {
  for (let early: usize = 0; early < agents; early++) {
    for (let late: usize = 0; late < agents; late++, out += 4) {
      store<f32>(
        out,
        early < late ? entry(upstream, agentAt(order, late), agentAt(order, early), agents) : 0,
      );
    }
  }
}

/** At a rank, an agent has the edges of that rank to and from the others. */
function rankPlaces(order: usize, edges: usize, upstream: usize, out: usize, agents: usize): void {
  for (let rank: usize = 0; rank < agents; rank++) {
    for (let j: usize = 0; j < agents; j++, out += ENTRY) {
      let total: f32 = 0;
      for (let late = rank + 1; late < agents; late++) {
        total += entry(edges, rank, late, agents) * entry(upstream, agentAt(order, late), j, agents);
      }
      for (let early: usize = 0; early < rank; early++) {
        total += entry(edges, early, rank, agents) * entry(upstream, j, agentAt(order, early), agents);
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
 * Going back, gradients are those for logarithms: normalising a line takes from each entry its share of the line's total.
 *
 * @param scores `[N, N]` entries, which are overwritten
 * @param gradient `[N, N]` entries: for the matrices, then for the scores
 * @param space room for `(2 iterations + 4) N` entries
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
  const factors = space;
  const otherFactors = factors + line;
  const totals = otherFactors + line;
  const otherTotals = totals + line;
  const sums = otherTotals + line;

  // The largest entry of each row and of each column becomes 1; columns get their own factor back in the first sums of rows.
  subtractLargest(scores, row, ENTRY, size, totals);
  subtractLargest(scores, ENTRY, row, size, factors);
  exponentiate(scores, size * line);
  exponentiate(factors, line);
  sumWeighted(scores, row, size, factors, sums, otherFactors);
  scaleAndSum(scores, ENTRY, row, size, otherFactors, sums + line, totals);
  for (let k: usize = 0, at = factors; k < size; k++, at += ENTRY) {
    // Taking the first normalisation of columns back also gives them their factors.
    multiplyEntry(sums + line + k * ENTRY, at);
  }
  let next = sums + 2 * line;
  const last = totals;
  const spare = factors;
  for (let k: usize = 1; k < iterations; k++) {
    scaleAndSum(scores, row, ENTRY, size, last, next, spare);
    scaleAndSum(scores, ENTRY, row, size, spare, next + line, last);
    next += 2 * line;
  }
  scaleAndMultiply(scores, gradient, ENTRY, row, size, last, otherTotals);
  for (let k = iterations; k > 0; k--) {
    next -= 2 * line;
    goBack(scores, gradient, row, ENTRY, size, otherTotals, next + line, spare);
    goBack(scores, gradient, ENTRY, row, size, spare, next, otherTotals);
  }
}

function multiplyEntry(to: usize, by: usize): void {
  v128.store(to, f32x4.mul(v128.load(to), v128.load(by)));
  v128.store(to, f32x4.mul(v128.load(to, 16), v128.load(by, 16)), 16);
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

/** Sums of rows with a weight for each column, and their inverses. */
function sumWeighted(
  matrix: usize,
  row: usize,
  size: usize,
  weights: usize,
  sums: usize,
  inverses: usize,
): void {
  for (let k: usize = 0; k < size; k++, matrix += row, sums += ENTRY, inverses += ENTRY) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0; e < row; e += ENTRY) {
      a = f32x4.add(a, f32x4.mul(v128.load(matrix + e), v128.load(weights + e)));
      b = f32x4.add(b, f32x4.mul(v128.load(matrix + e, 16), v128.load(weights + e, 16)));
    }
    keep(a, b, sums, inverses);
  }
}

function keep(a: v128, b: v128, sums: usize, inverses: usize): void {
  v128.store(sums, a);
  v128.store(sums, b, 16);
  v128.store(inverses, f32x4.div(f32x4.splat(1), a));
  v128.store(inverses, f32x4.div(f32x4.splat(1), b), 16);
}

/** Multiplies each line by factors, entry by entry; sums of lines, and their inverses. */
function scaleAndSum(
  matrix: usize,
  between: usize,
  step: usize,
  size: usize,
  factors: usize,
  sums: usize,
  inverses: usize,
): void {
  const length = size * ENTRY;
  for (let k: usize = 0; k < size; k++, matrix += between, sums += ENTRY, inverses += ENTRY) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0, at = matrix; e < length; e += ENTRY, at += step) {
      const p = f32x4.mul(v128.load(at), v128.load(factors + e));
      const q = f32x4.mul(v128.load(at, 16), v128.load(factors + e, 16));
      v128.store(at, p);
      v128.store(at, q, 16);
      a = f32x4.add(a, p);
      b = f32x4.add(b, q);
    }
    keep(a, b, sums, inverses);
  }
}

/** Multiplies each line by its factor and the gradient by the result; totals of the gradient's lines. */
function scaleAndMultiply(
  matrix: usize,
  gradient: usize,
  between: usize,
  step: usize,
  size: usize,
  factors: usize,
  totals: usize,
): void {
  const reach = size * step;
  for (let k: usize = 0; k < size; k++, factors += ENTRY, totals += ENTRY) {
    const f = v128.load(factors);
    const g = v128.load(factors, 16);
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0; e < reach; e += step) {
      const p = f32x4.mul(v128.load(matrix + e), f);
      const q = f32x4.mul(v128.load(matrix + e, 16), g);
      v128.store(matrix + e, p);
      v128.store(matrix + e, q, 16);
      const u = f32x4.mul(v128.load(gradient + e), p);
      const v = f32x4.mul(v128.load(gradient + e, 16), q);
      v128.store(gradient + e, u);
      v128.store(gradient + e, v, 16);
      a = f32x4.add(a, u);
      b = f32x4.add(b, v);
    }
    v128.store(totals, a);
    v128.store(totals, b, 16);
    matrix += between;
    gradient += between;
  }
}

/**
 * Takes a normalisation back: each entry's gradient gives its share of the total of its line, and the entry grows by the sum
 * that the line was divided by. Lines lie across those that are walked, whose totals are left for the step before.
 */
function goBack(
  matrix: usize,
  gradient: usize,
  between: usize,
  step: usize,
  size: usize,
  lineTotals: usize,
  lineSums: usize,
  totals: usize,
): void {
  const length = size * ENTRY;
  for (let k: usize = 0; k < size; k++, totals += ENTRY) {
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let e: usize = 0, at: usize = 0; e < length; e += ENTRY, at += step) {
      const p = v128.load(matrix + at);
      const q = v128.load(matrix + at, 16);
      const u = f32x4.sub(v128.load(gradient + at), f32x4.mul(p, v128.load(lineTotals + e)));
      const v = f32x4.sub(v128.load(gradient + at, 16), f32x4.mul(q, v128.load(lineTotals + e, 16)));
      v128.store(gradient + at, u);
      v128.store(gradient + at, v, 16);
      v128.store(matrix + at, f32x4.mul(p, v128.load(lineSums + e)));
      v128.store(matrix + at, f32x4.mul(q, v128.load(lineSums + e, 16)), 16);
      a = f32x4.add(a, u);
      b = f32x4.add(b, v);
    }
    v128.store(totals, a);
    v128.store(totals, b, 16);
    matrix += between;
    gradient += between;
  }
}
