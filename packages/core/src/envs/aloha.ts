import { z } from "zod";
import { defineEnv } from "./definition.ts";
import type { Env, EnvSpec, JointAction, Outcome, SceneShape, Snapshot } from "./env.ts";
import { createEpisode } from "./episode.ts";
import { expectIntegers } from "./expect-integers.ts";

export const alohaConfig = z.strictObject({
  rows: z.int().min(1).default(2).describe("Rows of the grid"),
  columns: z.int().min(1).default(5).describe("Columns of the grid"),
  horizon: z.int().min(1).default(25).describe("25 in the papers, 20 in the published code"),
  maxBacklog: z.int().min(1).default(5).describe("Messages an agent can hold; more are lost"),
  arrivalProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0.6)
    .describe("Probability that an agent receives a message in a step"),
  successReward: z.number().default(0.1).describe("Reward for each message sent"),
  collisionPenalty: z.number().min(0).default(10).describe("Subtracted for each message that collides"),
  wrapEdge: z
    .boolean()
    .default(true)
    .describe(
      "Whether the last agent of a row and the first of the next are neighbours too, as in both published versions of the game",
    ),
});

export type AlohaConfig = z.output<typeof alohaConfig>;

export interface AlohaEnv extends Env {
  /** Messages sent in this episode. */
  readonly transmitted: number;
  /** `step` with the arrivals given instead of drawn: `arrivals[i]` is 1 where agent `i` receives a message. */
  stepWith(actions: JointAction, arrivals: ArrayLike<number>): Outcome;
}

/**
 * Aloha (CASEC; Context-aware BN): agents on a grid hold messages and each step either wait (0) or send (1). A
 * message arrives if no neighbour acted to send at the same time, with or without messages of its own; else it
 * stays, and the team pays. Sending with nothing to send costs nothing itself.
 *
 * Observation of agent `i`: its backlog. State: all backlogs `[N]`. Agent `i` stands in row `floor(i / columns)`
 * and column `i mod columns`.
 */
export function createAloha(config: AlohaConfig): AlohaEnv {
  const { rows, columns, maxBacklog, arrivalProbability, successReward, collisionPenalty } = config;
  const agents = rows * columns;
  const spec: EnvSpec = {
    id: "aloha",
    version: 1,
    agents,
    observationSize: 1,
    stateSize: agents,
    actions: Array.from({ length: agents }, () => ({ kind: "discrete", n: 2 }) as const),
    horizon: config.horizon,
    rewards: "team",
    sharedObservation: false,
  };
  const neighbours = alohaNeighbours(config);
  // Minus the Manhattan distance on the grid, which does not change; the wrapped edge does not count.
  const proximity = Float32Array.from({ length: agents * agents }, (_, pair) => {
    const [i, j] = [Math.floor(pair / agents), pair % agents];
    const rowDistance = Math.abs(Math.floor(i / columns) - Math.floor(j / columns));
    return -rowDistance - Math.abs((i % columns) - (j % columns));
  });
  const episode = createEpisode(spec);
  const backlogs = new Int32Array(agents);
  const drawn = new Uint8Array(agents);
  let transmitted = 0;

  const collides = (agent: number, actions: JointAction): boolean => {
    const near = neighbours[agent];
    for (let k = 0; k < near.length; k++) if (actions[near[k]] === 1) return true;
    return false;
  };

  const play = (actions: JointAction, arrivals: ArrayLike<number>): Outcome => {
    let reward = 0;
    for (let i = 0; i < agents; i++) {
      if (actions[i] === 0 || backlogs[i] === 0) continue;
      if (collides(i, actions)) {
        reward -= collisionPenalty;
      } else {
        backlogs[i]--;
        transmitted++;
        reward += successReward;
      }
    }
    for (let i = 0; i < agents; i++) {
      if (arrivals[i] === 1 && backlogs[i] < maxBacklog) backlogs[i]++;
    }
    return episode.conclude(reward);
  };

  return {
    spec,
    get transmitted() {
      return transmitted;
    },
    reset(rng) {
      episode.begin(rng);
      backlogs.fill(1);
      transmitted = 0;
    },
    step(actions) {
      episode.admit(actions);
      const { rng } = episode;
      for (let i = 0; i < agents; i++) drawn[i] = rng.uniform() < arrivalProbability ? 1 : 0;
      return play(actions, drawn);
    },
    stepWith(actions, arrivals) {
      episode.admit(actions);
      return play(actions, arrivals);
    },
    observe(out, at) {
      for (let i = 0; i < agents; i++) out[at + i] = backlogs[i];
    },
    state(out, at) {
      for (let i = 0; i < agents; i++) out[at + i] = backlogs[i];
    },
    dependency: (out, at) => out.set(proximity, at),
    positions(out, at) {
      for (let i = 0; i < agents; i++) {
        out[at + 2 * i] = i % columns;
        out[at + 2 * i + 1] = Math.floor(i / columns);
      }
    },
    setState(state) {
      expectIntegers("aloha", state, agents, maxBacklog);
      backlogs.set(state);
    },
    snapshot: () => ({ episode: episode.snapshot(), backlogs: [...backlogs], transmitted }),
    restore(snapshot) {
      const saved = snapshot as {
        readonly episode: Snapshot;
        readonly backlogs: readonly number[];
        readonly transmitted: number;
      };
      episode.restore(saved.episode);
      backlogs.set(saved.backlogs);
      transmitted = saved.transmitted;
    },
    scene() {
      const x = (i: number) => (i % columns) + 0.5;
      const y = (i: number) => Math.floor(i / columns) + 0.5;
      const shapes: SceneShape[] = [];
      for (let i = 0; i < agents; i++) {
        for (const j of neighbours[i]) {
          if (i < j) shapes.push({ kind: "line", x1: x(i), y1: y(i), x2: x(j), y2: y(j), stroke: "#cbd5e1" });
        }
      }
      for (let i = 0; i < agents; i++) {
        const fill = backlogs[i] === 0 ? "#f1f5f9" : backlogs[i] === maxBacklog ? "#f59e0b" : "#93c5fd";
        shapes.push({ kind: "circle", x: x(i), y: y(i), radius: 0.3, fill, label: String(backlogs[i]) });
      }
      return { width: columns, height: rows, caption: `${transmitted} messages sent`, shapes };
    },
  };
}

/** Agents whose sending disturbs each agent, in increasing order. */
export function alohaNeighbours(
  config: Pick<AlohaConfig, "rows" | "columns" | "wrapEdge">,
): readonly (readonly number[])[] {
  const { rows, columns, wrapEdge } = config;
  const agents = rows * columns;
  const neighbours: number[][] = Array.from({ length: agents }, () => []);
  const join = (i: number, j: number) => {
    neighbours[i].push(j);
    neighbours[j].push(i);
  };
  for (let i = 0; i < agents; i++) {
    const lastOfRow = i % columns === columns - 1;
    if (i + 1 < agents && (!lastOfRow || wrapEdge)) join(i, i + 1);
    // With one column the next row's agent is the next agent, joined above when the edge wraps.
    if (i + columns < agents && !(columns === 1 && wrapEdge)) join(i, i + columns);
  }
  return neighbours.map((near) => near.sort((a, b) => a - b));
}

export const aloha = defineEnv({
  name: "aloha",
  description: "Agents on a grid send messages; neighbours that send together collide.",
  config: alohaConfig,
  create: createAloha,
});
