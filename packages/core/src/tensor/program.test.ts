import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { type Engine, loadEngine } from "./engine.ts";
import { type Expr, type FloatType, ShapeError } from "./expr.ts";
import { mean, square } from "./functions.ts";
import { gradients } from "./grad.ts";
import { mlp } from "./nn.ts";
import { add, argMax, constant, div, exp, filled, gather, gemm, greater, mul, neg, sub, sum } from "./ops.ts";
import { adam, clipByGlobalNorm } from "./optim.ts";
import { initialise, layoutOf, unpack } from "./params.ts";
import { compile, evaluate, NonFiniteError, trace, variable } from "./program.ts";

const native = await loadEngine("onnxruntime-node");
const web = await loadEngine("onnxruntime-web");

/** Mean-square regression with an MLP and Adam: everything a training update consists of. */
function regression(dtype: FloatType, batch = 8) {
  const network = mlp("net", 3, 2, { hidden: [7, 5] });
  const layout = layoutOf(network.parameters);
  const rng = createRng("regression");
  const weights = variable("weights", dtype, [layout.size], initialise(layout, rng.split("weights")));
  const optimiser = adam({ learningRate: 1e-2 });
  const state = optimiser.state("adam", dtype, layout.size);
  const spec = {
    name: "regression",
    inputs: { x: { dtype, shape: [batch, 3] }, y: { dtype, shape: [batch, 2] } },
    variables: { weights, ...state },
    build(leaves: Record<"x" | "y" | "weights" | keyof typeof state, Expr>) {
      const loss = mean(square(sub(network.apply(unpack(leaves.weights, layout), leaves.x), leaves.y)));
      const clipped = clipByGlobalNorm(gradients(loss, [leaves.weights])[0], 0.5);
      const step = optimiser.step(leaves.weights, clipped.gradient, leaves);
      return {
        results: { loss, norm: clipped.norm },
        updates: { weights: step.parameters, ...step.state },
      };
    },
    finite: ["loss", "norm"],
  } as const;
  return { spec, state, weights, layout };
}

/** The same drawn data for every engine and dtype. */
function fillRegression(inputs: { readonly x: unknown; readonly y: unknown }): void {
  const rng = createRng("data");
  rng.split("x").fillNormal(inputs.x as Float64Array);
  rng.split("y").fillNormal(inputs.y as Float64Array);
}

describe("results", () => {
  test.each(["float32", "float64"] as const)("%s: values, dtypes and shapes by hand", async (dtype) => {
    const program = await compile(native, {
      name: "by hand",
      inputs: { x: { dtype, shape: [2, 2] } },
      build: ({ x }) => ({
        results: {
          doubled: mul(x, 2),
          total: sum(x),
          positive: greater(x, 0),
          highest: argMax(x, 1),
          same: x,
          fixed: constant(dtype, [2], [7, 8]),
        },
      }),
    });
    (program.inputs.x as Float64Array).set([1, -2, 3, 4.5]);
    await program.run();
    const floats = dtype === "float32" ? Float32Array : Float64Array;
    expect(program.results).toEqual({
      doubled: floats.of(2, -4, 6, 9),
      total: floats.of(6.5),
      positive: Uint8Array.of(1, 0, 1, 1),
      highest: BigInt64Array.of(0n, 1n),
      same: floats.of(1, -2, 3, 4.5),
      fixed: floats.of(7, 8),
    });
    await program.dispose();
  });

  test("int32 indices gather rows of a float table", async () => {
    const program = await compile(native, {
      name: "lookup",
      inputs: { index: { dtype: "int32", shape: [2, 2] } },
      build: ({ index }) => ({
        results: { rows: gather(constant("float32", [3, 2], [0, 1, 10, 11, 20, 21]), index) },
      }),
    });
    (program.inputs.index as Int32Array).set([2, 0, 1, 2]);
    await program.run();
    expect(program.results.rows).toEqual(Float32Array.of(20, 21, 0, 1, 10, 11, 20, 21));
    await program.dispose();
  });

  test.each([native, web])("$name: every run overwrites all results in place", async (engine) => {
    const program = await compile(engine, {
      name: "fresh",
      inputs: { x: { dtype: "float32", shape: [3] } },
      build: ({ x }) => ({ results: { sign: greater(x, 0), x2: mul(x, x), again: mul(x, x) } }),
    });
    const { sign, x2 } = program.results;
    (program.inputs.x as Float32Array).set([1, 2, 3]);
    await program.run();
    expect([...x2]).toEqual([1, 4, 9]);
    (program.inputs.x as Float32Array).set([-5, 0, 2]);
    await program.run();
    expect(program.results.x2).toBe(x2);
    expect([...x2]).toEqual([25, 0, 4]);
    expect([...sign]).toEqual([0, 0, 1]);
    expect([...program.results.again]).toEqual([25, 0, 4]);
    await program.dispose();
  });

  test("an expression of constants is evaluated directly", async () => {
    expect(await evaluate(native, div(constant("float64", [2], [1, 2]), 4))).toEqual(
      Float64Array.of(0.25, 0.5),
    );
  });

  test("a name that looks made up does not get mixed up with the file's own", async () => {
    const program = await compile(native, {
      name: "names",
      inputs: { v0: { dtype: "float32", shape: [] }, c0: { dtype: "float32", shape: [] } },
      build: ({ v0, c0 }) => ({ results: { v1: add(mul(v0, 10), add(c0, 1)) } }),
    });
    (program.inputs.v0 as Float32Array)[0] = 2;
    (program.inputs.c0 as Float32Array)[0] = 3;
    await program.run();
    expect(program.results.v1[0]).toBe(24);
    await program.dispose();
  });
});

describe("memory of the caller", () => {
  test("is read at every run", async () => {
    const values = Float32Array.of(1, 2, 3, 4).subarray(1);
    const program = await compile(native, {
      name: "external",
      inputs: { x: { dtype: "float32", shape: [3], values } },
      build: ({ x }) => ({ results: { total: sum(x) } }),
    });
    expect(program.inputs.x).toBe(values);
    await program.run();
    expect(program.results.total[0]).toBe(9);
    values[0] = 100;
    await program.run();
    expect(program.results.total[0]).toBe(107);
    await program.dispose();
  });

  test.each([
    ["length", new Float32Array(4), "Float32Array of 4"],
    ["type", new Float64Array(3), "Float64Array of 3"],
  ])("of a wrong %s is refused", (_, values, description) => {
    const spec = {
      name: "external",
      inputs: { x: { dtype: "float32", shape: [3], values } },
      build: ({ x }: Record<"x", Expr>) => ({ results: { x } }),
    } as const;
    expect(() => trace(spec)).toThrow(
      new ShapeError("external", `memory of input "x" is a ${description}, expected float32 [3]`),
    );
  });
});

describe("variables", () => {
  const counter = (name: string) => variable(name, "float64", [2], [1, 10]);

  test("an update replaces values; the next run reads them", async () => {
    const count = counter("count");
    const program = await compile(native, {
      name: "count",
      inputs: { by: { dtype: "float64", shape: [] } },
      variables: { count },
      build: ({ by, count }) => ({ results: { before: count }, updates: { count: add(count, by) } }),
    });
    for (const [by, after] of [
      [1, [2, 11]],
      [5, [7, 16]],
      [-3, [4, 13]],
    ] as const) {
      const before = [...count.values];
      (program.inputs.by as Float64Array)[0] = by;
      await program.run();
      expect([...program.results.before]).toEqual(before);
      expect([...count.values]).toEqual(after);
    }
    (count.values as Float64Array)[1] = 0;
    await program.run();
    expect([...count.values]).toEqual([1, -3]);
    await program.dispose();
  });

  test("all updates of a run read the values from before it", async () => {
    const a = variable("a", "float32", [], [1]);
    const b = variable("b", "float32", [], [2]);
    const swap = await compile(native, {
      name: "swap",
      inputs: { unused: { dtype: "float32", shape: [] } },
      variables: { a, b },
      build: ({ a, b }) => ({ results: {}, updates: { a: b, b: a } }),
    });
    await swap.run();
    expect([a.values[0], b.values[0]]).toEqual([2, 1]);
    await swap.run();
    expect([a.values[0], b.values[0]]).toEqual([1, 2]);
    await swap.dispose();
  });

  test("two programs share one", async () => {
    const shared = counter("shared");
    const inputs = { unused: { dtype: "float32", shape: [] } } as const;
    const grow = await compile(native, {
      name: "grow",
      inputs,
      variables: { shared },
      build: ({ shared }) => ({ results: {}, updates: { shared: mul(shared, 3) } }),
    });
    const read = await compile(native, {
      name: "read",
      inputs,
      variables: { theirs: shared },
      build: ({ theirs }) => ({ results: { total: sum(theirs) } }),
    });
    await read.run();
    expect(read.results.total[0]).toBe(11);
    for (const total of [33, 99, 297]) {
      await grow.run();
      await read.run();
      expect(read.results.total[0]).toBe(total);
    }
    await grow.dispose();
    await read.run();
    expect(read.results.total[0]).toBe(297);
    await read.dispose();
  });

  test.each([native, web])("$name: a result that is not finite leaves all as they were", async (engine) => {
    const a = counter("a");
    const b = counter("b");
    const program = await compile(engine, {
      name: "risky",
      inputs: { x: { dtype: "float64", shape: [2] } },
      variables: { a, b },
      build: ({ x, a, b }) => ({
        results: { harmless: x, ratio: div(1, x) },
        updates: { a: add(a, x), b: neg(b) },
      }),
      finite: ["ratio"],
    });
    const x = program.inputs.x as Float64Array;
    x.set([1, 1]);
    await program.run();
    expect([[...a.values], [...b.values]]).toEqual([
      [2, 11],
      [-1, -10],
    ]);
    x.set([4, -0]);
    const failure = await program.run().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure).toMatchObject({ quantity: "ratio", value: -Infinity });
    expect((failure as Error).message).toBe("risky: ratio is -Infinity");
    expect([[...a.values], [...b.values]]).toEqual([
      [2, 11],
      [-1, -10],
    ]);
    x.set([Number.NaN, 1]);
    await expect(program.run()).rejects.toThrow("risky: ratio is NaN");
    x.set([1, 1]);
    await program.run();
    expect([[...a.values], [...b.values]]).toEqual([
      [3, 12],
      [1, 10],
    ]);
    await program.dispose();
  });

  test("values that do not fill the shape are refused", () => {
    expect(() => variable("w", "float32", [2, 2], [1, 2, 3])).toThrow(
      new ShapeError("variable", '"w" of shape [2, 2] got 3 values'),
    );
  });
});

describe("what a program refuses", () => {
  const x = { dtype: "float32", shape: [2] } as const;
  const w = variable("w", "float32", [2]);

  test("an update that does not fit its variable", () => {
    const update = (make: (w: Expr) => Expr) => () =>
      trace({
        name: "p",
        inputs: { x },
        variables: { w },
        build: ({ w }) => ({ results: {}, updates: { w: make(w) } }),
      });
    expect(update((w) => sum(w, undefined, true))).toThrow(
      'p: the update of "w" is float32 [1], the variable float32 [2]',
    );
    expect(update((w) => greater(w, 0))).toThrow('p: the update of "w" is bool [2], the variable float32');
    expect(update((w) => w)).not.toThrow();
  });

  test("an update of what is no variable", () => {
    const spec = { name: "p", inputs: { x }, build: ({ x }: never) => ({ results: {}, updates: { x } }) };
    expect(() => trace(spec as never)).toThrow('p: updates "x", which is no variable of it');
  });

  test("a name used twice or reserved", () => {
    expect(() => trace({ name: "p", inputs: { x }, build: ({ x }) => ({ results: { x: neg(x) } }) })).toThrow(
      'p: two inputs, variables or results are called "x"',
    );
    expect(() =>
      trace({ name: "p", inputs: { x }, variables: { x: w }, build: ({ x }) => ({ results: { y: x } }) }),
    ).toThrow('called "x"');
    expect(() =>
      trace({ name: "p", inputs: { "#c0": x }, build: (leaves) => ({ results: { y: leaves["#c0"] } }) }),
    ).toThrow('"#c0" cannot be a name');
  });

  test("a leaf of another program", () => {
    let stranger: Expr | undefined;
    trace({
      name: "other",
      inputs: { x },
      build: (leaves) => {
        stranger = leaves.x;
        return { results: { y: leaves.x } };
      },
    });
    expect(() => trace({ name: "p", inputs: { x }, build: () => ({ results: { y: stranger! } }) })).toThrow(
      'input "x" is not declared by the program that uses it',
    );
  });

  test("a guard on what is always finite", () => {
    expect(() =>
      trace({
        name: "p",
        inputs: { x },
        build: ({ x }) => ({ results: { best: argMax(x, 0) } }),
        finite: ["best"],
      }),
    ).toThrow('p: "best" is int64, which is always finite');
  });
});

describe("the graph", () => {
  const nodes = (build: (x: Expr) => Expr): number =>
    trace({
      name: "p",
      inputs: { x: { dtype: "float32", shape: [2, 3] } },
      build: ({ x }) => ({ results: { y: build(x) } }),
    }).nodeCount;

  test("computes equal subexpressions once", () => {
    expect(nodes((x) => exp(mul(x, 3)))).toBe(2);
    expect(nodes((x) => mul(exp(mul(x, 3)), exp(mul(x, 3))))).toBe(3);
    expect(nodes((x) => add(sum(x, [0]), sum(x, [0])))).toBe(2);
  });

  test("keeps apart what differs in attributes, constants or dtype", () => {
    expect(nodes((x) => add(sum(x, [0], true), sum(x, [1], true)))).toBe(3);
    expect(nodes((x) => add(mul(x, 3), mul(x, 4)))).toBe(3);
    expect(nodes((x) => add(div(x, constant("float32", [], [0])), div(x, filled("float32", [], -0))))).toBe(
      3,
    );
  });

  test("leaves out what no result needs", () => {
    expect(
      nodes((x) => {
        exp(x);
        return neg(x);
      }),
    ).toBe(1);
  });

  test("0 and -0 stay two constants", async () => {
    const one = constant("float64", [], [1]);
    const quotients = add(div(one, constant("float64", [], [0])), div(one, constant("float64", [], [-0])));
    expect(await evaluate(native, quotients)).toEqual(Float64Array.of(Number.NaN));
  });

  test("is the same file each time it is traced", () => {
    expect(trace(regression("float32").spec).onnx).toEqual(trace(regression("float32").spec).onnx);
  });
});

describe("the ONNX file", () => {
  test("runs in a bare session and gives the same numbers", async () => {
    const { spec, weights, state } = regression("float32");
    const program = await compile(native, spec);
    fillRegression(program.inputs);
    const before: Record<string, Tensor> = {};
    for (const [name, { dtype, shape, values }] of Object.entries({ weights, ...state })) {
      before[name] = new Tensor(dtype as "float32", values.slice() as Float32Array, shape);
    }
    await program.run();

    const folder = await mkdtemp(join(tmpdir(), "corral-onnx-"));
    const path = join(folder, "regression.onnx");
    await writeFile(path, program.onnx);
    expect(new Uint8Array(await readFile(path))).toEqual(program.onnx);
    const session = await InferenceSession.create(path);
    await rm(folder, { recursive: true });
    const outputs = await session.run({
      x: new Tensor("float32", program.inputs.x as Float32Array, [8, 3]),
      y: new Tensor("float32", program.inputs.y as Float32Array, [8, 2]),
      ...before,
    });
    expect(Object.keys(outputs).sort()).toEqual([
      "loss",
      "next/firstMoment",
      "next/secondMoment",
      "next/stepCount",
      "next/weights",
      "norm",
    ]);
    expect(outputs.loss.data).toEqual(program.results.loss);
    expect(outputs.norm.data).toEqual(program.results.norm);
    expect(outputs["next/weights"].data).toEqual(weights.values);
    expect(outputs["next/weights"].data).not.toEqual(before.weights.data);
    expect(outputs["next/secondMoment"].data).toEqual(state.secondMoment.values);
    expect(outputs["next/stepCount"].data).toEqual(Float64Array.of(1));
    await session.release();
    await program.dispose();
  });
});

describe("engines", () => {
  /** Everything a run of updates leaves behind. */
  async function trained(engine: Engine, dtype: FloatType, updates: number) {
    const { spec, weights, state } = regression(dtype);
    const program = await compile(engine, spec);
    fillRegression(program.inputs);
    const losses: number[] = [];
    for (let k = 0; k < updates; k++) {
      await program.run();
      losses.push(program.results.loss[0] as number);
    }
    await program.dispose();
    const { firstMoment, secondMoment, stepCount } = state;
    return {
      losses,
      vectors: [weights, firstMoment, secondMoment].map(({ values }) => [...(values as Float64Array)]),
      steps: stepCount.values[0],
    };
  }

  test("report which one was loaded", async () => {
    expect(native.name).toBe("onnxruntime-node");
    expect(web.name).toBe("onnxruntime-web");
    expect((await loadEngine()).name).toBe("onnxruntime-node");
    expect(native.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(web.version).toBe(native.version);
  });

  // Rounding differs by engine; five updates keep Adam from amplifying it.
  test.each([
    ["float32", 1e-6],
    ["float64", 1e-12],
  ] as const)("agree on training updates in %s", async (dtype, tolerance) => {
    const a = await trained(native, dtype, 5);
    const b = await trained(web, dtype, 5);
    expect(a.steps).toBe(5);
    expect(b.steps).toBe(5);
    const all = (run: typeof a): number[] => [...run.losses, ...run.vectors.flat()];
    const worst = Math.max(...all(a).map((value, k) => Math.abs(value - all(b)[k])));
    expect(worst).toBeLessThan(tolerance);
    expect(a.losses[4]).toBeLessThan(a.losses[0]);
  });

  test("float32 training follows float64", async () => {
    const single = await trained(native, "float32", 5);
    const double = await trained(native, "float64", 5);
    for (const [k, loss] of double.losses.entries()) expect(single.losses[k]).toBeCloseTo(loss, 5);
  });

  test("the same updates on the same engine are the same bits", async () => {
    expect(await trained(native, "float32", 3)).toEqual(await trained(native, "float32", 3));
  });

  test("an index out of range fails the run and leaves variables alone", async () => {
    const w = variable("w", "float32", [2], [1, 2]);
    const program = await compile(native, {
      name: "lookup",
      inputs: { index: { dtype: "int32", shape: [1] } },
      variables: { w },
      build: ({ index, w }) => ({ results: { row: gather(w, index) }, updates: { w: mul(w, 2) } }),
    });
    (program.inputs.index as Int32Array)[0] = 9;
    await expect(program.run()).rejects.toThrow();
    expect([...w.values]).toEqual([1, 2]);
    (program.inputs.index as Int32Array)[0] = 1;
    await program.run();
    expect([...w.values]).toEqual([2, 4]);
    expect(program.results.row[0]).toBe(2);
    await program.dispose();
  });

  const model = trace({
    name: "p",
    inputs: { x: { dtype: "float32", shape: [2, 2] } },
    build: ({ x }) => ({ results: { y: gemm(x, x) } }),
  }).onnx;
  describe.each([native, web])("$name refuses in one line", (engine) => {
    test.each([
      ["nothing", new Uint8Array(0)],
      ["text", new TextEncoder().encode("no model at all")],
      ["half a file", model.subarray(0, model.length >> 1)],
      ["an unknown operator", withOperator(model, "Gemm", "Gexm")],
    ])("%s", async (_, bytes) => {
      const failure = await engine.load(bytes).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InputError);
      expect((failure as Error).message).toMatch(
        new RegExp(`^${engine.name} cannot load this ONNX file of ${bytes.length} bytes: [^\\n]+$`),
      );
    });

    test("but loads the file it was cut from", async () => {
      await (await engine.load(model)).dispose();
    });
  });
});

/** The file with an operator's name overwritten by another of the same length. */
function withOperator(model: Uint8Array, from: string, to: string): Uint8Array {
  const bytes = model.slice();
  const text = new TextDecoder("latin1").decode(bytes);
  bytes.set(new TextEncoder().encode(to), text.indexOf(from));
  return bytes;
}
