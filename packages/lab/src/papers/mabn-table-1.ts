import { compareUnpaired, mean, median, standardDeviation } from "corral/stats";
import { lateAverage, leastSeeds, measureRun } from "./claims.ts";
import type { FinishedRun } from "./executor.ts";
import { figureRuns, type Scale, settingsOf } from "./figure.ts";
import { figure1, type Method, methodsOf, type ProblemName, problemNames, problems } from "./mabn.ts";
import { type Check, type Row, type TableClaim, table } from "./table.ts";

/** Mean and standard deviation over 15 runs, as printed. */
const printed: Readonly<Record<ProblemName, Readonly<Partial<Record<Method, readonly [number, number]>>>>> = {
  nine: {
    "MAStAC sim.": [-0.35, 0.26],
    "MAStAC approx.": [-0.356, 0.26],
    MADDPG: [-0.417, 0.45],
    MATD3: [-0.67, 0.55],
    FACMAC: [-1.266, 0.66],
  },
  ring: {
    "MAStAC sim.": [-13.68, 0.64],
    "MAStAC approx.": [-13.73, 1.26],
    MADDPG: [-18.09, 0.28],
    MATD3: [-17.62, 0.35],
    FACMAC: [-19.76, 4.72],
    "QDCG complete": [-15.13, 0.47],
    "QDCG no edges": [-14.72, 0.6],
  },
  temperature: {
    "MAStAC sim.": [-160.86, 5.41],
    "MAStAC approx.": [-174.43, 22.38],
    MADDPG: [-1311.87, 542.13],
    MATD3: [-1160, 334.59],
    FACMAC: [-1390.96, 565.46],
    "QDCG complete": [-356.47, 292.9],
    "QDCG no edges": [-462.66, 295.75],
  },
};

/** The share of a run that is scored: its end. */
const scoredShare = 0.2;

function rowsOf(problem: ProblemName, finished: readonly FinishedRun[]): Row[] {
  const { panel, best, nothing } = problems[problem];
  const { divisor = 1, better } = settingsOf(figure1, panel).metric;
  const scoreOf = ({ metrics }: FinishedRun, name: string): number => {
    const { steps, values } = metrics(name);
    return measureRun(lateAverage(scoredShare), steps, values, better) / divisor;
  };
  return methodsOf(problem).map((method): Row => {
    const runs = finished.filter(({ run }) => run.panel === panel && run.series === method);
    const scores = runs.map((run) => scoreOf(run, "eval/return"));
    const score = mean(scores);
    const [paper, paperDeviation] = printed[problem][method]!;
    return {
      problem: panel,
      method,
      runs: runs.length,
      score,
      deviation: runs.length > 1 ? standardDeviation(scores) : null,
      exploring: mean(runs.map((run) => scoreOf(run, "train/return"))),
      paper,
      paperDeviation,
      share: (score - nothing) / (best - nothing),
      scores: scores.join(" "),
    };
  });
}

/** A comparison of two samples, by the interval of its difference. */
interface Comparison {
  readonly text: string;
  readonly higher: readonly number[];
  readonly lower: readonly number[];
}

const hasEnough = ({ higher, lower }: Comparison): boolean =>
  Math.min(higher.length, lower.length) >= leastSeeds;

/** Holds when the interval of the difference is above 0, does not when it is below; few runs decide nothing. */
function checkOf(comparison: Comparison, confidence: number): Check {
  const { text, higher, lower } = comparison;
  if (!hasEnough(comparison)) {
    return { evidence: `${text}: ${higher.length} and ${lower.length} runs are too few` };
  }
  const { difference, interval } = compareUnpaired(higher, lower, { confidence });
  const [apart, low, high] = [difference, interval.low, interval.high].map((x) =>
    String(Number(x.toPrecision(3))),
  );
  return {
    ...(interval.low > 0 ? { holds: true } : interval.high < 0 ? { holds: false } : {}),
    evidence: `${text}: by ${apart} [${low}, ${high}]`,
  };
}

const scoresOf = (rows: readonly Row[], problem: ProblemName, method: Method): number[] =>
  String(rows.find((row) => row.problem === problems[problem].panel && row.method === method)!.scores)
    .split(" ")
    .map(Number);

const mastacs: readonly Method[] = ["MAStAC sim.", "MAStAC approx."];
const central: readonly Method[] = ["MADDPG", "MATD3", "FACMAC"];
const graphs: readonly Method[] = ["QDCG complete", "QDCG no edges"];

type Compared = (rows: readonly Row[]) => readonly Comparison[];

/** MAStAC's runs lie nearer to their median than those of others (Brown and Forsythe's comparison of spreads). */
const spreadsLess =
  (problem: ProblemName, others: readonly Method[]): Compared =>
  (rows) => {
    const distances = (method: Method) => {
      const scores = scoresOf(rows, problem, method);
      const middle = median(scores);
      return scores.map((score) => Math.abs(score - middle));
    };
    return mastacs.flatMap((method) =>
      others.map((other) => ({
        text: `${problem}: distance from the median, ${other} above ${method}`,
        higher: distances(other),
        lower: distances(method),
      })),
    );
  };

/** The gap to MAStAC, as a share of what lies between doing nothing and the best, is larger than with nine agents. */
const gapGrows: Compared = (rows) => {
  const gaps = (problem: ProblemName, method: Method) => {
    const { best, nothing } = problems[problem];
    const [above, below] = [scoresOf(rows, problem, "MAStAC sim."), scoresOf(rows, problem, method)];
    const runs = Math.min(above.length, below.length);
    return Array.from({ length: runs }, (_, k) => (above[k] - below[k]) / (best - nothing));
  };
  return central.flatMap((method) =>
    (["ring", "temperature"] as const).map((problem) => ({
      text: `gap to ${method}, ${problem} above nine`,
      higher: gaps(problem, method),
      lower: gaps("nine", method),
    })),
  );
};

/** Neighbours in the order of the printed means. */
const asPrinted: Compared = (rows) =>
  problemNames.flatMap((problem) => {
    const order = [...methodsOf(problem)].sort((a, b) => printed[problem][b]![0] - printed[problem][a]![0]);
    return order.slice(1).map((method, k) => ({
      text: `${problem}: ${order[k]} above ${method}`,
      higher: scoresOf(rows, problem, order[k]),
      lower: scoresOf(rows, problem, method),
    }));
  });

const statements: readonly (readonly [text: string, compared: Compared])[] = [
  ["methods are in the order of the printed means", asPrinted],
  [
    "Example 1: ‘MAStAC simultaneous and approximated’ “have lesser variance compared to the other centralized baselines”",
    spreadsLess("nine", central),
  ],
  [
    "Example 3: they “have lower variances compared to the QDCG centralized and decentralized algorithms”",
    spreadsLess("temperature", graphs),
  ],
  [
    "“The performance gap between MAStAC and the CTDE algorithms increases considerably as the number of agents increase from Example 1 to Examples 2 and 3”",
    gapGrows,
  ],
];

/** All intervals of the table that can decide anything hold at once with 95 %. */
function confidenceOf(rows: readonly Row[]): number {
  const decidable = statements.flatMap(([, compared]) => compared(rows)).filter(hasEnough);
  return 1 - 0.05 / Math.max(1, decidable.length);
}

const claims: readonly TableClaim[] = statements.map(([text, compared]) => ({
  text,
  check(rows) {
    const confidence = confidenceOf(rows);
    return compared(rows).map((comparison) => checkOf(comparison, confidence));
  },
}));

const twoDecimals = (value: number): string => value.toFixed(2);

const efforts = (scale: Scale): string => `the runs of figure-1 at scale ${scale}`;

const scores = table("mabn/table-1", {
  title: "Returns at the end of training",
  caption:
    "Mean over the last fifth of training, then mean and standard deviation over runs, those of figure 1; zones: " +
    "divided by 40. score: play without exploration; exploring: the episodes trained on, with it. paper: Table 1, which does not say " +
    "which; its warehouses have other demands and couplings, so that orders compare and values do not. share of best: 0 for doing " +
    "nothing, 1 for the best plan or controller.",
  columns: [
    { key: "problem", label: "problem" },
    { key: "method", label: "method" },
    { key: "runs", label: "runs", show: String },
    { key: "score", label: "score", show: twoDecimals },
    { key: "deviation", label: "deviation", show: twoDecimals },
    { key: "exploring", label: "exploring", show: twoDecimals },
    { key: "share", label: "share\nof best", show: twoDecimals },
    { key: "paper", label: "paper", show: String },
    { key: "paperDeviation", label: "paper's\ndeviation", show: String },
  ],
  efforts: { smoke: efforts("smoke"), quick: efforts("quick"), paper: efforts("paper") },
  trained: true,
  async rows(scale, _rng, { executor, seeds }) {
    const finished = await executor.execute(figureRuns(figure1, scale, seeds));
    return problemNames.flatMap((problem) => rowsOf(problem, finished));
  },
  claims,
});

export const mabnScores = [scores] as const;
