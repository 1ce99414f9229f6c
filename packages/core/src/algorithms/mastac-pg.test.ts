/** Stochastic policies on structured games: what matters to whom, gradients by hand, variance, and whole learners. */
import { describe, expect, test } from "vitest";
import { configureEnv, defineEnv, type EnvFactory, environments, parseConfig } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { type CouplingEdge, type CouplingGraphs, couplingGraphs } from "../structure/index.ts";
import { allocate, loadEngine, namedArrays } from "../tensor/index.ts";
import { DivergenceError, type Learner } from "../training/algorithm.ts";
import { approachGame } from "../training/testing/approach-game.ts";
import { type CoupledOptions, coupledGame, coupledGraphs } from "../training/testing/coupled-game.ts";
import { expectToResume, iterate } from "../training/testing/resumed-learners.ts";
import {
  createSamples,
  estimate,
  type MastacPgConfig,
  mastacPg,
  mastacPgPlay,
  mastacPgTeam,
  policyStep,
} from "./mastac-pg.ts";

const engine = await loadEngine();
type Settings = Readonly<Record<string, unknown>>;
const settled = (settings: Settings): MastacPgConfig => parseConfig("mastac-pg", mastacPg.config, settings);
const small = { environments: 3, epochs: 2, actorHidden: [4], criticHidden: [5] };

const create = (env: EnvFactory, settings: Settings, seed = 1): Promise<Learner> =>
  mastacPg.create({
    env,
    config: settled({ ...small, ...settings }),
    totalSteps: 1000,
    rng: createRng(seed),
  });

const zones = configureEnv(environments.temperature, { agents: 5, horizon: 6 }).factory;
const nine = configureEnv(environments.warehouse, {}).factory;

// ── Who matters to whom ───────────────────────────────────────────────────────────────────────────────────────────

/** `I_Q`. */
const told = [[0, 1], [0, 1], [0, 1, 2], [3]];

describe("what is outside of a set", () => {
  type Parameters = ReturnType<Learner["parameters"]>;
  const sameBits = (found: Parameters, expected: Parameters, prefix: string): boolean =>
    Object.keys(expected)
      .filter((name) => name.startsWith(prefix))
      .every((name) => Buffer.from(found[name].data.buffer).equals(Buffer.from(expected[name].data.buffer)));

  /** What a learner has learned from one rollout. */
  const learned = async (options: CoupledOptions, settings: Settings): Promise<Parameters> => {
    const learner = await create(coupledGame(options), settings);
    await learner.iterate();
    const parameters = learner.parameters();
    await learner.dispose();
    return parameters;
  };

  test.each([
    ["box", {}],
    ["discrete", { estimator: "reinforce" }],
    ["simplex", { estimator: "reinforce", weights: "returns" }],
    ["box", { estimator: "reinforce", weights: "advantages", standardise: "batch" }],
    ["discrete", { gradientDependency: "full" }],
  ] as const)("rewards move no policy there, to the last bit: %s actions, %o", async (actions, settings) => {
    // The same decisions, since they are made before anything is learned.
    const plain = await learned({ actions }, settings);
    for (const agent of [0, 1, 2, 3]) {
      const bonus = [0, 0, 0, 0];
      bonus[agent] = 1;
      const found = await learned({ actions, bonus }, settings);
      for (const i of [0, 1, 2, 3]) {
        const climbs = "gradientDependency" in settings || told[agent].includes(i);
        // Critics of states and actions say the same until they have learned of other rewards.
        const waits = "estimator" in settings && !("weights" in settings);
        expect(sameBits(found, plain, `actor/${i}/`), `actor ${i}, reward ${agent}`).toBe(waits || !climbs);
        expect(sameBits(found, plain, `critic/${i}/`), `critic ${i}, reward ${agent}`).toBe(i !== agent);
      }
    }
  });

  test.each([
    ["box", {}],
    ["discrete", { estimator: "reinforce" }],
    ["simplex", { estimator: "reinforce", dependency: "kappa", kappa: 0 }],
  ] as const)("a critic hears nothing of: %s actions, %o", async (actions, settings) => {
    const env = coupledGame({ actions })();
    const config = settled({ ...small, ...settings });
    const team = mastacPgTeam(env.spec, coupledGraphs, config, createRng(1));
    const play = await mastacPgPlay(engine, team, 2, undefined);
    for (const name of ["observations", "states", "noise"] as const)
      createRng(name).fillNormal(play.inputs[name]);
    const look = async () => {
      await play.run();
      return [...(play.results.values as Float32Array)];
    };
    const plain = await look();
    const sets = "kappa" in settings ? [[0], [1], [2], [3]] : told;
    for (const agent of [0, 1, 2, 3]) {
      // Its state and, where critics are told actions, its decision.
      const moved: { name: "states" | "noise"; at: number }[] = [{ name: "states", at: agent }];
      if ("estimator" in settings) moved.push({ name: "noise", at: team.head.rows[agent][0] });
      for (const { name, at } of moved) {
        const before = play.inputs[name][at];
        play.inputs[name][at] += 5;
        const found = await look();
        play.inputs[name][at] = before;
        for (const critic of [0, 1, 2, 3]) {
          const same = found[critic] === plain[critic];
          const hears = sets[critic].includes(agent);
          // Much noise may leave a discrete decision as it is.
          if (!hears || name === "states" || actions !== "discrete") {
            expect(same, `critic ${critic}, ${name} of ${agent}`).toBe(!hears);
          }
        }
      }
    }
    await play.dispose();
  });
});

// ── Gradients ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** With these, Adam's first step is the gradient itself, to seven digits. */
const gradientSteps = {
  optimiserEpsilon: 1e8,
  actorLearningRate: 1e8,
  maxGradientNorm: 0,
  entropyCoefficient: 0,
};

test("where everybody matters to everybody, the gradient is that of the team's return", async () => {
  const agents = 3;
  const [steps, size] = [3, 2];
  const count = steps * size;
  const everybody = [0, 1, 2].flatMap((i) => [0, 1, 2].map((j): CouplingEdge => [j, i]));
  const { spec } = coupledGame({ actions: "box" })();
  const config = settled({
    ...gradientSteps,
    actorHidden: [],
    estimator: "reinforce",
    weights: "returns",
    traceDecay: 1,
    discount: 0.7,
  });
  const three = {
    ...spec,
    agents,
    stateSize: agents,
    stateSizes: [1, 1, 1],
    actions: spec.actions.slice(0, agents),
  };
  const team = mastacPgTeam(three, couplingGraphs(agents, { reward: everybody }), config, createRng(0));
  const parameters = () =>
    namedArrays((team.actor.vector.values as Float32Array).slice(), team.actor.named.layout);
  createRng("parameters").fillNormal(team.actor.vector.values as Float32Array);
  const rollout = createSamples(team, count, undefined);
  for (const name of ["observations", "decisions"] as const) createRng(name).fillNormal(rollout[name]);
  const valued = {
    steps,
    rewards: new Float64Array(count * agents),
    values: new Float64Array(count * agents),
    nextValues: new Float64Array(count * agents),
    ended: new Uint8Array(count * agents),
  };
  createRng("rewards").fillNormal(valued.rewards);
  createRng("values").fillNormal(valued.values);
  for (let k = 0; k < count * agents; k++) {
    const t = Math.floor(k / (size * agents));
    // The first environment's episode ends after two steps, the second's goes on to the end of the rollout.
    const first = k % (size * agents) < agents;
    if ((first && t === 1) || t === steps - 1) valued.ended[k] = 1;
    else valued.nextValues[k] = valued.values[k + size * agents];
  }
  estimate(team, valued, rollout, config);
  const before = parameters();
  const step = await policyStep(engine, team, rollout, config);
  await step.run();
  await step.dispose();
  const after = parameters();

  const teamReturn = (t: number, b: number): number => {
    const reward = (at: number) =>
      [0, 1, 2].reduce((sum, j) => sum + valued.rewards[(at * size + b) * agents + j], 0);
    const last = b === 0 && t <= 1 ? 1 : steps - 1;
    let total = 0;
    for (let at = t; at <= last; at++) total += 0.7 ** (at - t) * reward(at);
    return total;
  };
  for (let i = 0; i < agents; i++) {
    const own = (name: string) => before[`actor/${i}/${name}`].data[0];
    const variance = Math.exp(own("log-deviation")) ** 2;
    const gradient = { "0/w": 0, "0/b": 0, "log-deviation": 0 };
    for (let t = 0; t < steps; t++) {
      for (let b = 0; b < size; b++) {
        const at = (t * size + b) * agents + i;
        const seen = rollout.observations[at];
        const apart = rollout.decisions[at] - (own("0/w") * seen + own("0/b"));
        gradient["0/w"] += (teamReturn(t, b) * (apart / variance) * seen) / count;
        gradient["0/b"] += (teamReturn(t, b) * (apart / variance)) / count;
        gradient["log-deviation"] += (teamReturn(t, b) * (apart ** 2 / variance - 1)) / count;
      }
    }
    for (const [name, expected] of Object.entries(gradient)) {
      expect(after[`actor/${i}/${name}`].data[0] - own(name), `${name} of ${i}`).toBeCloseTo(expected, 4);
    }
  }
});

test("the sum over a set varies no more than the team's return, where rewards have one sign", async () => {
  /** Total variance of each agent's gradient over rollouts of one policy. */
  const totalVariances = async (settings: Settings): Promise<number[]> => {
    const learner = await create(coupledGame({ actions: "box", ends: false }), {
      ...gradientSteps,
      environments: 1,
      epochs: 1,
      actorHidden: [],
      estimator: "reinforce",
      weights: "returns",
      traceDecay: 1,
      ...settings,
    });
    const { tensors } = learner.snapshot();
    const first = learner.parameters();
    const rollouts = 300;
    const names = Object.keys(first).filter((name) => name.startsWith("actor/"));
    const sums = names.map((name) => first[name].data.map(() => 0));
    const squares = sums.map((values) => values.slice());
    for (let k = 0; k < rollouts; k++) {
      await learner.iterate();
      const moved = learner.parameters();
      for (const [n, name] of names.entries()) {
        for (let p = 0; p < sums[n].length; p++) {
          const gradient = moved[name].data[p] - first[name].data[p];
          sums[n][p] += gradient;
          squares[n][p] += gradient ** 2;
        }
      }
      // The same parameters again; draws go on.
      learner.restore({ tensors, json: learner.snapshot().json });
    }
    await learner.dispose();
    return [0, 1, 2, 3].map((agent) =>
      names.reduce(
        (total, name, n) =>
          name.startsWith(`actor/${agent}/`)
            ? total +
              squares[n].reduce((sum, square, p) => sum + square / rollouts - (sums[n][p] / rollouts) ** 2, 0)
            : total,
        0,
      ),
    );
  };
  const [own, team] = [await totalVariances({}), await totalVariances({ gradientDependency: "full" })];
  // I_GD: {0, 1, 2} twice, {2}, {3}.
  for (const agent of [0, 1, 2, 3]) expect(own[agent]).toBeLessThan(team[agent]);
  expect(own[3]).toBeLessThan(team[3] / 2);
});

// ── Learners ──────────────────────────────────────────────────────────────────────────────────────────────────────

const learning = { environments: 8, epochs: 10, actorLearningRate: 0.003, criticLearningRate: 0.003 };

describe("learns", () => {
  test("four zones to do better than to hold their temperature", async () => {
    const env = configureEnv(environments.temperature, { agents: 4 }).factory;
    const learner = await create(env, {
      ...mastacPg.presets!.temperature.config,
      environments: 8,
      epochs: 10,
    });
    await iterate(learner, 25);
    const metrics = await learner.evaluate(20, createRng("evaluate"));
    expect(metrics["eval/return-per-agent"]).toBe(metrics["eval/return"] / 4);
    // Holding costs 161, doing nothing 3185; nobody pays less than 104.
    expect(metrics["eval/return-per-agent"]).toBeGreaterThan(-125);
    expect(metrics["eval/return-per-agent"]).toBeLessThan(-100);
    await learner.dispose();
  });

  test("nine warehouses never to run out", async () => {
    const learner = await create(nine, { ...learning, actorHidden: [32], criticHidden: [32] });
    // Equal shares pay 5.05.
    expect((await learner.evaluate(1, createRng(0)))["eval/return"]).toBeLessThan(-4);
    await iterate(learner, 40);
    expect((await learner.evaluate(1, createRng(0)))["eval/return"]).toBeGreaterThan(-0.1);
    await learner.dispose();
  });

  test.each([
    [{}, -2.2],
    [{ estimator: "reinforce", weights: "advantages" }, -4],
  ] as const)("where to go, of actions that come and go: %o", async (settings, atLeast) => {
    const learner = await create(coupledGame({ horizon: 6, ends: false }), {
      ...learning,
      ...settings,
      actorLearningRate: 0.01,
      criticLearningRate: 0.01,
      environments: 32,
      actorHidden: [16],
      criticHidden: [16],
    });
    await iterate(learner, 70);
    // Going to the point that is nearest to 0 pays 1.9 over all episodes, staying 11.3.
    expect((await learner.evaluate(200, createRng(0)))["eval/return"]).toBeGreaterThan(atLeast);
    await learner.dispose();
  });
});

test.each([
  ["zones", zones, {}],
  ["nine", nine, { estimator: "reinforce", dependency: "kappa", kappa: 1 }],
  ["discrete", coupledGame(), { rolloutSteps: 5, minibatches: 3, entropyCoefficient: 0.01 }],
  ["box", coupledGame({ actions: "box" }), { rolloutSteps: 3, estimator: "reinforce" }],
] as const)("a learner restored from a snapshot goes on bit for bit: %s", async (_, env, settings) => {
  await expectToResume((seed) => create(env, settings, seed), 3, 2);
});

describe("where an episode ends", () => {
  /** The returns that critics learn from: losses of critics that say 10 everywhere and do not move. */
  const lossOf = async (options: CoupledOptions, settings: Settings): Promise<number> => {
    const learner = await create(coupledGame({ actions: "box", horizon: 1, ...options }), {
      environments: 2,
      epochs: 1,
      discount: 0.5,
      criticHidden: [],
      standardise: "none",
      ...settings,
    });
    const saved = learner.snapshot();
    const critic = (saved.tensors.critic as Float32Array).slice().fill(0);
    const { parameters, offsets } = criticLayout(learner);
    for (const [k, name] of parameters.entries()) if (name.endsWith("/b")) critic[offsets[k]] = 10;
    learner.restore({ ...saved, tensors: { ...saved.tensors, critic } });
    const [metrics] = await iterate(learner, 1);
    await learner.dispose();
    return metrics["train/critic-loss"];
  };
  const criticLayout = (learner: Learner) => {
    let at = 0;
    const entries = Object.entries(learner.parameters()).filter(([name]) => name.startsWith("critic/"));
    const offsets = entries.map(([, { data }]) => {
      at += data.length;
      return at - data.length;
    });
    return { parameters: entries.map(([name]) => name), offsets };
  };

  test("by the time limit, values look beyond it, unless told not to", async () => {
    // One step pays -x^2, at most 1: targets are 5 - x^2, or -x^2, and the critic says 10.
    const beyond = await lossOf({}, {});
    expect(beyond).toBeGreaterThan(25);
    expect(beyond).toBeLessThan(36);
    const stops = await lossOf({}, { truncationIsTerminal: true });
    expect(stops).toBeGreaterThan(100);
    expect(stops).toBeLessThan(121);
  });
});

test("rewards are scaled", async () => {
  const losses = await Promise.all(
    [1, 0.5].map(async (rewardScale) => {
      const learner = await create(coupledGame(), { rewardScale, truncationIsTerminal: true, epochs: 1 });
      const saved = learner.snapshot();
      const critic = new Float32Array((saved.tensors.critic as Float32Array).length);
      learner.restore({ ...saved, tensors: { ...saved.tensors, critic } });
      const [metrics] = await iterate(learner, 1);
      await learner.dispose();
      return metrics["train/critic-loss"];
    }),
  );
  expect(losses[1]).toBeCloseTo(losses[0] / 4, 5);
});

// ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const run = async (
  onnx: Uint8Array,
  inputs: Readonly<Record<string, readonly [readonly number[], Float32Array]>>,
  output: string,
  shape: readonly number[],
  dtype: "float32" | "int32",
): Promise<number[]> => {
  const session = await engine.load(onnx);
  const out = allocate(dtype, shape) as Float32Array | Int32Array;
  await session.run(
    Object.fromEntries(
      Object.entries(inputs).map(([name, [shape, values]]) => [
        name,
        session.tensor("float32", shape, values),
      ]),
    ),
    { [output]: session.tensor(dtype, shape, out) },
  );
  await session.dispose();
  return [...out];
};

test("each agent's file plays what the team's plays, from its own observation: shares", async () => {
  const learner = await create(nine, {});
  await iterate(learner, 2);
  const { spec } = nine();
  const observations = new Float32Array(9 * spec.observationSize);
  createRng("observations").fillNormal(observations);
  const sizes = spec.actions.map((space) => (space as { size: number }).size);
  const total = sizes.reduce((sum, size) => sum + size);
  const team: Record<string, readonly [readonly number[], Float32Array]> = {
    observations: [[1, 9, spec.observationSize], observations],
  };
  const joint = await run(learner.exportPolicy(), team, "actions", [1, total], "float32");
  const files = Object.entries(learner.exportPolicies!());
  expect(files.map(([name]) => name)).toEqual(sizes.map((_, i) => `agent-${i}`));
  const own: number[] = [];
  for (const [i, [, onnx]] of files.entries()) {
    const seen = spec.observationSizes![i];
    const values = observations.slice(i * spec.observationSize, i * spec.observationSize + seen);
    own.push(...(await run(onnx, { observation: [[1, seen], values] }, "action", [1, sizes[i]], "float32")));
  }
  expect(own).toEqual(joint);
  await learner.dispose();
});

test("each agent's file plays what the team's plays, from its own observation: discrete", async () => {
  const learner = await create(coupledGame(), {});
  await iterate(learner, 5);
  const observations = Float32Array.of(-0.8, 0.7, 0.1, -0.2);
  const available = Float32Array.of(0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1);
  const inputs = { observations: [[1, 4, 1], observations], available: [[1, 4, 3], available] } as const;
  const joint = await run(learner.exportPolicy(), inputs, "actions", [1, 4], "int32");
  joint.forEach((action, i) => {
    expect(available[3 * i + action]).toBe(1);
  });
  const own: number[] = [];
  for (const [i, onnx] of Object.values(learner.exportPolicies!()).entries()) {
    const seen = {
      observation: [[1, 1], observations.slice(i, i + 1)],
      available: [[1, 3], available.slice(3 * i, 3 * i + 3)],
    } as const;
    own.push(...(await run(onnx, seen, "action", [1, 1], "int32")));
  }
  expect(own).toEqual(joint);
  await learner.dispose();
});

// ── Refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("a critic that diverges is named, and nothing is learned from it", async () => {
  for (const [values, message] of [
    [1e30, "critic-loss of agent 1 is Infinity"],
    [Number.NaN, "value of agent 1 is NaN"],
  ] as const) {
    const learner = await create(zones, {});
    await iterate(learner, 2);
    const saved = learner.snapshot();
    // Places of the second agent's last bias in the critics' vector.
    let at = 0;
    for (const [name, { data }] of Object.entries(learner.parameters())) {
      if (name === "critic/1/1/b") break;
      if (name.startsWith("critic/")) at += data.length;
    }
    const critic = (saved.tensors.critic as Float32Array).slice();
    critic[at] = values;
    learner.restore({ ...saved, tensors: { ...saved.tensors, critic } });
    const before = learner.parameters();
    const error: unknown = await learner.iterate().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DivergenceError);
    expect((error as DivergenceError).message).toBe(message);
    expect(learner.parameters()).toEqual(before);
    await learner.dispose();
  }
});

describe("refuses", () => {
  const message = async (env: EnvFactory, settings: Settings = {}): Promise<string> => {
    const error: unknown = await create(env, settings).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).message;
  };
  const coupled = (couplings: CouplingGraphs, env: EnvFactory): EnvFactory =>
    defineEnv({
      name: "coupled",
      description: "",
      config: mastacPg.config,
      create: () => ({ ...env(), couplings: () => couplings }),
    }).create.bind(undefined, settled({}));

  test("games without couplings or rewards of agents' own", async () => {
    expect(await message(approachGame())).toBe(
      "mastac-pg: approach does not say whom agents are coupled with, expected an environment with couplings (warehouse, temperature)",
    );
    expect(await message(coupled(couplingGraphs(2, {}), approachGame({ rewards: "team" })))).toBe(
      "mastac-pg: agents of approach have no rewards of their own, expected an environment with individual rewards",
    );
  });

  test("heads that do not fit, and minibatches that do not divide", async () => {
    expect(await message(zones, { head: "simplex-gauss" })).toBe(
      "mastac-pg.head: actions of agent 0 of temperature are a box, got simplex-gauss, expected box",
    );
    expect(await message(coupledGame(), { head: "box" })).toBe(
      "mastac-pg.head: actions of agent 0 of coupled are discrete, got box, expected categorical",
    );
    expect(await message(zones, { minibatches: 7 })).toBe(
      "mastac-pg.minibatches: 7 does not divide the 18 samples of an update (6 steps x 3 environments)",
    );
  });
});
