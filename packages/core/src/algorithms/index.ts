export * from "./algorithm.ts";

import { exactPolicyGradient } from "./exact-policy-gradient.ts";
import { mappo } from "./mappo.ts";

/** The algorithms that come with corral, by name. */
export const algorithms = { mappo, "exact-policy-gradient": exactPolicyGradient } as const;

export type AlgorithmName = keyof typeof algorithms;

export { type ExactPolicyGradientConfig, exactPolicyGradient } from "./exact-policy-gradient.ts";
export { type MappoConfig, mappo } from "./mappo.ts";
