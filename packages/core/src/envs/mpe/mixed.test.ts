/** Opponents that somebody else plays (`protocol=mixed`). */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { drawActions, jointActionSize } from "../actions.ts";
import { checkEnv } from "../conformance.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import { vectorise } from "../vectorise.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { particleEnvironments } from "./particle-environments.ts";

type Name = keyof typeof particleEnvironments;
const opposed = ["mpe/push", "mpe/world-comm", "mpe/crypto", "mpe/tag", "mpe/adversary"] as const;

const factoryOf = (name: Name, settings: Record<string, unknown>) =>
  configureEnv(particleEnvironments[name] as EnvDefinition, settings).factory;
const make = (name: Name, settings: Record<string, unknown>) => factoryOf(name, settings)() as ParticleEnv;

/** What the team sees and gets in an episode and a half, its opponents told what to do or not. */
function play(env: ParticleEnv, told?: number[]): readonly (readonly number[])[] {
  const { spec } = env;
  const actions = new Float64Array(jointActionSize(spec));
  const choices = createRng("choices");
  const rng = createRng("episodes");
  const observations = new Float32Array(spec.agents * spec.observationSize);
  const state = new Float32Array(spec.stateSize);
  const seen: number[][] = [];
  for (let t = 0; t < 37; t++) {
    if (t % 25 === 0) env.reset(rng);
    drawActions(spec, choices, actions);
    const { reward, rewards = [] } = env.step(actions, told);
    env.observe(observations, 0);
    env.state(state, 0);
    seen.push([reward, ...Array.from(rewards), ...Array.from(env.sideRewards!()), ...observations, ...state]);
  }
  return seen;
}

describe.each(opposed)("%s", (name) => {
  const mixed = make(name, { protocol: "mixed" });
  const rivals = mixed.rivals!;

  test("is to the team what it is under protocol=team", () => {
    const { id, ...spec } = make(name, { protocol: "team" }).spec;
    expect(mixed.spec).toEqual({
      ...spec,
      id: expect.stringMatching(/^mpe\/.*\(mixed: team against Q-learners, sum\)$/),
    });
    expect(mixed.spec.id).not.toBe(id);
    // Told to do nothing, or not told at all, opponents are those that do nothing or what chance wants.
    const idle = rivals.names.map(() => 0);
    for (const settings of [{}, { rewards: "individual" }, { actions: "continuous", rewards: "mean" }]) {
      const against = (opponents: string) => make(name, { protocol: "team", opponents, ...settings });
      const learning = () => make(name, { protocol: "mixed", ...settings });
      expect(play(learning(), idle)).toEqual(play(against("noop")));
      expect(play(learning())).toEqual(play(against("random")));
    }
  });

  test("shows opponents and pays them as it does where all are one team", () => {
    const joint = make(name, { rewards: "individual" });
    const { world } = joint;
    const whole = Array.from({ length: world.agents }, (_, i) => i);
    const others = whole.filter((i) => rivals.names.includes(world.bodies[i].name));
    const team = whole.filter((i) => !others.includes(i));
    expect(others).toHaveLength(rivals.names.length);
    expect(rivals.spec).toMatchObject({
      agents: others.length,
      stateSize: 0,
      rewards: "individual",
      horizon: 25,
    });
    expect(rivals.spec.actions).toEqual(others.map((i) => joint.spec.actions[i]));
    const sizes = others.map((i) => joint.spec.observationSizes![i]);
    expect(rivals.spec.observationSizes).toEqual(sizes);

    joint.reset(createRng(2));
    mixed.reset(createRng(2));
    const choices = createRng("choices");
    const actions = new Int32Array(world.agents);
    const all = new Float32Array(world.agents * joint.spec.observationSize);
    const theirs = new Float32Array(others.length * rivals.spec.observationSize);
    for (let t = 0; t < 25; t++) {
      joint.observe(all, 0);
      rivals.observe(theirs, 0);
      for (const [k, i] of others.entries()) {
        const row = all.subarray(i * joint.spec.observationSize).subarray(0, rivals.spec.observationSize);
        expect(theirs.slice(k * row.length, (k + 1) * row.length)).toEqual(row.slice());
      }
      drawActions(joint.spec, choices, actions);
      const { rewards = [] } = joint.step(actions);
      mixed.step(
        team.map((i) => actions[i]),
        others.map((i) => actions[i]),
      );
      expect([...(rivals.rewards() as Float64Array)]).toEqual(others.map((i) => rewards[i]));
    }
  });

  test("refuses what opponents cannot do, by name, and is as before", () => {
    mixed.reset(createRng(0));
    const actions = new Float64Array(jointActionSize(mixed.spec));
    const before = JSON.stringify(mixed.snapshot());
    const many = rivals.spec.actions[0] as { readonly n: number };
    const told = (first: number) => rivals.names.map((_, k) => (k === 0 ? first : 0));
    expect(() => mixed.step(actions, told(many.n))).toThrow(
      `opponents: action of agent 0 is ${many.n}, expected an integer 0..${many.n - 1} (step 0)`,
    );
    expect(() => mixed.step(actions, [...told(0), 0])).toThrow("opponents: joint action has");
    expect(JSON.stringify(mixed.snapshot())).toBe(before);
  });

  test("keeps what environments promise, with opponents left to chance", () => {
    const { checks } = checkEnv(factoryOf(name, { protocol: "mixed" }), { episodes: 2 });
    expect(checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain("rivals");
  });
});

test("the check of an environment finds rivals that are not as described", () => {
  const env = make("mpe/tag", { protocol: "mixed" });
  const found = (flaw: Partial<NonNullable<typeof env.rivals>>) => {
    const factory = () => {
      const whole = make("mpe/tag", { protocol: "mixed" });
      return { ...whole, rivals: { ...whole.rivals!, ...flaw } };
    };
    return checkEnv(factory, { episodes: 1 }).checks.find(({ name }) => name === "rivals")!.detail;
  };
  const { rivals } = env;
  expect(found({})).toBe("ok");
  expect(found({ names: [] })).toBe("0 names for 1 rivals");
  expect(found({ rewards: () => [0, 0] })).toBe("threw: rewards are 0,0");
  expect(found({ observe: (out, at) => out.fill(1, at, at + 3) })).toBe(
    "threw: observations are not all finite",
  );
  expect(found({ observe: (out) => out.fill(1) })).toBe("threw: observe writes outside");
  expect(found({ spec: { ...rivals!.spec, actions: [] } })).toBe("0 action spaces for 1 agents");
  let calls = 0;
  const moody = () => [calls++];
  expect(found({ rewards: moody })).toBe("two copies whose rivals do the same differ");
});

test("a batch steps opponents with the team, shows both, and goes on from a snapshot", () => {
  const factory = factoryOf("mpe/world-comm", { protocol: "mixed" });
  const batch = vectorise(factory, 3, createRng(4), { rivals: true });
  const other = vectorise(factory, 3, createRng(5), { rivals: true });
  const alone = Array.from({ length: 3 }, (_, b) => {
    const env = factory();
    const rng = createRng(4).split(String(b));
    env.reset(rng);
    return { env, rng };
  });
  const { spec, names } = batch.rivals!;
  expect(names).toEqual(["agent_0", "agent_1"]);
  const width = spec.agents * spec.observationSize;
  const choices = createRng("choices");
  const [actions, theirs] = [new Int32Array(3 * 4), new Int32Array(3 * 2)];
  const seen = new Float32Array(width);
  for (let t = 1; t <= 60; t++) {
    for (let b = 0; b < 3; b++) {
      drawActions(batch.spec, choices, actions.subarray(4 * b, 4 * (b + 1)));
      drawActions(spec, choices, theirs.subarray(2 * b, 2 * (b + 1)));
    }
    if (t === 26 || t === 40) {
      other.restore(JSON.parse(JSON.stringify(batch.snapshot())));
      expect(other.rivals!.observations).toEqual(batch.rivals!.observations);
      expect(other.rivals!.individualRewards).toEqual(batch.rivals!.individualRewards);
      expect(other.rivals!.rewards).toEqual(batch.rivals!.rewards);
      if (t === 26) expect(other.rivals!.finalObservations).toEqual(batch.rivals!.finalObservations);
    }
    batch.step(actions, theirs);
    if (t >= 26) other.step(actions, theirs);
    for (const [b, { env, rng }] of alone.entries()) {
      env.step(actions.subarray(4 * b, 4 * (b + 1)), theirs.subarray(2 * b, 2 * (b + 1)));
      const own = [...(env.rivals!.rewards() as Float64Array)];
      expect([...batch.rivals!.individualRewards.subarray(2 * b, 2 * (b + 1))]).toEqual(own);
      expect(batch.rivals!.rewards[b]).toBe(own[0] + own[1]);
      if (t % 25 === 0) {
        env.rivals!.observe(seen, 0);
        expect(batch.rivals!.finalObservations.slice(b * width, (b + 1) * width)).toEqual(seen);
        env.reset(rng);
      }
      env.rivals!.observe(seen, 0);
      expect(batch.rivals!.observations.slice(b * width, (b + 1) * width)).toEqual(seen);
    }
    if (t >= 26)
      expect({ ...other.rivals, finalObservations: 0 }).toEqual({ ...batch.rivals, finalObservations: 0 });
  }
});

test("whoever cannot play opponents that learn is refused, and whoever forgets to", () => {
  const factory = factoryOf("mpe/tag", { protocol: "mixed" });
  expect(() => vectorise(factory, 2, createRng(0))).toThrow(
    "mpe/tag-v3 (mixed: team against Q-learners, sum): has opponents that learn (agent_0), which nobody trains or plays here; " +
      "expected opponents that do not learn, as under protocol=team",
  );
  const batch = vectorise(factory, 2, createRng(0), { rivals: true });
  expect(() => batch.step(new Int32Array(6))).toThrow(
    "expected the actions of agent_0 in 2 copies, 2 in all, got none",
  );
  expect(() => batch.step(new Int32Array(6), new Int32Array(1))).toThrow("2 in all, got 1");
});

test.each([
  [
    "mpe/tag",
    { protocol: "mixed", opponents: "random" },
    'mpe/tag.opponents: expected protocol=team beside it: under mixed they are Q-learners (got "random")',
  ],
  [
    "mpe/tag",
    { opponents: "random" },
    'mpe/tag.opponents: expected protocol=team beside it: under joint everybody learns (got "random")',
  ],
  ["mpe/spread", { protocol: "mixed" }, 'mpe/spread.protocol: expected "joint" (got "mixed")'],
  ["mpe/reference", { protocol: "mixed" }, 'mpe/reference.protocol: expected "joint" (got "mixed")'],
  ["mpe/tag", { protocol: "mix" }, 'mpe/tag.protocol: expected one of "joint", "team", "mixed" (got "mix")'],
] as const)("%s with %o is refused", (name, settings, message) => {
  expect(() => make(name, settings)).toThrow(message);
});

/** Recorded before there were opponents that learn: observations and team rewards of 25 steps, in single precision. */
test.each([
  ["mpe/tag", { protocol: "joint" }, "cbb445c42d7afd18"],
  ["mpe/tag", { protocol: "team", opponents: "scripted" }, "cf7a13014d16c929"],
  ["mpe/world-comm", { protocol: "team", opponents: "random" }, "830c530d75d2d377"],
  ["mpe/crypto", { protocol: "team", opponents: "noop" }, "4e1e87fdec7f0f7e"],
  ["mpe/adversary", {}, "f5cf7f0096bc7560"],
  ["mpe/push", { protocol: "team" }, "f099e0e30480355e"],
  ["mpe/spread", {}, "7de8d748c822d446"],
] as const)("%s with %o plays as it did", (name, settings, recorded) => {
  const env = make(name, settings);
  const [rng, choices] = [createRng("recorded"), createRng("choices")];
  const actions = new Int32Array(jointActionSize(env.spec));
  const seen = new Float32Array(env.spec.agents * env.spec.observationSize);
  const hash = createHash("sha256");
  env.reset(rng);
  for (let t = 0; t < 25; t++) {
    env.observe(seen, 0);
    hash.update(seen);
    drawActions(env.spec, choices, actions);
    hash.update(Float32Array.of(env.step(actions).reward));
  }
  expect(hash.digest("hex").slice(0, 16)).toBe(recorded);
});
