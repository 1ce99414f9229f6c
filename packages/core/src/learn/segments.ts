import { type EnvBatch, type EnvSpec, jointActionSize } from "../envs/index.ts";
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
  /** `A`, the most that an agent has; 0 where actions are real vectors. */
  readonly actions: number;
  /** `K`, numbers of a joint action of real vectors; 0 where actions are discrete. */
  readonly controls: number;
  /** Whether every agent has a reward of its own. */
  readonly individualRewards: boolean;
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
  /** `[T, B, N]`; empty where actions are real vectors. */
  readonly actions: Int32Array;
  /** The agents' real vectors one after the other, where actions are such, `[T, B, K]`. */
  readonly controls?: Float32Array;
  /** Of the team, `[T, B]`. */
  readonly rewards: Float32Array;
  /** Of each agent, in games that have them, `[T, B, N]`. */
  readonly individualRewards?: Float32Array;
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
    ...actionSizes(batch.spec),
    individualRewards: batch.spec.rewards === "individual",
    masked: needsMasks(batch),
  };
}

/** @throws InputError when some agents have discrete actions and others real vectors */
function actionSizes(spec: EnvSpec): Pick<SegmentShape, "actions" | "controls"> {
  const discrete = spec.actions.some(({ kind }) => kind === "discrete");
  return discrete
    ? { actions: mostActions(spec), controls: 0 }
    : { actions: 0, controls: jointActionSize(spec) };
}

export type SegmentUnit = "transition" | "episode";

/** Memory for `size` segments. */
export function createSegments(shape: SegmentShape, size: number): Segments {
  const { steps, moments, agents, observationSize, stateSize, actions, controls, masked } = shape;
  return {
    shape,
    size,
    observations: new Float32Array(moments * size * agents * observationSize),
    states: new Float32Array(moments * size * stateSize),
    ...(masked ? { available: new Float32Array(moments * size * agents * actions) } : {}),
    actions: new Int32Array(controls > 0 ? 0 : steps * size * agents),
    ...(controls > 0 ? { controls: new Float32Array(steps * size * controls) } : {}),
    rewards: new Float32Array(steps * size),
    ...(shape.individualRewards ? { individualRewards: new Float32Array(steps * size * agents) } : {}),
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
  readonly controls?: SegmentInput<"float32">;
  readonly rewards: SegmentInput<"float32">;
  readonly individualRewards?: SegmentInput<"float32">;
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
    actions: {
      dtype: "int32",
      shape: [steps, size, shape.controls > 0 ? 0 : agents],
      values: fields.actions,
    },
    ...(fields.controls === undefined
      ? {}
      : { controls: float(fields.controls, steps, size, shape.controls) }),
    rewards: float(fields.rewards, steps, size),
    ...(fields.individualRewards === undefined
      ? {}
      : { individualRewards: float(fields.individualRewards, steps, size, agents) }),
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
    segments.controls === undefined
      ? { name: "actions", values: segments.actions, rows: steps, width: agents }
      : { name: "controls", values: segments.controls, rows: steps, width: segments.shape.controls },
    { name: "rewards", values: segments.rewards, rows: steps, width: 1 },
    ...(segments.individualRewards === undefined
      ? []
      : [{ name: "individualRewards", values: segments.individualRewards, rows: steps, width: agents }]),
    { name: "terminated", values: segments.terminated, rows: steps, width: 1 },
    { name: "mask", values: segments.mask, rows: steps, width: 1 },
  ];
}
