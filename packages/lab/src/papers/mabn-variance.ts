import type { Rng } from "corral/random";
import { type CouplingEdge, type CouplingGraphs, couplingGraphs, couplingKinds } from "corral/structure";
import { randomLogits, randomStructuredGame, type VarianceReport, varianceReport } from "corral/tabular";
import type { Scale } from "./figure.ts";
import { type Check, type Row, type TableClaim, table } from "./table.ts";

/** Random games of one kind, and whose gradient is looked at. */
interface Team {
  readonly name: string;
  readonly agent: number;
  couplings(rng: Rng): CouplingGraphs;
}

/** Of an edge between two agents in one coupling graph. */
const chance = 0.1;

const teams: readonly Team[] = [
  {
    name: "0 moves 1, 2 is alone; gradient of 0",
    agent: 0,
    couplings: () => couplingGraphs(3, { state: [[0, 1]] }),
  },
  {
    name: "0 moves 1; gradient of 1",
    agent: 1,
    couplings: () => couplingGraphs(2, { state: [[0, 1]] }),
  },
  {
    name: "4 agents, coupled at random; gradient of 0",
    agent: 0,
    couplings(rng) {
      const edges = couplingKinds.map((kind) => {
        const all = Array.from({ length: 16 }, (_, k): CouplingEdge => [k >> 2, k & 3]);
        return [kind, all.filter(() => rng.uniform() < chance)] as const;
      });
      return couplingGraphs(4, Object.fromEntries(edges));
    },
  },
];

/** The paper's network assumes “a negative reward structure” (section 3), its theorem bounded rewards alone (4.1). */
const rewardRanges = { negative: "-1 to 0", mixed: "-1 to 1" } as const;
type RewardRange = keyof typeof rewardRanges;

const instances: Readonly<Record<Scale, number>> = { smoke: 100, quick: 1000, paper: 5000 };

/** Rounding in sums of a few hundred values below 100. */
const rounding = 1e-10;

/** What is asked of each game: yes or no. */
const questions = {
  negative: ({ reduction }: VarianceReport) => reduction < -rounding,
  belowLower: ({ reduction, printed }: VarianceReport) => reduction < printed.lower - rounding,
  belowLowerInProof: ({ reduction, printed }: VarianceReport) => reduction < printed.lowerInProof - rounding,
  aboveUpper: ({ reduction, printed }: VarianceReport) => reduction > printed.upper + rounding,
  centredOutside: ({ centred: { reduction, lower, upper } }: VarianceReport) =>
    reduction < lower - rounding || reduction > upper + rounding,
};

/** What is measured in each game. */
const measures = {
  reduction: ({ reduction }: VarianceReport) => reduction,
  withoutCrossTerm: ({ printed }: VarianceReport) => printed.withoutCrossTerm,
  upper: ({ printed }: VarianceReport) => printed.upper,
  centredReduction: ({ centred }: VarianceReport) => centred.reduction,
};

function rowOf(team: Team, range: RewardRange, count: number, rng: Rng): Row {
  const rewards = range === "negative" ? ([-1, 0] as const) : ([-1, 1] as const);
  const reports = Array.from({ length: count }, () => {
    const game = randomStructuredGame({ couplings: team.couplings(rng), rewards }, rng);
    return varianceReport(game, randomLogits(game, rng), team.agent);
  });
  const shares = Object.entries(questions).map(
    ([key, asked]) => [key, reports.filter(asked).length / count] as const,
  );
  const medians = Object.entries(measures).map(([key, measured]) => {
    const sorted = reports.map(measured).sort((a, b) => a - b);
    return [key, (sorted[(count - 1) >> 1] + sorted[count >> 1]) / 2] as const;
  });
  return {
    team: team.name,
    rewards: rewardRanges[range],
    instances: count,
    ...Object.fromEntries(shares),
    identityError: Math.max(...reports.map(({ reduction, identity }) => Math.abs(reduction - identity))),
    ...Object.fromEntries(medians),
  };
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

/** Says that something happens in no game, of all rewards or of those of one range. */
const never =
  (key: keyof typeof questions, what: string, range?: RewardRange) =>
  (rows: readonly Row[]): Check[] =>
    rows
      .filter(({ rewards }) => range === undefined || rewards === rewardRanges[range])
      .map((row) => ({
        holds: row[key] === 0,
        evidence: `${row.team}, rewards ${row.rewards}: ${what} in ${percent(Number(row[key]))} of games`,
      }));

const belowLower =
  (range?: RewardRange) =>
  (rows: readonly Row[]): Check[] => [
    ...never("belowLower", "the reduction is below that stated", range)(rows),
    ...never("belowLowerInProof", "the reduction is below that proved", range)(rows),
  ];

const claims: readonly TableClaim[] = [
  {
    text: "“the total variance of our P-DTDE policy gradient estimator is less than the CTDE policy gradient estimator” (abstract)",
    check: never("negative", "Qhat adds variance"),
  },
  {
    text: "the same, of rewards that are at most 0",
    check: never("negative", "Qhat adds variance", "negative"),
  },
  {
    text: "Theorem 4.2, lower bound (as stated, and as proved)",
    check: belowLower(),
  },
  {
    text: "the same, of rewards that are at most 0",
    check: belowLower("negative"),
  },
  {
    text: "Theorem 4.2, upper bound",
    check: never("aboveUpper", "the reduction is above it"),
  },
  {
    text: "(in its place) the reduction is E[(Qbar² + 2 Qhat Qbar) |score|²], whatever the rewards",
    check: (rows) =>
      rows.map((row) => ({
        holds: Number(row.identityError) < rounding,
        evidence: `${row.team}, rewards ${row.rewards}: off by ${Number(row.identityError).toExponential(1)} at most`,
      })),
  },
  {
    text: "(in its place) centred, both bounds hold, the lower one with inf E[|score|² | s], whatever the rewards",
    check: never("centredOutside", "the centred reduction is outside them"),
  },
];

const variance = table("mabn/variance", {
  title: "What a decomposed value saves of a policy gradient's variance",
  caption:
    "Theorem 4.2 in random games, by enumeration: two states and two actions of each agent, discount .8, standard normal logits, " +
    "exact values. reduction: total variance of Q score less that of Qhat score. without cross term: what the paper takes it " +
    "for, the proof having lost the term in Qhat times Qbar = Q - Qhat. Columns in %: games in which the theorem fails, as " +
    "printed and, in the last of them, with Qbar less its mean given the state and the actions that Qhat depends on. 4 agents: " +
    "each is coupled to each other one in each graph with probability .1.",
  columns: [
    { key: "team", label: "team" },
    { key: "rewards", label: "rewards" },
    { key: "instances", label: "games", show: String },
    { key: "reduction", label: "reduction\n(median)" },
    { key: "withoutCrossTerm", label: "without cross\nterm (median)" },
    { key: "upper", label: "upper bound\n(median)" },
    { key: "centredReduction", label: "centred\n(median)" },
    { key: "negative", label: "variance\nadded", show: percent },
    { key: "belowLower", label: "below lower\nbound", show: percent },
    { key: "belowLowerInProof", label: "below that\nof the proof", show: percent },
    { key: "aboveUpper", label: "above upper\nbound", show: percent },
    { key: "centredOutside", label: "centred out\nof bounds", show: percent },
    { key: "identityError", label: "error of\nidentity", show: (value) => value.toExponential(1) },
  ],
  efforts: {
    smoke: "100 games of each kind",
    quick: "1000 games of each kind",
    paper: "5000 games of each kind",
  },
  async rows(scale, rng) {
    return teams.flatMap((team) =>
      (Object.keys(rewardRanges) as RewardRange[]).map((range) =>
        rowOf(team, range, instances[scale], rng.split(`${team.name}/${range}`)),
      ),
    );
  },
  claims,
});

/** Exact tables of "Structured cooperative multi-agent reinforcement learning: a Bayesian network perspective". */
export const mabnVariance = [variance] as const;
