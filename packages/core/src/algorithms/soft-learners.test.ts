/** FOP and MACPF as whole learners: what they solve, who reads what, how they explore, and that they go on from snapshots. */
import { describe, expect, test } from "vitest";
import { configureEnv, type EnvFactory, environments, vectorise } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createSegments, segmentShape } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import type { Algorithm, Learner, Metrics } from "../training/algorithm.ts";
import type { JointPolicy } from "../training/joint-policy.ts";
import type { OffPolicyParts } from "../training/off-policy.ts";
import { expectToResume } from "../training/testing/resumed-learners.ts";
import { recallGame, twoStepGame, unevenGame } from "../training/testing/small-games.ts";
import { fop, fopParts } from "./fop.ts";
import { macpf, macpfParts } from "./macpf.ts";

const methods = { fop, macpf } as const;
type Method = keyof typeof methods;
const each = Object.keys(methods) as Method[];

const topk = (config: Readonly<Record<string, unknown>>): EnvFactory =>
  configureEnv(environments.topk, config).factory;

function create(
  method: Method,
  env: EnvFactory,
  settings: object,
  seed: number,
  totalSteps = 1000,
): Promise<Learner> {
  const algorithm: Algorithm<never> = methods[method] as never;
  const config = algorithm.config.parse(settings);
  return algorithm.create({ env, config, totalSteps, rng: createRng(seed) });
}

describe("a team learns", () => {
  /** What the tested policy earns after `steps` steps with the fast preset and these settings. */
  async function learned(method: Method, env: EnvFactory, settings: object, steps: number): Promise<Metrics> {
    const { config } = methods[method].presets!.fast;
    const learner = await create(method, env, { ...config, hidden: 32, ...settings }, 1, steps);
    for (let taken = 0; taken < steps; taken += learner.stepsPerIteration) await learner.iterate();
    const metrics = await learner.evaluate(400, createRng(0));
    await learner.dispose();
    return metrics;
  }

  const payoff = [
    [1, 2, 0],
    [3, 4, 2],
    [0, 1, -1],
  ];

  test.each(each)("the best joint action of a matrix: %s", async (method) => {
    const additive = configureEnv(environments["matrix-game"], { payoff }).factory;
    expect(await learned(method, additive, {}, 8000)).toMatchObject({ "eval/return": 4 });
    // The optimum is next to the worst; the independent runner-up, 2, is not.
    const coordinate = configureEnv(environments["matrix-game"]).factory;
    expect(await learned(method, coordinate, {}, 8000)).toMatchObject({ "eval/return": 3 });
  });

  test.each(each)("who of two should act as well as that can be known alone: %s", async (method) => {
    const { "eval/success": success } = await learned(method, topk({ agents: 2, k: 1 }), {}, 8000);
    // The best that independent agents reach is 1/2, four standard errors of which are .1; guessing reaches 1/4.
    expect(Math.abs(success - 0.5)).toBeLessThan(0.1);
  });

  test.each(each)("what has to be remembered: %s", async (method) => {
    const settings = {
      recurrent: true,
      lastAction: true,
      environments: 16,
      batchSize: 32,
      targetInterval: 50,
      replayCapacity: 1000,
      ...(method === "macpf" ? { epsilonSteps: 4000 } : {}),
    };
    expect(await learned(method, recallGame, settings, 10_000)).toMatchObject({ "eval/return": 2 });
  });

  test("where a first action leads, which a monotonic mixture of values does not tell: FOP", async () => {
    const settings = { environments: 8, targetInterval: 50 };
    expect(await learned("fop", twoStepGame, settings, 12_000)).toMatchObject({ "eval/return": 8 });
  });
});

describe("what agents read when they act", () => {
  /** The policy of three agents with two actions each whose parameters are drawn wide, so that what they do shows. */
  async function policies(method: Method, size: number) {
    const batch = vectorise(topk({ agents: 3, k: 1 }), 1, createRng(0));
    const shape = segmentShape(batch, "transition");
    const plan = { segments: createSegments(shape, 1), shape, batch };
    const config = { recurrent: false, lastAction: false, hidden: 16 };
    const parts: OffPolicyParts =
      method === "fop"
        ? await fopParts(plan, fop.config.parse(config), createRng(0))
        : await macpfParts(plan, macpf.config.parse(config), createRng(0));
    const [{ vector, layout }] = parts.parameters;
    createRng(1).fillNormal(vector.values as Float32Array);
    const scale = (name: string, factor: number): void => {
      const index = layout.parameters.findIndex((parameter) => parameter.name === name);
      const end = layout.offsets[index + 1] ?? layout.size;
      for (let k = layout.offsets[index]; k < end; k++) (vector.values as Float32Array)[k] *= factor;
    };
    return { policy: (await parts.createPolicy(size)) as JointPolicy, scale };
  }

  /** Which agents' actions change anywhere when agent `of` observes something else, the noise being the same. */
  async function changes(policy: JointPolicy, of: number, explores: boolean): Promise<boolean[]> {
    const size = policy.actions.length / 3;
    const choose = () => policy.choose(explores ? { epsilon: 0.1, rng: createRng(3) } : undefined);
    createRng(2).fillNormal(policy.observations);
    await choose();
    const before = policy.actions.slice();
    for (let b = 0; b < size; b++) policy.observations[b * 3 + of] *= -1;
    await choose();
    return [0, 1, 2].map((i) => before.some((action, k) => k % 3 === i && policy.actions[k] !== action));
  }

  test.each(each)("%s is tested on independent policies", async (method) => {
    const { policy } = await policies(method, 500);
    for (const agent of [0, 1, 2]) {
      expect(await changes(policy, agent, false)).toEqual([0, 1, 2].map((i) => i === agent));
    }
    await policy.dispose();
  });

  test("FOP's explore independently too, MACPF's follow those before them", async () => {
    for (const method of each) {
      const { policy, scale } = await policies(method, 500);
      if (method === "macpf") {
        scale("actor/dependency/head/w", 0.05);
        scale("actor/dependency/embed/w", 20);
      }
      for (const agent of [0, 1, 2]) {
        const expected = [0, 1, 2].map((i) => (method === "fop" ? i === agent : i >= agent));
        expect(await changes(policy, agent, true), `${method}: ${agent}`).toEqual(expected);
      }
      await policy.dispose();
    }
  });

  /** Share of the actions that are not the one the policy is sure of. */
  async function strays(method: Method, epsilon: number): Promise<number> {
    const { policy, scale } = await policies(method, 8000);
    scale("actor/head/b", 1e6);
    await policy.choose();
    const sure = policy.actions.slice();
    expect(new Set(sure).size).toBe(1);
    await policy.choose({ epsilon, rng: createRng(4) });
    const count = policy.actions.filter((action, k) => action !== sure[k]).length;
    await policy.dispose();
    return count / sure.length;
  }

  test("MACPF mixes with uniform actions twice, FOP not at all", async () => {
    // 24 000 actions: half of 1 - (1 - epsilon)^2, within four standard errors.
    expect(Math.abs((await strays("macpf", 0.5)) - 0.375)).toBeLessThan(0.0125);
    expect(await strays("macpf", 0)).toBe(0);
    expect(await strays("fop", 1)).toBe(0);
  });

  test("FOP draws from its softmax", async () => {
    const { policy, scale } = await policies("fop", 8000);
    scale("actor/head/b", 0);
    scale("actor/head/w", 0);
    await policy.choose({ epsilon: 0, rng: createRng(4) });
    const share = policy.actions.reduce((sum, action) => sum + action, 0) / policy.actions.length;
    expect(Math.abs(share - 0.5)).toBeLessThan(0.013);
    await policy.choose();
    expect(new Set(policy.actions)).toEqual(new Set([0]));
    await policy.dispose();
  });
});

describe("a learner restored from a snapshot goes on bit for bit", () => {
  const small = {
    hidden: 8,
    environments: 3,
    cycles: 3,
    batchSize: 4,
    learningStarts: 4,
    replayCapacity: 10,
    targetInterval: 5,
  };
  // Rollouts of five steps leave copies in the middle of an episode, and the replay overflows.
  const uneven = { rolloutSteps: 5 };
  const plain = { recurrent: false, lastAction: false };
  const games = { topk: topk({ agents: 3, k: 1 }), uneven: unevenGame };
  test.each([
    ["fop", "uneven", { ...uneven, temperatureSteps: 60 }],
    ["fop", "uneven", { ...uneven, lastAction: false, unit: "observation", codeEntropyTerm: true }],
    ["fop", "topk", { ...plain, optimiser: "adam" }],
    ["macpf", "uneven", { ...uneven, epsilonSteps: 60 }],
    ["macpf", "uneven", { ...uneven, ...plain, optimiser: "adam", targetRate: 0.1 }],
    ["macpf", "topk", plain],
  ] as const)("%s on %s, %o", async (method, game, settings) => {
    const make = (seed: number) => create(method, games[game], { ...small, ...settings }, seed);
    const metrics = await expectToResume(make, 3, 5);
    expect(metrics.at(-1)!["train/updates"]).toBe(3);
  });
});

describe("settings", () => {
  test("FOP cuts the state into agents' parts where it can, and says so", async () => {
    const unitOf = async (env: EnvFactory, settings: object) => {
      const learner = await create("fop", env, { hidden: 4, ...settings }, 1);
      await learner.dispose();
      return learner.facts.unit;
    };
    const one = configureEnv(environments["matrix-game"]).factory;
    expect(await unitOf(unevenGame, {})).toBe("state");
    expect(await unitOf(unevenGame, { unit: "observation" })).toBe("observation");
    expect(await unitOf(one, {})).toBe("observation");
    await expect(unitOf(one, { unit: "state" })).rejects.toThrow(
      new InputError(
        "fop.unit: a state of 1 numbers cannot be cut into 2 equal parts, got state, expected observation or auto",
      ),
    );
  });

  test.each(each)("%s refuses the published entropy term where nothing follows", async (method) => {
    const settings = { recurrent: false, lastAction: false, codeEntropyTerm: true };
    await expect(create(method, topk({}), settings, 1)).rejects.toThrow(
      new InputError(
        `${method}.codeEntropyTerm: got true for a game of one step, which has no next moment; expected false`,
      ),
    );
  });

  test("FOP, which draws its actions, has none for random ones", () => {
    expect(() => fop.config.parse({ epsilonEnd: 0.1 })).toThrow(/epsilonEnd/);
    expect(fop.config.parse({})).not.toHaveProperty("epsilonStart");
  });

  test("defaults are those of the published code, presets are settings", () => {
    const common = {
      optimiser: "rmsprop",
      learningRate: 5e-4,
      maxGradientNorm: 10,
      replayCapacity: 5000,
      batchSize: 32,
      learningStarts: 100,
      targetInterval: 200,
      traceDecay: 0.8,
      discount: 0.99,
      recurrent: true,
      lastAction: true,
      agentId: true,
      hidden: 64,
      hypernetHidden: 64,
      codeEntropyTerm: false,
    };
    expect(fop.config.parse({})).toMatchObject({
      ...common,
      heads: 4,
      embedding: 32,
      scorePenalty: 0.001,
      temperatureStart: 0.5,
      temperatureEnd: 0.05,
      temperatureSteps: 90_000,
    });
    expect(macpf.config.parse({})).toMatchObject({
      ...common,
      embedding: 64,
      dependencyEmbedding: 64,
      temperatureStart: 0.001,
      temperatureEnd: 0.001,
      epsilonStart: 1,
      epsilonEnd: 0.05,
      epsilonSteps: 50_000,
    });
    for (const algorithm of [fop, macpf]) {
      for (const { config } of Object.values(algorithm.presets!)) algorithm.config.parse(config);
    }
  });
});
