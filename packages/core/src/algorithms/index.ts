export * from "./algorithm.ts";

import { exactPolicyGradient } from "./exact-policy-gradient.ts";
import { iql } from "./iql.ts";
import { mappo } from "./mappo.ts";
import { qmix } from "./qmix.ts";
import { qtran } from "./qtran.ts";
import { vdn } from "./vdn.ts";

/** The algorithms that come with corral, by name. */
export const algorithms = {
  mappo,
  "exact-policy-gradient": exactPolicyGradient,
  iql,
  qmix,
  qtran,
  vdn,
} as const;

export type AlgorithmName = keyof typeof algorithms;

export { type ExactPolicyGradientConfig, exactPolicyGradient } from "./exact-policy-gradient.ts";
export { type IqlConfig, iql } from "./iql.ts";
export { type MappoConfig, mappo } from "./mappo.ts";
export { type QmixConfig, qmix } from "./qmix.ts";
export { type QtranConfig, qtran } from "./qtran.ts";
export { type VdnConfig, vdn } from "./vdn.ts";
