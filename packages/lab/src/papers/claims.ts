import { InputError } from "corral/errors";
import { type Comparison, compareUnpaired, detectableDifference, mean, seedsNeeded } from "corral/stats";

/**
 * What the data say about a claim. "Undecided" is a real answer: the seeds cannot tell.
 */
export type Verdict = "reproduced" | "contradicted" | "undecided";

/** The direction in which a metric is better. */
export type Direction = "higher" | "lower";

/** The one number per run that a claim is about. */
export type Measure =
  /** The metric at the last evaluation. */
  | { readonly kind: "final" }
  /**
   * The mean height of the learning curve (the area under it over its length), which is higher the faster a method
   * learns. Values worse than `floor` count as `floor`, so that a catastrophic start does not drown the rest.
   */
  | { readonly kind: "training-average"; readonly floor?: number }
  /** The mean over the evaluations in the last `share` of the run. */
  | { readonly kind: "late-average"; readonly share: number }
  /** `share` times the metric at the first evaluation. */
  | { readonly kind: "initial"; readonly share: number }
  /** A fixed value, whatever the run did. */
  | { readonly kind: "constant"; readonly value: number };

/** One comparison of two curves. All differences are in the direction in which the metric is better. */
export interface ComparisonRule {
  readonly kind: "better" | "no-worse" | "similar";
  readonly first: string;
  readonly second: string;
  readonly panel?: string;
  /** One of the figure's further metrics; by default its first. */
  readonly metric?: string;
  readonly measure: Measure;
  /** What is measured of the second curve, where it is not the same. */
  readonly secondMeasure?: Measure;
  /** For "better": the smallest difference that would matter; else the margin. In units of the metric. */
  readonly margin: number;
}

export type Judge = ComparisonRule | { readonly kind: "all"; readonly judges: readonly Judge[] };

/** A sentence of a paper and the way it is put to the test. */
export interface Claim {
  readonly text: string;
  readonly judge: Judge;
}

interface Where {
  /** In a figure with several panels. */
  readonly panel?: string;
  /** In a figure with several metrics; default: its first. */
  readonly metric?: string;
  /** Default: the metric at the last evaluation. */
  readonly measure?: Measure;
}

export function claim(text: string, judge: Judge): Claim {
  return { text, judge };
}

/**
 * The first curve is better than the second.
 *
 * With [low, high] the confidence interval of the difference of means (first minus second):
 * contradicted when `high < smallestEffect` (any advantage is too small to matter, or it is a disadvantage);
 * otherwise reproduced when `low > 0`; otherwise undecided. Without a smallest effect the rule is symmetric: exchange
 * the curves and the verdict flips.
 */
export function betterThan(
  first: string,
  second: string,
  options: Where & { readonly smallestEffect?: number } = {},
): ComparisonRule {
  return comparison("better", first, second, options, options.smallestEffect ?? 0);
}

/**
 * The first curve is not worse than the second by `margin` or more (a non-inferiority test): reproduced when
 * `low > -margin`, contradicted when `high < -margin`, otherwise undecided.
 */
export function noWorseThan(
  first: string,
  second: string,
  options: Where & { readonly margin: number },
): ComparisonRule {
  return comparison("no-worse", first, second, options, options.margin);
}

/**
 * The two curves differ by less than `margin` (an equivalence test): reproduced when the interval lies inside
 * (-margin, margin), contradicted when it lies outside on one side, otherwise undecided. A difference that is merely
 * not significant is no evidence of similarity and stays undecided.
 */
export function similarTo(
  first: string,
  second: string,
  options: Where & { readonly margin: number },
): ComparisonRule {
  return comparison("similar", first, second, options, options.margin);
}

/**
 * The curve ends better than `share` times the height at which it begins; for metrics whose best value is 0. Its runs
 * begin and end alike rather than unlike, so that the unpaired interval is, if anything, too wide.
 */
export function endsBelow(
  series: string,
  options: Omit<Where, "measure"> & { readonly share: number },
): ComparisonRule {
  const { share, ...where } = options;
  return {
    ...comparison("better", series, series, where, 0),
    secondMeasure: { kind: "initial", share },
  };
}

/** A fixed value, such as that of the optimum, is better than the curve's end. */
export function endsShortOf(
  series: string,
  options: Omit<Where, "measure"> & { readonly value: number },
): ComparisonRule {
  const { value, ...where } = options;
  return {
    ...comparison("better", series, series, { ...where, measure: { kind: "constant", value } }, 0),
    secondMeasure: finalValue(),
  };
}

/** The curve's end is better than a fixed value, such as the best that is possible without communication. */
export function endsBeyond(
  series: string,
  options: Omit<Where, "measure"> & { readonly value: number },
): ComparisonRule {
  const { value, ...where } = options;
  return {
    ...comparison("better", series, series, where, 0),
    secondMeasure: { kind: "constant", value },
  };
}

/** The curve's end differs from a fixed value by less than `margin` (see `similarTo`). */
export function endsNear(
  series: string,
  options: Omit<Where, "measure"> & { readonly value: number; readonly margin: number },
): ComparisonRule {
  const { value, margin, ...where } = options;
  return {
    ...comparison("similar", series, series, where, margin),
    secondMeasure: { kind: "constant", value },
  };
}

/** All of the judges: reproduced when each is, contradicted when any is, otherwise undecided. */
export function all(...judges: readonly Judge[]): Judge {
  return { kind: "all", judges };
}

/** Every two of the curves are similar (see `similarTo`). */
export function allSimilar(names: readonly string[], options: Where & { readonly margin: number }): Judge {
  return all(
    ...names.flatMap((first, i) => names.slice(i + 1).map((second) => similarTo(first, second, options))),
  );
}

/** The metric at the last evaluation. */
export function finalValue(): Measure {
  return { kind: "final" };
}

/** The mean height of the learning curve, values worse than `floor` counting as `floor`. */
export function trainingAverage(options: { readonly floor?: number } = {}): Measure {
  return { kind: "training-average", ...options };
}

/** The mean over the evaluations in the last `share` of the run. */
export function lateAverage(share: number): Measure {
  return { kind: "late-average", share };
}

function comparison(
  kind: ComparisonRule["kind"],
  first: string,
  second: string,
  { panel, metric, measure = finalValue() }: Where,
  margin: number,
): ComparisonRule {
  const least = kind === "better" ? margin >= 0 : margin > 0;
  if (!least || !Number.isFinite(margin)) {
    throw new InputError(
      `claim about ${first} and ${second}: expected a ${kind === "better" ? "smallest effect of 0 or more" : "margin above 0"} but received ${margin}`,
    );
  }
  return {
    kind,
    first,
    second,
    ...(panel === undefined ? {} : { panel }),
    ...(metric === undefined ? {} : { metric }),
    measure,
    margin,
  };
}

/** The single comparisons that a judge is made of. */
export function comparisonsOf(judge: Judge): ComparisonRule[] {
  return judge.kind === "all" ? judge.judges.flatMap(comparisonsOf) : [judge];
}

/** The value of a measure for one run. @param better the direction in which `floor` is the bad end */
export function measureRun(
  measure: Measure,
  steps: ArrayLike<number>,
  values: ArrayLike<number>,
  better: Direction,
): number {
  const last = values.length - 1;
  if (measure.kind === "constant") return measure.value;
  if (measure.kind === "initial") return measure.share * values[0];
  if (measure.kind === "final" || last === 0) return values[last];
  if (measure.kind === "late-average") {
    const late = Array.from(values).filter((_, i) => steps[i] > (1 - measure.share) * steps[last]);
    return mean(late);
  }
  const floor = measure.floor;
  const at = (i: number) =>
    floor === undefined
      ? values[i]
      : better === "higher"
        ? Math.max(floor, values[i])
        : Math.min(floor, values[i]);
  let area = 0;
  for (let i = 1; i <= last; i++) area += ((at(i) + at(i - 1)) / 2) * (steps[i] - steps[i - 1]);
  return area / (steps[last] - steps[0]);
}

/** One comparison with its result. */
export interface ComparisonReport extends Comparison {
  readonly rule: ComparisonRule;
  readonly verdict: Verdict;
  /** Runs per curve that it would take to decide an undecided comparison, judged from the spread that was seen. */
  readonly seedsNeeded?: number;
  /** The same in words. */
  readonly warning?: string;
}

export interface ClaimReport {
  readonly text: string;
  readonly verdict: Verdict;
  readonly comparisons: readonly ComparisonReport[];
  /** Of an undecided claim: what its hardest comparison would take. */
  readonly warning?: string;
}

/**
 * Fewer runs of a curve than this decide nothing. The t interval trusts the spread that was seen, and the scores of
 * learners often cluster (whole agents left out, equilibria missed): when half of all runs end in one cluster, three
 * runs lie in a single one with probability 1/4 and look as if there were no spread; five with 1/16.
 */
export const leastSeeds = 5;

/** Finds the measured values of a curve's runs. */
export type Samples = (
  series: string,
  panel: string | undefined,
  measure: Measure,
  metric: string | undefined,
) => readonly number[];

/**
 * Judges all claims of a figure together.
 *
 * The figure's claims consist of m comparisons that have runs enough to be decided. Each is decided by a Welch t interval of confidence
 * 1 - 0.05 / m (Bonferroni), so that all m intervals hold at once with 95 % probability whatever their dependence,
 * and with it the chance that ANY verdict "reproduced" or "contradicted" of the figure is wrong is at most 5 %. We
 * prefer this to a stepwise correction such as Holm's because every verdict can be read off the interval printed
 * beside it, and because with three possible answers the stepwise ones need further assumptions.
 *
 * A comparison with fewer than `leastSeeds` runs of a curve stays undecided, and so cannot be wrong: it counts only where
 * there is no other.
 *
 * Runs of different curves with one seed are not treated as pairs: the methods draw different numbers of random
 * values, so a common seed does not make their runs alike.
 *
 * @param better the direction of every metric, or of each by name
 */
export function judgeClaims(
  claims: readonly Claim[],
  samples: Samples,
  better: Direction | ((metric: string | undefined) => Direction),
): ClaimReport[] {
  const measured = claims.map(({ text, judge }) => ({
    text,
    rules: comparisonsOf(judge).map((rule) => {
      const direction = typeof better === "function" ? better(rule.metric) : better;
      const values = (series: string, measure: Measure) => {
        const found = samples(series, rule.panel, measure, rule.metric);
        return direction === "higher" ? found : found.map((value) => -value);
      };
      const first = values(rule.first, rule.measure);
      const second = values(rule.second, rule.secondMeasure ?? rule.measure);
      return { rule, first, second };
    }),
  }));
  const every = measured.flatMap(({ rules }) => rules);
  const decidable = every.filter(({ first, second }) => Math.min(first.length, second.length) >= leastSeeds);
  const confidence = 1 - 0.05 / Math.max(1, decidable.length === 0 ? every.length : decidable.length);
  return measured.map(({ text, rules }) => {
    const comparisons = rules.map(({ rule, first, second }) =>
      judgeComparison(rule, first, second, confidence),
    );
    const verdict = joinVerdicts(comparisons.map((comparison) => comparison.verdict));
    const [hardest] = comparisons
      .filter(({ warning }) => warning !== undefined)
      .sort((a, b) => (b.seedsNeeded ?? 0) - (a.seedsNeeded ?? 0));
    return {
      text,
      verdict,
      comparisons,
      ...(verdict === "undecided" && hardest !== undefined ? { warning: hardest.warning } : {}),
    };
  });
}

function judgeComparison(
  rule: ComparisonRule,
  first: readonly number[],
  second: readonly number[],
  confidence: number,
): ComparisonReport {
  const result = compareUnpaired(first, second, { confidence });
  const verdict = Math.min(...result.sizes) < leastSeeds ? "undecided" : decide(rule, result.interval);
  return { rule, ...result, verdict, ...(verdict === "undecided" ? explain(rule, result) : {}) };
}

/** The rules of `betterThan`, `noWorseThan` and `similarTo`. */
function decide({ kind, margin }: ComparisonRule, { low, high }: { low: number; high: number }): Verdict {
  switch (kind) {
    case "better":
      return high < margin ? "contradicted" : low > 0 ? "reproduced" : "undecided";
    case "no-worse":
      return low > -margin ? "reproduced" : high < -margin ? "contradicted" : "undecided";
    case "similar":
      if (low > -margin && high < margin) return "reproduced";
      return high < -margin || low > margin ? "contradicted" : "undecided";
  }
}

function joinVerdicts(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes("contradicted")) return "contradicted";
  return verdicts.every((verdict) => verdict === "reproduced") ? "reproduced" : "undecided";
}

/** What the seeds at hand can separate, and how many the claim needs, judged from the spread that was seen. */
function explain(rule: ComparisonRule, result: Comparison): { warning: string; seedsNeeded: number } {
  const seeds = Math.min(...result.sizes);
  const who = rule.first === rule.second ? rule.first : `${rule.first} and ${rule.second}`;
  if (seeds < leastSeeds) {
    const warning = `${who}: too few seeds to decide (${seeds} each), use at least ${leastSeeds}`;
    return { warning, seedsNeeded: leastSeeds };
  }
  const options = {
    standardDeviation: result.standardError / Math.sqrt(1 / result.sizes[0] + 1 / result.sizes[1]),
    confidence: result.interval.confidence,
    // Similarity needs both ends of the interval inside the margin: each may fail with half the probability.
    power: rule.kind === "similar" ? 0.9 : 0.8,
  };
  const target = rule.margin > 0 ? rule.margin : Math.abs(result.difference);
  const separated = `${who}: ${seeds} seeds each separate differences of ${brief(detectableDifference(seeds, options))} or more`;
  const reason = rule.margin > 0 ? `the claim turns on ${brief(target)}` : `the one seen is ${brief(target)}`;
  const needed = seedsNeeded(target, options);
  if (needed <= seeds) {
    return {
      warning: `${separated}; ${reason}, and the difference lies too near it to call`,
      seedsNeeded: needed,
    };
  }
  const cost = Number.isFinite(needed) ? `about ${needed} seeds each` : "endlessly many seeds";
  return { warning: `${separated}; ${reason}, which takes ${cost}`, seedsNeeded: needed };
}

function brief(value: number): string {
  return String(Number(value.toPrecision(2)));
}
