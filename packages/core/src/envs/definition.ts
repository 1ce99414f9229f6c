import type { Env } from "./env.ts";

/** Makes one configured copy of an environment. */
export type EnvFactory = () => Env;
