import { InputError } from "../errors.ts";

/**
 * Cumulative distribution function of Student's t, relative error below 1e-12 for up to about 1e4 degrees of freedom.
 * With x = nu / (nu + t^2), P(T <= -|t|) = I_x(nu/2, 1/2) / 2 (Abramowitz and Stegun 26.7.1).
 *
 * @param degreesOfFreedom nu > 0, need not be whole; Infinity gives the normal distribution
 */
export function studentCdf(t: number, degreesOfFreedom: number): number {
  if (!(degreesOfFreedom > 0)) {
    throw new InputError(`studentCdf: expected degrees of freedom above 0 but received ${degreesOfFreedom}`);
  }
  if (degreesOfFreedom === Infinity) return normalCdf(t);
  if (t === 0) return 0.5;
  // t^2 / (nu + t^2) is the accurate complement of x when |t| is small.
  const square = t * t;
  const tail =
    square === Infinity
      ? 0
      : 0.5 *
        incompleteBeta(
          degreesOfFreedom / (degreesOfFreedom + square),
          square / (degreesOfFreedom + square),
          degreesOfFreedom / 2,
          0.5,
        );
  return t < 0 ? tail : 1 - tail;
}

/**
 * The value that a t variable stays below with the given probability; the inverse of `studentCdf`.
 *
 * @param probability strictly between 0 and 1
 */
export function studentQuantile(probability: number, degreesOfFreedom: number): number {
  return invertSymmetric("studentQuantile", probability, (t) => studentCdf(t, degreesOfFreedom));
}

/** Cumulative distribution function of the standard normal, absolute error below 1e-15, relative below 1e-12. */
export function normalCdf(x: number): number {
  const size = Math.abs(x);
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  let tail: number;
  if (size < 3) {
    // P(0 < Z < x) = density * (x + x^3/3 + x^5/(3*5) + ...), all terms positive (Abramowitz and Stegun 26.2.11).
    let term = size;
    let total = size;
    for (let k = 3; term > total * 1e-17; k += 2) {
      term *= (size * size) / k;
      total += term;
    }
    tail = 0.5 - density * total;
  } else {
    // Continued fraction of Mills' ratio, 1/(x + 1/(x + 2/(x + 3/...))) (Abramowitz and Stegun 26.2.14).
    let denominator = size;
    for (let k = 100; k > 0; k--) denominator = size + k / denominator;
    tail = density / denominator;
  }
  return x < 0 ? tail : 1 - tail;
}

/** The inverse of `normalCdf`. @param probability strictly between 0 and 1 */
export function normalQuantile(probability: number): number {
  return invertSymmetric("normalQuantile", probability, normalCdf);
}

/**
 * Inverse of the distribution function of a variable that is symmetric around 0: bisection in the lower tail, where
 * the function keeps its relative precision, until neighbouring floating-point numbers are reached.
 */
function invertSymmetric(who: string, probability: number, cdf: (x: number) => number): number {
  if (!(probability > 0 && probability < 1)) {
    throw new InputError(
      `${who}: expected a probability strictly between 0 and 1 but received ${probability}`,
    );
  }
  if (probability === 0.5) return 0;
  const tail = Math.min(probability, 1 - probability);
  let near = 0;
  let far = 1;
  while (cdf(-far) > tail) {
    near = far;
    far *= 2;
  }
  for (;;) {
    const middle = (near + far) / 2;
    if (middle <= near || middle >= far) break;
    if (cdf(-middle) > tail) near = middle;
    else far = middle;
  }
  return probability < 0.5 ? -far : far;
}

/**
 * Regularised incomplete beta function I_x(a, b), from the continued fraction of DLMF 8.17.22 evaluated by Lentz's
 * method, on whichever side of the mean it converges fast.
 *
 * @param x in [0, 1]
 * @param complement 1 - x, given apart so that no digits are lost when x is near 1
 */
function incompleteBeta(x: number, complement: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (complement <= 0) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(complement, x, b, a);
  const front = Math.exp(
    a * Math.log(x) + b * Math.log(complement) + logGamma(a + b) - logGamma(a) - logGamma(b),
  );
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1), tiny);
  let fraction = d;
  for (let m = 1; m <= 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d, tiny);
    c = nonZero(1 + even / c, tiny);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d, tiny);
    c = nonZero(1 + odd / c, tiny);
    const factor = d * c;
    fraction *= factor;
    if (Math.abs(factor - 1) < 1e-16) break;
  }
  return (front * fraction) / a;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

/**
 * ln Gamma(x) for x > 0: Stirling's series (DLMF 5.11.1) after moving x above 10 with Gamma(x + 1) = x Gamma(x);
 * the first term left out is below 1e-16 there.
 */
function logGamma(x: number): number {
  let shift = 0;
  while (x < 10) {
    shift += Math.log(x);
    x += 1;
  }
  const inverse = 1 / x;
  const square = inverse * inverse;
  // B_{2k} / (2k (2k - 1)) for k = 1..8, by Horner's rule.
  const coefficients = [
    -3617 / 122400,
    1 / 156,
    -691 / 360360,
    1 / 1188,
    -1 / 1680,
    1 / 1260,
    -1 / 360,
    1 / 12,
  ];
  let series = 0;
  for (const coefficient of coefficients) series = series * square + coefficient;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series * inverse - shift;
}
