/** Rollouts and updates of stochastic policies against PyTorch, agent by agent and critic by critic (`fixtures/make-mastac-pg.py`). */
import { describe, expect, test } from "vitest";
import type { ActionSpace, EnvSpec } from "../envs/index.ts";
import { createRng } from "../random/index.ts";
import { type CouplingGraphs, couplingsFromJson } from "../structure/index.ts";
import { type Layout, loadEngine, namedArrays, type Variable } from "../tensor/index.ts";
import fixture from "./fixtures/mastac-pg.json" with { type: "json" };
import {
  createSamples,
  criticStep,
  estimate,
  type MastacPgTeam,
  mastacPg,
  mastacPgPlay,
  mastacPgTeam,
  policyStep,
} from "./mastac-pg.ts";

type Arrays = Readonly<Record<string, readonly number[]>>;
type Moment = Readonly<Record<"observations" | "states" | "noise" | "available", readonly number[]>>;
type Found = Readonly<
  Record<"decisions" | "logProbabilities" | "actions" | "values", readonly (readonly number[])[]>
>;
interface Recorded {
  readonly actions: readonly ActionSpace[];
  readonly masked: boolean;
  readonly config: object;
  readonly told: readonly (readonly number[])[];
  readonly climbed: readonly (readonly number[])[];
  readonly shapes: Arrays;
  readonly before: Arrays;
  readonly moments: readonly Moment[];
  readonly following: readonly Moment[];
  readonly found: Found;
  readonly rewards: readonly number[];
  readonly returns: readonly number[];
  readonly weights: readonly number[];
  readonly epochs: readonly { readonly metrics: Arrays; readonly parameters: Arrays }[];
}

const engine = await loadEngine();
const graphs = couplingsFromJson(fixture.couplings) as CouplingGraphs;
const { stateSizes, observationSizes, steps, environments, ends } = fixture;
const cases = Object.entries(fixture.cases as unknown as Record<string, Recorded>);
const { agents } = graphs;

const specOf = (actions: readonly ActionSpace[]): EnvSpec => ({
  id: "recorded",
  version: 1,
  agents,
  observationSize: Math.max(...observationSizes),
  observationSizes,
  stateSize: stateSizes.reduce((total, size) => total + size),
  stateSizes,
  actions,
  horizon: steps,
  rewards: "individual",
  sharedObservation: false,
});

function write({ values }: Variable, { parameters, offsets }: Layout, arrays: Arrays): void {
  for (const [index, { name }] of parameters.entries()) {
    (values as Float32Array).set(arrays[name], offsets[index]);
  }
}

const read = ({ actor, critic }: MastacPgTeam) =>
  Object.assign(
    {},
    ...[actor, critic].map(({ vector, named }) => namedArrays(vector.values as Float32Array, named.layout)),
  ) as Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** The largest distance between numbers, relative to those above 1. */
const distance = (found: ArrayLike<number>, expected: readonly number[]): number => {
  expect(found.length).toBe(expected.length);
  return Math.max(...expected.map((value, k) => Math.abs(found[k] - value) / Math.max(1, Math.abs(value))));
};

describe("what is decided, valued and learned equals PyTorch's", () => {
  test.each(cases)("%s", async (_, recorded) => {
    const config = mastacPg.config.parse(recorded.config);
    const team = mastacPgTeam(specOf(recorded.actions), graphs, config, createRng(0));
    expect(team.scopes.map(({ told }) => told)).toEqual(recorded.told);
    expect(team.climbed).toEqual(recorded.climbed);
    const shapes = Object.entries(read(team)).map(([name, { shape }]) => [name, shape]);
    expect(Object.fromEntries(shapes)).toEqual(recorded.shapes);
    for (const { vector, named } of [team.actor, team.critic]) write(vector, named.layout, recorded.before);

    const masked = recorded.masked ? Math.max(...team.head.rows.map(({ length }) => length)) : undefined;
    const play = await mastacPgPlay(engine, team, environments, masked);
    const look = async (moment: Moment): Promise<void> => {
      for (const [name, values] of Object.entries(play.inputs)) {
        (values as Float32Array).set(moment[name as keyof Moment]);
      }
      await play.run();
    };
    const count = steps * environments;
    const rollout = createSamples(team, count, masked);
    const valued = {
      steps,
      rewards: Float64Array.from(recorded.rewards),
      values: new Float64Array(count * agents),
      nextValues: new Float64Array(count * agents),
      ended: Uint8Array.from({ length: count * agents }, (_, k) => {
        const b = Math.floor(k / agents) % environments;
        return ends[b][Math.floor(k / (agents * environments))] === "." ? 0 : 1;
      }),
    };
    for (let t = 0; t < steps; t++) {
      await look(recorded.moments[t]);
      for (const [name, expected] of Object.entries(recorded.found)) {
        expect(
          distance(play.results[name as keyof Found] as Float32Array, expected[t]),
          `${name} at ${t}`,
        ).toBeLessThan(1e-5);
      }
      for (const name of ["observations", "states", "available"] as const) {
        const seen = play.inputs[name];
        if (seen !== undefined) rollout[name]!.set(seen, t * seen.length);
      }
      for (const name of ["decisions", "logProbabilities"] as const) {
        const made = play.results[name] as Float32Array;
        rollout[name].set(made, t * made.length);
      }
      const width = environments * agents;
      valued.values.set(play.results.values as Float32Array, t * width);
      await look(recorded.following[t]);
      for (let k = 0; k < width; k++) {
        const ended = ends[Math.floor(k / agents)][t] === "x";
        valued.nextValues[t * width + k] = ended ? 0 : Number(play.results.values[k]);
      }
    }
    estimate(team, valued, rollout, config);
    expect(distance(rollout.returns, recorded.returns)).toBeLessThan(1e-5);
    expect(distance(rollout.weights, recorded.weights)).toBeLessThan(1e-4);

    const programs = [
      await criticStep(engine, team, rollout, config),
      await policyStep(engine, team, rollout, config),
    ];
    for (const { metrics, parameters } of recorded.epochs) {
      for (const { run } of programs) await run();
      const results = Object.assign({}, ...programs.map((program) => program.results));
      expect(Object.keys(results).sort()).toEqual(Object.keys(metrics).sort());
      for (const [name, values] of Object.entries(metrics)) {
        expect(distance(results[name], values), name).toBeLessThan(5e-5);
      }
      for (const [name, { data }] of Object.entries(read(team))) {
        expect(distance(data, parameters[name]), name).toBeLessThan(5e-5);
      }
    }
    for (const program of [play, ...programs]) await program.dispose();
  });

  test("the cases reach what they are there for", () => {
    for (const [name, { before, epochs, climbed }] of cases) {
      const last = epochs[epochs.length - 1];
      for (const [kind, values] of Object.entries(last.metrics)) {
        if (kind.endsWith("norm")) expect(Math.min(...values), `${name}: ${kind}`).toBeGreaterThan(1e-4);
      }
      // Networks move, all of them, and so far that ratios leave the range.
      for (const agent of climbed.keys()) {
        for (const network of [`actor/${agent}/`, `critic/${agent}/`]) {
          const own = Object.keys(before).filter((each) => each.startsWith(network));
          expect(
            Math.max(...own.map((each) => distance(last.parameters[each], before[each]))),
          ).toBeGreaterThan(1e-3);
        }
      }
      if (name.startsWith("ppo")) expect(Math.max(...last.metrics["clip-fraction"])).toBeGreaterThan(0);
    }
  });
});
