export * from "./algorithm.ts";

import { mappo } from "./mappo.ts";

/** The algorithms that come with corral, by name. */
export const algorithms = { mappo } as const;

export type AlgorithmName = keyof typeof algorithms;

export { type MappoConfig, mappo } from "./mappo.ts";
