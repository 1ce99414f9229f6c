import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { configureEnv } from "./definition.ts";
import type { Env } from "./env.ts";
import { environments } from "./environments.ts";
import { createEpisode } from "./episode.ts";
import { type EnvBatch, vectorise } from "./vectorise.ts";

function game(name: keyof typeof environments, overrides: Record<string, unknown> = {}) {
  return configureEnv<never>(environments[name] as never, overrides).factory;
}

/** Everything a learner reads of a batch, copied. */
function read(batch: EnvBatch) {
  return structuredClone({
    observations: batch.observations,
    states: batch.states,
    available: batch.available,
    dependency: batch.dependency,
    rewards: batch.rewards,
    individualRewards: batch.individualRewards,
    terminated: batch.terminated,
    truncated: batch.truncated,
    finalObservations: batch.finalObservations,
    finalStates: batch.finalStates,
    episodeReturns: batch.episodeReturns,
    episodeLengths: batch.episodeLengths,
    successes: batch.successes,
  });
}

test("every copy plays as the environment alone with its stream does, across resets", () => {
  const factory = game("aloha", { horizon: 4 });
  const size = 3;
  const batch = vectorise(factory, size, createRng(11).split("env"));
  const choices = createRng("actions");
  const alone = Array.from({ length: size }, (_, b) => {
    const env = factory();
    const rng = createRng(11).split("env").split(String(b));
    env.reset(rng);
    return { env, rng, total: 0 };
  });
  const agents = batch.spec.agents;
  const actions = new Int32Array(size * agents);
  const seen = new Float32Array(agents);
  const row = (all: Float32Array, b: number) => [...all.subarray(b * agents, (b + 1) * agents)];
  for (let step = 1; step <= 10; step++) {
    for (let k = 0; k < actions.length; k++) actions[k] = choices.integer(2);
    batch.step(actions);
    alone.forEach((copy, b) => {
      const outcome = copy.env.step(actions.subarray(b * agents, (b + 1) * agents));
      expect(batch.rewards[b]).toBe(outcome.reward);
      expect(batch.truncated[b]).toBe(step % 4 === 0 ? 1 : 0);
      expect(batch.terminated[b]).toBe(0);
      copy.total += outcome.reward;
      if (outcome.truncated) {
        copy.env.observe(seen, 0);
        expect(row(batch.finalObservations, b)).toEqual([...seen]);
        expect(row(batch.finalStates, b)).toEqual([...seen]);
        expect(batch.episodeReturns[b]).toBe(copy.total);
        expect(batch.episodeLengths[b]).toBe(4);
        copy.total = 0;
        copy.env.reset(copy.rng);
      }
      copy.env.observe(seen, 0);
      expect(row(batch.observations, b)).toEqual([...seen]);
      copy.env.state(seen, 0);
      expect(row(batch.states, b)).toEqual([...seen]);
    });
  }
});

test("copies differ from each other and the dependency is filled", () => {
  const batch = vectorise(game("coordination-game"), 2, createRng(3));
  expect(batch.states.subarray(0, 5)).not.toEqual(batch.states.subarray(5, 10));
  for (let b = 0; b < 2; b++) {
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 5; j++) {
        const distance = Math.abs(batch.states[b * 5 + i] - batch.states[b * 5 + j]);
        expect(batch.dependency?.[(b * 5 + i) * 5 + j]).toBeCloseTo(-distance);
      }
    }
  }
  expect(batch.available).toBeUndefined();
});

test("the arrays stay the same objects and the copies receive the same action views", () => {
  const seen = new Set<unknown>();
  const probe = (): Env => {
    const env = game("coordination-game")();
    return {
      ...env,
      step(actions) {
        seen.add(actions);
        return env.step(actions);
      },
    };
  };
  const batch = vectorise(probe, 4, createRng(0));
  const before = { ...batch };
  for (let step = 0; step < 50; step++) batch.step(new Int32Array(20).fill(step % 2));
  expect(seen.size).toBe(4);
  for (const [key, value] of Object.entries(before)) expect(batch[key as keyof EnvBatch]).toBe(value);
});

test("a restored batch repeats what the first one did, through JSON, also right after an episode ended", () => {
  for (const stepsBefore of [5, 6, 7]) {
    const factory = game("coordination-game", { horizon: 6 });
    const batch = vectorise(factory, 3, createRng(1));
    const actions = Int32Array.from({ length: 15 }, (_, k) => k % 2);
    for (let step = 0; step < stepsBefore; step++) batch.step(actions);
    const snapshot = JSON.parse(JSON.stringify(batch.snapshot()));
    const other = vectorise(factory, 3, createRng("another"));
    other.step(actions);
    other.restore(snapshot);
    const justEnded = batch.truncated[0] === 1;
    const expected = read(batch);
    if (justEnded) expect(read(other)).toEqual(expected);
    else expect(other.states).toEqual(expected.states);
    for (let step = 0; step < 15; step++) {
      batch.step(actions);
      other.step(actions);
      expect(other.observations).toEqual(batch.observations);
      expect(other.rewards).toEqual(batch.rewards);
      expect(other.truncated).toEqual(batch.truncated);
      if (batch.truncated[0] === 1) expect(read(other)).toEqual(read(batch));
    }
    expect(() => vectorise(factory, 2, createRng(1)).restore(snapshot)).toThrow("snapshot has 3 copies");
  }
});

test("successes are those of the copies alone, and a snapshot keeps them", () => {
  expect(vectorise(game("aloha"), 2, createRng(0)).successes).toBeUndefined();
  const factory = game("topk", { agents: 3, k: 1 });
  const size = 16;
  const batch = vectorise(factory, size, createRng(4));
  const other = vectorise(factory, size, createRng("another"));
  const choices = createRng("actions");
  const seen = new Set<string>();
  for (let step = 0; step < 20; step++) {
    const actions = Int32Array.from({ length: 3 * size }, () => choices.integer(2));
    const signals = batch.states.slice();
    batch.step(actions);
    for (let b = 0; b < size; b++) {
      const own = signals.subarray(3 * b, 3 * b + 3);
      const largest = own.indexOf(Math.max(...own));
      const right = own.every((_, i) => actions[3 * b + i] === (i === largest ? 1 : 0));
      expect(batch.successes?.[b]).toBe(right ? 1 : 0);
      expect(batch.rewards[b]).toBe(right ? 1 : -1);
      expect(batch.terminated[b]).toBe(1);
    }
    other.restore(JSON.parse(JSON.stringify(batch.snapshot())));
    expect(read(other)).toEqual(read(batch));
    seen.add(batch.successes?.join("") ?? "");
  }
  expect(seen.size).toBeGreaterThan(5);
});

test("masks, agents' rewards, terminations and real actions pass through", () => {
  // Ends by itself when the first agent's number is above 1/2; the second agent's mask follows the time.
  const tinyGame = (): Env => {
    const spec = {
      id: "tiny",
      version: 1,
      agents: 2,
      observationSize: 1,
      stateSize: 1,
      actions: [
        { kind: "box", size: 2, low: 0, high: 1 },
        { kind: "discrete", n: 3 },
      ],
      horizon: 3,
      rewards: "individual",
      sharedObservation: true,
    } as const;
    const episode = createEpisode(spec);
    const mine = [0, 0];
    return {
      spec,
      reset: (rng) => episode.begin(rng),
      step(actions) {
        episode.admit(actions);
        mine[0] = actions[0] + actions[1];
        mine[1] = actions[2];
        return episode.conclude(mine[0] + mine[1], actions[0] > 0.5, mine);
      },
      observe(out, at) {
        out[at] = out[at + 1] = episode.time;
      },
      state(out, at) {
        out[at] = episode.time;
      },
      available(out, at) {
        for (let a = 0; a < 3; a++) out[at + a] = a <= episode.time ? 1 : 0;
      },
      snapshot: () => episode.snapshot(),
      restore: (snapshot) => episode.restore(snapshot),
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };
  const batch = vectorise(tinyGame, 2, createRng(0));
  expect([...(batch.available ?? [])]).toEqual([1, 0, 0, 1, 0, 0]);
  batch.step(Float32Array.of(0.25, 0.5, 0, 0.75, 0.5, 2));
  expect([...batch.rewards]).toEqual([0.75, 3.25]);
  expect([...(batch.individualRewards ?? [])]).toEqual([0.75, 0, 1.25, 2]);
  expect([...batch.terminated]).toEqual([0, 1]);
  expect([...batch.truncated]).toEqual([0, 0]);
  expect([...(batch.available ?? [])]).toEqual([1, 1, 0, 1, 0, 0]);
  expect([...batch.states]).toEqual([1, 0]);
  expect(batch.finalStates[1]).toBe(1);
  expect(batch.episodeReturns[1]).toBe(3.25);
  expect(batch.episodeLengths[1]).toBe(1);
  expect(() => batch.step(new Int32Array(6))).toThrow("as Float32Array of length 6, got Int32Array");
});

test("a mask without any available action is refused, with the agent and the step", () => {
  const stuck = (): Env => {
    const two = { kind: "discrete", n: 2 } as const;
    const spec = {
      id: "stuck",
      version: 1,
      agents: 2,
      observationSize: 1,
      stateSize: 1,
      actions: [two, two],
      horizon: 5,
      rewards: "team",
      sharedObservation: true,
    } as const;
    const episode = createEpisode(spec);
    return {
      spec,
      reset: (rng) => episode.begin(rng),
      step(actions) {
        episode.admit(actions);
        return episode.conclude(0);
      },
      observe: (out, at) => out.fill(0, at, at + 2),
      state: (out, at) => out.fill(0, at, at + 1),
      available: (out, at) => out.set(episode.time < 2 ? [1, 1, 0, 1] : [0, 1, 0, 0], at),
      snapshot: () => episode.snapshot(),
      restore: (snapshot) => episode.restore(snapshot),
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };
  const batch = vectorise(stuck, 2, createRng(0));
  batch.step(new Int32Array([0, 1, 0, 1]));
  expect(() => batch.step(new Int32Array([0, 1, 0, 1]))).toThrow(
    "stuck: agent 1 has no available action at step 2, expected at least one of 2",
  );
});

test("an environment that contradicts itself is refused", () => {
  const lying = (): Env => {
    const env = game("temperature", { agents: 3 })();
    return { ...env, spec: { ...env.spec, stateSizes: [1, 1, 2] } };
  };
  expect(() => vectorise(lying, 2, createRng(0))).toThrow(
    "temperature: stateSizes sum to 4, expected stateSize 3",
  );
});
