import { type AlgorithmName, algorithms } from "corral/algorithms";
import { expect, test } from "vitest";
import { figureRuns, scales } from "./figure.ts";
import { figures } from "./index.ts";

const figure4 = figures["agp/figure-4"];

test.each(scales)(
  "at scale %s methods take settings they have, and are evaluated at the same steps",
  (scale) => {
    const runs = figureRuns(figure4, scale, 1);
    expect(runs).toHaveLength(6 * 9);
    const lengths = runs.map(({ request: { algorithm, config, evaluateEvery, steps } }) => {
      const settings = algorithms[algorithm as AlgorithmName].config.parse(config) as {
        readonly environments: number;
        readonly rolloutSteps: number;
        readonly cycles?: number;
      };
      const { environments, rolloutSteps, cycles = 1 } = settings;
      const iteration = environments * (rolloutSteps || 25) * cycles;
      expect(steps % (iteration * evaluateEvery)).toBe(0);
      return iteration;
    });
    expect(new Set(lengths)).toEqual(new Set([{ smoke: 20, quick: 800, paper: 2000 }[scale]]));
  },
);

test("rules are measured: random play everywhere, and who is told everything where that is written down", () => {
  const rules = figure4.measureReferences!();
  const found = Object.fromEntries(
    rules.map(({ panel, label, value }) => [`${panel}: ${label.split(",")[0]}`, value]),
  );
  expect(Object.keys(found)).toEqual([
    "Reference: random",
    "Reference: told",
    "Push: random",
    "Push: told",
    "World-Comm: random",
    "Speaker-Listener: random",
    "Speaker-Listener: told",
    "Crypto: random",
    "Tag: random",
  ]);
  // Random returns of MPE2, five standard errors of both measurements.
  expect(Math.abs(found["Reference: random"] + 56.289)).toBeLessThan(3);
  expect(Math.abs(found["Tag: random"] + 2.412)).toBeLessThan(4.5);
  // A random word has error 0 with probability 1/4, else 2: Eve 37.5, Bob twice less.
  expect(Math.abs(found["Crypto: random"] + 37.5)).toBeLessThan(1.6);
  for (const task of ["Reference", "Push", "Speaker-Listener"]) {
    expect(found[`${task}: told`]).toBeGreaterThan(found[`${task}: random`] / 2);
  }
});
