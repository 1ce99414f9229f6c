/** A game of four agents whose couplings leave most of them out of each other's values. */
import {
  type ActionSpace,
  createEpisode,
  type Env,
  type EnvFactory,
  type EnvSpec,
  type Snapshot,
} from "../../envs/index.ts";
import { type CouplingGraphs, couplingGraphs } from "../../structure/index.ts";

export interface CoupledOptions {
  /** `discrete` by default: down, stay or up, of which down is impossible below zero. */
  readonly actions?: "discrete" | "box" | "simplex";
  /** Steps after which an episode is cut; 4 by default. */
  readonly horizon?: number;
  /** Whether an episode ends by itself when agent 0 strays beyond 1.5; it does by default. */
  readonly ends?: boolean;
  /** Added to the reward of an agent, zeros by default. */
  readonly bonus?: readonly number[];
}

/** 0 and 1 move each other, and 1 moves 2; 3 is alone. I_Q: {0, 1}, {0, 1}, {0, 1, 2}, {3}. */
export const coupledGraphs: CouplingGraphs = couplingGraphs(4, {
  state: [
    [0, 1],
    [1, 0],
    [1, 2],
  ],
});

/**
 * Agent i stands at x_i, drawn in [-1, 1], which it sees, and pays x_i^2. Then it moves by what it decides, up to half a unit
 * either way, and by a fifth of where those stand that move it.
 */
export const coupledGame =
  ({
    actions = "discrete",
    horizon = 4,
    ends = true,
    bonus = [0, 0, 0, 0],
  }: CoupledOptions = {}): EnvFactory =>
  (): Env => {
    const space: ActionSpace =
      actions === "discrete"
        ? { kind: "discrete", n: 3 }
        : actions === "box"
          ? { kind: "box", size: 1, low: -0.5, high: 0.5 }
          : { kind: "simplex", size: 2 };
    const agents = 4;
    const spec: EnvSpec = {
      id: "coupled",
      version: 1,
      agents,
      observationSize: 1,
      stateSize: agents,
      stateSizes: [1, 1, 1, 1],
      actions: new Array<ActionSpace>(agents).fill(space),
      horizon,
      rewards: "individual",
      sharedObservation: false,
    };
    const width = actions === "simplex" ? 2 : 1;
    const move = (numbers: ArrayLike<number>, i: number): number => {
      if (actions === "box") return numbers[i];
      return actions === "discrete" ? (numbers[i] - 1) / 2 : (numbers[2 * i] - numbers[2 * i + 1]) / 2;
    };
    const movedBy = [[1], [0], [1], []];
    const episode = createEpisode(spec);
    let x: number[] = [];
    return {
      spec,
      reset(rng) {
        episode.begin(rng);
        x = Array.from({ length: agents }, () => 2 * rng.uniform() - 1);
      },
      step(numbers) {
        if (numbers.length !== agents * width) throw new Error("a joint action of another size");
        episode.admit(numbers);
        if (actions === "discrete" && x.some((own, i) => own < 0 && numbers[i] === 0)) {
          throw new Error("an unavailable action was played");
        }
        const rewards = x.map((own, i) => bonus[i] - own * own);
        const team = rewards.reduce((total, reward) => total + reward);
        x = x.map((own, i) => own + move(numbers, i) + 0.2 * movedBy[i].reduce((sum, j) => sum + x[j], 0));
        return episode.conclude(team, ends && Math.abs(x[0]) > 1.5, rewards);
      },
      observe: (out, at) => out.set(x, at),
      state: (out, at) => out.set(x, at),
      ...(actions === "discrete"
        ? {
            available: (out: Uint8Array, at: number) =>
              out.set(
                x.flatMap((own) => [own < 0 ? 0 : 1, 1, 1]),
                at,
              ),
          }
        : {}),
      couplings: () => coupledGraphs,
      snapshot: () => ({ episode: episode.snapshot(), x }),
      restore(snapshot) {
        const saved = snapshot as { readonly episode: Snapshot; readonly x: readonly number[] };
        episode.restore(saved.episode);
        x = [...saved.x];
      },
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };
