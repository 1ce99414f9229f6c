import { describe, expect, test } from "vitest";
import {
  configureEnv,
  type Env,
  type EnvFactory,
  type EnvSpec,
  environments,
  vectorise,
} from "../envs/index.ts";
import { bnActor, bnPolicy, parseDagSource } from "../models/index.ts";
import { createRng, type Rng } from "../random/index.ts";
import { priceOfAnarchy } from "../tabular/index.ts";
import { layoutOf, loadEngine, variable } from "../tensor/index.ts";
import { exactPriceOfAnarchy, playEpisodes } from "./evaluate-bn-policy.ts";

const engine = await loadEngine();

/** A policy with random parameters; the larger the deviation, the surer its choices. */
function randomPolicy(spec: EnvSpec, dag: string, masked = false, deviation = 1) {
  const actor = bnActor("actor", {
    agents: spec.agents,
    observationSize: spec.observationSize,
    actions: Math.max(...spec.actions.map((space) => (space.kind === "discrete" ? space.n : 0))),
    hidden: 6,
    inputNorm: false,
    hiddenNorm: true,
    parentInput: "actions",
    heads: "per-agent",
  });
  const layout = layoutOf(actor.parameters);
  const values = new Float32Array(layout.size);
  createRng("parameters").fillNormal(values);
  const vector = variable(
    "actor",
    "float32",
    [layout.size],
    values.map((value) => value * deviation),
  );
  const dagSource = parseDagSource(dag, spec.agents, true);
  return bnPolicy(engine, "test", { actor, layout, vector }, { dagSource, masked });
}

describe("the exact price of anarchy", () => {
  const game = configureEnv(environments["coordination-game"], { agents: 3 }).factory;
  const { spec } = game();
  const model = game().model!();

  /**
   * `pi(a|s)` `[8, 8]` under fixed DAGs, from what the policy records when it acts: a joint action's probability is
   * the product of its agents'.
   */
  async function recordedPolicy(dag: string): Promise<Float64Array> {
    const policy = randomPolicy(spec, dag);
    const draws = 400;
    const actor = await policy.createActor(8 * draws);
    const rng = createRng(1);
    const drawn = { adjacency: new Uint8Array(8 * 9), order: new Int32Array(8 * 3) };
    for (let s = 0; s < 8; s++) {
      parseDagSource(dag, 3, true).draw(s, drawn, { scores: model.dependency, rng });
      for (let k = 0; k < draws; k++) {
        const copy = s * draws + k;
        actor.observations.set(model.observations.subarray(s * 9, s * 9 + 9), copy * 9);
        actor.dags.order.set(drawn.order.subarray(s * 3, s * 3 + 3), copy * 3);
        for (let j = 0; j < 3; j++) {
          for (let i = 0; i < 3; i++) {
            actor.dags.parents[copy * 9 + i * 3 + j] = drawn.adjacency[s * 9 + j * 3 + i];
          }
        }
      }
    }
    // Wide noise, so that unlikely actions are seen too.
    rng.fillGumbel(actor.noise);
    for (let k = 0; k < actor.noise.length; k++) actor.noise[k] *= 40;
    await actor.run();
    const table = new Float64Array(64);
    for (let copy = 0; copy < 8 * draws; copy++) {
      const [a, b, c] = actor.actions.subarray(copy * 3, copy * 3 + 3);
      const log = actor.logProbabilities.subarray(copy * 3, copy * 3 + 3).reduce((sum, x) => sum + x, 0);
      table[Math.floor(copy / draws) * 8 + 4 * a + 2 * b + c] = Math.exp(log);
    }
    expect(Math.min(...table)).toBeGreaterThan(0);
    return table;
  }

  test.each(["product", "full", "1+2", "heuristic(2)", "edges:2>0"])(
    "is that of the joint policy that acts, dag=%s",
    async (dag) => {
      const expected = priceOfAnarchy(model, await recordedPolicy(dag));
      const price = exactPriceOfAnarchy(randomPolicy(spec, dag), model);
      expect(await price(createRng(5))).toBeCloseTo(expected, 6);
      expect(await price(createRng(6))).toBeCloseTo(expected, 6);
    },
  );

  test("where DAGs are random it is that of their mixture", async () => {
    // One edge of three agents: the six single edges are equally likely.
    const edges = ["0>1", "1>0", "0>2", "2>0", "1>2", "2>1"];
    const tables = await Promise.all(edges.map((edge) => recordedPolicy(`edges:${edge}`)));
    const mixture = Float64Array.from({ length: 64 }, (_, k) =>
      tables.reduce((sum, table) => sum + table[k] / edges.length, 0),
    );
    const price = exactPriceOfAnarchy(randomPolicy(spec, "random(1)"), model);
    const found: number[] = [];
    for (let seed = 0; seed < 20; seed++) found.push(await price(createRng(seed)));
    const mean = found.reduce((sum, value) => sum + value, 0) / found.length;
    const expected = priceOfAnarchy(model, mixture);
    // One evaluation is off by .0015 or so, their mean by a third of a thousandth.
    expect(Math.abs(mean - expected)).toBeLessThan(0.0005);
    expect(found[1]).not.toBe(found[0]);
    expect(await price(createRng(0))).toBe(found[0]);
    // The mixture is neither the uncorrelated policy nor worth the mean of its parts.
    expect(Math.abs(priceOfAnarchy(model, await recordedPolicy("product")) - expected)).toBeGreaterThan(
      0.005,
    );
    const parts = tables.reduce((sum, table) => sum + priceOfAnarchy(model, table) / edges.length, 0);
    expect(Math.abs(parts - expected)).toBeGreaterThan(0.0006);
  });
});

/** Episodes of random length whose reward counts the steps; greedy play takes the likeliest available action. */
const counter = (lengths: number): EnvFactory => {
  const spec: EnvSpec = {
    id: "counter",
    version: 1,
    agents: 2,
    observationSize: 1,
    stateSize: 1,
    actions: [
      { kind: "discrete", n: 3 },
      { kind: "discrete", n: 2 },
    ],
    horizon: lengths,
    rewards: "team",
    sharedObservation: true,
  };
  return (): Env => {
    let time = 0;
    let length = 0;
    let stream: Rng;
    return {
      spec,
      reset(rng) {
        stream = rng;
        time = 0;
        length = 1 + stream.integer(lengths);
      },
      step(actions) {
        if (actions[0] === time % 3) throw new Error("that action is not available");
        time++;
        return { reward: time, terminated: time === length, truncated: false };
      },
      observe: (out, at) => out.set([time, time], at),
      state: (out, at) => out.set([time], at),
      available: (out, at) => out.set([0, 1, 2].map((a) => (a === time % 3 ? 0 : 1)).concat([1, 1]), at),
      snapshot: () => null,
      restore() {},
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };
};

describe("playing episodes", () => {
  test("counts the first episode of every copy, however long the others are", async () => {
    const env = counter(6);
    const policy = randomPolicy(env().spec, "full", true);
    const metrics = await playEpisodes(policy, env, 50, createRng(3));
    // The lengths that the copies draw, and the sums 1 + 2 + ... of their rewards.
    const stream = createRng(3).split("environments");
    const lengths = Array.from({ length: 50 }, (_, b) => 1 + stream.split(String(b)).integer(6));
    const returns = lengths.map((length) => (length * (length + 1)) / 2);
    const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
    expect(metrics["eval/length"]).toBeCloseTo(mean(lengths), 12);
    expect(metrics["eval/return"]).toBeCloseTo(mean(returns), 12);
    expect(metrics["eval/return-deviation"]).toBeCloseTo(
      Math.sqrt(mean(returns.map((x) => (x - mean(returns)) ** 2))),
      10,
    );
    expect(metrics["eval/dag-density"]).toBe(1);
    await policy.dispose();
  });

  test("agents play their most likely actions", async () => {
    const env = configureEnv(environments["coordination-game"], {
      agents: 3,
      epsilon: 0,
      horizon: 5,
    }).factory;
    const policy = randomPolicy(env().spec, "1+2");
    const metrics = await playEpisodes(policy, env, 4, createRng(2));
    const actor = await policy.createActor(1);
    const copies = vectorise(env, 4, createRng(2).split("environments"));
    const returns: number[] = [];
    actor.dags.parents.set([0, 0, 0, 0, 0, 0, 0, 1, 0]);
    actor.dags.order.set([0, 1, 2]);
    const joint = new Int32Array(12);
    for (let t = 0; t < 5; t++) {
      for (let b = 0; b < 4; b++) {
        actor.observations.set(copies.observations.subarray(b * 9, b * 9 + 9));
        await actor.run();
        joint.set(actor.actions, b * 3);
      }
      copies.step(joint);
    }
    for (const value of copies.episodeReturns) returns.push(value);
    expect(metrics["eval/return"]).toBeCloseTo(returns.reduce((sum, x) => sum + x, 0) / 4, 12);
    expect(metrics["eval/length"]).toBe(5);
    expect(metrics["eval/dag-density"]).toBeCloseTo(1 / 3, 6);
    await policy.dispose();
  });

  test("the same stream plays the same episodes", async () => {
    const env = configureEnv(environments["coordination-game"], {}).factory;
    const policy = randomPolicy(env().spec, "random(3,episode)");
    const play = (seed: number) => playEpisodes(policy, env, 6, createRng(seed));
    expect(await play(1)).toEqual(await play(1));
    expect(await play(2)).not.toEqual(await play(1));
    // Whatever the joint actor was used for before.
    const before = await play(1);
    createRng(4).fillGumbel((await policy.actorFor(6)).noise);
    expect(await play(1)).toEqual(before);
    await policy.dispose();
  });
});
