/** Noise from random words, four at a time. Addresses are in bytes. */

const LOG_2_HIGH: f32 = 0.693359375;
const LOG_2_LOW: f32 = -2.1219444e-4;
const ROOT_OF_HALF: f32 = Math.SQRT1_2 as f32;

/** The logarithm of positive numbers that are not denormal (the polynomial is that of Cephes' `logf`). */
function logarithm(x: v128): v128 {
  const bits = i32x4.sub(x, i32x4.splat(0x3f000000));
  let exponent = f32x4.convert_i32x4_s(i32x4.shr_s(bits, 23));
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000));
  const low = f32x4.lt(m, f32x4.splat(ROOT_OF_HALF));
  exponent = f32x4.sub(exponent, v128.and(low, f32x4.splat(1)));
  m = f32x4.sub(f32x4.add(m, v128.and(low, m)), f32x4.splat(1));
  const square = f32x4.mul(m, m);
  let p = f32x4.splat(7.0376836292e-2);
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-1.151461031e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(1.167699874e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-1.2420140846e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(1.4249322787e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-1.6668057665e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(2.0000714765e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(-2.4999993993e-1));
  p = f32x4.add(f32x4.mul(p, m), f32x4.splat(3.3333331174e-1));
  let rest = f32x4.mul(f32x4.mul(p, m), square);
  rest = f32x4.add(rest, f32x4.mul(exponent, f32x4.splat(LOG_2_LOW)));
  rest = f32x4.sub(rest, f32x4.mul(square, f32x4.splat(0.5)));
  return f32x4.add(f32x4.add(m, rest), f32x4.mul(exponent, f32x4.splat(LOG_2_HIGH)));
}

/** The smaller of `u` and `1 - u`, for `u` in the middle of the cell of (0, 1) that a word of 32 bits names. */
function smaller(words: v128): v128 {
  const below = i32x4.min_u(words, v128.not(words));
  return f32x4.mul(
    f32x4.add(f32x4.convert_i32x4_u(below), f32x4.splat(0.5)),
    f32x4.splat(2.3283064365386963e-10),
  );
}

/** `-log(1 - w)` for `w` in (0, 1/2], as exact near 0 as elsewhere. */
function negativeLogOfRest(w: v128): v128 {
  const rest = f32x4.sub(f32x4.splat(1), w);
  const taken = f32x4.sub(f32x4.splat(1), rest);
  const corrected = f32x4.mul(f32x4.neg(logarithm(rest)), f32x4.div(w, taken));
  return v128.bitselect(w, corrected, f32x4.eq(taken, f32x4.splat(0)));
}

/** Replaces `count` random words by Gumbel noise, `-log(-log u)`. */
export function gumbel(words: usize, count: usize): void {
  for (const end = words + (count << 2); words < end; words += 16) {
    const word = v128.load(words);
    const w = smaller(word);
    const lower = i32x4.ge_s(word, i32x4.splat(0));
    const exponential = v128.bitselect(f32x4.neg(logarithm(w)), negativeLogOfRest(w), lower);
    v128.store(words, f32x4.neg(logarithm(exponential)));
  }
}

/** Replaces `count` random words by logistic noise, `log(u / (1 - u))`. */
export function logistic(words: usize, count: usize): void {
  for (const end = words + (count << 2); words < end; words += 16) {
    const word = v128.load(words);
    const w = smaller(word);
    const lower = i32x4.ge_s(word, i32x4.splat(0));
    const size = f32x4.sub(f32x4.neg(logarithm(w)), negativeLogOfRest(w));
    v128.store(words, v128.bitselect(f32x4.neg(size), size, lower));
  }
}
