import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { softmaxShares } from "./softmax-shares.ts";
import {
  demandAt,
  moveStock,
  type WarehouseConfig,
  type WarehouseNetwork,
  warehouseNetwork,
} from "./warehouse.ts";

/** Joint actions of every step, and the return they lead to. */
export interface WarehousePlan {
  /** `[T]`, a joint action each. */
  readonly actions: readonly Float64Array[];
  readonly return: number;
}

export interface PlanningOptions {
  /** Random plans to start from; the best result counts. 4 when left out. */
  readonly starts?: number;
  /** Gradient steps from each. 3000 when left out. */
  readonly steps?: number;
}

/** Adam's largest step, its decays, and what keeps it from dividing by 0. */
const adam = { rate: 0.2, first: 0.9, second: 0.999, epsilon: 1e-8 };
/** Standard deviation of the logits of a random plan: each start is another, none far from uniform shares. */
const spread = 0.5;

/**
 * The best plan found by gradient ascent: the return is differentiated through the exact dynamics, backwards in time, with
 * respect to logits of the shares. Without noise nothing is gained by looking, so that a best plan bounds every policy;
 * that the one found is best is not proved, because a warehouse without stock sends nothing, which is not concave.
 *
 * @throws InputError where demand or initial stock are noisy
 */
export function planWarehouse(
  config: WarehouseConfig,
  rng: Rng,
  { starts = 4, steps = 3000 }: PlanningOptions = {},
): WarehousePlan {
  for (const setting of ["demandNoise", "initialNoise"] as const) {
    if (config[setting] > 0) {
      throw new InputError(
        `warehouse.${setting}: expected 0 for a plan made beforehand (got ${config[setting]})`,
      );
    }
  }
  const network = warehouseNetwork(config);
  const search = createSearch(network, config.horizon);
  let best: WarehousePlan | undefined;
  for (let start = 0; start < starts; start++) {
    const found = search(rng.split(`plan ${start}`), steps);
    if (best === undefined || found.return > best.return) best = found;
  }
  if (best === undefined) throw new InputError(`planWarehouse: starts is ${starts}, expected at least 1`);
  return best;
}

type Search = (rng: Rng, steps: number) => WarehousePlan;

function createSearch(network: WarehouseNetwork, horizon: number): Search {
  const { begin } = network;
  const size = begin[begin.length - 1];
  const logits = new Float64Array(horizon * size);
  const gradient = new Float64Array(horizon * size);
  const first = new Float64Array(horizon * size);
  const second = new Float64Array(horizon * size);
  const shares = Array.from({ length: horizon }, () => new Float64Array(size));
  const play = createPlay(network, horizon);
  return (rng, steps) => {
    for (let k = 0; k < logits.length; k++) logits[k] = spread * rng.normal();
    first.fill(0);
    second.fill(0);
    let best = Number.NEGATIVE_INFINITY;
    let actions: readonly Float64Array[] = [];
    for (let step = 1; step <= steps; step++) {
      for (let t = 0; t < horizon; t++)
        softmaxShares(begin, logits.subarray(t * size, (t + 1) * size), shares[t]);
      const value = play(shares, gradient);
      if (value > best) {
        best = value;
        actions = shares.map((own) => own.slice());
      }
      // The second half of the steps become smaller and smaller.
      const rate = adam.rate * Math.min(1, 2 * (1 - step / (steps + 1)));
      const [firstScale, secondScale] = [1 - adam.first ** step, 1 - adam.second ** step];
      for (let k = 0; k < logits.length; k++) {
        first[k] += (1 - adam.first) * (gradient[k] - first[k]);
        second[k] += (1 - adam.second) * (gradient[k] ** 2 - second[k]);
        logits[k] += (rate * (first[k] / firstScale)) / (Math.sqrt(second[k] / secondScale) + adam.epsilon);
      }
    }
    return { actions, return: best };
  };
}

/**
 * Plays a plan and differentiates its return with respect to the logits whose softmax it is.
 *
 * @returns a function that fills the gradient `[T, K]` and returns the return
 */
export function createPlay(
  network: WarehouseNetwork,
  horizon: number,
): (shares: readonly Float64Array[], gradient: Float64Array) => number {
  const { starts, receivers, begin, initialStock, couplings } = network;
  const { agents, reward } = couplings;
  const size = begin[agents];
  // How many rewards a warehouse's cost is charged to.
  const charges = new Float64Array(agents);
  for (const agent of reward.ids) charges[agent]++;
  const stocks = Array.from({ length: horizon + 1 }, () => new Float64Array(agents));
  stocks[0].set(initialStock);
  // What one more unit of stock at the next step, and at this one, adds to the return.
  const worthNext = new Float64Array(agents);
  const worth = new Float64Array(agents);

  return (shares, gradient) => {
    let total = 0;
    for (let t = 0; t < horizon; t++) {
      const [stock, next] = [stocks[t], stocks[t + 1]];
      moveStock(network, stock, shares[t], next);
      for (let i = 0; i < agents; i++) {
        next[i] += demandAt(network, i, t);
        if (stock[i] < 0) total -= charges[i] * stock[i] ** 2;
      }
    }
    gradient.fill(0);
    worthNext.fill(0);
    for (let t = horizon - 1; t >= 0; t--) {
      const [stock, own] = [stocks[t], shares[t]];
      for (let i = 0; i < agents; i++) {
        worth[i] = worthNext[i];
        if (stock[i] < 0) {
          worth[i] -= 2 * charges[i] * stock[i];
          continue;
        }
        const sent = begin[i + 1] - (starts[i + 1] - starts[i]);
        let average = 0;
        for (let e = starts[i], k = sent; k < begin[i + 1]; e++, k++) {
          const gain = worthNext[receivers[e]] - worthNext[i];
          average += own[k] * gain;
          gradient[t * size + k] = stock[i] * gain;
        }
        worth[i] += average;
        for (let k = begin[i]; k < begin[i + 1]; k++) {
          gradient[t * size + k] = own[k] * (gradient[t * size + k] - stock[i] * average);
        }
      }
      worthNext.set(worth);
    }
    return total;
  };
}
