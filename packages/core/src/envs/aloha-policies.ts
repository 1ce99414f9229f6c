import type { Rng } from "../random/index.ts";
import type { AlohaEnv } from "./aloha.ts";

/**
 * A policy written by hand: fills `actions` `[N]` for the backlogs `[N]` it is shown. Such policies see more than
 * one agent does; figures draw their returns as reference lines.
 */
export type AlohaPolicy = (
  backlogs: ArrayLike<number>,
  step: number,
  rng: Rng,
  actions: Int32Array | Float64Array,
) => void;

/** Even agents send on even steps and odd agents on odd ones, each only with a message: close to the optimum. */
export const alternateSets: AlohaPolicy = (backlogs, step, _rng, actions) => {
  for (let i = 0; i < actions.length; i++) actions[i] = i % 2 === step % 2 && backlogs[i] > 0 ? 1 : 0;
};

/** The same agents send whenever they have a message: what independent learners settle on. */
export function fixedSenders(senders: readonly number[]): AlohaPolicy {
  return (backlogs, _step, _rng, actions) => {
    actions.fill(0);
    for (const i of senders) actions[i] = backlogs[i] > 0 ? 1 : 0;
  };
}

/** Every agent sends with this probability, message or not. */
export function randomSenders(probability: number): AlohaPolicy {
  return (_backlogs, _step, rng, actions) => {
    for (let i = 0; i < actions.length; i++) actions[i] = rng.uniform() < probability ? 1 : 0;
  };
}

/**
 * Agents choose one after the other, each aware of the earlier ones: send with a message and no earlier neighbour
 * sending. What the full DAG can express.
 */
export function greedyInOrder(neighbours: readonly (readonly number[])[]): AlohaPolicy {
  return (backlogs, _step, _rng, actions) => {
    for (let i = 0; i < actions.length; i++) {
      const disturbed = neighbours[i].some((j) => j < i && actions[j] === 1);
      actions[i] = backlogs[i] > 0 && !disturbed ? 1 : 0;
    }
  };
}

/** Return of one episode under a policy. */
export function playAloha(env: AlohaEnv, policy: AlohaPolicy, rng: Rng): number {
  const actions = new Int32Array(env.spec.agents);
  const backlogs = new Float32Array(env.spec.agents);
  const choices = rng.split("policy");
  env.reset(rng.split("env"));
  let total = 0;
  for (let step = 0; ; step++) {
    env.state(backlogs, 0);
    policy(backlogs, step, choices, actions);
    const { reward, terminated, truncated } = env.step(actions);
    total += reward;
    if (terminated || truncated) return total;
  }
}
