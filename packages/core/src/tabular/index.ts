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
export { type LuFactors, luFactor, luSolve, luSolveTransposed } from "./linear-solve.ts";
export {
  evaluatePolicy,
  type Optimum,
  optimalValue,
  type PolicyEvaluation,
  priceOfAnarchy,
} from "./policy-value.ts";
