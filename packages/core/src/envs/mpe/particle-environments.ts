import { adversaryGame } from "./adversary.ts";
import { cryptoGame } from "./crypto.ts";
import { push } from "./push.ts";
import { reference } from "./reference.ts";
import { speakerListener } from "./speaker-listener.ts";
import { spread } from "./spread.ts";
import { spreadReferences } from "./spread-policies.ts";
import { tag } from "./tag.ts";
import { pushReferences, referenceReferences, speakerListenerReferences } from "./told-policies.ts";
import { worldComm } from "./world-comm.ts";

/**
 * The Multi-Agent Particle Environments (Lowe et al., 2017; Mordatch and Abbeel, 2018), as maintained in MPE2 1.1.0.
 * `mpe/world-comm` is `simple_world_comm_v3` there, and so on.
 */
export const particleEnvironments = {
  "mpe/reference": { ...reference, policies: referenceReferences },
  "mpe/push": { ...push, policies: pushReferences },
  "mpe/world-comm": worldComm,
  "mpe/speaker-listener": { ...speakerListener, policies: speakerListenerReferences },
  "mpe/crypto": cryptoGame,
  "mpe/tag": tag,
  "mpe/spread": { ...spread, policies: spreadReferences },
  "mpe/adversary": adversaryGame,
} as const;
