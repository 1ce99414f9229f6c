/** What learners that read couplings are given by mistake: one clear line each, exit code 2, nothing left behind. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** Four zones whose environment says something else of itself. */
const zones = { couplings: "couplingGraphs(4, { state: [[0, 2], [2, 0]] })", spec: "" };
const modules: Readonly<Record<string, Partial<typeof zones>>> = {
  "few.js": { couplings: "couplingGraphs(3, { state: [[0, 1]] })" },
  "outside.js": { couplings: "couplingGraphs(4, { state: [[0, 4]] })" },
  "varying.js": { couplings: "[couplingGraphs(4, {}), couplingGraphs(4, {})]" },
  "states.js": { spec: "stateSizes: [1, 1, 1]" },
  "whole.js": { spec: "stateSizes: [1, 1, 1, 3]" },
  "team.js": { spec: 'rewards: "team"' },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-structured-"));
  const core = (room: string): string =>
    JSON.stringify(fileURLToPath(new URL(`../../../core/src/${room}/index.ts`, import.meta.url)));
  for (const [file, change] of Object.entries(modules)) {
    const { couplings, spec } = { ...zones, ...change };
    writeFileSync(
      join(folder, file),
      `import { couplingGraphs } from ${core("structure")};
      import { environments } from ${core("envs")};
      const create = (config) => {
        const env = environments.temperature.create(config);
        return { ...env, spec: { ...env.spec, ${spec} }, couplings: () => ${couplings} };
      };
      export default { ...environments.temperature, name: "zones", create };`,
    );
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corral = (line: string): Promise<Ended> => runCorral(line.split(" "), folder);

test("bad input is one line, exit code 2, and leaves nothing behind", async () => {
  const before = readdirSync(folder).sort();
  const three = 'env.couplings={"agents":3,"state":[[0,1]]}';
  const cases: readonly (readonly [string, string])[] = [
    ["structure few.js agents=4", "zones agents=4: couplings are of 3 agents, expected 4"],
    ["structure outside.js agents=4", "state edge [0, 4]: no agent 4, expected 0..3"],
    ["structure temperature --horizon=-1", '--horizon: expected an integer of at least 0 (got "-1")'],
    [
      "structure varying.js agents=4 --kappa 1",
      "--kappa: couplings that change from step to step have no kappa-approximation, expected --horizon",
    ],
    [
      'train mastac warehouse env.couplings={"agents":3,"state":[[0,3]]} --out run',
      'warehouse.couplings: state edge [0, 3]: no agent 3, expected 0..2 (got {"agents":3,"state":[[0,3]]})',
    ],
    [
      `train mastac warehouse ${three} env.agents=4 --out run`,
      "warehouse.agents: expected the 3 of the couplings (got 4)",
    ],
    [
      "train mastac ./few.js env.agents=4 --out run",
      "mastac: couplings of temperature are of 3 agents, expected 4",
    ],
    ["train mastac-pg ./outside.js env.agents=4 --out run", "state edge [0, 4]: no agent 4, expected 0..3"],
    [
      "train mastac-pg ./varying.js env.agents=4 dependency=kappa --out run",
      "mastac-pg: couplings of temperature change from step to step, expected couplings that stay as they are",
    ],
    ["train mastac ./states.js env.agents=4 --out run", "temperature: stateSizes has 3 entries for 4 agents"],
    [
      "train mastac-pg ./whole.js env.agents=4 --out run",
      "temperature: stateSizes sum to 6, expected stateSize 4",
    ],
    [
      "train mastac-pg ./team.js env.agents=4 --out run",
      "mastac-pg: agents of temperature have no rewards of their own, expected an environment with individual rewards",
    ],
    [
      "train mastac temperature head=simplex --out run",
      "mastac.head: actions of agent 0 of temperature are a box, got simplex, expected box",
    ],
    [
      "train mastac-pg warehouse head=box --out run",
      "mastac-pg.head: actions of agent 0 of warehouse are a simplex, got box, expected simplex-gauss",
    ],
    [
      "train facmac warehouse --out run",
      "facmac.sharedNetworks: agents of warehouse observe 2 to 4 numbers, expected equally many; padObservations=true puts zeros for what is missing, or use sharedNetworks=false",
    ],
    [
      "train qdcg temperature --out run",
      "qdcg: agents of temperature observe 2 to 3 numbers, expected equally many; padObservations=true puts zeros for what is missing, or use maddpg, matd3 or facmac",
    ],
  ];
  for (let at = 0; at < cases.length; at += 4) {
    await Promise.all(
      cases.slice(at, at + 4).map(async ([line, message]) => {
        const { code, stdout, stderr } = await corral(line);
        expect({ line, code, stdout, stderr }).toEqual({
          line,
          code: 2,
          stdout: "",
          stderr: `corral: ${message}\n`,
        });
      }),
    );
  }
  expect(readdirSync(folder).sort()).toEqual(before);
});

test.each([
  // A first step so long that values are finite once, and squares of what they miss are not.
  ["mastac", "batchSize=6 criticLearningRate=1e6 cycles=1", 1],
  ["mastac-pg", "epochs=1 maxGradientNorm=0 criticLearningRate=1e6 discount=1", 1],
])(
  "%s says which agent's critic diverged, and keeps the last checkpoint",
  async (algorithm, settings, every) => {
    const ended = await corral(
      `train ${algorithm} temperature env.agents=3 env.horizon=6 ${settings} --steps 60000 --checkpoint-every ${every} --evaluate-every 0 --out ${algorithm}`,
    );
    expect(ended.code).toBe(2);
    expect(ended.stderr.trimEnd().split("\n").at(-1)).toMatch(
      new RegExp(
        `^corral: ${algorithm} diverged at iteration \\d+: (critic-loss|critic-gradient-norm|value) of agent [012] is (NaN|-?Infinity); its last checkpoint is kept$`,
      ),
    );
    const status = JSON.parse(readFileSync(join(folder, algorithm, "status.json"), "utf8"));
    expect(status).toMatchObject({ state: "diverged", quantity: expect.stringMatching(/ of agent [012]$/) });
    // The parameters of the checkpoint are those of the last iteration that went well.
    const evaluated = await corral(`evaluate ${algorithm} --json`);
    expect(evaluated.code).toBe(0);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ steps: status.steps });
  },
);
