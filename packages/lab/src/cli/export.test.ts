import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configureEnv, environments, vectorise } from "corral/envs";
import { createRng } from "corral/random";
import { loadEngine } from "corral/tensor";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

let folder: string;
const corral = (line: string): Promise<Ended> => runCorral(line.split(" "), folder);
const brief = "--steps 240 --evaluation-episodes 2";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "corral-export-"));
  for (const run of [
    `mastac warehouse ${brief} batchSize=16 actorHidden=[8] criticHidden=[8] --out own`,
    `mastac temperature env.agents=5 --preset temperature ${brief} batchSize=16 criticHidden=[8] --out zones`,
    `mastac-pg temperature env.agents=5 --preset temperature --steps 960 --evaluation-episodes 2 --out drawn`,
    `mastac-pg warehouse env.initialNoise=0.3 --preset warehouses --steps 192 --evaluation-episodes 2 --out shares`,
    `vdn topk env.agents=3 env.k=1 --preset fast ${brief} --out shared`,
  ]) {
    expect(await corral(`train ${run}`)).toMatchObject({ code: 0 });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("each agent's file sees its own observation and plays what the team's file plays", async () => {
  const team = JSON.parse((await corral("export own --json")).stdout);
  const each = await corral("export own --per-agent deep/policies --json");
  expect(each).toMatchObject({ code: 0, stderr: "" });
  const report: { steps: number; files: { file: string; bytes: number }[] } = JSON.parse(each.stdout);
  expect(report.steps).toBe(team.steps);
  expect(report.files).toHaveLength(9);
  expect(readdirSync(join(folder, "deep/policies"))).toHaveLength(9);

  const engine = await loadEngine();
  const run = async (
    file: string,
    input: string,
    shape: number[],
    values: Float32Array,
    output: string,
    size: number,
  ) => {
    const bytes = readFileSync(join(folder, file));
    const session = await engine.load(bytes);
    const result = new Float32Array(size);
    await session.run(
      { [input]: session.tensor("float32", shape, values) },
      { [output]: session.tensor("float32", [1, size], result) },
    );
    await session.dispose();
    return [...result];
  };
  // Of nine warehouses: numbers that each observes, and shares that it decides on.
  const observed = [2, 3, 3, 2, 3, 2, 4, 2, 2];
  const shares = [2, 3, 2, 2, 3, 2, 3, 2, 2];
  const observations = new Float32Array(9 * 4);
  createRng(1).fillNormal(observations);
  const joint = await run(team.file, "observations", [1, 9, 4], observations, "actions", 21);
  const own: number[] = [];
  for (const [i, { file, bytes }] of report.files.entries()) {
    expect(file).toBe(join("deep/policies", `agent-${i}.onnx`));
    expect(readFileSync(join(folder, file))).toHaveLength(bytes);
    const seen = observations.slice(4 * i, 4 * i + observed[i]);
    own.push(...(await run(file, "observation", [1, observed[i]], seen, "action", shares[i])));
  }
  expect(own).toEqual(joint);
});

test.each([
  ["zones", configureEnv(environments.temperature, { agents: 5 }).factory],
  ["drawn", configureEnv(environments.temperature, { agents: 5 }).factory],
  ["shares", configureEnv(environments.warehouse, { initialNoise: 0.3 }).factory],
])(
  "agents' files, which know nothing of each other, earn exactly what the team does: %s",
  async (run, factory) => {
    const seeds = [3, 4];
    const [exported, ...evaluated] = await Promise.all(
      [
        `export ${run} --per-agent ${run}-agents`,
        ...seeds.map((seed) => `evaluate ${run} --episodes 1 --seed ${seed}`),
      ].map((line) => corral(`${line} --json`)),
    );
    const engine = await loadEngine();
    const { spec } = factory();
    const files: { file: string }[] = JSON.parse(exported.stdout).files;
    expect(files).toHaveLength(spec.agents);
    const sessions = await Promise.all(
      files.map(({ file }) => engine.load(readFileSync(join(folder, file)))),
    );
    const sizes = spec.actions.map((space) => (space as { size: number }).size);
    for (const [k, seed] of seeds.entries()) {
      const batch = vectorise(factory, 1, createRng(seed).split("evaluate").split("environments"));
      const actions = new Float32Array(sizes.reduce((sum, size) => sum + size));
      do {
        let at = 0;
        for (const [i, session] of sessions.entries()) {
          const begin = i * spec.observationSize;
          const seen = batch.observations.slice(begin, begin + spec.observationSizes![i]);
          const own = new Float32Array(sizes[i]);
          await session.run(
            { observation: session.tensor("float32", [1, seen.length], seen) },
            { action: session.tensor("float32", [1, own.length], own) },
          );
          actions.set(own, at);
          at += own.length;
        }
        batch.step(actions);
      } while (batch.terminated[0] + batch.truncated[0] === 0);
      expect(JSON.parse(evaluated[k].stdout).metrics["eval/return"]).toBe(batch.episodeReturns[0]);
    }
    for (const session of sessions) await session.dispose();
  },
);

test("agents of a Bayesian network have files of their own where no state has an edge", async () => {
  for (const dag of ["full", "product"]) {
    const train = `train mappo matrix-game dag=${dag} hidden=8 environments=4 ${brief} --out bn-${dag}`;
    expect(await corral(train)).toMatchObject({ code: 0 });
  }
  const refused = await corral("export bn-full --per-agent apart");
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toBe(
    "corral: mappo: dag=full gave 1 edge, in 1 of 1 states looked at, expected none: an agent that reads another's action has no policy of its own\n",
  );
  expect(existsSync(join(folder, "apart"))).toBe(false);
  const each = await corral("export bn-product --per-agent apart --json");
  expect(each).toMatchObject({ code: 0, stderr: "" });
  expect(readdirSync(join(folder, "apart")).sort()).toEqual(["agent-0.onnx", "agent-1.onnx"]);
});

test("agents that share a network have no files of their own", async () => {
  const refused = await corral("export shared --per-agent policies");
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toBe(
    "corral: shared was trained by vdn, whose agents have no networks of their own; expected a run of mastac, mastac-pg, maddpg, matd3 or mappo, or no --per-agent\n",
  );
  expect(existsSync(join(folder, "policies"))).toBe(false);
});
