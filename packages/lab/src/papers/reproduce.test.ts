import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DagSamples } from "corral/algorithms";
import { InputError } from "corral/errors";
import type { AttentionReport } from "corral/models";
import { createRng } from "corral/random";
import { afterEach, beforeEach, expect, test } from "vitest";
import { betterThan, claim, endsBeyond, noWorseThan } from "./claims.ts";
import { describeReport } from "./describe-report.ts";
import type { Executor, FigureRun, FinishedRun, MetricSeries } from "./executor.ts";
import { curves, figure, figureRuns, grid } from "./figure.ts";
import { reproduce } from "./reproduce.ts";

const definition = figure("test/figure-1", {
  title: "Two teams",
  caption: "The axis begins at 0.",
  runs: grid({
    algorithm: "mappo",
    env: "aloha",
    config: { dag: curves({ fast: "full", slow: "product" }) },
  }),
  metric: { name: "eval/return", label: "return", unit: "per episode", better: "higher", domain: [0, 10] },
  scales: {
    smoke: { seeds: 2, steps: 100 },
    quick: { seeds: 5, steps: 2000 },
    paper: { seeds: 9, steps: 2000 },
  },
  evaluateEvery: 1,
  evaluationEpisodes: 1,
  references: [{ label: "script", value: 9 }],
  threshold: 7,
  claims: [
    claim("fast is better", betterThan("fast", "slow")),
    claim("slow is not worse", noWorseThan("slow", "fast", { margin: 1 })),
  ],
});

/** Seed s of the fast team ends at 7 + s / 10, of the slow team at 4 + s / 10; they start at -900. */
function pretend({ series, request }: FigureRun): MetricSeries {
  const end = (series === "fast" ? 7 : 4) + request.seed / 10;
  // An odd seed has an evaluation that the even ones lack.
  const steps = request.seed % 2 === 1 ? [0, 500, 1000, 2000] : [0, 1000, 2000];
  return { steps, values: steps.map((step) => (step === 0 ? -900 : (end * step) / 2000)) };
}

/** Two agents with one action each; agent 0 gives a share to itself that falls with the seed. */
function attention({ request }: FigureRun): AttentionReport {
  const own = 0.5 - request.seed / 20;
  const map = {
    weights: [
      [own, 1 - own],
      [0, 1],
    ],
    crossAgent: (1 - own) / 2,
    sameAgent: (1 + own) / 2,
    crossAgentByAction: [[(1 - own) / 2]],
    entropy: 0.4,
  };
  return { labels: ["agent 0: act 0", "agent 1: act 0"], samples: 64, layers: [{ heads: [map], mean: map }] };
}

/** Two agents of which the fast team's second reads the first; they are paid 1 more with every seed. */
function dags({ series, request }: FigureRun, state: readonly number[]): DagSamples {
  return {
    source: "test",
    agents: 2,
    count: 1,
    states: Float32Array.from(state),
    parents: Float32Array.from([0, 0, series === "fast" ? 1 : 0, 0]),
    order: Int32Array.from([0, 1]),
    actions: Int32Array.from([1, 0]),
    rewards: Float64Array.from([request.seed]),
  };
}

function executor(change: (finished: FinishedRun[]) => FinishedRun[] = (all) => all): Executor {
  return {
    execute: async (runs) =>
      change(
        runs.map((run) => ({
          run,
          metrics: () => pretend(run),
          attention: async () => attention(run),
          dags: async (states) => dags(run, states[0]),
          parameters: async () => ({}),
          directory: "/nowhere",
        })),
      ),
  };
}

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "corral-figure-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const run = (change?: Parameters<typeof executor>[0], seeds?: number) =>
  reproduce(definition, {
    scale: "quick",
    ...(seeds === undefined ? {} : { seeds }),
    executor: executor(change),
    out,
    rng: createRng("figures"),
  });

test("values are divided, and a caption tells which curves have fewer runs", async () => {
  const [fast, slow] = definition.runs;
  const perAgent = figure("test/figure-2", {
    ...definition,
    metric: { ...definition.metric, divisor: 10 },
    runs: [fast, { ...slow, seeds: { quick: 2 } }],
    claims: [claim("fast ends above .7", endsBeyond("fast", { value: 0.7 }))],
  });
  const options = { scale: "quick", executor: executor(), out, rng: createRng("figures") } as const;
  const { table, claims, caption, seeds } = await reproduce(perAgent, options);
  expect(table.map(({ n }) => n)).toEqual([5, 2]);
  expect(table[0].mean).toBeCloseTo(0.73, 12);
  expect(claims[0].comparisons[0].difference).toBeCloseTo(0.03, 12);
  expect(caption).toContain("Mean over 5 seeds (slow: 2) of 2,000 environment steps");
  expect(seeds).toBe(5);
});

test("panels have metrics and lengths of their own, and scales have settings", async () => {
  const [fast] = definition.runs;
  const returns = { name: "eval/return", label: "return", better: "higher" } as const;
  const differing = figure("test/figure-2", {
    ...definition,
    metric: { ...returns, domain: [0, 10] },
    steps: "episodes",
    stepsEach: 10,
    captions: { quick: "Quickly." },
    runs: [
      { ...fast, panel: "short", configs: { paper: { dag: "line" } } },
      { ...fast, panel: "long" },
    ],
    panels: {
      long: {
        metric: { ...returns, label: "loss", divisor: -10, logarithmic: true },
        length: { smoke: 100, quick: 2000, paper: 8000 },
        stepsEach: 100,
        evaluateEvery: 7,
        evaluationEpisodes: 9,
      },
    },
    claims: [],
  });
  const [short, , , , , long] = figureRuns(differing, "quick").map(({ request }) => request);
  expect([short.steps, short.evaluateEvery, short.evaluationEpisodes]).toEqual([2000, 1, 1]);
  expect([long.steps, long.evaluateEvery, long.evaluationEpisodes]).toEqual([2000, 7, 9]);
  expect([short.config, figureRuns(differing, "paper")[0].request.config]).toEqual([
    { dag: "full" },
    { dag: "line" },
  ]);
  expect(short).not.toHaveProperty("configs");

  const options = { scale: "quick", executor: executor(), out, rng: createRng("figures") } as const;
  const { table, caption, warnings, files } = await reproduce(differing, options);
  expect(table.map(({ mean }) => Number(mean.toFixed(9)))).toEqual([7.3, -0.73]);
  expect(caption).toContain("begins at 0. Quickly. Mean over 5 seeds of 200 (short), 20 (long) episodes;");
  expect(warnings[0]).toContain("the paper's of 200 (short), 80 (long) episodes:");
  const svg = readFileSync(files.svg, "utf8");
  for (const text of ["short", "long", "return", "loss", "episodes", "200", "20"]) {
    expect(svg).toContain(`>${text}<`);
  }
  const declare = (own: object) => () =>
    figure("test/figure-3", { ...differing, panels: { long: own } as typeof differing.panels });
  expect(declare({ metric: { ...returns, name: "eval/gap" } })).toThrow(
    'figure test/figure-3: panel "long" shows eval/gap, expected eval/return',
  );
  expect(declare({ length: { smoke: 1, quick: 0.5, paper: 1 } })).toThrow('panel "long": expected whole');
  expect(() => figure("test/figure-3", { ...differing, panels: { lang: {} } })).toThrow("has no curves");
});

test("the table holds hand-worked values at the last evaluation", async () => {
  const { table } = await run();
  expect(table.map(({ series, n, steps }) => [series, n, steps])).toEqual([
    ["fast", 5, 2000],
    ["slow", 5, 2000],
  ]);
  // 7.1 7.2 7.3 7.4 7.5: mean 7.3, variance 0.1 / 4, and all that is symmetric lies in the middle.
  expect(table[0].mean).toBeCloseTo(7.3, 12);
  expect(table[0].standardError).toBeCloseTo(Math.sqrt(0.1 / 4 / 5), 12);
  expect(table[0].interquartileMean).toBeCloseTo(7.3, 12);
  expect(table[0].median).toBeCloseTo(7.3, 12);
  expect([table[0].minimum, table[0].maximum]).toEqual([7.1, 7.5]);
  expect(table.map(({ shareAboveThreshold }) => shareAboveThreshold)).toEqual([1, 0]);
  const { low, high, confidence } = table[0].interquartileInterval;
  expect(low).toBeGreaterThanOrEqual(7.1);
  expect(low).toBeLessThan(7.3);
  expect(high).toBeGreaterThan(7.3);
  expect(confidence).toBe(0.95);
});

test("claims are judged on the data", async () => {
  const { claims } = await run();
  expect(claims.map(({ verdict }) => verdict)).toEqual(["reproduced", "contradicted"]);
  const [comparison] = claims[0].comparisons;
  expect(comparison.difference).toBeCloseTo(3, 12);
  expect(comparison.interval.confidence).toBeCloseTo(0.975, 12);
  expect(comparison.probabilityOfImprovement).toBe(1);
});

test("the files hold the figure, its data and its verdicts", async () => {
  const { files, caption } = await run();
  expect(files.svg).toBe(join(out, "test", "figure-1.svg"));
  const svg = readFileSync(files.svg, "utf8");
  for (const text of ["Two teams", "return (per episode)", "environment steps", "fast", "slow", "script"]) {
    expect(svg).toContain(`>${text}<`);
  }
  expect(caption).toBe(
    "The axis begins at 0. Mean over 5 seeds of 2,000 environment steps; band: one standard error to each side.",
  );
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!.map(Number);
  const png = readFileSync(files.png);
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2 * width, 2 * height]);

  const csv = readFileSync(files.csv, "utf8").trimEnd().split("\n");
  expect(csv[0]).toBe("metric,panel,series,seed,steps,value");
  // Two curves, five seeds, and the three evaluations that all runs share.
  expect(csv).toHaveLength(1 + 2 * 5 * 3);
  expect(csv[2]).toBe("eval/return,,fast,1,1000,3.55");

  const json = JSON.parse(readFileSync(files.json, "utf8"));
  expect(json.claims[0]).toMatchObject({ text: "fast is better", verdict: "reproduced" });
  expect(json.curves[1].steps).toEqual([0, 1000, 2000]);
  expect(json.curves[1].mean[2]).toBeCloseTo(4.3, 12);
  expect(json.curves[1].standardError[0]).toBe(0);
  expect(JSON.stringify(json)).not.toContain("nowhere");
});

test("finishing a figure again gives the same bytes, in whatever order the runs arrive", async () => {
  const read = (files: Record<string, string>) =>
    Object.values(files).map((path) => readFileSync(path).toString("base64"));
  const first = read((await run()).files);
  const again = read((await run()).files);
  const reversed = read((await run((finished) => finished.reverse())).files);
  expect(again).toEqual(first);
  expect(reversed).toEqual(first);
});

test("a missing, diverged or incomparable run stops the figure", async () => {
  await expect(run((finished) => finished.slice(1))).rejects.toThrow("run of fast, seed 1 did not finish");
  const replaced = (series: MetricSeries) =>
    run((finished) => [{ ...finished[0], metrics: () => series }, ...finished.slice(1)]);
  await expect(replaced({ steps: [0, 2000], values: [0, Number.NaN] })).rejects.toThrow(
    "run of fast, seed 1: eval/return is NaN at step 2000: the run diverged",
  );
  await expect(replaced({ steps: [1], values: [0] })).rejects.toThrow(InputError);
});

test("one seed draws lines without bands and decides nothing", async () => {
  const report = await run(undefined, 1);
  expect(report.seeds).toBe(1);
  expect(report.caption).toContain("One seed of 2,000 environment steps; no band.");
  expect(report.claims.map(({ verdict }) => verdict)).toEqual(["undecided", "undecided"]);
  expect(report.warnings.join()).toContain(
    '"fast is better" is undecided. fast and slow: too few seeds to decide (1 each)',
  );
});

test("a scale that trains for less than the paper says so", async () => {
  const report = await reproduce(definition, {
    scale: "smoke",
    executor: executor(),
    out,
    rng: createRng(1),
  });
  expect(report.warnings[0]).toBe(
    "runs are of 100 environment steps, the paper's of 2,000 environment steps: its claims are about those",
  );
});

test("a report reads as a table with verdicts and their evidence", async () => {
  const text = describeReport(await run());
  expect(text).toContain("test/figure-1 (quick, 5 seeds, eval/return)");
  expect(text).toMatch(/^fast {3}5 {2}7\.300 ± 0\.071 /m);
  expect(text).toContain("reproduced: fast is better");
  // Standard error 0.1; t(8, 0.9875) = 2.752 in tables; g = 3 / 0.15811 * (1 - 3 / 31) = 17.14.
  expect(text).toContain("fast > slow: 3.000 [2.725, 3.275] at 97.5 %, g 17.14, n 5 + 5: reproduced");
  expect(text).toContain("slow ≥ fast (margin 1): -3.000");
  expect(text).toContain(join(out, "test", "figure-1.png"));
});

test("further metrics are further rows, in every file", async () => {
  const both = figure("test/figure-2", {
    ...definition,
    furtherMetrics: [{ name: "eval/gap", label: "equilibrium gap", better: "lower" }],
    steps: "gradient steps",
    claims: [claim("the gap of slow is smaller", betterThan("slow", "fast", { metric: "eval/gap" }))],
  });
  const report = await reproduce(both, {
    scale: "quick",
    executor: executor(),
    out,
    rng: createRng("figures"),
  });
  expect(report.claims[0].verdict).toBe("reproduced");
  expect(report.table.map(({ metric, series }) => `${metric} ${series}`)).toEqual([
    "eval/return fast",
    "eval/return slow",
    "eval/gap fast",
    "eval/gap slow",
  ]);
  expect(report.table.map(({ shareAboveThreshold }) => shareAboveThreshold)).toEqual([
    1,
    0,
    undefined,
    undefined,
  ]);
  const svg = readFileSync(report.files.svg, "utf8");
  for (const text of ["return (per episode)", "equilibrium gap", "gradient steps"]) {
    expect(svg).toContain(`>${text}<`);
  }
  expect(readFileSync(report.files.csv, "utf8")).toContain("\neval/gap,,slow,5,2000,4.5\n");
  expect(describeReport(report)).toContain("eval/gap: slow > fast: 3.000");
  expect(() =>
    figure("test/figure-3", {
      ...both,
      claims: [claim("c", betterThan("slow", "fast", { metric: "eval/value" }))],
    }),
  ).toThrow('claim "c" is about eval/value, expected one of eval/return, eval/gap');
});

test("a figure of heat maps draws the first run of its curve and judges claims about attention", async () => {
  const report = await reproduce(
    figure("test/heat-maps", {
      ...definition,
      metric: { name: "attention/cross-agent", label: "across agents", better: "higher" },
      heatMaps: { series: "slow", samples: 64 },
      claims: [claim("it crosses agents", endsBeyond("slow", { value: 0.2 }))],
    }),
    { scale: "quick", seeds: 5, executor: executor(), out, rng: createRng("test") },
  );
  expect(report.claims[0].verdict).toBe("reproduced");
  // Seeds 1 to 5 give agent 1 shares of .55 to .75, which half of the rows give: .275 to .375.
  const slow = report.table.find(({ series }) => series === "slow")!;
  expect(slow.mean).toBeCloseTo(0.325, 12);
  const svg = readFileSync(report.files.svg, "utf8");
  expect(svg).toContain(">mean of the heads<");
  expect(svg).toContain(">agent 1: act 0<");
  expect(report.caption).toBe("The axis begins at 0. Trained for 2,000 environment steps.");
  const { attention: drawn } = JSON.parse(readFileSync(report.files.json, "utf8"));
  expect(drawn.layers[0].mean.weights[0][0]).toBeCloseTo(0.45, 12);
});

test("a figure of DAGs draws the first run of each curve and judges claims about that state", async () => {
  const seen = figure("test/figure-6", {
    ...definition,
    metric: { name: "dags/reward", label: "reward", better: "higher" },
    furtherMetrics: [{ name: "dags/density", label: "density", better: "higher", series: ["fast"] }],
    references: [],
    dags: { state: [0, 1], child: 1 },
    claims: [
      claim("it is paid at least a half", endsBeyond("slow", { value: 0.5 })),
      claim("it is dense", endsBeyond("fast", { metric: "dags/density", value: 0.5 })),
    ],
  });
  const report = await reproduce(seen, {
    scale: "quick",
    executor: executor(),
    out,
    rng: createRng("test"),
  });
  // Seeds 1 to 5.
  expect(report.table.map(({ metric, series, mean }) => [metric, series, mean])).toEqual([
    ["dags/reward", "fast", 3],
    ["dags/reward", "slow", 3],
    ["dags/density", "fast", 1],
  ]);
  expect(report.claims[1].verdict).toBe("reproduced");
  const { dags: drawn } = JSON.parse(readFileSync(report.files.json, "utf8"));
  expect(drawn).toEqual([
    { series: "fast", state: [0, 1], order: [0, 1], edges: [[0, 1]], actions: [1, 0], reward: 1 },
    { series: "slow", state: [0, 1], order: [0, 1], edges: [], actions: [1, 0], reward: 1 },
  ]);
  const svg = readFileSync(report.files.svg, "utf8");
  expect(svg).toContain("1 edges; agent 1 reads 0; pays 1");
  expect(svg).toContain("agent 1 reads nobody");
});

test("a metric that only some curves have is asked of no others", async () => {
  const some = figure("test/figure-7", {
    ...definition,
    furtherMetrics: [{ name: "train/some", label: "some", better: "higher", series: ["fast"] }],
  });
  const lacking = executor((finished) =>
    finished.map((run) => ({
      ...run,
      metrics: (name) => {
        if (name === "train/some" && run.run.series === "slow") throw new Error("there is none");
        return run.metrics(name);
      },
    })),
  );
  const report = await reproduce(some, { scale: "quick", executor: lacking, out, rng: createRng("test") });
  expect(report.table.filter(({ metric }) => metric === "train/some")).toHaveLength(1);
  expect(() =>
    figure("test/figure-8", {
      ...definition,
      furtherMetrics: [{ name: "train/some", label: "some", better: "higher", series: ["fast"] }],
      claims: [claim("slow has some", endsBeyond("slow", { metric: "train/some", value: 0 }))],
    }),
  ).toThrow('unknown curve "slow": expected one of fast');
});
