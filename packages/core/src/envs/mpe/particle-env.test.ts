import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { drawActions, jointActionSize } from "../actions.ts";
import { checkEnv } from "../conformance.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import { vectorise } from "../vectorise.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { particleEnvironments } from "./particle-environments.ts";
import { putStrayPenalty } from "./world.ts";

type Name = keyof typeof particleEnvironments;
const names = Object.keys(particleEnvironments) as Name[];
const opposed: readonly Name[] = ["mpe/push", "mpe/world-comm", "mpe/crypto", "mpe/tag", "mpe/adversary"];

const make = (name: Name, overrides: Record<string, unknown> = {}): ParticleEnv =>
  configureEnv(particleEnvironments[name] as EnvDefinition, overrides).factory() as ParticleEnv;

/** An environment in which everybody rests at the given places, with the landmarks far away unless given. */
function restAt(
  name: Name,
  places: readonly (readonly [number, number])[],
  overrides: Record<string, unknown> = {},
) {
  const env = make(name, overrides);
  env.reset(createRng(1));
  const { world, scenario } = env;
  const far = Array.from({ length: world.entities }, (_, k) => [10 + k, -10] as const);
  const at = far.map((elsewhere, body) => places[body] ?? elsewhere);
  env.load({
    x: at.map(([x]) => x),
    y: at.map(([, y]) => y),
    vx: new Float64Array(world.agents),
    vy: new Float64Array(world.agents),
    messages: new Float64Array(world.messages.length),
    secrets: scenario.secrets.map(() => 0),
  });
  return env;
}

describe("physics worked by hand", () => {
  test("a push changes the velocity now and the position a step later", () => {
    const env = restAt("mpe/reference", [
      [0.5, 0],
      [0, 0],
    ]);
    env.step([2, 0]);
    expect([env.world.x[0], env.world.vx[0]]).toEqual([0.5, 0.5]);
    env.step([0, 0]);
    expect(env.world.x[0]).toBeCloseTo(0.55, 15);
    expect(env.world.vx[0]).toBe(0.375);
    // Left, down and up: against each axis and along it.
    env.step([1, 3]);
    expect(env.world.vx[0]).toBeCloseTo(0.375 * 0.75 - 0.5, 15);
    expect(env.world.vy[1]).toBe(-0.5);
    env.step([0, 4]);
    expect(env.world.vy[1]).toBeCloseTo(0.125, 15);
  });

  test("the older integrator moves with the new velocity", () => {
    const env = restAt("mpe/reference", [[0.5, 0]], { integrator: "velocityFirst" });
    env.step([2, 0]);
    expect(env.world.x[0]).toBeCloseTo(0.55, 15);
    expect(env.world.vx[0]).toBe(0.5);
    env.step([0, 0]);
    expect(env.world.x[0]).toBeCloseTo(0.5875, 15);
  });

  test("a pursuer gains speed up to its limit", () => {
    const env = restAt("mpe/tag", [[0, 0]]);
    const speeds = Array.from({ length: 8 }, () => {
      env.step([2, 0, 0, 0]);
      return env.world.vx[0];
    });
    const expected = [0.3, 0.525, 0.69375, 0.8203125, 0.915234375, 0.98642578125, 1, 1];
    for (const [t, speed] of expected.entries()) expect(speeds[t]).toBeCloseTo(speed, 14);
  });

  test("two agents that overlap push each other apart", () => {
    const env = restAt("mpe/spread", [
      [0, 0],
      [0.2, 0],
      [5, 5],
    ]);
    const { rewards } = env.step([0, 0, 0]);
    expect(env.world.vx[0]).toBeCloseTo(-1, 12);
    expect(env.world.vx[1]).toBeCloseTo(1, 12);
    expect([...env.world.x.subarray(0, 2)]).toEqual([0, 0.2]);
    // Of the two, each has collided with one other; the third has not.
    expect(rewards?.[0]).toBeCloseTo((rewards?.[2] as number) - 0.5, 12);
  });

  test("at the distance of their sizes the force is C k log 2, and in one point there is none", () => {
    const env = restAt("mpe/spread", [
      [0, 0],
      [0, 0.3],
      [5, 5],
    ]);
    env.step([0, 0, 0]);
    expect(env.world.vy[1]).toBeCloseTo(0.1 * 100 * 0.001 * Math.LN2, 12);
    const one = restAt("mpe/spread", [
      [0.25, 0.5],
      [0.25, 0.5],
      [5, 5],
    ]);
    one.step([0, 2, 0]);
    expect([...one.world.vx]).toEqual([0, 0.5, 0]);
    expect([...one.world.vy]).toEqual([0, 0, 0]);
  });

  test("obstacles push and stay where they are", () => {
    const env = restAt("mpe/tag", [
      [0, 0],
      [3, 3],
      [4, 4],
      [5, 5],
      [0.2, 0],
    ]);
    env.step([0, 0, 0, 0]);
    // 0.075 deep: 7.5 along -x for a tenth of a second, within the limit of 1.
    expect(env.world.vx[0]).toBeCloseTo(-0.75, 12);
    expect(env.world.x[4]).toBe(0.2);
  });

  test("straying costs nothing until .9 and at most 10", () => {
    const penalty = (coordinate: number): number => {
      const out = new Float64Array(1);
      putStrayPenalty(Float64Array.of(coordinate), 0, out, 0);
      return out[0];
    };
    expect(penalty(-0.899)).toBe(0);
    expect(penalty(0.95)).toBeCloseTo(0.5, 12);
    expect(penalty(1)).toBe(1);
    expect(penalty(-1.5)).toBeCloseTo(Math.E, 12);
    expect(penalty(3)).toBe(10);
  });

  test("continuous actions are taken into [0, 1] and their first number has no effect", () => {
    const actions = { actions: "continuous" };
    const [env, inside] = [
      restAt("mpe/reference", [[0, 0]], actions),
      restAt("mpe/reference", [[0, 0]], actions),
    ];
    const wild = new Array(30).fill(0);
    wild.splice(0, 7, 0.5, -3, 2, 0.25, Infinity, -1, 7);
    env.step(wild);
    const tame = new Array(30).fill(0);
    tame.splice(0, 7, 0, 0, 1, 0.25, 1, 0, 1);
    inside.step(tame);
    expect(env.world).toEqual(inside.world);
    expect([env.world.vx[0], env.world.vy[0]]).toEqual([0.5, 0.375]);
    expect([...env.world.messages.subarray(0, 3)]).toEqual([0, 1, 0]);
  });
});

describe("spaces", () => {
  const sizes = (env: ParticleEnv) =>
    env.spec.actions.map((space) => (space.kind === "discrete" ? space.n : space.size)).join();

  test.each([
    ["mpe/reference", "50,50", "15,15", "21,21", 42],
    ["mpe/push", "5,5", "5,5", "8,19", 27],
    ["mpe/world-comm", "20,5,5,5,5,5", "9,5,5,5,5,5", "34,34,34,34,28,28", 192],
    ["mpe/speaker-listener", "3,5", "3,5", "3,11", 14],
    ["mpe/crypto", "4,4,4", "4,4,4", "4,8,8", 20],
    ["mpe/tag", "5,5,5,5", "5,5,5,5", "16,16,16,14", 62],
    ["mpe/spread", "5,5,5", "5,5,5", "18,18,18", 54],
    ["mpe/adversary", "5,5,5", "5,5,5", "8,10,10", 28],
  ] as const)("%s: %s discrete, %s continuous, observes %s, state of %i", (name, n, m, observed, state) => {
    const env = make(name);
    expect(sizes(env)).toBe(n);
    expect(sizes(make(name, { actions: "continuous" }))).toBe(m);
    expect(env.spec.observationSizes?.join()).toBe(observed);
    expect(env.spec.stateSize).toBe(state);
  });

  test("other numbers of bodies, by the general formulas", () => {
    const observed = (name: Name, overrides: object) =>
      make(name, { ...overrides }).spec.observationSizes?.join();
    expect(observed("mpe/tag", { goodAgents: 2, adversaries: 1, obstacles: 3 })).toBe("18,16,16");
    const comm = { goodAgents: 1, adversaries: 2, obstacles: 0, food: 1, forests: 3 };
    expect(observed("mpe/world-comm", comm)).toBe("25,25,19");
    expect(observed("mpe/spread", { agents: 5 })).toBe(new Array(5).fill(4 + 10 + 8 + 8).join());
    expect(observed("mpe/adversary", { goodAgents: 4 })).toBe("16,18,18,18,18");
    const near = { agentNeighbours: 2, landmarkNeighbours: 4 };
    expect(observed("mpe/tag", near)).toBe("20,20,20,20");
    expect(observed("mpe/spread", near)).toBe("20,20,20");
    expect(observed("mpe/adversary", near)).toBe("12,14,14");
  });

  test("the state is what the agents observe, without padding", () => {
    const env = make("mpe/push");
    env.reset(createRng(2));
    const [seen, state] = [new Float32Array(2 * 19), new Float32Array(27)];
    env.observe(seen, 0);
    env.state(state, 0);
    expect([...state]).toEqual([...seen.subarray(0, 8), ...seen.subarray(19)]);
    expect([...seen.subarray(8, 19)]).toEqual(new Array(11).fill(0));
    expect([...state]).toEqual([...Float32Array.from(env.views)]);
  });
});

describe("conformance", () => {
  const settings: [Name, Record<string, unknown>][] = [
    ...names.flatMap((name): [Name, Record<string, unknown>][] => [
      [name, {}],
      [name, { actions: "continuous", rewards: "individual" }],
    ]),
    ...opposed.flatMap((name): [Name, Record<string, unknown>][] => [
      [name, { protocol: "team", horizon: 9 }],
      [name, { protocol: "team", opponents: "random", rewards: "individual", horizon: 9 }],
      [name, { protocol: "team", opponents: "noop", actions: "continuous", rewards: "mean", horizon: 9 }],
    ]),
    [
      "mpe/tag",
      { terminateOnSuccess: true, goodAgents: 2, adversaries: 5, curriculum: 0, agentNeighbours: 3 },
    ],
    [
      "mpe/spread",
      { terminateOnSuccess: true, agents: 2, landmarkNeighbours: 1, curriculum: 0, localRatio: 0 },
    ],
    ["mpe/adversary", { agentNeighbours: 3, landmarkNeighbours: 1 }],
    ["mpe/world-comm", { goodAgents: 1, adversaries: 1, obstacles: 0, food: 1, forests: 0 }],
    ["mpe/reference", { integrator: "velocityFirst", localRatio: 1, horizon: 1 }],
  ];
  test.each(settings)("%s conforms: %o", (name, overrides) => {
    const { factory } = configureEnv(particleEnvironments[name] as EnvDefinition, overrides);
    const { checks } = checkEnv(factory, { episodes: 2, seed: 3 });
    // With four layouts, two seeds of Crypto may look the same: that check is not required.
    expect(checks.filter(({ passed, required }) => required && !passed)).toEqual([]);
  });
});

describe("protocols and rewards", () => {
  test("every specification names them", () => {
    expect(make("mpe/tag").spec.id).toBe("mpe/tag-v3 (joint, sum)");
    expect(make("mpe/speaker-listener", { rewards: "mean" }).spec.id).toBe(
      "mpe/speaker-listener-v4 (joint, mean)",
    );
    expect(make("mpe/tag", { protocol: "team" }).spec.id).toBe("mpe/tag-v3 (team against scripted, sum)");
    expect(make("mpe/push", { protocol: "team", opponents: "noop", rewards: "individual" }).spec.id).toBe(
      "mpe/push-v3 (team against noop, individual)",
    );
  });

  test.each([
    ["mpe/push", "5", 1],
    ["mpe/world-comm", "20,5,5,5", 4],
    ["mpe/crypto", "4,4", 2],
    ["mpe/tag", "5,5,5", 3],
    ["mpe/adversary", "5,5", 2],
  ] as const)("the team of %s", (name, actions, agents) => {
    const { spec } = make(name, { protocol: "team" });
    expect(spec.actions.map((space) => (space.kind === "discrete" ? space.n : 0)).join()).toBe(actions);
    expect(spec.agents).toBe(agents);
  });

  test("under the joint sum, terms of the two sides cancel as they should", () => {
    const play = (name: Name, overrides: Record<string, unknown> = {}) => {
      const env = make(name, overrides);
      const rng = createRng(5);
      env.reset(rng);
      const actions = new Float64Array(jointActionSize(env.spec));
      const totals: { reward: number; env: ParticleEnv }[] = [];
      for (let t = 0; t < 20; t++) {
        drawActions(env.spec, rng, actions);
        totals.push({ reward: env.step(actions).reward, env });
      }
      return { env, last: totals[19].reward };
    };
    const between = ({ world }: ParticleEnv, i: number, j: number) =>
      Math.hypot(world.x[i] - world.x[j], world.y[i] - world.y[j]);
    const push = play("mpe/push");
    expect(push.last).toBeCloseTo(-between(push.env, 0, 2 + push.env.scenario.secrets[0]), 12);
    for (const localRatio of [0.2, 1]) {
      const { env, last } = play("mpe/reference", { localRatio });
      const [g0, g1] = env.scenario.secrets;
      expect(last).toBeCloseTo(-between(env, 1, 2 + g0) - between(env, 0, 2 + g1), 12);
    }
    const listener = play("mpe/speaker-listener");
    const away = between(listener.env, 1, 2 + listener.env.scenario.secrets[0]);
    expect(listener.last).toBeCloseTo(-2 * away ** 2, 12);
    const guarded = play("mpe/adversary");
    const goal = 3 + guarded.env.scenario.secrets[0];
    const nearest = Math.min(between(guarded.env, 1, goal), between(guarded.env, 2, goal));
    expect(guarded.last).toBeCloseTo(between(guarded.env, 0, goal) - 2 * nearest, 12);
  });

  test.each(opposed)("rewards of both sides of %s are told, however the team is rewarded", (name) => {
    const adversaries = name === "mpe/tag" ? 3 : name === "mpe/world-comm" ? 4 : 1;
    for (const overrides of [{}, { rewards: "mean" }, { protocol: "team", opponents: "random" }]) {
      const batch = vectorise(() => make(name, overrides), 1, createRng(3));
      const shadow = make(name, overrides);
      const stream = createRng(3).split("0");
      shadow.reset(stream);
      const choices = createRng("actions");
      const actions = new Int32Array(jointActionSize(batch.spec));
      const expected = [0, 0];
      let team = 0;
      for (let t = 0; t < 25; t++) {
        drawActions(batch.spec, choices, actions);
        batch.step(actions);
        team += shadow.step(actions).reward;
        for (const [i, reward] of shadow.ownRewards.entries()) expected[i < adversaries ? 0 : 1] += reward;
      }
      expect(batch.spec.sides).toEqual(["adversaries", "good-agents"]);
      expect(batch.truncated[0]).toBe(1);
      expect([...batch.sideReturns!]).toEqual([
        expect.closeTo(expected[0], 9),
        expect.closeTo(expected[1], 9),
      ]);
      if (Object.keys(overrides).length === 0) expect(expected[0] + expected[1]).toBeCloseTo(team, 9);
    }
    expect(make("mpe/spread").spec.sides).toBeUndefined();
  });

  test("returns of sides go on from a snapshot", () => {
    const factory = () => make("mpe/tag");
    const batch = vectorise(factory, 2, createRng(1));
    const other = vectorise(factory, 2, createRng(2));
    const choices = createRng("actions");
    const actions = new Int32Array(8);
    const play = (...batches: (typeof batch)[]): void => {
      drawActions(batch.spec, choices, actions.subarray(0, 4));
      drawActions(batch.spec, choices, actions.subarray(4));
      for (const each of batches) each.step(actions);
    };
    for (let t = 0; t < 60; t++) {
      if (t === 20 || t === 50) other.restore(JSON.parse(JSON.stringify(batch.snapshot())));
      play(batch, ...(t < 20 ? [] : [other]));
      if (t >= 24) expect(other.sideReturns).toEqual(batch.sideReturns);
    }
    expect(batch.sideReturns!.some((value) => value !== 0)).toBe(true);
  });

  test("sum, mean and individual", () => {
    const start = [
      [0, 0],
      [0.1, 0],
      [3, 3],
      [0.02, 0.02],
    ] as const;
    const outcome = (overrides: Record<string, unknown>) => {
      const { reward, rewards } = restAt("mpe/tag", start, overrides).step(
        overrides.protocol === "team" ? [0, 0, 0] : [0, 0, 0, 0],
      );
      return { reward, rewards: rewards && [...Array.from(rewards)] };
    };
    expect(outcome({})).toEqual({ reward: 40, rewards: [20, 20, 20, -20] });
    expect(outcome({ rewards: "mean" })).toEqual({ reward: 10, rewards: undefined });
    expect(outcome({ rewards: "individual" })).toEqual({ reward: 40, rewards: [20, 20, 20, -20] });
    expect(outcome({ protocol: "team", opponents: "noop" })).toEqual({ reward: 60, rewards: [20, 20, 20] });
    expect(outcome({ protocol: "team", rewards: "mean" }).reward).toBe(20);
  });
});

describe("bad input is one line", () => {
  test("actions: which agent, which value, which step", () => {
    const env = restAt("mpe/speaker-listener", [[0, 0]]);
    env.step([2, 4]);
    const game = "mpe/speaker-listener-v4 \\(joint, sum\\): ";
    expect(() => env.step([3, 0])).toThrow(
      new RegExp(`^${game}action of agent 0 is 3, expected an integer 0..2 \\(step 1\\)$`),
    );
    expect(() => env.step([0, 1.5])).toThrow("agent 1 is 1.5, expected an integer 0..4 (step 1)");
    expect(() => env.step([0])).toThrow("joint action has 1 numbers, expected 2 (step 1)");
    const free = restAt("mpe/speaker-listener", [[0, 0]], { actions: "continuous" });
    expect(() => free.step([0, 0, 0, 0, Number.NaN, 0, 0, 0])).toThrow(
      "action of agent 1 is NaN, expected a number (step 0)",
    );
  });

  test("snapshots of another game, and moments that are none", () => {
    const [tag, spread] = [make("mpe/tag"), make("mpe/spread")];
    tag.reset(createRng(0));
    spread.reset(createRng(0));
    expect(() => tag.restore(spread.snapshot())).toThrow(
      "mpe/tag-v3 (joint, sum): cannot go on from a snapshot of mpe/spread-v3 (joint, sum)",
    );
    const larger = make("mpe/spread", { agents: 4 });
    larger.reset(createRng(0));
    const before = JSON.stringify(spread.snapshot());
    expect(() => spread.restore(larger.snapshot())).toThrow("x has 8 entries, expected 6");
    const { moment } = JSON.parse(before);
    expect(() => spread.load({ ...moment, vy: [0, Number.NaN, 0] })).toThrow(
      "vy holds NaN, expected finite numbers",
    );
    const push = make("mpe/push");
    push.reset(createRng(0));
    const { moment: pushed } = JSON.parse(JSON.stringify(push.snapshot()));
    expect(() => push.load({ ...pushed, secrets: [2] })).toThrow("secrets hold 2, expected landmarks 0..1");
    expect(JSON.stringify(spread.snapshot())).toBe(before);
  });

  test("settings", () => {
    const refused: readonly [Name, Record<string, unknown>, string][] = [
      [
        "mpe/spread",
        { agents: 0 },
        "mpe/spread.agents: expected an integer at least 1 and at most 1000 (got 0)",
      ],
      ["mpe/tag", { adversaries: 1.5 }, "mpe/tag.adversaries: expected an integer"],
      ["mpe/spread", { protocol: "team" }, 'mpe/spread.protocol: expected "joint" (got "team")'],
      ["mpe/tag", { opponents: "random" }, "mpe/tag.opponents: expected protocol=team beside it"],
      ["mpe/spread", { local_ratio: 0.3 }, 'Did you mean "localRatio"?'],
      [
        "mpe/reference",
        { localRatio: 2 },
        "mpe/reference.localRatio: expected a number at least 0 and at most 1",
      ],
      ["mpe/tag", { curriculum: 3 }, "mpe/tag.curriculum: expected one of 0, 1, 2 (got 3)"],
    ];
    for (const [name, overrides, message] of refused) expect(() => make(name, overrides)).toThrow(message);
  });
});

describe("options", () => {
  test("Tag ends when all prey is caught, but not by itself at the time limit", () => {
    const start = [
      [0, 0],
      [3, 3],
      [4, 4],
      [0.05, 0],
      [5, 5],
    ] as const;
    const settings = { goodAgents: 2, terminateOnSuccess: true, horizon: 2 };
    const one = restAt("mpe/tag", start, settings);
    expect(one.step([0, 0, 0, 0, 0])).toMatchObject({ terminated: false, success: undefined });
    const all = restAt("mpe/tag", [...start.slice(0, 4), [-0.05, 0]], settings);
    expect(all.step([0, 0, 0, 0, 0])).toMatchObject({ terminated: true, truncated: false, success: true });
    const late = restAt("mpe/tag", [...start.slice(0, 4), [-0.05, 0]], { ...settings, horizon: 1 });
    expect(late.step([0, 0, 0, 0, 0])).toMatchObject({ terminated: false, truncated: true, success: true });
  });

  test("Spread ends when each landmark is covered", () => {
    const settings = { agents: 2, terminateOnSuccess: true };
    const covered = [
      [0, 0],
      [1, 0],
      [0.09, 0],
      [1, 0.09],
    ] as const;
    expect(restAt("mpe/spread", covered, settings).step([0, 0])).toMatchObject({
      terminated: true,
      success: true,
    });
    const missed = [...covered.slice(0, 3), [1, 0.1]] as const;
    expect(restAt("mpe/spread", missed, settings).step([0, 0])).toMatchObject({ terminated: false });
  });

  test("stages of the curriculum", () => {
    const slow = restAt(
      "mpe/tag",
      [
        [3, 3],
        [4, 4],
        [5, 5],
        [0, 0],
      ],
      { curriculum: 0, horizon: 99 },
    );
    slow.step([0, 0, 0, 2]);
    expect(slow.world.vx[3]).toBeCloseTo(0.2, 15);
    const crowd = [
      [0, 0],
      [0.01, 0],
      [0, 0.01],
      [0, 0],
    ] as const;
    const { reward } = restAt("mpe/spread", crowd, { curriculum: 0 }).step([0, 0, 0]);
    expect(reward).toBeCloseTo(restAt("mpe/spread", crowd).step([0, 0, 0]).reward + 3, 12);
  });

  test("the nearest come first, with zeros for missing ones", () => {
    const places = [
      [0, 0],
      [0.5, 0],
      [-0.2, 0],
      [0, 0.4],
      [0.3, 0.3],
      [0, -0.1],
    ] as const;
    const view = (overrides: Record<string, unknown>) => [...restAt("mpe/tag", places, overrides).views];
    const two = view({ agentNeighbours: 2, landmarkNeighbours: 1 }).slice(0, 14);
    // Velocity, position, nearest obstacle, nearest two agents, their velocities.
    expect(two).toEqual([0, 0, 0, 0, 0, -0.1, -0.2, 0, 0, 0.4, 0, 0, 0, 0]);
    const more = view({ agentNeighbours: 4, landmarkNeighbours: 3 }).slice(0, 18);
    expect(more).toEqual([0, 0, 0, 0, 0, -0.1, 0.3, 0.3, 0, 0, -0.2, 0, 0, 0.4, 0.5, 0, 0, 0]);
    const moving = restAt("mpe/tag", places, { agentNeighbours: 2 });
    moving.step([0, 0, 0, 4]);
    expect([...moving.views.subarray(12, 16)]).toEqual([0, 0, moving.world.vx[3], moving.world.vy[3]]);
  });
});

test("forests hide, and flags come after velocities for pursuers and before them for prey", () => {
  // Leader in the open, pursuer 1 and prey 4 in one forest, pursuer 2 in the other, pursuer 3 and prey 5 in the open.
  const env = restAt("mpe/world-comm", [
    [2, 2],
    [0.1, 0],
    [5, 5.1],
    [3, 3],
    [-0.1, 0],
    [1, -3],
    [20, 20],
    [21, 20],
    [22, 20],
    [0, 0],
    [5, 5],
  ]);
  env.step([5 * 3 + 2, 0, 0, 0, 4, 2]);
  const view = (agent: number) => {
    const from = agent < 4 ? 34 * agent : 136 + 28 * (agent - 4);
    return [...env.views.subarray(from, from + (agent < 4 ? 34 : 28))];
  };
  const shown = (agent: number) =>
    [0, 1, 2, 3, 4]
      .map((k) =>
        view(agent)
          .slice(14 + 2 * k, 16 + 2 * k)
          .some((v) => v !== 0)
          ? 1
          : 0,
      )
      .join("");
  expect([0, 1, 2, 3, 4, 5].map(shown)).toEqual(["11111", "00010", "00000", "10001", "01000", "10010"]);
  const { vx, vy } = env.world;
  const word = [0, 0, 0, 1];
  expect(view(0).slice(24)).toEqual([vx[4], vy[4], vx[5], vy[5], -1, -1, ...word]);
  expect(view(1).slice(24)).toEqual([vx[4], vy[4], 0, 0, 1, -1, ...word]);
  expect(view(2).slice(24)).toEqual([0, 0, 0, 0, -1, 1, ...word]);
  expect(view(4).slice(24)).toEqual([1, -1, 0, 0]);
  expect(view(5).slice(24)).toEqual([-1, -1, 0, 0]);
});

test("silence is no error in Crypto, and other messages are measured", () => {
  const env = restAt("mpe/crypto", [], { actions: "continuous" });
  const quiet = env.step([-1, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0]);
  expect(Array.from(quiet.rewards ?? [])).toEqual([-0, -0.25, -0.25]);
  const wrong = env.step([0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  expect(Array.from(wrong.rewards ?? [])).toEqual([-2, 2, 2]);
});

test("any play is repeated by a batch, and goes on the same from a snapshot", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(), fc.nat(20), (name, seed, steps) => {
      const { factory } = configureEnv(particleEnvironments[name] as EnvDefinition);
      const batch = vectorise(factory, 2, createRng(seed));
      const [one, other] = [factory(), factory()];
      one.reset(createRng(seed).split("1"));
      other.reset(createRng(0));
      const rng = createRng(seed).split("actions");
      const actions = new Int32Array(2 * one.spec.agents);
      const half = actions.subarray(one.spec.agents);
      for (let t = 0; t < steps; t++) {
        drawActions(one.spec, rng, half);
        batch.step(actions);
        expect(one.step(half).reward).toBe(batch.rewards[1]);
      }
      other.restore(JSON.parse(JSON.stringify(one.snapshot())));
      drawActions(one.spec, rng, half);
      expect(other.step(half).reward).toBe(one.step(half).reward);
      const [seen, again] = [one, other].map((env) => {
        const out = new Float32Array(env.spec.stateSize);
        env.state(out, 0);
        return out;
      });
      expect(again).toEqual(seen);
    }),
    { numRuns: 60 },
  );
});
