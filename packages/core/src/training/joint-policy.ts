import { type EnvBatch, type EnvFactory, vectorise } from "../envs/index.ts";
import { writeMasks } from "../learn/index.ts";
import type { Rng } from "../random/index.ts";
import { endedEpisode, type Metrics } from "./algorithm.ts";

/** How a policy explores; without it, it is greedy. */
export interface Exploration {
  /** Probability with which an agent plays a random action, where the policy explores so. */
  readonly epsilon: number;
  readonly rng: Rng;
}

/** Chooses the joint actions of `B` copies of an environment. Write what agents see, `choose`, read `actions`. */
export interface JointPolicy<Actions extends Int32Array | Float32Array = Int32Array> {
  /** `[B, N, O]` */
  readonly observations: Float32Array;
  /** 1 for actions that may be played, where masks are needed, `[B, N, A]`. */
  readonly available?: Float32Array;
  /** Result: `[B, N]`, or the agents' real vectors one after the other `[B, K]`. */
  readonly actions: Actions;
  /**
   * What it remembers from step to step, by name, `[B, ...]` each: hidden states, last actions. `choose` moves it on;
   * zeros stand for the beginning of an episode.
   */
  readonly memory: Readonly<Record<string, Float32Array>>;
  choose(exploration?: Exploration): Promise<void>;
  dispose(): Promise<void>;
}

export type AnyJointPolicy = JointPolicy<Int32Array | Float32Array>;

/** Those who play against the team in a batch of copies: let them `choose`, then step with their actions too. */
export interface Opponents {
  /** Result, `[B, R]`. */
  readonly actions: Int32Array;
  /** For the present moment. */
  choose(): Promise<void>;
}

/** Makes a copy's memory that of an episode's beginning. */
export function forget({ memory }: AnyJointPolicy, copy: number, copies: number): void {
  for (const values of Object.values(memory)) {
    const width = values.length / copies;
    values.fill(0, copy * width, (copy + 1) * width);
  }
}

/** The most copies of an environment that are evaluated side by side. */
const EVALUATION_COPIES = 256;

/** How many copies `evaluateGreedily` needs of a policy. */
export const evaluationCopies = (episodes: number): number => Math.min(episodes, EVALUATION_COPIES);

/**
 * Plays whole episodes greedily, many side by side. Every copy plays a number of episodes fixed beforehand, so that short
 * episodes do not count more often.
 *
 * @param policy of `evaluationCopies(episodes)` copies
 * @param rivals who plays against it, in games that leave opponents to somebody else
 * @returns `eval/return` (mean), `eval/return-deviation` (population standard deviation over episodes), `eval/length`,
 * `eval/success` (share of episodes) where the game says what success is, and `eval/return-<side>` of every side where there are
 * such
 */
export async function evaluateGreedily(
  policy: AnyJointPolicy,
  env: EnvFactory,
  episodes: number,
  rng: Rng,
  rivals?: { against(batch: EnvBatch): Promise<Opponents> },
): Promise<Metrics> {
  const copies = evaluationCopies(episodes);
  const batch = vectorise(env, copies, rng.split("environments"), { rivals: rivals !== undefined });
  const opponents = await rivals?.against(batch);
  const left = Int32Array.from({ length: copies }, (_, b) => Math.ceil((episodes - b) / copies));
  const returns: number[] = [];
  let lengths = 0;
  let successes = 0;
  const { sides = [] } = batch.spec;
  const sideReturns = new Float64Array(sides.length);
  for (let b = 0; b < copies; b++) forget(policy, b, copies);
  while (returns.length < episodes) {
    policy.observations.set(batch.observations);
    if (policy.available !== undefined) writeMasks(batch, policy.available);
    await policy.choose();
    await opponents?.choose();
    batch.step(policy.actions, opponents?.actions);
    for (let b = 0; b < copies; b++) {
      if (!endedEpisode(batch, b)) continue;
      forget(policy, b, copies);
      if (left[b]-- <= 0) continue;
      returns.push(batch.episodeReturns[b]);
      lengths += batch.episodeLengths[b];
      successes += batch.successes?.[b] ?? 0;
      for (const k of sides.keys()) sideReturns[k] += batch.sideReturns![b * sides.length + k];
    }
  }
  const meanReturn = returns.reduce((sum, value) => sum + value, 0) / episodes;
  const variance = returns.reduce((sum, value) => sum + (value - meanReturn) ** 2, 0) / episodes;
  return {
    "eval/return": meanReturn,
    "eval/return-deviation": Math.sqrt(variance),
    "eval/length": lengths / episodes,
    ...(batch.successes === undefined ? {} : { "eval/success": successes / episodes }),
    ...Object.fromEntries(sides.map((side, k) => [`eval/return-${side}`, sideReturns[k] / episodes])),
  };
}
