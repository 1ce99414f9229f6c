import fc from "fast-check";
import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import {
  compile,
  constant,
  evaluate,
  initialise,
  layoutOf,
  loadEngine,
  nn,
  relu,
  unpack,
  variable,
} from "../tensor/index.ts";
import { type MonotonicMixerOptions, monotonicMixer, sumAndStateMixer, sumMixer } from "./mixers.ts";

const engine = await loadEngine();
const options: MonotonicMixerOptions = { agents: 3, stateSize: 2, embedding: 4, hypernetHidden: 5 };
const [moments, size] = [2, 5];

/** A mixer with drawn parameters as a function of utilities and states, in float64. */
async function mixing(options: MonotonicMixerOptions) {
  const mixer = monotonicMixer("mixer", options);
  const layout = layoutOf(mixer.parameters);
  // Larger weights than at the start of learning bend the function more.
  const drawn = initialise(layout, createRng(1)).map((value) => 2 * value);
  const program = await compile(engine, {
    name: "mix",
    inputs: {
      utilities: { dtype: "float64", shape: [moments, size, options.agents] },
      states: { dtype: "float64", shape: [moments, size, options.stateSize] },
    },
    variables: { parameters: variable("mixer", "float64", [layout.size], drawn) },
    build: (leaves) => ({
      results: { total: mixer.apply(unpack(leaves.parameters, layout), leaves.utilities, leaves.states) },
    }),
  });
  return async (utilities: ArrayLike<number>, states: ArrayLike<number>): Promise<number[]> => {
    program.inputs.utilities.set(utilities);
    program.inputs.states.set(states);
    await program.run();
    return [...(program.results.total as Float64Array)];
  };
}

const normals = (count: number, name: string, scale = 1): Float64Array => {
  const out = new Float64Array(count);
  createRng(name).fillNormal(out);
  return out.map((value) => value * scale);
};

test("a sum needs neither state nor parameters", async () => {
  const utilities = constant("float64", [2, 1, 3], [1, 2, 3, 4, 5, 6]);
  const total = sumMixer.apply({}, utilities, constant("float64", [2, 1, 0], []));
  expect(total.shape).toEqual([2, 1]);
  expect([...(await evaluate(engine, total))]).toEqual([6, 15]);
});

test.each([
  ["two-layer hypernets", options],
  ["linear hypernets", { ...options, hypernetHidden: 0 }],
  ["no activation", { ...options, activation: (a) => a }],
  ["another activation", { ...options, activation: relu }],
] satisfies [string, MonotonicMixerOptions][])(
  "the team's value never falls when a utility rises, whatever the state: %s",
  async (_, variant) => {
    const mix = await mixing(variant);
    const step = 1e-4;
    let rising = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(2), async (seed, agent) => {
        const utilities = normals(moments * size * 3, `utilities ${seed}`, 3);
        const states = normals(moments * size * 2, `states ${seed}`, 3);
        const before = await mix(utilities, states);
        const after = await mix(
          utilities.map((value, k) => (k % 3 === agent ? value + step : value)),
          states,
        );
        for (const [k, value] of before.entries()) {
          const slope = (after[k] - value) / step;
          expect(slope).toBeGreaterThan(-1e-9);
          if (slope > 1e-3) rising++;
        }
      }),
      { numRuns: 40 },
    );
    expect(rising).toBeGreaterThan(100);
  },
);

test("without an activation the value is linear in utilities; with it, it bends", async () => {
  for (const [variant, bends] of [
    [{ ...options, activation: (a) => a }, false],
    [options, true],
  ] satisfies [MonotonicMixerOptions, boolean][]) {
    const mix = await mixing(variant);
    const states = normals(moments * size * 2, "states");
    const [a, b] = [normals(moments * size * 3, "a", 3), normals(moments * size * 3, "b", 3)];
    const [atA, atB] = [await mix(a, states), await mix(b, states)];
    const middle = await mix(
      a.map((value, k) => (value + b[k]) / 2),
      states,
    );
    const bend = Math.max(...middle.map((value, k) => Math.abs(value - (atA[k] + atB[k]) / 2)));
    if (bends) expect(bend).toBeGreaterThan(1e-2);
    else expect(bend).toBeLessThan(1e-12);
  }
});

test("a small mixer by hand", async () => {
  // One agent, one state number s = 2, one hidden unit: |2 w1 + c1| q + 2 b + d, elu, times |2 w2 + c2|, plus v.
  const mixer = monotonicMixer("mixer", { agents: 1, stateSize: 1, embedding: 1, hypernetHidden: 0 });
  const names = ["first-weights/0", "first-bias", "last-weights/0", "value/0", "value/1"];
  expect(mixer.parameters.map(({ name }) => name)).toEqual(
    names.flatMap((name) => [`mixer/${name}/w`, `mixer/${name}/b`]),
  );
  const layout = layoutOf(mixer.parameters);
  //                          |2 (-3) + 1| = 5, 2 * .5 - 1 = 0, |2 (-.5) + .25| = .75, relu(2 * 2 - 1) = 3, 3 * 7 + .5
  const values = [-3, 1, 0.5, -1, -0.5, 0.25, 2, -1, 7, 0.5];
  const parameters = variable("mixer", "float64", [layout.size], values);
  const program = await compile(engine, {
    name: "mix",
    inputs: {
      utilities: { dtype: "float64", shape: [1, 2, 1] },
      states: { dtype: "float64", shape: [1, 2, 1] },
    },
    variables: { parameters },
    build: (leaves) => ({
      results: {
        total: mixer.apply(unpack(leaves.parameters, layout), leaves.utilities, leaves.states),
      },
    }),
  });
  program.inputs.utilities.set([0.4, -0.2]);
  program.inputs.states.set([2, 2]);
  await program.run();
  const [rising, falling] = program.results.total as Float64Array;
  expect(rising).toBeCloseTo(0.75 * 2 + 21.5, 12);
  expect(falling).toBeCloseTo(0.75 * (Math.exp(-1) - 1) + 21.5, 12);
});

test("how many numbers it learns", () => {
  const count = (options: MonotonicMixerOptions) =>
    nn.parameterCount(monotonicMixer("mixer", options).parameters);
  // QMIX on six agents with six state numbers, embedding 32 and hypernets of width 64.
  const linear = (inputs: number, outputs: number) => inputs * outputs + outputs;
  const rest = linear(6, 32) + linear(6, 32) + linear(32, 1);
  expect(count({ agents: 6, stateSize: 6, embedding: 32, hypernetHidden: 64 })).toBe(
    linear(6, 64) + linear(64, 192) + linear(6, 64) + linear(64, 32) + rest,
  );
  expect(count({ agents: 6, stateSize: 6, embedding: 32, hypernetHidden: 0 })).toBe(
    linear(6, 192) + linear(6, 32) + rest,
  );
});

test("signed weights let the team's value fall when a utility rises", async () => {
  const mix = await mixing({ ...options, signed: true });
  const [utilities, states] = [
    normals(moments * size * 3, "utilities"),
    normals(moments * size * 2, "states"),
  ];
  const before = await mix(utilities, states);
  const slopes: number[] = [];
  for (const agent of [0, 1, 2]) {
    const after = await mix(
      utilities.map((value, k) => (k % 3 === agent ? value + 1e-4 : value)),
      states,
    );
    slopes.push(...after.map((value, k) => (value - before[k]) / 1e-4));
  }
  expect(Math.min(...slopes)).toBeLessThan(-1e-2);
  expect(Math.max(...slopes)).toBeGreaterThan(1e-2);
});

test("a sum and a value of the state by hand", async () => {
  const mixer = sumAndStateMixer("mixer", { stateSize: 1, embedding: 2 });
  // relu(2 s + 1) 3 + relu(-s) 5 - 1 at s = 2 is 14, at s = -1 it is 4.
  const views = {
    "mixer/value/0/w": constant("float64", [1, 2], [2, -1]),
    "mixer/value/0/b": constant("float64", [2], [1, 0]),
    "mixer/value/1/w": constant("float64", [2, 1], [3, 5]),
    "mixer/value/1/b": constant("float64", [1], [-1]),
  };
  const utilities = constant("float64", [1, 2, 2], [10, 20, 1, 2]);
  const total = mixer.apply(views, utilities, constant("float64", [1, 2, 1], [2, -1]));
  expect(total.shape).toEqual([1, 2]);
  expect([...(await evaluate(engine, total))]).toEqual([30 + 14, 3 + 4]);
});
