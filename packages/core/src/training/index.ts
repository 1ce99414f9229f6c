/**
 * What algorithms are made of: the loops that learners run in, policies of teams, and the parts of losses that several share.
 */
export { actorPolicy } from "./actor-policy.ts";
export { type AgentLearnable, agentLearnable } from "./agent-learnable.ts";
export { type AgentPolicies, agentPolicies, modalPolicy } from "./agent-policies.ts";
export {
  type Algorithm,
  DivergenceError,
  endedEpisode,
  type Learner,
  type LearnerContext,
  type LearnerSnapshot,
  type Metrics,
  type Preset,
} from "./algorithm.ts";
export { centralCritics } from "./central-critics.ts";
export {
  type CriticScope,
  climb,
  criticValues,
  type Minibatches,
  matrix,
  minibatches,
  type NetworksNow,
} from "./climbed-critics.ts";
export { controlActors, controlPolicy, noiseInputs } from "./control-actors.ts";
export {
  actionRanges,
  bootstrapped,
  type ColumnsOfMoment,
  type ControlColumns,
  controlColumns,
  criticActions,
  runForAgents,
  squaredErrors,
} from "./control-columns.ts";
export { adamOptions, controlLoop, controlSettings, paperPresets } from "./control-settings.ts";
export type { DagRequest, DagSamples } from "./dag-samples.ts";
export {
  couplingsOf,
  criticScopes,
  dependencySettings,
  describeScopes,
  expectOwnRewards,
} from "./dependency-scopes.ts";
export { type ActorsNow, deterministicPolicy, jointActions } from "./deterministic-policy.ts";
export { doubleQ, type Experience, mixed, temporalDifference } from "./double-q.ts";
export { equalAgents } from "./equal-agents.ts";
export { greedyParts } from "./greedy-parts.ts";
export { writeOneHot } from "./greedy-policy.ts";
export { evaluateGreedily, evaluationCopies, type JointPolicy } from "./joint-policy.ts";
export {
  parametersOf,
  restoreStreams,
  restoreVariables,
  savedStreams,
  savedVariables,
} from "./learner-state.ts";
export { measureAttention } from "./measure-attention.ts";
export { meanMetrics, trainMetrics } from "./metrics.ts";
export {
  type OffPolicyParts,
  type OffPolicyPlan,
  offPolicyLearner,
  offPolicySettings,
  optimiserOptions,
} from "./off-policy.ts";
export {
  clippedSurrogate,
  type OnPolicyParts,
  type OnPolicyPlan,
  onPolicyLearner,
  onPolicySettings,
} from "./on-policy.ts";
export { createRivals, type RivalState, type Rivals, rivalSettings } from "./rivals.ts";
export { samplingPolicy } from "./sampling-policy.ts";
export {
  bootstraps,
  softCriticSettings,
  softPolicyLoss,
  softTargets,
  temperatureSettings,
  whileActing,
} from "./soft-actor-critic.ts";
export { declared, targetedLearnable, training, variablesOf } from "./targeted-learnable.ts";
export {
  agentSettings,
  communication,
  mixingSettings,
  particleExploration,
  particleLoop,
  particlePurposes,
  valuePresets,
} from "./value-settings.ts";
export { valueUpdate } from "./value-update.ts";
