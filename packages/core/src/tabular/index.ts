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
  enumerateJointActions,
  jointActionCount,
  jointActionIndex,
  jointPolicyFromLogProbabilities,
} from "./joint-action.ts";
export {
  evaluatePolicy,
  type Optimum,
  optimalValue,
  type PolicyEvaluation,
  priceOfAnarchy,
} from "./policy-value.ts";
export { type ExactSoftmaxPolicy, exactSoftmaxPolicy } from "./softmax-policy.ts";
export {
  gaussianTheta,
  type ThetaLayout,
  thetaFromNested,
  thetaLayout,
  thetaToNested,
} from "./theta-layout.ts";
