export { actionCheck, drawActions, jointActionSize, maskSize } from "./actions.ts";
export {
  type AlohaConfig,
  type AlohaEnv,
  alohaNeighbours,
  createAloha,
} from "./aloha.ts";
export {
  type AlohaPolicy,
  alternateSets,
  fixedSenders,
  greedyInOrder,
  playAloha,
  randomSenders,
} from "./aloha-policies.ts";
export { parseConfig } from "./config.ts";
export {
  type ConformanceCheck,
  type ConformanceOptions,
  type ConformanceReport,
  checkEnv,
} from "./conformance.ts";
export {
  averageReturn,
  constantActions,
  followPlan,
  playControl,
  uniformActions,
} from "./control-policies.ts";
export type { ControlPolicy, ReferencePolicies } from "./control-policy.ts";
export {
  type CoordinationGameConfig,
  coordinationGameModel,
  coordinationReward,
  defaultBound,
} from "./coordination-game.ts";
export { configureEnv, customEnv, defineEnv, type EnvDefinition, type EnvFactory } from "./definition.ts";
export type * from "./env.ts";
export { type EnvironmentName, environments } from "./environments.ts";
export { createEpisode, type Episode } from "./episode.ts";
export { fullyObservedSpec } from "./fully-observed-spec.ts";
export {
  agrees,
  type Comparison,
  createComparison,
  type GoldenDeviation,
  type GoldenReport,
  type GoldenSchema,
  parseRecording,
  replayGolden,
} from "./golden.ts";
export {
  type AffineGain,
  costOfGain,
  expectedCost,
  type LinearQuadraticProblem,
  type QuadraticFunction,
  solveLinearQuadratic,
  stationaryGain,
} from "./linear-quadratic.ts";
export { greedyAssignment } from "./mpe/spread-policies.ts";
export {
  playScenes,
  recordScenes,
  type SceneMoment,
  type SceneRecord,
  type SceneRecorder,
} from "./record-scenes.ts";
export { inputLimit, type TemperatureConfig } from "./temperature.ts";
export {
  affineInputs,
  bestInputs,
  constantGain,
  holdingInput,
  observedStationaryGain,
  returnOfGain,
  type SharedWeights,
  tanhInputs,
  temperatureProblem,
} from "./temperature-policies.ts";
export {
  type TopKConfig,
  type TopKRules,
  topKActions,
  topKOptimalActions,
  topKReward,
} from "./topk.ts";
export { type EnvBatch, type Experiences, type RivalBatch, vectorise } from "./vectorise.ts";
export type { WarehouseConfig } from "./warehouse.ts";
export { type PlanningOptions, planWarehouse, type WarehousePlan } from "./warehouse-plan.ts";
export { randomShares, sendNothing, uniformShares } from "./warehouse-policies.ts";
