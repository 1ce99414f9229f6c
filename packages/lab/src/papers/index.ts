import { contextAwareBn } from "./context-aware-bn.ts";
import type { FigureDefinition } from "./figure.ts";
import { subteams } from "./subteams.ts";

export { describeReport } from "./describe-report.ts";
export type { Executor, FigureRun, FinishedRun, MetricSeries, RunRequest } from "./executor.ts";
export { type FigureDefinition, figureRuns, type Scale, scales } from "./figure.ts";
export { type FigureReport, type ReproduceOptions, reproduce } from "./reproduce.ts";

/** Every figure that can be reproduced, by its id. */
export const figures: Readonly<Record<string, FigureDefinition>> = Object.fromEntries(
  [...subteams, ...contextAwareBn].map((definition) => [definition.id, definition]),
);
