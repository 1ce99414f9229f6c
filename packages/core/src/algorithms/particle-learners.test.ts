/** Every method that takes discrete actions on every particle environment: unequal actions and observations, time limits. */
import { expect, test } from "vitest";
import { configureEnv, type EnvDefinition, type EnvironmentName, environments } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import type { Algorithm, Learner, Metrics } from "../training/algorithm.ts";
import { type AlgorithmName, algorithms } from "./index.ts";

const scenarios = (Object.keys(environments) as EnvironmentName[]).filter((name) => name.startsWith("mpe/"));

/** Small networks, and an iteration of four episodes. */
const small = {
  agp: { width: 8, heads: 2, layers: 1 },
  "agp-pg": { width: 8, heads: 2, layers: 1 },
  iql: { hidden: 8 },
  vdn: { hidden: 8 },
  qmix: { hidden: 8, embedding: 4, hypernetHidden: 8 },
  qtran: { hidden: 8 },
  dcg: { hidden: 8 },
  dicg: { width: 8, encoderWidth: 8, headWidths: [8] },
  "dicg-value": { width: 8, encoderWidth: 8, headWidths: [8] },
  fop: { hidden: 8, embedding: 4, hypernetHidden: 8 },
  macpf: { hidden: 8, embedding: 4, hypernetHidden: 8, dependencyEmbedding: 4 },
  mappo: { hidden: 8 },
} as const satisfies Partial<Record<AlgorithmName, object>>;
type Method = keyof typeof small;

const onPolicy: readonly Method[] = ["agp-pg", "dicg", "mappo"];
const loopOf = (method: Method) =>
  onPolicy.includes(method)
    ? { environments: 4, epochs: 1, minibatches: 1 }
    : {
        environments: 4,
        rolloutSteps: 5,
        cycles: 5,
        batchSize: 4,
        learningStarts: 4,
        replayCapacity: 200,
        targetInterval: 4,
      };

function create(method: Method, scenario: EnvironmentName, settings: object = {}): Promise<Learner> {
  const algorithm = algorithms[method] as unknown as Algorithm<unknown>;
  const preset: object = algorithm.presets!.mpe.config;
  const config = algorithm.config.parse({ ...preset, ...loopOf(method), ...small[method], ...settings });
  const env = configureEnv(environments[scenario] as EnvDefinition).factory;
  return algorithm.create({ env, config, totalSteps: 300, rng: createRng(1) });
}

async function train(learner: Learner, iterations: number): Promise<Metrics[]> {
  const metrics: Metrics[] = [];
  for (let k = 0; k < iterations; k++) metrics.push(await learner.iterate());
  metrics.push(await learner.evaluate(3, createRng(0)));
  return metrics;
}

test.each(
  (Object.keys(small) as Method[]).flatMap((method) => scenarios.map((scenario) => ({ method, scenario }))),
)("$method trains on $scenario", async ({ method, scenario }) => {
  const learner = await create(method, scenario);
  const metrics = await train(learner, 2);
  for (const values of metrics) {
    for (const [name, value] of Object.entries(values)) expect(value, name).toSatisfy(Number.isFinite);
  }
  expect(Object.keys(metrics[1]).some((name) => name.endsWith("loss"))).toBe(true);
  const tested = metrics[2];
  expect(tested["eval/length"]).toBe(25);
  if ("eval/return-adversaries" in tested) {
    const both = tested["eval/return-adversaries"] + tested["eval/return-good-agents"];
    expect(both).toBeCloseTo(tested["eval/return"], 9);
  }
  expect(Object.values(learner.parameters()).every(({ data }) => data.every(Number.isFinite))).toBe(true);
  await learner.dispose();
});

test.each([
  ["without memory", "vdn", {}],
  ["with memory", "iql", { recurrent: true, lastAction: true, rolloutSteps: 7 }],
] as const)("a learner %s goes on from a snapshot with the same bytes", async (_kind, method, settings) => {
  const scenario = "mpe/world-comm";
  const whole = await create(method, scenario, settings);
  await train(whole, 3);
  const snapshot = whole.snapshot();
  const saved = { tensors: snapshot.tensors, json: JSON.parse(JSON.stringify(snapshot.json)) };
  const resumed = await create(method, scenario, settings);
  resumed.restore(saved);
  expect(await train(resumed, 3)).toEqual(await train(whole, 3));
  expect(resumed.parameters()).toEqual(whole.parameters());
  await whole.dispose();
  await resumed.dispose();
});
