export { exploreUniformly, linearSchedule } from "./exploration.ts";
export { lambdaReturns } from "./lambda-returns.ts";
export { type Learnable, type LearnableOptions, learnable, learnableWith } from "./learnable.ts";
export { createReplay, type Replay, type ReplaySampling, type ReplayState } from "./replay.ts";
export { generalisedAdvantages, standardise, type ValuedRollout } from "./returns.ts";
export {
  type RewardStandardiser,
  type RewardStandardiserState,
  rewardStandardiser,
} from "./reward-standardiser.ts";
export { createRollout, mostActions, needsMasks, type Rollout, writeMasks } from "./rollout.ts";
export { type SegmentRecorder, segmentRecorder } from "./segment-recorder.ts";
export {
  createSegments,
  type SegmentShape,
  type Segments,
  type SegmentUnit,
  segmentInputs,
  segmentShape,
} from "./segments.ts";
export { type ValueNormaliser, type ValueNormaliserState, valueNormaliser } from "./value-normaliser.ts";
