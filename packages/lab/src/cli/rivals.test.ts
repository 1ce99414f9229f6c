/** Runs whose opponents learn, as a user meets them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeSafetensors } from "corral/tensor";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Ended, runCorral } from "./testing/run-corral.ts";

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
const corral = (line: string): Promise<Ended> => runCorral(line.split(" "), folder);
const small =
  "environments=4 width=8 heads=2 layers=1 batchSize=8 --evaluation-episodes 3 --evaluate-every 0";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "corral-rivals-"));
  const settings = 'rivals={"hidden":8,"batchSize":16}';
  const line = `train agp mpe/tag env.protocol=mixed ${settings} ${small} --steps 1000 --out hunt`;
  expect(await corral(line)).toMatchObject({ code: 0 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const written = (name: string) => readFileSync(join(folder, name));

test("a run says who they are, and its policy is the team's alone", () => {
  const { rivals } = JSON.parse(written("hunt/facts.json").toString());
  expect(rivals).toMatchObject({
    agents: ["agent_0"],
    settings: { hidden: 8, batchSize: 16, epsilonSteps: 20000 },
  });
  expect(rivals.method).toMatch(/^independent Q-learning from their own rewards/);
  expect(JSON.parse(written("hunt/run.json").toString()).env.id).toBe(
    "mpe/tag-v3 (mixed: team against Q-learners, sum)",
  );
  const [checkpoint] = readdirSync(join(folder, "hunt/checkpoints"));
  const names = (file: string) => Object.keys(decodeSafetensors(written(file)).tensors);
  expect(names(`hunt/checkpoints/${checkpoint}`)).toContain("rivals/target");
  expect(names("hunt/parameters.safetensors").filter((name) => name.startsWith("rivals"))).toEqual([]);
});

test("a run is evaluated and drawn against those of its checkpoint", async () => {
  const [once, again, drawn, shown] = await Promise.all([
    corral("evaluate hunt --episodes 20 --json"),
    corral("evaluate hunt --episodes 20 --json"),
    corral("render hunt --out hunt.svg --json"),
    corral("show hunt"),
  ]);
  const { metrics } = JSON.parse(once.stdout);
  expect(metrics["eval/return-adversaries"]).toBe(metrics["eval/return"]);
  expect(metrics["eval/return-good-agents"]).toBeLessThan(0);
  expect(again).toEqual(once);
  expect(JSON.parse(drawn.stdout)).toMatchObject({ policy: "trained", steps: 25 });
  expect(shown.stdout).toContain("env.protocol=mixed");
  expect(shown.stdout).toContain("train/rivals-loss");
});

test("what has no place for them says so in one line, and checks leave them to chance", async () => {
  const [attention, check] = await Promise.all([
    corral("attention hunt"),
    corral("check mpe/tag protocol=mixed"),
  ]);
  expect(attention).toMatchObject({ code: 2, stdout: "" });
  expect(attention.stderr.trim().split("\n")).toHaveLength(1);
  expect(attention.stderr).toMatch(
    /has opponents that learn \(agent_0\), which nobody trains or plays here; expected/,
  );
  expect(check).toMatchObject({ code: 0, stderr: "" });
  expect(check.stdout).toContain("opponents that learn in training (agent_0) play at random here");
});
