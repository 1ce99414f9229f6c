import type { FiniteGame } from "corral/envs";
import type { Rng } from "corral/random";
import { type Dag, edgeCount, parseTopology } from "corral/structure";
import {
  boundSetting,
  createAscent,
  decompositionErrors,
  denseGame,
  factoredCoordinationGame,
  lemma2,
  lemma3BnRates,
  lemma3Subteams,
  randomGame,
  stationarityLevel,
  subteamPartition,
  theorem1,
  theorem2BnRates,
  theoryStepSize,
  thetaLayout,
} from "corral/tabular";
import type { Scale } from "./figure.ts";
import { type Check, type Row, type TableClaim, table, threeDigits } from "./table.ts";

/** All games have rewards in [0, 1], as the papers assume. At this discount steps of the theory's size get somewhere. */
const discount = 0.5;

/** Three small games, each with the DAGs it is ascended under. */
function zoo(rng: Rng): { name: string; game: FiniteGame; dags: readonly string[] }[] {
  const coordination = (agents: number): FiniteGame => {
    const game = denseGame(factoredCoordinationGame({ agents, epsilon: 0.05, discount }));
    return { ...game, reward: game.reward.map((reward) => reward / 3) };
  };
  // Claus and Boutilier 1998, "The dynamics of reinforcement learning in cooperative multiagent systems".
  const climbing = [11, -30, 0, -30, 7, 6, 0, 0, 5].map((reward) => (reward + 30) / 41);
  return [
    {
      name: "climbing",
      game: {
        actions: [3, 3],
        states: 1,
        transition: new Float64Array(9).fill(1),
        reward: Float64Array.from(climbing),
        initial: Float64Array.of(1),
        discount,
      },
      dags: ["product", "full"],
    },
    { name: "coordination, N = 2", game: coordination(2), dags: ["product", "full"] },
    { name: "coordination, N = 3", game: coordination(3), dags: ["product", "1+2", "full"] },
    {
      name: "random, 2 x 3 actions",
      game: randomGame({ actions: [2, 3], states: 3, discount }, rng.split("random game")),
      dags: ["product", "full"],
    },
  ];
}

const lambdas: Readonly<Record<Scale, readonly number[]>> = {
  smoke: [0.1],
  quick: [0.1, 0.01],
  paper: [0.1, 0.01],
};

/** Far above what the games of the zoo take; an ascent that gets here would show as not stationary. */
const mostSteps = 20_000_000;

/** Steps at which the gap is looked at: 0, 1, 2, 4, ... */
const looks = [0, ...Array.from({ length: 24 }, (_, k) => 2 ** k)];

/** Ascends from zero at the theory's step size to the level of the lemmas, and sets the bounds beside what happened. */
async function certify(name: string, game: FiniteGame, dagName: string, lambda: number): Promise<Row> {
  const dag = parseTopology(dagName, game.actions.length);
  const setting = boundSetting(game, dag);
  const ascent = createAscent(game, dag, [new Float64Array(thetaLayout(game, dag).size)], {
    stepSize: theoryStepSize(setting, lambda),
    lambda,
    iterations: mostSteps,
    gradientNorm: stationarityLevel(game, lambda),
    gaps: true,
    recordAt: looks,
  });
  ascent.advance(Number.POSITIVE_INFINITY);
  const [{ status, iteration, records }] = ascent.states();
  const gaps = records.map(({ equilibriumGaps }) => Math.max(...equilibriumGaps!));
  const last = records[records.length - 1];
  const epsilon = lemma2(setting, lambda).corrected;
  const rates = theorem1(setting, epsilon, "bn-rates");
  const full = isFull(dag);
  // Theorem 2 prescribes lambda = epsilon / (2^(N+1) N M): this lambda answers to the bound of Lemma 3.
  const optimality = full ? lemma3BnRates(setting, lambda).printed : null;
  const second = optimality === null ? undefined : theorem2BnRates(setting, optimality);
  return {
    game: name,
    dag: dagName,
    lambda,
    mismatch: setting.mismatch,
    steps: status === "stationary" ? iteration : null,
    gap: gaps[gaps.length - 1],
    lemma2: epsilon,
    reached: records[gaps.findIndex((gap) => gap <= epsilon)]?.iteration ?? null,
    theorem1Printed: rates.printed,
    theorem1Corrected: rates.corrected,
    suboptimality: last.optimalityGap,
    lemma3BnRates: optimality,
    lemma3Subteams: await subteamsBound(game, dag, lambda),
    optimal:
      optimality === null
        ? null
        : (records.find(({ optimalityGap }) => optimalityGap <= optimality)?.iteration ?? null),
    theorem2Printed: second?.printed ?? null,
    theorem2Corrected: second?.corrected ?? null,
  };
}

const isFull = (dag: Dag): boolean => edgeCount(dag) === (dag.agents * (dag.agents - 1)) / 2;

/** Lemma 3 of Subteams with the smallest possible decomposition errors. */
async function subteamsBound(game: FiniteGame, dag: Dag, lambda: number): Promise<number | null> {
  const partition = subteamPartition(dag);
  if (partition === undefined) return null;
  const errors = await decompositionErrors(game, partition, { method: "minimax" });
  return lemma3Subteams(boundSetting(game, dag), lambda, errors).corrected;
}

/** A claim that one column never exceeds another, over the rows that have both. */
function atMost(text: string, small: string, large: string, what: string): TableClaim {
  return {
    text,
    check: (rows) =>
      rows.flatMap((row): Check[] => {
        const [low, high] = [row[small], row[large]];
        if (typeof low !== "number" || typeof high !== "number") return [];
        const place = `${row.game}, ${row.dag}, lambda ${row.lambda}`;
        return [
          { holds: low <= high, evidence: `${place}: ${what} ${threeDigits(low)} ≤ ${threeDigits(high)}` },
        ];
      }),
  };
}

const certificates = table("bn-rates/certificates", {
  title: "Bounds of the log-barrier policy gradient next to what happened",
  caption:
    "Exact gradient ascent from zero at the theorems' step size 1 / beta, until the gradient is as short as the lemmas ask. " +
    "Rewards in [0, 1], discount .5. gap: equilibrium gap there; Lemma 2 bounds it by 2 lambda M. gap ≤ bound from: first of " +
    "the steps 0, 1, 2, 4, ... at which it is within that bound; Theorem 1 (BN-rates, epsilon = 2 lambda M) promises it by " +
    "then. loss: V* - V there; Lemma 3 of BN-rates and Theorem 2 speak of full DAGs only. Subteams' Lemma 3 is given with " +
    "the smallest possible decomposition errors. In the three-agent game the product policy starts at a saddle: an " +
    "equilibrium far from the optimum, and no step is taken.",
  columns: [
    { key: "game", label: "game" },
    { key: "dag", label: "DAG" },
    { key: "lambda", label: "lambda" },
    { key: "mismatch", label: "M" },
    { key: "steps", label: "steps", show: String },
    // A gap of rounding error, at a saddle, is none.
    { key: "gap", label: "gap", show: (value) => (value < 1e-12 ? "0" : threeDigits(value)) },
    { key: "lemma2", label: "Lemma 2" },
    { key: "reached", label: "gap ≤ bound\nfrom step", show: String },
    { key: "theorem1Printed", label: "Theorem 1\nprinted" },
    { key: "theorem1Corrected", label: "Theorem 1\ncorrected" },
    { key: "suboptimality", label: "loss" },
    { key: "lemma3BnRates", label: "Lemma 3\nBN-rates" },
    { key: "lemma3Subteams", label: "Lemma 3\nSubteams" },
    { key: "optimal", label: "loss ≤ bound\nfrom step", show: String },
    { key: "theorem2Printed", label: "Theorem 2\nprinted" },
    { key: "theorem2Corrected", label: "Theorem 2\ncorrected" },
  ],
  efforts: {
    smoke: "barrier weight .1, without the longest ascents",
    quick: "barrier weights .1 and .01",
    paper: "barrier weights .1 and .01",
  },
  async rows(scale, rng) {
    const rows: Row[] = [];
    for (const lambda of lambdas[scale]) {
      for (const { name, game, dags } of zoo(rng)) {
        for (const dag of dags) {
          // Correlated policies of three agents take most of the time.
          if (scale === "smoke" && game.actions.length > 2 && dag !== "product") continue;
          rows.push(await certify(name, game, dag, lambda));
        }
      }
    }
    return rows;
  },
  claims: [
    atMost("Lemma 2: a stationary policy is a 2 lambda M-equilibrium", "gap", "lemma2", "gap"),
    atMost(
      "Lemma 3 (BN-rates): a stationary policy of a full DAG is 2^(N+1) N lambda M-optimal",
      "suboptimality",
      "lemma3BnRates",
      "loss",
    ),
    atMost(
      "Lemma 3 (Subteams): a stationary policy of subteams is optimal up to (6)",
      "suboptimality",
      "lemma3Subteams",
      "loss",
    ),
    atMost(
      "Theorem 1 (BN-rates), as printed: an epsilon-equilibrium within T steps",
      "reached",
      "theorem1Printed",
      "step",
    ),
    atMost(
      "Theorem 2 (BN-rates), as printed: an epsilon-optimal policy within T steps",
      "optimal",
      "theorem2Printed",
      "step",
    ),
  ],
});

/** Chen et al., "Convergence rates of Bayesian network policy gradient for cooperative multi-agent reinforcement learning". */
export const bnRates = [certificates] as const;
