import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-ceiling-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corral = (line: string): Promise<Ended> => runCorral(line.split(" "), folder);

async function ceilingOf(line: string) {
  const { code, stdout, stderr } = await corral(`ceiling ${line} --json`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("ceiling topk", () => {
  test("of the paper's game, with n for agents", async () => {
    const { config, independent, together, uniform } = await ceilingOf("topk n=6 k=2");
    expect(config).toMatchObject({ agents: 6, k: 2, penalty: 0 });
    expect(independent.success).toBeCloseTo(0.3292181, 7);
    expect(independent.thresholds[5]).toBeCloseTo(2 / 3, 6);
    expect(independent.agreeing).toBe(independent.climbs);
    expect(together).toEqual({ success: 1, return: 1 });
    expect(uniform).toEqual({ success: 1 / 64, return: -0.96875 });
  });

  test("of the penalty game, in the environment's own settings, for reading", async () => {
    const { code, stdout } = await corral("ceiling topk env.agents=6 penalty=0.5");
    expect(code).toBe(0);
    expect(stdout).toMatch(/sees its own signal only, at best +0\.2999 +-0\.7066/);
    expect(stdout).toMatch(/knows all signals +1 +0\.7657/);
    expect(stdout).toMatch(/acts or not at random +0\.01563 +-1\.325/);
    expect(stdout).toContain("every agent acts when its signal is above 0.7457");
    expect(stdout).toContain("17 of 17 climbs");
  });

  test("says what it did not compute", async () => {
    const many = await corral("ceiling topk n=200 k=20");
    expect(many.stdout).toContain("others were not tried (so many agents)");
    const heavy = await corral("ceiling topk n=4 k=3 penalty=1 --starts 2");
    expect(heavy.stdout).toMatch(/knows all signals +- +-/);
    expect(heavy.stdout).toContain("some of the top agents cost more than they earn");
    const once = await ceilingOf("topk penalty=0.5 penaltyMode=once");
    expect(once.independent.climbs).toBe(0);
  });
});

describe("ceiling of finite games", () => {
  test("swap: 1/2 apart, 1 together", async () => {
    const found = await ceilingOf("swap");
    expect(found).toMatchObject({
      independent: { return: 0.5 },
      together: { return: 1 },
      informed: { return: 1 },
      uniform: { return: 0.25 },
      alike: null,
    });
    expect(found.independent.policy.map((own: number[]) => own.length)).toEqual([2, 2]);
  });

  test("one-hot: agents that are alike reach less than agents with roles", async () => {
    const { code, stdout } = await corral("ceiling one-hot");
    expect(code).toBe(0);
    expect(stdout).toMatch(/acts on its own observation, at best +1\n/);
    expect(stdout).toMatch(/plays 1 with probability 0\.1667 +0\.4019\n/);
  });

  test("payoffs of a file, nested or flat, and of the command line", async () => {
    writeFileSync(join(folder, "climbing.json"), "[[11,-30,0],[-30,7,6],[0,0,5]]");
    writeFileSync(join(folder, "flat.json"), '{"payoff":[1,2,3,4,5,6],"actions":[2,3]}');
    const climbing = await ceilingOf("climbing.json");
    expect(climbing.independent).toEqual({ return: 11, policy: [[0], [0]] });
    expect(climbing.uniform.return).toBeCloseTo(-31 / 9, 12);
    expect((await ceilingOf("flat.json")).independent).toEqual({ return: 6, policy: [[1], [2]] });
    const typed = await ceilingOf("matrix-game payoff=[[11,-30,0],[-30,7,6],[0,0,5]]");
    expect(typed.independent).toEqual(climbing.independent);
  });
});

describe("refuses in one line", () => {
  test.each([
    ["topk k=6", "topk.k: expected an integer at least 1 and below agents=6 (got 6)"],
    ["topk n=6 agents=6", "n and agents are one setting, expected one of them"],
    ["topk penalti=1", 'Did you mean "penalty"?'],
    ["swap --starts 3", "--starts is for topk: swap is settled by trying every policy"],
    ["coordination-game", "expected a game of one joint action such as topk, swap or matrix-game"],
    ["exactly-k agents=30", "has no exact model"],
    ["ragged.json", "payoff"],
    ["number.json", "expected nested lists of payoffs"],
    ["ragged.json k=2", "payoffs of a file have no settings"],
  ])("%s", async (line, message) => {
    writeFileSync(join(folder, "ragged.json"), "[[1,2],[3]]");
    writeFileSync(join(folder, "number.json"), "7");
    const { code, stdout, stderr } = await corral(`ceiling ${line}`);
    expect(stderr).toContain(message);
    expect({ code, stdout, lines: stderr.trim().split("\n").length }).toEqual({
      code: 2,
      stdout: "",
      lines: 1,
    });
  });
});
