import { InputError } from "../errors.ts";
import type { Dag } from "../structure/index.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { optimalValue } from "./policy-value.ts";
import { type ExactSoftmaxPolicy, exactSoftmaxPolicy } from "./softmax-policy.ts";

export interface AscentOptions {
  /** `eta`, see `practicalStepSize` and `theoryStepSize`. */
  readonly stepSize: number;
  /** Steps after which a start is finished. */
  readonly iterations: number;
  /** Weight of the log barrier; 0 by default. */
  readonly lambda?: number;
  /** `sgd`, the default: `theta + eta gradient`. `adam`: with moments .9 and .999 and 1e-8 in the denominator. */
  readonly optimiser?: "sgd" | "adam";
  /**
   * A start whose gradient of `L_lambda` is no longer than this is stationary and stops; for the level of the lemmas give
   * `stationarityLevel`. By default no start stops early.
   */
  readonly gradientNorm?: number;
  /** Iterations to record, the last one of each start aside; by default the first. */
  readonly recordAt?: readonly number[];
  /** Whether records hold the agents' gaps, which cost as much as a few steps for each agent. */
  readonly gaps?: boolean;
}

/** What was measured before step `iteration`. */
export interface AscentRecord {
  readonly iteration: number;
  /** `V(mu)`. */
  readonly value: number;
  /** `L_lambda`. */
  readonly objective: number;
  /** `V*(mu) - V(mu)`. */
  readonly optimalityGap: number;
  /** `1 - V(mu) / V*(mu)` (Subteams). */
  readonly suboptimality: number;
  /** `V(mu) / V*(mu)` (Context-aware BN). */
  readonly priceOfAnarchy: number;
  /** Euclidean length of the gradient of `L_lambda`. */
  readonly gradientNorm: number;
  /** `[N]`, where `gaps` asks for them. */
  readonly equilibriumGaps?: readonly number[];
  /** `[N]`, where `gaps` asks for them. */
  readonly unconditionalGaps?: readonly number[];
}

/** Where one start has come. Plain JSON: taking it up again gives the same numbers bit for bit. */
export interface AscentState {
  /** Steps taken. */
  readonly iteration: number;
  readonly status: "running" | "stationary" | "finished";
  readonly theta: readonly number[];
  /** First and second moments of Adam, else empty. */
  readonly moments: readonly (readonly number[])[];
  readonly records: readonly AscentRecord[];
}

/** Gradient ascent from several starts. */
export interface Ascent {
  readonly policy: ExactSoftmaxPolicy;
  /** `V*(mu)`. */
  readonly optimum: number;
  /**
   * Takes at most `steps` further steps from every start. Returns whether any start is still running.
   *
   * @throws InputError when parameters are no longer finite
   */
  advance(steps: number): boolean;
  /** The states of all starts, as copies. */
  states(): AscentState[];
}

/**
 * Prepares gradient ascent on `L_lambda`, `theta <- theta + eta gradient`, all agents at once (BN-rates, equation 2).
 *
 * @param starts parameters to start from, or states to go on from
 * @throws InputError when an option or a start is not valid
 */
export function createAscent(
  game: CooperativeMarkovGame,
  dag: Dag,
  starts: readonly (Float64Array | AscentState)[],
  options: AscentOptions,
): Ascent {
  checkOptions(options);
  const { stepSize, iterations, lambda = 0, gradientNorm: level = -1, gaps = false } = options;
  const recordAt = new Set(options.recordAt ?? [0]);
  const adaptive = options.optimiser === "adam";
  const policy = exactSoftmaxPolicy(game, dag, starts.length);
  const optimum = optimalValue(game).value;
  const runs = starts.map((start, k) => openRun(policy.parameters[k], start, adaptive));

  const record = (run: Run, value: number, gradientNorm: number): AscentRecord => ({
    iteration: run.iteration,
    value,
    objective: lambda === 0 ? value : policy.regularisedValue(run.theta, lambda),
    optimalityGap: optimum - value,
    suboptimality: 1 - value / optimum,
    priceOfAnarchy: value / optimum,
    gradientNorm,
    ...(gaps && {
      equilibriumGaps: [...policy.equilibriumGaps(run.theta)],
      unconditionalGaps: [...policy.unconditionalGaps(run.theta)],
    }),
  });

  /** Looks at the gradient, and takes a step where the start goes on. */
  const step = (run: Run) => {
    const { theta } = run;
    const { gradient } = policy;
    const value = policy.differentiate(theta, lambda);
    const recorded = recordAt.has(run.iteration) || run.iteration >= iterations;
    const norm = recorded || level >= 0 ? euclideanNorm(gradient) : Number.NaN;
    if (norm <= level) run.status = "stationary";
    else if (run.iteration >= iterations) run.status = "finished";
    if (recorded || run.status === "stationary") run.records.push(record(run, value, norm));
    if (run.status !== "running") return;
    run.iteration++;
    if (adaptive) stepAdam(run, gradient, stepSize);
    else addScaled(theta, stepSize, gradient);
  };

  /** How many steps a start can take before anybody looks at its gradient. */
  const unseenSteps = ({ iteration }: Run): number => {
    if (adaptive || level >= 0) return 0;
    let next = Math.max(iteration, iterations);
    for (const at of recordAt) if (at >= iteration && at < next) next = at;
    return next - iteration;
  };

  /** Takes steps while the start is running. Returns whether its parameters are finite. */
  const walk = (run: Run, steps: number): boolean => {
    let finite = true;
    while (steps > 0 && run.status === "running") {
      const unseen = Math.min(steps, unseenSteps(run));
      if (unseen > 0) {
        finite = policy.ascend(run.theta, { stepSize, steps: unseen, lambda });
        run.iteration += unseen;
        steps -= unseen;
      } else {
        step(run);
        finite = run.theta.every(Number.isFinite);
        steps--;
      }
    }
    return finite;
  };

  return {
    policy,
    optimum,
    advance(steps) {
      runs.forEach((run, index) => {
        if (walk(run, steps)) return;
        throw new InputError(
          `gradient ascent: start ${index} diverged by iteration ${run.iteration}, expected a step size below ${stepSize}`,
        );
      });
      return runs.some((run) => run.status === "running");
    },
    states: () =>
      runs.map(({ iteration, status, theta, moments, records }) => ({
        iteration,
        status,
        theta: [...theta],
        moments: moments.map((moment) => [...moment]),
        records: [...records],
      })),
  };
}

/**
 * Advances all starts to their end.
 *
 * @param report called whenever every running start has taken another `every` steps, with the steps each has taken in this
 *   call; returning false stops there, and `createAscent` goes on from the states
 */
export function runAscent(
  ascent: Ascent,
  { every, report }: { readonly every: number; readonly report: (steps: number) => boolean | undefined } = {
    every: Number.POSITIVE_INFINITY,
    report: () => true,
  },
): AscentState[] {
  let steps = every;
  while (ascent.advance(every) && report(steps) !== false) steps += every;
  return ascent.states();
}

/**
 * The step size of the published code, `0.01 2^N / N`: there .01 stands beside an initial distribution of total mass
 * `2^N / N`, which scales gradients.
 */
export function practicalStepSize(agents: number): number {
  return (0.01 * 2 ** agents) / agents;
}

interface Run {
  iteration: number;
  status: AscentState["status"];
  readonly theta: Float64Array;
  readonly moments: readonly Float64Array[];
  readonly records: AscentRecord[];
}

/** @param theta filled with the parameters to start from */
function openRun(theta: Float64Array, start: Float64Array | AscentState, adaptive: boolean): Run {
  const fresh = start instanceof Float64Array;
  const given = fresh ? start : start.theta;
  if (given.length !== theta.length) {
    throw new InputError(`start has ${given.length} parameters, expected ${theta.length}`);
  }
  theta.set(given);
  const zeros = adaptive ? [new Float64Array(theta.length), new Float64Array(theta.length)] : [];
  if (fresh) return { iteration: 0, status: "running", theta, moments: zeros, records: [] };
  if (start.moments.length !== zeros.length) {
    throw new InputError(
      `start has ${start.moments.length} moments, expected ${zeros.length} for the same optimiser as before`,
    );
  }
  const moments = start.moments.map((moment) => Float64Array.from(moment));
  return { iteration: start.iteration, status: start.status, theta, moments, records: [...start.records] };
}

function euclideanNorm(values: Float64Array): number {
  let squares = 0;
  for (let k = 0; k < values.length; k++) squares += values[k] * values[k];
  return Math.sqrt(squares);
}

function addScaled(theta: Float64Array, stepSize: number, gradient: Float64Array): void {
  for (let k = 0; k < theta.length; k++) theta[k] += stepSize * gradient[k];
}

/** Adam (Kingma and Ba, Algorithm 1), uphill; `run.iteration` counts this step already. */
function stepAdam({ theta, moments, iteration }: Run, gradient: Float64Array, stepSize: number): void {
  const [first, second] = moments;
  const firstCorrection = 1 - 0.9 ** iteration;
  const secondCorrection = 1 - 0.999 ** iteration;
  for (let k = 0; k < theta.length; k++) {
    first[k] = 0.9 * first[k] + 0.1 * gradient[k];
    second[k] = 0.999 * second[k] + 0.001 * gradient[k] * gradient[k];
    theta[k] += (stepSize * first[k]) / firstCorrection / (Math.sqrt(second[k] / secondCorrection) + 1e-8);
  }
}

function checkOptions({
  stepSize,
  iterations,
  lambda = 0,
  gradientNorm = 0,
  recordAt = [],
}: AscentOptions): void {
  const refuse = (name: string, got: number, expected: string) => {
    throw new InputError(`gradient ascent: ${name} is ${got}, expected ${expected}`);
  };
  if (!(stepSize > 0 && stepSize < Number.POSITIVE_INFINITY))
    refuse("stepSize", stepSize, "a positive number");
  if (!Number.isInteger(iterations) || iterations < 0)
    refuse("iterations", iterations, "an integer of at least 0");
  if (!(lambda >= 0 && lambda < Number.POSITIVE_INFINITY)) refuse("lambda", lambda, "a number of at least 0");
  if (!(gradientNorm >= 0)) refuse("gradientNorm", gradientNorm, "a number of at least 0");
  for (const iteration of recordAt) {
    if (!Number.isInteger(iteration) || iteration < 0 || iteration > iterations) {
      refuse("recordAt", iteration, `integers of 0..${iterations}`);
    }
  }
}
