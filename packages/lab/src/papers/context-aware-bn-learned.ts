import { mappo } from "corral/algorithms";
import type { JsonValue } from "corral/envs";
import {
  all,
  betterThan,
  claim,
  endsBeyond,
  endsNear,
  noWorseThan,
  similarTo,
  trainingAverage,
} from "./claims.ts";
import { type FigureDefinition, figure, type MetricDefinition, type SeriesDefinition } from "./figure.ts";
import { panelOf } from "./tabular-figure.ts";

const { presets } = mappo;

/** Curves of learned DAGs, and of the two fixed ones they are compared with. */
const learned = "learned";
const fixed = { full: { dag: "full" }, product: { dag: "product" } };

const [two, five] = [panelOf(2), panelOf(5)];

/** Density of the DAGs drawn in the rollouts: that of the likeliest ones jumps from one state's edge to another's. */
const density = {
  name: "train/dag-density",
  label: "density of learned DAGs",
  better: "higher",
  series: [learned],
} as const satisfies MetricDefinition;

/** Of a density: what is read off the paper's curves, to the width of their band. */
const densityMargin = 0.03;

/**
 * What is called similar must differ by less: the least difference in the price of anarchy that can be seen between curves
 * of the paper's panel.
 */
const visibleDifference = 0.05;

const coordinationGame = figure("context-aware-bn/figure-4-coordination-game", {
  title: "Coordination Game: learned DAGs",
  caption:
    "Top: price of anarchy (the value of the current policy over that of the best, both solved exactly; learned DAGs are the " +
    "likeliest in each state). Bottom: mean density of the DAGs that networks drew while training; full has 1, product 0. " +
    "Noise .1, nothing pulls at the density.",
  runs: [2, 5].flatMap((agents) =>
    Object.entries({ [learned]: presets!["context-aware-coordination-game"].config, ...fixed }).map(
      ([series, config]) => ({
        series,
        panel: panelOf(agents),
        algorithm: "mappo",
        env: "coordination-game",
        config,
        envConfig: { agents, epsilon: 0.1, horizon: 20 },
      }),
    ),
  ),
  metric: { name: "eval/price-of-anarchy", label: "price of anarchy", better: "higher" },
  furtherMetrics: [density],
  scales: {
    smoke: { seeds: 2, steps: 6_400 },
    quick: { seeds: 20, steps: 200_000 },
    paper: { seeds: 50, steps: 200_000 },
  },
  // Two agents have learned all they will learn long before.
  panels: { [two]: { length: { smoke: 6_400, quick: 100_000, paper: 200_000 } } },
  // An iteration is 32 environments of 20 steps: 640.
  evaluateEvery: 5,
  // The metric is exact; these episodes only give the return beside it.
  evaluationEpisodes: 10,
  references: [{ label: "optimum", value: 1 }],
  threshold: 0.97,
  claims: [
    claim(
      "N = 2: “our context-aware DAG learning outperforms the Fully-correlated”",
      betterThan(learned, "full", { panel: two }),
    ),
    claim("N = 2: full > product", betterThan("full", "product", { panel: two })),
    claim(
      "N = 5: it “performs similarly to Fully-correlated”",
      similarTo(learned, "full", { panel: five, margin: visibleDifference }),
    ),
    claim(
      "N = 5: “both outperform Uncorrelated”",
      all(...[learned, "full"].map((name) => betterThan(name, "product", { panel: five }))),
    ),
    claim(
      "the density “is increasing in both N = 2 and N = 5 scenarios”: it ends above 50 %",
      all(...[two, five].map((panel) => endsBeyond(learned, { panel, metric: density.name, value: 0.5 }))),
    ),
    claim(
      "“from 50% to 55% and 50% to 53%, respectively”, to 3 %",
      all(
        endsNear(learned, { panel: two, metric: density.name, value: 0.55, margin: densityMargin }),
        endsNear(learned, { panel: five, metric: density.name, value: 0.53, margin: densityMargin }),
      ),
    ),
  ],
});

/** Mean return of one agent that alone among its neighbours always sends: policies differ by whole senders. */
const oneSender = 1.54;

/** Whether inputs of networks are normalised, by panel. */
const [published, auto] = ["layer norm of all inputs (as published)", "of wide inputs only"];
const inputNorms = { [published]: true, [auto]: "auto" };

/** A curve in both panels. */
const inAloha = (series: string, config: Readonly<Record<string, JsonValue>>): SeriesDefinition[] =>
  Object.entries(inputNorms).map(([panel, inputNorm]) => ({
    series,
    panel,
    algorithm: "mappo",
    env: "aloha",
    config: { ...config, inputNorm },
    envConfig: { horizon: 25 },
  }));

const alohaReturn = {
  name: "eval/return",
  label: "return",
  unit: "per episode",
  better: "higher",
  domain: [0, 12.5],
} as const satisfies MetricDefinition;

const alohaSettings = {
  metric: alohaReturn,
  scales: {
    smoke: { seeds: 2, steps: 20_000 },
    quick: { seeds: 5, steps: 250_000 },
    paper: { seeds: 10, steps: 1_000_000 },
  },
  captions: { quick: "A quarter of the paper's steps, half its seeds." },
  // An iteration is 32 environments of 25 steps: 800.
  evaluateEvery: 25,
  evaluationEpisodes: 100,
  references: [{ label: "full DAG, greedy script, 11.63", value: 11.63 }],
} satisfies Partial<FigureDefinition>;

const alohaProtocol =
  "Return of the greedy policy over 100 episodes of 25 steps, 10 agents. The axis begins at 0, the return of a team that never " +
  "sends; what lies below is not shown. Layer normalisation of one number leaves nothing of it: on the left agents do not know " +
  "their own backlog.";

const aloha = figure("context-aware-bn/figure-4-aloha", {
  title: "Aloha: learned DAGs",
  caption: `${alohaProtocol} Bottom: mean density of the DAGs that networks drew while training; nothing pulls at it.`,
  runs: Object.entries({ [learned]: presets!["context-aware-aloha"].config, ...fixed }).flatMap(
    ([series, config]) => inAloha(series, config),
  ),
  ...alohaSettings,
  furtherMetrics: [density],
  claims: [
    claim(
      "“our context-aware DAG learning performs comparably to Fully-correlated”, as published",
      similarTo(learned, "full", { panel: published, margin: oneSender }),
    ),
    claim(
      "“both outperform Uncorrelated”, as published: they end higher",
      all(...[learned, "full"].map((name) => betterThan(name, "product", { panel: published }))),
    ),
    claim(
      "“both outperform Uncorrelated”, as published: they learn faster",
      all(
        ...[learned, "full"].map((name) =>
          betterThan(name, "product", { panel: published, measure: trainingAverage({ floor: 0 }) }),
        ),
      ),
    ),
    claim(
      "(against the paper) where agents know their own backlog, Uncorrelated ends as high",
      all(
        ...[learned, "full"].map((name) => noWorseThan("product", name, { panel: auto, margin: oneSender })),
      ),
    ),
    claim(
      "the density “is also increasing from 50% to 62%”: it ends above 50 %, as published",
      endsBeyond(learned, { panel: published, metric: density.name, value: 0.5 }),
    ),
    claim(
      "it ends at 62 %, to 3 %, as published",
      endsNear(learned, { panel: published, metric: density.name, value: 0.62, margin: densityMargin }),
    ),
  ],
});

/** Figures of context-aware BN with DAGs that are learned. */
export const contextAwareBnLearned = [coordinationGame, aloha] as const;
