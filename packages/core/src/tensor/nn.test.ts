import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { loadEngine } from "./engine.ts";
import { type Expr, type FloatType, sizeOf } from "./expr.ts";
import fixture from "./fixtures/nn.json" with { type: "json" };
import { gradients } from "./grad.ts";
import * as nn from "./nn.ts";
import { constant, equal, mul, reshape, sum, tanh, transpose } from "./ops.ts";
import { initialise, layoutOf, type Views } from "./params.ts";
import { compile, evaluate } from "./program.ts";

const engine = await loadEngine();

interface RecordedTensor {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Recorded {
  readonly weights: Readonly<Record<string, RecordedTensor>>;
  readonly inputs: Readonly<Record<string, RecordedTensor>>;
  readonly output: RecordedTensor;
  readonly seed: RecordedTensor;
  readonly gradients: Readonly<Record<string, RecordedTensor>>;
}

const tensor = ({ shape, values }: RecordedTensor, dtype: FloatType = "float64"): Expr =>
  constant(dtype, shape, values);

const leaves = (tensors: Readonly<Record<string, RecordedTensor>>, dtype?: FloatType): Record<string, Expr> =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, tensor(value, dtype)]));

async function expectClose(found: Expr, recorded: RecordedTensor, tolerance: number): Promise<void> {
  expect(found.shape).toEqual(recorded.shape);
  const values = [...((await evaluate(engine, found)) as Float64Array)];
  const worst = Math.max(...values.map((value, k) => Math.abs(value - recorded.values[k])));
  expect(worst).toBeLessThan(tolerance);
}

/** Output and gradients of `sum(output * seed)` for all weights and inputs. */
async function expectRecorded<I extends readonly unknown[]>(
  module: nn.Module<I>,
  recorded: Recorded,
  ...rest: readonly unknown[]
): Promise<void> {
  const shapes = Object.entries(recorded.weights).map(([name, { shape }]) => [name, shape]);
  expect(module.parameters.map(({ name, shape }) => [name, shape])).toEqual(shapes);
  const weights = leaves(recorded.weights);
  const inputs = leaves(recorded.inputs);
  const output = module.apply(weights, ...([...Object.values(inputs), ...rest] as unknown as I));
  await expectClose(output, recorded.output, 1e-10);
  const wanted = { ...weights, ...inputs };
  const found = gradients(sum(mul(output, tensor(recorded.seed))), Object.values(wanted));
  for (const [index, name] of Object.keys(wanted).entries()) {
    await expectClose(found[index], recorded.gradients[name], 1e-10);
  }
}

const mask = equal(
  constant("int32", fixture.maskedAttention.mask.shape, fixture.maskedAttention.mask.values),
  1,
);

const attention = nn.selfAttention("attention", 6, 3);
/** `[B, V, d]` as `[V, B, d]`, and back. */
const nodesFirst = (x: Expr): Expr => transpose(x, [1, 0, 2]);

describe("outputs and gradients of PyTorch's modules with the same weights", () => {
  test("linear", () => expectRecorded(nn.linear("layer", 3, 4), fixture.linear));

  test("mlp", () => expectRecorded(nn.mlp("mlp", 3, 2, { hidden: [6, 5], activation: tanh }), fixture.mlp));

  test("layerNormalisation", () => expectRecorded(nn.layerNormalisation("norm", 6, 1e-3), fixture.layerNorm));

  /** Self-attention with the batch before the nodes, as PyTorch has it. */
  const batchFirst: nn.Module<[x: Expr, mask?: Expr]> = {
    parameters: attention.parameters,
    apply: (views, x, mask) => nodesFirst(attention.apply(views, nodesFirst(x), mask)),
  };

  test("selfAttention", () => expectRecorded(batchFirst, fixture.attention));

  test("selfAttention with a mask for all", () => expectRecorded(batchFirst, fixture.maskedAttention, mask));

  test("selfAttention with a mask for each batch entry", () => {
    const { values } = fixture.maskedAttention.mask;
    const each = equal(constant("int32", [2, 4, 4], [...values, ...values]), 1);
    return expectRecorded(batchFirst, fixture.maskedAttention, each);
  });

  test("gruCell", () => expectRecorded(nn.gruCell("gru", 3, 4), fixture.gruCell));
});

describe("selfAttention", () => {
  test("gives its weights, masked or not", async () => {
    for (const [recorded, allowed] of [
      [fixture.attention, undefined],
      [fixture.maskedAttention, mask],
    ] as const) {
      const found = attention.weights(
        leaves(recorded.weights),
        nodesFirst(tensor(recorded.inputs.x)),
        allowed,
      );
      await expectClose(found, recorded.attention, 1e-10);
    }
  });

  test("a node that may attend to nothing attends to all equally", async () => {
    const none = equal(constant("int32", [4, 4], new Array<number>(16).fill(0)), 1);
    const { weights, inputs } = fixture.attention;
    const found = await evaluate(
      engine,
      attention.weights(leaves(weights), nodesFirst(tensor(inputs.x)), none),
    );
    expect([...(found as Float64Array)]).toEqual(new Array(2 * 3 * 4 * 4).fill(0.25));
  });

  test("a mask of keys for each entry of a batch with several axes stands for that of every row", async () => {
    const { weights, inputs } = fixture.attention;
    const x = reshape(nodesFirst(tensor(inputs.x)), [4, 1, 2, 6]);
    const keys = equal(constant("int32", [1, 2, 1, 4], [1, 0, 1, 1, 0, 1, 1, 0]), 1);
    const found = attention.apply(leaves(weights), x, keys);
    const full = equal(
      constant(
        "int32",
        [2, 4, 4],
        [1, 0, 1, 1, 0, 1, 1, 0].flatMap((_, k, all) =>
          k % 4 === 0
            ? Array(4)
                .fill(all.slice(k, k + 4))
                .flat()
            : [],
        ),
      ),
      1,
    );
    const wanted = attention.apply(leaves(weights), reshape(x, [4, 2, 6]), full);
    expect(found.shape).toEqual([4, 1, 2, 6]);
    expect([...((await evaluate(engine, found)) as Float64Array)]).toEqual([
      ...((await evaluate(engine, wanted)) as Float64Array),
    ]);
  });
});

describe("layerNormalisation", () => {
  test("in float32 is one operator that agrees with the float64 decomposition", async () => {
    const { weights, inputs, seed, output, gradients: expected } = fixture.layerNorm;
    const module = nn.layerNormalisation("norm", 6, 1e-3);
    const views = leaves(weights, "float32");
    const x = tensor(inputs.x, "float32");
    const y = module.apply(views, x);
    await expectClose(y, output, 2e-6);
    const names = ["norm/scale", "norm/bias"] as const;
    const found = gradients(sum(mul(y, tensor(seed, "float32"))), [x, ...names.map((name) => views[name])]);
    for (const [k, name] of (["x", ...names] as const).entries())
      await expectClose(found[k], expected[name], 2e-6);
    const count = async (dtype: FloatType): Promise<number> => {
      const program = await compile(engine, {
        name: "norm",
        inputs: { x: { dtype, shape: [2, 6] } },
        build: (given) => ({ results: { y: module.apply(leaves(weights, dtype), given.x) } }),
      });
      await program.dispose();
      return program.nodeCount;
    };
    expect(await count("float32")).toBe(1);
    expect(await count("float64")).toBeGreaterThan(1);
  });

  test("starts as plain standardisation", async () => {
    const module = nn.layerNormalisation("norm", 2, 0);
    const layout = layoutOf(module.parameters);
    expect([...initialise(layout, createRng(0))]).toEqual([1, 1, 0, 0]);
    const views: Views = {
      "norm/scale": constant("float64", [2], [1, 1]),
      "norm/bias": constant("float64", [2], [0, 0]),
    };
    const y = module.apply(views, constant("float64", [1, 2], [3, 7]));
    await expectClose(y, { shape: [1, 2], values: [-1, 1] }, 1e-15);
  });
});

describe("composition", () => {
  test("mlp makes every layer with the function given and tells the last", () => {
    const made: unknown[] = [];
    const network = nn.mlp("body", 2, 3, {
      hidden: [4, 5],
      linear: (name, inputs, outputs, last) => {
        made.push([name, inputs, outputs, last]);
        return nn.orthogonalLinear(name, inputs, outputs, last ? 0.01 : 1);
      },
    });
    expect(made).toEqual([
      ["body/0", 2, 4, false],
      ["body/1", 4, 5, false],
      ["body/2", 5, 3, true],
    ]);
    expect(nn.parameterCount(network.parameters)).toBe(2 * 4 + 4 + 4 * 5 + 5 + 5 * 3 + 3);
  });

  test("mlp without hidden layers is linear, with the default activation relu", async () => {
    const weights = {
      "m/0/w": constant("float64", [1, 2], [1, -1]),
      "m/0/b": constant("float64", [2], [0.5, 0.25]),
      "m/1/w": constant("float64", [2, 1], [3, 100]),
      "m/1/b": constant("float64", [1], [1]),
    };
    const x = constant("float64", [2, 1], [2, -2]);
    const straight = nn.mlp("m", 1, 2, { hidden: [] });
    await expectClose(straight.apply(weights, x), { shape: [2, 2], values: [2.5, -1.75, -1.5, 2.25] }, 1e-15);
    // relu keeps 2.5 of the first row and 2.25 of the second: 3 * 2.5 + 1 and 100 * 2.25 + 1.
    const bent = nn.mlp("m", 1, 1, { hidden: [2] });
    await expectClose(bent.apply(weights, x), { shape: [2, 1], values: [8.5, 226] }, 1e-13);
  });

  test("sequence runs modules and functions in order", async () => {
    const steps = nn.sequence(
      (a: Expr) => mul(a, 2),
      nn.linear("a", 1, 1, { bias: false }),
      (a: Expr) => reshape(a, [2]),
    );
    expect(steps.parameters.map(({ name }) => name)).toEqual(["a/w"]);
    const y = steps.apply({ "a/w": constant("float64", [1, 1], [5]) }, constant("float64", [2, 1], [1, 3]));
    await expectClose(y, { shape: [2], values: [10, 30] }, 1e-15);
  });

  test.each([
    ["float64", 1e-12, true],
    ["float64", 1e-12, false],
    ["float32", 1e-5, true],
  ] as const)(
    "a linear layer after a normalisation takes its scale and bias in (%s, %#)",
    async (dtype, tolerance, bias) => {
      const norm = nn.layerNormalisation("norm", 3);
      const layer = nn.linear("a", 3, 2, { bias });
      const views = {
        "norm/scale": constant(dtype, [3], [2, -1, 0.5]),
        "norm/bias": constant(dtype, [3], [0.25, 3, -1]),
        "a/w": constant(dtype, [3, 2], [1, -2, 0.5, 4, -3, 0.125]),
        "a/b": constant(dtype, [2], [10, 20]),
      };
      const x = constant(dtype, [1, 2, 3], [1, 5, 2, -3, 0.5, 0]);
      const apart = layer.apply(views, norm.apply(views, x));
      const values = [...((await evaluate(engine, apart)) as Float64Array)];
      await expectClose(nn.sequence(norm, layer).apply(views, x), { shape: [1, 2, 2], values }, tolerance);
    },
  );

  test("a normalisation times weights of each group is that of the groups apart, bias and all", async () => {
    const norm = nn.layerNormalisation("norm", 3);
    const views = {
      "norm/scale": constant("float64", [3], [2, -1, 0.5]),
      "norm/bias": constant("float64", [3], [0.25, 3, -1]),
    };
    const rows = [
      [1, 5, 2, -3, 0.5, 0],
      [4, 4, 1, 0, 2, 7],
    ];
    const weights = [
      [1, -2, 0.5, 4, -3, 0.125],
      [0, 1, 2, 3, 4, 5],
    ];
    const bias = constant("float64", [2], [10, 20]);
    const apart = await Promise.all(
      rows.map(async (values, group) => {
        const x = constant("float64", [2, 3], values);
        const y = norm.product(views, x, constant("float64", [3, 2], weights[group]), bias);
        return [...((await evaluate(engine, y)) as Float64Array)];
      }),
    );
    const together = norm.product(
      views,
      constant("float64", [2, 2, 3], rows.flat()),
      constant("float64", [2, 3, 2], weights.flat()),
      bias,
    );
    await expectClose(together, { shape: [2, 2, 2], values: apart.flat() }, 1e-12);
  });

  test("a linear layer without bias has no bias", () => {
    expect(nn.linear("a", 2, 3, { bias: false }).parameters.map(({ name }) => name)).toEqual(["a/w"]);
  });
});

describe("first values", () => {
  const first = (module: nn.Module<never>) => {
    const layout = layoutOf(module.parameters);
    const vector = initialise(layout, createRng("first values"));
    return Object.fromEntries(
      layout.parameters.map(({ name, shape }, k) => [
        name,
        vector.subarray(layout.offsets[k], layout.offsets[k] + sizeOf(shape)),
      ]),
    );
  };
  const largest = (values: Float64Array): number => Math.max(...values.map(Math.abs));

  test("linear: weights and biases within 1 / sqrt(inputs), and up to it", () => {
    const values = first(nn.linear("a", 16, 200));
    for (const name of ["a/w", "a/b"]) {
      expect(largest(values[name])).toBeLessThan(0.25);
      expect(largest(values[name])).toBeGreaterThan(0.24);
    }
  });

  test("orthogonalLinear: columns of length gain, no bias", () => {
    const values = first(nn.orthogonalLinear("a", 9, 1, 3));
    expect(Math.hypot(...values["a/w"])).toBeCloseTo(3, 12);
    expect([...values["a/b"]]).toEqual([0]);
  });

  test("selfAttention: each projection within Glorot's limit, no biases", () => {
    const values = first(nn.selfAttention("a", 32, 4));
    expect(largest(values["a/qkv/w"])).toBeLessThan(Math.sqrt(6 / (32 + 96)));
    expect(largest(values["a/out/w"])).toBeLessThan(Math.sqrt(6 / (32 + 32)));
    expect(largest(values["a/out/w"])).toBeGreaterThan(0.98 * Math.sqrt(6 / (32 + 32)));
    expect(largest(values["a/qkv/b"]) + largest(values["a/out/b"])).toBe(0);
  });

  test("gruCell: everything within 1 / sqrt(hidden)", () => {
    const values = first(nn.gruCell("g", 100, 4));
    for (const name of ["g/input/w", "g/input/b", "g/hidden/w", "g/hidden/b"]) {
      expect(largest(values[name])).toBeLessThan(0.5);
      expect(largest(values[name])).toBeGreaterThan(0.35);
    }
    expect(largest(values["g/input/w"])).toBeGreaterThan(0.49);
  });
});
