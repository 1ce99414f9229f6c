import { describe, expect, test } from "vitest";
import { configureEnv, type EnvFactory, environments, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { bnActor, bnPolicy, dagLearner, learnedDagSource, meanDensity } from "../models/index.ts";
import { createRng } from "../random/index.ts";
import { initialise, layoutOf, loadEngine, variable } from "../tensor/index.ts";
import type { Learner } from "../training/index.ts";
import { expectToResume, iterate, stateOf } from "../training/testing/resumed-learners.ts";
import { conditionalsOf, dagsOf, exactPriceOfAnarchy, playEpisodes } from "./evaluate-bn-policy.ts";
import { type MappoConfig, mappo } from "./mappo.ts";

const engine = await loadEngine();

const coordination = (config: Record<string, unknown> = {}): EnvFactory =>
  configureEnv(environments["coordination-game"], config).factory;
const aloha = configureEnv(environments.aloha, { horizon: 6 }).factory;

const create = (
  env: EnvFactory,
  settings: Partial<MappoConfig>,
  seed: number,
  totalSteps = 1e6,
): Promise<Learner> =>
  mappo.create({
    env,
    config: mappo.config.parse({ dag: "learned", ...settings }),
    totalSteps,
    rng: createRng(seed),
  });

const quick = {
  hidden: 8,
  environments: 4,
  rolloutSteps: 9,
  actorLearningRate: 0.01,
  criticLearningRate: 0.01,
};

describe("the ratio at the first step of an update", () => {
  test.each([
    ["the game", coordination({ horizon: 6 }), {}],
    ["the game, four minibatches", coordination({ horizon: 6 }), { minibatches: 4 }],
    ["the game, edges by rank", coordination({ horizon: 6 }), { edgeIndexing: "rank", inputNorm: true }],
    ["Aloha", aloha, { inputNorm: false }],
    ["Aloha, a fixed order", aloha, { dagOrder: "identity", heads: "shared" }],
    ["more samples than states", coordination({ agents: 2 }), { environments: 12 }],
  ] as const)("is one under the stored noise: %s", async (_, env, settings) => {
    const learner = await create(env, { ...quick, ...settings }, 1);
    const metrics = await iterate(learner, 2);
    for (const each of metrics) expect(each["train/first-ratio-error"]).toBeLessThan(1e-6);
    expect(metrics[1]["train/largest-ratio-change"]).toBeGreaterThan(1e-3);
    expect(metrics[1]["train/dag-gradient-norm"]).toBeGreaterThan(0);
    await learner.dispose();
  });

  test.each(["dag", "dag+actions"] as const)("is not one under new noise: resample=%s", async (resample) => {
    const learner = await create(coordination(), { ...quick, resample, minibatches: 2 }, 1);
    const metrics = await iterate(learner, 3);
    expect(metrics[2]["train/first-ratio-error"]).toBeGreaterThan(1e-3);
    expect(metrics[2]["train/dag-gradient-norm"]).toBeGreaterThan(0);
    await learner.dispose();
  });
});

describe("a learner restored from a snapshot goes on bit for bit", () => {
  test.each([
    [{}, coordination({ horizon: 7 })],
    [{ minibatches: 4, annealing: mappo.presets!["context-aware-annealed"].config.annealing }, aloha],
    [{ resample: "dag+actions", edgeIndexing: "rank" }, coordination({ horizon: 7 })],
  ] as [Partial<MappoConfig>, EnvFactory][])("%o", async (settings, env) => {
    const config = { ...quick, ...settings };
    await expectToResume((seed) => create(env, config, seed, 200), 2, 3);
  });

  test("with the networks that choose DAGs among its parameters", async () => {
    const learner = await create(coordination(), quick, 1);
    expect(Object.keys(learner.parameters())).toContain("dag/order/0/w");
    await learner.dispose();
  });

  test("evaluating changes nothing in training", async () => {
    const [watched, alone] = await Promise.all(
      [0, 1].map(() => create(coordination(), { ...quick, evaluationDag: "noisy" }, 4)),
    );
    for (let k = 0; k < 2; k++) {
      // As many episodes as copies: both use the same chooser.
      const evaluation = await watched.evaluate(4, createRng(k));
      expect(await watched.evaluate(4, createRng(k))).toEqual(evaluation);
      expect(await watched.iterate()).toEqual(await alone.iterate());
    }
    expect(stateOf(watched)).toEqual(stateOf(alone));
    for (const learner of [watched, alone]) await learner.dispose();
  });
});

/** A policy with random networks whose agents react to all they read. */
function randomPolicy(env: EnvFactory) {
  const { spec } = vectorise(env, 1, createRng(0));
  const sizes = { agents: spec.agents, observationSize: spec.observationSize, hidden: 8 };
  const actor = bnActor("actor", {
    ...sizes,
    actions: 2,
    inputNorm: false,
    hiddenNorm: true,
    parentInput: "actions",
    heads: "per-agent",
  });
  const learner = dagLearner("dag", {
    ...sizes,
    sharedObservation: true,
    dagOrder: "learned",
    edgeNetwork: "deep-set",
    edgeIndexing: "agent",
  });
  const [own, dag] = [layoutOf(actor.parameters), layoutOf(learner.parameters)];
  const values = new Float32Array(own.size);
  createRng("actor").fillNormal(values);
  const vector = variable("actor", "float32", [own.size], values);
  const chosen = variable(
    "dag",
    "float32",
    [dag.size],
    initialise(dag, createRng("dag")).map((x) => 4 * x),
  );
  return bnPolicy(
    engine,
    "test",
    { actor, layout: own, vector },
    { dagSource: learnedDagSource(learner, { layout: dag, vector: chosen }), masked: false },
  );
}

describe("measuring a policy with learned DAGs", () => {
  const game = coordination({ agents: 3 });
  const model = game().model!();

  test("the likeliest DAGs are the same for every stream, noisy ones are not", async () => {
    const policy = randomPolicy(game);
    const { observations } = model;
    const likeliest = await dagsOf(policy, { observations }, createRng(1));
    expect(await dagsOf(policy, { observations }, createRng(2))).toEqual(likeliest);
    const noisy = await dagsOf(policy, { observations }, createRng(1), { evaluationDag: "noisy" });
    expect(noisy.parents).not.toEqual(likeliest.parents);
    expect(meanDensity(likeliest.parents, 8, 3)).toBeGreaterThan(0);

    const prices = async (evaluationDag: "likeliest" | "noisy") => {
      const price = exactPriceOfAnarchy(policy, model, { evaluationDag });
      return [await price(createRng(1)), await price(createRng(2))];
    };
    const [one, other] = await prices("likeliest");
    expect(other).toBe(one);
    const [first, second] = await prices("noisy");
    expect(Math.abs(second - first)).toBeGreaterThan(0);
    expect(Math.abs(second - first)).toBeLessThan(0.05);
    await policy.dispose();
  });

  test("the price of anarchy is that of what agents do: the product of their conditionals in each state", async () => {
    const policy = randomPolicy(game);
    const { observations } = model;
    const { parents } = await dagsOf(policy, { observations }, createRng(1));
    // For each joint action the conditionals given the parents' part of it.
    const distribution = new Float64Array(64);
    for (let joint = 0; joint < 8; joint++) {
      const actions = Int32Array.from({ length: 24 }, (_, k) => (joint >> (2 - (k % 3))) & 1);
      const table = await conditionalsOf(policy, { observations, parents, actions });
      for (let s = 0; s < 8; s++) {
        let log = 0;
        for (let i = 0; i < 3; i++) log += table[(s * 3 + i) * 2 + actions[s * 3 + i]];
        distribution[s * 8 + joint] = Math.exp(log);
      }
    }
    for (let s = 0; s < 8; s++) {
      const total = distribution.subarray(s * 8, s * 8 + 8).reduce((a, b) => a + b, 0);
      expect(total).toBeCloseTo(1, 5);
    }
    const { jointPolicy, value } = await playedFrequencies(policy, distribution);
    for (const [k, share] of jointPolicy.entries()) expect(Math.abs(share - value[k])).toBeLessThan(0.06);
    await policy.dispose();
  });

  /** How often sampled play takes each joint action in each state, beside the distribution it should follow. */
  async function playedFrequencies(policy: ReturnType<typeof randomPolicy>, value: Float64Array) {
    const draws = 800;
    const actor = await policy.createActor(8 * draws);
    for (let k = 0; k < 8 * draws; k++) {
      actor.observations.set(model.observations.subarray((k % 8) * 9, (k % 8) * 9 + 9), k * 9);
    }
    const dags = await dagsOf(policy, { observations: actor.observations }, createRng(3));
    actor.dags.parents.set(dags.parents);
    actor.dags.order.set(dags.order);
    createRng(9).fillGumbel(actor.noise);
    await actor.run();
    const jointPolicy = new Float64Array(64);
    for (let k = 0; k < 8 * draws; k++) {
      const [a, b, c] = actor.actions.subarray(k * 3, k * 3 + 3);
      jointPolicy[(k % 8) * 8 + 4 * a + 2 * b + c] += 1 / draws;
    }
    await actor.dispose();
    return { jointPolicy, value };
  }

  test("drawn actions are not greedy ones", async () => {
    const policy = randomPolicy(game);
    const greedy = await playEpisodes(policy, game, 10, createRng(1));
    const mode = { evaluationDag: "likeliest", evaluationActions: "sampled" } as const;
    expect(await playEpisodes(policy, game, 10, createRng(1))).toEqual(greedy);
    expect(await playEpisodes(policy, game, 10, createRng(1), mode)).not.toEqual(greedy);
    await policy.dispose();
  });
});

test.each([
  ["annealing", { annealing: { weight: 1 } as MappoConfig["annealing"] }],
  ["dagOrder", { dagOrder: "identity" }],
  ["edgeNetwork", { edgeNetwork: "mlp" }],
  ["edgeIndexing", { edgeIndexing: "rank" }],
  ["densityWeight", { densityWeight: 0.1 }],
  ["densityTarget", { densityTarget: 1 }],
  ["dagMaxGradientNorm", { dagMaxGradientNorm: 1 }],
  ["evaluationDag", { evaluationDag: "noisy" }],
] as const)("%s is refused where no DAG is learned", async (name, settings) => {
  await expect(create(coordination(), { ...quick, ...settings, dag: "full" }, 1)).rejects.toThrow(
    new InputError(`mappo.${name}: is for learned DAGs, expected dag=learned beside it (got dag=full)`),
  );
});

describe("density", () => {
  test("starts at a half and goes where it is pulled", async () => {
    const settings = { ...quick, environments: 16, densityWeight: 2 };
    for (const densityTarget of [0, 1]) {
      const learner = await create(coordination({ agents: 4 }), { ...settings, densityTarget }, 2);
      const metrics = await iterate(learner, 25);
      expect(Math.abs(metrics[0]["train/dag-density"] - 0.5)).toBeLessThan(0.1);
      expect(Math.abs(metrics[24]["train/dag-density"] - densityTarget)).toBeLessThan(0.05);
      expect(metrics[24]).toMatchObject({ "train/density-target": densityTarget, "train/density-weight": 2 });
      await learner.dispose();
    }
  });

  test("is annealed by the share of the run that is over", async () => {
    const annealing = { weight: 1, finalWeight: 2 } as MappoConfig["annealing"];
    const learner = await create(coordination({ agents: 2 }), { ...quick, annealing }, 2, 36 * 10);
    const metrics = await iterate(learner, 10);
    expect(metrics.map((each) => each["train/density-target"])).toEqual(
      [1, 1, 1, 1, 1, 0.675, 0.35, 0, 0, 0].map((target) => expect.closeTo(target, 9)),
    );
    expect(metrics[9]["train/density-weight"]).toBe(2);
    await learner.dispose();
  });
});

describe("agents that are exported one by one", () => {
  test("are refused while some state has an edge, with the number seen", async () => {
    const game = await create(coordination({ agents: 3 }), quick, 1);
    await expect(game.assertIndependent!()).rejects.toThrow(
      /^mappo: dag=learned gave \d+ edges, in \d+ of \d+ states looked at, expected none: an agent that reads/,
    );
    await expect(game.assertIndependent!()).rejects.toThrow(InputError);
    await game.dispose();
    const full = await create(coordination({ agents: 2 }), { ...quick, dag: "full" }, 1);
    await expect(full.assertIndependent!()).rejects.toThrow("dag=full gave 4 edges, in 4 of 4 states");
    await full.dispose();
    const apart = await create(coordination({ agents: 2 }), { ...quick, dag: "product" }, 1);
    await apart.assertIndependent!();
    await apart.dispose();
  });

  test.each([
    ["the game", coordination({ agents: 3 }), 30],
    ["Aloha", aloha, 40],
  ] as const)("see their own observation and earn what the team earned: %s", async (_, env, iterations) => {
    const settings = { ...quick, environments: 16, densityWeight: 20, densityTarget: 0 };
    const learner = await create(env, settings, 3);
    await iterate(learner, iterations);
    await learner.assertIndependent!();
    const evaluation = await learner.evaluate(20, createRng(7));
    expect(evaluation["eval/dag-density"]).toBe(0);

    const copies = vectorise(env, 20, createRng(7).split("environments"));
    const { agents, observationSize, horizon } = copies.spec;
    const files = Object.entries(learner.exportPolicies!());
    expect(files.map(([name]) => name)).toEqual(Array.from({ length: agents }, (_, i) => `agent-${i}`));
    const observation = new Float32Array(observationSize);
    const action = new Int32Array(1);
    const sessions = await Promise.all(files.map(([, bytes]) => engine.load(bytes)));
    const actions = new Int32Array(20 * agents);
    for (let t = 0; t < horizon; t++) {
      for (let k = 0; k < actions.length; k++) {
        const session = sessions[k % agents];
        observation.set(copies.observations.subarray(k * observationSize, (k + 1) * observationSize));
        await session.run(
          { observation: session.tensor("float32", [1, observationSize], observation) },
          { action: session.tensor("int32", [1], action) },
        );
        actions[k] = action[0];
      }
      copies.step(actions);
    }
    const returns = [...copies.episodeReturns];
    const mean = returns.reduce((total, value) => total + value, 0) / 20;
    expect(mean).toBe(evaluation["eval/return"]);
    for (const session of sessions) await session.dispose();
    await learner.dispose();
  });
});
