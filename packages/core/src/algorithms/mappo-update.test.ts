/** Whole updates against PyTorch, which treats every sample by itself (`fixtures/make-mappo.py`). */
import { describe, expect, test } from "vitest";
import type { EnvSpec } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import type { Rollout } from "../learn/index.ts";
import {
  bnPolicy,
  conditionalRowBuilder,
  dagChoices,
  dagWriter,
  learnedDagSource,
  parseDagSource,
} from "../models/index.ts";
import { createRng, type Rng } from "../random/index.ts";
import { type Layout, loadEngine, namedArrays, sizeOf, type Variable } from "../tensor/index.ts";
import fixture from "./fixtures/mappo.json" with { type: "json" };
import { type MappoConfig, mappo, mappoNetworks, mappoUpdater } from "./mappo.ts";

const engine = await loadEngine();

interface Recorded {
  readonly sizes: Readonly<
    Record<"steps" | "environments" | "agents" | "observationSize" | "stateSize" | "actions", number>
  >;
  readonly config: object;
  /** Learned DAGs: whether all agents observe the same. */
  readonly shared?: boolean;
  readonly progress: number;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly before: Readonly<Record<string, readonly number[]>>;
  readonly rollout: Readonly<Record<string, readonly number[]>>;
  readonly permutations: readonly (readonly number[])[];
  readonly updates: readonly {
    readonly metrics: Readonly<Record<string, number>>;
    readonly after: Readonly<Record<string, readonly number[]>>;
  }[];
}

const cases = Object.entries(fixture.cases as unknown as Record<string, Recorded>);

const specOf = ({
  sizes: { agents, observationSize, stateSize, actions, steps },
  shared = false,
}: Recorded): EnvSpec => ({
  id: "recorded",
  version: 1,
  agents,
  observationSize,
  stateSize,
  actions: new Array(agents).fill({ kind: "discrete", n: actions }),
  horizon: steps,
  rewards: "team",
  sharedObservation: shared,
});

function rolloutOf({ sizes, rollout }: Recorded): Rollout {
  const float = (name: string) => Float32Array.from(rollout[name]);
  return {
    steps: sizes.steps,
    environments: sizes.environments,
    observations: float("observations"),
    states: float("states"),
    available: rollout.available && float("available"),
    parents: float("parents"),
    actions: Int32Array.from(rollout.actions),
    logProbabilities: float("logProbabilities"),
    rewards: Float64Array.from(rollout.rewards),
    ended: Uint8Array.from(rollout.ended),
    truncated: Uint8Array.from(rollout.truncated),
    finalStates: float("finalStates"),
    lastStates: float("lastStates"),
  };
}

/** Learned DAGs: the noise that was drawn, and what was chosen under it. */
function choicesOf({ sizes, rollout }: Recorded) {
  const choices = dagChoices(sizes.steps * sizes.environments, sizes.agents);
  for (const part of ["orderNoise", "edgeNoise", "order"] as const) choices[part].set(rollout[part]);
  return choices;
}

/** A stream whose child `minibatches` gives recorded permutations. */
function withPermutations(permutations: readonly (readonly number[])[]): Rng {
  const rng = createRng(0);
  const left = [...permutations];
  return {
    ...rng,
    split: (name) => {
      const child = rng.split(name);
      return name === "minibatches" ? { ...child, permutation: () => Int32Array.from(left.shift()!) } : child;
    },
  };
}

function load(network: { layout: Layout; vector: Variable }, recorded: Recorded): void {
  for (const [index, { name, shape }] of network.layout.parameters.entries()) {
    expect(shape, name).toEqual(recorded.shapes[name]);
    (network.vector.values as Float32Array).set(recorded.before[name], network.layout.offsets[index]);
  }
}

async function prepared(recorded: Recorded, settings: Partial<MappoConfig> = {}, dag = "full") {
  const config = mappo.config.parse({ ...recorded.config, ...settings });
  const networks = mappoNetworks(specOf(recorded), config, createRng(0));
  const learned = [networks.policy, networks.critic, ...(networks.dag === undefined ? [] : [networks.dag])];
  for (const network of learned) load(network, recorded);
  const { agents, steps, environments } = recorded.sizes;
  const policy = bnPolicy(engine, "recorded", networks.policy, {
    dagSource:
      networks.dag === undefined
        ? parseDagSource(dag, agents, false)
        : learnedDagSource(networks.dag.learner, networks.dag),
    masked: recorded.rollout.available !== undefined,
  });
  const chosen = networks.dag && choicesOf(recorded);
  const rollout = { ...rolloutOf(recorded), dagChoices: chosen };
  const rng = withPermutations(recorded.permutations);
  const updater = mappoUpdater(engine, config, policy, networks, rollout, rng);
  const parameters = (): ReturnType<typeof namedArrays> =>
    Object.assign(
      {},
      ...learned.map(({ vector, layout }) => namedArrays(vector.values as Float32Array, layout)),
    );
  /** Makes the choices of learned DAGs those of the present parameters; a rollout's would be. */
  const choose = async (): Promise<void> => {
    if (chosen === undefined) return;
    await policy.createDagWriter(steps * environments).chooseAgain!(rollout.observations, chosen);
  };
  return { updater, parameters, policy, rollout, networks, choose, chosen };
}

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const { updater, parameters, choose } = await prepared(recorded);
    // The rounding of float32; learned DAGs take every sample through all networks and Sinkhorn's iterations.
    const tolerance = recorded.shared === undefined ? 2e-6 : 1e-5;
    expect(Object.keys(parameters()).sort()).toEqual(Object.keys(recorded.shapes).sort());
    for (const { metrics, after } of recorded.updates) {
      await choose();
      const found = await updater.update(recorded.progress, 1);
      for (const [name, value] of Object.entries(metrics)) {
        expect(Math.abs(found[name] - value), name).toBeLessThan(tolerance * Math.max(1, Math.abs(value)));
      }
      for (const [name, { shape, data }] of Object.entries(parameters())) {
        expect(data).toHaveLength(sizeOf(shape));
        const worst = Math.max(...after[name].map((value, k) => Math.abs(value - data[k])));
        expect(worst, name).toBeLessThan(tolerance);
      }
    }
    await updater.dispose();
  });

  test("the cases reach what they are there for", () => {
    const seen = (index: number) => cases[index][1].updates.at(-1)!.metrics;
    for (const index of [0, 1, 2]) expect(seen(index)["train/clip-fraction"]).toBeGreaterThan(0.1);
    expect(seen(0)["train/first-ratio-error"]).toBeGreaterThan(0.5);
    expect(seen(1)["train/actor-gradient-norm"]).toBeGreaterThan(0.05);
    expect(seen(2)["train/first-ratio-error"]).toBeGreaterThan(0.5);
    expect(seen(3)["train/first-ratio-error"]).toBeLessThan(1e-6);
    expect(seen(5)["train/dag-gradient-norm"]).toBeGreaterThan(0.05);
    for (const [, { before, updates }] of cases) {
      for (const [name, values] of Object.entries(updates[0].after)) {
        expect(
          Math.max(...values.map((value, k) => Math.abs(value - before[name][k]))),
          name,
        ).toBeGreaterThan(1e-4);
      }
    }
  });
});

test("learned DAGs are chosen as they were by the parameters that chose them", async () => {
  const recorded = cases[4][1];
  const { choose, chosen, rollout } = await prepared(recorded);
  await choose();
  const { order, edges } = recorded.rollout;
  expect([...chosen!.order]).toEqual(order);
  expect(Array.from(chosen!.edgeScores, (score) => (score > 0 ? 1 : 0))).toEqual(edges);
  expect(rollout.parents.some((value) => value === 1)).toBe(true);
  // The recorded update moves some agents and edges, so later epochs must have chosen again.
  expect((fixture.cases as Record<string, { changed?: number[] }>)[cases[4][0]].changed![0]).toBeGreaterThan(
    5,
  );
});

describe("samples redrawn in every epoch", () => {
  // With no discount and a critic of zeros, advantages are the rewards.
  const [, recorded] = cases[0];
  const { steps, environments, agents, actions } = recorded.sizes;
  const samples = steps * environments;

  test.each(["dag", "dag+actions"] as const)(
    "%s: the loss is the mean over samples, one by one",
    async (resample) => {
      const settings = {
        resample,
        discount: 0,
        normaliseAdvantages: false,
        epochs: 1,
        entropyCoefficient: 0,
      };
      const { updater, policy, rollout, networks } = await prepared(recorded, settings, "random(2)");
      (networks.critic.vector.values as Float32Array).fill(0);

      const rng = createRng(0).split("resample");
      const acting = await policy.createActor(samples);
      dagWriter(parseDagSource("random(2)", agents, false), samples, agents).draw({ rng }, acting.dags);
      acting.observations.set(rollout.observations);
      rng.fillGumbel(acting.noise);
      await acting.run();
      const rows = conditionalRowBuilder(
        policy.actor,
        samples,
      )({
        observations: rollout.observations,
        parents: acting.dags.parents,
        actions: resample === "dag" ? rollout.actions : acting.actions,
      });
      const table = await policy.logProbabilities(rows);
      let gain = 0;
      let largest = 0;
      for (let k = 0; k < samples * agents; k++) {
        const log = table[rows.rowOf[k] * actions + rollout.actions[k]];
        const ratio = Math.exp(log - rollout.logProbabilities[k]);
        const advantage = rollout.rewards[Math.floor(k / agents)];
        gain += Math.min(ratio * advantage, Math.min(Math.max(ratio, 0.8), 1.2) * advantage);
        largest = Math.max(largest, Math.abs(ratio - 1));
      }
      const metrics = await updater.update(0, 1);
      expect(metrics["train/policy-loss"]).toBeCloseTo(-gain / (samples * agents), 5);
      expect(metrics["train/first-ratio-error"]).toBeCloseTo(largest, 5);
      expect(largest).toBeGreaterThan(0.2);
      // Equal decisions with different stored probabilities are kept apart.
      expect(metrics["train/distinct-decisions"]).toBeGreaterThan(rows.count);
    },
  );
});

test("minibatches must divide the samples of an update", () => {
  const [, recorded] = cases[0];
  return expect(prepared(recorded, { minibatches: 5 })).rejects.toThrow(
    new InputError(
      "mappo.minibatches: 5 does not divide the 24 samples of an update (6 steps x 4 environments)",
    ),
  );
});
