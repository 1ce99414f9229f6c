import type { Rng } from "../random/index.ts";
import { drawActions, jointActionSize, maskSize } from "./actions.ts";
import type { Env, Outcome } from "./env.ts";

/** A random joint action of available actions. */
export function chooseActions(env: Env, choices: Rng): Float64Array {
  const actions = new Float64Array(jointActionSize(env.spec));
  let mask: Uint8Array | undefined;
  if (env.available !== undefined) {
    mask = new Uint8Array(maskSize(env.spec));
    env.available(mask, 0);
  }
  drawActions(env.spec, choices, actions, mask);
  return actions;
}

/** Plays a random joint action of available actions. */
export function playRandomly(env: Env, choices: Rng): Outcome {
  return env.step(chooseActions(env, choices));
}
