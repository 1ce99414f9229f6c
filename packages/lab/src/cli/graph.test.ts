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
  folder = mkdtempSync(join(tmpdir(), "corral-graph-"));
  const short = "environments=4 hidden=8 --steps 80 --evaluation-episodes 2";
  for (const run of [
    `mappo coordination-game env.agents=3 dag=learned ${short} --out learned`,
    `mappo coordination-game env.agents=3 dag=random(1) ${short} --out random`,
    `mappo aloha dag=heuristic(10) ${short} --out aloha`,
    "vdn topk env.agents=3 env.k=1 --preset fast --steps 64 --evaluation-episodes 2 --out vdn",
  ]) {
    expect(await corral(`train ${run}`)).toMatchObject({ code: 0 });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the DAG of one state is listed, given as JSON and drawn", async () => {
  const ones = "1,1,1,1,1,1,1,1,1,1";
  const { code, stdout } = await corral(`graph aloha --state ${ones} --draw blocks.svg`);
  expect(code).toBe(0);
  // Agents 0, 1, 5, 6 are a block, with 0 before the others.
  expect(stdout).toMatch(/^ +6 +1 +0, 1, 5 +- +[01]$/m);
  expect(stdout).toContain("dag=heuristic(10), density 0.2");
  const svg = readFileSync(join(folder, "blocks.svg"), "utf8");
  expect(svg).toContain("In the order in which agents act");
  expect(svg).toContain("Where they stand");
  const told = JSON.parse((await corral(`graph aloha --state ${ones} --json`)).stdout);
  expect(told.edges).toHaveLength(9);
  expect(told.edges).toContainEqual([7, 8]);
  expect(told).toMatchObject({ dag: "heuristic(10)", samples: 1, density: 0.2 });
});

test("over many states the shares of edges are told, and drawn", async () => {
  const { code, stdout } = await corral("graph random --samples 600 --json");
  expect(code).toBe(0);
  const { shares, samples, density } = JSON.parse(stdout);
  expect(samples).toBe(600);
  // One of six directed pairs each time.
  expect(density).toBeCloseTo(1 / 3, 12);
  for (let j = 0; j < 3; j++) {
    for (let i = 0; i < 3; i++) {
      if (i === j) expect(shares[j][i]).toBe(0);
      else expect(Math.abs(shares[j][i] - 1 / 6)).toBeLessThan(4 * Math.sqrt(5 / 36 / 600));
    }
  }
  const drawn = await corral("graph learned --state 0,1,0 --noisy --samples 50 --draw shares.png");
  expect(drawn.stdout).toContain("50 draws in state 0,1,0");
  expect(existsSync(join(folder, "shares.png"))).toBe(true);
});

test.each([
  ["graph vdn", "vdn was trained by vdn, whose agents follow no DAG; expected a run of mappo"],
  ["graph learned --state 0,1", "coordination-game: a state of 2 numbers, expected 3, one for each agent"],
  ["graph learned --state 0,1,2", "number 2 of the state is 2, expected an integer of 0..1"],
  ["graph learned --state 0,x,1", "--state 0,x,1: expected numbers separated by commas, such as 0,1,0"],
  ["graph learned --draw dag.pdf", "--draw dag.pdf: expected a name that ends in .svg or .png"],
  ["graph learned --samples 0", "--samples"],
])("mistakes are told in one line: %s", async (line, message) => {
  const { code, stdout, stderr } = await corral(line);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});
