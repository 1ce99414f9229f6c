import type { Rng } from "../random/index.ts";
import type { Env, EnvSpec, FiniteModel, JointAction, Scene, SceneShape, Snapshot } from "./env.ts";
import { createEpisode } from "./episode.ts";

/**
 * What makes one game of a single, simultaneous joint action different from another. The state is drawn when an
 * episode starts and stays as it is when the agents act.
 */
export interface OneStepRules {
  readonly id: string;
  /** Number of actions of each agent. */
  readonly actions: readonly number[];
  /** What counts as success, in words. */
  readonly success: string;
  /** The states, `[S]` each and equally likely, or how one of `size` numbers is drawn. One state, 0, when left out. */
  readonly states?:
    | readonly (readonly number[])[]
    | { readonly size: number; draw(rng: Rng, state: Float32Array): void };
  /** What agents see of a state, `[N, O]`. When left out they see nothing, which is one number that is always 0. */
  readonly observation?: {
    readonly size: number;
    write(state: Float32Array, out: Float32Array, at: number): void;
  };
  /** Must return what `conclude` returns, called with the team's reward and whether that was a success. */
  play<Result>(
    state: Float32Array,
    actions: JointAction,
    conclude: (reward: number, success: boolean) => Result,
  ): Result;
  /**
   * A picture, to which a caption is added; agents in a row when left out.
   * @param actions what was played, undefined before that
   */
  picture?(state: Float32Array, actions: JointAction | undefined): Omit<Scene, "caption">;
}

/** Most pairs of state and joint action for which tables are made. */
const mostPairsOfModel = 2 ** 14;

/**
 * The environment of a one-step game: each episode ends, by itself, with its first joint action. Games of few states
 * and joint actions have an exact model.
 */
export function createOneStepGame(rules: OneStepRules): Env {
  const { id, success, observation, states = [[0]] } = rules;
  const agents = rules.actions.length;
  const stateSize = "draw" in states ? states.size : states[0].length;
  const spec: EnvSpec = {
    id,
    version: 1,
    agents,
    observationSize: observation?.size ?? 1,
    stateSize,
    actions: rules.actions.map((n) => ({ kind: "discrete", n }) as const),
    horizon: 1,
    rewards: "team",
    sharedObservation: observation === undefined,
    success,
  };
  const episode = createEpisode(spec);
  const state = new Float32Array(stateSize);
  const played = new Int32Array(agents);
  const lastPlay = () => (episode.time === 0 ? undefined : played);
  const end = (reward: number, succeeded: boolean) => episode.conclude(reward, true, undefined, succeeded);

  const env: Env = {
    spec,
    reset(rng) {
      episode.begin(rng);
      if ("draw" in states) states.draw(rng, state);
      else if (states.length > 1) state.set(states[rng.integer(states.length)]);
    },
    step(actions) {
      episode.admit(actions);
      for (let i = 0; i < agents; i++) played[i] = actions[i];
      return rules.play(state, actions, end);
    },
    observe(out, at) {
      if (observation === undefined) out.fill(0, at, at + agents);
      else observation.write(state, out, at);
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
    scene() {
      const actions = lastPlay();
      const picture = rules.picture?.(state, actions) ?? agentsInARow(agents, actions);
      const caption =
        actions === undefined
          ? `success: ${success}`
          : rules.play(
              state,
              actions,
              (reward, succeeded) =>
                `reward ${Number(reward.toFixed(4))}, ${succeeded ? "success" : "no success"}`,
            );
      return { ...picture, caption };
    },
  };
  const jointActions = rules.actions.reduce((product, n) => product * n, 1);
  if (!("draw" in states) && states.length * jointActions <= mostPairsOfModel) {
    env.model = () => modelOf(rules, states, spec, jointActions);
  }
  return env;
}

/** Rules of a game that pays 1 for success and else nothing. */
export function oneIf(
  succeeds: (state: Float32Array, actions: JointAction) => boolean,
): Pick<OneStepRules, "play"> {
  return {
    play(state, actions, conclude) {
      const success = succeeds(state, actions);
      return conclude(success ? 1 : 0, success);
    },
  };
}

/** How many agents play action 1. */
export function countActing(actions: JointAction): number {
  let acting = 0;
  for (let i = 0; i < actions.length; i++) if (actions[i] === 1) acting++;
  return acting;
}

/** The game as tables. States last for ever and nothing after the first step counts: the discount is 0. */
function modelOf(
  rules: OneStepRules,
  states: readonly (readonly number[])[],
  { agents, stateSize, observationSize }: EnvSpec,
  jointActions: number,
): FiniteModel {
  const transition = new Float64Array(states.length * jointActions * states.length);
  const reward = new Float64Array(states.length * jointActions);
  const observations = new Float32Array(states.length * agents * observationSize);
  const stateFeatures = Float32Array.from(states.flat());
  const actions = new Int32Array(agents);
  for (let s = 0; s < states.length; s++) {
    const state = stateFeatures.subarray(s * stateSize, (s + 1) * stateSize);
    rules.observation?.write(state, observations, s * agents * observationSize);
    for (let a = 0; a < jointActions; a++) {
      for (let i = agents - 1, rest = a; i >= 0; i--) {
        actions[i] = rest % rules.actions[i];
        rest = Math.floor(rest / rules.actions[i]);
      }
      reward[s * jointActions + a] = rules.play(state, actions, (paid) => paid);
      transition[(s * jointActions + a) * states.length + s] = 1;
    }
  }
  return {
    actions: rules.actions,
    states: states.length,
    transition,
    reward,
    initial: new Float64Array(states.length).fill(1 / states.length),
    discount: 0,
    observations,
    stateFeatures,
  };
}

function agentsInARow(agents: number, actions: JointAction | undefined): Omit<Scene, "caption"> {
  const shapes = Array.from({ length: agents }, (_, i) => agentCircle(i + 0.5, 0.5, actions?.[i]));
  return { width: agents, height: 1, shapes };
}

/** An agent, coloured by its action and labelled with it; grey while it has not acted. */
export function agentCircle(x: number, y: number, action: number | undefined): SceneShape {
  if (action === undefined) return { kind: "circle", x, y, radius: 0.4, fill: "#cbd5e1" };
  const fill = action === 0 ? "#2563eb" : "#f59e0b";
  return { kind: "circle", x, y, radius: 0.4, fill, label: String(action) };
}
