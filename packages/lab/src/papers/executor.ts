import type { DagSamples, Learner } from "corral/algorithms";
import type { JsonValue } from "corral/envs";
import type { AttentionReport } from "corral/models";

/** Everything that decides what one training run computes. */
export interface RunRequest {
  readonly algorithm: string;
  readonly env: string;
  /** Settings of the algorithm that differ from its defaults. */
  readonly config: Readonly<Record<string, JsonValue>>;
  /** Settings of the environment that differ from its defaults. */
  readonly envConfig: Readonly<Record<string, JsonValue>>;
  readonly seed: number;
  /** Environment steps to train for. */
  readonly steps: number;
  /** Iterations of the learner between evaluations. */
  readonly evaluateEvery: number;
  /** Episodes of one evaluation. */
  readonly evaluationEpisodes: number;
}

/** A run and its place in a figure. */
export interface FigureRun {
  /** Name of the curve it belongs to. */
  readonly series: string;
  /** Name of the panel, in a figure with several. */
  readonly panel?: string;
  readonly request: RunRequest;
}

/** One metric over a run: values at environment steps, in order. */
export interface MetricSeries {
  readonly steps: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** What a finished run gives back. */
export interface FinishedRun {
  readonly run: FigureRun;
  /** Throws when the run has no metric of that name. */
  metrics(name: string): MetricSeries;
  /**
   * Attention of the run's newest checkpoint, mean over about so many moments of play.
   *
   * @throws InputError when its policy has none
   */
  attention(samples: number): Promise<AttentionReport>;
  /**
   * The DAGs that agents follow by the run's newest checkpoint, in given states.
   *
   * @throws InputError when they follow none
   */
  dags(states: readonly (readonly number[])[]): Promise<DagSamples>;
  /** All parameters of the run's newest checkpoint, by name. */
  parameters(): Promise<ReturnType<Learner["parameters"]>>;
  /** Where the run is kept. */
  readonly directory: string;
}

/** Whatever can make runs be there: it trains those that are missing and reads those that are not. */
export interface Executor {
  execute(runs: readonly FigureRun[]): Promise<readonly FinishedRun[]>;
}
