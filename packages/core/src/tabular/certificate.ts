import type { FiniteGame } from "../envs/index.ts";
import { type Dag, type Edge, edgeCount, edges, type Partition } from "../structure/index.ts";
import {
  type Bound,
  boundSetting,
  lemma2,
  lemma3BnRates,
  lemma3Subteams,
  stationarityLevel,
  subteamPartition,
} from "./bounds.ts";
import { type DecompositionErrors, decompositionErrors } from "./decomposition.ts";
import { jointActionCount } from "./joint-action.ts";
import { optimalValue } from "./policy-value.ts";
import { exactSoftmaxPolicy } from "./softmax-policy.ts";
import { thetaToNested } from "./theta-layout.ts";
import { unvisitedStates, visitationMismatch } from "./visitation.ts";

/** What `gameFromJson` reads. */
export interface GameJson {
  /** `[N]` */
  readonly actions: readonly number[];
  readonly states: number;
  /** `[S][A][S]` */
  readonly transition: readonly (readonly (readonly number[])[])[];
  /** `[S][A]` */
  readonly reward: readonly (readonly number[])[];
  /** `[S]` */
  readonly initial: readonly number[];
  readonly discount: number;
}

/** What a lemma says of the certified policy. */
export interface CertifiedBound {
  /** The quantity that the lemma bounds: the equilibrium gap of Lemma 2, the optimality gap of Lemmas 3. */
  readonly measured: number;
  /** As the paper prints it; null where it is infinite or the lemma does not speak of this DAG. */
  readonly printed: number | null;
  /** As its proof gives it; null as `printed`. */
  readonly corrected: number | null;
  /** Whether each premise of the lemma is met; one that is not leaves the inequality to chance. */
  readonly premises: Readonly<Record<string, boolean>>;
  /** Whether `measured` is at most `corrected`, up to rounding; null without a bound. */
  readonly holds: boolean | null;
}

/**
 * A policy of a game with all that is said of it, as plain JSON. Nothing in it needs to be believed: `verifyCertificate`
 * computes every number again from `game`, `edges`, `lambda` and `theta`.
 */
export interface Certificate {
  readonly format: "corral certificate 1";
  /** Hash of `game`: equal games have equal hashes. */
  readonly gameHash: string;
  readonly game: GameJson;
  /** `[parent, child]`, by increasing child, then parent. */
  readonly edges: readonly Edge[];
  /** Weight of the log barrier. */
  readonly lambda: number;
  /** `theta[i][s][k][u]` */
  readonly theta: readonly number[][][][];
  /** `V(mu)` */
  readonly value: number;
  /** `L_lambda` */
  readonly regularisedValue: number;
  /** `V*(mu)` */
  readonly optimalValue: number;
  /** `V*(mu) - V(mu)` */
  readonly optimalityGap: number;
  /** `1 - V(mu) / V*(mu)`; null when `V*(mu)` is 0. */
  readonly suboptimality: number | null;
  /** `V(mu) / V*(mu)`; null when `V*(mu)` is 0. */
  readonly priceOfAnarchy: number | null;
  /** `V(s)`, `[S]` */
  readonly stateValues: readonly number[];
  /** Discounted expected visits from `mu`, which sum to `1 / (1 - gamma)`, `[S]`. */
  readonly visitation: readonly number[];
  /** Euclidean length of `gradient`. */
  readonly gradientNorm: number;
  /** `tau`, the gradient norm of which the lemmas speak. */
  readonly stationarityLevel: number;
  /** Of `L_lambda`, nested as `theta`. */
  readonly gradient: readonly number[][][][];
  /** What each agent can gain alone, seeing its parents' actions, `[N]`. */
  readonly equilibriumGap: readonly number[];
  /** What each agent can gain alone by one action for each state, `[N]`; can be negative. */
  readonly gapUnconditional: readonly number[];
  /** `M`; null when it is infinite. */
  readonly mismatch: number | null;
  /** States that some policy never visits, which make `M` infinite. */
  readonly unvisitedStates: readonly number[];
  /**
   * The DAG's subteams, and the largest errors of the game's least-squares decomposition by them; null when the DAG is
   * not made of subteams.
   */
  readonly decomposition: (DecompositionErrors & { readonly partition: Partition }) | null;
  readonly bounds: Readonly<Record<"lemma2" | "lemma3Subteams" | "lemma3BnRates", CertifiedBound>>;
  /** Hash of everything else. */
  readonly hash: string;
}

/** A cryptographic hash of a JSON value that does not depend on the order of keys. */
export type HashJson = (value: unknown) => string;

/** Measured quantities may exceed a bound by this share of the value's size, which rounding makes. */
const ROUNDING = 1e-10;

/**
 * Computes everything a certificate says of one policy.
 *
 * @param theta laid out by `thetaLayout`
 * @param lambda weight of the log barrier, at least 0
 */
export async function certify(
  game: FiniteGame,
  dag: Dag,
  theta: Float64Array,
  lambda: number,
  hash: HashJson,
): Promise<Certificate> {
  const policy = exactSoftmaxPolicy(game, dag);
  const nested = (values: Float64Array) => thetaToNested(policy.layout, values);
  const value = policy.differentiate(theta, lambda);
  const optimum = optimalValue(game).value;
  const partition = subteamPartition(dag);
  const errors = partition === undefined ? undefined : await decompositionErrors(game, partition);
  const mismatch = visitationMismatch(game);
  const tau = stationarityLevel(game, lambda);
  const gradient = nested(policy.gradient);
  const gradientNorm = Math.sqrt(policy.gradient.reduce((sum, entry) => sum + entry * entry, 0));
  const gaps = [...policy.equilibriumGaps(theta)];
  const setting = boundSetting(game, dag, mismatch);
  const isFull = edgeCount(dag) === (dag.agents * (dag.agents - 1)) / 2;
  const premises = {
    barrier: lambda > 0,
    stationary: gradientNorm <= tau,
    everyStateVisited: Number.isFinite(mismatch),
  };
  const judge = (
    measured: number,
    bound: Bound | undefined,
    own: Readonly<Record<string, boolean>>,
  ): CertifiedBound => {
    // Without a finite mismatch the lemmas say nothing, whatever lambda is.
    const stated = premises.everyStateVisited ? bound : undefined;
    return {
      measured,
      printed: stated?.printed ?? null,
      corrected: stated?.corrected ?? null,
      premises: { ...premises, ...own },
      holds: stated === undefined ? null : measured <= stated.corrected + ROUNDING * (1 + Math.abs(optimum)),
    };
  };
  const statement = {
    format: "corral certificate 1",
    game: gameToJson(game),
    edges: edges(dag),
    lambda,
    theta: nested(theta),
    value,
    regularisedValue: policy.regularisedValue(theta, lambda),
    optimalValue: optimum,
    optimalityGap: optimum - value,
    suboptimality: optimum === 0 ? null : 1 - value / optimum,
    priceOfAnarchy: optimum === 0 ? null : value / optimum,
    stateValues: [...policy.stateValues],
    visitation: [...policy.visitation],
    gradientNorm,
    stationarityLevel: tau,
    gradient,
    equilibriumGap: gaps,
    gapUnconditional: [...policy.unconditionalGaps(theta)],
    mismatch: premises.everyStateVisited ? mismatch : null,
    unvisitedStates: neverSurelyVisited(game),
    decomposition: errors === undefined || partition === undefined ? null : { partition, ...errors },
    bounds: {
      lemma2: judge(Math.max(...gaps), lemma2(setting, lambda), {}),
      lemma3Subteams: judge(
        optimum - value,
        errors === undefined ? undefined : lemma3Subteams(setting, lambda, errors),
        { subteams: errors !== undefined },
      ),
      lemma3BnRates: judge(optimum - value, isFull ? lemma3BnRates(setting, lambda) : undefined, {
        fullDag: isFull,
      }),
    },
  } as const;
  const hashed = { ...statement, gameHash: hash(statement.game) };
  return { ...hashed, hash: hash(hashed) };
}

/** States that some policy never visits, in increasing order. */
function neverSurelyVisited(game: FiniteGame): number[] {
  const { unreachable, avoidable } = unvisitedStates(game);
  return [...unreachable, ...avoidable].sort((a, b) => a - b);
}

/** The nested form that `gameFromJson` reads. */
export function gameToJson(game: FiniteGame): GameJson {
  const { actions, states, transition, reward, initial, discount } = game;
  const joint = jointActionCount(actions);
  const rows = (table: Float64Array, from: number, count: number, length: number) =>
    Array.from({ length: count }, (_, k) => [
      ...table.subarray((from + k) * length, (from + k + 1) * length),
    ]);
  return {
    actions,
    states,
    transition: Array.from({ length: states }, (_, s) => rows(transition, s * joint, joint, states)),
    reward: rows(reward, 0, states, joint),
    initial: [...initial],
    discount,
  };
}
