import { describe, expect, test } from "vitest";
import { loadEngine } from "./engine.ts";
import type { Expr, FloatType } from "./expr.ts";
import fixture from "./fixtures/optim.json" with { type: "json" };
import { square } from "./functions.ts";
import { gradients } from "./grad.ts";
import { add, constant, mul, slice, sub, sum } from "./ops.ts";
import { adam, clipByGlobalNorm, gradientDescent, type Optimiser, polyakAverage, rmsProp } from "./optim.ts";
import { compile, variable } from "./program.ts";

const engine = await loadEngine();
const size = fixture.start.length;
const steps = fixture.rates.length;

/** The loss that the recorded sequences descend, as stated in fixtures/make-optim.py. */
function lossOf(parameters: Expr, dtype: FloatType): Expr {
  const residual = sub(parameters, constant(dtype, [size], fixture.target));
  const product = mul(slice(parameters, 0, 0, 1), slice(parameters, 0, 1, 2));
  return add(sum(mul(constant(dtype, [size], fixture.scale), square(residual))), sum(product));
}

/** Parameters after each step, and the norm of each gradient before clipping. */
async function descend(
  make: (learningRate: Expr) => Optimiser<string>,
  clip?: number,
  dtype: FloatType = "float64",
): Promise<{ parameters: number[][]; norms: number[] }> {
  const parameters = variable("parameters", dtype, [size], fixture.start);
  const state = make(constant(dtype, [], [0])).state("optimiser", dtype, size);
  const program = await compile(engine, {
    name: "descent",
    inputs: { learningRate: { dtype, shape: [] } },
    variables: { parameters, ...state },
    build({ learningRate, parameters, ...state }: Record<string, Expr>) {
      const [gradient] = gradients(lossOf(parameters, dtype), [parameters]);
      const clipped = clipByGlobalNorm(gradient, clip ?? 1);
      const used = clip === undefined ? gradient : clipped.gradient;
      const step = make(learningRate).step(parameters, used, state);
      return { results: { norm: clipped.norm }, updates: { parameters: step.parameters, ...step.state } };
    },
  });
  const rows: number[][] = [];
  const norms: number[] = [];
  for (const rate of fixture.rates) {
    (program.inputs.learningRate as Float64Array)[0] = rate;
    await program.run();
    rows.push([...(parameters.values as Float64Array)]);
    norms.push(program.results.norm[0] as number);
  }
  await program.dispose();
  return { parameters: rows, norms };
}

/** Largest difference of two tables of numbers, relative where they are large. */
function difference(found: readonly (readonly number[])[], expected: readonly (readonly number[])[]): number {
  expect(found.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  return Math.max(
    ...found.flatMap((row, k) =>
      row.map((value, i) => Math.abs(value - expected[k][i]) / Math.max(1, Math.abs(expected[k][i]))),
    ),
  );
}

interface Recorded {
  readonly parameters: readonly (readonly number[])[];
  readonly norms?: readonly number[];
}

/** The optimiser of each sequence; `rate` is the step size that changes from step to step. */
const cases: Record<string, readonly [Recorded, (rate: Expr) => Optimiser<string>, clip?: number]> = {
  adam: [fixture.adam, () => adam({ learningRate: 0.1 })],
  "adam with other betas and epsilon": [
    fixture.adamOptions,
    () => adam({ learningRate: 0.05, beta1: 0.5, beta2: 0.9, epsilon: 1e-3 }),
  ],
  "adam with a changing step size": [fixture.adamScheduled, (rate) => adam({ learningRate: rate })],
  "adam on clipped gradients": [fixture.adamClipped, () => adam({ learningRate: 0.1, epsilon: 0.1 }), 0.5],
  rmsProp: [fixture.rmsProp, () => rmsProp({ learningRate: 0.1 })],
  "rmsProp with other decay and epsilon": [
    fixture.rmsPropOptions,
    () => rmsProp({ learningRate: 0.05, decay: 0.5, epsilon: 1e-2 }),
  ],
  "rmsProp with a changing step size": [fixture.rmsPropScheduled, (rate) => rmsProp({ learningRate: rate })],
  "gradient descent": [fixture.gradientDescent, () => gradientDescent(0.02)],
  "gradient descent with a changing step size": [
    fixture.gradientDescentScheduled,
    (rate) => gradientDescent(rate),
  ],
  "gradient descent, clipped": [fixture.clipped, () => gradientDescent(0.02), 3],
  "gradient descent, below the limit": [fixture.notClipped, () => gradientDescent(0.02), 1e6],
};

describe("sequences of PyTorch's optimisers", () => {
  test.each(Object.entries(cases))("%s", async (_, [recorded, make, clip]) => {
    const found = await descend(make, clip);
    expect(found.parameters).toHaveLength(steps);
    expect(difference(found.parameters, recorded.parameters)).toBeLessThan(1e-12);
    if (recorded.norms !== undefined) expect(difference([found.norms], [recorded.norms])).toBeLessThan(1e-12);
  });

  test("polyakAverage", async () => {
    const parameters = variable("parameters", "float64", [size], fixture.start);
    const target = variable("target", "float64", [size], fixture.target);
    const program = await compile(engine, {
      name: "target",
      inputs: { rate: { dtype: "float64", shape: [] } },
      variables: { parameters, target },
      build(leaves) {
        const [gradient] = gradients(lossOf(leaves.parameters, "float64"), [leaves.parameters]);
        const step = gradientDescent(0.02).step(leaves.parameters, gradient, {});
        return {
          results: {},
          updates: {
            parameters: step.parameters,
            target: polyakAverage(leaves.target, step.parameters, leaves.rate),
          },
        };
      },
    });
    const rate = program.inputs.rate as Float64Array;
    rate[0] = 0.05;
    const rows: number[][] = [];
    for (let k = 0; k < steps; k++) {
      await program.run();
      rows.push([...(target.values as Float64Array)]);
    }
    expect(difference(rows, fixture.polyakAverage.parameters)).toBeLessThan(1e-12);
    rate[0] = 1;
    await program.run();
    expect(
      difference([[...(target.values as Float64Array)]], [[...(parameters.values as Float64Array)]]),
    ).toBeLessThan(1e-15);
    await program.dispose();
  });
});

describe("adam", () => {
  test("in float32 follows float64 from the first step, where 1 - beta2^t is small", async () => {
    const single = await descend((rate) => adam({ learningRate: rate }), undefined, "float32");
    expect(difference(single.parameters, fixture.adamScheduled.parameters)).toBeLessThan(1e-6);
  });

  test("names and sizes its state", () => {
    const state = adam({ learningRate: 0.1 }).state("critic/adam", "float32", 7);
    expect(Object.values(state).map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ["critic/adam/first-moment", "float32", [7]],
      ["critic/adam/second-moment", "float32", [7]],
      ["critic/adam/step-count", "float64", []],
    ]);
  });
});

test("a zero gradient is clipped to zero", async () => {
  const program = await compile(engine, {
    name: "clip",
    inputs: { gradient: { dtype: "float32", shape: [3] } },
    build: (leaves) => {
      const { gradient, norm } = clipByGlobalNorm(leaves.gradient, 1);
      return { results: { clipped: gradient, norm } };
    },
  });
  await program.run();
  expect([...program.results.clipped, ...program.results.norm]).toEqual([0, 0, 0, 0]);
  (program.inputs.gradient as Float32Array).set([0, 3, -4]);
  await program.run();
  expect(program.results.norm[0]).toBe(5);
  expect(program.results.clipped[2]).toBeCloseTo(-0.8, 6);
  await program.dispose();
});
