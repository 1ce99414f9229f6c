import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

type Edges = readonly (readonly [number, number])[];
const ring = (agents: number): Edges =>
  Array.from({ length: agents }, (_, i) => [i, (i + 1) % agents] as const).flatMap(([i, j]) => [
    [i, j],
    [j, i],
  ]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-structure-"));
  const write = (name: string, value: unknown) => writeFileSync(join(folder, name), JSON.stringify(value));
  const state: Edges = [
    [2, 1],
    [4, 2],
    [3, 4],
  ];
  const observation: Edges = [
    [0, 2],
    [5, 4],
  ];
  const reward: Edges = [
    [1, 0],
    [3, 5],
    [3, 3],
  ];
  write("six.json", { agents: 6, state, observation, reward });
  write("steps.json", { agents: 3, steps: [{ state: [[0, 1]] }, { observation: [[2, 0]] }, {}] });
  write("ring.json", { agents: 40_000, state: ring(40_000), observation: ring(40_000) });
  write("outside.json", { agents: 2, reward: [[0, 2]] });
  write("unknown.json", { agents: 2, observations: [] });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corral = (line: string): Promise<Ended> => runCorral(["structure", ...line.split(" ")], folder);

test("prints the sets of a small team, and gives them as JSON", async () => {
  const [text, exact, strict] = await Promise.all([
    corral("six.json"),
    corral("six.json --json"),
    corral("six.json --kappa 1 --mode strict --json"),
  ]);
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout).toContain("six.json: 6 agents; edges: 3 state, 2 observation, 2 reward");
  expect(text.stdout).toMatch(/^ +2 {2}0, 2-5 \(5\) +0-2 \(3\) +0-5 \(6\)$/m);
  expect(JSON.parse(exact.stdout)).toEqual({
    agents: 6,
    horizon: null,
    kappa: null,
    mode: "paper",
    valueDependency: [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [0, 2, 3, 4, 5], [3], [3, 4, 5], [3, 5]],
    gradientDependency: [
      [0, 1, 2],
      [0, 1],
      [0, 1, 2],
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 4],
      [0, 1, 2, 4, 5],
    ],
    criticSum: new Array(6).fill([0, 1, 2, 3, 4, 5]),
  });
  expect(JSON.parse(strict.stdout)).toMatchObject({
    kappa: 1,
    valueDependency: [[0, 1, 2], [1, 2], [0, 2, 4], [3], [3, 4, 5], [3, 5]],
  });
});

test("couplings that change have sets for each step", async () => {
  const [text, data] = await Promise.all([corral("steps.json"), corral("steps.json --horizon 1 --json")]);
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout).toContain("3 agents, couplings of 3 steps");
  // Agent 0 sees agent 2 at step 1, agent 0 moves agent 1 into step 1: steps 0 and 1 by hand, up to step 1.
  expect(JSON.parse(data.stdout)).toMatchObject({
    horizon: 1,
    valueDependency: [
      [[0, 2], [0, 1], [2]],
      [[0, 2], [1], [2]],
    ],
  });
});

test("takes the couplings of an environment", async () => {
  const base = fileURLToPath(new URL("../../../../examples/my-env.ts", import.meta.url));
  writeFileSync(
    join(folder, "coupled.js"),
    `import { couplingGraphs } from "corral/structure";
    import base from ${JSON.stringify(base)};
    const couplings = () => couplingGraphs(3, { state: [[0, 1]], observation: [[1, 2]] });
    export default { ...base, create: (config) => ({ ...base.create(config), couplings }) };`,
  );
  const { code, stdout, stderr } = await corral("coupled.js places=4 --json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout).valueDependency).toEqual([[0], [0, 1], [0, 1, 2]]);
});

test("built-in games have their sets, short where agents are equally far apart", async () => {
  const [warehouses, zones, ring] = await Promise.all([
    corral("warehouse --json"),
    corral("temperature --kappa 2"),
    corral("warehouse instance=ring --draw ring.svg"),
  ]);
  const nine = [
    [0, 1],
    [0, 1],
    [0, 1, 2, 3],
    [0, 1, 2, 3],
    [4, 5],
    [4, 5],
    ...Array(3).fill([4, 5, 6, 7, 8]),
  ];
  expect(JSON.parse(warehouses.stdout)).toMatchObject({
    valueDependency: nine,
    gradientDependency: nine.map((_, i) => nine.flatMap((own, j) => (own.includes(i) ? [j] : []))),
    criticSum: nine.map((_, i) => (i < 4 ? [0, 1, 2, 3] : [4, 5, 6, 7, 8])),
  });
  expect(zones.stdout).toMatch(
    /^ +39 {2}29, 31, \.\.\., 39 \(6\) +29, 31, \.\.\., 39 \(6\) +19, 21, \.\.\., 39 \(11\)$/m,
  );
  expect(zones.stdout).toContain("components  0, 2, ..., 38 | 1, 3, ..., 39");
  expect(ring.code).toBe(0);
  const drawn = readFileSync(join(folder, "ring.svg"), "utf8");
  expect(drawn).toContain("the value of i depends on j; complete<");
  rmSync(join(folder, "ring.svg"));
});

test("a large team is summed up", async () => {
  const [near, all] = await Promise.all([corral("ring.json --kappa 2"), corral("ring.json")]);
  expect(near).toMatchObject({ code: 0, stderr: "" });
  expect(near.stdout).toMatch(/a value depends on +11 +11 +11 +11 +11 +11$/m);
  expect(all.stdout).toMatch(/a value depends on +40,000 .* 40,000$/m);
  expect(all.stdout).toContain("components  one, of all 40,000 agents");
});

test("draws an SVG or a PNG", async () => {
  const [svg, png] = await Promise.all([
    corral("six.json --draw six.svg"),
    corral("six.json --kappa 1 --draw six.png --json"),
  ]);
  expect([svg.code, png.code]).toEqual([0, 0]);
  expect(svg.stdout).toContain("figure  six.svg");
  const drawn = readFileSync(join(folder, "six.svg"), "utf8");
  expect(drawn).toContain(">six.json: who matters to whose value, without an end<");
  expect(readFileSync(join(folder, "six.png")).subarray(1, 4).toString()).toBe("PNG");
});

test("bad input is one line, exit code 2, and leaves nothing behind", async () => {
  const before = readdirSync(folder).sort();
  const cases: readonly (readonly [line: string, message: RegExp])[] = [
    ["outside.json", /: outside\.json: reward edge \[0, 2\]: no agent 2, expected 0\.\.1$/],
    [
      "unknown.json",
      /: unknown\.json: unknown couplings key "observations": .*Did you mean "observation"\?$/,
    ],
    ["six.json --kappa -1", /--kappa: expected an integer of at least 0 \(got "-1"\)$/],
    ["six.json --horizon 1.5", /--horizon: expected an integer of at least 0 \(got "1\.5"\)$/],
    ["six.json --mode strickt", /unknown mode "strickt": expected one of paper, .*Did you mean "strict"\?$/],
    ["six.json n=3", /"n=3": couplings of a file have no settings, expected an environment before them$/],
    ["six.json --draw six.pdf", /--draw six\.pdf: expected a name that ends in \.svg or \.png$/],
    ["ring.json --draw ring.svg", /drawing: got 40000 agents, expected at most 60$/],
    ["ring.json --json", /--json: the sets have 4,800,000,000 members in all, expected at most 10,000,000;/],
    ["steps.json --kappa 1", /--kappa: couplings that change .* no kappa-approximation, expected --horizon$/],
    ["steps.json --horizon 3", /horizon: got 3 with couplings of 3 steps, expected at most 2$/],
    ["steps.json --mode folded-literal", /unknown mode "folded-literal": expected one of paper, strict\.$/],
    ["steps.json --draw steps.svg", /--draw: couplings that change .* expected couplings that do not$/],
    ["topk", /topk has no couplings, expected a JSON file of couplings/],
    ["alhoa", /unknown environment "alhoa": .*Did you mean "aloha"\?$/],
    ["missing.json", /missing\.json/],
  ];
  for (let at = 0; at < cases.length; at += 4) {
    await Promise.all(
      cases.slice(at, at + 4).map(async ([line, message]) => {
        const { code, stdout, stderr } = await corral(line);
        expect({ line, code, stdout }).toEqual({ line, code: 2, stdout: "" });
        expect(stderr).toMatch(/^corral: .+\n$/);
        expect(stderr.trimEnd()).toMatch(message);
      }),
    );
  }
  expect(readdirSync(folder).sort()).toEqual(before);
});
