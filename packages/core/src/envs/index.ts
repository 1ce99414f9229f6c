export type { EnvFactory } from "./definition.ts";
export type * from "./env.ts";
