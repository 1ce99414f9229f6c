import type { Rng } from "../random/index.ts";
import type { CouplingGraphs } from "../structure/index.ts";

/** What one agent chooses from. */
export type ActionSpace =
  /** One of `n` actions, an integer `0..n-1`. */
  | { readonly kind: "discrete"; readonly n: number }
  /** `size` real numbers, each in `[low, high]`. Numbers outside are refused or, where it clips, taken as the nearest inside. */
  | {
      readonly kind: "box";
      readonly size: number;
      readonly low: number;
      readonly high: number;
      readonly clips?: true;
    }
  /** `size` shares of one whole: none negative, together 1. */
  | { readonly kind: "simplex"; readonly size: number };

/**
 * What is known of an environment before it starts. `N` agents, observations of `O` numbers each, a state of
 * `S` numbers. Agents that observe less than `O` numbers are padded with zeros.
 */
export interface EnvSpec {
  /** Name of the environment, for example `"aloha"`. */
  readonly id: string;
  /** Raised whenever rewards, observations or dynamics change their meaning. */
  readonly version: number;
  /** `N`. */
  readonly agents: number;
  /** `O`: numbers one agent observes. */
  readonly observationSize: number;
  /** `[N]`: how many numbers each agent observes, where they differ. The rest of its `O` are zeros. */
  readonly observationSizes?: readonly number[];
  /** `S`: numbers in the state a centralised critic may see. */
  readonly stateSize: number;
  /** `[N]`: numbers in each agent's own state, where the state consists of these, agent after agent. Together `S`. */
  readonly stateSizes?: readonly number[];
  /** One action space for each agent. */
  readonly actions: readonly ActionSpace[];
  /** Steps after which an episode is truncated. */
  readonly horizon: number;
  /** `"team"`: one reward shared by all; `"individual"`: it is the sum of agents' own, in `Outcome.rewards`. */
  readonly rewards: "team" | "individual";
  /** True when every agent always observes the same numbers (for example the whole state). */
  readonly sharedObservation: boolean;
  /** What counts as success, in words, where `Outcome.success` says at the end of an episode whether it was reached. */
  readonly success?: string;
  /** What the sides are called, in games that set sides against each other (`Env.sideRewards`), for example `"adversaries"`. */
  readonly sides?: readonly string[];
}

/**
 * Joint action `[N]` when every action space is discrete (agent `i` plays `actions[i]`); otherwise the agents'
 * real vectors one after the other.
 */
export type JointAction = ArrayLike<number>;

/**
 * Result of one step. An environment may return the same object at every step: read it before stepping again.
 */
export interface Outcome {
  /** Reward of the team. */
  readonly reward: number;
  /** Reward of each agent `[N]`, where the game has them; the team's is their sum. */
  readonly rewards?: ArrayLike<number>;
  /** The episode reached an end of its own: the value of what follows is zero. */
  readonly terminated: boolean;
  /** The time limit cut the episode: what follows still has a value. */
  readonly truncated: boolean;
  /** Whether the episode that ends with this step reached its goal, in games that have one (`EnvSpec.success`). */
  readonly success?: boolean;
}

/**
 * Agents of a game that are not in the team and that the environment leaves to somebody else: a learner that trains them on
 * their own rewards while the team learns.
 */
export interface RivalSide {
  /** What they are called, `[R]`, for example `"eve_0"`. */
  readonly names: readonly string[];
  /** The game as it is to them alone: discrete actions, individual rewards, no state. */
  readonly spec: EnvSpec;
  /** Writes their observations, `[R, O]`. */
  observe(out: Float32Array, at: number): void;
  /** What the last step brought each of them, `[R]`. */
  rewards(): ArrayLike<number>;
}

/** Everything an environment needs to go on exactly where it was, as JSON. */
export type Snapshot = JsonValue;
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/**
 * A picture of the present moment for viewers: shapes in a plane of the scene's own units, `y` downwards, each drawn over those
 * before it. Where all moments of an episode have the same kinds of shapes in the same order, viewers can let them move.
 */
export interface Scene {
  /** Coordinates of the upper left corner; 0 when left out. */
  readonly left?: number;
  readonly top?: number;
  readonly width: number;
  readonly height: number;
  readonly caption?: string;
  readonly shapes: readonly SceneShape[];
}

/** How a shape is drawn. */
interface SceneStyle {
  readonly fill?: string;
  readonly stroke?: string;
  /** In units of the scene; viewers choose a fine line when left out. */
  readonly strokeWidth?: number;
  /** From 0, which cannot be seen, to 1, the default. */
  readonly opacity?: number;
}
export type SceneShape =
  | (SceneStyle & {
      readonly kind: "circle";
      readonly x: number;
      readonly y: number;
      readonly radius: number;
      /** Short text in the middle, left out where it has no room. */
      readonly label?: string;
    })
  | (SceneStyle & {
      readonly kind: "rectangle";
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      /** Short text in the middle, left out where it has no room. */
      readonly label?: string;
    })
  | (Omit<SceneStyle, "fill"> & {
      readonly kind: "line";
      readonly x1: number;
      readonly y1: number;
      readonly x2: number;
      readonly y2: number;
      /** Whether it ends in an arrowhead, at `x2`, `y2`. */
      readonly arrow?: boolean;
    })
  | (Pick<SceneStyle, "fill" | "opacity"> & {
      readonly kind: "text";
      /** Where it starts, is centred or ends, at half its height. */
      readonly x: number;
      readonly y: number;
      readonly text: string;
      /** Height of its letters, in units of the scene. */
      readonly size: number;
      /** `"middle"` when left out. */
      readonly anchor?: "start" | "middle" | "end";
    });

/**
 * A cooperative environment (Dec-POMDP or cooperative Markov game) of `N` agents.
 *
 * Flat arrays are filled in place from position `at`, so that a vectoriser can keep one array for all copies.
 */
export interface Env {
  readonly spec: EnvSpec;
  /** Starts an episode. The environment keeps `rng` and draws from it until the next reset. */
  reset(rng: Rng): void;
  /**
   * Plays one joint action. Calling it after the episode ended, or before `reset`, throws.
   *
   * @param theirs what the rivals do, in games that have them; they play at random when it is left out
   */
  step(actions: JointAction, theirs?: JointAction): Outcome;
  /** Writes the observations of all agents, `[N, O]`. */
  observe(out: Float32Array, at: number): void;
  /** Writes the state, `[S]`. */
  state(out: Float32Array, at: number): void;
  /** Writes 1 for each action that may be played now, else 0: the agents' masks one after the other. */
  available?(out: Uint8Array, at: number): void;
  /** Writes how strongly agents depend on each other now, `[N, N]`, symmetric, larger is stronger. */
  dependency?(out: Float32Array, at: number): void;
  /**
   * Who moves whom, who sees whom and who is rewarded with whom, where the game is made so: with the same draws from the
   * stream, the next own state, the observation and the own reward of an agent depend on nobody else. Which numbers are
   * drawn must not depend on states or actions.
   */
  couplings?(): CouplingGraphs;
  /**
   * What the last step brought each side, in the order of `EnvSpec.sides`: the sum of its agents' own rewards, whoever learns and
   * whatever the team's reward is made of.
   */
  sideRewards?(): ArrayLike<number>;
  /** The team's rivals, in games that leave them to somebody else. */
  readonly rivals?: RivalSide;
  /** Writes 1 where the agent of the row sees the agent of the column now, `[N, N]`; of all other pairs 0. */
  visibility?(out: Uint8Array, at: number): void;
  /** Writes where agents stand now, x to the right and y downwards, `[N, 2]`. */
  positions?(out: Float32Array, at: number): void;
  /**
   * Goes on in another state, the numbers of which are as `state` writes them; time and random stream stay as they are.
   *
   * @throws InputError when the game has no such state
   */
  setState?(state: ArrayLike<number>): void;
  /** Exact copy of what matters for the future, including the random stream. */
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
  scene(): Scene;
  /** The exact model behind the environment, where it is small and finite. */
  model?(): FiniteModel;
}

/**
 * A finite cooperative Markov game `(S, A, P, r, mu, gamma)` as dense tables. Joint actions (and factored states)
 * are mixed-radix integers with agent 0 as the most significant digit.
 */
export interface FiniteGame {
  /** Actions of each agent; `A` is their product. */
  readonly actions: readonly number[];
  /** `S`. */
  readonly states: number;
  /** `P[s][a][s']`, `[S, A, S]`; rows sum to 1. */
  readonly transition: Float64Array;
  /** `r[s][a]`, `[S, A]`. */
  readonly reward: Float64Array;
  /** `mu[s]`, `[S]`; sums to 1. */
  readonly initial: Float64Array;
  /** `gamma`, in `[0, 1)`. */
  readonly discount: number;
}

/** A finite game together with what agents and a critic see of its states. */
export interface FiniteModel extends FiniteGame {
  /** What the agents observe in each state, `[S, N, O]`. */
  readonly observations: Float32Array;
  /** What a critic sees in each state, `[S, stateSize]`. */
  readonly stateFeatures: Float32Array;
  /** Dependency scores in each state, `[S, N, N]`, where the environment defines them. */
  readonly dependency?: Float32Array;
}
