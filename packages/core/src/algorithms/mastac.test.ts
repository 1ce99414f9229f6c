/** MAStAC: who moves whom, small cases by hand, and whole learners. */
import { describe, expect, test } from "vitest";
import {
  configureEnv,
  defineEnv,
  type EnvFactory,
  type EnvSpec,
  environments,
  parseConfig,
} from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createSegments } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import { type CouplingEdge, type CouplingGraphs, couplingGraphs } from "../structure/index.ts";
import { allocate, loadEngine, namedArrays } from "../tensor/index.ts";
import { DivergenceError, type Learner } from "../training/algorithm.ts";
import { criticScopes } from "../training/dependency-scopes.ts";
import { approachGame } from "../training/testing/approach-game.ts";
import { expectToResume, iterate } from "../training/testing/resumed-learners.ts";
import { unevenGame } from "../training/testing/small-games.ts";
import { type MastacConfig, mastac, mastacTeam, mastacUpdate } from "./mastac.ts";

const engine = await loadEngine();
const settled = (settings: Readonly<Record<string, unknown>>): MastacConfig =>
  parseConfig("mastac", mastac.config, settings);

// ── One update ────────────────────────────────────────────────────────────────────────────────────────────────────

const size = 5;

/** Agents with one number of state, which they observe, and one action in ±1; drawn parameters and transitions. */
function drawn(graphs: CouplingGraphs, settings: Readonly<Record<string, unknown>>) {
  const { agents } = graphs;
  const each = new Array<number>(agents).fill(1);
  const spec: EnvSpec = {
    id: "drawn",
    version: 1,
    agents,
    observationSize: 1,
    stateSize: agents,
    stateSizes: each,
    actions: each.map(() => ({ kind: "box", size: 1, low: -1, high: 1 })),
    horizon: 2,
    rewards: "individual",
    sharedObservation: false,
  };
  const shape = {
    steps: 1,
    moments: 2,
    agents,
    observationSize: 1,
    stateSize: agents,
    actions: 0,
    controls: agents,
    individualRewards: true,
    masked: false,
  };
  const segments = createSegments(shape, size);
  for (const name of ["observations", "states", "controls", "individualRewards"] as const) {
    createRng(name).fillNormal(segments[name]!);
  }
  segments.controls!.forEach((value, k) => {
    segments.controls![k] = Math.tanh(value);
  });
  segments.mask.fill(1);
  const config = settled({ actorHidden: [], optimiserEpsilon: 0.01, ...settings });
  const team = mastacTeam(spec, graphs, config, createRng(0));
  const learnables = team.turns.flatMap(({ actor, critic }) => [actor, critic]);
  for (const { vector, target } of learnables) {
    for (const { name, values } of [vector, target]) createRng(name).fillNormal(values as Float32Array);
  }
  /** Parameters by name, of the networks or of their targets. */
  const read = (of: "vector" | "target" = "vector"): Record<string, Float32Array> =>
    Object.assign(
      {},
      ...learnables.map((learnable) =>
        Object.fromEntries(
          Object.entries(namedArrays(learnable[of].values as Float32Array, learnable.named.layout)).map(
            ([name, { data }]) => [name, data],
          ),
        ),
      ),
    );
  /** Overwrites the parameters of one network. */
  const overwrite = (network: string, of: "vector" | "target" = "vector"): void => {
    for (const learnable of learnables) {
      const { parameters, offsets } = learnable.named.layout;
      for (const [k, { name, shape }] of parameters.entries()) {
        if (!name.startsWith(`${network}/`)) continue;
        const count = shape.reduce((product, extent) => product * extent, 1);
        (learnable[of].values as Float32Array).fill(0.37, offsets[k], offsets[k] + count);
      }
    }
  };
  return {
    config,
    segments,
    read,
    overwrite,
    async update() {
      const program = await mastacUpdate(engine, team, segments, config);
      await program.run();
      await program.dispose();
      return program.results as Record<string, Float32Array>;
    },
  };
}

/** Number `k` of agent i at one moment in one sample. */
const at = (values: Float32Array, agents: number, moment: number, b: number, i: number): number =>
  values[(moment * size + b) * agents + i];

const average = (of: (b: number) => number): number =>
  Array.from({ length: size }, (_, b) => of(b)).reduce((total, value) => total + value) / size;

describe("with linear critics", () => {
  const graphs = couplingGraphs(2, { state: [[0, 1]] });

  test("targets are of the next states, observations and target actors, discounted", async () => {
    const made = drawn(graphs, { criticHidden: [], discount: 0.7, rewardScale: 0.5 });
    const { observations, states, controls, individualRewards, terminated } = made.segments;
    terminated[3] = 1;
    const [now, target] = [made.read(), made.read("target")];
    const { "critic-loss": losses } = await made.update();
    const told = [[0], [0, 1]];
    for (const [i, own] of told.entries()) {
      const value = (
        parameters: Record<string, Float32Array>,
        moment: number,
        b: number,
        action: (k: number) => number,
      ): number => {
        const inputs = [...own.map((k) => at(states, 2, moment, b, k)), ...own.map(action)];
        const weights = parameters[`critic/${i}/0/w`];
        return inputs.reduce((sum, x, k) => sum + x * weights[k], parameters[`critic/${i}/0/b`][0]);
      };
      const act = (b: number, k: number): number =>
        Math.tanh(target[`actor/${k}/0/w`][0] * at(observations, 2, 1, b, k) + target[`actor/${k}/0/b`][0]);
      const loss = average((b) => {
        const following = b === 3 ? 0 : value(target, 1, b, (k) => act(b, k));
        const wanted = 0.5 * at(individualRewards!, 2, 0, b, i) + 0.7 * following;
        return (wanted - value(now, 0, b, (k) => at(controls!, 2, 0, b, k))) ** 2;
      });
      expect(losses[i]).toBeCloseTo(loss, 4);
    }
    expect(losses[1]).not.toBeCloseTo(losses[0], 2);
  });

  test.each(["own", "all"] as const)(
    "where everybody matters to everybody, actors climb the sum of all critics as MADDPG's would, %s actions",
    async (replace) => {
      const everybody = [0, 1, 2].flatMap((i) => [0, 1, 2].map((j): CouplingEdge => [j, i]));
      const made = drawn(couplingGraphs(3, { reward: everybody }), { criticHidden: [], replace });
      const { observations } = made.segments;
      const before = made.read();
      const { "actor-gradient-norm": norms } = await made.update();
      const after = made.read();
      for (const i of [0, 1, 2]) {
        const [[w], [b]] = [before[`actor/${i}/0/w`], before[`actor/${i}/0/b`]];
        // dQ/da_i, summed over critics: the weight of action i, which is behind three states in each.
        const slope = [0, 1, 2].reduce((sum, j) => sum + before[`critic/${j}/0/w`][3 + i], 0);
        const bend = (k: number): number => 1 - Math.tanh(w * at(observations, 3, 0, k, i) + b) ** 2;
        const gradient = {
          w: -slope * average((k) => bend(k) * at(observations, 3, 0, k, i)),
          b: -slope * average(bend),
        };
        expect(norms[i]).toBeCloseTo(Math.hypot(gradient.w, gradient.b), 4);
        for (const kind of ["w", "b"] as const) {
          // Adam's first step.
          const step = gradient[kind] / (Math.abs(gradient[kind]) + 0.01);
          const name = `actor/${i}/0/${kind}`;
          expect(after[name][0] - before[name][0]).toBeCloseTo(-made.config.actorLearningRate * step, 6);
        }
      }
    },
  );
});

describe("what is outside of a set", () => {
  // 0 and 1 move each other and 1 moves 2; 3 is alone. I_Q: {0, 1}, {0, 1}, {0, 1, 2}, {3}.
  const graphs = couplingGraphs(4, {
    state: [
      [0, 1],
      [1, 0],
      [1, 2],
    ],
  });
  const told = [[0, 1], [0, 1], [0, 1, 2], [3]];

  test("is known from the couplings", () => {
    expect(criticScopes(graphs, settled({}))).toEqual(
      told.map((own, agent) => ({ told: own, rewarded: [agent], guided: own })),
    );
    const everybody = [0, 1, 2, 3];
    expect(criticScopes(graphs, settled({ critics: "undecomposed" }))).toEqual(
      told.map((own, agent) => ({ told: everybody, rewarded: [agent], guided: own })),
    );
    expect(
      criticScopes(graphs, settled({ critics: "undecomposed", gradientDependency: "full" })).map(
        ({ guided }) => guided,
      ),
    ).toEqual([everybody, everybody, everybody, everybody]);
    // Agent 0 matters to 0, 1 and 2, agent 2 to itself.
    expect(criticScopes(graphs, settled({ critics: "undecomposed-sum" }))).toEqual(
      [[0, 1, 2], [0, 1, 2], [2], [3]].map((rewarded, agent) => ({
        told: everybody,
        rewarded,
        guided: [agent],
      })),
    );
    expect(
      criticScopes(graphs, settled({ dependency: "kappa", kappa: 0 })).map((scope) => scope.told),
    ).toEqual([[0], [1], [2], [3]]);
    expect(
      criticScopes(graphs, settled({ dependency: "kappa", kappa: 1 })).map((scope) => scope.told),
    ).toEqual([[0, 1], [0, 1], [1, 2], [3]]);
  });

  test.each([
    ["decomposed", "own"],
    ["decomposed", "all"],
    ["undecomposed", "own"],
    ["undecomposed", "all"],
    ["undecomposed-sum", "own"],
    ["undecomposed-sum", "all"],
  ] as const)("moves nothing, to the last bit: %s critics, %s actions", async (critics, replace) => {
    const settings = { criticHidden: [4, 3], critics, replace };
    const plain = drawn(graphs, settings);
    await plain.update();
    const expected = plain.read();
    for (const outside of [0, 1, 2, 3]) {
      const changed = drawn(graphs, settings);
      changed.overwrite(`critic/${outside}`);
      await changed.update();
      const found = changed.read();
      for (const i of [0, 1, 2, 3]) {
        const climbs = critics === "undecomposed-sum" ? i === outside : told[outside].includes(i);
        expect(sameBits(found, expected, `actor/${i}/`), `actor ${i}, critic ${outside}`).toBe(!climbs);
        expect(sameBits(found, expected, `critic/${i}/`), `critic ${i}, critic ${outside}`).toBe(
          i !== outside,
        );
      }
    }
  });

  test("is of no consequence to a critic: states, actions, rewards and actors", async () => {
    const settings = { criticHidden: [4, 3], replace: "own" };
    const plain = drawn(graphs, settings);
    await plain.update();
    const expected = plain.read();
    for (const outside of [0, 1, 2, 3]) {
      const changed = drawn(graphs, settings);
      const { observations, states, controls, individualRewards } = changed.segments;
      for (const values of [observations, states, controls!, individualRewards!]) {
        for (let k = outside; k < values.length; k += 4) values[k] = 0.123;
      }
      changed.overwrite(`actor/${outside}`, "target");
      await changed.update();
      const found = changed.read();
      for (const i of [0, 1, 2, 3]) {
        expect(sameBits(found, expected, `critic/${i}/`), `critic ${i} of ${outside}`).toBe(
          !told[i].includes(outside),
        );
      }
    }
  });
});

const sameBits = (
  found: Readonly<Record<string, Float32Array>>,
  expected: Readonly<Record<string, Float32Array>>,
  prefix: string,
): boolean =>
  Object.keys(expected)
    .filter((name) => name.startsWith(prefix))
    .every((name) => Buffer.from(found[name].buffer).equals(Buffer.from(expected[name].buffer)));

// ── Learners ──────────────────────────────────────────────────────────────────────────────────────────────────────

const zones = configureEnv(environments.temperature, { agents: 5, horizon: 6 }).factory;
const nine = configureEnv(environments.warehouse, {}).factory;
const small = {
  actorHidden: [4],
  criticHidden: [6, 5],
  batchSize: 8,
  replayCapacity: 30,
  cycles: 3,
  updates: 2,
};

const create = (env: EnvFactory, settings: Readonly<Record<string, unknown>>, seed = 1): Promise<Learner> =>
  mastac.create({ env, config: settled({ ...small, ...settings }), totalSteps: 1000, rng: createRng(seed) });

test("four zones learn to do better than to hold their temperature", async () => {
  const env = configureEnv(environments.temperature, { agents: 4 }).factory;
  const preset = mastac.presets!.temperature.config;
  const learner = await create(env, {
    ...preset,
    criticHidden: [32, 32],
    batchSize: 128,
    replayCapacity: 10_000,
  });
  await iterate(learner, 30);
  const metrics = await learner.evaluate(20, createRng("evaluate"));
  expect(metrics["eval/return-per-agent"]).toBe(metrics["eval/return"] / 4);
  // Holding costs 161, doing nothing 3185; nobody pays less than 104.
  expect(metrics["eval/return-per-agent"]).toBeGreaterThan(-140);
  expect(metrics["eval/return-per-agent"]).toBeLessThan(-100);
  await learner.dispose();
});

test("three warehouses in a row learn to need nothing that is not there", async () => {
  const neighbours = [
    [0, 1],
    [1, 0],
    [1, 2],
    [2, 1],
  ];
  const couplings = { agents: 3, state: neighbours, observation: neighbours };
  const env = configureEnv(environments.warehouse, { couplings, amplitude: [1, -1, -1] }).factory;
  const learner = await create(env, {
    actorHidden: [32, 32],
    criticHidden: [32, 32],
    actorLearningRate: 1e-3,
    criticLearningRate: 5e-3,
    targetRate: 0.05,
    deviation: 0.5,
    batchSize: 128,
    replayCapacity: 10_000,
    cycles: 10,
  });
  await iterate(learner, 30);
  // Nothing is random. Equal shares return -1.47, to send nothing -2.76; 0 is the most that is possible.
  const { "eval/return": found } = await learner.evaluate(1, createRng("evaluate"));
  expect(found).toBeGreaterThan(-0.2);
  expect(found).toBeLessThanOrEqual(0);
  await learner.dispose();
});

test.each([
  ["zones", { dependency: "kappa", kappa: 1 }],
  ["zones", { replace: "own", maxGradientNorm: 0.1 }],
  ["zones", { order: "coordinated" }],
  ["nine", { critics: "undecomposed-sum", sharedMinibatch: false }],
  ["nine", { head: "simplex", environments: 2 }],
] as const)("a learner restored from a snapshot goes on bit for bit: %s, %o", async (game, settings) => {
  await expectToResume((seed) => create(game === "zones" ? zones : nine, settings, seed), 3, 2);
});

test("parameters are those of each agent's networks, inputs those of its set", async () => {
  const learner = await create(nine, {});
  const parameters = learner.parameters();
  // Agent 4 observes (m_4, m_5, z_4), decides on three shares, and its value depends on itself and agent 5.
  expect(parameters["actor/4/0/w"].shape).toEqual([4, 3]);
  expect(parameters["actor/4/1/b"].shape).toEqual([3]);
  expect(parameters["critic/4/0/w"].shape).toEqual([6, 2 + 2 + 3 + 2]);
  expect(Object.keys(parameters)).toHaveLength(9 * (4 + 6));
  expect(learner.facts.critics).toBe("each of states and actions of 2 to 5 of 9 agents");
  await learner.dispose();
});

test("each agent's file plays what the team's plays, from its own observation", async () => {
  const learner = await create(nine, {});
  await iterate(learner, 2);
  const { spec } = nine();
  const observations = new Float32Array(9 * spec.observationSize);
  createRng("observations").fillNormal(observations);
  const sizes = spec.actions.map((space) => (space as { size: number }).size);
  const run = async (
    onnx: Uint8Array,
    input: string,
    shape: number[],
    values: Float32Array,
    output: string,
    size: number,
  ) => {
    const session = await engine.load(onnx);
    const out = allocate("float32", [1, size]) as Float32Array;
    await session.run(
      { [input]: session.tensor("float32", shape, values) },
      { [output]: session.tensor("float32", [1, size], out) },
    );
    await session.dispose();
    return [...out];
  };
  const total = sizes.reduce((sum, size) => sum + size);
  const joint = await run(
    learner.exportPolicy(),
    "observations",
    [1, 9, spec.observationSize],
    observations,
    "actions",
    total,
  );
  const files = Object.entries(learner.exportPolicies!());
  expect(files.map(([name]) => name)).toEqual(sizes.map((_, i) => `agent-${i}`));
  const own: number[] = [];
  for (const [i, [, onnx]] of files.entries()) {
    const seen = spec.observationSizes![i];
    const start = i * spec.observationSize;
    const values = observations.slice(start, start + seen);
    own.push(...(await run(onnx, "observation", [1, seen], values, "action", sizes[i])));
  }
  expect(own).toEqual(joint);
  await learner.dispose();
});

test("a critic that diverges is named, and nothing is learned from it", async () => {
  const learner = await create(zones, {});
  await iterate(learner, 2);
  const saved = learner.snapshot();
  const names = Object.entries(learner.parameters());
  // Places of the second agent's last bias in the critics' vector.
  let at = 0;
  for (const [name, { data }] of names) {
    if (name === "critic/1/2/b") break;
    if (name.startsWith("critic/")) at += data.length;
  }
  const critic = (saved.tensors.critic as Float32Array).slice();
  critic[at] = 1e30;
  learner.restore({ ...saved, tensors: { ...saved.tensors, critic } });
  const before = learner.parameters();
  const error: unknown = await learner.iterate().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(DivergenceError);
  expect((error as DivergenceError).message).toBe("critic-loss of agent 1 is Infinity");
  expect(learner.parameters()).toEqual(before);
  await learner.dispose();
});

describe("refuses", () => {
  const message = async (
    env: EnvFactory,
    settings: Readonly<Record<string, unknown>> = {},
  ): Promise<string> => {
    const error: unknown = await create(env, settings).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message;
  };
  const coupled = (couplings: unknown, env: EnvFactory): EnvFactory =>
    defineEnv({
      name: "coupled",
      description: "",
      config: mastac.config,
      create: () => ({ ...env(), couplings: () => couplings as CouplingGraphs }),
    }).create.bind(undefined, settled({}));

  test("a game without couplings", async () => {
    expect(await message(approachGame())).toBe(
      "mastac: approach does not say whom agents are coupled with, expected an environment with couplings (warehouse, temperature)",
    );
  });

  test("couplings that change, and those of other agents", async () => {
    const graphs = couplingGraphs(2, {});
    expect(await message(coupled([graphs, graphs], approachGame()), { dependency: "kappa" })).toBe(
      "mastac: couplings of approach change from step to step, expected couplings that stay as they are",
    );
    expect(await message(coupled(couplingGraphs(3, {}), approachGame()))).toBe(
      "mastac: couplings of approach are of 3 agents, expected 2",
    );
  });

  test("discrete actions, and heads of another kind", async () => {
    expect(await message(coupled(couplingGraphs(2, {}), unevenGame))).toBe(
      "mastac: actions of agent 0 of uneven are discrete, expected real numbers (box or simplex)",
    );
    expect(await message(zones, { head: "simplex" })).toBe(
      "mastac.head: actions of agent 0 of temperature are a box, got simplex, expected box",
    );
  });

  test("a reward that is only the team's, states that are not told apart", async () => {
    const graphs = couplingGraphs(2, {});
    expect(await message(coupled(graphs, approachGame({ rewards: "team" })))).toBe(
      "mastac: agents of approach have no rewards of their own, expected an environment with individual rewards",
    );
    const whole = coupled(graphs, () => {
      const env = approachGame()();
      return { ...env, spec: { ...env.spec, stateSizes: undefined } };
    });
    expect(await message(whole)).toBe(
      "approach: states of single agents are unknown, expected an environment with stateSizes",
    );
  });
});
