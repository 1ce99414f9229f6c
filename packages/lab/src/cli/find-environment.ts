import { existsSync } from "node:fs";
import { resolve as resolvePath } from "node:path";
import { pathToFileURL } from "node:url";
import { customEnv, type EnvDefinition, environments } from "corral/envs";
import { InputError, unknownName } from "corral/errors";
import { isModulePath } from "../runs/index.ts";
import type { Context } from "./context.ts";

/** An environment that was asked for. */
interface Found {
  /** As it goes into the specification of a run: a name of the table, never an alias, or the whole path of a module. */
  readonly env: string;
  readonly definition: EnvDefinition;
}

/**
 * An environment by its name or alias, or by the path of a module that a user wrote.
 *
 * @throws InputError when there is neither, or the module cannot be imported or exports something else
 */
export async function findEnvironment(nameOrPath: string, context: Context): Promise<Found> {
  for (const [env, definition] of Object.entries(environments) as [string, EnvDefinition][]) {
    if (env === nameOrPath || definition.aliases?.includes(nameOrPath)) return { env, definition };
  }
  if (!isModulePath(nameOrPath)) {
    throw unknownName("environment", nameOrPath, Object.keys(environments));
  }
  const env = resolvePath(nameOrPath);
  if (!existsSync(env)) throw new InputError(`environment ${nameOrPath}: there is no such file`);
  await context.enableUserModules();
  let module: unknown;
  try {
    module = await import(pathToFileURL(env).href);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const refusal = new InputError(`environment ${nameOrPath} cannot be imported: ${reason}`);
    // With --debug the place in the user's own module is shown.
    refusal.cause = error;
    throw refusal;
  }
  return { env, definition: customEnv(module, nameOrPath) };
}
