import { expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { add, compile, loadEngine, mul, sum, unpack } from "../tensor/index.ts";
import { learnable } from "./learnable.ts";

const engine = await loadEngine();
const parameters = [
  { name: "net/a", shape: [2], initialise: () => Float64Array.of(1, -2) },
  { name: "net/b", shape: [1], initialise: () => Float64Array.of(3) },
];

/** Adam with step size 0.1 and epsilon 0.01 on the loss `slope (3 a_0 + 4 a_1 + 12 b)`, whose gradient has norm 13. */
async function steepSlope(maxGradientNorm: number) {
  const learned = learnable(
    "net",
    parameters,
    { learningRate: 0.1, epsilon: 0.01, maxGradientNorm },
    createRng(1),
  );
  const program = await compile(engine, {
    name: "step",
    inputs: { slope: { dtype: "float32", shape: [] }, slopes: { dtype: "float32", shape: [2] } },
    variables: learned.variables,
    build(leaves) {
      const views = unpack(leaves.parameters, learned.layout);
      const height = add(sum(mul(views["net/a"], leaves.slopes)), mul(sum(views["net/b"]), 12));
      const { gradientNorm, updates } = learned.step(mul(height, leaves.slope), views, leaves);
      return { results: { gradientNorm }, updates };
    },
  });
  (program.inputs.slopes as Float32Array).set([3, 4]);
  return {
    learned,
    async step(slope: number): Promise<number> {
      (program.inputs.slope as Float32Array)[0] = slope;
      await program.run();
      return (program.results.gradientNorm as Float32Array)[0];
    },
  };
}

function expectParameters(values: ArrayLike<number>, expected: readonly number[]): void {
  expect(values).toHaveLength(expected.length);
  for (const [k, value] of expected.entries()) expect(values[k]).toBeCloseTo(value, 6);
}

test("two clipped Adam steps equal the calculation by hand", async () => {
  const { learned, step } = await steepSlope(2.6);
  expectParameters(learned.vector.values as Float32Array, [1, -2, 3]);
  // The gradient (3, 4, 12) is cut to g = (.6, .8, 2.4). Corrected moments of the first step are g and g^2.
  expect(await step(1)).toBeCloseTo(13, 5);
  const moved = [0.06 / 0.61, 0.08 / 0.81, 0.24 / 2.41];
  expectParameters(learned.vector.values as Float32Array, [1 - moved[0], -2 - moved[1], 3 - moved[2]]);
  // Half as steep the other way it is cut to -g: first moment (.9 * .1 - .1) g / (1 - .81) = -g / 19, second g^2.
  expect(await step(-0.5)).toBeCloseTo(6.5, 5);
  const back = 1 - 1 / 19;
  expectParameters(learned.vector.values as Float32Array, [
    1 - back * moved[0],
    -2 - back * moved[1],
    3 - back * moved[2],
  ]);
  expect([...learned.variables.stepCount.values]).toEqual([2]);
});

test("a gradient within the limit is not scaled", async () => {
  const { learned, step } = await steepSlope(10);
  expect(await step(0.01)).toBeCloseTo(0.13, 6);
  expectParameters(learned.vector.values as Float32Array, [
    1 - (0.1 * 0.03) / 0.04,
    -2 - (0.1 * 0.04) / 0.05,
    3 - (0.1 * 0.12) / 0.13,
  ]);
});

test("parameters start from streams of their own names", () => {
  const drawn = (seed: number, name: string) => {
    const parameter = {
      name,
      shape: [1],
      initialise: (_: unknown, rng: { normal(): number }) => Float64Array.of(rng.normal()),
    };
    const options = { learningRate: 0.1, maxGradientNorm: 1 };
    return learnable("net", [parameter], options, createRng(seed)).vector.values[0];
  };
  expect(drawn(1, "a")).toBe(Math.fround(createRng(1).split("initialise").split("a").normal()));
  expect(drawn(2, "a")).not.toBe(drawn(1, "a"));
  expect(drawn(1, "b")).not.toBe(drawn(1, "a"));
});
