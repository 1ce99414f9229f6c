import { z } from "zod";
import { defineEnv } from "./definition.ts";
import type { Env, FiniteModel, SceneShape, Snapshot } from "./env.ts";
import { createEpisode } from "./episode.ts";
import { expectIntegers } from "./expect-integers.ts";
import { fullyObservedSpec } from "./fully-observed-spec.ts";

const configSchema = z.strictObject({
  agents: z.int().min(2).max(1000).default(5).describe("N"),
  epsilon: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe(
      "Probability that a local state comes out opposite to the action; .1 in Context-aware BN, .05 in Subteams",
    ),
  horizon: z
    .int()
    .min(1)
    .default(20)
    .describe("Steps of an episode; 20 in the papers, 25 in the published code"),
  rewardOn: z
    .enum(["current", "next"])
    .default("current")
    .describe("Whether a step pays for the state it starts in or the one it leads to"),
  initial: z
    .enum(["uniform", "biased"])
    .default("uniform")
    .describe("First state: each bit 0 with probability 1/2 (uniform) or 1/N (biased)"),
  bound: z
    .int()
    .min(0)
    .optional()
    .describe(
      "Largest difference between zeros and ones that counts as a near-tie; by default defaultBound(agents)",
    ),
  discount: z.number().min(0).lt(1).default(0.95).describe("Discount of the exact model"),
});

export type CoordinationGameConfig = z.output<typeof configSchema>;

/** A dense transition table of more agents would not fit in memory. */
const mostAgentsOfModel = 8;

/**
 * Coordination Game (Subteams; Context-aware BN): every agent holds one bit and chooses its next one, which comes
 * out flipped with probability epsilon. The team is paid for the state: most when zeros have a clear majority,
 * less when ones have, and next to nothing near a tie.
 *
 * Observation of every agent, and the state: all bits `[N]`, in agent order.
 */
export const coordinationGame = defineEnv({
  name: "coordination-game",
  description: "Every agent holds one bit and picks its next; clear majorities pay, zeros best.",
  config: configSchema,
  create: createCoordinationGame,
});

/** The bound of the papers, 1 for two and three agents, 2 for five, 3 for ten, extended to any number. */
export function defaultBound(agents: number): number {
  return Math.max(1, Math.round(agents / 3));
}

/** Reward of a state with this many ones among `agents` bits (Subteams, pseudocode of the game). */
export function coordinationReward(agents: number, ones: number, bound: number): number {
  const zeros = agents - ones;
  if (Math.abs(zeros - ones) <= bound) return zeros < ones ? 1 : 0;
  return zeros > ones ? 3 : 2;
}

function createCoordinationGame(config: CoordinationGameConfig): Env {
  const { agents, epsilon, bound = defaultBound(agents) } = config;
  const spec = fullyObservedSpec({
    id: "coordination-game",
    agents,
    actions: 2,
    stateSize: agents,
    horizon: config.horizon,
  });
  const paysNext = config.rewardOn === "next";
  const zeroAtReset = config.initial === "uniform" ? 1 / 2 : 1 / agents;
  const rewardOfOnes = Float64Array.from({ length: agents + 1 }, (_, ones) =>
    coordinationReward(agents, ones, bound),
  );
  const episode = createEpisode(spec);
  const bits = new Uint8Array(agents);
  let ones = 0;

  const env: Env = {
    spec,
    reset(rng) {
      episode.begin(rng);
      ones = 0;
      for (let i = 0; i < agents; i++) {
        bits[i] = rng.uniform() < zeroAtReset ? 0 : 1;
        ones += bits[i];
      }
    },
    step(actions) {
      episode.admit(actions);
      const { rng } = episode;
      const onesBefore = ones;
      ones = 0;
      for (let i = 0; i < agents; i++) {
        bits[i] = rng.uniform() < epsilon ? 1 - actions[i] : actions[i];
        ones += bits[i];
      }
      return episode.conclude(rewardOfOnes[paysNext ? ones : onesBefore]);
    },
    observe(out, at) {
      for (let i = 0; i < agents; i++) for (let j = 0; j < agents; j++) out[at++] = bits[j];
    },
    state(out, at) {
      for (let j = 0; j < agents; j++) out[at + j] = bits[j];
    },
    dependency(out, at) {
      for (let i = 0; i < agents; i++) for (let j = 0; j < agents; j++) out[at++] = -(bits[i] ^ bits[j]);
    },
    setState(state) {
      expectIntegers("coordination-game", state, agents, 1);
      bits.set(state);
      ones = bits.reduce((sum, bit) => sum + bit, 0);
    },
    snapshot: () => ({ episode: episode.snapshot(), bits: [...bits] }),
    restore(snapshot) {
      const saved = snapshot as { readonly episode: Snapshot; readonly bits: readonly number[] };
      episode.restore(saved.episode);
      bits.set(saved.bits);
      ones = bits.reduce((sum, bit) => sum + bit, 0);
    },
    scene() {
      const shapes: SceneShape[] = [];
      for (let i = 0; i < agents; i++) {
        const fill = bits[i] === 0 ? "#2563eb" : "#f59e0b";
        shapes.push({ kind: "circle", x: i + 0.5, y: 0.5, radius: 0.4, fill, label: String(bits[i]) });
      }
      return { width: agents, height: 1, caption: `this state pays ${rewardOfOnes[ones]}`, shapes };
    },
  };
  if (agents <= mostAgentsOfModel) env.model = () => coordinationGameModel(config);
  return env;
}

/**
 * The game as dense tables, state and joint action both read as binary numbers with agent 0 first. The initial
 * distribution is uniform whatever `config.initial` says: it is the one the papers measure values under.
 */
export function coordinationGameModel(config: CoordinationGameConfig): FiniteModel {
  const { agents, epsilon, bound = defaultBound(agents) } = config;
  const states = 2 ** agents;
  const rewardOfState = Float64Array.from({ length: states }, (_, s) =>
    coordinationReward(agents, countOnes(s), bound),
  );
  const transition = new Float64Array(states * states * states);
  const reward = new Float64Array(states * states);
  const stateFeatures = new Float32Array(states * agents);
  const observations = new Float32Array(states * agents * agents);
  const dependency = new Float32Array(states * agents * agents);
  for (let s = 0; s < states; s++) {
    for (let a = 0; a < states; a++) {
      let expected = 0;
      for (let next = 0; next < states; next++) {
        const flips = countOnes(a ^ next);
        const probability = epsilon ** flips * (1 - epsilon) ** (agents - flips);
        transition[(s * states + a) * states + next] = probability;
        expected += probability * rewardOfState[next];
      }
      reward[s * states + a] = config.rewardOn === "next" ? expected : rewardOfState[s];
    }
    const bit = (i: number) => (s >> (agents - 1 - i)) & 1;
    for (let i = 0; i < agents; i++) {
      stateFeatures[s * agents + i] = bit(i);
      for (let j = 0; j < agents; j++) {
        observations[(s * agents + i) * agents + j] = bit(j);
        dependency[(s * agents + i) * agents + j] = -Math.abs(bit(i) - bit(j));
      }
    }
  }
  return {
    actions: new Array<number>(agents).fill(2),
    states,
    transition,
    reward,
    initial: new Float64Array(states).fill(1 / states),
    discount: config.discount,
    observations,
    stateFeatures,
    dependency,
  };
}

function countOnes(bits: number): number {
  let ones = 0;
  for (let rest = bits; rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
}
