/**
 * corral: cooperative multi-agent reinforcement learning in which agents coordinate their actions.
 *
 * Each room can be imported on its own, for example `corral/tensor` or `corral/structure`.
 */
export * as algorithms from "./algorithms/index.ts";
export * as envs from "./envs/index.ts";
export * from "./errors.ts";
export * as learn from "./learn/index.ts";
export * as models from "./models/index.ts";
export * as random from "./random/index.ts";
export * as stats from "./stats/index.ts";
export * as structure from "./structure/index.ts";
export * as tabular from "./tabular/index.ts";
export * as tensor from "./tensor/index.ts";
export * as training from "./training/index.ts";
