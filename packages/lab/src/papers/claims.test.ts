import { InputError } from "corral/errors";
import { compareUnpaired } from "corral/stats";
import { expect, test } from "vitest";
import {
  all,
  allSimilar,
  betterThan,
  type Claim,
  claim,
  comparisonsOf,
  endsBelow,
  endsBeyond,
  endsNear,
  endsShortOf,
  finalValue,
  judgeClaims,
  lateAverage,
  measureRun,
  noWorseThan,
  similarTo,
  trainingAverage,
} from "./claims.ts";

/** Five runs around a centre; two such samples differ with a standard error of sqrt(2 * 0.025 / 5) = 0.1 exactly. */
const around = (centre: number) => [-0.2, -0.1, 0, 0.1, 0.2].map((offset) => centre + offset);

/** Verdict of a single judge on named samples. */
function verdict(
  judge: Claim["judge"],
  values: Record<string, number[]>,
  better: "higher" | "lower" = "higher",
) {
  return judgeClaims([claim("test", judge)], (series) => values[series], better)[0].verdict;
}

// With five runs each, 8 degrees of freedom and a standard error of 0.1, the 95 % interval reaches 2.306 * 0.1 = 0.2306.

test("betterThan: above zero, below zero, across zero", () => {
  const judge = betterThan("a", "b");
  expect(verdict(judge, { a: around(1.24), b: around(1) })).toBe("reproduced");
  expect(verdict(judge, { a: around(1.22), b: around(1) })).toBe("undecided");
  expect(verdict(judge, { a: around(0.78), b: around(1) })).toBe("undecided");
  expect(verdict(judge, { a: around(0.76), b: around(1) })).toBe("contradicted");
});

test("exchanging the two curves flips the verdict of betterThan", () => {
  for (const difference of [-0.5, -0.24, 0.24, 0.5]) {
    const values = { a: around(difference), b: around(0) };
    const forward = verdict(betterThan("a", "b"), values);
    const backward = verdict(betterThan("b", "a"), values);
    expect([forward, backward].sort()).toEqual(["contradicted", "reproduced"]);
    expect(forward).toBe(difference > 0 ? "reproduced" : "contradicted");
  }
  expect(verdict(betterThan("b", "a"), { a: around(0.1), b: around(0) })).toBe("undecided");
});

test("an advantage shown to be smaller than the smallest effect contradicts the claim", () => {
  const values = { a: around(0.1), b: around(0) };
  expect(verdict(betterThan("a", "b", { smallestEffect: 0.34 }), values)).toBe("contradicted");
  expect(verdict(betterThan("a", "b", { smallestEffect: 0.32 }), values)).toBe("undecided");
  expect(verdict(betterThan("a", "b", { smallestEffect: 0.32 }), { a: around(0.3), b: around(0) })).toBe(
    "reproduced",
  );
});

test("noWorseThan: the interval against minus the margin", () => {
  const judge = noWorseThan("a", "b", { margin: 0.3 });
  expect(verdict(judge, { a: around(-0.06), b: around(0) })).toBe("reproduced");
  expect(verdict(judge, { a: around(-0.08), b: around(0) })).toBe("undecided");
  expect(verdict(judge, { a: around(-0.52), b: around(0) })).toBe("undecided");
  expect(verdict(judge, { a: around(-0.54), b: around(0) })).toBe("contradicted");
  expect(verdict(judge, { a: around(5), b: around(0) })).toBe("reproduced");
});

test("similarTo: inside the margin, outside on either side, or undecided", () => {
  const judge = similarTo("a", "b", { margin: 0.3 });
  for (const sign of [-1, 1]) {
    expect(verdict(judge, { a: around(sign * 0.06), b: around(0) })).toBe("reproduced");
    expect(verdict(judge, { a: around(sign * 0.08), b: around(0) })).toBe("undecided");
    expect(verdict(judge, { a: around(sign * 0.54), b: around(0) })).toBe("contradicted");
  }
});

test("no significant difference is not similarity", () => {
  expect(verdict(similarTo("a", "b", { margin: 0.2 }), { a: around(0), b: around(0) })).toBe("undecided");
});

test("where lower is better the direction turns round", () => {
  const values = { a: around(0), b: around(1) };
  expect(verdict(betterThan("a", "b"), values, "lower")).toBe("reproduced");
  expect(verdict(betterThan("a", "b"), values, "higher")).toBe("contradicted");
  const [report] = judgeClaims([claim("t", betterThan("a", "b"))], (s) => values[s as "a"], "lower");
  expect(report.comparisons[0].difference).toBeCloseTo(1, 12);
});

test("all: one contradiction suffices, reproduction needs every part", () => {
  const values = { high: around(2), middle: around(1), like: around(1.1) };
  expect(verdict(all(betterThan("high", "middle"), betterThan("high", "like")), values)).toBe("reproduced");
  expect(verdict(all(betterThan("high", "middle"), betterThan("like", "middle")), values)).toBe("undecided");
  expect(verdict(all(betterThan("like", "middle"), betterThan("middle", "high")), values)).toBe(
    "contradicted",
  );
});

test("the error rate is shared by all comparisons of a figure", () => {
  const values = { a: around(0.3), b: around(0) };
  const claims = [
    claim("one", betterThan("a", "b")),
    claim(
      "two",
      all(similarTo("a", "b", { margin: 1 }), noWorseThan("a", "b", { margin: 1 }), betterThan("b", "a")),
    ),
  ];
  const reports = judgeClaims(claims, (series) => values[series as "a"], "higher");
  const [first] = reports[0].comparisons;
  expect(first.interval).toEqual(compareUnpaired(values.a, values.b, { confidence: 0.9875 }).interval);
  // At 95 % alone 0.3 would be enough (see above); at 98.75 % the interval reaches 3.206 * 0.1.
  expect(reports[0].verdict).toBe("undecided");
  expect(reports[1].comparisons).toHaveLength(3);
});

test("comparisons that too few runs leave undecided take no share of the error rate", () => {
  const values = { a: around(3), b: around(0), dear: [1] };
  const claims = [claim("one", betterThan("a", "b")), claim("two", betterThan("dear", "b"))];
  const reports = judgeClaims(claims, (series) => values[series as "a"], "higher");
  expect(reports[0].comparisons[0].interval.confidence).toBe(0.95);
  expect(reports.map(({ verdict }) => verdict)).toEqual(["reproduced", "undecided"]);
});

test("an undecided comparison says what its seeds can separate and what the claim needs", () => {
  const [report] = judgeClaims(
    [claim("t", similarTo("a", "b", { margin: 0.1 }))],
    (s) => (s === "a" ? around(0) : around(0)),
    "higher",
  );
  // 2 (1.960 + 1.282)^2 (0.1581 / 0.1)^2 = 52.5, and one or two more for the t distribution.
  expect(report.comparisons[0].warning).toMatch(
    /^a and b: 5 seeds each separate differences of 0\.37 or more; the claim turns on 0\.1, which takes about 5[34] seeds each$/,
  );
});

test("a few seeds decide nothing, however clear they look, and say so", () => {
  const judge = (values: number[]) =>
    judgeClaims(
      [claim("t", betterThan("a", "b"))],
      (s) => (s === "a" ? values : [1, 1, 1, 1, 1]),
      "higher",
    )[0];
  expect(judge([5, 5, 5, 5, 5]).verdict).toBe("reproduced");
  expect(judge([5, 5, 5, 5]).verdict).toBe("undecided");
  expect(judge([5, 5, 5, 5]).warning).toBe("a and b: too few seeds to decide (4 each), use at least 5");
  expect(judge([5]).warning).toBe("a and b: too few seeds to decide (1 each), use at least 5");
});

test("a claim's warning is that of its hardest comparison", () => {
  const values = { a: around(0), b: around(0.01), c: around(0.02), d: around(9) };
  const judge = all(
    similarTo("a", "b", { margin: 0.2 }),
    similarTo("a", "c", { margin: 0.02 }),
    betterThan("d", "a"),
  );
  const [report] = judgeClaims([claim("t", judge)], (series) => values[series as "a"], "higher");
  expect(report.verdict).toBe("undecided");
  expect(report.warning).toBe(report.comparisons[1].warning);
  expect(report.comparisons[1].seedsNeeded).toBeGreaterThan(report.comparisons[0].seedsNeeded!);
  expect(report.comparisons[2].warning).toBeUndefined();
});

test("every two of several curves", () => {
  const rules = comparisonsOf(allSimilar(["a", "b", "c"], { margin: 1 }));
  expect(rules.map(({ first, second }) => first + second)).toEqual(["ab", "ac", "bc"]);
});

test("measures of a run by hand", () => {
  const steps = [0, 10, 30];
  const values = [-100, 2, 6];
  expect(measureRun(finalValue(), steps, values, "higher")).toBe(6);
  // Floored at 0: (0 + 2) / 2 * 10 + (2 + 6) / 2 * 20 = 90, over 30 steps.
  expect(measureRun(trainingAverage({ floor: 0 }), steps, values, "higher")).toBe(3);
  // Without a floor: -49 * 10 + 80 = -410.
  expect(measureRun(trainingAverage(), steps, values, "higher")).toBeCloseTo(-410 / 30, 12);
  // Lower is better: 2 and 6 are worse than the floor of 0.
  expect(measureRun(trainingAverage({ floor: 0 }), steps, [-4, 2, 6], "lower")).toBeCloseTo(-20 / 30, 12);
  expect(measureRun(trainingAverage(), [0], [7], "higher")).toBe(7);
  // Of the steps beyond 8 and beyond 7.9: 9 and 10; 8, 9 and 10.
  const later = [0, 5, 8, 9, 10].map((step) => step * step);
  expect(measureRun(lateAverage(0.2), [0, 5, 8, 9, 10], later, "higher")).toBe((81 + 100) / 2);
  expect(measureRun(lateAverage(0.21), [0, 5, 8, 9, 10], later, "higher")).toBe((64 + 81 + 100) / 3);
});

test("a curve against its own start and against a fixed value", () => {
  const judged = (end: number, judge: Claim["judge"], better: "higher" | "lower") =>
    judgeClaims(
      [claim("t", judge)],
      (_, __, measure) =>
        [-0.2, -0.1, 0, 0.1, 0.2].map((x) => measureRun(measure, [0, 1], [4, end + x], better)),
      better,
    )[0];
  // Half of the start is 2 for every run; five runs with deviation .158 reach .0707 * 2.776 = .196 to each side.
  const halved = endsBelow("a", { share: 0.5 });
  expect(judged(1.79, halved, "lower").verdict).toBe("reproduced");
  expect(judged(1.81, halved, "lower").verdict).toBe("undecided");
  expect(judged(2.21, halved, "lower").verdict).toBe("contradicted");
  expect(judged(1.79, halved, "lower").comparisons[0].difference).toBeCloseTo(0.21, 12);
  const short = endsShortOf("a", { value: 1 });
  expect(judged(0.79, short, "higher").verdict).toBe("reproduced");
  expect(judged(0.81, short, "higher").verdict).toBe("undecided");
  expect(judged(1.21, short, "higher").verdict).toBe("contradicted");
  const beyond = endsBeyond("a", { value: 1 });
  expect(judged(1.21, beyond, "higher").verdict).toBe("reproduced");
  expect(judged(1.19, beyond, "higher").verdict).toBe("undecided");
  expect(judged(0.79, beyond, "higher").verdict).toBe("contradicted");
  const near = endsNear("a", { value: 1, margin: 0.3 });
  expect(judged(1.09, near, "higher").verdict).toBe("reproduced");
  expect(judged(1.11, near, "higher").verdict).toBe("undecided");
  expect(judged(1.51, near, "higher").verdict).toBe("contradicted");
});

test("each metric is judged in its own direction", () => {
  const claims = [
    claim("value", betterThan("a", "b")),
    claim("gap", betterThan("a", "b", { metric: "gap" })),
  ];
  const reports = judgeClaims(
    claims,
    (series) => around(series === "a" ? 1 : 0),
    (metric) => (metric === "gap" ? "lower" : "higher"),
  );
  expect(reports.map(({ verdict }) => verdict)).toEqual(["reproduced", "contradicted"]);
});

test("margins must make sense", () => {
  expect(() => similarTo("a", "b", { margin: 0 })).toThrow(InputError);
  expect(() => noWorseThan("a", "b", { margin: -1 })).toThrow("margin above 0 but received -1");
  expect(() => betterThan("a", "b", { smallestEffect: -1 })).toThrow("smallest effect of 0 or more");
});
