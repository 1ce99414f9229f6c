import type { ExactSoftmaxPolicy } from "./softmax-policy.ts";

export interface LevelAscentOptions {
  /** Weight of the log barrier. */
  readonly lambda: number;
  /** Gradient norm of `L_lambda` at which to stop, for the lemmas `stationarityLevel`. */
  readonly level: number;
  /** Most steps to take. */
  readonly steps: number;
  /** Size of the first step. */
  readonly stepSize: number;
}

/** Where an ascent stands. */
export interface LevelAscent {
  /** Overwritten by later steps. */
  readonly theta: Float64Array;
  /** Steps taken. */
  readonly steps: number;
  readonly gradientNorm: number;
  /** Whether the gradient norm is at most the level; an ascent that ends without ran out of steps or of precision. */
  readonly reached: boolean;
}

/** Values that a step is compared with. */
const MEMORY = 10;
/** Share of the increase that the gradient promises which a step must bring. */
const SUFFICIENT = 1e-4;
/** Share of a value that rounding may take. */
const ROUNDING = 1e-14;
/** What a step size is multiplied with where the objective bends upwards, so that no length suggests itself. */
const GROWTH = 4;
/** Longest step size; a longer one could overflow, and never be cut to anything finite. */
const LONGEST = 1e100;

/**
 * Gradient ascent on `L_lambda` until its gradient is short, in far fewer steps than any fixed step size needs: each step
 * is as long as the curvature along the one before suggests (Barzilai and Borwein), and is cut until it raises the lowest
 * of the last ten values (Raydan 1997, "The Barzilai and Borwein gradient method for the large scale unconstrained
 * minimization problem", Section 3). For a positive `lambda`, without which a maximum may lie at infinity.
 *
 * Yields before every step, so that the caller sets the pace and may stop, and returns where it ended.
 *
 * @param start laid out by `policy.layout`
 */
export function* ascendToLevel(
  policy: ExactSoftmaxPolicy,
  start: Float64Array,
  { lambda, level, steps, stepSize }: LevelAscentOptions,
): Generator<LevelAscent, LevelAscent, void> {
  let theta = start.slice();
  let candidate = start.slice();
  let objective = policy.regularisedValue(theta, lambda);
  policy.differentiate(theta, lambda);
  const gradient = policy.gradient.slice();
  const recent = [objective];
  let size = stepSize;
  for (let step = 0; ; step++) {
    const squares = dot(gradient, gradient);
    const gradientNorm = Math.sqrt(squares);
    const standing = { theta, steps: step, gradientNorm, reached: gradientNorm <= level };
    if (standing.reached || step >= steps) return standing;
    yield standing;
    const least = Math.min(...recent) - ROUNDING * Math.abs(objective);
    do {
      for (let k = 0; k < theta.length; k++) candidate[k] = theta[k] + size * gradient[k];
      objective = policy.regularisedValue(candidate, lambda);
      if (objective >= least + SUFFICIENT * size * squares) break;
      size /= GROWTH;
    } while (size > 0);
    if (size === 0) return standing;
    [theta, candidate] = [candidate, theta];
    recent.push(objective);
    if (recent.length > MEMORY) recent.shift();
    policy.differentiate(theta, lambda);
    // The step is size * gradient, so its length cancels from the quotient of Barzilai and Borwein.
    const bend = squares - dot(gradient, policy.gradient);
    size = Math.min(LONGEST, bend > 0 ? (size * squares) / bend : GROWTH * size);
    gradient.set(policy.gradient);
  }
}

function dot(one: Float64Array, other: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < one.length; k++) sum += one[k] * other[k];
  return sum;
}
