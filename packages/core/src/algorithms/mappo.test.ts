import { describe, expect, test } from "vitest";
import {
  configureEnv,
  type Env,
  type EnvFactory,
  type EnvSpec,
  environments,
  vectorise,
} from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRollout } from "../learn/index.ts";
import { bnPolicy, parseDagSource } from "../models/index.ts";
import { createRng, type Rng, type RngState } from "../random/index.ts";
import { compile, loadEngine, unpack } from "../tensor/index.ts";
import { DivergenceError, type Learner } from "../training/algorithm.ts";
import { expectToResume, iterate, stateOf } from "../training/testing/resumed-learners.ts";
import { type MappoConfig, mappo, mappoCollector, mappoNetworks, mappoUpdater } from "./mappo.ts";

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
  mappo.create({ env, config: mappo.config.parse(settings), totalSteps, rng: createRng(seed) });

/** Small enough to be quick; steps that do not fit the episodes leave copies in the middle of one. */
const quick = {
  hidden: 8,
  environments: 4,
  rolloutSteps: 9,
  actorLearningRate: 0.01,
  criticLearningRate: 0.01,
};

describe("the ratio at the first step of an update", () => {
  const games = [
    ["coordination-game", coordination({ horizon: 6 }), "2+3"],
    ["aloha", aloha, "5+5"],
  ] as const;
  const sources = [
    "product",
    "full",
    "line",
    "heuristic(4)",
    "random(4)",
    "random(4,episode)",
    "bernoulli(0.5)",
  ];

  test.each(
    games.flatMap(([name, env, blocks]) => [...sources, blocks].map((dag) => [name, dag, env] as const)),
  )("is one: %s, dag=%s", async (_, dag, env) => {
    // Minibatches are compiled for many sizes, which takes time: one source with them is enough.
    const minibatches = dag === "full" ? 4 : 1;
    const learner = await create(env, { ...quick, dag, minibatches }, 1);
    const metrics = await iterate(learner, 2);
    for (const each of metrics) expect(each["train/first-ratio-error"]).toBeLessThan(1e-6);
    expect(metrics[1]["train/largest-ratio-change"]).toBeGreaterThan(1e-3);
    await learner.dispose();
  });

  test.each(["dag", "dag+actions"] as const)(
    "is not one where samples are redrawn: resample=%s",
    async (resample) => {
      const learner = await create(coordination(), { ...quick, dag: "random(4)", resample }, 1);
      expect((await iterate(learner, 2))[1]["train/first-ratio-error"]).toBeGreaterThan(1e-3);
      await learner.dispose();
    },
  );

  test("is one where redrawing the DAG gives the same one, from stored scores", async () => {
    const learner = await create(coordination(), { ...quick, dag: "heuristic(4)", resample: "dag" }, 1);
    for (const each of await iterate(learner, 2)) expect(each["train/first-ratio-error"]).toBeLessThan(1e-6);
    await learner.dispose();
  });
});

describe("learning", () => {
  test("starts from a nearly uniform policy", async () => {
    for (const [epsilon, value] of [
      [0.05, 0.439],
      [0.1, 0.465],
    ]) {
      const learner = await create(coordination({ epsilon }), { dag: "full" }, 3);
      const { "eval/price-of-anarchy": found } = await learner.evaluate(1, createRng(0));
      expect(Math.abs(found - value)).toBeLessThan(0.005);
      await learner.dispose();
    }
  });

  const plain = mappo.presets!.plain.config as Partial<MappoConfig>;

  async function priceAfter(env: EnvFactory, settings: Partial<MappoConfig>, seed: number, steps: number) {
    const learner = await create(env, settings, seed, steps);
    for (let taken = 0; taken < steps; taken += learner.stepsPerIteration) await learner.iterate();
    const { "eval/price-of-anarchy": price } = await learner.evaluate(1, createRng(0));
    await learner.dispose();
    return price;
  }

  test.each([1, 2, 3])(
    "two agents that act independently nearly reach the optimum, seed %i",
    async (seed) => {
      expect(await priceAfter(coordination({ agents: 2, epsilon: 0.05 }), plain, seed, 6e4)).toBeGreaterThan(
        0.97,
      );
    },
  );

  test("so do five, in the papers' number of steps", async () => {
    expect(await priceAfter(coordination({ epsilon: 0.05 }), plain, 1, 2e5)).toBeGreaterThan(0.97);
  });
});

describe("a learner restored from a snapshot goes on bit for bit", () => {
  const coordinated = coordination({ agents: 5, horizon: 7 });
  test.each([
    ["product", {}, coordinated],
    ["heuristic(4)", { finalEntropyCoefficient: 0.3 }, coordinated],
    ["random(4)", {}, coordinated],
    ["random(4,episode)", {}, coordinated],
    ["random(4)", { resample: "dag+actions" }, coordinated],
    ["bernoulli(0.5)", { resample: "dag", minibatches: 2 }, coordinated],
    ["full", { minibatches: 4 }, coordinated],
    ["random(9,episode)", { minibatches: 3, bootstrapTimeLimit: true }, aloha],
    ["full", { heads: "shared" }, aloha],
  ] as const)("dag=%s, %o", async (dag, settings, env) => {
    const config = { ...quick, dag, ...settings };
    await expectToResume((seed) => create(env, config, seed, 400), 3, 3);
  });

  test.each(["full", "random(4,episode)"])("from before its first iteration, dag=%s", async (dag) => {
    const config = { ...quick, dag };
    const first = await create(coordinated, config, 5, 400);
    const saved = first.snapshot();
    const expected = await iterate(first, 2);
    first.restore(saved);
    expect(await iterate(first, 2)).toEqual(expected);
    await first.dispose();
  });
});

describe("randomness", () => {
  const settings = { ...quick, dag: "random(4)", minibatches: 2 };

  test("equal seeds train equally, other seeds otherwise", async () => {
    const learners = await Promise.all([1, 1, 2].map((seed) => create(coordination(), settings, seed)));
    const metrics = [];
    for (const learner of learners) metrics.push(await iterate(learner, 2));
    expect(metrics[1]).toEqual(metrics[0]);
    expect(stateOf(learners[1])).toEqual(stateOf(learners[0]));
    expect(metrics[2]).not.toEqual(metrics[0]);
    expect(learners[2].parameters()).not.toEqual(learners[0].parameters());
    for (const learner of learners) await learner.dispose();
  });

  test.each(["none", "dag+actions"] as const)(
    "evaluating changes nothing in training, resample=%s",
    async (resample) => {
      const [watched, alone] = await Promise.all(
        [0, 1].map(() => create(coordination(), { ...settings, resample }, 4)),
      );
      for (let k = 0; k < 3; k++) {
        // As many episodes as an update has samples: both use the same joint actor.
        const evaluation = await watched.evaluate(36, createRng(k));
        expect(await watched.evaluate(36, createRng(k))).toEqual(evaluation);
        expect(await watched.iterate()).toEqual(await alone.iterate());
      }
      expect(stateOf(watched)).toEqual(stateOf(alone));
      for (const learner of [watched, alone]) await learner.dispose();
    },
  );

  test("evaluations with other streams differ", async () => {
    const learner = await create(coordination(), settings, 4);
    expect(await learner.evaluate(5, createRng(1))).not.toEqual(await learner.evaluate(5, createRng(2)));
    await learner.dispose();
  });
});

describe("divergence", () => {
  test.each([
    ["actorLearningRate", "policy loss"],
    ["criticLearningRate", "value loss"],
  ])("an exploding %s is reported and leaves finite parameters", async (rate, quantity) => {
    const learner = await create(coordination(), { ...quick, [rate]: 1e30 }, 1);
    const error = await iterate(learner, 3).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DivergenceError);
    expect((error as DivergenceError).quantity).toBe(quantity);
    expect(Number.isFinite((error as DivergenceError).value)).toBe(false);
    for (const [name, { data }] of Object.entries(learner.parameters())) {
      expect(data.every(Number.isFinite), name).toBe(true);
    }
    await learner.dispose();
  });
});

describe("what a learner tells", () => {
  test("its steps, the decisions taken for it, and notes", async () => {
    const learner = await create(coordination({ horizon: 20 }), { dag: "random(99)", environments: 3 }, 1);
    expect(learner.stepsPerIteration).toBe(60);
    expect(learner.facts).toMatchObject({
      dag: "random(99)",
      parentInput: "actions",
      inputNorm: { observation: false, parents: null, critic: false },
      note: "dag=random(99): 5 agents have at most 10 edges; the rest is unused",
    });
    await learner.dispose();
    const other = await create(aloha, {}, 1);
    expect(other.facts).toMatchObject({
      parentInput: "observations-and-actions",
      inputNorm: { observation: false, parents: true, critic: true },
    });
    expect(other.facts).not.toHaveProperty("note");
    await other.dispose();
  });

  test("defaults are the papers'", () => {
    expect(mappo.config.parse({})).toEqual({
      dag: "product",
      dagOrder: "learned",
      edgeNetwork: "auto",
      edgeIndexing: "agent",
      densityWeight: 0,
      densityTarget: 0,
      evaluationDag: "likeliest",
      evaluationActions: "greedy",
      parentInput: "auto",
      heads: "per-agent",
      hidden: 64,
      inputNorm: "auto",
      hiddenNorm: true,
      environments: 32,
      rolloutSteps: 0,
      epochs: 5,
      minibatches: 1,
      clip: 0.2,
      entropyCoefficient: 0.01,
      discount: 0.99,
      traceDecay: 0.95,
      actorLearningRate: 7e-4,
      criticLearningRate: 7e-4,
      adamEpsilon: 1e-5,
      maxGradientNorm: 10,
      valueCoefficient: 1,
      huberDelta: 10,
      normaliseAdvantages: true,
      normaliseValues: true,
      valueDecay: 0.99999,
      bootstrapTimeLimit: false,
      resample: "none",
    });
  });

  test("presets are valid settings and differ from the defaults", () => {
    for (const { config } of Object.values(mappo.presets!)) {
      const defaults: Record<string, unknown> = { ...mappo.config.parse({}) };
      expect(mappo.config.parse(config)).toEqual({ ...defaults, ...config });
      for (const [name, value] of Object.entries(config)) expect(defaults[name], name).not.toEqual(value);
    }
  });

  test("what it refuses", async () => {
    await expect(create(coordination(), { ...quick, minibatches: 5 }, 1)).rejects.toThrow(
      new InputError(
        "mappo.minibatches: 5 does not divide the 36 samples of an update (9 steps x 4 environments)",
      ),
    );
    await expect(create(coordination(), { dag: "7+9" }, 1)).rejects.toThrow(InputError);
  });
});

// ── A toy with ends of both kinds, masks and unequal action counts ────────────────────────────────────────────────

const toySpec: EnvSpec = {
  id: "toy",
  version: 1,
  agents: 2,
  observationSize: 1,
  stateSize: 2,
  actions: [
    { kind: "discrete", n: 2 },
    { kind: "discrete", n: 3 },
  ],
  horizon: 4,
  rewards: "team",
  sharedObservation: false,
};

/** Counts steps; ends by itself with probability 1/4, else after four; action 1 of agent 0 is open at even times. */
function toy(): Env {
  let time = 0;
  let episode = 0;
  let sum = 0;
  let stream: Rng;
  return {
    spec: toySpec,
    reset(rng) {
      stream = rng;
      time = 0;
      sum = 0;
      episode++;
    },
    step(actions) {
      if (time % 2 === 1 && actions[0] === 1) throw new Error("that action is not available");
      time++;
      sum += actions[1];
      const terminated = stream.uniform() < 0.25;
      return { reward: actions[0] + 10 * actions[1], terminated, truncated: !terminated && time === 4 };
    },
    observe: (out, at) => out.set([time, -time], at),
    state: (out, at) => out.set([time + 10 * episode, sum], at),
    available: (out, at) => out.set([1, time % 2 === 0 ? 1 : 0, 1, 1, 1], at),
    snapshot: () => ({ time, episode, sum, rng: stream.state() }),
    restore(snapshot) {
      const saved = snapshot as { time: number; episode: number; sum: number; rng: RngState };
      ({ time, episode, sum } = saved);
      stream.restore(saved.rng);
    },
    scene: () => ({ width: 1, height: 1, shapes: [] }),
  };
}

describe("collecting", () => {
  test("a rollout holds what happened, final states from before the reset", async () => {
    const config = mappo.config.parse({ ...quick, dag: "random(1)" });
    const batch = vectorise(toy, 3, createRng(2).split("environments"));
    const networks = mappoNetworks(toySpec, config, createRng(2));
    const dagSource = parseDagSource("random(1)", 2, false);
    const policy = bnPolicy(engine, "toy", networks.policy, { dagSource, masked: true });
    const rollout = createRollout(batch, 11);
    const collector = await mappoCollector(policy, batch, rollout, createRng(2));
    await collector.collect();
    const earlier = structuredClone(rollout);
    const metrics = await collector.collect();

    // The same actions again, one copy at a time.
    const returns: number[] = [];
    for (let b = 0; b < 3; b++) {
      const env = toy();
      const stream = createRng(2).split("environments").split(String(b));
      const written = (size: number, write: (out: Float32Array, at: number) => void) => {
        const out = new Float32Array(size);
        write(out, 0);
        return out;
      };
      env.reset(stream);
      let total = 0;
      for (const [played, t] of [earlier, rollout].flatMap((r) =>
        Array.from({ length: 11 }, (_, t) => [r, t] as const),
      )) {
        const at = t * 3 + b;
        expect(played.observations.subarray(at * 2, at * 2 + 2)).toEqual(written(2, env.observe));
        expect(played.states.subarray(at * 2, at * 2 + 2)).toEqual(written(2, env.state));
        const mask = new Uint8Array(5);
        env.available!(mask, 0);
        expect([...played.available!.subarray(at * 6, at * 6 + 6)]).toEqual([mask[0], mask[1], 0, 1, 1, 1]);
        const parents = [...played.parents.subarray(at * 4, at * 4 + 4)];
        expect(["0100", "0010"]).toContain(parents.join(""));

        const actions = played.actions.subarray(at * 2, at * 2 + 2);
        const outcome = env.step(actions);
        const ended = outcome.terminated || outcome.truncated;
        total += outcome.reward;
        expect(played.rewards[at]).toBe(outcome.reward);
        expect(played.ended[at]).toBe(ended ? 1 : 0);
        expect(played.truncated[at]).toBe(outcome.truncated ? 1 : 0);
        if (!ended) continue;
        expect(played.finalStates.subarray(at * 2, at * 2 + 2)).toEqual(written(2, env.state));
        if (played === rollout) returns.push(total);
        total = 0;
        env.reset(stream);
      }
      expect(rollout.lastStates.subarray(b * 2, b * 2 + 2)).toEqual(written(2, env.state));
    }
    expect(metrics["train/return"]).toBeCloseTo(returns.reduce((sum, x) => sum + x, 0) / returns.length, 10);
    expect(metrics["train/dag-density"]).toBe(1);
    expect(rollout.truncated).toContain(1);
    expect(rollout.ended.some((ended, k) => ended > rollout.truncated[k])).toBe(true);
    await collector.dispose();
    await policy.dispose();
  });

  test("there is no return where no episode ended", async () => {
    const learner = await create(coordination({ horizon: 2 }), { ...quick, rolloutSteps: 1 }, 1);
    const metrics = await iterate(learner, 2);
    expect(metrics.map((each) => "train/return" in each)).toEqual([false, true]);
    await learner.dispose();
  });
});

// ── Time limits ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Episodes of one step from state 0 or 1 to the other one, which pays the state it starts in. */
function blink(): Env {
  let bit = 0;
  return {
    spec: {
      ...toySpec,
      id: "blink",
      stateSize: 1,
      actions: [
        { kind: "discrete", n: 2 },
        { kind: "discrete", n: 2 },
      ],
      horizon: 1,
    },
    reset(rng) {
      bit = rng.integer(2);
    },
    step() {
      bit = 1 - bit;
      return { reward: 1 - bit, terminated: false, truncated: true };
    },
    observe: (out, at) => out.set([0, 0], at),
    state: (out, at) => out.set([bit], at),
    snapshot: () => null,
    restore() {},
    scene: () => ({ width: 1, height: 1, shapes: [] }),
  };
}

describe("a time limit", () => {
  /** Values of the states 0 and 1 after training with discount 1/2. */
  async function learnedValues(bootstrapTimeLimit: boolean): Promise<number[]> {
    const config = mappo.config.parse({
      ...quick,
      environments: 32,
      rolloutSteps: 1,
      hiddenNorm: false,
      clip: 2,
      discount: 0.5,
      normaliseValues: false,
      bootstrapTimeLimit,
    });
    const rng = createRng(8);
    const batch = vectorise(blink, config.environments, rng.split("environments"));
    const networks = mappoNetworks(batch.spec, config, rng);
    const dagSource = parseDagSource("product", 2, false);
    const policy = bnPolicy(engine, "blink", networks.policy, { dagSource, masked: false });
    const rollout = createRollout(batch, 1);
    const collector = await mappoCollector(policy, batch, rollout, rng);
    const updater = mappoUpdater(engine, config, policy, networks, rollout, rng);
    for (let update = 0; update < 150; update++) {
      await collector.collect();
      await updater.update(0, 1);
    }
    const program = await compile(engine, {
      name: "values",
      inputs: { states: { dtype: "float32", shape: [2, 1] } },
      variables: { critic: networks.critic.vector },
      build: (leaves) => ({
        results: {
          values: networks.critic.value(unpack(leaves.critic, networks.critic.layout), leaves.states),
        },
      }),
    });
    (program.inputs.states as Float32Array).set([0, 1]);
    await program.run();
    return Array.from(program.results.values as Float32Array);
  }

  test("that counts as an end leaves the reward alone", async () => {
    const [zero, one] = await learnedValues(false);
    expect(Math.abs(zero)).toBeLessThan(0.05);
    expect(Math.abs(one - 1)).toBeLessThan(0.05);
  });

  test("that is bootstrapped adds the value of the state before the reset", async () => {
    // V(0) = V(1) / 2 and V(1) = 1 + V(0) / 2; from the state after the reset both would get the same addition.
    const [zero, one] = await learnedValues(true);
    expect(Math.abs(zero - 2 / 3)).toBeLessThan(0.05);
    expect(Math.abs(one - 4 / 3)).toBeLessThan(0.05);
  });
});
