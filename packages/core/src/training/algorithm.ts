import type { z } from "zod";
import type { EnvBatch, EnvFactory, JsonValue } from "../envs/index.ts";
import type { AttentionReport, BnPolicy } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import type { DagRequest, DagSamples } from "./dag-samples.ts";

/** Named scalars of one moment of a run. */
export type Metrics = Readonly<Record<string, number>>;

/** All that a learner needs to go on bit for bit: arrays by name and a JSON remainder. */
export interface LearnerSnapshot {
  readonly tensors: Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array>>;
  readonly json: JsonValue;
}

/** What an algorithm is given when a run starts. */
export interface LearnerContext<Config> {
  /** Makes one copy of the environment, already configured. */
  readonly env: EnvFactory;
  readonly config: Config;
  /** Environment steps the whole run will take; schedules run over them. */
  readonly totalSteps: number;
  /** The run's root stream; the learner splits its own streams off by name. */
  readonly rng: Rng;
}

/** A training process that alternates between collecting experience and updating. */
export interface Learner {
  /** Environment steps one call of `iterate` takes, summed over parallel copies. */
  readonly stepsPerIteration: number;
  /** The joint policy, where it is a Bayesian network: its DAGs and conditionals can be asked of it. */
  readonly policy?: BnPolicy;
  /** What was decided on the way and a reader of the run should know (runtime, network variants, notes). */
  readonly facts: Readonly<Record<string, JsonValue>>;
  /**
   * Collects experience and updates once. Metrics carry slash-separated names such as `train/policy-loss`.
   * @throws DivergenceError when a loss or gradient is not finite; parameters are then as before that step.
   */
  iterate(): Promise<Metrics>;
  /** Plays whole episodes without exploration; the same `rng` state gives the same metrics (`eval/return`, ...). */
  evaluate(episodes: number, rng: Rng): Promise<Metrics>;
  snapshot(): LearnerSnapshot;
  restore(snapshot: LearnerSnapshot): void;
  /** The policy's parameters by name and shape, for safetensors. */
  parameters(): Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
  /** The policy as an ONNX file that runs outside corral. */
  exportPolicy(): Uint8Array;
  /**
   * The same policy as an ONNX file for each agent, by the agent's name (`agent-0`): it reads what this agent observes and
   * nothing else. Only where agents can act by themselves.
   */
  exportPolicies?(): Readonly<Record<string, Uint8Array>>;
  /**
   * Where only some policies let agents act by themselves: looks whether this one does. Comes before `exportPolicies`.
   *
   * @throws InputError when agents were seen to be told what others do
   */
  assertIndependent?(): Promise<void>;
  /**
   * How much the actions of the team attend to each other, where the policy has such attention: mean over about `samples`
   * moments of play without exploration.
   */
  attention?(samples: number, rng: Rng): Promise<AttentionReport>;
  /**
   * The DAGs that the policy's agents follow, where their joint policy is a Bayesian network, and what they do under them.
   *
   * @throws InputError when the environment cannot be put into the states asked for
   */
  dags?(request: DagRequest, rng: Rng): Promise<DagSamples>;
  /** Frees native memory. */
  dispose(): Promise<void>;
}

/** Settings that belong together, and what they are for. */
export interface Preset {
  readonly description: string;
  readonly config: Readonly<Record<string, JsonValue>>;
}

/** One algorithm: a config schema whose defaults are the paper's, and a way to start learning. */
export interface Algorithm<Config = unknown> {
  readonly name: string;
  readonly description: string;
  readonly source: string;
  readonly config: z.ZodType<Config>;
  /** Named groups of settings for a purpose; what the user sets himself goes before them. */
  readonly presets?: Readonly<Record<string, Preset>>;
  create(context: LearnerContext<Config>): Promise<Learner>;
}

/** A loss, gradient or parameter stopped being a finite number. */
export class DivergenceError extends Error {
  /** For example `"policy loss"`. */
  readonly quantity: string;
  readonly value: number;
  constructor(quantity: string, value: number) {
    super(`${quantity} is ${value}`);
    this.name = "DivergenceError";
    this.quantity = quantity;
    this.value = value;
  }
}

/** Whether copy `b` of a batch ended an episode with the last step. */
export const endedEpisode = (batch: EnvBatch, b: number): boolean =>
  batch.terminated[b] + batch.truncated[b] > 0;
