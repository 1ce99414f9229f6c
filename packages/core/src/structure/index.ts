export {
  type CoordinationGraph,
  coordinationGraph,
  parseCoordinationGraph,
} from "./coordination-graph.ts";
export {
  adjacency,
  children,
  type Dag,
  density,
  depths,
  type Edge,
  edgeCount,
  edges,
  fromAdjacency,
  fromEdges,
  isAcyclic,
  levels,
  topologicalOrder,
} from "./dag.ts";
export { type DagRows, topologicalOrderOf } from "./dag-rows.ts";
export {
  exactMaximum,
  type GraphValues,
  type JointMaximiser,
  type MaxPlusOptions,
  maxPlus,
} from "./max-plus.ts";
export { parseTopology } from "./parse-topology.ts";
export {
  isPartition,
  isSubteam,
  type Partition,
  partitionsOf,
  satisfiesSubteamAssumption,
} from "./partition.ts";
export {
  bernoulliDag,
  bernoulliDagSampler,
  type DagSampler,
  type RandomIntegers,
  type RandomUniforms,
  randomDag,
  randomDagSampler,
} from "./random-dag.ts";
export {
  buildSubteams,
  type SubteamBuilder,
  type SubteamOptions,
  type SubteamRows,
  subteamBuilder,
} from "./subteams.ts";
export {
  consecutivePartition,
  full,
  line,
  lineTruncated,
  partitionDag,
  product,
  topologies,
} from "./topologies.ts";
