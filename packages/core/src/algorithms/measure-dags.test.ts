import { describe, expect, test } from "vitest";
import { configureEnv, type EnvBatch, type EnvSpec, environments } from "../envs/index.ts";
import { bnActor, bnPolicy, parseDagSource } from "../models/index.ts";
import { createRng } from "../random/index.ts";
import { layoutOf, loadEngine, variable } from "../tensor/index.ts";
import { conditionalsOf, playEpisodes } from "./evaluate-bn-policy.ts";
import { mappo } from "./mappo.ts";
import { sampleDags, watchDags } from "./measure-dags.ts";

const engine = await loadEngine();
const game = (agents: number, config = {}) =>
  configureEnv(environments["coordination-game"], { agents, ...config }).factory;
const aloha = configureEnv(environments.aloha, {}).factory;

/** A policy with random parameters, sure enough of itself that parents matter. */
function randomPolicy(spec: EnvSpec, dag: string) {
  const actor = bnActor("actor", {
    agents: spec.agents,
    observationSize: spec.observationSize,
    actions: 2,
    hidden: 6,
    inputNorm: false,
    hiddenNorm: true,
    parentInput: "actions",
    heads: "per-agent",
  });
  const layout = layoutOf(actor.parameters);
  const values = new Float32Array(layout.size);
  createRng("parameters").fillNormal(values);
  const vector = variable("actor", "float32", [layout.size], values);
  const dagSource = parseDagSource(dag, spec.agents, true);
  return bnPolicy(engine, "test", { actor, layout, vector }, { dagSource, masked: false });
}

/** A moment of play that is always the same, in so many copies, with what the environment would say of it. */
function still(
  spec: EnvSpec,
  size: number,
  row: readonly number[],
  more: { readonly visible?: readonly number[]; readonly places?: readonly number[] } = {},
): EnvBatch {
  const repeat = (values: readonly number[]) => Array.from({ length: size }, () => values).flat();
  const { visible, places } = more;
  return {
    spec,
    size,
    observations: Float32Array.from(repeat(row)),
    ...(visible && { visibility: (out: Uint8Array) => out.set(repeat(visible)) }),
    ...(places && { positions: (out: Float32Array) => out.set(repeat(places)) }),
  } as unknown as EnvBatch;
}

/** The same DAG in every copy: `parents` `[N, N]`, 1 where the column is a parent of the row. */
const dagsOf = (size: number, parents: readonly number[], order: readonly number[]) => ({
  parents: Float32Array.from(Array.from({ length: size }, () => parents).flat()),
  order: Int32Array.from(Array.from({ length: size }, () => order).flat()),
});

describe("multi-modality", () => {
  const { spec } = game(3)();
  const policy = randomPolicy(spec, "random(1)");
  const row = [1, 0, 1, 1, 0, 1, 1, 0, 1];
  /** 1 reads 2, 2 reads 0. */
  const parents = [0, 0, 0, 0, 0, 1, 1, 0, 0];

  test("is the divergence that parents make, in expectation over what they choose", async () => {
    // Every joint action with its probability, from the agents' conditionals.
    const joint = Array.from({ length: 8 }, (_, a) => [a >> 2, (a >> 1) & 1, a & 1]);
    const answers = async (edges: readonly number[]) =>
      conditionalsOf(policy, {
        observations: Float32Array.from(joint.flatMap(() => row)),
        parents: Float32Array.from(joint.flatMap(() => edges)),
        actions: Int32Array.from(joint.flat()),
      });
    const told = await answers(parents);
    const alone = await answers(new Array(9).fill(0));
    const expected = [0, 0, 0];
    const squares = [0, 0, 0];
    joint.forEach((actions, a) => {
      let probability = 1;
      for (const [i, action] of actions.entries()) probability *= Math.exp(told[(a * 3 + i) * 2 + action]);
      for (let i = 0; i < 3; i++) {
        let divergence = 0;
        for (const u of [0, 1]) {
          const at = (a * 3 + i) * 2 + u;
          divergence += Math.exp(told[at]) * (told[at] - alone[at]);
        }
        expected[i] += probability * divergence;
        squares[i] += probability * divergence ** 2;
      }
    });
    expect(expected[1] + expected[2]).toBeGreaterThan(0.05);

    const watcher = watchDags(policy, 16, createRng(1));
    for (let step = 0; step < 16; step++) watcher.look(dagsOf(20, parents, [0, 2, 1]), still(spec, 20, row));
    const metrics = await watcher.metrics();
    // 256 moments.
    for (let i = 0; i < 3; i++) {
      const error = Math.sqrt(Math.max(0, squares[i] - expected[i] ** 2) / 256);
      const found = metrics[`eval/multi-modality/agent-${i}`];
      expect(Math.abs(found - expected[i])).toBeLessThanOrEqual(4 * error + 1e-6);
    }
    expect(metrics["eval/multi-modality/agent-0"]).toBe(0);
    const mean = [0, 1, 2].reduce((sum, i) => sum + metrics[`eval/multi-modality/agent-${i}`] / 3, 0);
    expect(metrics["eval/multi-modality"]).toBeCloseTo(mean, 12);
  });

  test("is exactly zero without edges, however few moments there are", async () => {
    const watcher = watchDags(policy, 16, createRng(1));
    watcher.look(dagsOf(2, new Array(9).fill(0), [0, 1, 2]), still(spec, 2, row));
    expect((await watcher.metrics())["eval/multi-modality"]).toBe(0);
  });
});

test("visibility and distances by hand", async () => {
  const { spec } = game(3)();
  const policy = randomPolicy(spec, "random(1)");
  const row = new Array(9).fill(0);
  // 0 sees 1; 2 sees 0 and 1. They stand at (0, 0), (3, 4) and (0, 2).
  const visible = [0, 1, 0, 0, 0, 0, 1, 1, 0];
  const places = [0, 0, 3, 4, 0, 2];
  const full = [0, 0, 0, 1, 0, 0, 1, 1, 0];
  const all = watchDags(policy, 2, createRng(1));
  all.look(dagsOf(5, full, [0, 1, 2]), still(spec, 5, row, { visible, places }));
  all.look(dagsOf(5, new Array(9).fill(0), [0, 1, 2]), still(spec, 5, row, { visible, places }));
  // Edges 0 > 1, 0 > 2, 1 > 2 in half of the moments; 1 does not see 0.
  expect(await all.metrics()).toMatchObject({
    "eval/dag-visibility": 2 / 3,
    "eval/dag-visible-density": 1 / 3,
    "eval/parent-distance": expect.closeTo((2 + Math.sqrt(13)) / 2, 6),
    "eval/parent-distance/agent-2": expect.closeTo((2 + Math.sqrt(13)) / 2, 6),
  });
  const found = Object.keys(await all.metrics());
  expect(found).not.toContain("eval/parent-distance/agent-1");

  // Where nobody says who sees whom, all parents count.
  const blind = watchDags(policy, 2, createRng(1));
  blind.look(dagsOf(1, full, [0, 1, 2]), still(spec, 1, row, { places }));
  const measured = await blind.metrics();
  expect(measured["eval/parent-distance/agent-1"]).toBeCloseTo(5, 6);
  expect(measured).not.toHaveProperty("eval/dag-visibility");

  // Without edges there are no shares of them.
  const empty = watchDags(policy, 2, createRng(1));
  empty.look(dagsOf(1, new Array(9).fill(0), [0, 1, 2]), still(spec, 1, row, { visible, places }));
  expect(Object.keys(await empty.metrics()).filter((name) => !name.includes("multi-modality"))).toEqual([
    "eval/dag-visible-density",
  ]);
});

describe("evaluations that watch DAGs", () => {
  test("play as those that do not", async () => {
    const env = game(4);
    const policy = randomPolicy(env().spec, "random(2)");
    const plain = await playEpisodes(policy, env, 6, createRng(3));
    const stream = createRng(3);
    const watcher = watchDags(policy, 20, stream.split("parents"));
    expect(await playEpisodes(policy, env, 6, stream, undefined, watcher.look)).toEqual(plain);
    const metrics = await watcher.metrics();
    expect(metrics["eval/multi-modality"]).toBeGreaterThan(0);
  });

  test("are those of MAPPO with DAGs that change", async () => {
    const named = async (dag: string) => {
      const config = mappo.config.parse({ dag, environments: 2, hidden: 8 });
      const learner = await mappo.create({ env: game(3), config, totalSteps: 100, rng: createRng(1) });
      return Object.keys(await learner.evaluate(2, createRng(2)));
    };
    for (const dag of ["learned", "heuristic(1)"]) {
      expect(await named(dag)).toContain("eval/multi-modality/agent-2");
    }
    for (const dag of ["full", "1+2"]) {
      expect((await named(dag)).filter((name) => name.includes("modality"))).toEqual([]);
    }
  });
});

describe("DAGs of single states", () => {
  const edgesOf = (parents: Float32Array, agents: number, sample = 0): string[] => {
    const edges: string[] = [];
    for (let j = 0; j < agents; j++) {
      for (let i = 0; i < agents; i++) {
        if (parents[(sample * agents + i) * agents + j] === 1) edges.push(`${j}${i}`);
      }
    }
    return edges;
  };

  test("are those of the heuristic on the scores of these states", async () => {
    const env = game(5, { epsilon: 0 });
    const policy = randomPolicy(env().spec, "heuristic(4)");
    const states = [
      [0, 0, 0, 0, 1],
      [0, 0, 1, 1, 1],
    ];
    const found = await sampleDags(policy, env, { states, samples: 7, noisy: false }, createRng(1));
    expect(found).toMatchObject({ source: "heuristic(4)", agents: 5, count: 2 });
    expect([...found.states]).toEqual(states.flat());
    expect(edgesOf(found.parents, 5, 0)).toEqual(["01", "23"]);
    expect(edgesOf(found.parents, 5, 1)).toEqual(["01", "23", "24", "34"]);
    // Paid are the states themselves: four zeros, and three ones of five.
    expect([...found.rewards]).toEqual([3, 1]);
    expect(found.positions).toBeUndefined();

    const grid = randomPolicy(aloha().spec, "heuristic(10)");
    const ones = [new Array(10).fill(1)];
    const blocks = await sampleDags(grid, aloha, { states: ones, samples: 1, noisy: false }, createRng(1));
    expect(edgesOf(blocks.parents, 10)).toEqual(["01", "05", "06", "15", "16", "23", "49", "56", "78"]);
    expect([...blocks.positions!.subarray(14, 16)]).toEqual([2, 1]);
  });

  test("come with what agents do when their parents do it too", async () => {
    const env = game(3);
    const policy = randomPolicy(env().spec, "full");
    const states = [[1, 1, 0]];
    const { actions } = await sampleDags(policy, env, { states, samples: 1, noisy: false }, createRng(1));
    const log = await conditionalsOf(policy, {
      observations: Float32Array.from([1, 1, 0, 1, 1, 0, 1, 1, 0]),
      parents: Float32Array.from([0, 0, 0, 1, 0, 0, 1, 1, 0]),
      actions,
    });
    for (let i = 0; i < 3; i++) {
      expect(log[2 * i + actions[i]]).toBeGreaterThanOrEqual(log[2 * i + 1 - actions[i]]);
    }
  });

  test("are drawn as often as asked where chance decides, and over whole episodes of play", async () => {
    const env = game(3);
    const policy = randomPolicy(env().spec, "bernoulli(0.25)");
    const request = { samples: 400, noisy: false };
    const drawn = await sampleDags(policy, env, { ...request, states: [[0, 1, 0]] }, createRng(1));
    expect(drawn.count).toBe(400);
    // Within four standard errors of a quarter, each of the three edges that there can be.
    for (const pair of [3, 6, 7]) {
      let edges = 0;
      for (let r = 0; r < 400; r++) edges += drawn.parents[r * 9 + pair];
      expect(Math.abs(edges / 400 - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 400));
    }
    const played = await sampleDags(policy, env, { samples: 50, noisy: false }, createRng(1));
    expect(played.count).toBe(50);
    expect(
      new Set(Array.from({ length: 50 }, (_, r) => played.states.subarray(3 * r, 3 * r + 3).join())).size,
    ).toBeGreaterThan(2);
    expect(await sampleDags(policy, env, { samples: 50, noisy: false }, createRng(1))).toEqual(played);
  });

  test("of networks are the likeliest ones, or drawn under noise", async () => {
    const config = mappo.config.parse({ dag: "learned", environments: 2, hidden: 8 });
    const learner = await mappo.create({ env: game(4), config, totalSteps: 100, rng: createRng(1) });
    const states = [[0, 1, 1, 0]];
    const likeliest = await learner.dags!({ states, samples: 30, noisy: false }, createRng(1));
    expect(likeliest.count).toBe(1);
    const noisy = await learner.dags!({ states, samples: 30, noisy: true }, createRng(1));
    expect(noisy.count).toBe(30);
    const different = new Set(
      Array.from({ length: 30 }, (_, r) => noisy.parents.subarray(16 * r, 16 * r + 16).join()),
    );
    expect(different.size).toBeGreaterThan(10);
  });

  test("cannot be had in states that environments cannot be put into", async () => {
    const env = configureEnv(environments.topk, { agents: 3, k: 1 }).factory;
    const policy = randomPolicy(env().spec, "full");
    const request = { states: [[0, 0, 0]], samples: 1, noisy: false };
    await expect(sampleDags(policy, env, request, createRng(1))).rejects.toThrow(
      "topk cannot be put into a given state, expected states of play",
    );
    await expect(sampleDags(policy, env, { samples: 0, noisy: false }, createRng(1))).rejects.toThrow(
      "samples: 0",
    );
  });
});
