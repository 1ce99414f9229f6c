import type { FigureDefinition } from "./figure.ts";
import { subteams } from "./subteams.ts";

export type { SeriesSummary } from "./aggregate.ts";
export {
  all,
  allSimilar,
  betterThan,
  type Claim,
  type ClaimReport,
  type ComparisonReport,
  claim,
  finalValue,
  noWorseThan,
  similarTo,
  trainingAverage,
  type Verdict,
} from "./claims.ts";
export { describeReport } from "./describe-report.ts";
export type { Executor, FigureRun, FinishedRun, MetricSeries, RunRequest } from "./executor.ts";
export {
  curves,
  type FigureDefinition,
  figure,
  figureRuns,
  grid,
  panels,
  type Scale,
  scales,
} from "./figure.ts";
export { type FigureReport, type ReproduceOptions, reproduce } from "./reproduce.ts";

/** Every figure that can be reproduced, by its id. */
export const figures: Readonly<Record<string, FigureDefinition>> = Object.fromEntries(
  [...subteams].map((definition) => [definition.id, definition]),
);
