import { InputError } from "../errors.ts";
import { type Dag, edgeCount, type Partition, satisfiesSubteamAssumption } from "../structure/index.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import type { DecompositionErrors } from "./decomposition.ts";
import { jointActionCount } from "./joint-action.ts";
import { visitationMismatch } from "./visitation.ts";

/** The papers whose constants are given. */
export type BoundPaper = "subteams" | "bn-rates";

/** A bound as its paper prints it, and as its proof gives it once slips are mended; equal where there are none. */
export interface Bound {
  readonly printed: number;
  readonly corrected: number;
  /** Paper and number of the result, and what differs. */
  readonly source: string;
}

/** A number of gradient steps after which the best iterate so far is as good as the theorem promises. */
export interface IterationBound extends Bound {
  /** The barrier weight the theorem prescribes. */
  readonly lambda: number;
  /** The two summands of `printed`. */
  readonly printedTerms: readonly [number, number];
  /** The two summands of `corrected`. */
  readonly correctedTerms: readonly [number, number];
}

/** The quantities the bounds are made of. */
export interface BoundSetting {
  readonly dag: Dag;
  /** `|S|`. */
  readonly states: number;
  /** `|A^i|`, `[N]`. */
  readonly actions: readonly number[];
  /** `gamma`. */
  readonly discount: number;
  /** `Delta = r_max - r_min`; Subteams assumes rewards in `[0, 1]`, so 1. */
  readonly rewardRange: number;
  /** `M`. */
  readonly mismatch: number;
}

/**
 * The setting of one DAG in one game.
 *
 * @param mismatch `M` of the game: give it when it is known, or to use an upper bound
 */
export function boundSetting(
  game: CooperativeMarkovGame,
  dag: Dag,
  mismatch: number = visitationMismatch(game),
): BoundSetting {
  const { states, actions, discount, reward } = game;
  let [least, most] = [reward[0], reward[0]];
  for (const one of reward) {
    least = Math.min(least, one);
    most = Math.max(most, one);
  }
  return { dag, states, actions, discount, rewardRange: most - least, mismatch };
}

/** `g({C_k}) = sum_k 2^|C_k| - K` (Subteams, Section 5). */
export function partitionComplexity(partition: Partition): number {
  return partition.reduce((sum, block) => sum + 2 ** block.length - 1, 0);
}

/**
 * What splitting a block of size `a + b` adds to `partitionComplexity`: `2^a + 2^b - 2^(a+b) - 1`, which is at most -1
 * (Subteams, Proposition 2).
 */
export function splitDifference(a: number, b: number): number {
  return 2 ** a + 2 ** b - 2 ** (a + b) - 1;
}

/** Whether every block of `fine` lies in a block of `coarse` (the order of Subteams, Propositions 1 and 2). */
export function isRefinement(fine: Partition, coarse: Partition): boolean {
  const blockOf = new Map(coarse.flatMap((block, k) => block.map((agent) => [agent, k] as const)));
  return fine.every((block) => block.every((agent) => blockOf.get(agent) === blockOf.get(block[0])));
}

/**
 * The only partition that can satisfy the assumption of Subteams for this DAG, the groups of agents that edges connect;
 * undefined when one of them is no subteam.
 */
export function subteamPartition(dag: Dag): number[][] | undefined {
  const groupOf = Array.from({ length: dag.agents }, (_, i) => i);
  dag.parents.forEach((own, i) => {
    for (const j of own) {
      const [kept, merged] = [groupOf[i], groupOf[j]];
      for (let agent = 0; agent < dag.agents; agent++) if (groupOf[agent] === merged) groupOf[agent] = kept;
    }
  });
  const blocks = new Map<number, number[]>();
  groupOf.forEach((group, agent) => {
    const block = blocks.get(group);
    if (block === undefined) blocks.set(group, [agent]);
    else block.push(agent);
  });
  const partition = [...blocks.values()];
  return satisfiesSubteamAssumption(dag, partition) ? partition : undefined;
}

/**
 * An upper bound `beta_lambda` on the smoothness of `L_lambda`: `8 N Delta / (1-gamma)^3 + sum_i 2 lambda / (S |A^{P^i}|)`
 * (BN-rates, Lemma 4), or with the looser last summand `2 lambda N / S` (Subteams, Lemma 4, for `Delta = 1`).
 */
export function smoothness(setting: BoundSetting, lambda: number, paper: BoundPaper = "bn-rates"): number {
  const { states, actions, discount, rewardRange } = setting;
  const agents = actions.length;
  const value = (8 * agents * rewardRange) / (1 - discount) ** 3;
  const shares = paper === "subteams" ? agents : inverseParentActions(setting);
  return value + (2 * lambda * shares) / states;
}

/** `1 / beta_lambda`, at which gradient ascent never lowers `L_lambda`; far too small to be practical. */
export function theoryStepSize(setting: BoundSetting, lambda: number): number {
  return 1 / smoothness(setting, lambda);
}

/**
 * `tau = lambda / (2 S A max_i |A^i|)`: the lemmas speak of parameters whose gradient of `L_lambda` is no longer than this
 * (Subteams and BN-rates, Lemma 2).
 */
export function stationarityLevel(setting: Pick<BoundSetting, "states" | "actions">, lambda: number): number {
  const { states, actions } = setting;
  return lambda / (2 * states * jointActionCount(actions) * Math.max(...actions));
}

/** At the stationarity level the policy is an equilibrium up to `2 lambda M` (Subteams and BN-rates, Lemma 2). */
export function lemma2({ mismatch }: Pick<BoundSetting, "mismatch">, lambda: number): Bound {
  const gap = 2 * lambda * mismatch;
  return { printed: gap, corrected: gap, source: "Subteams, Lemma 2; BN-rates, Lemma 2" };
}

/**
 * At the stationarity level the suboptimality is at most
 * `2 lambda M g + 2K (|epsilon_r| / (1-gamma) + gamma S |epsilon_P| / (1-gamma)^2)` (Subteams, Lemma 3). Corrected: the last
 * summand is printed for rewards in `[0, 1]` and grows with their range.
 *
 * @param errors those of the game decomposed by `subteamPartition(setting.dag)`
 * @throws InputError when the DAG is not made of subteams without edges between them
 */
export function lemma3Subteams(setting: BoundSetting, lambda: number, errors: DecompositionErrors): Bound {
  const { states, discount, rewardRange, mismatch } = setting;
  const partition = requireSubteams(setting.dag);
  const stationary = 2 * lambda * mismatch * partitionComplexity(partition);
  const decomposition = (range: number) =>
    2 *
    partition.length *
    (errors.reward / (1 - discount) + (discount * states * errors.transition * range) / (1 - discount) ** 2);
  return {
    printed: stationary + decomposition(1),
    corrected: stationary + decomposition(rewardRange),
    source: "Subteams, Lemma 3; printed for rewards in [0, 1]",
  };
}

/**
 * At the stationarity level a full DAG's suboptimality is at most `2^(N+1) N lambda M` (BN-rates, Lemma 3): right, but about
 * `N` times as large as what Subteams, Lemma 3 gives for one block.
 *
 * @throws InputError when the DAG is not full
 */
export function lemma3BnRates(setting: BoundSetting, lambda: number): Bound {
  requireFull(setting.dag);
  const agents = setting.actions.length;
  const bound = 2 ** (agents + 1) * agents * lambda * setting.mismatch;
  return { printed: bound, corrected: bound, source: "BN-rates, Lemma 3" };
}

/**
 * Steps from `theta = 0` with `lambda = epsilon / 2M` until an iterate is an equilibrium up to `epsilon` (Theorem 1 of either
 * paper). Corrected: the proofs reach the level `lambda / (2 S max_i |A^i|)` where Lemma 2 asks for another factor `A`
 * below, so both summands need `A^2`; BN-rates carries a stray `lambda` in its second one.
 */
export function theorem1(setting: BoundSetting, epsilon: number, paper: BoundPaper): IterationBound {
  const { states, actions, discount, rewardRange, mismatch } = setting;
  const agents = actions.length;
  const horizon = 1 - discount;
  const lambda = epsilon / (2 * mismatch);
  const most = Math.max(...actions);
  const squared = jointActionCount(actions) ** 2;
  const shares = paper === "subteams" ? agents : inverseParentActions(setting);
  const first = (256 * agents * (mismatch * states * most) ** 2) / (horizon ** 4 * epsilon ** 2);
  const second = (32 * shares * mismatch * states * most ** 2) / (horizon * epsilon);
  if (paper === "subteams") {
    return iterationBound(
      lambda,
      [first, second],
      [first * squared * rewardRange ** 2, second * squared * rewardRange],
      "Subteams, Theorem 1; the level of Lemma 2 needs A^2, printed for rewards in [0, 1]",
    );
  }
  return iterationBound(
    lambda,
    [first * rewardRange ** 2, lambda * second * rewardRange],
    [first * squared * rewardRange ** 2, second * squared * rewardRange],
    "BN-rates, Theorem 1; the level of Lemma 2 needs A^2, the second summand has a stray lambda",
  );
}

/**
 * Steps from `theta = 0` with `lambda = epsilon / (2 M g)` until an iterate is optimal up to `epsilon` and the decomposition's
 * share of `lemma3Subteams` (Subteams, Theorem 2). Right as printed for rewards in `[0, 1]`; corrected carries their range.
 *
 * @throws InputError when the DAG is not made of subteams without edges between them
 */
export function theorem2Subteams(setting: BoundSetting, epsilon: number): IterationBound {
  const { states, actions, discount, rewardRange, mismatch } = setting;
  const complexity = partitionComplexity(requireSubteams(setting.dag));
  const agents = actions.length;
  const horizon = 1 - discount;
  const size = jointActionCount(actions) * Math.max(...actions);
  const first = (256 * agents * (mismatch * states * size * complexity) ** 2) / (epsilon ** 2 * horizon ** 4);
  const second = (32 * agents * mismatch * states * size ** 2 * complexity) / (epsilon * horizon);
  return iterationBound(
    epsilon / (2 * mismatch * complexity),
    [first, second],
    [first * rewardRange ** 2, second * rewardRange],
    "Subteams, Theorem 2; printed for rewards in [0, 1]",
  );
}

/**
 * Steps from `theta = 0` with `lambda = epsilon / (2^(N+1) N M)` until an iterate of a full DAG is optimal up to `epsilon`
 * (BN-rates, Theorem 2). Corrected: the square of `2^(N+1)` makes `2^(2N+8)` of the printed `2^(N+8)` and `2^(N+5)` of 8.
 *
 * @throws InputError when the DAG is not full
 */
export function theorem2BnRates(setting: BoundSetting, epsilon: number): IterationBound {
  requireFull(setting.dag);
  const { states, actions, discount, rewardRange, mismatch } = setting;
  const agents = actions.length;
  const horizon = 1 - discount;
  const size = jointActionCount(actions) * Math.max(...actions);
  const first = (agents ** 3 * (mismatch * states * size * rewardRange) ** 2) / (epsilon ** 2 * horizon ** 4);
  const second =
    (agents * mismatch * states * size ** 2 * rewardRange * inverseParentActions(setting)) /
    (epsilon * horizon);
  return iterationBound(
    epsilon / (2 ** (agents + 1) * agents * mismatch),
    [2 ** (agents + 8) * first, 8 * second],
    [2 ** (2 * agents + 8) * first, 2 ** (agents + 5) * second],
    "BN-rates, Theorem 2; squaring 2^(N+1) gives 2^(2N+8) and 2^(N+5)",
  );
}

function iterationBound(
  lambda: number,
  printedTerms: readonly [number, number],
  correctedTerms: readonly [number, number],
  source: string,
): IterationBound {
  return {
    printed: printedTerms[0] + printedTerms[1],
    corrected: correctedTerms[0] + correctedTerms[1],
    source,
    lambda,
    printedTerms,
    correctedTerms,
  };
}

/** `sum_i 1 / |A^{P^i}|`. */
function inverseParentActions({ dag, actions }: BoundSetting): number {
  return dag.parents.reduce((sum, own) => sum + own.reduce((share, parent) => share / actions[parent], 1), 0);
}

function requireSubteams(dag: Dag): number[][] {
  const partition = subteamPartition(dag);
  if (partition === undefined) {
    throw new InputError(
      "DAG: some connected agents are not all joined to each other, expected subteams without edges between them",
    );
  }
  return partition;
}

function requireFull(dag: Dag): void {
  const [count, most] = [edgeCount(dag), (dag.agents * (dag.agents - 1)) / 2];
  if (count !== most) throw new InputError(`DAG has ${count} edges, expected a full one with ${most}`);
}
