import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { grey, landmarks } from "./landmarks.ts";
import { echo } from "./opponents.ts";
import type { Scenario } from "./scenario.ts";
import { opposedSettings, refuseIdleOpponents } from "./settings.ts";
import { putMessage, putOneHot } from "./views.ts";
import { type AgentBody, type Colour, createWorld } from "./world.ts";

export const cryptoConfig = z.strictObject(opposedSettings).superRefine(refuseIdleOpponents);

const eve = 0;
const bob = 1;
const alice = 2;
const words = 4;

const colours: readonly Colour[] = [
  [0.75, 0.25, 0.25],
  [0.25, 0.25, 0.75],
];

/**
 * Alice tells Bob which of two landmarks it is, in words that Eve hears too; a key, also one of the landmarks, is known to Alice
 * and Bob. Nobody moves.
 *
 * Landmark g stands for the message of nothing but word g. Error of a message: its squared distance to the message of the landmark, or 0 for
 * silence. Own reward of Eve: minus her error; of Alice and Bob: her error minus Bob's. Observation of Eve: what Alice said; of
 * Bob: the key, what Alice said; of Alice: the landmark, the key.
 */
export const cryptoGame = defineParticleEnv({
  name: "mpe/crypto",
  suiteVersion: 3,
  description: "Alice tells Bob a secret that Eve must not learn.",
  config: cryptoConfig,
  suiteSettings: {},
  create: createCrypto,
});

function createCrypto(): Scenario {
  const world = createWorld(
    words,
    [person("eve_0"), person("bob_0"), person("alice_0")],
    landmarks(colours, 0.05),
  );
  const { agents, messages } = world;
  // The landmark that is told, and the key.
  const secrets = new Int32Array(2);
  const errors = new Float64Array(agents);
  const putError = (agent: number): void => {
    let squares = 0;
    let silent = true;
    for (let w = 0; w < words; w++) {
      const said = messages[agent * words + w];
      if (said !== 0) silent = false;
      const off = said - (w === secrets[0] ? 1 : 0);
      squares += off * off;
    }
    errors[agent] = silent ? 0 : squares;
  };

  return {
    world,
    landmarkRange: 1,
    observationSizes: [4, 8, 8],
    secrets,
    observe(agent, out, at) {
      let to = at;
      if (agent === alice) to = putOneHot(secrets[0], words, out, to);
      if (agent !== eve) to = putOneHot(secrets[1], words, out, to);
      if (agent !== alice) putMessage(world, alice, out, to);
    },
    reward(out) {
      putError(eve);
      putError(bob);
      out[eve] = -errors[eve];
      out[bob] = errors[eve] - errors[bob];
      out[alice] = out[bob];
    },
    goals: () => [{ agent: bob, landmark: agents + secrets[0] }],
    sides: { adversaries: 1, team: [bob, alice], script: () => echo(world, alice) },
  };
}

function person(name: "eve_0" | "bob_0" | "alice_0"): AgentBody {
  return {
    name,
    kind: name === "eve_0" ? "adversary" : "agent",
    colour: name === "eve_0" ? [0.75, 0.25, 0.25] : grey,
    size: 0.05,
    collides: false,
    moves: false,
    speaks: true,
  };
}
