import type { EnvBatch } from "../envs/index.ts";
import { mostActions, needsMasks } from "./rollout.ts";

/**
 * What stretches of experience consist of: `T` steps, a single one or a whole episode, and `M` moments at which agents
 * observe.
 */
export interface SegmentShape {
  /** `T`. */
  readonly steps: number;
  /** `M`: `T + 1`, or `T` where nothing ever follows the last step because the game ends with it. */
  readonly moments: number;
  /** `N`. */
  readonly agents: number;
  /** `O`. */
  readonly observationSize: number;
  /** `S`. */
  readonly stateSize: number;
  /** `A`, the most that an agent has. */
  readonly actions: number;
  /** Whether actions can be unavailable or only padding. */
  readonly masked: boolean;
}

/** `B` segments side by side, time-major. Steps after the end of an episode are zeros. */
export interface Segments {
  readonly shape: SegmentShape;
  /** `B`. */
  readonly size: number;
  /** `[M, B, N, O]` */
  readonly observations: Float32Array;
  /** `[M, B, S]` */
  readonly states: Float32Array;
  /** 1 for actions that may be played, where masks are needed, `[M, B, N, A]`. */
  readonly available?: Float32Array;
  /** `[T, B, N]` */
  readonly actions: Int32Array;
  /** `[T, B]` */
  readonly rewards: Float32Array;
  /** 1 where nothing of value follows the step, `[T, B]`. */
  readonly terminated: Float32Array;
  /** 1 for steps that were played, 0 for padding after an episode's end, `[T, B]`. */
  readonly mask: Float32Array;
}

/**
 * Segments of an environment.
 *
 * @param unit a transition is one step with what follows it; an episode goes on to the horizon
 */
export function segmentShape(batch: Pick<EnvBatch, "spec" | "available">, unit: SegmentUnit): SegmentShape {
  const { agents, observationSize, stateSize, horizon } = batch.spec;
  const steps = unit === "episode" ? horizon : 1;
  return {
    steps,
    moments: horizon === 1 ? 1 : steps + 1,
    agents,
    observationSize,
    stateSize,
    actions: mostActions(batch.spec),
    masked: needsMasks(batch),
  };
}

export type SegmentUnit = "transition" | "episode";

/** Memory for `size` segments. */
export function createSegments(shape: SegmentShape, size: number): Segments {
  const { steps, moments, agents, observationSize, stateSize, actions, masked } = shape;
  return {
    shape,
    size,
    observations: new Float32Array(moments * size * agents * observationSize),
    states: new Float32Array(moments * size * stateSize),
    ...(masked ? { available: new Float32Array(moments * size * agents * actions) } : {}),
    actions: new Int32Array(steps * size * agents),
    rewards: new Float32Array(steps * size),
    terminated: new Float32Array(steps * size),
    mask: new Float32Array(steps * size),
  };
}

type SegmentInput<D extends "float32" | "int32"> = {
  readonly dtype: D;
  readonly shape: readonly number[];
} & {
  readonly values: D extends "int32" ? Int32Array : Float32Array;
};

/** Inputs of a program that reads its segments from this memory. */
export function segmentInputs({ shape, size, ...fields }: Segments): {
  readonly observations: SegmentInput<"float32">;
  readonly states: SegmentInput<"float32">;
  readonly available?: SegmentInput<"float32">;
  readonly actions: SegmentInput<"int32">;
  readonly rewards: SegmentInput<"float32">;
  readonly terminated: SegmentInput<"float32">;
  readonly mask: SegmentInput<"float32">;
} {
  const { steps, moments, agents, observationSize, stateSize, actions } = shape;
  const float = (values: Float32Array, ...shape: number[]) => ({ dtype: "float32", shape, values }) as const;
  return {
    observations: float(fields.observations, moments, size, agents, observationSize),
    states: float(fields.states, moments, size, stateSize),
    ...(fields.available === undefined
      ? {}
      : { available: float(fields.available, moments, size, agents, actions) }),
    actions: { dtype: "int32", shape: [steps, size, agents], values: fields.actions },
    rewards: float(fields.rewards, steps, size),
    terminated: float(fields.terminated, steps, size),
    mask: float(fields.mask, steps, size),
  };
}

/** The arrays of segments with the rows (moments or steps) and the width that each takes of one segment. */
export function segmentFields(segments: Omit<Segments, "size">): readonly {
  readonly name: string;
  readonly values: Float32Array | Int32Array;
  readonly rows: number;
  readonly width: number;
}[] {
  const { steps, moments, agents, observationSize, stateSize, actions } = segments.shape;
  return [
    { name: "observations", values: segments.observations, rows: moments, width: agents * observationSize },
    { name: "states", values: segments.states, rows: moments, width: stateSize },
    ...(segments.available === undefined
      ? []
      : [{ name: "available", values: segments.available, rows: moments, width: agents * actions }]),
    { name: "actions", values: segments.actions, rows: steps, width: agents },
    { name: "rewards", values: segments.rewards, rows: steps, width: 1 },
    { name: "terminated", values: segments.terminated, rows: steps, width: 1 },
    { name: "mask", values: segments.mask, rows: steps, width: 1 },
  ];
}
