/**
 * `below[x][u] = above[x] factors[rows[x]][u]` for `count` indices `x`, whose rows are distances in bytes. Where their number
 * is odd, another row follows that nobody needs.
 */
export function multiplyLevel(
  above: usize,
  below: usize,
  rows: usize,
  count: usize,
  factors: usize,
  choices: usize,
): void {
  const end = rows + (count << 2);
  if (choices === 2) {
    for (; rows < end; rows += 8, above += 16, below += 32) {
      const a = f64x2.mul(v128.load64_splat(above), v128.load(factors + load<u32>(rows)));
      const b = f64x2.mul(v128.load64_splat(above, 8), v128.load(factors + load<u32>(rows, 4)));
      v128.store(below, a);
      v128.store(below, b, 16);
    }
    return;
  }
  const width = choices << 3;
  for (; rows < end; rows += 4, above += 8, below += width) {
    const product = load<f64>(above);
    const row = factors + load<u32>(rows);
    for (let u: usize = 0; u < width; u += 8) store<f64>(below + u, product * load<f64>(row + u));
  }
}

/** `above[x] = sum_u below[x][u]`, and adds `below[x][u]` to `out[rows[x]][u]`. */
export function accumulateLevel(
  above: usize,
  below: usize,
  rows: usize,
  count: usize,
  out: usize,
  choices: usize,
): void {
  const end = rows + (count << 2);
  if (choices === 2) {
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
  const width = choices << 3;
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

/** As `accumulateLevel` where there are two choices and no two indices have the same row, so that nothing is added. */
export function scatterLevel(above: usize, below: usize, rows: usize, count: usize, out: usize): void {
  const end = rows + (count << 2);
  for (; rows < end; rows += 8, above += 16, below += 32) {
    const a = v128.load(below);
    const b = v128.load(below, 16);
    v128.store(out + load<u32>(rows), a);
    v128.store(out + load<u32>(rows, 4), b);
    v128.store(above, sums(a, b));
  }
}

function sums(a: v128, b: v128): v128 {
  return f64x2.add(v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3));
}

/** Sets `bytes` to zero. */
export function clear(address: usize, bytes: usize): void {
  memory.fill(address, 0, bytes);
}

/** `out[s][x] = numbers[s][index[x]]` for `rows` rows `s` of `width` bytes. */
export function gather(numbers: usize, out: usize, rows: usize, width: usize, index: usize): void {
  for (; rows > 0; rows--, numbers += width, out += width) {
    for (let at: usize = 0; at < width; at += 8) {
      store<f64>(out + at, load<f64>(numbers + ((<usize>load<u32>(index + (at >> 1))) << 3)));
    }
  }
}
