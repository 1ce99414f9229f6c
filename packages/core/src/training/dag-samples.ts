/** Which DAGs a learner is asked for. */
export interface DagRequest {
  /** States `[S]` of the environment to be put into; without any they are those of play without exploration. */
  readonly states?: readonly (readonly number[])[];
  /** How many states of play; of given states, how many draws in each where DAGs are drawn at random. */
  readonly samples: number;
  /** Learned DAGs: drawn under noise as in training; the likeliest otherwise. */
  readonly noisy: boolean;
}

/** DAGs over agents in `R` moments, and what agents do under them. */
export interface DagSamples {
  /** Where the DAGs come from, as the setting `dag` names it. */
  readonly source: string;
  /** `N`. */
  readonly agents: number;
  /** `R`. */
  readonly count: number;
  /** `[R, S]` */
  readonly states: Float32Array;
  /** 1 where the column is a parent of the row, `[R, N, N]`. */
  readonly parents: Float32Array;
  /** Agents in an order in which they can act, `[R, N]`. */
  readonly order: Int32Array;
  /** Each agent's likeliest action, given those of its parents, `[R, N]`. */
  readonly actions: Int32Array;
  /** What the team is paid for these actions, `[R]`. */
  readonly rewards: Float64Array;
  /** Where agents stand, in environments that say so, `[R, N, 2]`. */
  readonly positions?: Float32Array;
}
