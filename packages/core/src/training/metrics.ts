import type { Values } from "../tensor/index.ts";
import type { Metrics } from "./algorithm.ts";

/** Scalar results of a program as metrics of training, `train/<name>`. */
export const trainMetrics = (results: Readonly<Record<string, Values>>): Metrics =>
  Object.fromEntries(Object.entries(results).map(([name, [value]]) => [`train/${name}`, Number(value)]));

/** Mean of each metric over steps, of which there is at least one. */
export const meanMetrics = (steps: readonly Metrics[]): Metrics =>
  Object.fromEntries(
    Object.keys(steps[0]).map((name) => [
      name,
      steps.reduce((total, step) => total + step[name], 0) / steps.length,
    ]),
  );
