/** Where a quadrature looks and what it makes of what it sees. */
export interface Quadrature {
  /** In [0, 1]. */
  readonly nodes: Float64Array;
  /** They sum to 1. */
  readonly weights: Float64Array;
}

/**
 * Gauss-Legendre quadrature on [0, 1]: exact for polynomials of degree up to `2 count - 1`. The nodes are the zeros of a
 * Legendre polynomial, by Newton's method from their asymptotic places.
 */
export function gaussLegendre(count: number): Quadrature {
  const nodes = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    let x = Math.cos((Math.PI * (k + 0.75)) / (count + 0.5));
    let slope = 0;
    for (let step = 0; step < 100; step++) {
      let value = 1;
      let before = 0;
      for (let n = 1; n <= count; n++) {
        [value, before] = [((2 * n - 1) * x * value - (n - 1) * before) / n, value];
      }
      slope = (count * (x * value - before)) / (x * x - 1);
      const change = value / slope;
      x -= change;
      if (Math.abs(change) < 1e-15) break;
    }
    nodes[k] = (1 - x) / 2;
    weights[k] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}
