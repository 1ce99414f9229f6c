export { ascendToLevel, type LevelAscent, type LevelAscentOptions } from "./ascend-to-level.ts";
export {
  type Bound,
  type BoundPaper,
  type BoundSetting,
  boundSetting,
  type IterationBound,
  isRefinement,
  lemma2,
  lemma3BnRates,
  lemma3Subteams,
  partitionComplexity,
  smoothness,
  splitDifference,
  stationarityLevel,
  subteamPartition,
  theorem1,
  theorem2BnRates,
  theorem2Subteams,
  theoryStepSize,
} from "./bounds.ts";
export {
  type Certificate,
  type CertifiedBound,
  certify,
  type GameJson,
  gameToJson,
  type HashJson,
} from "./certificate.ts";
export {
  type CooperativeMarkovGame,
  checkGame,
  denseGame,
  type FactoredTransition,
  factoredCoordinationGame,
  gameFromJson,
  type RandomGameOptions,
  randomGame,
  TABLE_LIMIT_BYTES,
  type TabularCoordinationGame,
} from "./cooperative-game.ts";
export {
  type ComponentInputs,
  type DecompositionErrors,
  type DecompositionOptions,
  decompositionErrors,
} from "./decomposition.ts";
export {
  type Ascent,
  type AscentOptions,
  type AscentRecord,
  type AscentState,
  createAscent,
  practicalStepSize,
  runAscent,
} from "./gradient-ascent.ts";
export {
  type CeilingOptions,
  type CeilingProgress,
  type IndependentCeiling,
  independentCeiling,
  searchIndependentCeiling,
} from "./independent-ceiling.ts";
export { type CountBound, countBound, exactlyKProbability } from "./independent-count.ts";
export { type ActingSignals, type IndependentPlay, independentPlay } from "./independent-play.ts";
export {
  bestAlikeRate,
  bestIndependentPolicy,
  bestInformedValue,
  bestSharedValue,
  type IndependentOptimum,
  type ObservationGame,
  observationGame,
  uniformValue,
} from "./independent-policy.ts";
export { interaction, isMonotonic, leastSquaresFit } from "./interaction.ts";
export {
  enumerateJointActions,
  jointActionCount,
  jointActionIndex,
  jointPolicyFromLogProbabilities,
} from "./joint-action.ts";
export { leastOneHotDivergence, oneHotDivergence } from "./one-hot-divergence.ts";
export {
  evaluatePolicy,
  type Optimum,
  optimalValue,
  type PolicyEvaluation,
  priceOfAnarchy,
} from "./policy-value.ts";
export { type ExactSoftmaxPolicy, exactSoftmaxPolicy } from "./softmax-policy.ts";
export {
  type JointGame,
  jointGame,
  type ObservationTables,
  observationPolicies,
  type RandomStructuredGameOptions,
  randomLogits,
  randomStructuredGame,
  type StructuredGame,
} from "./structured-game.ts";
export {
  gaussianTheta,
  type ThetaLayout,
  thetaFromNested,
  thetaLayout,
  thetaToNested,
} from "./theta-layout.ts";
export {
  commonThresholdScore,
  sharedSignalsScore,
  type TopKGame,
  type TopKScore,
  uniformScore,
} from "./top-k-scores.ts";
export { type ValueErrors, type VarianceReport, varianceReport } from "./variance-report.ts";
export {
  type CertificateCheck,
  type Disagreement,
  type Verification,
  verifyCertificate,
} from "./verify-certificate.ts";
export {
  requirePositiveVisitation,
  type UnvisitedStates,
  unvisitedStates,
  visitationMismatch,
  visitationMismatchBound,
} from "./visitation.ts";
