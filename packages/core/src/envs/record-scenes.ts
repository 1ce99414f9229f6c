import type { Rng } from "../random/index.ts";
import { jointActionSize } from "./actions.ts";
import type { ControlPolicy } from "./control-policy.ts";
import type { EnvFactory } from "./definition.ts";
import type { Env, Scene } from "./env.ts";
import { playRandomly } from "./random-play.ts";

/** One moment of an episode, to be drawn. */
export interface SceneMoment {
  /** Steps played so far. */
  readonly step: number;
  /** Sum of the team's rewards so far. */
  readonly reward: number;
  readonly scene: Scene;
}

/** An episode in pictures. */
export interface SceneRecord {
  /** From the start to the end, `[T + 1]`. */
  readonly moments: readonly SceneMoment[];
  /** Whether it reached its goal, in games that have one. */
  readonly success?: boolean;
}

/** An environment somebody else plays in, and what its first episode looked like. */
export interface SceneRecorder {
  readonly env: Env;
  /** Undefined while the episode has not come to its end. */
  record(): SceneRecord | undefined;
}

/**
 * Records the first episode that is played in an environment, and nothing after it.
 *
 * @param env for the recorder alone: its `reset` and `step` are replaced
 * @param start the stream the episode draws from in place of the player's, so that players can be compared
 */
export function recordScenes(env: Env, start: Rng): SceneRecorder {
  const moments: SceneMoment[] = [];
  let ended = false;
  let success: boolean | undefined;
  const [reset, step] = [env.reset.bind(env), env.step.bind(env)];
  const look = (reward: number): void => {
    moments.push({ step: moments.length, reward, scene: env.scene() });
  };
  // Replaced in place: a wrapper would lose what an environment can do beyond the contract.
  env.reset = (rng) => {
    if (ended) return reset(rng);
    reset(start);
    moments.length = 0;
    look(0);
  };
  env.step = (actions, theirs) => {
    const outcome = step(actions, theirs);
    if (ended) return outcome;
    look(moments[moments.length - 1].reward + outcome.reward);
    ended = outcome.terminated || outcome.truncated;
    success = outcome.success;
    return outcome;
  };
  return { env, record: () => (ended ? { moments, ...(success !== undefined && { success }) } : undefined) };
}

/**
 * Plays one episode and records it.
 *
 * @param policy `"random"`: uniform over the available actions
 */
export function playScenes(
  factory: EnvFactory,
  policy: ControlPolicy | "random",
  start: Rng,
  choices: Rng,
): SceneRecord {
  const { env, record } = recordScenes(factory(), start);
  const actions = new Float64Array(jointActionSize(env.spec));
  const state = new Float32Array(env.spec.stateSize);
  env.reset(start);
  for (let step = 0; ; step++) {
    if (policy === "random") {
      playRandomly(env, choices);
    } else {
      env.state(state, 0);
      policy(state, step, choices, actions);
      env.step(actions);
    }
    const recorded = record();
    if (recorded !== undefined) return recorded;
  }
}
