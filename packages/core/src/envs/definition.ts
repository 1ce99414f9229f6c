import type { z } from "zod";
import { InputError } from "../errors.ts";
import { parseConfig } from "./config.ts";
import type { ReferencePolicies } from "./control-policy.ts";
import type { Env } from "./env.ts";
import type { GoldenSchema } from "./golden.ts";

/** Makes one configured copy of an environment. */
export type EnvFactory = () => Env;

/** One environment: what it is called, what can be set, and how to make a copy. */
export interface EnvDefinition<Config = unknown> {
  /** The name users write, for example `"aloha"`. */
  readonly name: string;
  /** Names it has elsewhere, which the command line takes too. */
  readonly aliases?: readonly string[];
  /** One sentence for listings. */
  readonly description: string;
  /** Settings with their defaults: `z.strictObject({ horizon: z.int().min(1).default(25) })`. */
  readonly config: z.ZodType<Config>;
  create(config: Config): Env;
  /** Policies written by hand, to watch the environment with and to compare with. */
  policies?(config: Config): ReferencePolicies;
  /** How recorded trajectories of this environment are replayed, where a recording format exists. */
  readonly golden?: GoldenSchema;
}

/** States that an object is an environment definition; the type of its config follows from its schema. */
export function defineEnv<Config>(definition: EnvDefinition<Config>): EnvDefinition<Config> {
  return definition;
}

/**
 * Settles the configuration of an environment.
 *
 * @param overrides settings that differ from the defaults
 * @returns the full frozen configuration, and a factory of environments that follow it
 * @throws InputError on an unknown setting or a value out of range
 */
export function configureEnv<Config>(
  definition: EnvDefinition<Config>,
  overrides: Readonly<Record<string, unknown>> = {},
): { readonly config: Config; readonly factory: EnvFactory } {
  const config = parseConfig(definition.name, definition.config, overrides);
  return { config, factory: () => definition.create(config) };
}

/**
 * The environment a user's module exports by default.
 *
 * @param module the imported module
 * @param source where it came from, for messages
 * @throws InputError when the default export is not an environment definition
 */
export function customEnv(module: unknown, source: string): EnvDefinition {
  const definition = (module as { readonly default?: unknown } | null | undefined)?.default;
  const problem = flaw(definition);
  if (problem === undefined) return definition as EnvDefinition;
  throw new InputError(`${source}: ${problem}. Expected "export default defineEnv({ ... })".`);
}

/** What keeps a value from being an environment definition, or undefined when nothing does. */
function flaw(value: unknown): string | undefined {
  if (value === undefined) return "the module has no default export";
  if (typeof value !== "object" || value === null) return `the default export is ${JSON.stringify(value)}`;
  const definition = value as Partial<EnvDefinition>;
  if (typeof definition.name !== "string" || definition.name === "")
    return '"name" is not a non-empty string';
  if (typeof definition.description !== "string") return '"description" is not a string';
  if (typeof definition.config?.safeParse !== "function") return '"config" is not a zod schema';
  if (typeof definition.create !== "function") return '"create" is not a function';
  return undefined;
}
