export type { Rng, RngState } from "./rng.ts";
