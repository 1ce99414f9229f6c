export {
  type Algorithm,
  type DagRequest,
  type DagSamples,
  DivergenceError,
  endedEpisode,
  type Learner,
  type LearnerContext,
  type LearnerSnapshot,
  type Metrics,
  type Preset,
} from "../training/index.ts";

import { agp } from "./agp.ts";
import { agpPg } from "./agp-pg.ts";
import { dcg } from "./dcg.ts";
import { dicg } from "./dicg.ts";
import { dicgValue } from "./dicg-value.ts";
import { exactPolicyGradient } from "./exact-policy-gradient.ts";
import { facmac } from "./facmac.ts";
import { fop } from "./fop.ts";
import { iql } from "./iql.ts";
import { macpf } from "./macpf.ts";
import { maddpg } from "./maddpg.ts";
import { mappo } from "./mappo.ts";
import { mastac } from "./mastac.ts";
import { mastacPg } from "./mastac-pg.ts";
import { matd3 } from "./matd3.ts";
import { qdcg } from "./qdcg.ts";
import { qmix } from "./qmix.ts";
import { qtran } from "./qtran.ts";
import { vdn } from "./vdn.ts";

/** The algorithms that come with corral, by name. */
export const algorithms = {
  mappo,
  agp,
  "agp-pg": agpPg,
  dcg,
  dicg,
  "dicg-value": dicgValue,
  "exact-policy-gradient": exactPolicyGradient,
  facmac,
  fop,
  iql,
  macpf,
  maddpg,
  mastac,
  "mastac-pg": mastacPg,
  matd3,
  qdcg,
  qmix,
  qtran,
  vdn,
} as const;

export type AlgorithmName = keyof typeof algorithms;

export { type AgpConfig, agp } from "./agp.ts";
export { type AgpPgConfig, agpPg } from "./agp-pg.ts";
export { type DcgConfig, dcg } from "./dcg.ts";
export { type DicgConfig, dicg } from "./dicg.ts";
export { type DicgValueConfig, dicgValue } from "./dicg-value.ts";
export {
  conditionalsOf,
  dagsOf,
  type EvaluationMode,
  type SeenEdges,
  seenEdges,
} from "./evaluate-bn-policy.ts";
export { type ExactPolicyGradientConfig, exactPolicyGradient } from "./exact-policy-gradient.ts";
export { type FacmacConfig, facmac } from "./facmac.ts";
export { type FopConfig, fop } from "./fop.ts";
export { type IqlConfig, iql } from "./iql.ts";
export { type MacpfConfig, macpf } from "./macpf.ts";
export { type MaddpgConfig, maddpg, maddpgParts } from "./maddpg.ts";
export { type MappoConfig, mappo } from "./mappo.ts";
export { type MastacConfig, mastac, mastacTeam, mastacUpdate } from "./mastac.ts";
export { type MastacPgConfig, mastacPg } from "./mastac-pg.ts";
export { type Matd3Config, matd3 } from "./matd3.ts";
export {
  type GradientVariance,
  type GradientVarianceOptions,
  measureGradientVariance,
  type TrainedTeam,
} from "./measure-gradient-variance.ts";
export { type QdcgConfig, qdcg } from "./qdcg.ts";
export { type QmixConfig, qmix } from "./qmix.ts";
export { type QtranConfig, qtran } from "./qtran.ts";
export { type VdnConfig, vdn } from "./vdn.ts";
