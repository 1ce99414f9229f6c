export { type AgpTrainRow, type AgpUpdateRow, type BenchAgpOptions, benchAgp } from "./agp.ts";
export type { PeerResult } from "./comparison.ts";
export { type BenchDagOptions, benchDag, type DagRow } from "./dag.ts";
export { type BenchEngineOptions, benchEngine, type EngineRow } from "./engine.ts";
export { benchEnvs, type EnvRow } from "./environments.ts";
export type { BenchHost } from "./host.ts";
export { type BenchMastacOptions, benchMastac, type MastacRow } from "./mastac.ts";
export { benchStructure, type StructureRow } from "./structure.ts";
export {
  agpTable,
  dagTable,
  describeHost,
  engineTable,
  envTable,
  mastacTable,
  structureTable,
  tabularTable,
  trainTable,
} from "./tables.ts";
export { benchTabular, type TabularRow } from "./tabular.ts";
export { type BenchTrainOptions, benchTrain, type TrainRow, type UpdateRow } from "./train.ts";
