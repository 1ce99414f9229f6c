import type { World } from "./world.ts";

/** The rules of one particle environment: who is there, what they see and what they want. */
export interface Scenario {
  readonly world: World;
  /** Landmarks are placed within this distance of the middle along each axis, agents within 1. */
  readonly landmarkRange: number;
  /** Numbers each agent observes, `[N]`. */
  readonly observationSizes: readonly number[];
  /** Which landmarks play a part that not everybody knows: drawn at reset, each among all landmarks. */
  readonly secrets: Int32Array;
  /** Whether one agent sees another, in games where that changes. */
  readonly sees?: (viewer: number, other: number) => boolean;
  /** Writes the observation of one agent. */
  observe(agent: number, out: Float64Array, at: number): void;
  /** Writes every agent's own reward in the present moment, `[N]`. */
  reward(out: Float64Array): void;
  /** Who is wanted where, for pictures. */
  goals(): readonly Goal[];
  /** The two sides, in games that have them. */
  readonly sides?: Sides;
  /** An end that can be reached before the time is up. */
  readonly ending?: Ending;
}

export interface Goal {
  readonly agent: number;
  /** Body number. */
  readonly landmark: number;
}

export interface Sides {
  /** How many of the agents, the first ones, are adversaries; the others are good agents. */
  readonly adversaries: number;
  /** Agents of the team under `protocol=team` and `mixed`, in increasing order; the others are their opponents. */
  readonly team: readonly number[];
  /** The discrete action of an opponent that follows its script. */
  script(opponent: number): number;
}

export interface Ending {
  /** What is reached, in words. */
  readonly success: string;
  reached(): boolean;
}
