import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("agents that share a network have no files of their own", async () => {
  const refused = await corral("export shared --per-agent policies");
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toBe(
    "corral: shared was trained by vdn, whose agents have no networks of their own; expected a run of mastac, maddpg or matd3, or no --per-agent\n",
  );
  expect(existsSync(join(folder, "policies"))).toBe(false);
});
