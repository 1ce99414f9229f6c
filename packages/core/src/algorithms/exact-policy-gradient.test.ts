import { describe, expect, test } from "vitest";
import { configureEnv, environments } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { parseTopology } from "../structure/index.ts";
import { exactSoftmaxPolicy } from "../tabular/index.ts";
import { loadEngine } from "../tensor/index.ts";
import { DivergenceError, type Learner } from "../training/algorithm.ts";
import { exactPolicyGradient } from "./exact-policy-gradient.ts";

const game = (agents: number) =>
  configureEnv(environments["coordination-game"], { agents, epsilon: 0.05 }).factory;

const create = (agents: number, settings: Record<string, unknown>, seed = 1): Promise<Learner> =>
  exactPolicyGradient.create({
    env: game(agents),
    config: exactPolicyGradient.config.parse(settings),
    totalSteps: 1000,
    rng: createRng(seed),
  });

const thetaOf = (learner: Learner) => learner.snapshot().tensors.theta as Float64Array;
const evaluate = (learner: Learner) => learner.evaluate(1, createRng(0));

test("the uniform policy of two agents is worth its closed form", async () => {
  const learner = await create(2, { dag: "full", initialisation: "zero", lambda: 0.3 });
  const metrics = await evaluate(learner);
  // Mean reward 1.25 over 1 - gamma; the optimum is worth 52.7875; the gaps are those of a brute-force search.
  expect(metrics["eval/value"]).toBeCloseTo(25, 9);
  expect(metrics["eval/price-of-anarchy"]).toBeCloseTo(25 / 52.7875, 9);
  expect(metrics["eval/suboptimality"]).toBeCloseTo(1 - 25 / 52.7875, 9);
  expect(metrics["eval/equilibrium-gap"]).toBeCloseTo(19.2375, 9);
  expect(metrics["eval/gap-unconditional"]).toBeCloseTo(4.275, 9);
  // The barrier is zero at the uniform policy.
  expect(metrics["eval/objective"]).toBeCloseTo(25, 9);
  await learner.iterate();
  const { "eval/value": value, "eval/objective": objective } = await evaluate(learner);
  expect(objective).toBeLessThan(value);
});

test("an iteration is so many steps along the gradient, at the published step size", async () => {
  const learner = await create(3, { dag: "1+2", gradientSteps: 4, lambda: 0.2 });
  const policy = exactSoftmaxPolicy(game(3)().model!(), parseTopology("1+2", 3));
  const theta = thetaOf(learner);
  let length = 0;
  for (let step = 0; step < 4; step++) {
    policy.differentiate(theta, 0.2);
    length = Math.hypot(...policy.gradient);
    for (let k = 0; k < theta.length; k++) theta[k] += ((0.01 * 8) / 3) * policy.gradient[k];
  }
  expect(learner.stepsPerIteration).toBe(4);
  expect((await learner.iterate())["train/gradient-norm"]).toBeCloseTo(length, 12);
  expect(thetaOf(learner)).toEqual(theta);
});

test("the value rises at every step of the theory's size, by next to nothing", async () => {
  const learner = await create(2, { dag: "full", stepSize: "theory", gradientSteps: 1 });
  // 1 / beta with beta = 8 N Delta / (1 - gamma)^3 = 8 * 2 * 3 / .05^3.
  expect(learner.facts.stepSize).toBeCloseTo(0.05 ** 3 / 48, 15);
  let last = (await evaluate(learner))["eval/value"];
  for (let step = 0; step < 20; step++) {
    await learner.iterate();
    const value = (await evaluate(learner))["eval/value"];
    expect(value).toBeGreaterThan(last);
    last = value;
  }
});

describe("first parameters", () => {
  test("depend on the seed and the DAG, not on its name", async () => {
    const [line, full, again, other] = await Promise.all([
      create(2, { dag: "line" }),
      create(2, { dag: "full" }),
      create(2, { dag: "edges:0 > 1" }),
      create(2, { dag: "full" }, 2),
    ]);
    expect(thetaOf(line)).toEqual(thetaOf(full));
    expect(thetaOf(again)).toEqual(thetaOf(full));
    expect(thetaOf(other)).not.toEqual(thetaOf(full));
    const product = await create(2, { dag: "product" });
    expect(thetaOf(product)[0]).not.toBe(thetaOf(full)[0]);
  });

  test("are standard normal", async () => {
    const theta = thetaOf(await create(5, { dag: "full" }));
    expect(theta).toHaveLength(2 * 32 * 31);
    const mean = theta.reduce((sum, x) => sum + x, 0) / theta.length;
    const variance = theta.reduce((sum, x) => sum + x * x, 0) / theta.length;
    // Four standard errors of 1984 draws: 4 / sqrt(1984) and 4 sqrt(2 / 1984).
    expect(Math.abs(mean)).toBeLessThan(0.09);
    expect(Math.abs(variance - 1)).toBeLessThan(0.13);
  });
});

test.each(["sgd", "adam"])("%s goes on bit for bit from a snapshot", async (optimiser) => {
  const settings = { dag: "line", optimiser, gradientSteps: 7 };
  const whole = await create(3, settings);
  await whole.iterate();
  const { tensors, json } = whole.snapshot();
  const saved = { tensors, json: JSON.parse(JSON.stringify(json)) };
  const fresh = await create(3, { ...settings, initialisation: "zero" });
  fresh.restore(saved);
  expect(fresh.snapshot()).toEqual(saved);
  for (let k = 0; k < 2; k++) expect(await fresh.iterate()).toEqual(await whole.iterate());
  // A learner that has gone further goes back.
  expect(thetaOf(fresh)).toEqual(thetaOf(whole));
  whole.restore(saved);
  expect(whole.snapshot()).toEqual(saved);
  expect(await evaluate(fresh)).not.toEqual(await evaluate(whole));
});

test("the exported file holds the policy of every state", async () => {
  const learner = await create(3, { dag: "line" });
  await learner.iterate();
  const policy = exactSoftmaxPolicy(game(3)().model!(), parseTopology("line", 3));
  policy.evaluate(thetaOf(learner));
  const engine = await loadEngine();
  const session = await engine.load(learner.exportPolicy());
  const joint = new Float32Array(8);
  const own = [new Float32Array(2), new Float32Array(4), new Float32Array(4)];
  for (let s = 0; s < 8; s++) {
    await session.run(
      { state: session.tensor("int32", [1], Int32Array.of(s)) },
      {
        policy: session.tensor("float32", [1, 8], joint),
        ...Object.fromEntries(
          own.map((values, i) => [
            `conditionals-${i}`,
            session.tensor("float32", [1, values.length / 2, 2], values),
          ]),
        ),
      },
    );
    for (let a = 0; a < 8; a++) {
      const [x, y, z] = [a >> 2, (a >> 1) & 1, a & 1];
      expect(joint[a]).toBeCloseTo(policy.jointPolicy[s * 8 + a], 6);
      expect(own[0][x] * own[1][2 * x + y] * own[2][2 * y + z]).toBeCloseTo(joint[a], 6);
    }
  }
  await session.dispose();
});

test("parameters leave by agent, with their shapes", async () => {
  const learner = await create(3, { dag: "full" });
  const parameters = learner.parameters();
  expect(Object.entries(parameters).map(([name, { shape }]) => [name, shape])).toEqual([
    ["theta/0", [8, 1, 2]],
    ["theta/1", [8, 2, 2]],
    ["theta/2", [8, 4, 2]],
  ]);
  const all = Object.values(parameters).flatMap(({ data }) => [...data]);
  expect(all).toEqual([...Float32Array.from(thetaOf(learner))]);
});

test("a step size beyond all bounds is a divergence, and the parameters stay finite", async () => {
  const learner = await create(2, { stepSize: 1e308, lambda: 100, gradientSteps: 50 });
  const before = learner.snapshot();
  await expect(learner.iterate()).rejects.toThrow(DivergenceError);
  expect(learner.snapshot()).toEqual(before);
});

test("what cannot be ascended is refused", async () => {
  await expect(create(5, { dag: "heuristic(4)" })).rejects.toThrow(InputError);
  await expect(create(5, { dag: "2+2" })).rejects.toThrow("block sizes sum to 4, expected 5");
  const aloha = exactPolicyGradient.create({
    env: configureEnv(environments.aloha, {}).factory,
    config: exactPolicyGradient.config.parse({}),
    totalSteps: 1,
    rng: createRng(1),
  });
  await expect(aloha).rejects.toThrow("environment aloha has no finite model at this size");
  expect(() => exactPolicyGradient.config.parse({ stepSize: 0 })).toThrow();
});
