import type { Engine } from "../tensor/index.ts";
import { type GreedyPolicy, type GreedyPolicyOptions, greedyPolicy } from "./greedy-policy.ts";
import type { OffPolicyParts, OffPolicyPlan } from "./off-policy.ts";
import type { ValueUpdate } from "./value-update.ts";

export interface GreedyPartsOptions extends Pick<GreedyPolicyOptions, "name" | "memory" | "step"> {
  readonly plan: OffPolicyPlan;
  /** What agents tell each other before they act. */
  readonly communication: string;
}

/** What a value method is made of whose agents play the actions of largest utility. */
export function greedyParts(
  engine: Engine,
  learned: ValueUpdate,
  { plan, communication, ...options }: GreedyPartsOptions,
): OffPolicyParts & { readonly createPolicy: GreedyPolicy["create"] } {
  const policy = greedyPolicy(engine, {
    ...options,
    spec: plan.batch.spec,
    shape: plan.shape,
    network: learned.network,
  });
  return {
    ...learned,
    createPolicy: policy.create,
    exportPolicy: policy.export,
    facts: { engine: `${engine.name} ${engine.version}`, communication },
  };
}
