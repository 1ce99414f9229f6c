import type { Rng, RngState } from "../random/index.ts";
import { actionCheck } from "./actions.ts";
import type { EnvSpec, JointAction, Outcome, Snapshot } from "./env.ts";

/**
 * What every environment keeps besides its own rules: the random stream, the time, and whether an episode runs.
 * With it an environment file holds nothing but its game.
 */
export interface Episode {
  /** The stream given to `begin`. @throws Error before that */
  readonly rng: Rng;
  /** Steps played in this episode. */
  readonly time: number;
  /** To be called by `reset`. */
  begin(rng: Rng): void;
  /**
   * To be called first in `step`.
   * @throws InputError on an action that does not exist
   * @throws Error before `begin` and after the end of the episode
   */
  admit(actions: JointAction): void;
  /**
   * To be called last in `step`: counts it and says whether the episode ended. Returns the same object each time.
   * @param terminated the game itself came to an end
   * @param rewards reward of each agent `[N]`, where the game has them
   * @param success whether the goal was reached, where the game has one
   */
  conclude(reward: number, terminated?: boolean, rewards?: ArrayLike<number>, success?: boolean): Outcome;
  /** Part of the environment's snapshot: time, whether the episode runs, position of the stream. */
  snapshot(): Snapshot;
  /** @throws Error before `begin`: the stream to reposition is the one given there */
  restore(snapshot: Snapshot): void;
}

/** An episode of an environment with this specification, not yet begun. */
export function createEpisode(spec: EnvSpec): Episode {
  const check = actionCheck(spec);
  const { id, horizon } = spec;
  const outcome = {
    reward: 0,
    rewards: undefined as ArrayLike<number> | undefined,
    terminated: false,
    truncated: false,
    success: undefined as boolean | undefined,
  };
  let stream: Rng | undefined;
  let time = 0;
  let running = false;
  const begun = (): Rng => {
    if (stream === undefined) throw new Error(`${id}: call reset(rng) first`);
    return stream;
  };
  return {
    get rng() {
      return begun();
    },
    get time() {
      return time;
    },
    begin(rng) {
      stream = rng;
      time = 0;
      running = true;
    },
    admit(actions) {
      begun();
      if (!running) throw new Error(`${id}: the episode ended after ${time} steps, call reset(rng) first`);
      check(actions, time);
    },
    conclude(reward, terminated = false, rewards = undefined, success = undefined) {
      time++;
      outcome.reward = reward;
      outcome.rewards = rewards;
      outcome.terminated = terminated;
      outcome.truncated = !terminated && time >= horizon;
      outcome.success = success;
      running = !(outcome.terminated || outcome.truncated);
      return outcome;
    },
    snapshot: () => ({ time, running, rng: begun().state() }),
    restore(snapshot) {
      const saved = snapshot as unknown as {
        readonly time: number;
        readonly running: boolean;
        readonly rng: RngState;
      };
      begun().restore(saved.rng);
      time = saved.time;
      running = saved.running;
    },
  };
}
