import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { jointActionSize, maskSize } from "./actions.ts";
import type { EnvFactory } from "./definition.ts";
import type { Env, EnvSpec, JointAction, Snapshot } from "./env.ts";
import { specProblem } from "./spec-problem.ts";

/** What agents of `B` copies see, and what the last step brought them. The arrays stay the same objects for good. */
export interface Experiences {
  readonly spec: EnvSpec;
  /** `B`. */
  readonly size: number;
  /** Present observations, of the new episode where one just ended, `[B, N, O]`. */
  readonly observations: Float32Array;
  /** Present states, `[B, S]`. */
  readonly states: Float32Array;
  /** Present action masks, where the environment has them, `[B, sum_i n_i]`. */
  readonly available?: Uint8Array;
  /** Team rewards of the last step, `[B]`. */
  readonly rewards: Float64Array;
  /** Agents' rewards of the last step, where the game has them, `[B, N]`. */
  readonly individualRewards?: Float64Array;
  /** 1 where the last step ended the episode by itself, `[B]`. */
  readonly terminated: Uint8Array;
  /** 1 where the time limit cut the episode, `[B]`. */
  readonly truncated: Uint8Array;
  /** Observations at the end of the episode, before the reset; valid where one just ended, `[B, N, O]`. */
  readonly finalObservations: Float32Array;
  /** States at the end of the episode; valid where one just ended, `[B, S]`. */
  readonly finalStates: Float32Array;
  /** Action masks at the end of the episode, where the environment has them; valid where one just ended. */
  readonly finalAvailable?: Uint8Array;
}

/**
 * `B` copies of an environment stepped together over flat arrays: read or copy them before the next step. A copy whose
 * episode ends starts the next one at once.
 */
export interface EnvBatch extends Experiences {
  /** Present dependency scores, where the environment has them, `[B, N, N]`. */
  readonly dependency?: Float32Array;
  /** Sum of team rewards of the episode that just ended; valid where one did, `[B]`. */
  readonly episodeReturns: Float64Array;
  /** Steps of the episode that just ended; valid where one did, `[B]`. */
  readonly episodeLengths: Int32Array;
  /** 1 where the episode that just ended reached its goal, in games that have one; valid where one did, `[B]`. */
  readonly successes?: Uint8Array;
  /** Sum of each side's rewards of the episode that just ended, in games of several sides; valid where one did, `[B, sides]`. */
  readonly sideReturns?: Float64Array;
  /** The same copies as the team's rivals see them, in games that leave these to somebody else. */
  readonly rivals?: RivalBatch;
  /**
   * Plays one joint action in every copy.
   * @param actions `[B, N]`; the agents' vectors one after the other when an action space is not discrete
   * @param theirs what the rivals do, where there are such, `[B, R]`
   */
  step(actions: Int32Array | Float32Array, theirs?: Int32Array): void;
  /** Writes who sees whom now, where the environment says so, `[B, N, N]`. */
  visibility?(out: Uint8Array): void;
  /** Writes where agents stand now, where the environment says so, `[B, N, 2]`. */
  positions?(out: Float32Array): void;
  snapshot(): Snapshot;
  /** Goes on exactly from a snapshot of a batch of the same environment and size. */
  restore(snapshot: Snapshot): void;
}

/** The rivals in a batch, whose rewards are each its own. */
export interface RivalBatch extends Experiences {
  /** What they are called, `[R]`. */
  readonly names: readonly string[];
  readonly individualRewards: Float64Array;
}

/**
 * Copies of an environment, already reset. Copy `b` draws from `rng.split(String(b))` for all its episodes.
 *
 * @param options.rivals whether the caller plays the team's rivals, in games that leave these to somebody else
 * @throws InputError when what the environment says of itself contradicts itself, and when it has rivals that nobody plays
 */
export function vectorise(
  factory: EnvFactory,
  size: number,
  rng: Rng,
  options: { readonly rivals?: boolean } = {},
): EnvBatch {
  if (!Number.isInteger(size) || size < 1) throw new Error(`vectorise: size is ${size}, expected at least 1`);
  const envs = Array.from({ length: size }, factory);
  const streams = envs.map((_, b) => rng.split(String(b)));
  const { spec } = envs[0];
  const problem = specProblem(spec);
  if (problem !== undefined) throw new InputError(`${spec.id}: ${problem}`);
  if (envs[0].rivals !== undefined && !options.rivals) {
    throw new InputError(
      `${spec.id}: has opponents that learn (${envs[0].rivals.names.join(", ")}), which nobody trains or plays here; ` +
        "expected opponents that do not learn, as under protocol=team",
    );
  }
  const observationsPerCopy = spec.agents * spec.observationSize;
  const actionsPerCopy = jointActionSize(spec);
  const masksPerCopy = maskSize(spec);
  const pairs = spec.agents * spec.agents;

  const observations = new Float32Array(size * observationsPerCopy);
  const states = new Float32Array(size * spec.stateSize);
  const available = envs[0].available === undefined ? undefined : new Uint8Array(size * masksPerCopy);
  const dependency = envs[0].dependency === undefined ? undefined : new Float32Array(size * pairs);
  const rewards = new Float64Array(size);
  const individualRewards = spec.rewards === "individual" ? new Float64Array(size * spec.agents) : undefined;
  const terminated = new Uint8Array(size);
  const truncated = new Uint8Array(size);
  const finalObservations = new Float32Array(size * observationsPerCopy);
  const finalStates = new Float32Array(size * spec.stateSize);
  const finalAvailable = available === undefined ? undefined : new Uint8Array(available.length);
  const episodeReturns = new Float64Array(size);
  const episodeLengths = new Int32Array(size);
  const successes = spec.success === undefined ? undefined : new Uint8Array(size);
  const sides = spec.sides?.length ?? 0;
  const sideReturns = sides === 0 ? undefined : new Float64Array(size * sides);
  const runningReturns = new Float64Array(size);
  const runningSideReturns = new Float64Array(size * sides);
  const runningLengths = new Int32Array(size);

  // The actions of all copies land in one array, of which every copy holds a lasting view.
  const ArrayType = spec.actions.every(({ kind }) => kind === "discrete") ? Int32Array : Float32Array;
  const received = new ArrayType(size * actionsPerCopy);
  const actionsOf: JointAction[] = envs.map((_, b) =>
    received.subarray(b * actionsPerCopy, (b + 1) * actionsPerCopy),
  );

  const rivals = envs[0].rivals && rivalsOf(envs, terminated, truncated);

  const look = (b: number): void => {
    rivals?.look(b);
    const env = envs[b];
    env.observe(observations, b * observationsPerCopy);
    env.state(states, b * spec.stateSize);
    if (available !== undefined) {
      env.available?.(available, b * masksPerCopy);
      expectPlayable(spec, available, b * masksPerCopy, runningLengths[b]);
    }
    if (dependency !== undefined) env.dependency?.(dependency, b * pairs);
  };

  for (let b = 0; b < size; b++) {
    envs[b].reset(streams[b]);
    look(b);
  }

  return {
    spec,
    size,
    observations,
    states,
    available,
    dependency,
    rewards,
    individualRewards,
    terminated,
    truncated,
    finalObservations,
    finalStates,
    finalAvailable,
    episodeReturns,
    episodeLengths,
    successes,
    sideReturns,
    rivals: rivals?.batch,
    step(actions, theirs) {
      if (actions.length !== received.length || !(actions instanceof ArrayType)) {
        throw new Error(
          `${spec.id}: expected the actions of ${size} copies as ${ArrayType.name} of length ${received.length}, ` +
            `got ${actions.constructor.name} of length ${actions.length}`,
        );
      }
      received.set(actions);
      rivals?.receive(theirs);
      for (let b = 0; b < size; b++) {
        const env = envs[b];
        const outcome = env.step(actionsOf[b], rivals?.actionsOf[b]);
        rivals?.note(b);
        rewards[b] = outcome.reward;
        terminated[b] = outcome.terminated ? 1 : 0;
        truncated[b] = outcome.truncated ? 1 : 0;
        if (individualRewards !== undefined && outcome.rewards !== undefined) {
          const from = b * spec.agents;
          for (let i = 0; i < spec.agents; i++) individualRewards[from + i] = outcome.rewards[i];
        }
        runningReturns[b] += outcome.reward;
        if (sideReturns !== undefined) {
          const gains = env.sideRewards!();
          for (let k = 0; k < sides; k++) runningSideReturns[b * sides + k] += gains[k];
        }
        runningLengths[b]++;
        if (outcome.terminated || outcome.truncated) {
          env.observe(finalObservations, b * observationsPerCopy);
          env.state(finalStates, b * spec.stateSize);
          rivals?.noteEnd(b);
          if (finalAvailable !== undefined) env.available?.(finalAvailable, b * masksPerCopy);
          episodeReturns[b] = runningReturns[b];
          episodeLengths[b] = runningLengths[b];
          if (successes !== undefined) successes[b] = outcome.success ? 1 : 0;
          sideReturns?.set(runningSideReturns.subarray(b * sides, (b + 1) * sides), b * sides);
          runningReturns[b] = 0;
          runningSideReturns.fill(0, b * sides, (b + 1) * sides);
          runningLengths[b] = 0;
          env.reset(streams[b]);
        }
        look(b);
      }
    },
    ...(envs[0].visibility === undefined
      ? {}
      : {
          visibility: (out: Uint8Array) => {
            for (const [b, env] of envs.entries()) env.visibility?.(out, b * pairs);
          },
        }),
    ...(envs[0].positions === undefined
      ? {}
      : {
          positions: (out: Float32Array) => {
            for (const [b, env] of envs.entries()) env.positions?.(out, b * 2 * spec.agents);
          },
        }),
    snapshot: () => ({
      copies: envs.map((env) => env.snapshot()),
      runningReturns: [...runningReturns],
      runningLengths: [...runningLengths],
      ...(sideReturns === undefined ? {} : { runningSideReturns: [...runningSideReturns] }),
      rewards: [...rewards],
      individualRewards: individualRewards === undefined ? null : [...individualRewards],
      ...(rivals === undefined ? {} : { rivals: rivals.snapshot() }),
      terminated: [...terminated],
      truncated: [...truncated],
      ended: envs.flatMap((_, b) =>
        terminated[b] + truncated[b] === 0
          ? []
          : {
              copy: b,
              return: episodeReturns[b],
              length: episodeLengths[b],
              ...(successes === undefined ? {} : { success: successes[b] }),
              ...(sideReturns === undefined
                ? {}
                : { sides: [...sideReturns.subarray(b * sides, (b + 1) * sides)] }),
              observations: [
                ...finalObservations.subarray(b * observationsPerCopy, (b + 1) * observationsPerCopy),
              ],
              state: [...finalStates.subarray(b * spec.stateSize, (b + 1) * spec.stateSize)],
              ...(finalAvailable === undefined
                ? {}
                : { available: [...finalAvailable.subarray(b * masksPerCopy, (b + 1) * masksPerCopy)] }),
            },
      ),
    }),
    restore(snapshot) {
      const saved = snapshot as unknown as BatchSnapshot;
      if (saved.copies.length !== size) {
        throw new Error(`${spec.id}: snapshot has ${saved.copies.length} copies, expected ${size}`);
      }
      for (let b = 0; b < size; b++) {
        envs[b].restore(saved.copies[b]);
        look(b);
      }
      runningReturns.set(saved.runningReturns);
      runningLengths.set(saved.runningLengths);
      if (saved.runningSideReturns !== undefined) runningSideReturns.set(saved.runningSideReturns);
      rewards.set(saved.rewards);
      if (saved.individualRewards !== null) individualRewards?.set(saved.individualRewards);
      if (saved.rivals !== undefined) rivals?.restore(saved.rivals);
      terminated.set(saved.terminated);
      truncated.set(saved.truncated);
      for (const end of saved.ended) {
        episodeReturns[end.copy] = end.return;
        episodeLengths[end.copy] = end.length;
        if (successes !== undefined) successes[end.copy] = end.success ?? 0;
        if (end.sides !== undefined) sideReturns?.set(end.sides, end.copy * sides);
        finalObservations.set(end.observations, end.copy * observationsPerCopy);
        finalStates.set(end.state, end.copy * spec.stateSize);
        if (end.available !== undefined) finalAvailable?.set(end.available, end.copy * masksPerCopy);
      }
    },
  };
}

/** The rivals' arrays and what fills them. */
function rivalsOf(envs: readonly Env[], terminated: Uint8Array, truncated: Uint8Array) {
  const size = envs.length;
  const sides = envs.map((env) => env.rivals!);
  const { names, spec } = sides[0];
  const problem = specProblem(spec) ?? (spec.stateSize === 0 ? undefined : "rivals have no state");
  if (problem !== undefined) throw new InputError(`${spec.id}: ${problem}`);
  const width = spec.agents * spec.observationSize;
  const batch: RivalBatch = {
    names,
    spec,
    size,
    observations: new Float32Array(size * width),
    states: new Float32Array(0),
    rewards: new Float64Array(size),
    individualRewards: new Float64Array(size * spec.agents),
    terminated,
    truncated,
    finalObservations: new Float32Array(size * width),
    finalStates: new Float32Array(0),
  };
  const { observations, rewards, individualRewards, finalObservations } = batch;
  const received = new Int32Array(size * spec.agents);
  return {
    batch,
    actionsOf: envs.map((_, b) => received.subarray(b * spec.agents, (b + 1) * spec.agents)),
    receive(actions: Int32Array | undefined): void {
      if (actions?.length !== received.length) {
        throw new Error(
          `${spec.id}: expected the actions of ${names.join(", ")} in ${size} copies, ${received.length} in all, ` +
            `got ${actions?.length ?? "none"}`,
        );
      }
      received.set(actions);
    },
    look: (b: number) => sides[b].observe(observations, b * width),
    /** What the last step brought them in a copy. */
    note(b: number): void {
      const own = sides[b].rewards();
      rewards[b] = 0;
      for (let i = 0; i < spec.agents; i++) {
        individualRewards[b * spec.agents + i] = own[i];
        rewards[b] += own[i];
      }
    },
    /** What they see as an episode ends in a copy. */
    noteEnd: (b: number) => sides[b].observe(finalObservations, b * width),
    snapshot: (): RivalSnapshot => ({
      individualRewards: [...individualRewards],
      rewards: [...rewards],
      finalObservations: [...finalObservations],
    }),
    restore(saved: RivalSnapshot): void {
      individualRewards.set(saved.individualRewards);
      rewards.set(saved.rewards);
      finalObservations.set(saved.finalObservations);
    },
  };
}

type RivalSnapshot = {
  readonly individualRewards: readonly number[];
  readonly rewards: readonly number[];
  readonly finalObservations: readonly number[];
};

/** @throws InputError when an agent has no action that it may play */
function expectPlayable(spec: EnvSpec, available: Uint8Array, at: number, step: number): void {
  let from = at;
  for (let agent = 0; agent < spec.agents; agent++) {
    const space = spec.actions[agent];
    if (space.kind !== "discrete") continue;
    const to = from + space.n;
    let any = 0;
    for (let k = from; k < to; k++) any |= available[k];
    if (any === 0) {
      throw new InputError(
        `${spec.id}: agent ${agent} has no available action at step ${step}, expected at least one of ${space.n}`,
      );
    }
    from = to;
  }
}

interface BatchSnapshot {
  readonly copies: readonly Snapshot[];
  readonly runningReturns: readonly number[];
  readonly runningLengths: readonly number[];
  readonly runningSideReturns?: readonly number[];
  readonly rewards: readonly number[];
  readonly individualRewards: readonly number[] | null;
  readonly rivals?: RivalSnapshot;
  readonly terminated: readonly number[];
  readonly truncated: readonly number[];
  /** Copies whose episode ended in the last step, with what it ended on. */
  readonly ended: readonly {
    readonly copy: number;
    readonly return: number;
    readonly length: number;
    readonly success?: number;
    readonly sides?: readonly number[];
    readonly observations: readonly number[];
    readonly state: readonly number[];
    readonly available?: readonly number[];
  }[];
}
