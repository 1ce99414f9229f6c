/** A game of real-valued actions that is small enough to know what is optimal. */
import {
  type ActionSpace,
  createEpisode,
  type EnvFactory,
  type EnvSpec,
  type Snapshot,
} from "../../envs/index.ts";

export interface ApproachOptions {
  /** What agents move by: a number, or a share for going up and one for going down. `box` by default. */
  readonly actions?: "box" | "simplex" | "uneven-simplex";
  /** Whether agents have rewards of their own, which is the default, or only the team's. */
  readonly rewards?: EnvSpec["rewards"];
}

/**
 * Two agents stand at points p_i, drawn in [-1, 1], each of which sees its own. A step costs an agent the square of its point,
 * then it moves by up to 1 either way. The best go to 0 at once, and pay p_i^2 in all.
 */
export const approachGame =
  ({ actions = "box", rewards = "individual" }: ApproachOptions = {}): EnvFactory =>
  () => {
    const space = (agent: number): ActionSpace =>
      actions === "box"
        ? { kind: "box", size: 1, low: -1, high: 1 }
        : { kind: "simplex", size: actions === "uneven-simplex" ? 2 + agent : 2 };
    const spaces = [space(0), space(1)];
    const spec: EnvSpec = {
      id: "approach",
      version: 1,
      agents: 2,
      observationSize: 1,
      stateSize: 2,
      stateSizes: [1, 1],
      actions: spaces,
      horizon: 3,
      rewards,
      sharedObservation: false,
    };
    const episode = createEpisode(spec);
    let points = [0, 0];
    return {
      spec,
      reset(rng) {
        episode.begin(rng);
        points = points.map(() => 2 * rng.uniform() - 1);
      },
      step(chosen) {
        episode.admit(chosen);
        const costs = points.map((p) => -p * p);
        const starts = [0, spaces[0].kind === "discrete" ? 1 : spaces[0].size];
        points = points.map((p, i) => {
          const at = starts[i];
          return p + (actions === "box" ? chosen[at] : chosen[at] - chosen[at + 1]);
        });
        return episode.conclude(costs[0] + costs[1], false, rewards === "individual" ? costs : undefined);
      },
      observe: (out, at) => out.set(points, at),
      state: (out, at) => out.set(points, at),
      snapshot: () => ({ episode: episode.snapshot(), points }),
      restore(snapshot) {
        const saved = snapshot as { readonly episode: Snapshot; readonly points: readonly number[] };
        episode.restore(saved.episode);
        points = [...saved.points];
      },
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };

/** Mean return of the best policy: twice the mean of a squared point, and nothing after the first step. */
export const bestApproach = -2 / 3;
