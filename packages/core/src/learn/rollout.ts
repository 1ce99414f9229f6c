import type { EnvBatch, EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";

/**
 * What on-policy learning keeps of `T` steps in `B` environments, time-major flat arrays that are filled in place.
 * Agents choose among at most `A` actions.
 */
export interface Rollout {
  /** `T`. */
  readonly steps: number;
  /** `B`. */
  readonly environments: number;
  /** `[T, B, N, O]` */
  readonly observations: Float32Array;
  /** `[T, B, S]` */
  readonly states: Float32Array;
  /** `[T, B, N, A]`, where actions can be unavailable. */
  readonly available?: Float32Array;
  /** Dependency scores, where the environment has them, `[T, B, N, N]`. */
  readonly dependency?: Float32Array;
  /** 1 where the column was a parent of the row, `[T, B, N, N]`. */
  readonly parents: Float32Array;
  /** `[T, B, N]` */
  readonly actions: Int32Array;
  /** `log pi^i` of the action taken, `[T, B, N]`. */
  readonly logProbabilities: Float32Array;
  /** `[T, B]` */
  readonly rewards: Float64Array;
  /** 1 where an episode ended with the step, `[T, B]`. */
  readonly ended: Uint8Array;
  /** 1 where it ended by the time limit only, `[T, B]`. */
  readonly truncated: Uint8Array;
  /** State at the end of an episode, valid where one ended, `[T, B, S]`. */
  readonly finalStates: Float32Array;
  /** State after the last step, `[B, S]`. */
  readonly lastStates: Float32Array;
}

/** The largest number of actions of an agent. @throws InputError when an action space is not discrete */
export function mostActions(spec: EnvSpec): number {
  return Math.max(
    ...spec.actions.map((space, agent) => {
      if (space.kind !== "discrete") {
        throw new InputError(`${spec.id}: needs discrete actions, got a ${space.kind} for agent ${agent}`);
      }
      return space.n;
    }),
  );
}

/** Whether some action of some agent can be unavailable or is only padding. */
export const needsMasks = (batch: Pick<EnvBatch, "spec" | "available">): boolean =>
  batch.available !== undefined ||
  batch.spec.actions.some((space) => space.kind === "discrete" && space.n < mostActions(batch.spec));

/**
 * Writes the masks of all agents side by side, `[B, N, A]`: 1 for actions that may be played, 0 for those that may not
 * and for padding.
 */
export function writeMasks(batch: Pick<EnvBatch, "spec" | "size" | "available">, out: Float32Array): void {
  const width = mostActions(batch.spec);
  out.fill(0);
  let from = 0;
  for (let b = 0; b < batch.size; b++) {
    for (const [agent, space] of batch.spec.actions.entries()) {
      const to = (b * batch.spec.agents + agent) * width;
      const count = space.kind === "discrete" ? space.n : 0;
      for (let a = 0; a < count; a++)
        out[to + a] = batch.available === undefined ? 1 : batch.available[from + a];
      from += count;
    }
  }
}

export function createRollout(batch: EnvBatch, steps: number): Rollout {
  const { spec, size } = batch;
  const { agents, observationSize, stateSize } = spec;
  const samples = steps * size;
  return {
    steps,
    environments: size,
    observations: new Float32Array(samples * agents * observationSize),
    states: new Float32Array(samples * stateSize),
    available: needsMasks(batch) ? new Float32Array(samples * agents * mostActions(spec)) : undefined,
    dependency: batch.dependency === undefined ? undefined : new Float32Array(samples * agents * agents),
    parents: new Float32Array(samples * agents * agents),
    actions: new Int32Array(samples * agents),
    logProbabilities: new Float32Array(samples * agents),
    rewards: new Float64Array(samples),
    ended: new Uint8Array(samples),
    truncated: new Uint8Array(samples),
    finalStates: new Float32Array(samples * stateSize),
    lastStates: new Float32Array(size * stateSize),
  };
}
