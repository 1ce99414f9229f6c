export {
  type Algorithm,
  DivergenceError,
  type Learner,
  type LearnerContext,
  type LearnerSnapshot,
  type Metrics,
} from "./algorithm.ts";
