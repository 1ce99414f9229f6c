import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AlgorithmName, algorithms } from "corral/algorithms";
import {
  averageReturn,
  bestInputs,
  configureEnv,
  constantGain,
  environments,
  followPlan,
  observedStationaryGain,
  parseConfig,
  planWarehouse,
  returnOfGain,
  sendNothing,
  uniformShares,
} from "corral/envs";
import { createRng } from "corral/random";
import { agentSet, type CouplingGraphs, valueDependency } from "corral/structure";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Executor, FigureRun } from "./executor.ts";
import { figureRuns } from "./figure.ts";
import { figures, tables } from "./index.ts";
import { type Method, methodsOf, problemNames, problems } from "./mabn.ts";
import { reproduceTable } from "./table.ts";
import { noSources } from "./testing/no-sources.ts";

/** All settings of a run. */
function parsed(algorithm: string, config: FigureRun["request"]["config"]) {
  const schema = algorithms[algorithm as AlgorithmName].config as Parameters<typeof parseConfig>[1];
  return parseConfig(algorithm, schema, config) as Readonly<Record<string, unknown>>;
}

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "corral-mabn-"));
});
afterEach(() => rmSync(out, { recursive: true }));

test("mabn/variance: theorem 4.2 fails as printed and holds centred", async () => {
  const options = { scale: "smoke", out, rng: createRng(1), ...noSources } as const;
  const { rows, claims } = await reproduceTable(tables["mabn/variance"], options);
  expect(claims.map(({ text, verdict }) => [text.slice(0, 40), verdict])).toEqual([
    ["“the total variance of our P-DTDE policy", "contradicted"],
    ["the same, of rewards that are at most 0", "reproduced"],
    ["Theorem 4.2, lower bound (as stated, and", "contradicted"],
    ["the same, of rewards that are at most 0", "reproduced"],
    ["Theorem 4.2, upper bound", "contradicted"],
    ["(in its place) the reduction is E[(Qbar²", "reproduced"],
    ["(in its place) centred, both bounds hold", "reproduced"],
  ]);
  const [ofThree, , ofTwo] = rows;
  // The cross term is most of it; and where Qhat depends on everybody the printed bounds are 0.
  expect(Number(ofThree.reduction)).toBeGreaterThan(3 * Number(ofThree.withoutCrossTerm));
  expect(ofTwo).toMatchObject({ upper: 0, aboveUpper: 1 });
  expect(Number(ofTwo.reduction)).toBeGreaterThan(1);
});

const figure1 = figures["mabn/figure-1"];
const references = (panel: string): number[] =>
  figure1.references!.filter((reference) => reference.panel === panel).map(({ value }) => value);

test("mabn/figure-1: rules are what the policies they are called after score", () => {
  for (const [name, known] of [
    ["nine", [uniformShares, sendNothing]],
    ["ring", [uniformShares]],
  ] as const) {
    const { config, factory } = configureEnv(environments.warehouse, problems[name].envConfig);
    const scores = known.map((policy) => averageReturn(factory, policy(config), 2, createRng(1)).mean);
    const rules = references(problems[name].panel).slice(1);
    for (const [k, score] of scores.entries()) expect(score).toBeCloseTo(rules[k], 2);
    const nothing = averageReturn(factory, sendNothing(config), 2, createRng(1)).mean;
    expect(nothing).toBeCloseTo(problems[name].nothing, 2);
  }
  const ring = configureEnv(environments.warehouse, problems.ring.envConfig);
  const plan = planWarehouse(ring.config, createRng(1), { starts: 1, steps: 2000 });
  const planned = averageReturn(ring.factory, followPlan(plan.actions), 2, createRng(1)).mean;
  expect(planned).toBeLessThan(problems.ring.best + 0.01);
  expect(planned).toBeGreaterThan(problems.ring.best - 0.2);

  const { config } = configureEnv(environments.temperature, {});
  const exact = [bestInputs(config).return, returnOfGain(config, constantGain(config, -9))];
  const [best, holding, nothing] = references(problems.temperature.panel);
  expect(best).toBeCloseTo(exact[0] / 40, 2);
  expect(holding).toBeCloseTo(exact[1] / 40, 2);
  expect(nothing).toBeCloseTo(returnOfGain(config, constantGain(config, 0)) / 40, 2);
  expect(returnOfGain(config, observedStationaryGain(config)) / 40).toBeCloseTo(-105.05, 2);
});

test("mabn: at the scale of the paper runs have the numbers of its Table 3", () => {
  const runs = figureRuns(figure1, "paper");
  const printed = {
    nine: { steps: 3500 * 8, actorLearningRate: 1e-4, criticLearningRate: 1e-3, discount: 0.95 },
    ring: { steps: 6000 * 8, actorLearningRate: 5e-4, criticLearningRate: 5e-3, discount: 0.95 },
    temperature: { steps: 5000 * 40, actorLearningRate: 1e-4, criticLearningRate: 1e-3, discount: 0.9 },
  };
  for (const problem of problemNames) {
    const { steps, ...settings } = printed[problem];
    const own = runs.filter(({ panel }) => panel === problems[problem].panel);
    expect(new Set(own.map(({ series }) => series)).size).toBe(methodsOf(problem).length);
    for (const { series, request } of own) {
      expect(request.steps).toBe(steps);
      const { algorithm } = request;
      const { actorLearningRate, criticLearningRate, discount } = parsed(algorithm, request.config);
      expect([series, { actorLearningRate, criticLearningRate, discount }]).toEqual([series, settings]);
    }
  }
  const seedsOf = (series: string) => runs.filter((run) => run.series === series).length / 2;
  expect([seedsOf("QDCG no edges"), seedsOf("QDCG complete")]).toEqual([15, 5]);
});

test("mabn: curves of a panel are as long, and evaluated as often, at every scale", () => {
  for (const scale of ["smoke", "quick", "paper"] as const) {
    for (const id of ["mabn/figure-1", "mabn/figure-2", "mabn/figure-11"]) {
      for (const { request } of figureRuns(figures[id], scale)) {
        // An iteration of ten rollouts, each an episode of one environment.
        const { cycles, environments: copies, rolloutSteps } = parsed(request.algorithm, request.config);
        expect([cycles, copies, rolloutSteps]).toEqual([10, 1, 0]);
      }
    }
  }
});

test("mabn/figure-1: methods have their own settings, and the caption tells how many updates", () => {
  const updates = figureRuns(figure1, "quick", 1).map(({ panel, series, request: { algorithm, config } }) => [
    `${panel}, ${series.replace(/ .*/, "")}`,
    parsed(algorithm, config).updates,
  ]);
  const { nine, ring, temperature } = problems;
  const counts = Object.fromEntries(updates);
  for (const method of ["MAStAC", "MADDPG", "MATD3", "FACMAC", "QDCG"]) {
    if (method !== "QDCG") expect(counts[`${nine.panel}, ${method}`]).toBe(1);
    expect(counts[`${ring.panel}, ${method}`]).toBe(method === "MAStAC" ? 2 : 1);
    expect(counts[`${temperature.panel}, ${method}`]).toBe(4);
  }
});

test("mabn/figure-11: sets of 11, 19, 27 and 35 of 40", () => {
  const couplings = configureEnv(environments.warehouse, { instance: "ring" }).factory().couplings!();
  const sizes = figureRuns(figures["mabn/figure-11"], "smoke", 1).map(({ request: { config } }) => {
    const { dependency, kappa } = config as { dependency?: string; kappa?: number };
    return agentSet(valueDependency(couplings as CouplingGraphs, dependency === "kappa" ? { kappa } : {}), 0)
      .length;
  });
  expect(sizes).toEqual([11, 19, 27, 35, 40]);
});

/** Seed s of the first method of a problem ends at -1 - s / 10, of the next at -2 - s / 10, and so on; zones 40 times that. */
const pretend: Executor = {
  execute: async (runs) =>
    runs.map((run) => {
      const problem = problemNames.find((name) => problems[name].panel === run.panel)!;
      const rank = methodsOf(problem).indexOf(run.series as Method);
      const end = -(1 + rank + run.request.seed / 10) * (problem === "temperature" ? 40 : 1);
      return {
        run,
        // The last fifth is all of 801 to 1000.
        metrics: (name: string) => ({
          steps: [0, 800, 900, 1000],
          values: [-900, -800, end - 1, end + 1].map((value) =>
            name === "train/return" ? 2 * value : value,
          ),
        }),
        attention: () => Promise.reject(new Error("nobody attends")),
        dags: () => Promise.reject(new Error("nobody follows a DAG")),
        parameters: async () => ({}),
        directory: "/nowhere",
      };
    }),
};

test("mabn/table-1: scores of the last fifth, in units of the figure, and their order", async () => {
  const options = { scale: "quick", out, rng: createRng(1), ...noSources, executor: pretend } as const;
  const { rows, claims } = await reproduceTable(tables["mabn/table-1"], options);
  const [sim, approximated] = rows;
  expect(sim).toMatchObject({ problem: "nine warehouses", method: "MAStAC sim.", runs: 5, paper: -0.35 });
  // Seeds 1 to 5: -1.1 to -1.5.
  expect(sim.score).toBeCloseTo(-1.3, 12);
  expect(sim.deviation).toBeCloseTo(Math.sqrt(0.025), 12);
  expect(sim.exploring).toBeCloseTo(-2.6, 12);
  expect(sim.share).toBeCloseTo((6.887 - 1.3) / 6.887, 12);
  expect(approximated.score).toBeCloseTo(-2.3, 12);
  const zones = rows.filter(({ problem }) => problem === "40 zones");
  expect(zones[0].score).toBeCloseTo(-1.3, 9);
  const complete = zones.find(({ method }) => method === "QDCG complete")!;
  expect(complete).toMatchObject({ runs: 1, deviation: null });

  // Methods end in the order of `methodsOf`, which is the printed one for nine: there four checks hold.
  const [order, spreads] = claims;
  expect(order.checks.slice(0, 4).map(({ holds }) => holds)).toEqual([true, true, true, true]);
  expect(order.checks[0].evidence).toMatch(
    /^nine: MAStAC sim\. above MAStAC approx\.: by 1 \[0\.\d+, 1\.\d+\]$/,
  );
  const undecided = order.checks.find(({ evidence }) =>
    evidence.includes("QDCG no edges above QDCG complete"),
  )!;
  expect(undecided).toEqual({
    evidence: "ring: QDCG no edges above QDCG complete: 5 and 1 runs are too few",
  });
  expect(order.verdict).toBe("contradicted");
  // All spread alike.
  expect(spreads.checks.map(({ holds }) => holds)).toEqual(new Array(6).fill(undefined));
});

test("mabn/gradient-variance: a factor is above 1 by its interval, unless both estimators are one", () => {
  const row = { problem: "ring", method: "MAStAC", runs: 5, least: 0.9, largest: 4 };
  const [{ check }] = tables["mabn/gradient-variance"].claims;
  const check1 = (logarithm: number, more = {}) =>
    check([{ ...row, logarithm, logarithmError: 0.1, ...more }]).map(({ holds }) => holds);
  // t(4, .975) = 2.776.
  expect([check1(0.28), check1(0.27), check1(-0.28)]).toEqual([[true], [undefined], [false]]);
  expect(check1(1, { runs: 3 })).toEqual([undefined]);
  expect(check1(0, { least: 1, largest: 1 })).toEqual([]);
});

test("mabn/scaling: parameters of critics", async () => {
  let time = 0;
  const now = () => {
    time += 600;
    return time;
  };
  const options = { scale: "smoke", out, rng: createRng(1), ...noSources, now } as const;
  const { rows } = await reproduceTable(tables["mabn/scaling"], options);
  const layers = (inputs: number) => (inputs + 1) * 64 + 2 * 65 * 64 + 65;
  // States (2) and shares (3) of 11 agents, or of everybody; observations (4) and shares.
  expect(rows.map(({ method, agents, parameters }) => [method, agents, parameters])).toEqual([
    ["MAStAC sim.", 10, 10 * layers(10 * 5)],
    ["MAStAC sim.", 20, 20 * layers(20 * 5)],
    ["MAStAC approx.", 10, 10 * layers(10 * 5)],
    ["MAStAC approx.", 20, 20 * layers(11 * 5)],
    ["MADDPG", 10, 10 * layers(10 * 7)],
    ["MADDPG", 20, 20 * layers(20 * 7)],
    ["QDCG complete", 10, 18_242],
    ["QDCG complete", 20, 18_242],
  ]);
}, 120_000);

test("mabn/scaling: growth is compared over numbers of agents that both methods have", () => {
  const rows = (method: string, power: number, sizes: readonly number[]) =>
    sizes.map((agents) => ({ method, agents, milliseconds: agents ** power, parameters: agents ** power }));
  const [quadratic, linear, slower] = tables["mabn/scaling"].claims;
  const both = [
    ...rows("MADDPG", 2, [10, 40, 200]),
    ...rows("MAStAC approx.", 1, [10, 40, 200]),
    // Beyond what MADDPG has, memory makes it slow.
    { method: "MAStAC approx.", agents: 1000, milliseconds: 1e9, parameters: 1000 },
  ];
  expect([quadratic, linear, slower].map(({ check }) => check(both)[0].holds)).toEqual([true, true, true]);
  expect(slower.check(both)[0].evidence).toBe(
    "40 to 200 agents: milliseconds of MAStAC approx. to the 1.00, of MADDPG to the 2.00",
  );
  expect(slower.check(both.filter(({ agents }) => agents <= 40))).toEqual([]);
});
