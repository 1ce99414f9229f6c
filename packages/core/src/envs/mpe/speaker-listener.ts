import { z } from "zod";
import { defineParticleEnv } from "./define-particle-env.ts";
import { grey, landmarks } from "./landmarks.ts";
import type { Scenario } from "./scenario.ts";
import { cooperativeSettings } from "./settings.ts";
import { putColour, putMessage, putOffsets, putVelocity } from "./views.ts";
import { type Colour, createWorld, putDistance } from "./world.ts";

export const speakerListenerConfig = z.strictObject(cooperativeSettings);

const colours: readonly Colour[] = [
  [0.65, 0.15, 0.15],
  [0.15, 0.65, 0.15],
  [0.15, 0.15, 0.65],
];
const speaker = 0;
const listener = 1;

/**
 * One agent knows the landmark and can only speak, the other can only move.
 *
 * Reward of both: minus the squared distance of the listener to the landmark. Observation of the speaker: the landmark's
 * colour. Of the listener: own velocity, landmarks, what the speaker said.
 */
export const speakerListener = defineParticleEnv({
  name: "mpe/speaker-listener",
  suiteVersion: 4,
  description: "A speaker that cannot move tells a silent listener which landmark to reach.",
  config: speakerListenerConfig,
  suiteSettings: {},
  create: createSpeakerListener,
});

function createSpeakerListener(): Scenario {
  const world = createWorld(
    3,
    [
      {
        name: "speaker_0",
        kind: "agent",
        colour: grey,
        size: 0.075,
        collides: false,
        moves: false,
        speaks: true,
      },
      {
        name: "listener_0",
        kind: "agent",
        colour: [0.6, 0.6, 0.6],
        size: 0.075,
        collides: false,
        moves: true,
        speaks: false,
      },
    ],
    landmarks(colours, 0.04),
  );
  const { agents, entities } = world;
  const secrets = new Int32Array(1);
  const away = new Float64Array(1);

  return {
    world,
    landmarkRange: 1,
    observationSizes: [3, 11],
    secrets,
    observe(agent, out, at) {
      if (agent === speaker) {
        putColour(colours[secrets[0]], out, at);
        return;
      }
      let to = putVelocity(world, listener, out, at);
      to = putOffsets(world, listener, agents, entities, out, to);
      putMessage(world, speaker, out, to);
    },
    reward(out) {
      putDistance(world, listener, agents + secrets[0], away, 0);
      out[speaker] = -away[0] * away[0];
      out[listener] = out[speaker];
    },
    goals: () => [{ agent: listener, landmark: agents + secrets[0] }],
  };
}
