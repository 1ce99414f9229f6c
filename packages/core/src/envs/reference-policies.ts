import { type AlohaConfig, alohaNeighbours } from "./aloha.ts";
import { alternateSets, greedyInOrder } from "./aloha-policies.ts";
import { constantActions, followPlan } from "./control-policies.ts";
import type { ReferencePolicies } from "./control-policy.ts";
import type { CoordinationGameConfig } from "./coordination-game.ts";
import type { TemperatureConfig } from "./temperature.ts";
import {
  affineInputs,
  bestInputs,
  constantGain,
  holdingInput,
  observedStationaryGain,
} from "./temperature-policies.ts";
import { type TopKConfig, topKOptimalActions } from "./topk.ts";
import type { WarehouseConfig } from "./warehouse.ts";
import { planWarehouse } from "./warehouse-plan.ts";
import { randomShares, sendNothing, uniformShares } from "./warehouse-policies.ts";

/** What environments can be watched with before anybody has learnt, see `EnvDefinition.policies`. */
export const alohaReferences = (config: AlohaConfig): ReferencePolicies => ({
  alternate: () => alternateSets,
  "greedy-in-order": () => greedyInOrder(alohaNeighbours(config)),
});

export const coordinationGameReferences = ({ agents }: CoordinationGameConfig): ReferencePolicies => ({
  zeros: () => constantActions(new Float64Array(agents)),
});

export const topKReferences = (config: TopKConfig): ReferencePolicies => ({
  optimal: () => (signals, _step, _rng, actions) => actions.set(topKOptimalActions(signals, config)[0]),
});

export const warehouseReferences = (config: WarehouseConfig): ReferencePolicies => ({
  plan: (rng) => followPlan(planWarehouse(config, rng).actions),
  "uniform-shares": () => uniformShares(config),
  "random-shares": () => randomShares(config),
  "send-nothing": () => sendNothing(config),
});

export const temperatureReferences = (config: TemperatureConfig): ReferencePolicies => ({
  best: () => affineInputs(config, bestInputs(config).gains),
  observed: () => affineInputs(config, observedStationaryGain(config)),
  holding: () => affineInputs(config, constantGain(config, holdingInput(config))),
});
