/** DCG, both forms of DICG, and AGP by policy gradient as whole learners: what they solve, what agents read, and that they go on from snapshots. */
import { describe, expect, test } from "vitest";
import { configureEnv, type EnvFactory, environments, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createSegments, segmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import { loadEngine } from "../tensor/index.ts";
import type { Algorithm, Learner, Metrics } from "../training/algorithm.ts";
import { sampleInputs } from "../training/on-policy.ts";
import { expectToResume, iterate } from "../training/testing/resumed-learners.ts";
import { recallGame, twoStepGame, unevenGame } from "../training/testing/small-games.ts";
import { agpPg, agpPgParts } from "./agp-pg.ts";
import { dcg, dcgParts } from "./dcg.ts";
import { dicg, dicgParts } from "./dicg.ts";
import { dicgValue } from "./dicg-value.ts";

const methods = { "agp-pg": agpPg, dcg, dicg, "dicg-value": dicgValue };
const topk = (config: object): EnvFactory => configureEnv(environments.topk, { ...config }).factory;
/** Two agents, of which the one with the larger signal should act: half of the time without communication. */
const larger = topk({ agents: 2, k: 1 });

function create(method: keyof typeof methods, env: EnvFactory, settings: object, seed = 1): Promise<Learner> {
  const algorithm: Algorithm<never> = methods[method] as never;
  return algorithm.create({
    env,
    config: algorithm.config.parse(settings),
    totalSteps: 1e6,
    rng: createRng(seed),
  });
}

describe("a team learns", () => {
  const preset = (method: keyof typeof methods) => methods[method].presets!.fast.config;
  const short = { epsilonSteps: 4000, environments: 16, batchSize: 32 };
  const quick = { ...short, hidden: 32 };
  const implicit = { width: 16, encoderWidth: 32, headWidths: [32] };
  const actionGraph = { width: 16, heads: 2, layers: 1, criticWidths: [16] };

  async function trained(
    method: keyof typeof methods,
    env: EnvFactory,
    settings: object,
    iterations: number,
  ): Promise<Metrics> {
    const learner = await create(method, env, { ...preset(method), ...settings });
    await iterate(learner, iterations);
    const found = await learner.evaluate(512, createRng(0));
    await learner.dispose();
    return found;
  }

  test.each([
    ["dcg", quick, 40],
    ["dcg", { ...quick, recurrent: true, payoffHidden: [16], rank: 1, duelling: true }, 40],
    ["dicg-value", { ...short, ...implicit }, 60],
    ["dicg", { ...implicit, criticWidths: [16], environments: 128 }, 20],
    ["agp-pg", { ...actionGraph, environments: 512, learningRate: 2e-3 }, 16],
  ] as const)("who of two should act: %s, %o", async (method, settings, iterations) => {
    const { "eval/success": success } = await trained(method, larger, settings, iterations);
    expect(success).toBeGreaterThan(0.8);
  });

  test.each([
    ["dicg", { ...implicit, criticWidths: [16], environments: 128, execution: "decentralised" }],
    ["agp-pg", { ...actionGraph, environments: 128, crossAgent: false }],
  ] as const)("no more than half of that without communication: %s, %o", async (method, settings) => {
    const { "eval/success": success } = await trained(method, larger, settings, 20);
    expect(success).toBeLessThan(0.6);
    expect(success).toBeGreaterThan(0.35);
  });

  test("what a sum of utilities misses: DCG on a matrix game", async () => {
    const env = configureEnv(environments["matrix-game"], {}).factory;
    expect(await trained("dcg", env, { ...quick, epsilonSteps: 2000 }, 20)).toMatchObject({
      "eval/return": 3,
    });
  });

  test("over two steps", async () => {
    const settings = { ...quick, cycles: 10, epsilonSteps: 6000, targetInterval: 50 };
    expect(await trained("dcg", twoStepGame, settings, 40)).toMatchObject({ "eval/return": 8 });
    const policyGradient = { ...implicit, agentId: true, environments: 64, entropyCoefficient: 0.05 };
    expect((await trained("dicg", twoStepGame, policyGradient, 25))["eval/return"]).toBeGreaterThanOrEqual(7);
    const steeper = { ...actionGraph, agentId: true, environments: 64, learningRate: 2e-3 };
    expect((await trained("agp-pg", twoStepGame, steeper, 25))["eval/return"]).toBeGreaterThanOrEqual(7);
  });

  test("what has to be remembered", async () => {
    const settings = { ...quick, recurrent: true, learningRate: 2e-3, targetInterval: 100 };
    expect((await trained("dcg", recallGame, settings, 60))["eval/success"]).toBe(1);
  });
});

describe("what agents act on", () => {
  const env = topk({ agents: 4, k: 2 });
  const shape = segmentShape(vectorise(env, 1, createRng(0)), "transition");
  const before = [0.3, 0.6, 0.1, 0.9];
  const after = [0.3, 0.2, 0.8, 0.4];

  test.each(["centralised", "decentralised"] as const)("DICG with %s execution", async (execution) => {
    const plan = { samples: sampleInputs(shape, 1), shape, spec: env().spec };
    const parts = await dicgParts(plan, dicg.config.parse({ execution, agentId: true }), createRng(1));
    const policy = await parts.policy.create(1);
    const logProbability = async (signals: readonly number[]) => {
      policy.observations.set(signals);
      await policy.choose();
      return policy.logProbabilities[0];
    };
    expect((await logProbability(before)) === (await logProbability(after))).toBe(
      execution === "decentralised",
    );
    expect(parts.facts.communication).toMatch(execution === "decentralised" ? /^none/ : /observations/);
    await policy.dispose();
    await parts.dispose();
  });

  test.each([
    [{}, true],
    [{ graph: "none" }, false],
    [{ crossAgent: false }, false],
    [{ neighbourhood: "sameAction" }, true],
  ])("AGP by policy gradient: %o", async (settings, communicates) => {
    const plan = { samples: sampleInputs(shape, 1), shape, spec: env().spec };
    const parts = await agpPgParts(plan, agpPg.config.parse(settings), { env, rng: createRng(1) });
    const policy = await parts.policy.create(1);
    const logProbability = async (signals: readonly number[]) => {
      policy.observations.set(signals);
      await policy.choose();
      return policy.logProbabilities[0];
    };
    expect((await logProbability(before)) === (await logProbability(after))).toBe(!communicates);
    expect(parts.facts.communication).toMatch(communicates ? /observations/ : /^none/);
    await policy.dispose();
    await parts.dispose();
  });

  test("AGP by policy gradient shows whom actions attend to", async () => {
    const learner = await create("agp-pg", env, {});
    const { labels, layers } = await learner.attention!(64, createRng(0));
    expect(labels.slice(0, 3)).toEqual(["agent 0: act 0", "agent 0: act 1", "agent 1: act 0"]);
    expect(layers.map(({ heads }) => heads.length)).toEqual([4, 4]);
    const none = await create("agp-pg", env, { graph: "none" });
    expect(none.attention).toBeUndefined();
    for (const each of [learner, none]) await each.dispose();
  });

  test.each([true, false])("DICG as a value method: executionGraph=%s", async (executionGraph) => {
    const learner = await create("dicg-value", env, { executionGraph });
    const session = await (await loadEngine()).load(learner.exportPolicy());
    const utilities = async (signals: readonly number[]) => {
      const [actions, out] = [new Int32Array(4), new Float32Array(8)];
      await session.run(
        { observations: session.tensor("float32", [1, 4, 1], Float32Array.from(signals)) },
        {
          actions: session.tensor("int32", [1, 4], actions),
          utilities: session.tensor("float32", [1, 4, 2], out),
        },
      );
      return out.slice(0, 2);
    };
    const [one, other] = [await utilities(before), await utilities(after)];
    expect(one[0] === other[0] && one[1] === other[1]).toBe(!executionGraph);
    expect(learner.facts.communication).toMatch(executionGraph ? /observations/ : /^none/);
    await session.dispose();
    await learner.dispose();
  });

  test("DCG says who tells whom what", async () => {
    const connected = await create("dcg", env, { edges: "cycle" });
    expect(connected.facts).toMatchObject({
      edges: "0-1,0-3,1-2,2-3",
      communication: /both ends of an edge/,
    });
    const alone = await create("dcg", env, { edges: "vdn" });
    expect(alone.facts).toMatchObject({ edges: "", communication: /^none/ });
    for (const each of [connected, alone]) await each.dispose();
  });
});

describe("DCG acts by maximising its graph", () => {
  const env = topk({ agents: 5, k: 2 });
  const batch = vectorise(env, 1, createRng(0));
  const shape = segmentShape(batch, "transition");
  const size = 64;

  /** Joint actions of a network with drawn parameters at drawn signals, greedily and while exploring with epsilon 0. */
  async function chosen(settings: object) {
    const config = dcg.config.parse({ lastAction: false, hidden: 8, ...settings });
    const plan = { segments: createSegments(shape, 1), shape, batch };
    const parts = await dcgParts(plan, config, createRng(3));
    createRng(8).fillNormal(parts.parameters[0].vector.values as Float32Array);
    const policy = await parts.createPolicy(size);
    createRng(5).fillNormal(policy.observations);
    const choose = async (exploration?: Parameters<typeof policy.choose>[0]) => {
      for (const memory of Object.values(policy.memory)) memory.fill(0);
      await policy.choose(exploration);
      return [...policy.actions];
    };
    const found = [await choose(), await choose({ epsilon: 0, rng: createRng(0) })];
    await policy.dispose();
    await parts.dispose();
    return found;
  }

  test.each(["line", "star", "edges:3-1,1-4,4-0,2-4"])("max-plus is exact on a tree: %s", async (edges) => {
    const [greedy, exploring] = await chosen({ edges });
    expect(new Set(greedy).size).toBe(2);
    expect(exploring).toEqual(greedy);
    expect(await chosen({ edges, maximisation: "exact" })).toEqual([greedy, greedy]);
  });

  test("on a graph with cycles it is not, and evaluations can be exact alone", async () => {
    const [approximate] = await chosen({});
    const [exact] = await chosen({ maximisation: "exact" });
    expect(approximate).not.toEqual(exact);
    expect(await chosen({ evaluationMaximisation: "exact" })).toEqual([exact, approximate]);
    expect(await chosen({ iterations: 0 })).not.toEqual([approximate, approximate]);
  });

  test.each([
    [
      "foo",
      env,
      'unknown coordination graph "foo": expected one of full, line, cycle, star, vdn, random(4), edges:0-1,1-2.',
    ],
    ["edges:0-1,0-5", env, 'coordination graph "edges:0-1,0-5": edge 0-5: no agent 5, expected 0..4'],
    [
      "star",
      configureEnv(environments["matrix-game"], { payoff: [0, 1], actions: [2] }).factory,
      'coordination graph "star": got 1 agent, expected at least 2; use "vdn"',
    ],
  ])("edges that do not exist are refused: %s", async (edges, game, message) => {
    await expect(create("dcg", game, { edges })).rejects.toThrow(new InputError(message));
  });

  test("joint actions too many to go through are refused", async () => {
    await expect(create("dcg", topk({ agents: 21 }), { evaluationMaximisation: "exact" })).rejects.toThrow(
      InputError,
    );
  });

  test("random edges are those of the seed", async () => {
    const edgesOf = async (seed: number) => {
      const learner = await create("dcg", env, { edges: "random(4)" }, seed);
      await learner.dispose();
      return learner.facts.edges;
    };
    expect(await edgesOf(1)).toBe(await edgesOf(1));
    expect(await edgesOf(1)).not.toBe(await edgesOf(2));
  });
});

describe("a learner restored from a snapshot goes on bit for bit", () => {
  // Rollouts of five steps leave copies in the middle of an episode, and the replay overflows.
  const replayed = {
    environments: 3,
    cycles: 3,
    batchSize: 4,
    replayCapacity: 10,
    targetInterval: 5,
    rolloutSteps: 5,
  };
  const implicit = { width: 8, encoderWidth: 8, headWidths: [8] };

  test.each([
    ["dcg", { ...replayed, hidden: 8 }],
    [
      "dcg",
      { ...replayed, hidden: 8, recurrent: false, lastAction: false, edges: "random(1)", duelling: true },
    ],
    ["dicg-value", { ...replayed, ...implicit, optimiser: "adam" }],
    ["dicg", { ...implicit, environments: 3, rolloutSteps: 5 }],
    [
      "dicg",
      { ...implicit, environments: 3, rolloutSteps: 5, execution: "decentralised", standardise: "batch" },
    ],
    [
      "agp-pg",
      { width: 8, heads: 2, environments: 3, rolloutSteps: 5, minibatches: 3, finalLearningRate: 1e-5 },
    ],
  ] as const)("%s, %o", async (method, settings) => {
    await expectToResume((seed) => create(method, unevenGame, settings, seed), 2, 4);
  });

  test("a snapshot of other networks is refused", async () => {
    const learner = await create("dicg", unevenGame, implicit);
    const wider = await create("dicg", unevenGame, { ...implicit, width: 9 });
    expect(() => learner.restore(wider.snapshot())).toThrow(InputError);
    for (const each of [learner, wider]) await each.dispose();
  });
});

test("presets are settings of their methods", () => {
  for (const { config, presets } of [agpPg, dcg, dicg, dicgValue]) {
    expect(Object.keys(presets!)).toContain("fast");
    for (const preset of Object.values(presets!)) config.parse(preset.config);
  }
});
