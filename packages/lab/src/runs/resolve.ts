import { isAbsolute, resolve as resolvePath } from "node:path";
import { pathToFileURL } from "node:url";
import type { Algorithm } from "corral/algorithms";
import {
  configureEnv,
  customEnv,
  type EnvDefinition,
  type EnvFactory,
  type JsonValue,
  parseConfig,
} from "corral/envs";
import { InputError, unknownName } from "corral/errors";
import type { RunSpec } from "./spec.ts";

/** The objects that the names of a specification stand for. */
export interface ResolvedRun {
  readonly algorithm: Algorithm;
  /** The algorithm's settings in full, as JSON. */
  readonly config: JsonValue;
  readonly factory: EnvFactory;
  /** The environment's settings in full, as JSON. */
  readonly envConfig: JsonValue;
  readonly env: { readonly id: string; readonly version: number };
  /** What executes the tensor programs, for the record. */
  readonly engine?: string;
}

/** @throws InputError for an unknown name or a setting that is not valid */
export type ResolveRun = (spec: RunSpec) => Promise<ResolvedRun>;

/**
 * Resolves names through plain tables, and environments that are paths by importing the module.
 *
 * @param tables the algorithms and environments by name; `engine` for the record
 * @param importModule imports a module by its `file:` URL
 */
export function createResolver(
  tables: {
    // biome-ignore lint/suspicious/noExplicitAny: each table entry has a config type of its own, checked by its schema.
    readonly algorithms: Readonly<Record<string, Algorithm<any>>>;
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    readonly environments: Readonly<Record<string, EnvDefinition<any>>>;
    readonly engine?: string;
  },
  importModule: (url: string) => Promise<unknown> = (url) => import(url),
): ResolveRun {
  return async (spec) => {
    const { algorithms, environments, engine } = tables;
    if (!Object.hasOwn(algorithms, spec.algorithm)) {
      throw unknownName("algorithm", spec.algorithm, Object.keys(algorithms));
    }
    const algorithm = algorithms[spec.algorithm];
    const definition = isModulePath(spec.env)
      ? customEnv(await importEnv(spec.env, importModule), spec.env)
      : environments[spec.env];
    if (definition === undefined || (!isModulePath(spec.env) && !Object.hasOwn(environments, spec.env))) {
      throw unknownName("environment", spec.env, Object.keys(environments));
    }
    const env = configureEnv(definition, spec.envConfig);
    const { id, version } = env.factory().spec;
    return {
      algorithm,
      config: parseConfig(spec.algorithm, algorithm.config, spec.config) as JsonValue,
      factory: env.factory,
      envConfig: env.config as JsonValue,
      env: { id, version },
      ...(engine === undefined ? {} : { engine }),
    };
  };
}

/**
 * Whether an environment is given by the path of a module, which starts at the root or with a dot or has a module's ending;
 * names have neither, but may have parts (`mpe/tag`).
 */
export const isModulePath = (env: string): boolean =>
  isAbsolute(env) || /^\.{1,2}[/\\]|\.[cm]?[jt]s$/.test(env);

async function importEnv(path: string, importModule: (url: string) => Promise<unknown>): Promise<unknown> {
  try {
    return await importModule(pathToFileURL(resolvePath(path)).href);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new InputError(`environment ${path} cannot be imported: ${reason}`);
  }
}
