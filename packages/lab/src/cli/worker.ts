import { algorithms } from "corral/algorithms";
import { environments } from "corral/envs";
import { createResolver } from "../runs/index.ts";
import { serveWorker } from "../scheduler/index.ts";

/** The hidden command `corral worker`: a process that trains what a pool of runs sends it. */
export function worker(): void {
  serveWorker({ resolve: createResolver({ algorithms, environments }), now: Date.now });
}
