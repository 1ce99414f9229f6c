export {
  type ActionGraph,
  actionGraph,
  type Neighbourhood,
  neighbourhoodMask,
  neighbourhoods,
  neighbourLists,
  nodeLabels,
  parseNeighbourhood,
} from "./action-graph.ts";
export {
  type AgentGroups,
  type AgentSets,
  agentSet,
  setSizes,
} from "./agent-sets.ts";
export { assignmentSolver } from "./assignment.ts";
export {
  type BayesianNetwork,
  foldedNetwork,
  type NodeKind,
  networkNode,
  nodeMeaning,
  unrolledNetwork,
} from "./bayesian-network.ts";
export { couplingComponents } from "./components.ts";
export {
  type CoordinationGraph,
  coordinationGraph,
  parseCoordinationGraph,
} from "./coordination-graph.ts";
export {
  type CouplingEdge,
  type CouplingGraphs,
  type CouplingKind,
  couplingEdges,
  couplingGraphs,
  couplingKinds,
} from "./coupling-graphs.ts";
export { couplingsFromJson } from "./couplings-from-json.ts";
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
export { type IdLists, listAt } from "./id-lists.ts";
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
export {
  criticSum,
  type DependencyMode,
  dependencyModes,
  gradientDependency,
  type ValueDependencyOptions,
  valueDependency,
  valueDependencyOverTime,
} from "./value-dependency.ts";
