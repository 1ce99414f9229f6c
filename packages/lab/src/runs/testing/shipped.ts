import { algorithms } from "corral/algorithms";
import { environments } from "corral/envs";
import { createResolver } from "../resolve.ts";

/** What a user can train without writing anything. */
export const resolve = createResolver({ algorithms, environments });
