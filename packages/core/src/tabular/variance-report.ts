import { agentSet, criticSum, gradientDependency, valueDependency } from "../structure/index.ts";
import { enumerateJointActions, jointActionCount } from "./joint-action.ts";
import { kernelMemory } from "./kernels.ts";
import { policyEvaluator } from "./policy-evaluator.ts";
import {
  jointGame,
  type ObservationTables,
  observationPolicies,
  observationsOf,
  partOf,
  productPolicy,
  type StructuredGame,
} from "./structured-game.ts";

/**
 * How the variance of an agent's policy gradient changes when it learns from the values that its action matters to alone:
 * from `Qhat`, the sum over `I_GD`, in place of `Q = Qhat + Qbar` of the whole team.
 */
export interface VarianceReport {
  /**
   * Total variances, traces of the covariance, of estimators `(value - error) score` of one gradient. The score is the
   * gradient of `log pi_i(a_i|o_i)`; states come from the discounted visits, actions from the policies.
   */
  readonly totalVariance: {
    /** With `Q`. */
    readonly whole: number;
    /** With `Qhat`. */
    readonly decomposed: number;
    /** With `Qhat + A`, where `A = Qbar - E[Qbar | s, ahat]` and `ahat` are the actions of the agents in `I_Qhat`. */
    readonly centred: number;
  };
  /** What the decomposition saves: `totalVariance.whole - totalVariance.decomposed`. */
  readonly reduction: number;
  /** The same by the identity `E[(Qbar^2 + 2 Qhat Qbar) |score|^2]` plus the difference of errors. */
  readonly identity: number;
  /**
   * What theorem 4.2 prints about the reduction, whether or not it holds. `F` is the sum of the values of the agents outside
   * `I_Qhat`, and the difference of errors is added to each.
   */
  readonly printed: {
    /** `E[F^2 |score|^2]`: the identity without its cross term. */
    readonly withoutCrossTerm: number;
    /** `inf |score|^2 E[F^2]`. */
    readonly lower: number;
    /** `(inf_s E[|score|^2 | s])^2 E[F^2]`, as in the proof. */
    readonly lowerInProof: number;
    /** `sup |score|^2 sum_j eps_j^2` over the agents outside `I_Qhat`, `eps_j = sup |Q - E[Q | s, a without a_j]|`. */
    readonly upper: number;
  };
  /** What holds: the theorem with the centred estimator in place of the whole team's. */
  readonly centred: {
    /** `totalVariance.centred - totalVariance.decomposed`. */
    readonly reduction: number;
    /** `inf_s E[|score|^2 | s] E[A^2]` plus the difference of errors. */
    readonly lower: number;
    /** The printed one. */
    readonly upper: number;
  };
}

/** Variances of the errors of estimated values, which are independent of all else and have mean zero. */
export interface ValueErrors {
  /** Of `Q`, and of `Qhat + A`; 0 by default. */
  readonly whole?: number;
  /** Of `Qhat`; 0 by default. */
  readonly decomposed?: number;
}

/**
 * Theorem 4.2 of MABN in one game, by enumeration of all states and joint actions.
 *
 * The theorem puts the reduction between two bounds. Its proof takes `E[Q | s, ahat]` for `Qhat`, but it is
 * `Qhat + E[Qbar | s, ahat]`, so that a cross term is lost. Without that expectation, that is for the centred estimator, the
 * bounds follow: given s and `ahat`, A has mean zero, and `E[A^2] <= sum_j eps_j^2` (Efron and Stein).
 *
 * @param logits of every agent's policy
 * @param agent whose gradient it is
 * @throws InputError when a table of the game or of the logits has another size than the couplings ask for, a row is no
 * distribution, or the game is too large
 */
export function varianceReport(
  game: StructuredGame,
  logits: ObservationTables,
  agent: number,
  { whole = 0, decomposed = 0 }: ValueErrors = {},
): VarianceReport {
  const { actions, couplings } = game;
  const everyone = actions.map((_, j) => j);
  const policies = observationPolicies(game, logits);
  const jointPolicy = productPolicy(game, policies);
  const { values, probability } = evaluate(game, jointPolicy);
  const score = scoreOf(game, policies[agent], agent);

  const dependency = valueDependency(couplings);
  const matters = [...agentSet(gradientDependency(dependency), agent)];
  const read = [...agentSet(criticSum(dependency), agent)];
  const outside = everyone.filter((j) => !read.includes(j));
  const all = sumOf(values, everyone);
  const near = sumOf(values, matters);
  const rest = all.map((value, k) => value - near[k]);
  const far = sumOf(values, outside);
  const restGiven = meanGiven(partOf(actions, read), jointPolicy, rest);
  const advantage = rest.map((value, k) => value - restGiven[k]);

  const expect = (f: (k: number) => number): number =>
    probability.reduce((sum, chance, k) => (chance > 0 ? sum + chance * f(k) : sum), 0);
  const largest = (f: (k: number) => number): number =>
    probability.reduce(
      (most, chance, k) => (chance > 0 ? Math.max(most, f(k)) : most),
      Number.NEGATIVE_INFINITY,
    );
  const { squaredNorm } = score;
  const totalVariance = (value: Float64Array, error: number) =>
    expect((k) => (value[k] ** 2 + error) * squaredNorm[k]) - squaredMean(score, probability, value);

  const errors = (whole - decomposed) * expect((k) => squaredNorm[k]);
  const ofWhole = totalVariance(all, whole);
  const ofDecomposed = totalVariance(near, decomposed);
  const ofCentred = totalVariance(
    near.map((value, k) => value + advantage[k]),
    whole,
  );
  const leastMean = -largest((k) => -score.meanSquaredNorm[Math.floor(k / score.chosen.length)]);
  const spreads = outside.map((j) => {
    const others = everyone.filter((i) => i !== j);
    const allGiven = meanGiven(partOf(actions, others), jointPolicy, all);
    return largest((k) => Math.abs(all[k] - allGiven[k])) ** 2;
  });
  const upper = largest((k) => squaredNorm[k]) * spreads.reduce((sum, spread) => sum + spread, 0) + errors;
  return {
    totalVariance: { whole: ofWhole, decomposed: ofDecomposed, centred: ofCentred },
    reduction: ofWhole - ofDecomposed,
    identity: expect((k) => (rest[k] ** 2 + 2 * near[k] * rest[k]) * squaredNorm[k]) + errors,
    printed: {
      withoutCrossTerm: expect((k) => far[k] ** 2 * squaredNorm[k]) + errors,
      lower: -largest((k) => -squaredNorm[k]) * expect((k) => far[k] ** 2) + errors,
      lowerInProof: leastMean ** 2 * expect((k) => far[k] ** 2) + errors,
      upper,
    },
    centred: {
      reduction: ofCentred - ofDecomposed,
      lower: leastMean * expect((k) => advantage[k] ** 2) + errors,
      upper,
    },
  };
}

/**
 * `Q_j(s, a)` of each agent's own rewards `[N][S, A]`, and the probability of each joint state and joint action under
 * discounted visits that sum to 1, `[S, A]`.
 */
function evaluate(structured: StructuredGame, jointPolicy: Float64Array) {
  const game = jointGame(structured);
  const memory = kernelMemory();
  const policy = memory.keep(jointPolicy);
  const joint = jointPolicy.length / game.states;
  let probability = jointPolicy;
  const values = game.rewards.map((reward) => {
    const evaluator = policyEvaluator(memory, game, reward);
    evaluator.solve(policy);
    evaluator.computeActionValues();
    const visits = memory.view(evaluator.visitation);
    probability = jointPolicy.map(
      (chance, k) => (1 - game.discount) * visits[Math.floor(k / joint)] * chance,
    );
    return memory.view(evaluator.actionValues).slice();
  });
  return { values, probability };
}

function sumOf(values: readonly Float64Array[], agents: readonly number[]): Float64Array {
  return values[0].map((_, k) => agents.reduce((sum, j) => sum + values[j][k], 0));
}

/**
 * `E[f(s, a) | s, part of a]` when the rest of a comes from the policy.
 *
 * @param part of each joint action, `[A]`
 * @param f `[S, A]`
 * @returns `[S, A]`; 0 where the part has no probability
 */
function meanGiven(part: Int32Array, jointPolicy: Float64Array, f: Float64Array): Float64Array {
  const joint = part.length;
  const mean = new Float64Array(f.length);
  const sum = new Float64Array(joint);
  const mass = new Float64Array(joint);
  for (let from = 0; from < f.length; from += joint) {
    sum.fill(0);
    mass.fill(0);
    for (let a = 0; a < joint; a++) {
      sum[part[a]] += jointPolicy[from + a] * f[from + a];
      mass[part[a]] += jointPolicy[from + a];
    }
    for (let a = 0; a < joint; a++) mean[from + a] = mass[part[a]] > 0 ? sum[part[a]] / mass[part[a]] : 0;
  }
  return mean;
}

/** The gradient of `log pi_i(a_i|o_i)` by the logits of agent i: zero but for the row of what it observes. */
interface Score {
  readonly policy: Float64Array;
  /** Number of actions. */
  readonly choices: number;
  /** What the agent observes in each joint state, `[S]`. */
  readonly observed: Int32Array;
  /** Its action in each joint action, `[A]`. */
  readonly chosen: Int32Array;
  /** `|score|^2`, `[S, A]`. */
  readonly squaredNorm: Float64Array;
  /** `E[|score|^2 | s]`, `[S]`. */
  readonly meanSquaredNorm: Float64Array;
}

function scoreOf(game: StructuredGame, policy: Float64Array, agent: number): Score {
  const { actions } = game;
  const choices = actions[agent];
  const observed = observationsOf(game, agent);
  const digits = enumerateJointActions(actions);
  const joint = jointActionCount(actions);
  const chosen = Int32Array.from({ length: joint }, (_, a) => digits[a * actions.length + agent]);
  const squaredNorm = new Float64Array(observed.length * joint);
  const meanSquaredNorm = new Float64Array(observed.length);
  observed.forEach((observation, s) => {
    const own = policy.subarray(observation * choices, (observation + 1) * choices);
    const squares = own.reduce((sum, chance) => sum + chance ** 2, 0);
    // The row is a unit vector less the policy.
    chosen.forEach((u, a) => {
      squaredNorm[s * joint + a] = 1 - 2 * own[u] + squares;
    });
    meanSquaredNorm[s] = 1 - squares;
  });
  return { policy, choices, observed, chosen, squaredNorm, meanSquaredNorm };
}

/** `|E[value score]|^2`. */
function squaredMean(
  { policy, choices, observed, chosen }: Score,
  probability: Float64Array,
  value: Float64Array,
): number {
  const joint = chosen.length;
  const mean = new Float64Array(policy.length);
  for (let k = 0; k < value.length; k++) {
    const row = observed[Math.floor(k / joint)] * choices;
    const weighted = probability[k] * value[k];
    for (let u = 0; u < choices; u++) mean[row + u] -= weighted * policy[row + u];
    mean[row + chosen[k % joint]] += weighted;
  }
  return mean.reduce((sum, entry) => sum + entry ** 2, 0);
}
