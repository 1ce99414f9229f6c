import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Ended, runCorral, startCorral } from "./testing/run-corral.ts";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const golden = file("../../../core/src/envs/fixtures/aloha.json");

// Whole processes, on machines that may be busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "corral-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corral = (line: string, cwd = folder): Promise<Ended> => runCorral(line.split(" "), cwd);

/** The result of a command that succeeds, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: every command has a shape of its own.
async function json(line: string): Promise<any> {
  const { code, stdout, stderr } = await corral(`${line} --json`);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const tiny =
  "train mappo coordination-game env.agents=2 env.horizon=5 environments=4 hidden=8 --evaluation-episodes 4";

describe("help", () => {
  test("shows every command and its examples, and loads neither a runtime nor an algorithm", async () => {
    const record = join(folder, "imports");
    const env = {
      NODE_OPTIONS: `--import ${new URL("./testing/record-imports.js", import.meta.url)}`,
      IMPORT_RECORD: record,
    };
    const { code, stdout, stderr } = await runCorral([], folder, env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const commands =
      "train resume list show evaluate render export check attention certify verify ceiling structure reproduce bench";
    for (const name of commands.split(" ")) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    }
    const imported = readFileSync(record, "utf8");
    expect(imported).toContain("/cli/program.ts");
    expect(imported).not.toMatch(
      /onnxruntime|core\/src\/(tensor|algorithms|envs)|lab\/src\/(runs|papers|plot)|vega/,
    );

    const train = await corral("train --help");
    expect(train.stdout).toContain("corral train mappo coordination-game dag=full");
    expect((await corral("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("list", () => {
  test("shows everything, one kind, and one thing with its settings", async () => {
    const [all, envs, tag, mappo, figure] = await Promise.all([
      corral("list"),
      json("list envs"),
      json("list envs simple_tag_v3"),
      corral("list algorithms mappo"),
      json("list figures subteams/figure-2-aloha"),
    ]);
    for (const name of ["aloha", "coordination-game", "mappo", "subteams/figure-2-aloha"]) {
      expect(all.stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    }
    const aloha = envs.find(({ name }: { name: string }) => name === "aloha");
    expect(aloha.settings).toContainEqual({
      key: "successReward",
      default: 0.1,
      values: "number",
      description: "Reward for each message sent",
    });
    expect(tag.name).toBe("mpe/tag");
    expect(mappo.stdout).toMatch(/^ {2}clip=0\.2 {2}number > 0\n {6}Clip range of/m);
    expect(mappo.stdout).toContain("--preset exploring  discount=0");
    expect(mappo.stdout).toMatch(
      /^ {2}annealing {2}JSON object\n {6}Learned.*\n(.*\n)?^ {6}thin=0\.4 {2}number in \[0, 1\]\n {10}Share/m,
    );
    expect(figure.scales.paper).toEqual({ seeds: 60, steps: 500_000 });
  });
});

describe("training", () => {
  test("a run is trained, shown, evaluated, exported, and found again", async () => {
    const trained = await corral(`${tiny} --steps 100 --out run`);
    expect(trained.code).toBe(0);
    expect(trained.stdout).toContain("✔ mappo on coordination-game");
    expect(trained.stdout).toMatch(/eval\/return +[▁▂▃▄▅▆▇█]+/);
    expect(trained.stdout).toContain("show run");
    expect(trained.stderr).toContain("onnxruntime");
    const before = readFileSync(join(folder, "run", "metrics.jsonl"), "utf8");

    const [again, shown, data, evaluation, exported] = await Promise.all([
      json(`${tiny} --steps 100 --out run`),
      corral("show run"),
      json("show run"),
      json("evaluate run --episodes 20 --seed 7"),
      json("export run --out mine.onnx"),
    ]);
    expect(again).toMatchObject({ state: "finished", steps: 100, alreadyFinished: true });
    expect(readFileSync(join(folder, "run", "metrics.jsonl"), "utf8")).toBe(before);
    expect(shown.stdout).toMatch(/state +finished/);
    expect(data.status).toEqual({ state: "finished", iteration: 5, steps: 100 });
    expect(data.curves["train/return"].steps).toEqual([20, 40, 60, 80, 100]);
    expect(data.metrics["eval/return"]).toBe(data.curves["eval/return"].values.at(-1));
    // The standard error belongs to the deviation of 20 episodes, which is divided by 20 itself.
    const { "eval/return-deviation": deviation } = evaluation.metrics;
    expect(evaluation.standardError).toBeCloseTo(deviation / Math.sqrt(19), 12);
    expect(exported.bytes).toBe(readFileSync(join(folder, "mine.onnx")).length);
    expect(
      readFileSync(join(folder, "mine.onnx")).equals(readFileSync(join(folder, "run", "policy.onnx"))),
    ).toBe(true);
  });

  test("by default every specification has a directory of its own", async () => {
    const home = mkdtempSync(join(folder, "default-"));
    await Promise.all([1, 2].map((seed) => corral(`${tiny} --steps 20 --seed ${seed}`, home)));
    const names = readdirSync(join(home, "runs")).sort();
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^mappo-coordination-game-seed1-[0-9a-f]{8}$/);
  });

  test("Ctrl-C leaves a run that goes on to the same numbers", async () => {
    const long = `${tiny} --steps 4000 --checkpoint-every 1000`.split(" ");
    const whole = runCorral([...long, "--out", "whole"], folder);
    const { child, ended } = startCorral([...long, "--out", "stopped"], folder);
    const metrics = join(folder, "stopped", "metrics.jsonl");
    while (!existsSync(metrics) || readFileSync(metrics, "utf8").split("\n").length < 4) await pause(5);
    child.kill("SIGINT");
    const stopped = await ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toContain("corral resume stopped");
    const resumed = await json("resume stopped");
    expect(resumed).toMatchObject({ state: "finished", steps: 4000, alreadyFinished: false });
    expect((await whole).code).toBe(0);
    for (const name of ["metrics.jsonl", "parameters.safetensors", "policy.onnx"]) {
      const [one, other] = ["whole", "stopped"].map((run) => readFileSync(join(folder, run, name)));
      expect(one.equals(other), name).toBe(true);
    }
  });

  test("a run that diverges says where, and which quantity", async () => {
    const { code, stderr } = await corral(`${tiny} --steps 100 actorLearningRate=1e30 --out diverged`);
    expect(code).toBe(2);
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      /^corral: diverged diverged at iteration \d+: .+ is (NaN|-?Infinity)/,
    );
    expect((await json("show diverged")).status.state).toBe("diverged");
  });

  test("a user's environment outside the project is checked and trained", async () => {
    const home = mkdtempSync(join(tmpdir(), "corral-user-"));
    try {
      copyFileSync(file("../../../../examples/my-env.ts"), join(home, "my-env.ts"));
      const javascript = `import { defineEnv } from "corral/envs";
        import base from "./my-env.ts";
        export default defineEnv({ ...base, name: "in-javascript" });`;
      writeFileSync(join(home, "my-env.js"), javascript);
      const settings = "env.places=3 environments=4 hidden=8 --steps 40 --evaluation-episodes 4";
      const [checked, script, trained] = await Promise.all([
        corral("check ./my-env.ts places=4", home),
        corral("check my-env.js", home),
        corral(`train mappo ./my-env.ts ${settings} --out run`, home),
      ]);
      expect(checked).toMatchObject({ code: 0, stderr: "" });
      expect(checked.stdout).toContain("meeting-point: 3 agents");
      expect(script.stdout).toContain("in-javascript");
      expect(trained.code).toBe(0);
      // The run knows where the module is, wherever it is looked at from.
      expect((await corral(`evaluate ${join(home, "run")} --episodes 4`)).code).toBe(0);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

describe("check", () => {
  test("replays recorded trajectories and says where they differ", async () => {
    const recording = JSON.parse(readFileSync(golden, "utf8"));
    recording.episodes[1].steps[3].reward += 0.25;
    writeFileSync(join(folder, "changed.json"), JSON.stringify(recording));
    const particles = file("../../../core/src/envs/mpe/fixtures/simple_spread.discrete.json");
    const [right, wrong, spread] = await Promise.all([
      corral(`check aloha --golden ${golden}`),
      corral("check aloha --golden changed.json"),
      corral(`check simple_spread_v3 --golden ${particles}`),
    ]);
    expect(right).toMatchObject({ code: 0, stderr: "" });
    expect(right.stdout).toMatch(/✔ +observation +0 +/);
    expect(spread).toMatchObject({ code: 0, stderr: "" });
    expect(spread.stdout).toMatch(/^mpe\/spread: 3 agents.*✔ +reward +\S+ +1\.00e-9 /s);
    expect(wrong).toMatchObject({ code: 1, stderr: "" });
    expect(wrong.stdout).toMatch(
      new RegExp(`✘ +reward +2.50e-1 +1.00e-9 +${recording.episodes[1].name} +3$`, "m"),
    );
    expect(wrong.stdout.trim().endsWith("failed")).toBe(true);
  });

  test("an environment that breaks a promise fails", async () => {
    const source = `import base from ${JSON.stringify(file("../../../../examples/my-env.ts"))};
      export default { ...base, create: (config) => ({ ...base.create(config), restore() {} }) };`;
    writeFileSync(join(folder, "forgetful.js"), source);
    const { code, stdout } = await corral("check ./forgetful.js");
    expect(code).toBe(1);
    expect(stdout).toMatch(/✘ snapshot: restored into/);
  });
});

describe("reproduce", () => {
  const figure = "reproduce subteams/figure-2-coordination-game --scale smoke --seeds 1 --json";
  const bytes = (out: string): string[] =>
    ["svg", "png", "csv", "json"].map((ending) =>
      readFileSync(join(folder, out, "smoke", "subteams", `figure-2-coordination-game.${ending}`)).toString(
        "base64",
      ),
    );

  test("a figure is made, made again from the same runs, and made after a kill, to the same bytes", async () => {
    const first = await corral(`${figure} --out one`);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout).table).toHaveLength(4);
    const made = bytes("one");
    const runs = readdirSync(join(folder, "one", "runs"));
    expect(runs).toHaveLength(4);
    const stamps = () =>
      runs.map((run) => readFileSync(join(folder, "one", "runs", run, "timing.jsonl"), "utf8"));
    const before = stamps();

    const { child, ended } = startCorral(`${figure} --out two --jobs 1`.split(" "), folder);
    const second = corral(`${figure} --out one`);
    while (!existsSync(join(folder, "two", "runs")) || readdirSync(join(folder, "two", "runs")).length < 2)
      await pause(5);
    child.kill("SIGKILL");
    expect((await ended).code).toBe(null);
    expect((await corral(`${figure} --out two`)).code).toBe(0);
    expect(bytes("two")).toEqual(made);

    expect((await second).code).toBe(0);
    expect(bytes("one")).toEqual(made);
    expect(stamps()).toEqual(before);
  });
});

describe("bad input is one line, exit code 2, and leaves nothing behind", () => {
  const cases: readonly (readonly [line: string, message: RegExp])[] = [
    ["trian", /unknown command "trian": expected one of train, .*Did you mean "train"\?$/],
    ["train mapo aloha", /unknown algorithm "mapo": .*Did you mean "mappo"\?$/],
    ["train mappo alhoa", /unknown environment "alhoa": .*Did you mean "aloha"\?$/],
    ["train mappo mpe/sprad", /unknown environment "mpe\/sprad": .*Did you mean "mpe\/spread"\?$/],
    ["train mappo simple_tag", /unknown environment "simple_tag": .*Did you mean "mpe\/tag"\?$/],
    ["train mappo mpe/tag env.opponents=noop", /mpe\/tag\.opponents: expected protocol=team beside it/],
    [
      "train mappo mpe/spread env.agents=0",
      /mpe\/spread\.agents: expected an integer at least 1 .*\(got 0\)$/,
    ],
    ["train mappo ./missing.ts", /environment \.\/missing\.ts: there is no such file$/],
    ["train mappo", /missing required argument "env"; usage: corral train /],
    ["train mappo aloha clip", /"clip": expected key=value$/],
    ["train mappo aloha epoch=4", /mappo\.epoch: unknown setting \(got 4\).*Did you mean "epochs"\?$/],
    ["train mappo aloha env.horizn=4", /aloha\.horizn: unknown setting \(got 4\).*Did you mean "horizon"\?$/],
    ["train mappo aloha clip=-1", /mappo\.clip: expected a number above 0 \(got -1\)$/],
    ["train mappo aloha hidden=many", /mappo\.hidden: expected an integer at least 1 \(got "many"\)$/],
    ["train mappo coordination-game dag=7+9", /"7\+9": .*expected 5 .*for example 2\+3$/],
    ["train mappo aloha minibatches=7", /mappo\.minibatches: 7 does not divide/],
    ["train mappo aloha --sed 3", /unknown option "--sed": .*Did you mean "--seed"\?$/],
    ["train mappo aloha --seed -1", /seed: expected an integer of at least 0/],
    ["train mappo aloha --steps 1.5", /--steps: expected an integer of at least 1 \(got "1\.5"\)$/],
    ["reproduce subteams/figure-2-alooha", /unknown figure .*Did you mean "subteams\/figure-2-aloha"\?$/],
    ["reproduce subteams/figure-2-aloha --scale quik", /unknown scale "quik": .*Did you mean "quick"\?$/],
    ["reproduce subteams/figure-2-aloha --jobs 0", /--jobs: expected an integer of at least 1 \(got "0"\)$/],
    ["check aloha --golden missing.json", /missing\.json/],
    ["check coordination-game --golden GOLDEN", /coordination-game: has no format of recorded trajectories$/],
    ["check broken.ts", /environment .*broken\.ts cannot be imported: /],
    ["check other.js", /other\.js: the default export is 3\. Expected "export default defineEnv/],
    ["list env", /unknown list "env": .*Did you mean "envs"\?$/],
    ["bench trian", /unknown benchmark "trian": .*Did you mean "train"\?$/],
    ["bench engine --against torch", /unknown peer "torch": .*Did you mean "pytorch"\?$/],
    ["show missing", /no run at missing: the directory does not exist$/],
    ["resume .", /\. is not a run: it has no readable run\.json$/],
    ["evaluate truncated", /no usable checkpoint in truncated.checkpoints/],
    ["resume truncated", /no usable checkpoint in truncated.checkpoints/],
    ["resume foreign", /belongs to run [0-9a-f]{16}, expected [0-9a-f]{16}$/],
    ["resume older", /older began with corral "0\.0\.1", now it is/],
    ["show damaged", /damaged.run\.json is not valid JSON$/],
    ["worker", /worker: expected to be started by a pool of runs/],
  ];

  let home: string;
  let listing: string[];
  const tree = (): string[] => (readdirSync(home, { recursive: true }) as string[]).sort();
  beforeAll(async () => {
    home = mkdtempSync(join(folder, "bad-"));
    writeFileSync(join(home, "broken.ts"), "export default {");
    writeFileSync(join(home, "other.js"), "export default 3;");
    await Promise.all(
      [1, 2].map((seed) => corral(`${tiny} --steps 40 --seed ${seed} --out seed-${seed}`, home)),
    );
    const copy = (name: string): string => {
      cpSync(join(home, "seed-1"), join(home, name), { recursive: true });
      // An unfinished run, so that there is something to resume.
      rmSync(join(home, name, "status.json"));
      return join(home, name);
    };
    const checkpoint = join("checkpoints", "2.safetensors");
    truncateSync(join(copy("truncated"), checkpoint), 1000);
    cpSync(join(home, "seed-2", checkpoint), join(copy("foreign"), checkpoint));
    const older = join(copy("older"), "run.json");
    writeFileSync(older, readFileSync(older, "utf8").replace(/"corral": "[^"]+"/, '"corral": "0.0.1"'));
    truncateSync(join(copy("damaged"), "run.json"), 100);
    listing = tree();
  });

  test.for(chunks(cases, 4))("%#", async (chunk) => {
    await Promise.all(
      chunk.map(async ([line, message]) => {
        const { code, stdout, stderr } = await corral(line.replace("GOLDEN", golden), home);
        expect({ line, code, stdout }).toEqual({ line, code: 2, stdout: "" });
        expect(stderr).toMatch(/^corral: .+\n$/);
        expect(stderr.trimEnd()).toMatch(message);
      }),
    );
    expect(tree()).toEqual(listing);
  });

  test.runIf(process.platform === "linux")("a disk that takes nothing", async () => {
    const { code, stderr } = await corral(`${tiny} --steps 20 --out /proc/run`);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^corral: cannot create directory \/proc\/run: .+\n$/);
  });

  test("a budget beyond all edges is accepted with a note", async () => {
    const { code, stderr } = await corral(`${tiny} --steps 20 dag=random(9) --out generous`);
    expect(code).toBe(0);
    expect(stderr).toContain("2 agents have at most 1 edges");
  });
});

/** Parts of at most `size`: a few processes run at a time. */
function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
