/** `- sum_a pi(a|s) r(s, a)` for each state, `stride` apart. */
export function averageReward(
  policy: usize,
  reward: usize,
  out: usize,
  stride: usize,
  states: usize,
  width: usize,
): void {
  const even = width & ~15;
  for (; states > 0; states--, policy += width, reward += width, out += stride) {
    let sums = f64x2.splat(0);
    for (let a: usize = 0; a < even; a += 16) {
      sums = f64x2.add(sums, f64x2.mul(v128.load(policy + a), v128.load(reward + a)));
    }
    let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
    if (even < width) sum += load<f64>(policy + even) * load<f64>(reward + even);
    store<f64>(out, -sum);
  }
}

/** `Q(s, a) = r(s, a) + expected[a]`, the expectations of one state `stride` after those of the state before. */
export function addReward(
  reward: usize,
  expected: usize,
  stride: usize,
  out: usize,
  states: usize,
  width: usize,
): void {
  for (; states > 0; states--, reward += width, expected += stride, out += width) {
    for (let a: usize = 0; a < width; a += 16) {
      v128.store(out + a, f64x2.add(v128.load(reward + a), v128.load(expected + a)));
    }
  }
}

/**
 * As `addReward`, and `out[s][a] = d(s) pi(a|s) (Q(s, a) - V(s))`. Any number may be taken off all Q-values of a state; its
 * value keeps the sums of the gradient's rows at rounding error.
 */
export function weightAdvantages(
  reward: usize,
  expected: usize,
  stride: usize,
  actionValues: usize,
  policy: usize,
  stateValues: usize,
  visitation: usize,
  out: usize,
  states: usize,
  width: usize,
): void {
  for (; states > 0; states--) {
    const baseline = v128.load64_splat(stateValues);
    const visits = v128.load64_splat(visitation);
    for (let a: usize = 0; a < width; a += 16) {
      const value = f64x2.add(v128.load(reward + a), v128.load(expected + a));
      v128.store(actionValues + a, value);
      const weight = f64x2.mul(visits, v128.load(policy + a));
      v128.store(out + a, f64x2.mul(weight, f64x2.sub(value, baseline)));
    }
    reward += width;
    expected += stride;
    actionValues += width;
    policy += width;
    stateValues += 8;
    visitation += 8;
    out += width;
  }
}
