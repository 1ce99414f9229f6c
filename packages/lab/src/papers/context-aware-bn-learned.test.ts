import { createRng } from "corral/random";
import { expect, test } from "vitest";
import { contextAwareBnTables } from "./context-aware-bn-learned.ts";
import type { FinishedRun } from "./executor.ts";

const [inputNorm] = contextAwareBnTables;

/** Runs that end at 7 + seed / 100: blind ones without parents have just risen, all others rose in the middle. */
async function rows(seeds: number, later: (dag: unknown, norm: unknown) => boolean) {
  return inputNorm.rows("quick", createRng(1), {
    seeds,
    now: () => 0,
    executor: {
      execute: async (runs) =>
        runs.map((run): FinishedRun => {
          const { dag, inputNorm: norm } = run.request.config;
          const end = 7 + run.request.seed / 100;
          const values = later(dag, norm) ? [-900, 0, end] : [-900, end, end];
          return {
            run,
            directory: "",
            metrics: () => ({ steps: [0, 50, 100], values }),
            attention: () => Promise.reject(new Error("nobody attends")),
            dags: () => Promise.reject(new Error("nobody is asked")),
            parameters: async () => ({}),
          };
        }),
    },
  });
}

const blindAlone = (dag: unknown, norm: unknown) => dag === "product" && norm === true;

test("the table of normalised inputs holds ends and mean heights", async () => {
  const found = await rows(5, blindAlone);
  expect(found.map(({ norm, dag }) => `${norm}, ${dag}`)).toEqual([
    "all inputs, learned",
    "all inputs, full",
    "all inputs, product",
    "wide inputs, learned",
    "wide inputs, full",
    "wide inputs, product",
  ]);
  // Heights of the curve above 0, over two halves: (0 + e)/2 and e, against 0 and e/2; e is 7.03 on average.
  expect(found[0].end).toBeCloseTo(7.03, 12);
  expect(found[0].height).toBeCloseTo(0.75 * 7.03, 12);
  expect(found[2].height).toBeCloseTo(0.25 * 7.03, 12);
  expect(found[2].runs).toBe(5);
});

test("its claim holds where only blind agents without parents are late, and few runs decide nothing", async () => {
  const [{ check }] = inputNorm.claims;
  expect(check(await rows(5, blindAlone)).map(({ holds }) => holds)).toEqual([true, true, true]);
  // Here parents do not help the blind, and the lonely are not late.
  const other = await rows(5, (dag, norm) => dag === "full" && norm === true);
  expect(check(other).map(({ holds }) => holds)).toEqual([true, false, undefined]);
  expect(check(await rows(2, blindAlone)).map(({ holds }) => holds)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
