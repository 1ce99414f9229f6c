import type { Rng } from "../random/index.ts";
import { drawActions, jointActionSize } from "./actions.ts";
import type { ControlPolicy } from "./control-policy.ts";
import type { EnvFactory } from "./definition.ts";
import type { Env, EnvSpec } from "./env.ts";

/** The same joint action at every step. */
export function constantActions(constant: ArrayLike<number>): ControlPolicy {
  return (_state, _step, _rng, actions) => actions.set(constant);
}

/** A uniformly drawn joint action. */
export function uniformActions(spec: EnvSpec): ControlPolicy {
  return (_state, _step, rng, actions) => drawActions(spec, rng, actions);
}

/** The joint actions of a plan, one after the other. */
export function followPlan(plan: readonly ArrayLike<number>[]): ControlPolicy {
  return (_state, step, _rng, actions) => actions.set(plan[step]);
}

/** Return of one episode, the sum of the team's rewards. */
export function playControl(env: Env, policy: ControlPolicy, rng: Rng): number {
  const actions = new Float64Array(jointActionSize(env.spec));
  const state = new Float32Array(env.spec.stateSize);
  const choices = rng.split("policy");
  env.reset(rng.split("env"));
  let total = 0;
  for (let step = 0; ; step++) {
    env.state(state, 0);
    policy(state, step, choices, actions);
    const { reward, terminated, truncated } = env.step(actions);
    total += reward;
    if (terminated || truncated) return total;
  }
}

/** Mean and standard deviation of the return over episodes; episode k draws from `rng.split(String(k))`. */
export function averageReturn(
  factory: EnvFactory,
  policy: ControlPolicy,
  episodes: number,
  rng: Rng,
): { readonly mean: number; readonly deviation: number } {
  const env = factory();
  const returns = Array.from({ length: episodes }, (_, k) => playControl(env, policy, rng.split(String(k))));
  const mean = returns.reduce((sum, value) => sum + value, 0) / episodes;
  const variance = returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (episodes - 1);
  return { mean, deviation: Math.sqrt(variance) };
}
