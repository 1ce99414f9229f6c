import { agp } from "./agp.ts";
import { agpMpe } from "./agp-mpe.ts";
import { agpTheory } from "./agp-theory.ts";
import { bnRates } from "./bn-rates.ts";
import { contextAwareBn } from "./context-aware-bn.ts";
import { contextAwareBnTables } from "./context-aware-bn-learned.ts";
import type { FigureDefinition } from "./figure.ts";
import { mabn } from "./mabn.ts";
import { mabnGradientVariance } from "./mabn-gradient-variance.ts";
import { mabnScaling } from "./mabn-scaling.ts";
import { mabnScores } from "./mabn-table-1.ts";
import { mabnVariance } from "./mabn-variance.ts";
import { subteams, subteamsTables } from "./subteams.ts";
import type { TableDefinition } from "./table.ts";

export { attentionMeasures, writeAttention } from "./attention.ts";
export { dagEdges, describeDag } from "./dag-drawing.ts";
export { describeReport } from "./describe-report.ts";
export type { Executor, FigureRun, FinishedRun, MetricSeries, RunRequest } from "./executor.ts";
export {
  type FigureDefinition,
  figureRuns,
  type MetricDefinition,
  type Scale,
  scales,
} from "./figure.ts";
export { describeLengths, type FigureReport, type ReproduceOptions, reproduce } from "./reproduce.ts";
export { describeTable, reproduceTable, type TableDefinition, type TableReport } from "./table.ts";

/** Every figure that can be reproduced, by its id. */
export const figures: Readonly<Record<string, FigureDefinition>> = byId([
  ...subteams,
  ...contextAwareBn,
  ...agp,
  ...agpMpe,
  ...mabn,
]);

/** Every table that can be reproduced, by its id. */
export const tables: Readonly<Record<string, TableDefinition>> = byId([
  ...subteamsTables,
  ...contextAwareBnTables,
  ...bnRates,
  ...agpTheory,
  ...mabnVariance,
  ...mabnScores,
  ...mabnGradientVariance,
  ...mabnScaling,
]);

function byId<Definition extends { readonly id: string }>(
  definitions: readonly Definition[],
): Record<string, Definition> {
  return Object.fromEntries(definitions.map((definition) => [definition.id, definition]));
}
