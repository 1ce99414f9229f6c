import { all, betterThan, claim, endsBelow, endsShortOf, similarTo } from "./claims.ts";
import { contextAwareBnLearned } from "./context-aware-bn-learned.ts";
import { figure } from "./figure.ts";
import { equilibriumGap, exactAscentSettings, exactAscents, panelOf, toldApart } from "./tabular-figure.ts";

const dags = ["full", "line", "product"] as const;
const [two, three, five] = [2, 3, 5].map(panelOf);
const gap = equilibriumGap.name;

/** Every DAG in every panel; at N = 2 line and full are one DAG, so that line would only repeat full. */
const everyCurve = [two, three, five].flatMap((panel) =>
  dags.filter((dag) => panel !== two || dag !== "line").map((dag) => [dag, panel] as const),
);

const figure3 = figure("context-aware-bn/figure-3", {
  title: "Coordination Game: exact policy gradients with fixed DAGs",
  caption:
    "Price of anarchy (top) and equilibrium gap (bottom) under exact gradient ascent of tabular policies from standard " +
    "normal parameters, noise .1. At N = 2 line and full are the same DAG and have the same starts. line-truncated is the " +
    "line as the published code builds it, without its last edge (at N = 2 that is product). The gap lets the deviating " +
    "agent see its parents' actions.",
  runs: exactAscents({ 2: dags, 3: [...dags, "line-truncated"], 5: [...dags, "line-truncated"] }, 0.1),
  metric: {
    name: "eval/price-of-anarchy",
    label: "price of anarchy",
    better: "higher",
  },
  furtherMetrics: [equilibriumGap],
  ...exactAscentSettings,
  references: [{ label: "optimum", value: 1 }],
  claims: [
    claim(
      "“the Nash-gap indeed decreases and converges close to zero”: it ends below a tenth of its start",
      all(...everyCurve.map(([dag, panel]) => endsBelow(dag, { panel, metric: gap, share: 0.1 }))),
    ),
    claim(
      "“Fully-correlated consistently outperforms Line-correlated and Uncorrelated”",
      all(
        betterThan("full", "product", { panel: two }),
        ...[three, five].flatMap((panel) =>
          ["line", "product"].map((worse) => betterThan("full", worse, { panel })),
        ),
      ),
    ),
    claim(
      "“but does not converge to an optimal policy with POA of 1”",
      all(...[two, three, five].map((panel) => endsShortOf("full", { panel, value: 1 }))),
    ),
    claim(
      "“the convergence rate of Fully-correlated is the slowest”: it has the largest gap in the end",
      all(
        betterThan("product", "full", { panel: two, metric: gap }),
        ...[three, five].flatMap((panel) =>
          ["line", "product"].map((faster) => betterThan(faster, "full", { panel, metric: gap })),
        ),
      ),
    ),
    claim(
      "“Line-correlated has a similar performance to Fully-correlated” at N = 5",
      similarTo("line", "full", { panel: five, margin: toldApart }),
    ),
    claim(
      "Line-correlated can “degenerate to the performance of Uncorrelated”, at N = 3",
      similarTo("line", "product", { panel: three, margin: toldApart }),
    ),
    claim(
      "(against the paper) N = 3: a line with all its edges is better than product",
      betterThan("line", "product", { panel: three }),
    ),
  ],
});

/** Chen and Zhang, "Context-aware Bayesian network actor-critic methods for cooperative multi-agent reinforcement learning". */
export const contextAwareBn = [figure3, ...contextAwareBnLearned] as const;
