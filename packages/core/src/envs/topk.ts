import { z } from "zod";
import { InputError } from "../errors.ts";
import { defineEnv } from "./definition.ts";
import type { Env, JointAction, Scene, SceneShape } from "./env.ts";
import { fewerThanAgents } from "./fewer-than-agents.ts";
import { createOneStepGame } from "./one-step-game.ts";

const configSchema = z
  .strictObject({
    agents: z.int().min(2).max(1000).default(6).describe("N"),
    k: z.int().min(1).default(2).describe("K: how many should act, fewer than agents"),
    penalty: z
      .number()
      .min(0)
      .default(0)
      .describe(
        "Subtracted where two agents with close signals both act; 0 and 0.5 are the paper's two games",
      ),
    penaltyMode: z
      .enum(["perPair", "once"])
      .default("perPair")
      .describe("Whether the penalty counts once for each such pair of agents or once in all"),
    penaltyDistance: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe("Two signals are close when they differ by less than this"),
  })
  .superRefine(fewerThanAgents);

export type TopKConfig = z.output<typeof configSchema>;

/** What the reward of Top-K Selection depends on, besides signals and actions. */
export type TopKRules = Pick<TopKConfig, "k" | "penalty" | "penaltyMode" | "penaltyDistance">;

/** There are `2^agents` joint actions to enumerate. */
const mostAgentsOfEnumeration = 12;

/**
 * Top-K Selection (AGP): every agent draws a signal uniform in [0, 1), sees only its own, and acts (1) or not (0),
 * all at once, once. The team earns 1 if exactly the `k` agents with the largest signals act, else -1. With a penalty,
 * agents with close signals that both act cost the team something on top.
 *
 * Observation of agent `i`: its signal. State: all signals `[N]`. Of two equal signals the one of the earlier agent
 * counts as the larger.
 */
export const topK = defineEnv({
  name: "topk",
  description: "Exactly the agents with the K largest signals should act; each sees only its own.",
  config: configSchema,
  create: createTopK,
});

function createTopK(config: TopKConfig): Env {
  const { agents, k, penalty, penaltyMode } = config;
  const mostPairs = penaltyMode === "once" ? Math.min(1, k - 1) : (k * (k - 1)) / 2;
  // Anybody else acting earns -1 or less, and nobody acting earns -1: the top k beat that as long as they cost no more.
  const alwaysOptimal = penalty * mostPairs <= 2;
  const topActs =
    k === 1
      ? "exactly the agent with the largest signal acts"
      : `exactly the agents with the ${k} largest signals act`;
  const top = new Uint8Array(agents);
  return createOneStepGame({
    id: "topk",
    actions: new Array<number>(agents).fill(2),
    success: alwaysOptimal ? topActs : "the reward is the largest that the signals allow",
    states: { size: agents, draw: (rng, signals) => rng.fillUniform(signals) },
    observation: {
      size: 1,
      write(signals, out, at) {
        for (let i = 0; i < agents; i++) out[at + i] = signals[i];
      },
    },
    play(signals, actions, conclude) {
      const reward = topKReward(signals, actions, config);
      const success = alwaysOptimal
        ? areTopK(signals, actions, k)
        : reward >= Math.max(-1, topKReward(signals, topKActions(signals, k, top), config));
      return conclude(reward, success);
    },
    picture: (signals, actions) => bars(signals, actions, topKActions(signals, k)),
  });
}

/** The joint action `[N]` in which exactly the agents with the `k` largest signals act. */
export function topKActions(
  signals: ArrayLike<number>,
  k: number,
  out: Uint8Array = new Uint8Array(signals.length),
): Uint8Array {
  out.fill(0);
  for (let chosen = 0; chosen < k; chosen++) {
    let best = -1;
    for (let i = 0; i < signals.length; i++) {
      if (out[i] === 0 && (best < 0 || signals[i] > signals[best])) best = i;
    }
    out[best] = 1;
  }
  return out;
}

/** Whether exactly the agents with the `k` largest signals act. */
function areTopK(signals: ArrayLike<number>, actions: JointAction, k: number): boolean {
  let acting = 0;
  let smallest = -1;
  let largestSilent = -1;
  for (let i = 0; i < signals.length; i++) {
    if (actions[i] === 1) {
      acting++;
      if (smallest < 0 || signals[i] <= signals[smallest]) smallest = i;
    } else if (largestSilent < 0 || signals[i] > signals[largestSilent]) {
      largestSilent = i;
    }
  }
  if (acting !== k) return false;
  const difference = signals[smallest] - signals[largestSilent];
  return difference > 0 || (difference === 0 && smallest < largestSilent);
}

/** Reward of a joint action `[N]` at these signals `[N]`. */
export function topKReward(signals: ArrayLike<number>, actions: JointAction, rules: TopKRules): number {
  const { k, penalty, penaltyMode, penaltyDistance } = rules;
  const base = areTopK(signals, actions, k) ? 1 : -1;
  if (penalty === 0) return base;
  let close = 0;
  for (let i = 0; i < signals.length; i++) {
    if (actions[i] !== 1) continue;
    for (let j = 0; j < i; j++) {
      if (actions[j] === 1 && Math.abs(signals[i] - signals[j]) < penaltyDistance) close++;
    }
  }
  return base - penalty * (penaltyMode === "once" ? Math.min(1, close) : close);
}

/**
 * Every joint action with the largest reward at these signals, found by playing all of them.
 *
 * @throws InputError for more than 12 agents
 */
export function topKOptimalActions(signals: ArrayLike<number>, rules: TopKRules): readonly Uint8Array[] {
  const agents = signals.length;
  if (agents > mostAgentsOfEnumeration) {
    throw new InputError(
      `topKOptimalActions: got ${agents} agents, expected at most ${mostAgentsOfEnumeration}`,
    );
  }
  let best: Uint8Array[] = [];
  let largest = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < 2 ** agents; index++) {
    const actions = Uint8Array.from({ length: agents }, (_, i) => (index >> (agents - 1 - i)) & 1);
    const reward = topKReward(signals, actions, rules);
    if (reward < largest) continue;
    if (reward > largest) best = [];
    largest = reward;
    best.push(actions);
  }
  return best;
}

/** Signals as bars with their values above: those of the top k outlined, those of the agents that acted in another colour. */
function bars(
  signals: Float32Array,
  actions: JointAction | undefined,
  top: Uint8Array,
): Omit<Scene, "caption"> {
  const unit = 1.6;
  const height = unit + 0.4;
  const shapes = [...signals].flatMap((signal, i): SceneShape[] => [
    {
      kind: "rectangle",
      x: i + 0.15,
      y: height - unit * signal,
      width: 0.7,
      height: unit * signal,
      fill: actions?.[i] === 1 ? "#f59e0b" : "#93c5fd",
      ...(top[i] === 1 ? { stroke: "#1e293b", strokeWidth: 0.03 } : {}),
    },
    { kind: "text", x: i + 0.5, y: height - unit * signal - 0.17, text: signal.toFixed(2), size: 0.24 },
  ]);
  return { width: signals.length, height: height + 0.05, shapes };
}
