export { type BootstrapOptions, bootstrapInterval, type Interval } from "./bootstrap.ts";
export {
  type Comparison,
  comparePaired,
  compareUnpaired,
  probabilityOfImprovement,
} from "./compare.ts";
export { normalCdf, normalQuantile, studentCdf, studentQuantile } from "./distributions.ts";
export { detectableDifference, type PowerOptions, seedsNeeded } from "./power.ts";
export {
  interquartileMean,
  mean,
  median,
  quantile,
  shareAbove,
  standardDeviation,
  standardError,
  variance,
} from "./summary.ts";
