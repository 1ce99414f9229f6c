/**
 * `out[l][y][r] = sum_x numbers[l][x][r] factor[x][y]`: the digit `x` of an index becomes `y`, with digits `l` to its left and
 * `r` to its right.
 */
@unmanaged
class DigitStage {
  left: usize = 0;
  right: usize = 0;
  sizeX: usize = 0;
  sizeY: usize = 0;
  factor: usize = 0;
  /** From one entry of the factor to that for the next `x` and `y`. */
  strideX: usize = 0;
  strideY: usize = 0;
  /** From one block `out[l]` to the next. */
  strideL: usize = 0;
  /** Where the stage writes if another follows. */
  buffer: usize = 0;
}

/** Replaces one digit after the other. */
export function replaceDigits(stages: usize, count: usize, numbers: usize, out: usize): void {
  for (; count > 0; count--, stages += offsetof<DigitStage>()) {
    const stage = changetype<DigitStage>(stages);
    const to = count === 1 ? out : stage.buffer;
    const right = stage.right;
    if (stage.sizeX === 2 && stage.sizeY === 2 && right === 1) replaceLastBit(stage, numbers, to);
    else if (stage.sizeX === 2 && stage.sizeY === 2 && right === 2) replaceBitBeforeLast(stage, numbers, to);
    else if (stage.sizeX === 2 && stage.sizeY === 2 && right % 4 === 0) replaceBit(stage, numbers, to);
    else replaceDigit(stage, numbers, to);
    numbers = to;
  }
}

function replaceDigit(stage: DigitStage, numbers: usize, out: usize): void {
  const width = stage.right << 3;
  for (let l: usize = 0; l < stage.left; l++) {
    for (let y: usize = 0; y < stage.sizeY; y++) {
      for (let r: usize = 0; r < width; r += 8) {
        let entry = stage.factor + y * stage.strideY;
        let sum: f64 = 0;
        for (let x: usize = 0; x < stage.sizeX; x++, entry += stage.strideX) {
          sum += load<f64>(numbers + x * width + r) * load<f64>(entry);
        }
        store<f64>(out + y * width + r, sum);
      }
    }
    numbers += stage.sizeX * width;
    out += stage.strideL;
  }
}

function replaceLastBit(stage: DigitStage, numbers: usize, out: usize): void {
  const x0 = stage.factor;
  const x1 = x0 + stage.strideX;
  const f0 = v128.load64_lane(x0 + stage.strideY, v128.load64_splat(x0), 1);
  const f1 = v128.load64_lane(x1 + stage.strideY, v128.load64_splat(x1), 1);
  const stride = stage.strideL;
  let left = stage.left;
  for (; left > 1; left -= 2, numbers += 32) {
    v128.store(out, mixed(v128.load64_splat(numbers), f0, v128.load64_splat(numbers, 8), f1));
    out += stride;
    v128.store(out, mixed(v128.load64_splat(numbers, 16), f0, v128.load64_splat(numbers, 24), f1));
    out += stride;
  }
  if (left > 0) v128.store(out, mixed(v128.load64_splat(numbers), f0, v128.load64_splat(numbers, 8), f1));
}

function replaceBitBeforeLast(stage: DigitStage, numbers: usize, out: usize): void {
  const x0 = stage.factor;
  const x1 = x0 + stage.strideX;
  const f00 = v128.load64_splat(x0);
  const f01 = v128.load64_splat(x0 + stage.strideY);
  const f10 = v128.load64_splat(x1);
  const f11 = v128.load64_splat(x1 + stage.strideY);
  const stride = stage.strideL;
  for (const end = numbers + (stage.left << 5); numbers < end; numbers += 32, out += stride) {
    const a0 = v128.load(numbers);
    const a1 = v128.load(numbers, 16);
    v128.store(out, mixed(a0, f00, a1, f10));
    v128.store(out, mixed(a0, f01, a1, f11), 16);
  }
}

/** A bit with a multiple of four numbers to its right. */
function replaceBit(stage: DigitStage, numbers: usize, out: usize): void {
  const x0 = stage.factor;
  const x1 = x0 + stage.strideX;
  const f00 = v128.load64_splat(x0);
  const f01 = v128.load64_splat(x0 + stage.strideY);
  const f10 = v128.load64_splat(x1);
  const f11 = v128.load64_splat(x1 + stage.strideY);
  const width = stage.right << 3;
  const stride = stage.strideL;
  for (let left = stage.left; left > 0; left--, numbers += 2 * width, out += stride) {
    for (let r: usize = 0; r < width; r += 32) {
      const from = numbers + r;
      const to = out + r;
      const a0 = v128.load(from);
      const b0 = v128.load(from, 16);
      const a1 = v128.load(from + width);
      const b1 = v128.load(from + width, 16);
      v128.store(to, mixed(a0, f00, a1, f10));
      v128.store(to, mixed(b0, f00, b1, f10), 16);
      v128.store(to + width, mixed(a0, f01, a1, f11));
      v128.store(to + width, mixed(b0, f01, b1, f11), 16);
    }
  }
}

function mixed(a: v128, weightOfA: v128, b: v128, weightOfB: v128): v128 {
  return f64x2.add(f64x2.mul(a, weightOfA), f64x2.mul(b, weightOfB));
}

/**
 * `out[s][s'] = sum_a weights[s][a] P[s][a][s']`, rows of `out` being `strideOut` apart and the tables of successive states
 * `strideTable`, which is 0 where all states share one.
 */
export function averageTable(
  table: usize,
  strideTable: usize,
  weights: usize,
  out: usize,
  strideOut: usize,
  states: usize,
  actions: usize,
): void {
  const width = states << 3;
  for (let s: usize = 0; s < states; s++) {
    let next: usize = 0;
    // Eight next states at a time: their sums stay in registers.
    for (; next + 56 < width; next += 64) averageEight(table + next, width, weights, out + next, actions);
    for (; next < width; next += 16) averageTwo(table + next, width, weights, out + next, actions);
    table += strideTable;
    weights += actions << 3;
    out += strideOut;
  }
}

function averageEight(row: usize, stride: usize, weights: usize, out: usize, actions: usize): void {
  let sums0 = f64x2.splat(0);
  let sums1 = sums0;
  let sums2 = sums0;
  let sums3 = sums0;
  for (const end = weights + (actions << 3); weights < end; weights += 8, row += stride) {
    const weight = v128.load64_splat(weights);
    sums0 = f64x2.add(sums0, f64x2.mul(weight, v128.load(row)));
    sums1 = f64x2.add(sums1, f64x2.mul(weight, v128.load(row, 16)));
    sums2 = f64x2.add(sums2, f64x2.mul(weight, v128.load(row, 32)));
    sums3 = f64x2.add(sums3, f64x2.mul(weight, v128.load(row, 48)));
  }
  v128.store(out, sums0);
  v128.store(out, sums1, 16);
  v128.store(out, sums2, 32);
  v128.store(out, sums3, 48);
}

function averageTwo(row: usize, stride: usize, weights: usize, out: usize, actions: usize): void {
  let sums = f64x2.splat(0);
  for (const end = weights + (actions << 3); weights < end; weights += 8, row += stride) {
    sums = f64x2.add(sums, f64x2.mul(v128.load64_splat(weights), v128.load(row)));
  }
  v128.store(out, sums);
}

/** `out[row] = sum_s' table[row][s'] values[s']`; where the number of states is odd a zero follows the values. */
export function expectTable(table: usize, rows: usize, values: usize, out: usize, states: usize): void {
  const width = states << 3;
  const even = width & ~31;
  for (; rows > 3; rows -= 4, out += 32) {
    const row1 = table + width;
    const row2 = row1 + width;
    const row3 = row2 + width;
    let sums0 = f64x2.splat(0);
    let sums1 = sums0;
    let sums2 = sums0;
    let sums3 = sums0;
    let next: usize = 0;
    for (; next < even; next += 32) {
      const a = v128.load(values + next);
      const b = v128.load(values + next, 16);
      sums0 = f64x2.add(sums0, mixed(v128.load(table + next), a, v128.load(table + next, 16), b));
      sums1 = f64x2.add(sums1, mixed(v128.load(row1 + next), a, v128.load(row1 + next, 16), b));
      sums2 = f64x2.add(sums2, mixed(v128.load(row2 + next), a, v128.load(row2 + next, 16), b));
      sums3 = f64x2.add(sums3, mixed(v128.load(row3 + next), a, v128.load(row3 + next, 16), b));
    }
    for (; next < width; next += 16) {
      const value = v128.load(values + next);
      sums0 = f64x2.add(sums0, f64x2.mul(v128.load(table + next), value));
      sums1 = f64x2.add(sums1, f64x2.mul(v128.load(row1 + next), value));
      sums2 = f64x2.add(sums2, f64x2.mul(v128.load(row2 + next), value));
      sums3 = f64x2.add(sums3, f64x2.mul(v128.load(row3 + next), value));
    }
    v128.store(out, pairSums(sums0, sums1));
    v128.store(out, pairSums(sums2, sums3), 16);
    table = row3 + width;
  }
  for (; rows > 0; rows--, out += 8, table += width) {
    let sums = f64x2.splat(0);
    for (let next: usize = 0; next < width; next += 16) {
      sums = f64x2.add(sums, f64x2.mul(v128.load(table + next), v128.load(values + next)));
    }
    store<f64>(out, f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
  }
}

/** The sum of the first vector's numbers, and of the second's. */
function pairSums(a: v128, b: v128): v128 {
  return f64x2.add(v128.shuffle<f64>(a, b, 0, 2), v128.shuffle<f64>(a, b, 1, 3));
}
