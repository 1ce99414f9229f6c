import type { ControlPolicy } from "./control-policy.ts";
import {
  type AffineGain,
  costOfGain,
  expectedCost,
  type LinearQuadraticProblem,
  type QuadraticFunction,
  solveLinearQuadratic,
  stationaryGain,
} from "./linear-quadratic.ts";
import {
  heatFlow,
  inputLimit,
  neighbouringZones,
  type TemperatureConfig,
  temperatureUnit,
} from "./temperature.ts";

/** Temperature control as a linear-quadratic problem: `e` is how far zones are from the target, `u` the inputs. */
export function temperatureProblem(config: TemperatureConfig): LinearQuadraticProblem {
  const { agents: n, horizon, target, inputCost, outside, occupants } = config;
  const { wall, input, zone } = heatFlow(config);
  const A = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const near = neighbouringZones(n, i);
    A[i * n + i] = 1 - wall - zone * near.length;
    for (const j of near) A[i * n + j] = zone;
  }
  // At the target neighbours exchange nothing.
  const drift = wall * (outside - target) + input * occupants;
  return {
    n,
    m: n,
    horizon,
    A,
    B: diagonal(n, input),
    d: new Float64Array(n).fill(drift),
    Q: diagonal(n, 1),
    R: diagonal(n, inputCost),
  };
}

/** Inputs `-K e - k`, cut off at the largest. @param gain of every step, or of each `[T]` */
export function affineInputs(
  config: TemperatureConfig,
  gain: AffineGain | readonly AffineGain[],
): ControlPolicy {
  const { target, normalise } = config;
  const limit = inputLimit(config);
  return (state, step, _rng, actions) => {
    const { K, k } = "K" in gain ? gain : gain[step];
    const n = state.length;
    for (let i = 0; i < n; i++) {
      let u = -k[i];
      for (let j = 0; j < n; j++)
        u -= K[i * n + j] * (normalise ? temperatureUnit * state[j] : state[j] - target);
      actions[i] = Math.max(-limit, Math.min(limit, u));
    }
  };
}

/** The gain of an input that is always the same, kW. */
export function constantGain({ agents: n }: TemperatureConfig, input: number): AffineGain {
  return { K: new Float64Array(n * n), k: new Float64Array(n).fill(-input) };
}

/** The input that holds zones at the target once they are there, kW. */
export function holdingInput(config: TemperatureConfig): number {
  const { wall, input } = heatFlow(config);
  return -config.occupants - (wall / input) * (config.outside - config.target);
}

/** The controller far from the end, with weights on zones that the agent does not observe set to 0. */
export function observedStationaryGain(config: TemperatureConfig): AffineGain {
  const { agents: n } = config;
  const { K, k } = stationaryGain(temperatureProblem(config));
  const observed = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (const j of [i, ...neighbouringZones(n, i)]) observed[i * n + j] = K[i * n + j];
  }
  return { K: observed, k };
}

/** The best controllers of each step `[T]`, which see all zones, and their exact expected return. */
export function bestInputs(config: TemperatureConfig): {
  readonly gains: readonly AffineGain[];
  readonly return: number;
} {
  const { gains, costs } = solveLinearQuadratic(temperatureProblem(config));
  return { gains, return: -episodeCost(config, costs) };
}

/** Exact expected return, noise and initial variance included, of a controller whose inputs are never cut off. */
export function returnOfGain(config: TemperatureConfig, gain: AffineGain): number {
  return -episodeCost(config, costOfGain(temperatureProblem(config), gain));
}

function episodeCost(config: TemperatureConfig, costs: readonly QuadraticFunction[]): number {
  const { agents, initialMean, target, initialVariance } = config;
  const mean = new Float64Array(agents).fill(initialMean - target);
  return expectedCost(costs, mean, initialVariance, heatFlow(config).noise ** 2);
}

/** Weights of an actor that all zones share, on normalised temperatures. */
export interface SharedWeights {
  readonly own: number;
  /** Of each neighbour. */
  readonly neighbour: number;
  readonly bias: number;
}

/** The actor of MABN's example, one layer and a tanh, with weights shared by all zones. */
export function tanhInputs(
  config: TemperatureConfig,
  { own, neighbour, bias }: SharedWeights,
): ControlPolicy {
  const { agents: n, target, normalise } = config;
  const limit = inputLimit(config);
  const near = Array.from({ length: n }, (_, i) => neighbouringZones(n, i));
  const off = normalise ? (x: number) => x : (x: number) => (x - target) / temperatureUnit;
  return (state, _step, _rng, actions) => {
    for (let i = 0; i < n; i++) {
      let sum = bias + own * off(state[i]);
      for (const j of near[i]) sum += neighbour * off(state[j]);
      actions[i] = limit * Math.tanh(sum);
    }
  };
}

function diagonal(n: number, value: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = value;
  return matrix;
}
