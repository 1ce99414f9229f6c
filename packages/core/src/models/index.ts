export {
  type ActionGraphNetwork,
  type ActionGraphNetworkOptions,
  actionGraphNetwork,
  type TeamView,
} from "./action-graph-network.ts";
export {
  type ActionHead,
  type ActionHeadOptions,
  actionHead,
  type HeadKind,
  headKinds,
} from "./action-heads.ts";
export {
  type AgentGroup,
  type AgentNetworks,
  type AgentNetworksOptions,
  agentGroups,
  agentNetworks,
  type NetworkSizes,
} from "./agent-groups.ts";
export {
  type AgentMoments,
  type AgentNetwork,
  type AgentStep,
  type AgentTrunk,
  type AgentTrunkOptions,
  agentNetwork,
  agentTrunk,
  hasMemory,
} from "./agent-network.ts";
export {
  type AgentRows,
  actionRows,
  asColumns,
  consecutiveRows,
  joinRows,
  observationRows,
  selectRows,
  stateRows,
} from "./agent-rows.ts";
export {
  type AttentionMap,
  type AttentionReport,
  attentionCsv,
  attentionReport,
} from "./attention-report.ts";
export { type BaseNetwork, type BaseOptions, baseNetwork } from "./base-network.ts";
export {
  type BnActor,
  type BnActorOptions,
  bnActor,
  conditionalLogProbabilities,
  type JointSamplingInputs,
  logProbabilitiesUnderDags,
  sampleJointActions,
} from "./bn-actor.ts";
export {
  type BnPolicy,
  bnPolicy,
  isLearned,
  type JointActor,
  type PolicyDagContext,
  type PolicyDagWriter,
  type RowInputs,
} from "./bn-policy.ts";
export {
  type ConditionalRows,
  conditionalRowBuilder,
  type JointSamples,
  toldWriter,
} from "./conditional-rows.ts";
export {
  choicesOf,
  type DagChoices,
  dagChoices,
  type JointObservations,
  jointObservationInputs,
  jointObservationTable,
  type LearnedDagSource,
  learnedDagSource,
  writeChosenParents,
} from "./dag-chooser.ts";
export { type DagGradients, dagGradient } from "./dag-gradient.ts";
export { type DagLearner, type DagLearnerOptions, type DagScores, dagLearner } from "./dag-learner.ts";
export {
  type DagBatch,
  type DagContext,
  type DagFacts,
  type DagSource,
  type DagWriter,
  dagWriter,
  meanDensity,
  parseDagSource,
} from "./dag-source.ts";
export {
  type ActionDependency,
  type ActionDependencyOptions,
  actionDependency,
  type DependentDecision,
} from "./dependent-policy.ts";
export { type FopMixer, type FopMixerInputs, type FopMixerOptions, fopMixer } from "./fop-mixer.ts";
export {
  type AttentionScore,
  attentionScores,
  type ImplicitGraph,
  type ImplicitGraphActorOptions,
  type ImplicitGraphCriticOptions,
  type ImplicitGraphOptions,
  implicitGraph,
  implicitGraphActor,
  implicitGraphCritic,
} from "./implicit-graph.ts";
export {
  type Mixer,
  type MonotonicMixerOptions,
  monotonicMixer,
  sumAndStateMixer,
  sumMixer,
} from "./mixers.ts";
export { jointValue, type PayoffGraph, type PayoffGraphOptions, payoffGraph } from "./payoff-graph.ts";
export {
  chosenActions,
  type PolicyHead,
  type PolicyOutput,
  policyHead,
  policyHeadKinds,
} from "./policy-heads.ts";
export { sharedNetwork } from "./shared-network.ts";
export {
  drawActions,
  type PolicyConditions,
  policyLogProbabilities,
  softValue,
} from "./stochastic-policy.ts";
