import { algorithms } from "corral/algorithms";
import { environments } from "corral/envs";
import { loadEngine } from "corral/tensor";
import { createResolver, type ResolveRun } from "../runs/index.ts";
import type { Context } from "./context.ts";

/** How the specification of a run is turned into what it names, users' modules included. */
export async function runResolver(context: Context): Promise<ResolveRun> {
  const { name, version } = await loadEngine();
  return createResolver({ algorithms, environments, engine: `${name} ${version}` }, async (url) => {
    await context.enableUserModules();
    return import(url);
  });
}
