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
import { swap } from "./swap.ts";
import { temperature } from "./temperature.ts";
import { topK } from "./topk.ts";
import { warehouse } from "./warehouse.ts";

/** The environments that come with corral, by name. */
export const environments = {
  "coordination-game": coordinationGame,
  aloha: { ...aloha, golden: alohaGolden },
  topk: topK,
  agreement,
  "latent-agreement": latentAgreement,
  swap,
  "one-hot": oneHot,
  "exactly-k": exactlyK,
  parity,
  "matrix-game": matrixGame,
  warehouse,
  temperature,
  ...particleEnvironments,
} as const;

export type EnvironmentName = keyof typeof environments;
