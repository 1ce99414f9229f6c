/** Replayed transitions as tables whose columns are samples, and what learners of deterministic actors compute on them. */
import type { EnvSpec } from "../envs/index.ts";
import type { SegmentShape } from "../learn/index.ts";
import { asColumns } from "../models/index.ts";
import {
  add,
  constant,
  div,
  type Expr,
  mean,
  mul,
  NonFiniteError,
  type Program,
  reshape,
  slice,
  square,
  sub,
  type Values,
} from "../tensor/index.ts";
import type { Metrics } from "./algorithm.ts";

/** What is seen at a moment of each of `R` transitions. */
export interface ColumnsOfMoment {
  /** Of all agents, padding included, `[N O, R]`. */
  readonly observations: Expr;
  /** `[S, R]` */
  readonly states: Expr;
}

/** `R` replayed transitions. */
export interface ControlColumns {
  readonly now: ColumnsOfMoment;
  /** What follows; absent in games of one step. */
  readonly next?: ColumnsOfMoment;
  /** Joint actions, `[K, R]`. */
  readonly actions: Expr;
  /** Of the team, `[1, R]`. */
  readonly rewards: Expr;
  /** Of each agent, where they have their own, `[N, R]`. */
  readonly individualRewards?: Expr;
  /** 0 where nothing of value follows, else 1, `[1, R]`. */
  readonly goesOn: Expr;
}

/** @param leaves transitions with real-valued actions as a program reads them (`segmentInputs`) */
export function controlColumns(
  { moments, agents }: SegmentShape,
  leaves: Readonly<Record<string, Expr>>,
): ControlColumns {
  const [, count] = leaves.rewards.shape;
  const columns = (values: Expr, width: number, from = 0): Expr =>
    asColumns(reshape(slice(values, 0, from, from + 1), [count, width]));
  const row = (values: Expr): Expr => reshape(values, [1, count]);
  const { observations, states, controls } = leaves;
  const moment = (from: number): ColumnsOfMoment => ({
    observations: columns(observations, agents * observations.shape[3], from),
    states: columns(states, states.shape[2], from),
  });
  return {
    now: moment(0),
    ...(moments > 1 ? { next: moment(1) } : {}),
    actions: columns(controls, controls.shape[2]),
    rewards: row(leaves.rewards),
    ...(leaves.individualRewards === undefined
      ? {}
      : { individualRewards: columns(leaves.individualRewards, agents) }),
    goesOn: sub(1, row(leaves.terminated)),
  };
}

/** Lower and upper ends of the numbers of a joint action, their middle, and half their distance: `[K, 1]` each. */
export function actionRanges({
  actions,
}: EnvSpec): Readonly<Record<"low" | "high" | "centre" | "half", Expr>> {
  const ranges = actions.flatMap((space) => {
    if (space.kind === "discrete") return [];
    const { low, high } = space.kind === "box" ? space : { low: 0, high: 1 };
    return new Array<{ low: number; high: number }>(space.size).fill({ low, high });
  });
  const each = (of: (range: { readonly low: number; readonly high: number }) => number): Expr =>
    constant("float32", [ranges.length, 1], ranges.map(of));
  return {
    low: each(({ low }) => low),
    high: each(({ high }) => high),
    centre: each(({ low, high }) => (low + high) / 2),
    half: each(({ low, high }) => (high - low) / 2),
  };
}

/** Joint actions as critics are told them, `[K, R]`: numbers of a range in ±1, shares as they are. */
export function criticActions(spec: EnvSpec, actions: Expr): Expr {
  if (spec.actions.every(({ kind }) => kind === "simplex")) return actions;
  const { centre, half } = actionRanges(spec);
  return div(sub(actions, centre), half);
}

/**
 * Targets `y = scale r + discount (1 - terminated) Q'`.
 *
 * @param rewards one row, or one for each critic
 * @param following values of what follows by the target networks, `[C, R]`; absent in games of one step
 */
export function bootstrapped(
  rewards: Expr,
  following: Expr | undefined,
  goesOn: Expr,
  { rewardScale, discount }: { readonly rewardScale: number; readonly discount: number },
): Expr {
  const scaled = mul(rewards, rewardScale);
  return following === undefined ? scaled : add(scaled, mul(following, mul(goesOn, discount)));
}

/** Mean squared error of each critic, `[C]`. */
export const squaredErrors = (values: Expr, targets: Expr): Expr => mean(square(sub(values, targets)), [1]);

/**
 * Runs a training program. Its results are scalars, or vectors with a number for each agent, whose mean is reported.
 *
 * @throws NonFiniteError that names the agent, as "critic-loss of agent 7"
 */
export async function runForAgents(
  program: Pick<Program<Record<string, never>, string>, "name" | "results" | "run">,
): Promise<Metrics> {
  try {
    await program.run();
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    const values = program.results[error.quantity] as Float32Array;
    if (values.length === 1) throw error;
    const agent = values.findIndex((value) => !Number.isFinite(value));
    throw new NonFiniteError(program.name, `${error.quantity} of agent ${agent}`, error.value);
  }
  return Object.fromEntries(
    Object.entries(program.results).map(([name, values]) => [`train/${name}`, meanOf(values)]),
  );
}

const meanOf = (values: Values): number =>
  (values as Float32Array).reduce((total, value) => total + value, 0) / values.length;
