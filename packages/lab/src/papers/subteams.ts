import { mappo } from "corral/algorithms";
import { consecutivePartition } from "corral/structure";
import {
  type DecompositionErrors,
  type DecompositionOptions,
  decompositionErrors,
  denseGame,
  factoredCoordinationGame,
} from "corral/tabular";
import { loadEngine } from "corral/tensor";
import { all, allSimilar, betterThan, claim, endsBelow, similarTo, trainingAverage } from "./claims.ts";
import { curves, figure, grid } from "./figure.ts";
import { type Check, type Row, table } from "./table.ts";
import { equilibriumGap, exactAscentSettings, exactAscents, panelOf, toldApart } from "./tabular-figure.ts";

/** The DAGs of Figures 1 and 4. */
const tabularDags = {
  2: ["full", "product"],
  3: ["full", "line", "product", "1+2"],
  5: ["full", "line", "product", "1+4", "2+3"],
} as const;
const [two, three, five] = [2, 3, 5].map(panelOf);

/**
 * The papers' DAGs and, beside the line, the line as published code builds it; curves of one name have one colour in
 * every panel.
 */
const tabularRuns = exactAscents(
  {
    2: tabularDags[2],
    3: [...tabularDags[3], "line-truncated"],
    5: [...tabularDags[5], "line-truncated"],
  },
  0.05,
);

const tabularCaption =
  "under exact gradient ascent of tabular policies from standard normal parameters in the Coordination Game, noise .05. " +
  "line-truncated is the line as the published code builds it, without its last edge.";

const figure1 = figure("subteams/figure-1", {
  title: "Coordination Game: exact policy gradients under various DAGs",
  caption: `Normalised suboptimality, one minus the value over that of the best policy, ${tabularCaption}`,
  runs: tabularRuns,
  metric: { name: "eval/suboptimality", label: "normalised suboptimality", better: "lower" },
  ...exactAscentSettings,
  claims: [
    claim(
      "“policies with coarser partitions consistently achieve higher final performance”: N = 2, full > product",
      betterThan("full", "product", { panel: two }),
    ),
    claim(
      "N = 5: “full performs similarly to 1+4”",
      similarTo("full", "1+4", { panel: five, margin: toldApart }),
    ),
    claim(
      "N = 5: full and 1+4 “are the best, followed by 2+3”",
      all(...["full", "1+4"].map((best) => betterThan(best, "2+3", { panel: five }))),
    ),
    claim("N = 5: “2+3, and finally the product”", betterThan("2+3", "product", { panel: five })),
    claim(
      "N = 3: “full still performs the best”",
      all(...["line", "product", "1+2"].map((worse) => betterThan("full", worse, { panel: three }))),
    ),
    claim(
      "N = 3: “line and product perform similarly”",
      similarTo("line", "product", { panel: three, margin: toldApart }),
    ),
    claim(
      "(against the paper) N = 3: a line with all its edges is better than product",
      betterThan("line", "product", { panel: three }),
    ),
    claim("N = 3: “with 1+2 slightly worse” than product", betterThan("product", "1+2", { panel: three })),
  ],
});

const everyCurve = Object.entries(tabularDags).flatMap(([agents, names]) =>
  names.map((dag) => [dag, { panel: panelOf(agents) }] as const),
);

const figure4 = figure("subteams/figure-4", {
  title: "Coordination Game: distance from equilibrium under various DAGs",
  caption:
    "Equilibrium gap, the most that one agent gains by deviating alone when it sees its parents' actions, " +
    `${tabularCaption} The runs are those of Figure 1.`,
  runs: tabularRuns,
  metric: equilibriumGap,
  ...exactAscentSettings,
  claims: [
    claim(
      "“all DAGs converge to equilibria”: it ends below a tenth of its start",
      all(...everyCurve.map(([dag, where]) => endsBelow(dag, { ...where, share: 0.1 }))),
    ),
  ],
});

/** The four DAG sources of Figure 2; heuristic and random share one edge budget. */
const dags = (budget: number) =>
  curves({
    heuristic: `heuristic(${budget})`,
    full: "full",
    random: `random(${budget})`,
    product: "product",
  });

/**
 * A difference of .05 in the price of anarchy is the least that can be seen between curves in the paper's panel, and a
 * tenth of what training gains (from .44 for the uniform policy to about .95). It separates the paper's "≈" from its
 * ">" in both directions.
 */
const visibleDifference = 0.05;

const coordinationGame = figure("subteams/figure-2-coordination-game", {
  title: "Coordination Game: MAPPO with four kinds of DAG",
  caption:
    "Price of anarchy (the value of the current policy over that of the best, both solved exactly) in the Coordination " +
    "Game with 5 agents.",
  runs: grid({
    algorithm: "mappo",
    env: "coordination-game",
    config: { dag: dags(4) },
    envConfig: { agents: 5, epsilon: 0.05, horizon: 20 },
  }),
  metric: { name: "eval/price-of-anarchy", label: "price of anarchy", better: "higher" },
  scales: {
    smoke: { seeds: 2, steps: 6_400 },
    quick: { seeds: 12, steps: 200_000 },
    paper: { seeds: 60, steps: 200_000 },
  },
  // An iteration is 32 environments of 20 steps: 640.
  evaluateEvery: 5,
  // The metric is exact; these episodes only give the return beside it.
  evaluationEpisodes: 10,
  references: [{ label: "optimum", value: 1 }],
  threshold: 0.97,
  // "the performance is ordered as heuristic ≈ full > random ≈ product"
  claims: [
    claim("heuristic ≈ full", similarTo("heuristic", "full", { margin: visibleDifference })),
    claim(
      "heuristic and full > random and product",
      all(
        ...["heuristic", "full"].flatMap((better) =>
          ["random", "product"].map((worse) =>
            betterThan(better, worse, { smallestEffect: visibleDifference }),
          ),
        ),
      ),
    ),
    claim("random ≈ product", similarTo("random", "product", { margin: visibleDifference })),
  ],
});

/** Mean return of one agent that alone among its neighbours always sends: policies differ by whole senders. */
const oneSender = 1.54;

const aloha = figure("subteams/figure-2-aloha", {
  title: "Aloha: MAPPO with four kinds of DAG",
  caption:
    "Return of the greedy policy over 100 episodes of 25 steps, 10 agents. The axis begins at 0, the return of a " +
    "team that never sends; early training, far below it, is not shown. Dashed rules: scripted policies.",
  runs: grid({
    algorithm: "mappo",
    env: "aloha",
    config: { dag: dags(10) },
    envConfig: { horizon: 25 },
  }),
  metric: { name: "eval/return", label: "return", unit: "per episode", better: "higher", domain: [0, 12.5] },
  scales: {
    smoke: { seeds: 2, steps: 20_000 },
    quick: { seeds: 5, steps: 250_000 },
    paper: { seeds: 60, steps: 500_000 },
  },
  // An iteration is 32 environments of 25 steps: 800.
  evaluateEvery: 25,
  evaluationEpisodes: 100,
  references: [
    { label: "two alternating sets, 12.02", value: 12.02 },
    { label: "full DAG, greedy script, 11.63", value: 11.63 },
  ],
  claims: [
    claim(
      "the four methods are comparable by end of training",
      allSimilar(["heuristic", "full", "random", "product"], { margin: oneSender }),
    ),
    // Half a sender, averaged over training, is what a curve that rises to five senders loses when it rises later by
    // a tenth of the training. The floor is the team that never sends.
    claim(
      "heuristic and full learn fastest",
      all(
        ...["heuristic", "full"].flatMap((faster) =>
          ["random", "product"].map((slower) =>
            betterThan(faster, slower, {
              measure: trainingAverage({ floor: 0 }),
              smallestEffect: oneSender / 2,
            }),
          ),
        ),
      ),
    ),
  ],
});

const alohaExploring = figure("subteams/aloha-exploring", {
  title: "Aloha with exploration that fades (beyond the paper)",
  caption:
    "The runs of Figure 2 under MAPPO's preset `exploring`: no credit beyond the present step, and an entropy bonus that " +
    "fades from 0.5 to 0 over training. Return of the greedy policy over 100 episodes of 25 steps. Dashed rules: scripted " +
    "policies; 7.71 is the best fixed set of senders.",
  runs: grid({
    algorithm: "mappo",
    env: "aloha",
    config: { dag: dags(10), ...mappo.presets!.exploring.config },
    envConfig: { horizon: 25 },
  }),
  metric: { name: "eval/return", label: "return", unit: "per episode", better: "higher", domain: [0, 12.5] },
  scales: {
    smoke: { seeds: 2, steps: 20_000 },
    quick: { seeds: 5, steps: 500_000 },
    paper: { seeds: 20, steps: 500_000 },
  },
  evaluateEvery: 25,
  evaluationEpisodes: 100,
  references: [
    { label: "full DAG, greedy script, 11.63", value: 11.63 },
    { label: "one fixed set of senders, 7.71", value: 7.71 },
  ],
  threshold: 10,
  claims: [
    claim(
      "full > heuristic, random and product, by more than a sender",
      all(
        ...["heuristic", "random", "product"].map((worse) =>
          betterThan("full", worse, { smallestEffect: oneSender }),
        ),
      ),
    ),
  ],
});

/** Rows of Table 1 with the errors it prints, `|epsilon_P|` and `|epsilon_r|`. */
const printedErrors = [
  { agents: 2, dag: "product", sizes: [1, 1], transition: 0.204, reward: 1.26 },
  { agents: 2, dag: "full", sizes: [2], transition: 3.57e-3, reward: 2.38e-7 },
  { agents: 3, dag: "1+2", sizes: [1, 2], transition: 0.294, reward: 1.5 },
  { agents: 3, dag: "product", sizes: [1, 1, 1], transition: 0.396, reward: 2 },
  { agents: 3, dag: "full", sizes: [3], transition: 2.21e-5, reward: 2.79e-9 },
  { agents: 5, dag: "1+4", sizes: [1, 4], transition: 0.338, reward: 1.44 },
  { agents: 5, dag: "2+3", sizes: [2, 3], transition: 0.48, reward: 2.38 },
  { agents: 5, dag: "product", sizes: [1, 1, 1, 1, 1], transition: 0.603, reward: 1.56 },
  { agents: 5, dag: "full", sizes: [5], transition: 7.13e-8, reward: 3.73e-8 },
] as const;

/** A DAG of Table 1 and one that splits its blocks, by number of agents. */
const refinements = [
  [2, "full", "product"],
  [3, "full", "1+2"],
  [3, "1+2", "product"],
  [5, "full", "1+4"],
  [5, "1+4", "product"],
  [5, "full", "2+3"],
  [5, "2+3", "product"],
] as const;

/** Proposition 1 for one way of fitting: merging blocks makes neither error larger. */
const neverGrows =
  (method: string) =>
  (rows: readonly Row[]): Check[] =>
    refinements.flatMap(([agents, coarse, fine]) => {
      const errors = (dag: string, name: string) =>
        rows.find((row) => row.agents === agents && row.dag === dag)?.[`${name}-${method}`];
      return ["transition", "reward"].flatMap((name): Check[] => {
        const [merged, split] = [errors(coarse, name), errors(fine, name)];
        if (typeof merged !== "number" || typeof split !== "number") return [];
        const evidence = `N = ${agents}, ${name}: ${merged.toFixed(4)} of ${coarse} ≤ ${split.toFixed(4)} of ${fine}`;
        return [{ holds: merged <= split + 1e-9, evidence }];
      });
    });

/** How near fits must be to the printed errors: to 1 %, or to what training left of an error of zero. */
const agrees = (printed: number, fitted: number): boolean =>
  Math.abs(printed - fitted) <= Math.max(0.01 * printed, 0.005);

const fourDigits = (value: number): string => value.toFixed(4);
const asPrinted = (value: number): string => value.toExponential(2);

const table1 = table("subteams/table-1", {
  title: "Decomposition errors of the Coordination Game",
  caption:
    "Largest absolute errors of the transition and the reward as sums over the blocks of a partition, noise .05. paper: " +
    "Table 1, networks trained on the mean squared error. least squares: the exact minimiser of that error. minimax: the " +
    "smallest possible largest error, by linear programs. networks: the paper's fit repeated, 10,000 epochs, one seed.",
  columns: [
    { key: "agents", label: "N" },
    { key: "dag", label: "DAG" },
    { key: "transition-paper", label: "transition\npaper", show: asPrinted },
    { key: "transition-leastSquares", label: "transition\nleast squares", show: fourDigits },
    { key: "transition-minimax", label: "transition\nminimax", show: fourDigits },
    { key: "transition-mlp", label: "transition\nnetworks", show: asPrinted },
    { key: "reward-paper", label: "reward\npaper", show: asPrinted },
    { key: "reward-leastSquares", label: "reward\nleast squares", show: fourDigits },
    { key: "reward-minimax", label: "reward\nminimax", show: fourDigits },
    { key: "reward-mlp", label: "reward\nnetworks", show: asPrinted },
  ],
  efforts: {
    smoke: "N = 2 and 3; exact fits",
    quick: "exact fits",
    paper: "exact fits, and networks trained for 10,000 epochs",
  },
  async rows(scale, rng) {
    const engine = scale === "paper" ? await loadEngine() : undefined;
    const rows: Row[] = [];
    for (const { agents, dag, sizes, transition, reward } of printedErrors) {
      if (scale === "smoke" && agents > 3) continue;
      const game = denseGame(factoredCoordinationGame({ agents, epsilon: 0.05 }));
      const fit = (method: DecompositionOptions): Promise<DecompositionErrors> =>
        decompositionErrors(game, consecutivePartition(sizes), {
          transition: "actions",
          reward: "local-states",
          localStates: game.actions,
          ...method,
        });
      const fits: Record<string, DecompositionErrors> = {
        paper: { transition, reward },
        leastSquares: await fit({ method: "leastSquares" }),
        minimax: await fit({ method: "minimax" }),
        ...(engine && {
          mlp: await fit({ method: "mlp", engine, rng: rng.split(`networks/${agents}/${dag}`) }),
        }),
      };
      const cells = Object.entries(fits).flatMap(([method, errors]) => [
        [`transition-${method}`, errors.transition],
        [`reward-${method}`, errors.reward],
      ]);
      rows.push({ agents, dag, ...Object.fromEntries(cells) });
    }
    return rows;
  },
  claims: [
    {
      text: "the errors of Table 1 are those of the exact least-squares fit, to 1 % (or .005 where it is exact)",
      check: (rows) =>
        rows.flatMap((row) =>
          ["transition", "reward"].map((name): Check => {
            const [printed, fitted] = [Number(row[`${name}-paper`]), Number(row[`${name}-leastSquares`])];
            const evidence = `N = ${row.agents}, ${row.dag}, ${name}: ${asPrinted(printed)} ≈ ${fitted.toFixed(4)}`;
            return { holds: agrees(printed, fitted), evidence };
          }),
        ),
    },
    {
      text: "Proposition 1, for the smallest possible errors: they never grow when blocks merge",
      check: neverGrows("minimax"),
    },
    {
      text: "the errors that Table 1 prints never grow when blocks merge, as those of Proposition 1",
      check: neverGrows("paper"),
    },
  ],
});

/** Chen et al., "Correlated policy optimization in multi-agent subteams". */
export const subteams = [figure1, coordinationGame, aloha, alohaExploring, figure4] as const;

/** Tables of the same paper. */
export const subteamsTables = [table1] as const;
