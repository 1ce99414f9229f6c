import { aloha } from "./aloha.ts";
import { alohaGolden } from "./aloha-golden.ts";
import { coordinationGame } from "./coordination-game.ts";
import { topK } from "./topk.ts";

/** The environments that come with corral, by name. */
export const environments = {
  "coordination-game": coordinationGame,
  aloha: { ...aloha, golden: alohaGolden },
  topk: topK,
} as const;

export type EnvironmentName = keyof typeof environments;
