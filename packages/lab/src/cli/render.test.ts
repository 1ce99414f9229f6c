import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "corral/errors";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createProgram } from "./program.ts";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

const ownEnv = fileURLToPath(new URL("../../../../examples/my-env.ts", import.meta.url));

let folder: string;
const corral = (line: string): Promise<Ended> => runCorral(line.split(" "), folder);
const written = (name: string): string => readFileSync(join(folder, name), "utf8");
const stepsIn = (svg: string): number[] => [...svg.matchAll(/>step (\d+)</g)].map(([, step]) => Number(step));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "corral-render-"));
  const shared = "--steps 240 --evaluation-episodes 2";
  const runs = await Promise.all([
    corral(
      `train mappo coordination-game env.agents=3 env.horizon=6 environments=4 hidden=8 ${shared} --out bits`,
    ),
    corral(`train mastac temperature env.agents=4 batchSize=16 ${shared} --out zones`),
    corral("train exact-policy-gradient coordination-game env.agents=2 --steps 10 --out exact"),
  ]);
  for (const run of runs) expect(run).toMatchObject({ code: 0 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("an environment becomes a strip or an animation, the same bytes for the same seed", async () => {
  const line = "render aloha --policy alternate --seed 4 horizon=10 rows=1";
  const [first, again, other, moving, picture] = await Promise.all([
    corral(`${line} --every 5 --out first.svg`),
    corral(`${line} --every 5 --out again.svg`),
    corral(`${line} --every 5 --episode 1 --out other.svg`),
    corral(`${line} --animate --out moving.svg --json`),
    corral(`${line} --frames 3 --out picture.png`),
  ]);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toMatch(/^aloha horizon=10 rows=1: alternate policy: return \S+ after 10 steps\n/);
  expect(stepsIn(written("first.svg"))).toEqual([0, 5, 10]);
  expect(again.code).toBe(0);
  expect(written("again.svg")).toBe(written("first.svg"));
  expect(other.code).toBe(0);
  expect(written("other.svg")).not.toBe(written("first.svg"));
  expect(picture.code).toBe(0);
  expect(readFileSync(join(folder, "picture.png")).subarray(1, 4).toString()).toBe("PNG");
  const { policy, steps, drawn } = JSON.parse(moving.stdout);
  expect({ policy, steps, drawn }).toEqual({
    policy: "alternate",
    steps: 10,
    drawn: { steps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], animated: true, bytes: written("moving.svg").length },
  });
  expect(written("moving.svg")).toContain('repeatCount="indefinite"');
  expect(written("moving.svg")).not.toContain("<script");
});

test("particles of the public suite's name and an environment of one's own play at random", async () => {
  const [particles, own] = await Promise.all([
    corral("render simple_tag_v3 protocol=team --frames 4 --out tag.svg"),
    corral(`render ${ownEnv} horizon=3 --out own.svg`),
  ]);
  expect(particles).toMatchObject({ code: 0, stderr: "" });
  expect(stepsIn(written("tag.svg"))).toEqual([0, 8, 17, 25]);
  expect(own).toMatchObject({ code: 0, stderr: "" });
  expect(stepsIn(written("own.svg"))).toEqual([0, 1, 2, 3]);
});

test("a run shows its trained policy, from the start that others meet too", async () => {
  const [trained, again, zeros, zones] = await Promise.all([
    corral("render bits --out trained.svg --json"),
    corral("render bits --out trained-again.svg"),
    corral("render bits --policy zeros --out zeros.svg --json"),
    corral("render zones --animate --out zones.svg --json"),
  ]);
  expect(JSON.parse(trained.stdout)).toMatchObject({
    policy: "trained",
    steps: 6,
    drawn: { steps: [0, 1, 2, 3, 4, 5, 6] },
  });
  expect(again.code).toBe(0);
  expect(written("trained-again.svg")).toBe(written("trained.svg"));
  expect(JSON.parse(zeros.stdout)).toMatchObject({ policy: "zeros", steps: 6 });
  const start = (svg: string) => {
    const [, picture] = svg.split(/>step [01]</);
    return [...picture.matchAll(/<circle[^>]* fill="([^"]*)"/g)].map(([, fill]) => fill);
  };
  expect(start(written("zeros.svg"))).toHaveLength(3);
  expect(start(written("zeros.svg"))).toEqual(start(written("trained.svg")));
  expect(JSON.parse(zones.stdout)).toMatchObject({ policy: "trained", steps: 40, drawn: { animated: true } });
});

test.each([
  ["render alohaa", /unknown environment "alohaa": .*Did you mean "aloha"\?/],
  ["render mpe/tga", /unknown environment "mpe\/tga": .*Did you mean "mpe\/tag"\?/],
  [
    "render aloha --policy altrnate",
    /unknown policy "altrnate": expected one of random, alternate, .*"alternate"\?/,
  ],
  ["render aloha --policy trained", /unknown policy "trained"/],
  ["render FOLDER/bits --policy optimal", /unknown policy "optimal": expected one of trained, random, zeros/],
  ["render FOLDER/bits agents=4", /"agents=4": a run has settings of its own/],
  ["render nowhere/run", /unknown environment "nowhere\/run"/],
  ["render FOLDER", /is not a run/],
  ["render FOLDER/exact", /exact-policy-gradient, which is evaluated without playing; .*--policy random/],
  ["render aloha agent=3", /aloha.agent: unknown setting/],
  ["render aloha --episode -1", /--episode: expected an integer of at least 0 \(got "-1"\)/],
  ["render aloha --episode 1.5", /--episode: expected an integer of at least 0/],
  ["render aloha --every 0", /--every: expected an integer of at least 1/],
  ["render aloha --every 2 --frames 3", /--every and --frames .* expected one of them/],
  ["render aloha --out picture.jpg", /--out picture.jpg: expected a name that ends in .svg or .png/],
  ["render aloha --animate --out still.png", /--out still.png: a PNG stands still, expected .*\.svg/],
  ["render aloha --out FOLDER/bits/run.json/picture.svg", /not a directory \(ENOTDIR\)/],
  ["render warehouse keep=false --policy send-nothing", /warehouse.keep: expected true/],
])("%s is refused in one line, and nothing is written", async (line, message) => {
  const program = createProgram({ enableUserModules: async () => {} }, "0.0.0");
  const words = line.split(" ").map((word) => word.replace("FOLDER", folder));
  const out = words.includes("--out") ? [] : ["--out", join(folder, "refused.svg")];
  const before = readdirSync(folder);
  const error = await program.parseAsync([...words, ...out], { from: "user" }).catch((reason) => reason);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain("\n");
  expect(readdirSync(folder)).toEqual(before);
});

test("what is refused ends with exit code 2 and leaves nothing behind", async () => {
  const { code, stdout, stderr } = await corral("render aloha --policy altrnate --out refused.svg");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^corral: unknown policy "altrnate": .*\n$/);
  expect(readdirSync(folder)).not.toContain("refused.svg");
});
