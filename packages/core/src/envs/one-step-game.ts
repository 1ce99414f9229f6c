import type { Rng } from "../random/index.ts";
import type { Env, EnvSpec, JointAction, Outcome, Scene, Snapshot } from "./env.ts";
import { createEpisode } from "./episode.ts";

/**
 * What makes one game of a single, simultaneous joint action different from another. The state is what is drawn
 * when an episode starts, `[S]`, and stays as it is when the agents act.
 */
export interface OneStepRules {
  readonly id: string;
  /** Number of actions of each agent. */
  readonly actions: readonly number[];
  /** `S`. */
  readonly stateSize: number;
  /** `O`. */
  readonly observationSize: number;
  readonly sharedObservation: boolean;
  /** What counts as success, in words. */
  readonly success: string;
  /** Draws a state; without it the state stays zero. */
  draw?(rng: Rng, state: Float32Array): void;
  /** Writes the observations of all agents in a state, `[N, O]`; without it they are zero. */
  observe?(state: Float32Array, out: Float32Array, at: number): void;
  /** Must return what `conclude` returns, called with the team's reward and whether that was a success. */
  play(
    state: Float32Array,
    actions: JointAction,
    conclude: (reward: number, success: boolean) => Outcome,
  ): Outcome;
  /** @param actions what was played, undefined before that */
  scene(state: Float32Array, actions: JointAction | undefined): Scene;
}

/** The environment of a one-step game: each episode ends, by itself, with its first joint action. */
export function createOneStepGame(rules: OneStepRules): Env {
  const { id, stateSize, observationSize, sharedObservation, success } = rules;
  const agents = rules.actions.length;
  const spec: EnvSpec = {
    id,
    version: 1,
    agents,
    observationSize,
    stateSize,
    actions: rules.actions.map((n) => ({ kind: "discrete", n }) as const),
    horizon: 1,
    rewards: "team",
    sharedObservation,
    success,
  };
  const episode = createEpisode(spec);
  const state = new Float32Array(stateSize);
  const played = new Int32Array(agents);
  const conclude = (reward: number, succeeded: boolean): Outcome =>
    episode.conclude(reward, true, undefined, succeeded);
  const lastPlay = () => (episode.time === 0 ? undefined : played);
  return {
    spec,
    reset(rng) {
      episode.begin(rng);
      rules.draw?.(rng, state);
    },
    step(actions) {
      episode.admit(actions);
      for (let i = 0; i < agents; i++) played[i] = actions[i];
      return rules.play(state, actions, conclude);
    },
    observe(out, at) {
      if (rules.observe === undefined) out.fill(0, at, at + agents * observationSize);
      else rules.observe(state, out, at);
    },
    state(out, at) {
      for (let k = 0; k < stateSize; k++) out[at + k] = state[k];
    },
    snapshot: () => ({ episode: episode.snapshot(), state: [...state], played: [...(lastPlay() ?? [])] }),
    restore(snapshot) {
      const saved = snapshot as {
        readonly episode: Snapshot;
        readonly state: readonly number[];
        readonly played: readonly number[];
      };
      episode.restore(saved.episode);
      state.set(saved.state);
      played.set(saved.played);
    },
    scene: () => rules.scene(state, lastPlay()),
  };
}
