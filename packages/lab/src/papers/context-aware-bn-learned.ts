import { mappo } from "corral/algorithms";
import type { JsonValue } from "corral/envs";
import { compareUnpaired, mean, standardError } from "corral/stats";
import {
  all,
  betterThan,
  claim,
  endsBeyond,
  endsNear,
  finalValue,
  leastSeeds,
  type Measure,
  measureRun,
  noWorseThan,
  similarTo,
  trainingAverage,
} from "./claims.ts";
import {
  type FigureDefinition,
  figure,
  figureRuns,
  type MetricDefinition,
  type SeriesDefinition,
} from "./figure.ts";
import { type Check, type Row, table } from "./table.ts";
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
  domain: [0.4, 0.8],
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
    "likeliest in each state). Bottom: mean density of the DAGs that networks drew while training, on an axis from .4 to .8; full has 1, product 0. " +
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

const twoDecimals = (value: number): string => value.toFixed(2);

/** Whether inputs of networks are normalised, by panel. */
const [published, auto] = ["layer norm of all inputs (as published)", "layer norm of wide inputs only"];
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
  caption: `${alohaProtocol} Bottom: mean density of the DAGs that networks drew while training, on an axis from .4 to .8; nothing pulls at it.`,
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

const illustration = figure("context-aware-bn/figure-5", {
  title: "Aloha: a learned DAG where each agent holds one message",
  caption:
    "Greedy actions of one run each, seed 1: dark agents send. Arrows lead to the agent that reads an action, those of agent 7 " +
    "are dark; pays: what the team earns in this step, .1 for each message that arrives. The claim is about all seeds. Layer " +
    "norm of all inputs, as published; runs are those of Figure 4.",
  runs: aloha.runs
    .filter(({ series, panel }) => series !== "full" && panel === published)
    .map(({ panel: _, ...run }) => run),
  ...alohaSettings,
  metric: { name: "dags/reward", label: "reward where each agent holds one message", better: "higher" },
  furtherMetrics: [{ name: "dags/density", label: "density", better: "higher", series: [learned] }],
  references: [],
  dags: { state: new Array<number>(10).fill(1), child: 7 },
  claims: [
    claim(
      "for Uncorrelated, “this results in one less message sent for the shown agents”: learned earns more",
      betterThan(learned, "product"),
    ),
  ],
});

/** Settings under which agents find more than one fixed set of senders. */
const exploring = figure("context-aware-bn/aloha-exploring", {
  title: "Aloha: learned DAGs with fading exploration",
  caption:
    "Beyond the paper: the curves of Figure 4 under MAPPO's preset `exploring`: no credit beyond the present step, and an entropy bonus that fades " +
    "from 0.5 to 0 over training. Return of the greedy policy over 100 episodes of 25 steps. Bottom: mean density of the DAGs " +
    "that networks drew while training. Agents know their own backlog.",
  runs: Object.entries({ [learned]: presets!["context-aware-aloha"].config, ...fixed }).map(
    ([series, config]) => ({
      series,
      algorithm: "mappo",
      env: "aloha",
      config: { ...config, ...presets!.exploring.config },
      envConfig: { horizon: 25 },
    }),
  ),
  ...alohaSettings,
  scales: {
    smoke: { seeds: 2, steps: 20_000 },
    quick: { seeds: 5, steps: 500_000 },
    paper: { seeds: 20, steps: 500_000 },
  },
  captions: {},
  furtherMetrics: [{ ...density, domain: [0, 1] }],
  references: [
    { label: "full DAG, greedy script, 11.63", value: 11.63 },
    { label: "one fixed set of senders, 7.71", value: 7.71 },
  ],
  threshold: 10,
  claims: [
    claim(
      "learned > product, by more than a sender",
      betterThan(learned, "product", { smallestEffect: oneSender }),
    ),
    claim("learned is not worse than full by a sender", noWorseThan(learned, "full", { margin: oneSender })),
  ],
});

/** Learned DAGs that are pulled towards none. */
const annealed = "annealed";

const annealing = figure("context-aware-bn/annealing-aloha", {
  title: "Aloha: from learned DAGs to agents that act alone",
  caption:
    `${alohaProtocol} Annealed: learned DAGs whose density is pulled towards 1 until 40 % of the run, from there towards 0, which ` +
    "it is to have at 70 %; the pull's weight rises from .1 to 1 at 80 %. Below: the density of its DAGs while training and, in the " +
    "greedy policy's states, the divergence of agents' policies from what they would be without parents. product acts alone from " +
    "the start. Updates are on 8 episodes, not 32, with 1e-8 for Adam's epsilon. The paper's experiment is in StarCraft.",
  // Eight environments, and the weights of one of the paper's maps: an edge needs many updates to come and to go. Edges that
  // are all but certain have slopes below MAPPO's usual epsilon, at which Adam's steps would shrink and some would stay.
  runs: Object.entries({
    [annealed]: {
      ...presets!["context-aware-aloha"].config,
      annealing: { weight: 0.1, finalWeight: 1 },
    },
    ...fixed,
  }).flatMap(([series, config]) => inAloha(series, { ...config, environments: 8, adamEpsilon: 1e-8 })),
  ...alohaSettings,
  // With a quarter of the paper's steps some edges are still on their way out at the end.
  scales: { ...alohaSettings.scales, quick: { seeds: 5, steps: 500_000 } },
  captions: { quick: "Half of the paper's steps and seeds." },
  // An iteration is 8 environments of 25 steps: 200.
  evaluateEvery: 100,
  furtherMetrics: [
    { ...density, series: [annealed], domain: [0, 1] },
    {
      name: "eval/multi-modality",
      label: "multi-modality",
      unit: "nats",
      better: "higher",
      series: [annealed],
    },
  ],
  claims: [
    claim(
      "it “results in purely uncorrelated policies”: the density ends at 0, to 2 %",
      all(
        ...[published, auto].map((panel) =>
          endsNear(annealed, { panel, metric: density.name, value: 0, margin: 0.02 }),
        ),
      ),
    ),
    claim(
      "“the purely decentralized one has zero multi-modality”, to .01 nats",
      all(
        ...[published, auto].map((panel) =>
          endsNear(annealed, { panel, metric: "eval/multi-modality", value: 0, margin: 0.01 }),
        ),
      ),
    ),
    claim(
      "it “achieves better performance than Uncorrelated”, as published",
      betterThan(annealed, "product", { panel: published }),
    ),
    claim(
      "it is not worse than Uncorrelated by a sender",
      all(
        ...[published, auto].map((panel) => noWorseThan(annealed, "product", { panel, margin: oneSender })),
      ),
    ),
  ],
});

// ── The effect of normalised inputs, as a table ───────────────────────────────────────────────────────────────────

const dags = [learned, "full", "product"];

/** What runs came to: the last return, and the mean height of the curve where it is above 0, which tells how early it rose. */
const measures = { end: finalValue(), height: trainingAverage({ floor: 0 }) };

const inputNorm = table("context-aware-bn/input-norm", {
  title: "Aloha: normalised inputs",
  caption:
    "Returns of greedy policies, mean and standard error over the runs of Figure 4. An agent observes one number, its backlog, of " +
    "which layer normalisation leaves nothing. end: the last evaluation; mean height: the curve's mean where it is above 0, higher " +
    "the earlier agents learn.",
  columns: [
    { key: "norm", label: "layer norm" },
    { key: "dag", label: "DAG" },
    { key: "runs", label: "runs", show: String },
    { key: "end", label: "end", show: twoDecimals },
    { key: "endError", label: "s.e.", show: twoDecimals },
    { key: "height", label: "mean\nheight", show: twoDecimals },
    { key: "heightError", label: "s.e.", show: twoDecimals },
  ],
  efforts: {
    smoke: "the runs of figure-4-aloha at scale smoke",
    quick: "the runs of figure-4-aloha at scale quick",
    paper: "the runs of figure-4-aloha at scale paper",
  },
  trained: true,
  async rows(scale, _rng, { executor, seeds }) {
    const finished = await executor.execute(figureRuns(aloha, scale, seeds));
    return [published, auto].flatMap((panel) =>
      dags.map((dag): Row => {
        const runs = finished.filter(({ run }) => run.series === dag && run.panel === panel);
        const values = (measure: Measure) =>
          runs.map(({ metrics }) => {
            const { steps, values } = metrics(alohaReturn.name);
            return measureRun(measure, steps, values, "higher");
          });
        const [ends, heights] = [values(measures.end), values(measures.height)];
        const error = (all: readonly number[]) => (all.length > 1 ? standardError(all) : null);
        return {
          norm: panel === published ? "all inputs" : "wide inputs",
          dag,
          runs: runs.length,
          end: mean(ends),
          endError: error(ends),
          height: mean(heights),
          heightError: error(heights),
          heights: heights.join(" "),
        };
      }),
    );
  },
  claims: [
    {
      text: "blind to its backlog, an agent without parents learns later; one with parents does not",
      check: (rows) => dags.map((dag) => laterBlind(rows, dag)),
    },
  ],
});

/** Whether runs rise later with all inputs normalised (product), or no later by half a sender (the others). */
function laterBlind(rows: readonly Row[], dag: string): Check {
  const heights = (norm: string) =>
    String(rows.find((row) => row.norm === norm && row.dag === dag)!.heights)
      .split(" ")
      .map(Number);
  const [seeing, blind] = [heights("wide inputs"), heights("all inputs")];
  if (Math.min(seeing.length, blind.length) < leastSeeds) {
    return { evidence: `${dag}: ${blind.length} and ${seeing.length} runs are too few` };
  }
  // Three intervals hold at once with 95 %.
  const { difference, interval } = compareUnpaired(seeing, blind, { confidence: 1 - 0.05 / dags.length });
  const evidence = `${dag}: seeing higher by ${[difference, interval.low, interval.high].map(twoDecimals).join(", ")}`;
  const margin = oneSender / 2;
  if (dag === "product") {
    return interval.low > 0
      ? { holds: true, evidence }
      : interval.high < 0
        ? { holds: false, evidence }
        : { evidence };
  }
  if (interval.high < margin) return { holds: true, evidence };
  return interval.low > margin ? { holds: false, evidence } : { evidence };
}

/** Figures of context-aware BN with DAGs that are learned. */
export const contextAwareBnLearned = [coordinationGame, aloha, illustration, exploring, annealing] as const;

export const contextAwareBnTables = [inputNorm] as const;
