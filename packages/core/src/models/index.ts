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
export { type BaseNetwork, type BaseOptions, baseNetwork } from "./base-network.ts";
export {
  type BnActor,
  type BnActorOptions,
  bnActor,
  conditionalLogProbabilities,
  type JointSamplingInputs,
  sampleJointActions,
} from "./bn-actor.ts";
export { type BnPolicy, bnPolicy, type JointActor, type RowInputs } from "./bn-policy.ts";
export { type ConditionalRows, conditionalRowBuilder, type JointSamples } from "./conditional-rows.ts";
export {
  type DagBatch,
  type DagContext,
  type DagSource,
  type DagWriter,
  dagWriter,
  meanDensity,
  parseDagSource,
} from "./dag-source.ts";
export { type FopMixer, type FopMixerInputs, type FopMixerOptions, fopMixer } from "./fop-mixer.ts";
export { type Mixer, type MonotonicMixerOptions, monotonicMixer, sumMixer } from "./mixers.ts";
