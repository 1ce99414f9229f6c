import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { type CouplingGraphs, couplingEdges, couplingGraphs, couplingKinds } from "../structure/index.ts";
import { couplingProblem } from "./coupling-conformance.ts";
import { configureEnv } from "./definition.ts";
import type { Env, EnvSpec, Snapshot } from "./env.ts";
import { environments } from "./environments.ts";
import { createEpisode } from "./episode.ts";

const declared = couplingGraphs(4, { state: [[0, 1]], observation: [[2, 1]], reward: [[3, 2]] });

/** Influence beyond what is declared, of agent 3 on agent 0. */
interface Secret {
  readonly state?: number;
  readonly action?: number;
  readonly observation?: number;
  readonly rewardOfState?: number;
  readonly rewardOfAction?: number;
}

/** Four numbers that agents push, with noise; agent 0 moves 1, agent 1 sees 2, agent 2 is rewarded with 3. */
function pushing(secret: Secret = {}, change: (env: Env) => Partial<Env> = () => ({})): Env {
  const { state = 0, action = 0, observation = 0, rewardOfState = 0, rewardOfAction = 0 } = secret;
  const spec: EnvSpec = {
    id: "pushing",
    version: 1,
    agents: 4,
    observationSize: 2,
    observationSizes: [1, 2, 1, 1],
    stateSize: 4,
    stateSizes: [1, 1, 1, 1],
    actions: [0, 1, 2, 3].map(() => ({ kind: "box", size: 1, low: -1, high: 1 })),
    horizon: 5,
    rewards: "individual",
    sharedObservation: false,
  };
  const episode = createEpisode(spec);
  const x = new Float64Array(4);
  const rewards = new Float64Array(4);
  const env: Env = {
    spec,
    reset(rng) {
      episode.begin(rng);
      rng.fillNormal(x);
    },
    step(actions) {
      episode.admit(actions);
      for (let i = 0; i < 4; i++) rewards[i] = -(x[i] ** 2) - actions[i] ** 2;
      rewards[2] -= x[3] ** 2 + actions[3] ** 2;
      rewards[0] -= rewardOfState * x[3] + rewardOfAction * actions[3];
      x[1] += 0.3 * x[0] + 0.3 * actions[0];
      x[0] += state * x[3] + action * actions[3];
      for (let i = 0; i < 4; i++) x[i] = 0.5 * x[i] + actions[i] + 0.1 * episode.rng.normal();
      return episode.conclude(
        rewards.reduce((sum, r) => sum + r),
        false,
        rewards,
      );
    },
    observe(out, at) {
      for (let i = 0; i < 4; i++) {
        out[at + 2 * i] = x[i];
        out[at + 2 * i + 1] = i === 1 ? x[2] : 0;
      }
      out[at] += observation * x[3];
    },
    state: (out, at) => out.set(x, at),
    couplings: () => declared,
    snapshot: () => ({ episode: episode.snapshot(), place: { x: [...x] } }),
    restore(snapshot) {
      const saved = snapshot as { readonly episode: Snapshot; readonly place: { readonly x: number[] } };
      episode.restore(saved.episode);
      x.set(saved.place.x);
    },
    scene: () => ({ width: 1, height: 1, shapes: [] }),
  };
  return { ...env, ...change(env) };
}

const problem = (env: Env) => couplingProblem(env, 3, createRng(4));

test("couplings that hold pass, with or without own states, and whatever the team shares", () => {
  expect(problem(pushing())).toBeUndefined();
  const { spec } = pushing();
  expect(problem(pushing({}, () => ({ spec: { ...spec, stateSizes: undefined } })))).toBeUndefined();
});

test.each([
  [{ state: 0.2 }, "next state of agent 0 depends on the state of agent 3, without state edge [3, 0]"],
  [{ action: 0.2 }, "next state of agent 0 depends on the action of agent 3, without state edge [3, 0]"],
  [{ rewardOfState: 0.2 }, "reward of agent 0 depends on the state of agent 3, without reward edge [3, 0]"],
  [{ rewardOfAction: 0.2 }, "reward of agent 0 depends on the action of agent 3, without reward edge [3, 0]"],
] as const)("influence that is not declared is found: %o", (secret, message) => {
  expect(problem(pushing(secret))).toBe(message);
});

test("an observation of more than is declared is found, at the latest when it has moved", () => {
  const moved = "next observation of agent 0 depends on the action of agent 3, who moves nobody that agent 0";
  expect(problem(pushing({ observation: 0.2 }))).toContain(moved);
  // Where actions show nothing, states do: here the observation forgets what moved.
  const still = pushing({ observation: 0.2 }, (env) => {
    let playing = false;
    return {
      reset(rng) {
        playing = false;
        env.reset(rng);
      },
      restore(snapshot) {
        playing = false;
        env.restore(snapshot);
      },
      step(actions) {
        playing = true;
        return env.step(actions);
      },
      observe(out, at) {
        env.observe(out, at);
        if (playing) out[at] = 0;
      },
    };
  });
  expect(problem(still)).toBe(
    "observation of agent 0 depends on the state of agent 3, without observation edge [3, 0]",
  );
});

test("a number that the environment refuses to take shows nothing", () => {
  const strict = pushing({}, (env) => ({
    restore(snapshot) {
      const { x } = (snapshot as { readonly place: { readonly x: number[] } }).place;
      if (x.some((value) => Math.abs(value) > 3)) throw new Error("too far out");
      env.restore(snapshot);
    },
  }));
  expect(problem(strict)).toBeUndefined();
});

test.each([
  [couplingGraphs(3, {}), "couplings of 3 agents, expected 4"],
  [
    [couplingGraphs(4, {})] as unknown as CouplingGraphs,
    "couplings change from step to step, expected couplings that do not",
  ],
  [{ ...declared, reward: couplingGraphs(3, {}).reward }, "reward has 3 lists, expected 4"],
  [
    { ...declared, state: { starts: Int32Array.of(0, 1, 2, 3, 3), ids: Int32Array.of(0, 1, 2) } },
    "state: the list of agent 3 lacks agent 3",
  ],
  [
    { ...declared, observation: { starts: Int32Array.of(0, 2, 3, 4, 5), ids: Int32Array.of(0, 4, 1, 2, 3) } },
    "observation: the list of agent 0 has 4, expected increasing agents 0..3",
  ],
] as readonly (readonly [CouplingGraphs, string])[])(
  "graphs of the wrong size are told: %#",
  (graphs, message) => {
    expect(problem(pushing({}, () => ({ couplings: () => graphs })))).toBe(message);
  },
);

test.each([
  ["temperature", configureEnv(environments.temperature, { agents: 6 }).factory, 16],
  ["warehouse", configureEnv(environments.warehouse).factory, 17],
  [
    "warehouse with rewards in common",
    configureEnv(environments.warehouse, {
      couplings: {
        agents: 3,
        state: [[0, 1]],
        reward: [
          [1, 0],
          [2, 1],
        ],
      },
      amplitude: 1,
      initialStock: -2,
    }).factory,
    3,
  ],
] as const)("%s: no edge can be left out unnoticed", (_name, factory, count) => {
  const graphs = factory().couplings?.() ?? expect.unreachable();
  const edges = couplingKinds.flatMap((kind) => couplingEdges(graphs, kind).map((edge) => ({ kind, edge })));
  expect(edges).toHaveLength(count);
  for (const { kind, edge } of edges) {
    const fewer = Object.fromEntries(
      couplingKinds.map((other) => [
        other,
        couplingEdges(graphs, other).filter(
          ([from, to]) => other !== kind || from !== edge[0] || to !== edge[1],
        ),
      ]),
    );
    const env: Env = { ...factory(), couplings: () => couplingGraphs(graphs.agents, fewer) };
    const found = couplingProblem(env, 5, createRng(2));
    // An observation can also show that a state has moved.
    const named =
      kind === "state" ? /state edge|moves nobody/ : kind === "observation" ? /observ/ : /reward edge/;
    expect(found).toMatch(named);
  }
});
