export { createRng } from "./create-rng.ts";
export type { Rng, RngState } from "./rng.ts";
