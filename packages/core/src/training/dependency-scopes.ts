/** Whom a critic is told of, whose rewards it values and who climbs it, as the couplings of a game have it (MABN). */
import { z } from "zod";
import type { EnvFactory, EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import {
  type AgentSets,
  agentSet,
  type CouplingGraphs,
  dependencyModes,
  gradientDependency,
  valueDependency,
} from "../structure/index.ts";
import type { CriticScope } from "./climbed-critics.ts";

/** Settings of dependency sets, to be spread into a schema. */
export const dependencySettings = {
  dependency: z
    .enum(["exact", "kappa"])
    .default("exact")
    .describe("Whether dependency sets count all rewards to come, or only those of the next kappa steps"),
  kappa: z.int().min(0).default(2).describe("Steps whose rewards count where dependency=kappa"),
  dependencyMode: z
    .enum(dependencyModes)
    .default("paper")
    .describe("How sets that end early are read, see `corral structure`; exact sets are the same in all"),
} as const;

/**
 * The couplings of an environment.
 *
 * @param name of the algorithm, for messages
 * @throws InputError when the environment does not say who is coupled with whom, or its couplings change
 */
export function couplingsOf(name: string, env: EnvFactory): CouplingGraphs {
  const { spec, couplings } = env();
  const graphs: unknown = couplings?.();
  if (graphs === undefined) {
    throw new InputError(
      `${name}: ${spec.id} does not say whom agents are coupled with, expected an environment with couplings (warehouse, temperature)`,
    );
  }
  if (Array.isArray(graphs)) {
    throw new InputError(
      `${name}: couplings of ${spec.id} change from step to step, expected couplings that stay as they are`,
    );
  }
  const { agents } = graphs as CouplingGraphs;
  if (agents !== spec.agents) {
    throw new InputError(`${name}: couplings of ${spec.id} are of ${agents} agents, expected ${spec.agents}`);
  }
  return graphs as CouplingGraphs;
}

/** @throws InputError when agents have no rewards of their own */
export function expectOwnRewards(name: string, { id, rewards }: EnvSpec): void {
  if (rewards === "individual") return;
  throw new InputError(
    `${name}: agents of ${id} have no rewards of their own, expected an environment with individual rewards`,
  );
}

interface ScopeSettings {
  readonly critics: "decomposed" | "undecomposed" | "undecomposed-sum";
  readonly dependency: "exact" | "kappa";
  readonly kappa: number;
  readonly dependencyMode: (typeof dependencyModes)[number];
  readonly gradientDependency: "true" | "full";
}

/**
 * The scope of every agent's critic: `I_Q^i`, agent i's own reward, and the actors of which it is in the gradient
 * dependency set, which are those of `I_Q^i` again.
 */
export function criticScopes(graphs: CouplingGraphs, config: ScopeSettings): readonly CriticScope[] {
  const { critics, dependency, kappa, dependencyMode: mode } = config;
  const values = valueDependency(graphs, dependency === "kappa" ? { kappa, mode } : {});
  const gradient = gradientDependency(values);
  const everybody = Array.from({ length: graphs.agents }, (_, agent) => agent);
  const guides = (sets: AgentSets, agent: number): readonly number[] =>
    config.gradientDependency === "full" ? everybody : [...agentSet(sets, agent)];
  return everybody.map((agent) => {
    const told = critics === "decomposed" ? [...agentSet(values, agent)] : everybody;
    if (critics === "undecomposed-sum") return { told, rewarded: guides(gradient, agent), guided: [agent] };
    const guided = guides(values, agent).filter((other) => told.includes(other));
    return { told, rewarded: [agent], guided };
  });
}

/** In words, for the facts of a run. @param what critics are told of agents */
export function describeScopes(scopes: readonly CriticScope[], what = "states and actions"): string {
  const sizes = scopes.map(({ told }) => told.length);
  const [fewest, most] = [Math.min(...sizes), Math.max(...sizes)];
  return `each of ${what} of ${fewest === most ? most : `${fewest} to ${most}`} of ${scopes.length} agents`;
}
