/** Whole updates of MAStAC against PyTorch, agent by agent and critic by critic (`fixtures/make-mastac.py`). */
import { describe, expect, test } from "vitest";
import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { createSegments } from "../learn/index.ts";
import { createRng } from "../random/index.ts";
import { type CouplingGraphs, couplingsFromJson } from "../structure/index.ts";
import { type Layout, loadEngine, namedArrays, type Variable } from "../tensor/index.ts";
import fixture from "./fixtures/mastac.json" with { type: "json" };
import { type MastacTeam, mastac, mastacTeam, mastacUpdate } from "./mastac.ts";

type Arrays = Readonly<Record<string, readonly number[]>>;
interface Recorded {
  readonly actions: readonly ActionSpace[];
  readonly segments: Arrays & { readonly moments: number; readonly size: number };
  readonly config: object;
  readonly told: readonly (readonly number[])[];
  readonly shapes: Arrays;
  readonly before: { readonly parameters: Arrays; readonly target: Arrays };
  readonly updates: readonly {
    readonly metrics: Arrays;
    readonly parameters: Arrays;
    readonly target: Arrays;
  }[];
}

const engine = await loadEngine();
const graphs = couplingsFromJson(fixture.couplings) as CouplingGraphs;
const { stateSizes, observationSizes } = fixture;
const cases = Object.entries(fixture.cases as unknown as Record<string, Recorded>);

function prepared({ actions, segments: recorded, config, before }: Recorded) {
  const spec: EnvSpec = {
    id: "recorded",
    version: 1,
    agents: graphs.agents,
    observationSize: Math.max(...observationSizes),
    observationSizes,
    stateSize: stateSizes.reduce((total, size) => total + size),
    stateSizes,
    actions,
    horizon: recorded.moments,
    rewards: "individual",
    sharedObservation: false,
  };
  const shape = {
    steps: 1,
    moments: recorded.moments,
    agents: graphs.agents,
    observationSize: spec.observationSize,
    stateSize: spec.stateSize,
    actions: 0,
    controls: actions.reduce((total, space) => total + (space as { size: number }).size, 0),
    individualRewards: true,
    masked: false,
  };
  const segments = createSegments(shape, recorded.size);
  for (const name of [
    "observations",
    "states",
    "controls",
    "rewards",
    "individualRewards",
    "terminated",
    "mask",
  ] as const) {
    segments[name]!.set(recorded[name]);
  }
  const settled = mastac.config.parse(config);
  const team = mastacTeam(spec, graphs, settled, createRng(0));
  for (const { learnable } of learnables(team)) {
    write(learnable.vector, learnable.named.layout, before.parameters);
    write(learnable.target, learnable.named.layout, before.target);
  }
  return { team, program: mastacUpdate(engine, team, segments, settled) };
}

const learnables = ({ turns }: MastacTeam) =>
  turns.flatMap(({ actor, critic }) => [{ learnable: actor }, { learnable: critic }]);

/** Writes parameters by name. */
function write({ values }: Variable, { parameters, offsets }: Layout, arrays: Arrays): void {
  for (const [index, { name }] of parameters.entries()) {
    (values as Float32Array).set(arrays[name], offsets[index]);
  }
}

const read = (team: MastacTeam, of: "vector" | "target") =>
  Object.assign(
    {},
    ...learnables(team).map(({ learnable }) =>
      namedArrays(learnable[of].values as Float32Array, learnable.named.layout),
    ),
  ) as Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** The largest distance between numbers, relative to those above 1. */
const distance = (found: ArrayLike<number>, expected: readonly number[]): number =>
  Math.max(...expected.map((value, k) => Math.abs(found[k] - value) / Math.max(1, Math.abs(value))));

describe("an update equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const { team, program } = prepared(recorded);
    expect(team.scopes.map(({ told }) => told)).toEqual(recorded.told);
    const shapes = Object.entries(read(team, "vector")).map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(shapes)).toEqual(recorded.shapes);
    const { run, results, dispose } = await program;
    for (const { metrics, parameters, target } of recorded.updates) {
      await run();
      expect(Object.keys(results).sort()).toEqual(Object.keys(metrics).sort());
      for (const [name, values] of Object.entries(metrics)) {
        expect(results[name as keyof typeof results].length).toBe(values.length);
        expect(distance(results[name as keyof typeof results] as Float32Array, values), name).toBeLessThan(
          2e-5,
        );
      }
      for (const [of, expected] of [
        ["vector", parameters],
        ["target", target],
      ] as const) {
        for (const [name, { data }] of Object.entries(read(team, of))) {
          expect(distance(data, expected[name]), `${of} ${name}`).toBeLessThan(1e-5);
        }
      }
    }
    await dispose();
  });

  test("the cases reach what they are there for", () => {
    for (const [name, { before, updates, told }] of cases) {
      const [{ parameters, metrics }] = updates;
      // Networks move, all of them; of a layer of rectified units a bias may not.
      for (const [kind, values] of Object.entries(metrics)) {
        if (kind.endsWith("norm")) expect(Math.min(...values), `${name}: ${kind}`).toBeGreaterThan(1e-4);
      }
      const moved = Object.keys(parameters).map((each) =>
        distance(parameters[each], before.parameters[each]),
      );
      expect(Math.max(...moved), name).toBeGreaterThan(1e-3);
      const exact = [[0], [0, 1, 2, 3], [0, 1, 2, 3], [3]];
      if (name.startsWith("exact")) expect(told).toEqual(exact);
      if (name.startsWith("kappa")) expect(told).not.toEqual(exact);
    }
  });
});
