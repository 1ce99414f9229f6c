import { type AlgorithmName, algorithms } from "corral/algorithms";
import { createRng } from "corral/random";
import { independentCeiling } from "corral/tabular";
import { all, betterThan, claim, endsBeyond, endsNear, endsShortOf } from "./claims.ts";
import { type FigureDefinition, figure, type SeriesDefinition } from "./figure.ts";

/** The two games, by the settings in which they differ. */
const games = { plain: {}, penalty: { penalty: 0.5 } } as const;
type Game = keyof typeof games;

/** The share of successes of the independent policies of largest return. */
const ceiling = (game: Game): number => {
  const rules = { agents: 6, k: 2, penalty: 0, penaltyMode: "perPair", penaltyDistance: 0.1 } as const;
  return independentCeiling({ ...rules, ...games[game] }, createRng(0), { starts: 0 }).common.success;
};
const ceilings = { plain: ceiling("plain"), penalty: ceiling("penalty") };
/** Of a share near a third, over the episodes of an evaluation. */
const evaluationEpisodes = 2048;
const evaluationError = Math.sqrt((1 / 3) * (2 / 3) * (1 / evaluationEpisodes));
/** Above this, an evaluation is not explained by chance around the ceiling. */
const surelyAbove = (game: Game): number => ceilings[game] + 3 * evaluationError;

/** What each method is called in the paper, and whether agents see only their own observation when they act. */
const methods = {
  AGP: { algorithm: "agp", independent: false },
  "AGP-PG": { algorithm: "agp-pg", independent: false },
  DCG: { algorithm: "dcg", independent: false },
  DICG: { algorithm: "dicg-value", independent: false },
  VDN: { algorithm: "vdn", independent: true },
  IQL: { algorithm: "iql", independent: true },
  QMIX: { algorithm: "qmix", independent: true },
  QTRAN: { algorithm: "qtran", independent: true },
  FOP: { algorithm: "fop", independent: true },
  MACPF: { algorithm: "macpf", independent: true },
} as const satisfies Record<string, { algorithm: AlgorithmName; independent: boolean }>;
type Method = keyof typeof methods;

const names = Object.keys(methods) as Method[];
const independent = names.filter((name) => methods[name].independent);
const baselines = names.filter((name) => name !== "AGP" && name !== "AGP-PG");

/** A curve of one algorithm under its preset for games of one step. */
function trained(
  series: string,
  algorithm: AlgorithmName,
  game: Game,
  config: SeriesDefinition["config"] = {},
): SeriesDefinition {
  return {
    series,
    algorithm,
    env: "topk",
    config: { ...algorithms[algorithm].presets!.fast.config, ...config },
    envConfig: games[game],
    // Iterations of the on-policy form are 512 episodes, those of all others 320: both are evaluated every 10,240.
    ...(algorithm === "agp-pg" ? { evaluateEvery: 20 } : {}),
  };
}

const settings = {
  steps: "episodes",
  scales: {
    smoke: { seeds: 2, steps: 2_560 },
    quick: { seeds: 5, steps: 204_800 },
    paper: { seeds: 5, steps: 3_000_320 },
  },
  evaluateEvery: 32,
  evaluationEpisodes,
} satisfies Partial<FigureDefinition>;

const success = {
  name: "eval/success",
  label: "success",
  unit: "share of episodes",
  better: "higher",
  domain: [0, 1],
} as const;

const protocol =
  "Greedy play in 2048 fresh episodes. Every method trains under the same terms: one gradient step on 64 episodes after each 32 " +
  "fresh ones, exploration that fades over 20,000 episodes (AGP-PG: PPO). Solid: methods whose agents exchange " +
  "observations before they act; dashed: methods whose agents see only their own.";

const reference = (game: Game) => ({
  label: `best independent play, ${ceilings[game].toFixed(3)}`,
  value: ceilings[game],
});

/** What both panels of Figure 2 say of AGP. */
const agpReaches = (value: number) => [
  claim(
    `AGP “achieves ${(value * 100).toFixed(1).replace(".0", "")} % success”, to .03`,
    endsNear("AGP", { value, margin: 0.03 }),
  ),
  claim(
    "AGP is better than every baseline",
    all(...baselines.map((baseline) => betterThan("AGP", baseline))),
  ),
];

const figure2a = figure("agp/figure-2a", {
  title: "Top-K Selection, N = 6, K = 2",
  caption: `Share of episodes in which exactly the two agents with the largest signals act. ${protocol}`,
  runs: names.map((name) => trained(name, methods[name].algorithm, "plain")),
  metric: success,
  ...settings,
  dashed: independent,
  panelSize: [400, 260],
  references: [reference("plain")],
  threshold: 0.9,
  claims: [
    ...agpReaches(0.957),
    claim(
      "“All baselines achieve success rates clustered around the theoretical bound of 0.329, ranging from 0.232 (QMIX) to 0.450 (DCG)”: within .125 of it",
      all(...baselines.map((baseline) => endsNear(baseline, { value: ceilings.plain, margin: 0.125 }))),
    ),
    claim(
      "“Independent policies cannot exceed this bound”: those that see only their own signal do not",
      all(...independent.map((name) => endsShortOf(name, { value: surelyAbove("plain") }))),
    ),
    claim(
      "(against the paper) DCG and DICG, whose agents exchange observations, do exceed it",
      all(...(["DCG", "DICG"] as const).map((name) => endsBeyond(name, { value: surelyAbove("plain") }))),
    ),
  ],
});

const figure2b = figure("agp/figure-2b", {
  title: "Top-K Selection with an anti-coordination penalty, N = 6, K = 2",
  caption:
    "The same, where each pair of agents that act with signals less than .1 apart costs .5. The rule is the success of the " +
    `independent policies of largest return. ${protocol}`,
  runs: names.map((name) => trained(name, methods[name].algorithm, "penalty")),
  metric: success,
  furtherMetrics: [{ name: "eval/return", label: "return", better: "higher", domain: [-1.5, 1] }],
  ...settings,
  dashed: independent,
  panelSize: [400, 260],
  references: [reference("penalty")],
  threshold: 0.9,
  claims: [
    ...agpReaches(0.96),
    claim(
      "“All baselines experience a substantial drop in success due to the penalty, converging to low-success regimes”: below .329",
      all(...baselines.map((baseline) => endsShortOf(baseline, { value: ceilings.plain }))),
    ),
    claim(
      "methods that see only their own signal stay below the best that independent policies reach without the penalty",
      all(...independent.map((name) => endsShortOf(name, { value: surelyAbove("plain") }))),
    ),
  ],
});

/** The full method and its ablations in one game. */
const ablations = (game: Game): SeriesDefinition[] =>
  [
    trained("AGP", "agp", game),
    trained("AGP-PG", "agp-pg", game),
    trained("no cross-agent edges", "agp", game, { crossAgent: false }),
    trained("no action graph", "agp", game, { graph: "none" }),
  ].map((series) => ({ ...series, panel: panelOf[game] }));

const panelOf = { plain: "Top-K", penalty: "Top-K with penalty" } as const;
const ablated = ["no cross-agent edges", "no action graph"] as const;
const everyGame = Object.keys(games) as Game[];

const figure3 = figure("agp/figure-3", {
  title: "Action-graph policies without their parts",
  caption:
    "Share of successes with all of the method, with attention only among an agent's own actions, without the action graph, " +
    "and trained by policy gradient. The first two ablations act on what an agent sees alone. Greedy play in 2048 fresh episodes.",
  runs: everyGame.flatMap(ablations),
  metric: success,
  ...settings,
  dashed: ablated,
  references: everyGame.map((game) => ({ ...reference(game), panel: panelOf[game] })),
  threshold: 0.9,
  claims: [
    claim(
      "“Removing cross-agent action dependencies or the action graph drastically collapses the performance”: both end below half of AGP's success",
      all(
        ...everyGame.flatMap((game) =>
          ablated.map((name) => betterThan("AGP", name, { panel: panelOf[game], smallestEffect: 0.45 })),
        ),
      ),
    ),
    claim(
      "“collapsing to performance comparable to independent baselines on both games”: no better than the best independent play",
      all(
        ...everyGame.flatMap((game) =>
          ablated.map((name) => endsShortOf(name, { panel: panelOf[game], value: surelyAbove("plain") })),
        ),
      ),
    ),
    claim(
      "“AGP-PG consistently recovers the same qualitative behaviour”: far above the ablations",
      all(
        ...everyGame.flatMap((game) =>
          ablated.map((name) => betterThan("AGP-PG", name, { panel: panelOf[game], smallestEffect: 0.3 })),
        ),
      ),
    ),
  ],
});

const heatMapSettings = {
  ...settings,
  // One run is drawn; the others are there for the claims.
  heatMaps: { series: "AGP", samples: 1024 },
  metric: { name: "attention/cross-agent", label: "share of attention across agents", better: "higher" },
} satisfies Partial<FigureDefinition>;

/** What attention to all nodes alike gives to other agents' nodes. */
const evenAttention = 10 / 12;

const figure5 = figure("agp/figure-5", {
  title: "Top-K Selection: attention over the action graph",
  caption: "AGP at the end of training, seed 1.",
  runs: [trained("AGP", "agp", "plain")],
  ...heatMapSettings,
  furtherMetrics: [
    { name: "attention/act1-to-act1", label: "from act 1 to others' act 1", better: "higher" },
    { name: "attention/act1-to-act0", label: "from act 1 to others' act 0", better: "higher" },
    { name: "attention/entropy", label: "entropy of a row", better: "lower" },
  ],
  claims: [
    claim(
      "“Attention exhibits structured cross-agent coupling (off-diagonal mass) rather than purely local/self-attention”: more than half goes to other agents",
      endsBeyond("AGP", { value: 0.5 }),
    ),
    claim(
      "“a global pattern in which each agent's act1 node attends broadly to other agents' act1 nodes”: more than even attention would",
      endsBeyond("AGP", { metric: "attention/act1-to-act1", value: evenAttention / 2 }),
    ),
    claim(
      "“the attention is neither uniform nor fully connected”: the mean over heads and moments has less than .9 of the entropy of even attention",
      endsBeyond("AGP", { metric: "attention/entropy", value: 0.9 }),
    ),
  ],
});

const figure6 = figure("agp/figure-6", {
  title: "Top-K Selection with an anti-coordination penalty: attention over the action graph",
  caption: "AGP at the end of training, seed 1. The claims compare it with AGP without the penalty.",
  runs: [trained("AGP", "agp", "penalty"), trained("AGP without penalty", "agp", "plain")],
  ...heatMapSettings,
  furtherMetrics: [
    { name: "attention/act1-to-act0", label: "from act 1 to others' act 0", better: "higher" },
    { name: "attention/entropy", label: "entropy of a row", better: "lower" },
  ],
  claims: [
    claim(
      "“Compared to Top-K, attention exhibits stronger structured coupling between act1 and act0 nodes across agents”",
      betterThan("AGP", "AGP without penalty", { metric: "attention/act1-to-act0" }),
    ),
    claim(
      "“Compared to the vanilla Top-K case, the attention is sharper”: rows have less entropy",
      betterThan("AGP", "AGP without penalty", { metric: "attention/entropy" }),
    ),
  ],
});

/** "Action-graph policies". */
export const agp = [figure2a, figure2b, figure3, figure5, figure6] as const;
