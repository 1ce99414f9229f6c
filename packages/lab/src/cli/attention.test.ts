import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

let folder: string;
const corral = (line: string): Promise<Ended> => runCorral(line.split(" "), folder);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "corral-attention-"));
  const team = "topk env.agents=3 env.k=1 --preset fast --steps 640 --evaluation-episodes 8";
  for (const run of [`agp ${team} --out with`, `agp ${team} graph=none --out without`]) {
    expect(await corral(`train ${run}`)).toMatchObject({ code: 0 });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("attention is written as pictures and tables, and told in single numbers", async () => {
  const { code, stdout } = await corral("attention with --samples 64 --json");
  expect(code).toBe(0);
  const report = JSON.parse(stdout);
  expect(report.samples).toBe(64);
  expect(report.layers).toHaveLength(2);
  expect(report.layers[0].heads).toHaveLength(4);
  const measures: Record<string, number> = report.measures;
  // Rows of both actions are as many, and what leaves an agent goes to one of two actions.
  const crossing = [0, 1].map(
    (from) => measures[`attention/act${from}-to-act0`] + measures[`attention/act${from}-to-act1`],
  );
  expect((crossing[0] + crossing[1]) / 2).toBeCloseTo(measures["attention/cross-agent"], 6);
  for (const row of report.layers[1].mean.weights) {
    expect(row.reduce((sum: number, weight: number) => sum + weight, 0)).toBeCloseTo(1, 5);
  }
  for (const ending of ["svg", "png", "csv", "json"]) {
    expect(existsSync(join(folder, "with", `attention.${ending}`))).toBe(true);
  }
  // Both layers, four heads and their mean, six nodes.
  expect(
    readFileSync(join(folder, "with", "attention.csv"), "utf8")
      .trimEnd()
      .split("\n"),
  ).toHaveLength(1 + 2 * 5 * 36);
});

test("what cannot be shown is refused in one line", async () => {
  const none = await corral("attention without");
  expect(none).toMatchObject({ code: 2, stdout: "" });
  expect(none.stderr).toBe(
    "corral: without was trained by agp, whose policy has no attention among actions; expected a run of agp or agp-pg with a graph\n",
  );
  const layer = await corral("attention with --layer 3");
  expect(layer.code).toBe(2);
  expect(layer.stderr).toBe("corral: --layer is 3, expected 1 to 2: the network has 2\n");
  expect(await corral("attention nowhere")).toMatchObject({ code: 2, stdout: "" });
});
