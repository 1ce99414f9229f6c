import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CoordinationGameConfig, configureEnv, environments } from "corral/envs";
import { parseTopology } from "corral/structure";
import { type Certificate, gameToJson } from "corral/tabular";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-certify-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corral = (line: string, cwd = folder): Promise<Ended> => runCorral(line.split(" "), cwd);

async function certified(line: string): Promise<Certificate> {
  const { code, stdout, stderr } = await corral(`certify ${line} --json`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const write = (name: string, value: unknown): void =>
  writeFileSync(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));

function coordinationGameJson(overrides: Partial<CoordinationGameConfig>) {
  const { model } = configureEnv(environments["coordination-game"], overrides).factory();
  return gameToJson((model ?? expect.unreachable())());
}

/** `theta^i[s][k][u] = sin(1 + s + 2k + 3u + 5i)`. */
const sineTheta = (agents: number, topology: string): number[][][][] =>
  parseTopology(topology, agents).parents.map((own, i) =>
    Array.from({ length: 2 ** agents }, (_, s) =>
      Array.from({ length: 2 ** own.length }, (_, k) =>
        [0, 1].map((u) => Math.sin(1 + s + 2 * k + 3 * u + 5 * i)),
      ),
    ),
  );

describe("certify evaluates given parameters to the reference values", () => {
  const references = [
    {
      topology: "full",
      agents: 2,
      epsilon: 0.05,
      value: 30.45953589,
      first: 31.57621822,
      norm: 4.3193464,
      entry: -0.34524294,
      barrierEntry: -0.33684446,
      regularised: 30.32063802,
      gaps: [1.373573, 15.24776],
      unconditional: [1.373573, 11.029631],
      optimum: 52.7875,
      mismatch: 58.479,
    },
    {
      topology: "1+2",
      agents: 3,
      epsilon: 0.05,
      value: 17.98452461,
      first: 19.72756869,
      norm: 2.28461398,
      entry: 0.15411244,
      barrierEntry: 0.13987466,
      regularised: 17.78153227,
      gaps: [7.095187, 1.714306, 11.509882],
      unconditional: [7.095187, 1.714306, 8.278149],
      optimum: 50.0105,
      mismatch: 128.872,
    },
    {
      topology: "line",
      agents: 3,
      epsilon: 0.1,
      value: 19.06994415,
      first: 20.84895941,
      norm: 1.73627545,
      entry: -0.05722614,
      barrierEntry: -0.0530269,
      regularised: 18.85918455,
      gaps: [3.178722, 1.778729, 9.943721],
      unconditional: [3.178722, 0.863848, 6.197126],
      optimum: 43.104,
      mismatch: 97.056,
    },
  ];

  test.for(references)("N = $agents, $topology", async (reference) => {
    const { agents, epsilon, topology } = reference;
    const name = `${agents}-${topology}`;
    write(`${name}.json`, coordinationGameJson({ agents, epsilon }));
    write(`${name}-theta.json`, sineTheta(agents, topology));
    const line = `${name}.json --dag ${topology} --theta ${name}-theta.json`;
    const [plain, barrier] = await Promise.all([
      certified(`${line} --out ${name}-plain.json`),
      certified(`${line} --lambda 0.3 --out ${name}-barrier.json`),
    ]);
    const close = (got: number, expected: number, allowed = 1e-7) =>
      expect(Math.abs(got - expected)).toBeLessThan(allowed);
    close(plain.value, reference.value);
    close(plain.stateValues[0], reference.first);
    close(plain.gradientNorm, reference.norm);
    close(plain.gradient[1][2].at(-1)?.[0] ?? Number.NaN, reference.entry);
    close(barrier.gradient[1][2].at(-1)?.[0] ?? Number.NaN, reference.barrierEntry);
    close(barrier.regularisedValue, reference.regularised);
    close(plain.optimalValue, reference.optimum);
    close(plain.mismatch ?? Number.NaN, reference.mismatch, 5e-4);
    // These are given to six digits.
    reference.gaps.forEach((gap, i) => void close(plain.equilibriumGap[i], gap, 1e-6));
    reference.unconditional.forEach((gap, i) => void close(plain.gapUnconditional[i], gap, 1e-6));
    close(
      plain.visitation.reduce((sum, visits) => sum + visits, 0),
      20,
    );
    expect(plain.theta).toEqual(sineTheta(agents, topology));
    // What is printed is what is written.
    expect(JSON.parse(readFileSync(join(folder, `${name}-plain.json`), "utf8"))).toEqual(plain);
    for (const part of ["plain", "barrier"]) {
      expect(await corral(`verify ${name}-${part}.json`)).toMatchObject({ code: 0, stderr: "" });
    }
  });
});

describe("certify ascends and verify agrees", () => {
  test("with a barrier: to the level, with verdicts; from zero or a seed; of a file or an environment", async () => {
    const game = "coordination-game env.agents=3 env.epsilon=0.05";
    write("three.json", coordinationGameJson({ agents: 3, epsilon: 0.05 }));
    const [told, ofFile, seeded] = await Promise.all([
      corral(`certify ${game} --dag line --lambda 0.1 --out told.json`),
      certified("three.json --dag line --lambda 0.1 --out file.json"),
      certified(`${game} --dag line --lambda 0.1 --seed 3 --out seeded.json`),
    ]);
    expect(told).toMatchObject({ code: 0, stderr: "" });
    expect(told.stdout).toMatch(/^τ reached after \d+ steps from zero$/m);
    expect(told.stdout).toMatch(/Lemma 2: equilibrium gap +\S+ +25\.77 +25\.77 +✔ holds$/m);
    expect(told.stdout).toMatch(/Lemma 3 of Subteams.* says nothing: the DAG is not made of subteams$/m);
    expect(JSON.parse(readFileSync(join(folder, "told.json"), "utf8"))).toEqual(ofFile);
    expect(seeded.gameHash).toBe(ofFile.gameHash);
    expect(seeded.theta).not.toEqual(ofFile.theta);
    for (const { gradientNorm, stationarityLevel, bounds } of [ofFile, seeded]) {
      expect(gradientNorm).toBeLessThanOrEqual(stationarityLevel);
      expect(bounds.lemma2.holds).toBe(true);
    }
    for (const out of ["told", "seeded"]) {
      const { code, stdout } = await corral(`verify ${out}.json`);
      expect(code).toBe(0);
      expect(stdout.trim().endsWith("verified")).toBe(true);
    }
  });

  test("without a barrier: as far as the steps go; and says where the level was not reached", async () => {
    const [plain, short] = await Promise.all([
      corral("certify coordination-game env.agents=2 --out plain.json"),
      corral("certify coordination-game env.agents=2 --lambda 0.01 --steps 5 --out short.json"),
    ]);
    expect(plain.stdout).toMatch(/^after 2,000 steps of size 0\.02 from zero; without a barrier/m);
    expect(plain.stdout).toMatch(/Lemma 2: .* says nothing: λ is 0$/m);
    expect(short.stdout).toMatch(
      /^τ was not reached in 5 steps from zero: the gradient is \S+, τ is 1\.56e-4$/m,
    );
    expect(short.stdout).toMatch(/Lemma 2: .* says nothing: the gradient is above τ$/m);
    expect(await corral("verify short.json")).toMatchObject({ code: 0 });
  });

  test("a state that some policy never visits is noted", async () => {
    const stays = [
      [0, 1],
      [0, 1],
    ];
    const chooses = [
      [1, 0],
      [0, 1],
    ];
    const game = { actions: [2], states: 2, transition: [chooses, stays], initial: [1, 0], discount: 0.5 };
    write("avoidable.json", {
      ...game,
      reward: [
        [0, 0],
        [1, 1],
      ],
    });
    const { code, stdout } = await corral("certify avoidable.json --lambda 0.1 --out noted.json");
    expect(code).toBe(0);
    expect(stdout).toContain("Some policies never visit states 1: M is infinite");
    expect(stdout).toMatch(/Lemma 2: .* says nothing: M is infinite$/m);
    expect(await corral("verify noted.json")).toMatchObject({ code: 0 });
  });
});

test("verify rejects altered certificates and names the numbers", async () => {
  const certificate = await certified("coordination-game agents=2 --lambda 0.1 --out whole.json");
  const alterations: readonly (readonly [name: string, altered: object, message: RegExp])[] = [
    ["value", { value: certificate.value + 1e-3 }, /^ {2}value is \S+, expected \S+$/m],
    ["lambda", { lambda: 0.101 }, /^ {2}bounds\.lemma2\.printed is \S+, expected \S+$/m],
    [
      "game",
      { game: { ...certificate.game, discount: 0.94 } },
      /^ {2}gameHash is [0-9a-f]{64}, expected [0-9a-f]{64}$/m,
    ],
    ["theta", { theta: certificate.theta.slice(1) }, /^ {2}theta\.length is 1, expected 2$/m],
    ["edges", { edges: [[1, 0]] }, /^ {2}theta\[0\]\[0\]\.length is 1, expected 2$/m],
  ];
  await Promise.all(
    alterations.map(async ([name, altered, message]) => {
      write(`altered-${name}.json`, { ...certificate, ...altered });
      const { code, stdout, stderr } = await corral(`verify altered-${name}.json`);
      expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
      expect(stdout).toMatch(message);
      expect(stdout).toMatch(/^ {2}hash is [0-9a-f]{64}, expected [0-9a-f]{64}$/m);
      expect(stdout.trim().endsWith("rejected")).toBe(true);
    }),
  );
  const { code, stdout } = await corral("verify altered-value.json --json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ file: "altered-value.json", passed: false });
});

describe("bad input is one line, exit code 2, and leaves nothing behind", () => {
  const half = [
    [
      [0.5, 0.5],
      [0.5, 0.5],
    ],
    [
      [0.5, 0.5],
      [0.5, 0.5],
    ],
  ];
  const reward = [
    [1, 0],
    [0, 1],
  ];
  const game = { actions: [2], states: 2, transition: half, reward, initial: [0.5, 0.5], discount: 0.9 };
  const spoilt: Readonly<Record<string, unknown>> = {
    good: game,
    sums: { ...game, transition: [[half[0][0], [0.5, 0.4]], half[1]] },
    negative: { ...game, initial: [-0.5, 1.5] },
    sizes: { ...game, reward: [[1, 0], [0]] },
    discount: { ...game, discount: 1 },
    large: { ...game, states: 1000, actions: [20, 20] },
    misspelt: { ...game, rewards: reward },
    nan: JSON.stringify(game).replace("[1,0]", "[NaN,0]"),
    broken: "{",
    theta: [[[[0, 0]], [[0, 0, 0]]]],
    infinite: "[[[[0, 1e999]], [[0, 0]]]]",
  };
  const cases: readonly (readonly [line: string, message: RegExp])[] = [
    ["certify sums.json", /game: transition\[0\]\[1\] sums to 0\.9, expected 1$/],
    ["certify negative.json", /game: initial\[0\] is -0\.5, expected a probability$/],
    ["certify sizes.json", /game: reward\[1\] has 1 entries, expected 2 /],
    ["certify discount.json", /game: discount is 1, expected a number in \[0, 1\)$/],
    ["certify large.json", /table of 1000 x 400 x 1000 numbers needs 2\.98 GiB, expected at most 64 MiB$/],
    ["certify misspelt.json", /game: unknown key "rewards".* Did you mean "reward"\?$/],
    ["certify nan.json", /nan\.json: expected JSON \(.*\)$/],
    ["certify broken.json", /broken\.json: expected JSON \(.*\)$/],
    ["certify missing.json", /no such file or directory.*missing\.json/],
    ["certify good.json agents=3", /"agents=3": a game of a file has no settings/],
    ["certify good.json --dag 1+1", /topology "1\+1": block sizes sum to 2, expected 1 /],
    ["certify good.json --lambda -1", /--lambda: expected a number of at least 0 \(got "-1"\)$/],
    ["certify good.json --lambda much", /--lambda: expected a number of at least 0 \(got "much"\)$/],
    ["certify good.json --theta theta.json", /theta\[0\]\[1\]\[0\] has 3 entries, expected 2 \(actions\)$/],
    ["certify good.json --theta infinite.json", /theta\[0\]\[0\]\[0\]\[1\] is .*, expected a finite number$/],
    ["certify good.json --theta theta.json --seed 1", /--theta .* expected neither --seed nor --steps/],
    ["certify coordination-game agents=3 --dag edges:0>1,1>2,2>0", /the edges form the cycle 0>1>2>0$/],
    ["certify coordination-game agents=3 --dag 1+1", /"1\+1": block sizes sum to 2, expected 3 .*1\+2$/],
    ["certify coordination-game agents=8", /table of 256 x 256 x 256 .* expected at most 64 MiB$/],
    ["certify coordination-gam", /unknown environment .*Did you mean "coordination-game"\?$/],
    ["certify aloha", /aloha has no exact model, expected a JSON file/],
    ["certify good.json --out missing/c.json", /cannot write missing.c\.json: it does not exist/],
    ["verify good.json", /^corral: certificate: /],
    ["verify broken.json", /broken\.json: expected JSON/],
    ["verify missing.json", /no such file or directory/],
  ];

  test.for(cases)("%s", async ([line, message]) => {
    const home = mkdtempSync(join(folder, "bad-"));
    for (const [name, value] of Object.entries(spoilt)) {
      writeFileSync(join(home, `${name}.json`), typeof value === "string" ? value : JSON.stringify(value));
    }
    const listing = readdirSync(home);
    const { code, stdout, stderr } = await corral(line, home);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^corral: .+\n$/);
    expect(stderr.trimEnd()).toMatch(message);
    expect(readdirSync(home)).toEqual(listing);
  });
});
