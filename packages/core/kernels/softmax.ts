/** Added and taken off again, it rounds to an integer; the sum ends in the exponent's bits of 2 to the power of that integer. */
const ROUNDING: f64 = 6755399441055744 + 1023;

/** Beyond, a power of e or its inverse is 0. */
const LARGEST: f64 = 709.4;

const LOG2_OF_E: f64 = Math.LOG2E;

/** log 2 in two parts, the first with so few digits that multiplying it by an exponent is exact. */
const LOG_2_HIGH: f64 = 0.6931471804855391;
const LOG_2_LOW: f64 = 7.440617110012397e-11;

/** `r coth(r / 2)` as a polynomial in `r^2` that interpolates it at Chebyshev's points for `|r| <= log(2) / 2`. */
const C0: f64 = 2;
const C1: f64 = 0.1666666666666666;
const C2: f64 = -0.0027777777777564486;
const C3: f64 = 6.613756471665357e-5;
const C4: f64 = -1.653406009991112e-6;
const C5: f64 = 4.143769423035882e-8;

/** The bits of this are twice the bias of exponents; less those of `2^n` they are those of `2^-n`. */
const TWICE_BIAS: f64 = 8.98846567431158e307;

/** The numbers above, for loops over pairs. */
const NUMBERS: usize = memory.data<f64>(
  [LARGEST, -LARGEST, LOG2_OF_E, ROUNDING, LOG_2_HIGH, LOG_2_LOW, C0, C1, C2, C3, C4, C5, TWICE_BIAS],
  16,
);

function number(index: usize): v128 {
  return v128.load64_splat(NUMBERS + (index << 3));
}

/** Softmax of each of `rows` rows of `choices` parameters. Exactly 0 and 1 where parameters differ by 710 or more. */
export function softmaxRows(theta: usize, out: usize, rows: usize, choices: usize): void {
  if (choices === 2) {
    const even = rows & ~1;
    softmaxPairs(theta, out, even);
    theta += even << 4;
    out += even << 4;
    rows -= even;
  }
  const width = choices << 3;
  for (; rows > 0; rows--, theta += width, out += width) softmaxRow(theta, out, width);
}

/**
 * Softmax of rows of two, two rows at a time. With `x = theta_1 - theta_0 = n log 2 + r`, `|r| <= log(2) / 2`, and
 * `c = r coth(r / 2)`, `e^x = 2^n (c + r) / (c - r)`. So the probabilities are `c - r` over `c - r + 2^n (c + r)` and `c + r`
 * over `c + r + 2^-n (c - r)`: a division each, and 0 where the sum overflows.
 */
function softmaxPairs(theta: usize, out: usize, rows: usize): void {
  const largest = number(0);
  const smallest = number(1);
  const log2OfE = number(2);
  const rounding = number(3);
  const log2High = number(4);
  const log2Low = number(5);
  const c0 = number(6);
  const c1 = number(7);
  const c2 = number(8);
  const c3 = number(9);
  const c4 = number(10);
  const c5 = number(11);
  const twiceBias = number(12);
  const end = theta + (rows << 4);
  let next = f64x2.pmax(f64x2.pmin(differences(theta), largest), smallest);
  while (theta < end) {
    const x = next;
    // Read two rows ahead: these steps wait for each other, those of other rows need not.
    theta += 32;
    next = f64x2.pmax(f64x2.pmin(differences(theta), largest), smallest);
    const rounded = f64x2.add(f64x2.mul(x, log2OfE), rounding);
    const n = f64x2.sub(rounded, rounding);
    const r = f64x2.sub(f64x2.sub(x, f64x2.mul(n, log2High)), f64x2.mul(n, log2Low));
    const square = f64x2.mul(r, r);
    const fourth = f64x2.mul(square, square);
    const low = f64x2.add(c0, f64x2.mul(square, c1));
    const middle = f64x2.add(c2, f64x2.mul(square, c3));
    const high = f64x2.add(c4, f64x2.mul(square, c5));
    const c = f64x2.add(low, f64x2.mul(fourth, f64x2.add(middle, f64x2.mul(fourth, high))));
    const up = i64x2.shl(rounded, 52);
    const down = i64x2.sub(twiceBias, up);
    const less = f64x2.sub(c, r);
    const more = f64x2.add(c, r);
    const first = f64x2.div(less, f64x2.add(less, f64x2.mul(more, up)));
    const second = f64x2.div(more, f64x2.add(more, f64x2.mul(less, down)));
    v128.store(out, v128.shuffle<f64>(first, second, 0, 2));
    v128.store(out, v128.shuffle<f64>(first, second, 1, 3), 16);
    out += 32;
  }
}

/** The second number less the first, in two rows. */
function differences(rows: usize): v128 {
  const a = v128.load(rows);
  const b = v128.load(rows, 16);
  return f64x2.sub(v128.shuffle<f64>(a, b, 1, 3), v128.shuffle<f64>(a, b, 0, 2));
}

function softmaxRow(theta: usize, out: usize, width: usize): void {
  let highest = load<f64>(theta);
  for (let u: usize = 8; u < width; u += 8) highest = max(highest, load<f64>(theta + u));
  let sum: f64 = 0;
  for (let u: usize = 0; u < width; u += 8) {
    const power = exponential(load<f64>(theta + u) - highest);
    store<f64>(out + u, power);
    sum += power;
  }
  for (let u: usize = 0; u < width; u += 8) store<f64>(out + u, load<f64>(out + u) / sum);
}

/** `e^x = 2^n (1 + 2r / (c - r))` of `x <= 0`, which is not a number where `x` is none. */
function exponential(x: f64): f64 {
  x = x < -LARGEST ? -LARGEST : x;
  const rounded = x * LOG2_OF_E + ROUNDING;
  const n = rounded - ROUNDING;
  const r = x - n * LOG_2_HIGH - n * LOG_2_LOW;
  const square = r * r;
  const c = C0 + square * (C1 + square * (C2 + square * (C3 + square * (C4 + square * C5))));
  return (1 + (r + r) / (c - r)) * reinterpret<f64>(reinterpret<i64>(rounded) << 52);
}

/** Turns sums `g` in each row into `g - pi W`, where `W` is the sum of the row. */
export function projectRows(gradient: usize, conditionals: usize, rows: usize, choices: usize): void {
  if (choices === 2) {
    projectPairs(gradient, conditionals, rows);
    return;
  }
  const width = choices << 3;
  for (; rows > 0; rows--, gradient += width, conditionals += width) {
    let sum: f64 = 0;
    for (let u: usize = 0; u < width; u += 8) sum += load<f64>(gradient + u);
    for (let u: usize = 0; u < width; u += 8) {
      store<f64>(gradient + u, load<f64>(gradient + u) - load<f64>(conditionals + u) * sum);
    }
  }
}

/** In rows of two, of probabilities `p` and `q = 1 - p`, `g - p (g + h) = q g - p h`. */
function projectPairs(gradient: usize, conditionals: usize, rows: usize): void {
  const end = gradient + (rows << 4);
  for (; gradient + 16 < end; gradient += 32, conditionals += 32) {
    v128.store(gradient, projected(gradient, conditionals));
    v128.store(gradient, projected(gradient + 16, conditionals + 16), 16);
  }
  if (gradient < end) v128.store(gradient, projected(gradient, conditionals));
}

function projected(gradient: usize, conditionals: usize): v128 {
  const pi = v128.load(conditionals);
  const product = f64x2.mul(v128.load(gradient), v128.shuffle<f64>(pi, pi, 1, 0));
  return f64x2.sub(product, v128.shuffle<f64>(product, product, 1, 0));
}

/** Adds `weight (share - pi)` to each of `count` numbers. */
export function addBarrier(
  gradient: usize,
  conditionals: usize,
  count: usize,
  weight: f64,
  share: f64,
): void {
  const end = gradient + (count << 3);
  for (; gradient < end; gradient += 8, conditionals += 8) {
    store<f64>(gradient, load<f64>(gradient) + weight * (share - load<f64>(conditionals)));
  }
}

/** Adds `scale` times the gradient to each of `count` numbers. */
export function addScaled(theta: usize, gradient: usize, count: usize, scale: f64): void {
  const factor = f64x2.splat(scale);
  const end = theta + (count << 3);
  for (; theta + 24 < end; theta += 32, gradient += 32) {
    v128.store(theta, f64x2.add(v128.load(theta), f64x2.mul(factor, v128.load(gradient))));
    v128.store(theta, f64x2.add(v128.load(theta, 16), f64x2.mul(factor, v128.load(gradient, 16))), 16);
  }
  for (; theta < end; theta += 8, gradient += 8) {
    store<f64>(theta, load<f64>(theta) + scale * load<f64>(gradient));
  }
}

/** Whether each of `count` numbers is finite: times zero they are zero then. */
export function areFinite(numbers: usize, count: usize): bool {
  const zero = f64x2.splat(0);
  let sums0 = zero;
  let sums1 = zero;
  let sums2 = zero;
  let sums3 = zero;
  const end = numbers + (count << 3);
  for (; numbers + 56 < end; numbers += 64) {
    sums0 = f64x2.add(sums0, f64x2.mul(zero, v128.load(numbers)));
    sums1 = f64x2.add(sums1, f64x2.mul(zero, v128.load(numbers, 16)));
    sums2 = f64x2.add(sums2, f64x2.mul(zero, v128.load(numbers, 32)));
    sums3 = f64x2.add(sums3, f64x2.mul(zero, v128.load(numbers, 48)));
  }
  for (; numbers < end; numbers += 8) {
    sums0 = f64x2.add(sums0, f64x2.mul(zero, v128.load64_splat(numbers)));
  }
  const sums = f64x2.add(f64x2.add(sums0, sums1), f64x2.add(sums2, sums3));
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1) === 0;
}
