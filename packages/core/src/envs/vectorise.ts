import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { jointActionSize, maskSize } from "./actions.ts";
import type { EnvFactory } from "./definition.ts";
import type { EnvSpec, JointAction, Snapshot } from "./env.ts";
import { specProblem } from "./spec-problem.ts";

/**
 * `B` copies of an environment stepped together over flat arrays, which stay the same objects for good: read or
 * copy them before the next step. A copy whose episode ends starts the next one at once.
 */
export interface EnvBatch {
  readonly spec: EnvSpec;
  /** `B`. */
  readonly size: number;
  /** Present observations, of the new episode where one just ended, `[B, N, O]`. */
  readonly observations: Float32Array;
  /** Present states, `[B, S]`. */
  readonly states: Float32Array;
  /** Present action masks, where the environment has them, `[B, sum_i n_i]`. */
  readonly available?: Uint8Array;
  /** Present dependency scores, where the environment has them, `[B, N, N]`. */
  readonly dependency?: Float32Array;
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
  /** Sum of team rewards of the episode that just ended; valid where one did, `[B]`. */
  readonly episodeReturns: Float64Array;
  /** Steps of the episode that just ended; valid where one did, `[B]`. */
  readonly episodeLengths: Int32Array;
  /** 1 where the episode that just ended reached its goal, in games that have one; valid where one did, `[B]`. */
  readonly successes?: Uint8Array;
  /** Sum of each side's rewards of the episode that just ended, in games of several sides; valid where one did, `[B, sides]`. */
  readonly sideReturns?: Float64Array;
  /**
   * Plays one joint action in every copy.
   * @param actions `[B, N]`; the agents' vectors one after the other when an action space is not discrete
   */
  step(actions: Int32Array | Float32Array): void;
  /** Writes who sees whom now, where the environment says so, `[B, N, N]`. */
  visibility?(out: Uint8Array): void;
  /** Writes where agents stand now, where the environment says so, `[B, N, 2]`. */
  positions?(out: Float32Array): void;
  snapshot(): Snapshot;
  /** Goes on exactly from a snapshot of a batch of the same environment and size. */
  restore(snapshot: Snapshot): void;
}

/**
 * Copies of an environment, already reset. Copy `b` draws from `rng.split(String(b))` for all its episodes.
 *
 * @throws InputError when what the environment says of itself contradicts itself
 */
export function vectorise(factory: EnvFactory, size: number, rng: Rng): EnvBatch {
  if (!Number.isInteger(size) || size < 1) throw new Error(`vectorise: size is ${size}, expected at least 1`);
  const envs = Array.from({ length: size }, factory);
  const streams = envs.map((_, b) => rng.split(String(b)));
  const { spec } = envs[0];
  const problem = specProblem(spec);
  if (problem !== undefined) throw new InputError(`${spec.id}: ${problem}`);
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

  const look = (b: number): void => {
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
    step(actions) {
      if (actions.length !== received.length || !(actions instanceof ArrayType)) {
        throw new Error(
          `${spec.id}: expected the actions of ${size} copies as ${ArrayType.name} of length ${received.length}, ` +
            `got ${actions.constructor.name} of length ${actions.length}`,
        );
      }
      received.set(actions);
      for (let b = 0; b < size; b++) {
        const env = envs[b];
        const outcome = env.step(actionsOf[b]);
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
