import { type MastacConfig, mastac, measureGradientVariance } from "corral/algorithms";
import { configureEnv, type EnvDefinition, environments, parseConfig } from "corral/envs";
import type { Rng } from "corral/random";
import { mean, standardError, studentQuantile } from "corral/stats";
import { loadEngine } from "corral/tensor";
import { leastSeeds } from "./claims.ts";
import type { FinishedRun } from "./executor.ts";
import { figureRuns, type Scale } from "./figure.ts";
import { figure1, type Method, type ProblemName, problemNames, problems } from "./mabn.ts";
import { type Check, type Row, table } from "./table.ts";

const methods: readonly Method[] = ["MAStAC sim.", "MAStAC approx."];

/** Minibatches as those of training. */
const batchSize = 256;
const batches: Readonly<Record<Scale, number>> = { smoke: 20, quick: 200, paper: 500 };

/** By which factor the whole team's value has more variance, for each agent of a trained team. */
async function factorsOf(finished: FinishedRun, count: number, rng: Rng) {
  const { env, envConfig, config } = finished.run.request;
  const definition = environments[env as keyof typeof environments] as EnvDefinition;
  const trained = {
    env: configureEnv(definition, envConfig).factory,
    config: parseConfig("mastac", mastac.config, config) as MastacConfig,
    parameters: await finished.parameters(),
  };
  const options = { batches: count, batchSize };
  const { whole, decomposed } = await measureGradientVariance(await loadEngine(), trained, options, rng);
  return { whole, decomposed, factors: whole.map((variance, agent) => variance / decomposed[agent]) };
}

async function rowOf(
  problem: ProblemName,
  method: Method,
  runs: readonly FinishedRun[],
  count: number,
  rng: Rng,
): Promise<Row> {
  const found = [];
  for (const run of runs) found.push(await factorsOf(run, count, rng.split(String(run.run.request.seed))));
  // One number of each run: the mean over agents, of ratios by their logarithms.
  const logs = found.map(({ factors }) => mean(factors.map(Math.log)));
  return {
    problem: problems[problem].panel,
    method,
    runs: runs.length,
    whole: mean(found.map(({ whole }) => mean(whole))),
    decomposed: mean(found.map(({ decomposed }) => mean(decomposed))),
    factor: Math.exp(mean(logs)),
    least: Math.min(...found.flatMap(({ factors }) => factors)),
    largest: Math.max(...found.flatMap(({ factors }) => factors)),
    logarithm: mean(logs),
    logarithmError: runs.length > 1 ? standardError(logs) : null,
  };
}

/**
 * Above 1 in every row, by an interval over runs; the intervals of all rows hold at once with 95 %. Where every critic matters
 * to everybody both estimators are one, which says nothing.
 */
function aboveOne(all: readonly Row[]): Check[] {
  const rows = all.filter(({ least, largest }) => least !== 1 || largest !== 1);
  return rows.map(({ problem, method, runs, logarithm, logarithmError }) => {
    const count = Number(runs);
    const what = `${problem}, ${method}`;
    if (count < leastSeeds) return { evidence: `${what}: ${count} runs are too few` };
    const reach = studentQuantile(1 - 0.025 / rows.length, count - 1) * Number(logarithmError);
    const [low, high] = [-reach, reach].map((side) => Math.exp(Number(logarithm) + side));
    return {
      ...(low > 1 ? { holds: true } : high < 1 ? { holds: false } : {}),
      evidence: `${what}: a factor in [${low.toPrecision(3)}, ${high.toPrecision(3)}]`,
    };
  });
}

const effort = (scale: Scale): string =>
  `the runs of figure-1 at scale ${scale}, ${batches[scale]} minibatches each`;

const gradientVariance = table("mabn/gradient-variance", {
  title: "Variance of the policy gradients of trained teams",
  caption:
    "Total variance over minibatches of 256 moments of exploring play, mean over agents and runs, of the gradient that weights " +
    "scores with the sum of all agents' critics (all) and with the sum of those that the agent's action matters to (those that " +
    "matter), at the end of the runs of figure 1. factor: by which the first is larger, geometric mean over agents and " +
    "runs; least and largest: of any agent of any run. These are the estimators of theorem 4.2, with learned critics for values " +
    "and the noise of exploration for the policy's own; MAStAC itself differentiates critics, where the others cancel exactly. On the ring exact " +
    "sets (sim.) have everybody, and nothing to leave out.",
  columns: [
    { key: "problem", label: "problem" },
    { key: "method", label: "method" },
    { key: "runs", label: "runs", show: String },
    { key: "whole", label: "variance\nall" },
    { key: "decomposed", label: "variance\nthose that matter" },
    { key: "factor", label: "factor" },
    { key: "least", label: "least" },
    { key: "largest", label: "largest" },
  ],
  efforts: { smoke: effort("smoke"), quick: effort("quick"), paper: effort("paper") },
  trained: true,
  async rows(scale, rng, { executor, seeds }) {
    const wanted = figureRuns(figure1, scale, seeds);
    const finished = await executor.execute(
      wanted.filter(({ series }) => methods.includes(series as Method)),
    );
    const rows: Row[] = [];
    for (const problem of problemNames) {
      for (const method of methods) {
        const runs = finished.filter(
          ({ run }) => run.panel === problems[problem].panel && run.series === method,
        );
        rows.push(await rowOf(problem, method, runs, batches[scale], rng.split(`${problem}/${method}`)));
      }
    }
    return rows;
  },
  claims: [
    {
      text: "“the total variance of our P-DTDE policy gradient estimator is less than the CTDE policy gradient estimator” (abstract), with learned critics",
      check: aboveOne,
    },
  ],
});

export const mabnGradientVariance = [gradientVariance] as const;
