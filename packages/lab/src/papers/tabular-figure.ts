import type { JsonValue } from "corral/envs";
import type { FigureDefinition, SeriesDefinition } from "./figure.ts";

/** The DAGs of each panel, by the number of agents. */
export type DagsOfPanels = Readonly<Record<number, readonly string[]>>;

export const panelOf = (agents: number | string): string => `N = ${agents}`;

/**
 * Runs of exact gradient ascent in the Coordination Game: a panel for each number of agents, a curve for each DAG.
 * Figures that ask for equal runs share them.
 */
export function exactAscents(
  dags: DagsOfPanels,
  epsilon: number,
  config: Readonly<Record<string, JsonValue>> = {},
): SeriesDefinition[] {
  return Object.entries(dags).flatMap(([agents, names]) =>
    names.map((dag) => ({
      series: dag,
      panel: panelOf(agents),
      algorithm: "exact-policy-gradient",
      env: "coordination-game",
      config: { dag, ...config },
      envConfig: { agents: Number(agents), epsilon },
    })),
  );
}

/** What all figures of exact ascents share: 2000 gradient steps, as in published code, and 50 starts, as in the papers. */
export const exactAscentSettings = {
  steps: "gradient steps",
  scales: {
    smoke: { seeds: 2, steps: 100 },
    quick: { seeds: 15, steps: 2000 },
    paper: { seeds: 50, steps: 2000 },
  },
  // An iteration is 20 gradient steps. Evaluations are exact and play no episodes.
  evaluateEvery: 1,
  evaluationEpisodes: 1,
} satisfies Partial<FigureDefinition>;

/**
 * The smallest difference in normalised suboptimality, or price of anarchy, that the papers themselves read off these
 * figures (Subteams, N = 5: "2+3, and finally the product"). What is called similar must differ by less.
 */
export const toldApart = 0.01;

/** The equilibrium gap as a metric of a figure. */
export const equilibriumGap = {
  name: "eval/equilibrium-gap",
  label: "equilibrium gap",
  better: "lower",
} as const;
