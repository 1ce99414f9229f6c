/** Games small enough to know what is optimal, for tests of learners. */
import {
  createEpisode,
  type Env,
  type EnvFactory,
  type EnvSpec,
  type JointAction,
  type Snapshot,
} from "../../envs/index.ts";
import type { Rng } from "../../random/index.ts";

/** A game whose situation is a few numbers. */
interface Rules {
  readonly id: string;
  readonly actions: readonly number[];
  readonly observationSize: number;
  readonly horizon: number;
  readonly success?: string;
  /** Draws the situation `[S]` at the beginning of an episode. */
  begin(rng: Rng): number[];
  /** What agent `i` observes, `[O]`. */
  observe(situation: readonly number[], time: number, agent: number): readonly number[];
  /** Which actions of agent `i` may be played; all when left out. */
  available?(situation: readonly number[], time: number, agent: number): readonly number[];
  /** Changes the situation in place. */
  play(
    situation: number[],
    time: number,
    actions: JointAction,
  ): { readonly reward: number; readonly terminated: boolean; readonly success?: boolean };
}

const smallGame =
  (rules: Rules): EnvFactory =>
  (): Env => {
    const { id, actions, observationSize, horizon, success } = rules;
    const spec: EnvSpec = {
      id,
      version: 1,
      agents: actions.length,
      observationSize,
      stateSize: actions.length * observationSize,
      actions: actions.map((n) => ({ kind: "discrete", n }) as const),
      horizon,
      rewards: "team",
      sharedObservation: false,
      ...(success === undefined ? {} : { success }),
    };
    const episode = createEpisode(spec);
    const { available } = rules;
    let situation: number[] = [];
    const seen = () => actions.flatMap((_, i) => rules.observe(situation, episode.time, i));
    return {
      spec,
      reset(rng) {
        episode.begin(rng);
        situation = rules.begin(rng);
      },
      step(chosen) {
        episode.admit(chosen);
        const { reward, terminated, success } = rules.play(situation, episode.time, chosen);
        return episode.conclude(reward, terminated, undefined, success);
      },
      observe: (out, at) => out.set(seen(), at),
      state: (out, at) => out.set(seen(), at),
      ...(available === undefined
        ? {}
        : {
            available: (out: Uint8Array, at: number) =>
              out.set(
                actions.flatMap((_, i) => available(situation, episode.time, i)),
                at,
              ),
          }),
      snapshot: () => ({ episode: episode.snapshot(), situation }),
      restore(snapshot) {
        const saved = snapshot as { readonly episode: Snapshot; readonly situation: readonly number[] };
        episode.restore(saved.episode);
        situation = [...saved.situation];
      },
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };

/**
 * The two-step game of QMIX (Rashid et al. 2018, Section 5): the first agent's first action leads to a matrix that pays 7
 * whatever happens, or to one that pays [[0, 1], [1, 8]]. The optimum, 8, is out of reach of a sum of utilities that
 * fits uniform play: of the second matrix it makes 6.5 at best.
 */
export const twoStepGame: EnvFactory = smallGame({
  id: "two-step",
  actions: [2, 2],
  observationSize: 3,
  horizon: 2,
  success: "8 is paid",
  begin: () => [0],
  observe: ([place]) => [0, 1, 2].map((each) => (each === place ? 1 : 0)),
  play(situation, time, actions) {
    const [place] = situation;
    if (time === 0) {
      situation[0] = 1 + actions[0];
      return { reward: 0, terminated: false };
    }
    const pays = [
      [0, 1],
      [1, 8],
    ];
    const reward = place === 1 ? 7 : pays[actions[0]][actions[1]];
    return { reward, terminated: true, success: reward === 8 };
  },
});

/**
 * Two agents see a bit each, then nothing, and are paid 1 each for playing it at the end, two steps later. Without memory
 * nobody earns more than half, 1 in all.
 */
export const recallGame: EnvFactory = smallGame({
  id: "recall",
  actions: [2, 2],
  observationSize: 2,
  horizon: 3,
  success: "both play what they saw",
  begin: (rng) => [rng.integer(2), rng.integer(2)],
  observe: (bits, time, agent) => [time === 0 ? 2 * bits[agent] - 1 : 0, time === 2 ? 1 : 0],
  play(bits, time, actions) {
    if (time < 2) return { reward: 0, terminated: false };
    const right = [0, 1].filter((agent) => actions[agent] === bits[agent]).length;
    return { reward: right, terminated: true, success: right === 2 };
  },
});

/**
 * Episodes of one to four steps, which end by themselves or by the time limit, of agents with unequal actions that come
 * and go: for everything that must not get mixed up.
 */
export const unevenGame: EnvFactory = smallGame({
  id: "uneven",
  actions: [3, 2],
  observationSize: 2,
  horizon: 4,
  begin: (rng) => [rng.integer(7)],
  observe: ([place], time, agent) => [place / 7, agent === 0 ? time : -time],
  available: ([place], _, agent) => (agent === 0 ? [1, place % 2, 1] : [1, 1]),
  play(situation, _, actions) {
    if (actions[0] === 1 && situation[0] % 2 === 0) throw new Error("an unavailable action was played");
    situation[0] = (situation[0] * 3 + actions[0] + 2 * actions[1] + 1) % 7;
    return { reward: situation[0] - 3, terminated: situation[0] === 6 };
  },
});
