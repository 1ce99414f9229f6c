export { type Learnable, learnable } from "./learnable.ts";
export { generalisedAdvantages, standardise, type ValuedRollout } from "./returns.ts";
export { createRollout, mostActions, needsMasks, type Rollout, writeMasks } from "./rollout.ts";
export { type ValueNormaliser, type ValueNormaliserState, valueNormaliser } from "./value-normaliser.ts";
