/** A level of the tree: an agent, and the joint actions `x` of those before it in every state. */
@unmanaged
class Level {
  /** A number for each `x`. */
  numbers: usize = 0;
  /** Where the agent's row for each `x` begins, as distances in bytes; where their number is odd, of one `x` more. */
  rows: usize = 0;
  count: usize = 0;
  choices: usize = 0;
  /** Where the rows of all `x` begin and how long they are together, in bytes. */
  first: usize = 0;
  bytes: usize = 0;
  /** 1 where there are two choices and no two `x` have the same row. */
  alone: usize = 0;
}

function levelAt(levels: usize, p: usize): Level {
  return changetype<Level>(levels + p * offsetof<Level>());
}

/** Multiplies the ones of the first level by factors, level by level, up to the leaves. */
export function multiplyLevels(
  levels: usize,
  agents: usize,
  ones: usize,
  factors: usize,
  leaves: usize,
): void {
  let above = ones;
  for (let p: usize = 0; p < agents; p++) {
    const below = p + 1 < agents ? levelAt(levels, p + 1).numbers : leaves;
    multiplyLevel(levelAt(levels, p), above, below, factors);
    above = below;
  }
}

/** Sums the leaves, level by level: over all that follows for a level's numbers, and over equal rows for `out`. */
export function accumulateLevels(levels: usize, agents: usize, leaves: usize, out: usize): void {
  let below = leaves;
  for (let p = agents; p > 0; p--) {
    const level = levelAt(levels, p - 1);
    if (level.alone) scatterLevel(level, below, out);
    else accumulateLevel(level, below, out);
    below = level.numbers;
  }
}

/** `below[x][u] = above[x] factors[rows[x]][u]`. */
function multiplyLevel(level: Level, above: usize, below: usize, factors: usize): void {
  let rows = level.rows;
  const end = rows + (level.count << 2);
  if (level.choices === 2) {
    for (; rows < end; rows += 8, above += 16, below += 32) {
      const a = f64x2.mul(v128.load64_splat(above), v128.load(factors + load<u32>(rows)));
      const b = f64x2.mul(v128.load64_splat(above, 8), v128.load(factors + load<u32>(rows, 4)));
      v128.store(below, a);
      v128.store(below, b, 16);
    }
    return;
  }
  const width = level.choices << 3;
  for (; rows < end; rows += 4, above += 8, below += width) {
    const product = load<f64>(above);
    const row = factors + load<u32>(rows);
    for (let u: usize = 0; u < width; u += 8) store<f64>(below + u, product * load<f64>(row + u));
  }
}

/** `numbers[x] = sum_u below[x][u]`, and `out[row][u]` is the sum of `below[x][u]` over all `x` with that row. */
function accumulateLevel(level: Level, below: usize, out: usize): void {
  memory.fill(out + level.first, 0, level.bytes);
  let above = level.numbers;
  let rows = level.rows;
  const end = rows + (level.count << 2);
  if (level.choices === 2) {
    for (; rows < end; rows += 8, above += 16, below += 32) {
      const a = v128.load(below);
      const b = v128.load(below, 16);
      const rowOfA = out + load<u32>(rows);
      v128.store(rowOfA, f64x2.add(v128.load(rowOfA), a));
      // May be the same row.
      const rowOfB = out + load<u32>(rows, 4);
      v128.store(rowOfB, f64x2.add(v128.load(rowOfB), b));
      v128.store(above, sums(a, b));
    }
    return;
  }
  const width = level.choices << 3;
  for (; rows < end; rows += 4, above += 8, below += width) {
    const row = out + load<u32>(rows);
    let sum: f64 = 0;
    for (let u: usize = 0; u < width; u += 8) {
      const weight = load<f64>(below + u);
      store<f64>(row + u, load<f64>(row + u) + weight);
      sum += weight;
    }
    store<f64>(above, sum);
  }
}

/** As `accumulateLevel` where no row is that of two `x`. */
function scatterLevel(level: Level, below: usize, out: usize): void {
  let above = level.numbers;
  let rows = level.rows;
  const end = rows + (level.count << 2);
  for (; rows < end; rows += 8, above += 16, below += 32) {
    const a = v128.load(below);
    const b = v128.load(below, 16);
    v128.store(out + load<u32>(rows), a);
    v128.store(out + load<u32>(rows, 4), b);
    v128.store(above, sums(a, b));
  }
}

/** The sum of the first vector's numbers, and of the second's. */
function sums(a: v128, b: v128): v128 {
  return f64x2.add(v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3));
}

/** `out[s][x] = numbers[s][index[x]]` for `rows` rows `s` of `width` bytes. */
export function gather(numbers: usize, out: usize, rows: usize, width: usize, index: usize): void {
  for (; rows > 0; rows--, numbers += width, out += width) {
    for (let at: usize = 0; at < width; at += 8) {
      store<f64>(out + at, load<f64>(numbers + ((<usize>load<u32>(index + (at >> 1))) << 3)));
    }
  }
}
