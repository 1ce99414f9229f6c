/** MADDPG, MATD3, FACMAC and QDCG as whole learners: what they learn, refuse and remember, and what moves whom. */
import { describe, expect, test } from "vitest";
import { configureEnv, type EnvFactory, environments, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createSegments, segmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import { loadEngine, NonFiniteError, namedArrays } from "../tensor/index.ts";
import { type Algorithm, DivergenceError, type Learner } from "../training/algorithm.ts";
import type { JointPolicy } from "../training/joint-policy.ts";
import type { OffPolicyParts, OffPolicyPlan } from "../training/off-policy.ts";
import { approachGame, bestApproach } from "../training/testing/approach-game.ts";
import { expectToResume, iterate } from "../training/testing/resumed-learners.ts";
import { unevenGame } from "../training/testing/small-games.ts";
import { facmac, facmacParts } from "./facmac.ts";
import { maddpg, maddpgParts } from "./maddpg.ts";
import { matd3, matd3Parts } from "./matd3.ts";
import { qdcg, qdcgParts } from "./qdcg.ts";

const methods = { maddpg, matd3, facmac, qdcg } as const;
type Method = keyof typeof methods;
const each = Object.keys(methods) as Method[];

const small = {
  environments: 8,
  rolloutSteps: 3,
  replayCapacity: 5000,
  batchSize: 64,
  learningStarts: 64,
  sampling: "without-replacement",
  actorHidden: [16],
  criticHidden: [32, 32],
  actorLearningRate: 0.003,
  criticLearningRate: 0.01,
  optimiserEpsilon: 1e-8,
  maxGradientNorm: 0,
  targetRate: 0.05,
  discount: 0.8,
  uniformSteps: 0,
  deviation: 0.3,
  actionPenalty: 0,
};

const create = (method: Method, env: EnvFactory, settings: object, seed = 1): Promise<Learner> => {
  const algorithm = methods[method] as Algorithm;
  const config = algorithm.config.parse({ ...small, ...settings });
  return algorithm.create({ env, config, totalSteps: 1000, rng: createRng(seed) });
};

describe("learns to go to 0", () => {
  const shares = { head: "simplex-gauss", deviation: 1 };
  test.each([
    ["maddpg", "box", {}],
    ["maddpg", "box", { criticInput: "state", reward: "team" }],
    ["maddpg", "uneven-simplex", shares],
    ["matd3", "box", { smoothing: 0.2 }],
    ["facmac", "box", { embedding: 8, hypernetHidden: 8 }],
    ["facmac", "uneven-simplex", { ...shares, sharedNetworks: false, embedding: 8, hypernetHidden: 8 }],
    ["qdcg", "box", {}],
    ["qdcg", "simplex", { ...shares, edges: "none", replace: "all" }],
  ] as const)("%s, %s, %o", async (method, actions, settings) => {
    const learner = await create(method, approachGame({ actions }), settings);
    await iterate(learner, 25);
    const { "eval/return": found } = await learner.evaluate(500, createRng("evaluate"));
    // Standing still returns -2, and what is drawn returns less.
    expect(found).toBeGreaterThan(bestApproach - 0.2);
    await learner.dispose();
  });
});

describe("a learner restored from a snapshot goes on bit for bit", () => {
  // Rollouts of two steps leave copies in the middle of an episode, the replay overflows, and MATD3 has made an odd number of
  // updates.
  const uneven = {
    environments: 3,
    rolloutSteps: 2,
    cycles: 3,
    batchSize: 8,
    learningStarts: 8,
    replayCapacity: 40,
  };
  test.each([
    ["maddpg", "uneven-simplex", { head: "simplex", deviation: 1, sampling: "with-replacement" }],
    ["maddpg", "box", { maxGradientNorm: 0.1, actionPenalty: 0.01 }],
    ["matd3", "box", { smoothing: 0.2 }],
    ["matd3", "simplex", { head: "simplex", deviation: 1, policyDelay: 3 }],
    ["facmac", "box", { uniformSteps: 30 }],
    ["facmac", "uneven-simplex", { sharedNetworks: false, mixer: "vdn-s" }],
    ["qdcg", "simplex", {}],
  ] as const)("%s on %s, %o", async (method, actions, settings) => {
    const env = approachGame({ actions });
    await expectToResume((seed) => create(method, env, { ...uneven, ...settings }, seed), 3, 4);
  });

  test("a snapshot of other networks is refused", async () => {
    const [learner, wider] = [
      await create("qdcg", approachGame(), {}),
      await create("qdcg", approachGame(), { criticHidden: [9] }),
    ];
    expect(() => learner.restore(wider.snapshot())).toThrow(InputError);
    for (const each of [learner, wider]) await each.dispose();
  });
});

describe("refuses", () => {
  const message = async (method: Method, env: EnvFactory, settings: object): Promise<string> => {
    const error: unknown = await create(method, env, settings).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message;
  };

  test.each(each)("discrete actions: %s", async (method) => {
    expect(await message(method, unevenGame, {})).toBe(
      `${method}: actions of agent 0 of uneven are discrete, expected real numbers (box or simplex)`,
    );
  });

  test("heads of another kind of action", async () => {
    expect(await message("matd3", approachGame(), { head: "simplex" })).toContain("matd3.head");
  });

  test("rewards of agents that have none of their own", async () => {
    const env = approachGame({ rewards: "team" });
    expect(await message("maddpg", env, { reward: "own" })).toBe(
      "maddpg.reward: agents of approach have no rewards of their own, got own, expected team or auto",
    );
    await (await create("maddpg", env, {})).dispose();
  });

  test("agents that observe unlike much, unless padded", async () => {
    const zones = configureEnv(environments.temperature, { agents: 6 }).factory;
    expect(await message("facmac", zones, {})).toBe(
      "facmac.sharedNetworks: agents of temperature observe 2 to 3 numbers, expected equally many; padObservations=true puts zeros for what is missing, or use sharedNetworks=false",
    );
    expect(await message("qdcg", zones, {})).toBe(
      "qdcg: agents of temperature observe 2 to 3 numbers, expected equally many; padObservations=true puts zeros for what is missing, or use maddpg, matd3 or facmac",
    );
    for (const method of ["facmac", "qdcg"] as const) {
      const learner = await create(method, zones, { padObservations: true });
      await iterate(learner, 1);
      await learner.dispose();
    }
  });

  test("agents that do unlike much, padded or not", async () => {
    const nine = configureEnv(environments.warehouse, {}).factory;
    expect(await message("qdcg", nine, { padObservations: true })).toBe(
      "qdcg: actions of agents of warehouse have 2 to 3 numbers, expected equally many; use maddpg, matd3 or facmac",
    );
    expect(await message("facmac", nine, { padObservations: true })).toContain("use sharedNetworks=false");
    for (const [method, settings] of [
      ["facmac", { sharedNetworks: false }],
      ["maddpg", {}],
    ] as const) {
      const learner = await create(method, nine, settings);
      await iterate(learner, 1);
      await learner.dispose();
    }
  });

  test("a replay that does not hold a batch", async () => {
    expect(await message("qdcg", approachGame(), { replayCapacity: 63 })).toContain("qdcg.replayCapacity");
  });
});

// ── What is computed, without a loop ────────────────────────────────────────────────────────────────────────────────

const makers = { maddpg: maddpgParts, matd3: matd3Parts, facmac: facmacParts, qdcg: qdcgParts } as const;

/** What a method brings, with a batch of drawn steps. */
async function partsOf(method: Method, settings: object, env = approachGame()): Promise<OffPolicyParts> {
  const batch = vectorise(env, 1, createRng(1));
  const shape = segmentShape(batch, "transition");
  const segments = createSegments(shape, 16);
  const rng = createRng("segments");
  for (const values of [segments.observations, segments.states, segments.controls!, segments.rewards]) {
    rng.fillNormal(values);
  }
  segments.individualRewards?.forEach((_, k, values) => {
    values[k] = segments.rewards[k >> 1] * (k % 2);
  });
  segments.mask.fill(1);
  const plan: OffPolicyPlan = { segments, shape, batch };
  const config = methods[method].config.parse({ ...small, batchSize: 16, ...settings });
  return makers[method](plan, config as never, createRng(1));
}

const now = { steps: 0, learningRate: 0, rng: createRng("update") };

type Arrays = Readonly<Record<string, Float32Array>>;

/** Parameters by name, or those of their targets. */
function read({ parameters, variables }: OffPolicyParts, which: "online" | "target" = "online"): Arrays {
  const arrays = parameters.flatMap(({ vector, layout }) => {
    const target = variables.find(({ name }) => name === `${vector.name}/target`)!;
    const { values } = which === "online" ? vector : target;
    return Object.entries(namedArrays(values as Float32Array, layout));
  });
  return Object.fromEntries(arrays.map(([name, { data }]) => [name, data]));
}

/** Where a parameter lies. */
function place({ parameters, variables }: OffPolicyParts, name: string, which = "online"): Float32Array {
  for (const { vector, layout } of parameters) {
    const index = layout.parameters.findIndex((parameter) => parameter.name === name);
    if (index === -1) continue;
    const target = variables.find(({ name }) => name === `${vector.name}/target`)!;
    const { values } = which === "online" ? vector : target;
    return (values as Float32Array).subarray(layout.offsets[index]);
  }
  throw new Error(`there is no ${name}`);
}

const changed = (before: Arrays, after: Arrays): string[] =>
  Object.keys(before).filter((name) =>
    before[name].some((value, k) => Math.abs(value - after[name][k]) > 1e-12),
  );

test.each([
  ["maddpg", "critic/0/0/w", {}],
  ["matd3", "critic-1/0/0/w", { policyDelay: 1 }],
] as const)("an actor follows its own action in its own critic: %s", async (method, name, settings) => {
  // Critics stay as they are. The one of agent 0 looks away from its action, third of o_0, o_1, a_0, a_1.
  const parts = await partsOf(method, { ...settings, criticLearningRate: 1e-30 });
  const critic = place(parts, name);
  for (let unit = 0; unit < 32; unit++) critic[4 * unit + 2] = 0;
  const before = read(parts);
  await parts.update(now);
  const moved = changed(before, read(parts));
  expect(moved.sort()).toEqual(["actor/1/0/b", "actor/1/0/w", "actor/1/1/b", "actor/1/1/w"]);
  await parts.dispose();
});

test("MATD3's actors and targets move with every second update of its critics", async () => {
  const parts = await partsOf("matd3", {});
  for (const both of [false, true, false, true]) {
    const [online, target] = [read(parts), read(parts, "target")];
    await parts.update(now);
    const moved = changed(online, read(parts));
    expect(
      moved.some((name) => name.startsWith("critic-1/")) &&
        moved.some((name) => name.startsWith("critic-2/")),
    ).toBe(true);
    expect(moved.some((name) => name.startsWith("actor/"))).toBe(both);
    expect(changed(target, read(parts, "target")).length > 0).toBe(both);
  }
  await parts.dispose();
});

test("QDCG without edges learns the critic of FACMAC with a sum", async () => {
  const graph = await partsOf("qdcg", { edges: "none", replace: "all" });
  const sum = await partsOf("facmac", { mixer: "vdn" });
  for (const which of ["online", "target"] as const) {
    for (const [name, values] of Object.entries(read(sum, which))) {
      // Both agents of QDCG act as the one network of FACMAC does.
      const names = name.startsWith("actor/")
        ? [0, 1].map((i) => name.replace("actor", `actor/${i}`))
        : [name];
      for (const each of names) place(graph, each, which).set(values);
    }
  }
  for (let k = 0; k < 2; k++) {
    const [a, b] = [await graph.update(now), await sum.update(now)];
    expect(a["train/critic-loss"]).toBeCloseTo(b["train/critic-loss"], 4 - 2 * k);
    if (k === 0) {
      const [utility, expected] = [read(graph), read(sum)];
      for (const name of Object.keys(expected).filter((name) => name.startsWith("utility/"))) {
        for (const [j, value] of expected[name].entries()) expect(utility[name][j]).toBeCloseTo(value, 5);
      }
    }
  }
  for (const each of [graph, sum]) await each.dispose();
});

test.each([
  ["maddpg", "critic/1/1/b", "critic-loss of agent 1"],
  ["matd3", "critic-2/1/1/b", "critic-loss of agent 1"],
  ["facmac", "utility/1/b", "critic-loss"],
  ["qdcg", "payoff/1/b", "critic-loss"],
] as const)("%s says whose loss is not a number", async (method, name, quantity) => {
  const parts = await partsOf(method, {});
  place(parts, name)[0] = Number.NaN;
  const before = read(parts);
  const error: unknown = await parts.update(now).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(NonFiniteError);
  expect((error as NonFiniteError).quantity).toBe(quantity);
  expect(read(parts)).toEqual(before);
  await parts.dispose();
});

test("actions are drawn uniformly at first, then by the actors with noise", async () => {
  const parts = await partsOf("facmac", { uniformSteps: 10 });
  const policy = (await parts.createPolicy(300)) as JointPolicy<Float32Array>;
  const spread = async (epsilon: number): Promise<readonly [number, number]> => {
    await policy.choose({ epsilon, rng: createRng("explore") });
    const mean = policy.actions.reduce((sum, a) => sum + a, 0) / 600;
    return [mean, Math.sqrt(policy.actions.reduce((sum, a) => sum + (a - mean) ** 2, 0) / 600)];
  };
  const [mean, deviation] = await spread(1e-4);
  // A uniform number in ±1 has deviation 0.577.
  expect(Math.abs(mean)).toBeLessThan(0.08);
  expect(deviation).toBeCloseTo(1 / Math.sqrt(3), 1);
  // Observations are 0, and so is the actor; its noise has deviation 0.3.
  expect((await spread(0))[1]).toBeCloseTo(0.3, 1);
  await policy.choose();
  expect(new Set(policy.actions)).toEqual(new Set([0]));
  await policy.dispose();
  await parts.dispose();
});

test.each([
  ["facmac", {}],
  ["qdcg", {}],
] as const)("exported files play what the team plays: %s", async (method, settings) => {
  const engine = await loadEngine();
  const parts = await partsOf(method, settings);
  const policy = await parts.createPolicy(1);
  policy.observations.set([0.3, -0.7]);
  await policy.choose();
  const expected = [...policy.actions];
  expect(Math.abs(expected[0] - expected[1])).toBeGreaterThan(0.01);
  const run = async (file: Uint8Array, read: string, written: string, values: number[], shape: number[]) => {
    const session = await engine.load(file);
    const out = new Float32Array(values.length);
    await session.run(
      { [read]: session.tensor("float32", shape, Float32Array.from(values)) },
      { [written]: session.tensor("float32", [1, values.length], out) },
    );
    await session.dispose();
    return [...out];
  };
  expect(await run(parts.exportPolicy(), "observations", "actions", [0.3, -0.7], [1, 2, 1])).toEqual(
    expected,
  );
  const files = parts.exportPolicies!();
  expect([
    ...(await run(files["agent-0"], "observation", "action", [policy.observations[0]], [1, 1])),
    ...(await run(files["agent-1"], "observation", "action", [policy.observations[1]], [1, 1])),
  ]).toEqual(expected);
  await policy.dispose();
  await parts.dispose();
});

test("a run whose critic is not finite diverges", async () => {
  const learner = await create("maddpg", approachGame(), { rewardScale: 1e30 });
  const error: unknown = await iterate(learner, 3).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(DivergenceError);
  expect((error as DivergenceError).quantity).toBe("critic-loss of agent 0");
  await learner.dispose();
});
