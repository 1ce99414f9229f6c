export { canonicalJson } from "./exact-json.ts";
export { makeDirectory, writeFileAtomic } from "./files.ts";
export {
  type MetricSeries,
  type MetricsLine,
  readMetrics,
  readMetricsLines,
} from "./metrics.ts";
export { createResolver, isModulePath, type ResolvedRun, type ResolveRun } from "./resolve.ts";
export {
  corralVersion,
  type HostFacts,
  type NewRun,
  openRun,
  type Run,
  type RunStatus,
  runStatus,
} from "./run.ts";
export { parseRunSpec, type RunSpec, runIdentity } from "./spec.ts";
export {
  DivergedRun,
  finishedRun,
  type LoadedLearner,
  loadLearner,
  type RunEvent,
  type RunPosition,
  type TrainOptions,
  type TrainResult,
  train,
} from "./train.ts";
