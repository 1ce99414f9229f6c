import fc from "fast-check";
import { expect, test } from "vitest";
import meetingPoint from "../../../../examples/my-env.ts";
import { createRng, type Rng } from "../random/index.ts";
import { drawActions, jointActionSize } from "./actions.ts";
import { checkEnv } from "./conformance.ts";
import { configureEnv, customEnv, type EnvDefinition, type EnvFactory } from "./definition.ts";
import type { Env, EnvSpec, FiniteModel } from "./env.ts";
import { environments } from "./environments.ts";
import { createEpisode } from "./episode.ts";

const sound: readonly [string, EnvDefinition, Record<string, unknown>][] = [
  ["coordination-game", environments["coordination-game"], {}],
  ["coordination-game", environments["coordination-game"], { agents: 2, epsilon: 0, rewardOn: "next" }],
  [
    "coordination-game",
    environments["coordination-game"],
    { agents: 3, rewardOn: "next", initial: "biased" },
  ],
  ["aloha", environments.aloha, {}],
  ["aloha", environments.aloha, { rows: 1, columns: 3, wrapEdge: false, horizon: 1 }],
  ["topk", environments.topk, {}],
  ["topk", environments.topk, { agents: 4, k: 3, penalty: 2, penaltyMode: "once", penaltyDistance: 0.5 }],
  ["topk", environments.topk, { agents: 5, k: 4, penalty: 1 }],
  ["agreement", environments.agreement, {}],
  ["agreement", environments.agreement, { agents: 3, actions: 4 }],
  ["latent-agreement", environments["latent-agreement"], {}],
  ["swap", environments.swap, {}],
  ["one-hot", environments["one-hot"], {}],
  ["one-hot", environments["one-hot"], { agents: 3, sharedNoise: true }],
  ["exactly-k", environments["exactly-k"], {}],
  ["parity", environments.parity, {}],
  ["matrix-game", environments["matrix-game"], {}],
  ["matrix-game", environments["matrix-game"], { payoff: [0, 1, 2, 3, 4, 5], actions: [3, 1, 2] }],
  ["warehouse", environments.warehouse, {}],
  ["warehouse", environments.warehouse, { instance: "ring", agents: 4, demandNoise: 0.2, keep: false }],
  [
    "warehouse",
    environments.warehouse,
    {
      couplings: {
        agents: 3,
        state: [
          [0, 1],
          [1, 2],
        ],
        observation: [[0, 2]],
        reward: [[2, 0]],
      },
      amplitude: [-1, -1, 0.5],
      initialNoise: 0.5,
      timeInObservation: true,
    },
  ],
  ["temperature", environments.temperature, { agents: 5, horizon: 6 }],
  ["temperature", environments.temperature, { agents: 1, horizon: 6, paperLike: true, normalise: false }],
  ["meeting-point", customEnv({ default: meetingPoint }, "examples/my-env.ts"), {}],
];

test.each(sound)("%s conforms: %3$o", (_name, definition, overrides) => {
  const report = checkEnv(configureEnv(definition, overrides).factory, { episodes: 3, seed: 1 });
  expect(report.checks.filter(({ passed, required }) => required && !passed)).toEqual([]);
  expect(report.passed).toBe(true);
  expect(report.checks.map(({ name }) => name)).toContain("snapshot");
});

test.each(sound)(
  "%s takes any actions, and its snapshots at any time: %3$o",
  (_name, definition, overrides) => {
    const { factory } = configureEnv(definition, overrides);
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(), { minLength: 1, maxLength: 60 }), (seed, choices) => {
        const [env, shadow] = [factory(), factory()];
        const [rng, other] = [createRng(seed), createRng(seed)];
        env.reset(rng);
        shadow.reset(other);
        const actionsAt = (choice: number) => {
          const actions = new Float64Array(jointActionSize(env.spec));
          drawActions(env.spec, createRng(choice), actions);
          return actions;
        };
        for (const choice of choices) {
          shadow.restore(JSON.parse(JSON.stringify(env.snapshot())));
          const { reward, terminated, truncated, success } = env.step(actionsAt(choice));
          expect(shadow.step(actionsAt(choice))).toMatchObject({ reward, terminated, truncated, success });
          expect(shadow.snapshot()).toEqual(env.snapshot());
          if (terminated || truncated) env.reset(rng);
        }
      }),
      { numRuns: 20 },
    );
  },
);

/** A sound little game with every optional part: a counter that agents push up, with flips, masks and a model. */
function pushing(
  change: (env: Env) => Partial<Env> = () => ({}),
  changeSpec: Partial<EnvSpec> = {},
): EnvFactory {
  return () => {
    const spec: EnvSpec = {
      id: "pushing",
      version: 1,
      agents: 2,
      observationSize: 1,
      stateSize: 1,
      actions: [
        { kind: "discrete", n: 2 },
        { kind: "discrete", n: 3 },
      ],
      horizon: 6,
      rewards: "individual",
      sharedObservation: true,
      ...changeSpec,
    };
    const episode = createEpisode(spec);
    let bit = 0;
    const rewards = [0, 0];
    const env: Env = {
      spec,
      reset(rng) {
        episode.begin(rng);
        bit = rng.integer(2);
      },
      step(actions) {
        episode.admit(actions);
        rewards[0] = bit;
        rewards[1] = actions[0];
        bit = episode.rng.uniform() < 0.8 ? actions[0] : 1 - actions[0];
        return episode.conclude(rewards[0] + rewards[1], false, rewards);
      },
      observe(out, at) {
        out[at] = out[at + 1] = bit;
      },
      state(out, at) {
        out[at] = bit;
      },
      available(out, at) {
        out.fill(1, at, at + 5);
      },
      dependency(out, at) {
        out.fill(-bit, at, at + 4);
      },
      snapshot: () => ({ episode: episode.snapshot(), bit }),
      restore(snapshot) {
        const saved = snapshot as { episode: never; bit: number };
        episode.restore(saved.episode);
        bit = saved.bit;
      },
      scene: () => ({ width: 1, height: 1, shapes: [{ kind: "circle", x: 0, y: bit, radius: 1 }] }),
      model: () => pushingModel(),
    };
    return { ...env, ...change(env) };
  };
}

function pushingModel(): FiniteModel {
  const towards = (bit: number) => (bit === 0 ? [0.8, 0.2] : [0.2, 0.8]);
  const firstActions = [0, 0, 0, 1, 1, 1];
  return {
    actions: [2, 3],
    states: 2,
    transition: Float64Array.from([...firstActions, ...firstActions].flatMap(towards)),
    reward: Float64Array.from([...firstActions, ...firstActions.map((action) => action + 1)]),
    initial: Float64Array.of(0.5, 0.5),
    discount: 0.9,
    observations: Float32Array.of(0, 0, 1, 1),
    stateFeatures: Float32Array.of(0, 1),
    dependency: Float32Array.of(0, 0, 0, 0, -1, -1, -1, -1),
  };
}

function failures(factory: EnvFactory): Record<string, string> {
  const { checks, passed } = checkEnv(factory, { episodes: 3, seed: 5 });
  const failed = checks.filter((check) => !check.passed);
  expect(passed).toBe(failed.every(({ required }) => !required));
  return Object.fromEntries(failed.map(({ name, detail }) => [name, detail]));
}

test("the little game itself conforms", () => {
  expect(failures(pushing())).toEqual({});
});

/** Changes the outcome of every step; `step` counts from 1 within the episode. */
const outcomes =
  (change: (outcome: ReturnType<Env["step"]>, step: number) => Partial<ReturnType<Env["step"]>>) =>
  (env: Env): Partial<Env> => {
    let step = 0;
    return {
      reset(rng) {
        step = 0;
        env.reset(rng);
      },
      step(actions) {
        const outcome = env.step(actions);
        step++;
        return { ...outcome, ...change(outcome, step) };
      },
    };
  };

/** Swallows errors about actions by clamping them into range. */
const lenient = (env: Env): Partial<Env> => ({
  step: (actions) =>
    env.step([0, 1].map((i) => Math.min(i + 1, Math.max(0, Math.trunc(Number(actions[i]) || 0))))),
});

/** Copies that share a count of their own. */
function withLeak(): EnvFactory {
  let leaked = 0;
  return pushing(outcomes((outcome) => ({ reward: outcome.reward + (leaked++ % 7) })));
}

/** One agent that says how to share. */
function sharing(change: (env: Env) => Partial<Env>): EnvFactory {
  return () => {
    const spec: EnvSpec = { ...pushing()().spec, agents: 1, actions: [{ kind: "simplex", size: 2 }] };
    const episode = createEpisode(spec);
    const rewards = [0];
    const env: Env = {
      spec,
      reset: (rng) => episode.begin(rng),
      step(actions) {
        episode.admit(actions);
        rewards[0] = actions[1] * episode.rng.uniform();
        return episode.conclude(rewards[0], false, rewards);
      },
      observe: (out, at) => void out.fill(0, at, at + 1),
      state: (out, at) => void out.fill(0, at, at + 1),
      snapshot: () => episode.snapshot(),
      restore: (snapshot) => episode.restore(snapshot),
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
    return { ...env, ...change(env) };
  };
}

test("an agent that says how to share conforms", () => {
  expect(failures(sharing(() => ({})))).toEqual({});
});

const defects: readonly [string, EnvFactory, string, string][] = [
  ["no agents", pushing(undefined, { agents: 0 }), "spec", "agents is 0"],
  ["too few action spaces", pushing(undefined, { actions: [] }), "spec", "0 action spaces for 2 agents"],
  [
    "an empty action space",
    pushing(undefined, {
      actions: [
        { kind: "discrete", n: 0 },
        { kind: "discrete", n: 3 },
      ],
    }),
    "spec",
    "action space of agent 0",
  ],
  [
    "an empty simplex",
    pushing(undefined, {
      actions: [
        { kind: "discrete", n: 2 },
        { kind: "simplex", size: 0 },
      ],
    }),
    "spec",
    'action space of agent 1 is {"kind":"simplex","size":0}',
  ],
  [
    "sizes of other agents",
    pushing(undefined, { observationSizes: [1] }),
    "spec",
    "observationSizes has 1 entries for 2 agents",
  ],
  [
    "half a number",
    pushing(undefined, { stateSizes: [0.5, 0.5] }),
    "spec",
    "stateSizes: entry 0 is 0.5, expected an integer",
  ],
  [
    "an observation larger than all",
    pushing(undefined, { observationSizes: [1, 2] }),
    "spec",
    "observationSizes: entry 1 is 2, more than observationSize 1",
  ],
  [
    "own states that are not the state",
    pushing(undefined, { stateSizes: [1, 1] }),
    "spec",
    "stateSizes sum to 2, expected stateSize 1",
  ],
  [
    "numbers behind an observation",
    pushing(undefined, { observationSizes: [1, 0] }),
    "random play",
    "observation of agent 1 has 1 behind its 0 numbers, expected 0",
  ],
  [
    "rewards that are not the team's",
    pushing(outcomes(() => ({ reward: 5 }))),
    "random play",
    "but the team's is 5",
  ],
  [
    "shares put right in silence",
    sharing((env) => ({
      step: (actions) => env.step(actions.length === 2 ? [1 - actions[1], actions[1]] : actions),
    })),
    "invalid actions",
    "accepts action -1 of agent 0",
  ],
  [
    "an observation too short",
    pushing(() => ({ observe: (out, at) => void out.fill(0, at, at + 1) })),
    "shapes",
    "observe leaves entry 1 of 2 unwritten",
  ],
  [
    "a state too long",
    pushing(() => ({ state: (out, at) => void out.fill(0, at, at + 2) })),
    "shapes",
    "state writes at 1, outside its 1 entries",
  ],
  [
    "a mask written from 0",
    pushing(() => ({ available: (out) => void out.fill(1, 0, 5) })),
    "shapes",
    "available writes at -3",
  ],
  [
    "an infinite observation",
    pushing(() => ({ observe: (out, at) => void out.fill(Infinity, at, at + 2) })),
    "random play",
    "observe: entry 0 is Infinity",
  ],
  [
    "different observations declared shared",
    pushing(() => ({
      observe(out, at) {
        out[at] = 0;
        out[at + 1] = 1;
      },
    })),
    "random play",
    "observation of agent 1 differs",
  ],
  [
    "an agent without actions",
    pushing(() => ({
      available(out, at) {
        out.fill(1, at, at + 2);
        out.fill(0, at + 2, at + 5);
      },
    })),
    "random play",
    "agent 1 has no available action",
  ],
  [
    "a mask of twos",
    pushing(() => ({ available: (out, at) => void out.fill(2, at, at + 5) })),
    "random play",
    "mask of agent 0 holds",
  ],
  [
    "a step that refuses an available action",
    pushing((env) => ({
      step(actions) {
        if (actions[1] === 2) throw new Error("not this one");
        return env.step(actions);
      },
    })),
    "random play",
    "threw: not this one",
  ],
  [
    "lopsided dependency",
    pushing(() => ({
      dependency(out, at) {
        for (let k = 0; k < 4; k++) out[at + k] = k;
      },
    })),
    "random play",
    "dependency of 1 and 0 is not symmetric",
  ],
  [
    "a reward that is not a number",
    pushing(outcomes(() => ({ reward: Number.NaN }))),
    "random play",
    "reward is NaN",
  ],
  [
    "missing rewards",
    pushing(outcomes(() => ({ rewards: undefined }))),
    "random play",
    "0 rewards for 2 agents",
  ],
  [
    "one reward infinite",
    pushing(outcomes(() => ({ rewards: [0, -Infinity] }))),
    "random play",
    "reward of agent 1 is -Infinity",
  ],
  [
    "success without a word what it is",
    pushing(outcomes(() => ({ success: true }))),
    "random play",
    "success is true, but the spec does not say what it is",
  ],
  [
    "no success at the end",
    pushing(undefined, { success: "the bit is 1" }),
    "random play",
    "step 6: success is undefined at the end of the episode",
  ],
  [
    "success before the end",
    pushing(
      outcomes(() => ({ success: false })),
      { success: "the bit is 1" },
    ),
    "random play",
    "step 1: success is false before the end of the episode",
  ],
  [
    "a side without a reward",
    pushing(() => ({ sideRewards: () => [1] }), { sides: ["left", "right"] }),
    "random play",
    "episode 0, step 1: 1 rewards for 2 sides",
  ],
  [
    "a side whose reward is no number",
    pushing(() => ({ sideRewards: () => [1, Number.NaN] }), { sides: ["left", "right"] }),
    "random play",
    "episode 0, step 1: reward of side right is NaN",
  ],
  [
    "two sides of one name",
    pushing(undefined, { sides: ["left", "left"] }),
    "spec",
    'sides are ["left","left"]',
  ],
  ["an empty success", pushing(undefined, { success: "" }), "spec", "success is not a non-empty string"],
  [
    "a success kept outside the snapshot",
    (() => {
      let ends = 0;
      return pushing(
        outcomes(({ truncated }) => (truncated ? { success: ends++ % 3 === 0 } : {})),
        { success: "every third episode" },
      );
    })(),
    "snapshot",
    "goes on differently after restoring",
  ],
  [
    "both ends at once",
    pushing(outcomes(({ truncated }) => ({ terminated: truncated }))),
    "random play",
    "both terminated and truncated",
  ],
  [
    "truncated too early",
    pushing(outcomes((_, step) => ({ truncated: step === 5 }))),
    "random play",
    "step 5: truncated before the horizon",
  ],
  [
    "never truncated",
    pushing(outcomes(() => ({ truncated: false }))),
    "random play",
    "step 6: goes on past the horizon",
  ],
  [
    "a step before reset",
    () => {
      const env = pushing()();
      env.reset(createRng(0));
      return env;
    },
    "order of calls",
    "step before reset does not throw",
  ],
  [
    "a step after the end",
    pushing((env) => {
      let stream: Rng | undefined;
      let ended = false;
      return {
        reset(rng) {
          stream = rng;
          ended = false;
          env.reset(rng);
        },
        step(actions) {
          if (ended) env.reset(stream!);
          const outcome = env.step(actions);
          ended = outcome.truncated;
          return outcome;
        },
      };
    }),
    "order of calls",
    "step after the end",
  ],
  [
    "actions put right in silence",
    pushing(lenient),
    "invalid actions",
    "accepts a joint action of 1 numbers",
  ],
  [
    "a refusal without names",
    pushing((env) => ({
      step(actions) {
        try {
          return env.step(actions);
        } catch {
          throw new Error("bad action");
        }
      },
    })),
    "invalid actions",
    'refuses action -1 of agent 0 without naming both: "bad action"',
  ],
  [
    "fractions accepted",
    pushing((env) => ({ step: (actions) => env.step(Array.from(actions, (a) => (a === 0.5 ? 0 : a))) })),
    "invalid actions",
    "accepts action 0.5 of agent 0",
  ],
  [
    "a refused action that draws",
    pushing((env) => {
      let stream: Rng | undefined;
      return {
        reset(rng) {
          stream = rng;
          env.reset(rng);
        },
        step(actions) {
          if (actions[1] === 3) stream?.next();
          return env.step(actions);
        },
      };
    }),
    "invalid actions",
    "a refused action changes the environment",
  ],
  ["randomness of its own", withLeak(), "same seed, same play", "two copies with the same seed"],
  [
    "a snapshot without the random stream",
    pushing((env) => ({
      snapshot: () => ({ ...(env.snapshot() as object), stream: null }),
      restore(snapshot) {
        const saved = snapshot as { episode: { rng: never }; bit: number };
        const now = env.snapshot() as { episode: { rng: never } };
        env.restore({ bit: saved.bit, episode: { ...saved.episode, rng: now.episode.rng } });
      },
    })),
    "snapshot",
    "snapshot is not the one taken",
  ],
  [
    "a restore that forgets the state",
    pushing((env) => ({
      restore(snapshot) {
        const now = env.snapshot() as { bit: number };
        env.restore({ ...(snapshot as object), bit: now.bit });
      },
    })),
    "snapshot",
    "snapshot is not the one taken",
  ],
  [
    "state kept outside the snapshot",
    pushing((env) => {
      let steps = 0;
      return {
        step(actions) {
          const outcome = env.step(actions);
          return { ...outcome, reward: outcome.reward + steps++ };
        },
      };
    }),
    "snapshot",
    "goes on differently after restoring",
  ],
  [
    "a scene of no size",
    pushing(() => ({ scene: () => ({ width: 0, height: 1, shapes: [] }) })),
    "scene",
    "size is 0 x 1",
  ],
  [
    "a shape nowhere",
    pushing(() => ({
      scene: () => ({ width: 1, height: 1, shapes: [{ kind: "circle", x: Number.NaN, y: 0, radius: 1 }] }),
    })),
    "scene",
    "shape 0: x is NaN",
  ],
  [
    "a shape that turns inside out later in the episode",
    pushing((env) => {
      let steps = 0;
      return {
        reset(rng) {
          steps = 0;
          env.reset(rng);
        },
        step(actions) {
          steps++;
          return env.step(actions);
        },
        scene: () => ({ width: 1, height: 1, shapes: [{ kind: "circle", x: 0, y: 0, radius: 1 - steps }] }),
      };
    }),
    "scene",
    "after 2 steps shape 0: radius is -1, expected at least 0",
  ],
  [
    "a shape that is more than there",
    pushing(() => ({
      scene: () => ({
        width: 1,
        height: 1,
        shapes: [{ kind: "text", x: 0, y: 0, text: "a", size: 1, opacity: 2 }],
      }),
    })),
    "scene",
    "opacity is 2, expected a number of [0, 1]",
  ],
  [
    "a table of the wrong size",
    pushing(() => ({ model: () => ({ ...pushingModel(), reward: new Float64Array(11) }) })),
    "model tables",
    "reward has 11 entries, expected 12",
  ],
  [
    "rows that do not sum to 1",
    pushing(() => ({ model: () => ({ ...pushingModel(), initial: Float64Array.of(1, 1) }) })),
    "model tables",
    "initial: row 0 sums to 2",
  ],
  [
    "other actions",
    pushing(() => ({ model: () => ({ ...pushingModel(), actions: [3, 2] }) })),
    "model tables",
    "actions are 3,2",
  ],
  [
    "no discount",
    pushing(() => ({ model: () => ({ ...pushingModel(), discount: 1 }) })),
    "model tables",
    "discount is 1",
  ],
  [
    "other observations",
    pushing(() => ({ model: () => ({ ...pushingModel(), observations: Float32Array.of(0, 0, 1, 0) }) })),
    "model agrees with play",
    "observe differs from the model in state 1",
  ],
  [
    "unknown states",
    pushing(() => ({ model: () => ({ ...pushingModel(), stateFeatures: Float32Array.of(0, 2) }) })),
    "model agrees with play",
    "state 1 is not in the model",
  ],
  [
    "other probabilities",
    pushing(() => ({
      model: () => ({
        ...pushingModel(),
        transition: pushingModel().transition.map((p) => (p > 0.5 ? 0.7 : 0.3)),
      }),
    })),
    "model agrees with play",
    "often than the model says",
  ],
  [
    "an impossible transition",
    pushing(() => ({
      model: () => ({
        ...pushingModel(),
        transition: pushingModel().transition.map((p) => (p > 0.5 ? 1 : 0)),
      }),
    })),
    "model agrees with play",
    "which the model excludes",
  ],
  [
    "one other reward",
    pushing(() => ({
      model: () => ({ ...pushingModel(), reward: pushingModel().reward.with(7, 1.001) }),
    })),
    "model agrees with play",
    "state 1, joint action 1 paid 1 on average, the model says 1.001",
  ],
];

/** An agent pays for how far its number is from 1/2, as it is or taken into [0, 1]. */
function clipping(taken: (action: number) => number): EnvFactory {
  const space = { kind: "box", size: 1, low: 0, high: 1, clips: true } as const;
  return pushing(
    (env) => ({
      step: (actions) => ({ ...env.step([0, 0]), reward: -Math.abs(taken(actions[0]) - 0.5) }),
      available: undefined,
      model: undefined,
    }),
    {
      rewards: "team",
      actions: [space, space],
    },
  );
}

test("clipped actions act as the nearest that exist", () => {
  const check = (factory: EnvFactory) =>
    checkEnv(factory).checks.find(({ name }) => name === "clipped actions");
  const sound = clipping((action) => Math.min(1, Math.max(0, action)));
  expect(check(sound)).toMatchObject({ passed: true });
  expect(check(clipping((action) => action))?.detail).toBe(
    "number 0 of agent 0 acts differently as -1 than as 0, but the space clips",
  );
  expect(check(clipping((action) => Math.max(0, action)))?.detail).toContain("as 2 than as 1");
  expect(check(pushing())).toBeUndefined();
});

test.each(defects)("caught: %s", (_defect, factory, check, detail) => {
  const failed = failures(factory);
  expect(Object.keys(failed)).toContain(check);
  expect(failed[check]).toContain(detail);
});

test("independence of the seed is only a warning", () => {
  const constant = pushing((env) => ({
    reset: () => env.reset(createRng(0)),
    model: undefined,
  }));
  const { checks, passed } = checkEnv(constant);
  const check = checks.find(({ name }) => name === "different seeds differ");
  expect(check).toMatchObject({ passed: false, required: false });
  expect(passed).toBe(checks.every(({ passed, required }) => passed || !required));
});

test("success where the game says what it is, and games without chance, are sound", () => {
  const known = pushing(
    outcomes(({ truncated, reward }) => (truncated ? { success: reward === 2 } : {})),
    { success: "the last step pays 2" },
  );
  expect(failures(known)).toEqual({});
  expect(failures(configureEnv(environments.parity).factory)).toEqual({});
});
