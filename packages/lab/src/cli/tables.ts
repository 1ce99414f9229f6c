import { existsSync } from "node:fs";
import { isAbsolute, resolve as resolvePath } from "node:path";
import { pathToFileURL } from "node:url";
import type { EnvDefinition } from "corral/envs";
import type { ResolveRun } from "../runs/index.ts";
import type { Context } from "./context.ts";

/** How names and paths become environments, algorithms and runs. */
export interface Found {
  /** As it goes into the specification of a run: a name of the table, or the whole path of a module. */
  readonly env: string;
  readonly definition: EnvDefinition;
}

/**
 * An environment by its name, or by the path of a module that a user wrote.
 *
 * @throws InputError when there is neither
 */
export async function findEnvironment(nameOrPath: string, context: Context): Promise<Found> {
  const { environments, customEnv } = await import("corral/envs");
  const { InputError, unknownName } = await import("corral/errors");
  if (Object.hasOwn(environments, nameOrPath)) {
    return {
      env: nameOrPath,
      definition: environments[nameOrPath as keyof typeof environments] as EnvDefinition,
    };
  }
  if (!isAbsolute(nameOrPath) && !/[/\\]|\.[cm]?[jt]s$/.test(nameOrPath)) {
    throw unknownName("environment", nameOrPath, Object.keys(environments));
  }
  const env = resolvePath(nameOrPath);
  if (!existsSync(env)) throw new InputError(`environment ${nameOrPath}: there is no such file`);
  return { env, definition: customEnv(await importUserModule(env, context), nameOrPath) };
}

/** How the specification of a run is turned into what it names. */
export async function runResolver(context: Context): Promise<ResolveRun> {
  const { algorithms } = await import("corral/algorithms");
  const { environments } = await import("corral/envs");
  const { loadEngine } = await import("corral/tensor");
  const { createResolver } = await import("../runs/index.ts");
  const engine = await loadEngine();
  const importModule = async (url: string): Promise<unknown> => {
    await context.enableUserModules();
    return import(url);
  };
  return createResolver(
    { algorithms, environments, engine: `${engine.name} ${engine.version}` },
    importModule,
  );
}

async function importUserModule(path: string, context: Context): Promise<unknown> {
  await context.enableUserModules();
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    const { InputError } = await import("corral/errors");
    const reason = error instanceof Error ? error.message : String(error);
    const refusal = new InputError(`environment ${path} cannot be imported: ${reason}`);
    // With --debug the place in the user's own module is shown.
    refusal.cause = error;
    throw refusal;
  }
}
