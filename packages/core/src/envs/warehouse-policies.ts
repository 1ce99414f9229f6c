import { InputError } from "../errors.ts";
import { constantActions } from "./control-policies.ts";
import type { ControlPolicy } from "./control-policy.ts";
import { softmaxShares } from "./softmax-shares.ts";
import { type WarehouseConfig, warehouseNetwork } from "./warehouse.ts";

/** Every warehouse keeps what it has. @throws InputError where warehouses must send all */
export function sendNothing(config: WarehouseConfig): ControlPolicy {
  if (!config.keep) throw new InputError("warehouse.keep: expected true for sending nothing (got false)");
  return constantActions(sharesOf(config, (k) => (k === 0 ? 1 : 0)));
}

/** Every warehouse sends an equal share to everybody it can, and keeps one where it may. */
export function uniformShares(config: WarehouseConfig): ControlPolicy {
  return constantActions(sharesOf(config, (_k, size) => 1 / size));
}

/** Shares are a softmax of normal numbers: what an untrained actor with much noise plays. */
export function randomShares(config: WarehouseConfig, deviation = 1): ControlPolicy {
  const { begin } = warehouseNetwork(config);
  return (_state, _step, rng, actions) => {
    for (let k = 0; k < actions.length; k++) actions[k] = deviation * rng.normal();
    softmaxShares(begin, actions, actions);
  };
}

function sharesOf(config: WarehouseConfig, share: (k: number, size: number) => number): Float64Array {
  const { begin } = warehouseNetwork(config);
  const shares = new Float64Array(begin[begin.length - 1]);
  for (let i = 0; i + 1 < begin.length; i++) {
    for (let k = begin[i]; k < begin[i + 1]; k++) shares[k] = share(k - begin[i], begin[i + 1] - begin[i]);
  }
  return shares;
}
