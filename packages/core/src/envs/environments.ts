import { agreement } from "./agreement.ts";
import { aloha } from "./aloha.ts";
import { alohaGolden } from "./aloha-golden.ts";
import { coordinationGame } from "./coordination-game.ts";
import { exactlyK } from "./exactly-k.ts";
import { latentAgreement } from "./latent-agreement.ts";
import { matrixGame } from "./matrix-game.ts";
import { particleEnvironments } from "./mpe/particle-environments.ts";
import { oneHot } from "./one-hot.ts";
import { parity } from "./parity.ts";
import {
  alohaReferences,
  coordinationGameReferences,
  temperatureReferences,
  topKReferences,
  warehouseReferences,
} from "./reference-policies.ts";
import { swap } from "./swap.ts";
import { temperature } from "./temperature.ts";
import { topK } from "./topk.ts";
import { warehouse } from "./warehouse.ts";

/** The environments that come with corral, by name. */
export const environments = {
  "coordination-game": { ...coordinationGame, policies: coordinationGameReferences },
  aloha: { ...aloha, golden: alohaGolden, policies: alohaReferences },
  topk: { ...topK, policies: topKReferences },
  agreement,
  "latent-agreement": latentAgreement,
  swap,
  "one-hot": oneHot,
  "exactly-k": exactlyK,
  parity,
  "matrix-game": matrixGame,
  warehouse: { ...warehouse, policies: warehouseReferences },
  temperature: { ...temperature, policies: temperatureReferences },
  ...particleEnvironments,
} as const;

export type EnvironmentName = keyof typeof environments;
