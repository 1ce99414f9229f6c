import type { EnvSpec } from "./env.ts";

/**
 * Specification of a team in which every agent observes the whole state and has the same number of actions, paid by
 * one team reward.
 */
export function fullyObservedSpec(team: {
  readonly id: string;
  /** 1 unless the environment has changed its meaning. */
  readonly version?: number;
  readonly agents: number;
  /** Actions of each agent. */
  readonly actions: number;
  readonly stateSize: number;
  readonly horizon: number;
}): EnvSpec {
  const { id, version = 1, agents, actions, stateSize, horizon } = team;
  return {
    id,
    version,
    agents,
    observationSize: stateSize,
    stateSize,
    actions: Array.from({ length: agents }, () => ({ kind: "discrete", n: actions }) as const),
    horizon,
    rewards: "team",
    sharedObservation: true,
  };
}
