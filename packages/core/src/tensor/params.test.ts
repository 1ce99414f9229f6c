import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRng } from "../random/index.ts";
import { loadEngine } from "./engine.ts";
import { constant, mul } from "./ops.ts";
import {
  type Initialiser,
  initialise,
  layoutOf,
  namedArrays,
  normal,
  ones,
  orthogonal,
  type Parameter,
  pack,
  toFloat,
  uniform,
  uniformFanIn,
  unpack,
  xavier,
  zeros,
} from "./params.ts";
import { compile, trace } from "./program.ts";

const engine = await loadEngine();
const rng = () => createRng("parameters");
const parameter = (name: string, shape: readonly number[], initialise: Initialiser = zeros): Parameter => ({
  name,
  shape,
  initialise,
});

describe("layout", () => {
  test("places parameters one after the other", () => {
    const layout = layoutOf([parameter("w", [2, 3]), parameter("b", [3]), parameter("gain", [])]);
    expect(layout.offsets).toEqual([0, 6, 9]);
    expect(layout.size).toBe(10);
  });

  test("refuses a name that occurs twice", () => {
    expect(() => layoutOf([parameter("a/w", [1]), parameter("b", [1]), parameter("a/w", [2])])).toThrow(
      'two parameters are called "a/w"',
    );
  });

  test("namedArrays copies out each parameter", () => {
    const layout = layoutOf([parameter("w", [2, 2]), parameter("b", [1])]);
    const vector = Float32Array.of(1, 2, 3, 4, 5);
    const arrays = namedArrays(vector, layout);
    expect(arrays).toEqual({
      w: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      b: { shape: [1], data: Float32Array.of(5) },
    });
    vector.fill(0);
    expect([...arrays.w.data, ...arrays.b.data]).toEqual([1, 2, 3, 4, 5]);
  });

  test("toFloat converts to the array of a dtype", () => {
    expect(toFloat("float32", Float64Array.of(0.5, 0.1))).toEqual(Float32Array.of(0.5, 0.1));
    expect(toFloat("float64", [0.1])).toEqual(Float64Array.of(0.1));
  });
});

const shapes = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }), {
  minLength: 1,
  maxLength: 5,
});

describe("unpack and pack", () => {
  test("are each other's inverse, and unpack finds each parameter", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (list) => {
        const layout = layoutOf(list.map((shape, k) => parameter(`p${k}`, shape)));
        const program = await compile(engine, {
          name: "round trip",
          inputs: { vector: { dtype: "float32", shape: [layout.size] } },
          build({ vector }) {
            const views = unpack(vector, layout);
            return {
              results: {
                packed: pack(layout.parameters.map(({ name }) => mul(views[name], 2))),
                ...Object.fromEntries(list.map((_, k) => [`p${k}`, mul(views[`p${k}`], 1)])),
              } as Record<string, ReturnType<typeof pack>>,
            };
          },
        });
        const vector = program.inputs.vector as Float32Array;
        for (let i = 0; i < vector.length; i++) vector[i] = i + 1;
        await program.run();
        const expected = namedArrays(vector, layout);
        for (const { name } of layout.parameters) expect(program.results[name]).toEqual(expected[name].data);
        expect(program.results.packed).toEqual(vector.map((value) => 2 * value));
        await program.dispose();
      }),
      { numRuns: 30 },
    );
  });

  test("views have the parameters' shapes and names", () => {
    const layout = layoutOf([parameter("w", [2, 3]), parameter("b", [])]);
    trace({
      name: "views",
      inputs: { vector: { dtype: "float64", shape: [7] } },
      build({ vector }) {
        const views = unpack(vector, layout);
        expect(Object.entries(views).map(([name, { shape, dtype }]) => [name, shape, dtype])).toEqual([
          ["w", [2, 3], "float64"],
          ["b", [], "float64"],
        ]);
        return { results: { b: views.b } };
      },
    });
  });

  test("a vector of another length is refused", () => {
    const layout = layoutOf([parameter("w", [2, 3])]);
    expect(() => unpack(constant("float32", [5], [1, 2, 3, 4, 5]), layout)).toThrow(
      "unpack: needs a vector of 6, got [5]",
    );
  });
});

describe("initialise", () => {
  const parameters = [
    parameter("a/w", [3, 4], xavier()),
    parameter("a/b", [4], uniform(0.1)),
    parameter("c", [5], normal(2)),
  ];

  test("does not depend on the order of parameters, nor on draws made before", () => {
    const forwards = namedArrays(initialise(layoutOf(parameters), rng()), layoutOf(parameters));
    const backwards = layoutOf([...parameters].reverse());
    const used = rng();
    used.next();
    expect(namedArrays(initialise(backwards, used), backwards)).toEqual(forwards);
  });

  test("depends on the name and on the seed", () => {
    const draw = (name: string, seed: string) => [
      ...initialise(layoutOf([parameter(name, [4], uniform(1))]), createRng(seed)),
    ];
    expect(draw("a", "1")).toEqual(draw("a", "1"));
    expect(draw("a", "1")).not.toEqual(draw("b", "1"));
    expect(draw("a", "1")).not.toEqual(draw("a", "2"));
  });

  test("zeros and ones", () => {
    const layout = layoutOf([parameter("z", [2], zeros), parameter("o", [1, 2], ones)]);
    expect([...initialise(layout, rng())]).toEqual([0, 0, 1, 1]);
  });
});

describe("orthogonal", () => {
  test.each([
    ["tall", 12, 5, 1],
    ["wide", 4, 11, 1.5],
    ["square", 20, 20, Math.SQRT2],
    ["a column", 7, 1, 0.01],
    ["a row", 1, 7, 2],
  ])("%s: the fewer of rows and columns are orthogonal and of length gain", (_, rows, columns, gain) => {
    const w = orthogonal(gain)([rows, columns], rng());
    expect(w).toHaveLength(rows * columns);
    const vectors = Math.min(rows, columns);
    const entry = (vector: number, k: number) =>
      rows < columns ? w[vector * columns + k] : w[k * columns + vector];
    for (let a = 0; a < vectors; a++) {
      for (let b = 0; b < vectors; b++) {
        let product = 0;
        for (let k = 0; k < Math.max(rows, columns); k++) product += entry(a, k) * entry(b, k);
        expect(Math.abs(product / gain ** 2 - (a === b ? 1 : 0))).toBeLessThan(1e-13);
      }
    }
  });

  test("has no preferred sign or direction", () => {
    const draws = 4000;
    const sums = new Float64Array(4);
    const squares = new Float64Array(4);
    const stream = rng();
    for (let k = 0; k < draws; k++) {
      for (const [i, value] of orthogonal()([2, 2], stream).entries()) {
        sums[i] += value / draws;
        squares[i] += value ** 2 / draws;
      }
    }
    // An entry has mean 0 and variance 1/2: five standard errors are 0.056 for the mean, 0.028 for the square.
    for (let i = 0; i < 4; i++) {
      expect(Math.abs(sums[i])).toBeLessThan(0.056);
      expect(Math.abs(squares[i] - 0.5)).toBeLessThan(0.028);
    }
  });
});

describe("random values", () => {
  const [rows, columns] = [60, 200];
  const count = rows * columns;
  /** Largest size, mean and mean square of `count` values. */
  const moments = (fill: Initialiser) => {
    const values = fill([rows, columns], rng());
    expect(values).toHaveLength(count);
    return {
      largest: Math.max(...values.map(Math.abs)),
      mean: values.reduce((total, value) => total + value, 0) / count,
      square: values.reduce((total, value) => total + value ** 2, 0) / count,
    };
  };

  test.each([
    ["uniform", uniform(0.5), 0.5],
    ["xavier", xavier(), Math.sqrt(6 / 260)],
    ["xavier with a gain", xavier(3), 3 * Math.sqrt(6 / 260)],
    ["uniformFanIn", uniformFanIn(), 1 / Math.sqrt(60)],
    ["uniformFanIn of a given fan-in", uniformFanIn(16), 0.25],
  ])("%s fills its range evenly", (_, fill, limit) => {
    const { largest, mean, square } = moments(fill);
    expect(largest).toBeLessThanOrEqual(limit);
    expect(largest).toBeGreaterThan(0.999 * limit);
    // Five standard errors; the square of a uniform number has mean 1/3 and variance 4/45.
    expect(Math.abs(mean / limit)).toBeLessThan(5 * Math.sqrt(1 / 3 / count));
    expect(Math.abs(square / limit ** 2 - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / count));
  });

  test("normal has its deviation", () => {
    const { largest, mean, square } = moments(normal(0.2));
    expect(largest).toBeGreaterThan(0.6);
    expect(Math.abs(mean / 0.2)).toBeLessThan(5 * Math.sqrt(1 / count));
    expect(Math.abs(square / 0.04 - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
  });

  test("a bias takes the fan-in it is given", () => {
    const values = uniformFanIn(4)([1000], rng());
    expect(Math.max(...values)).toBeGreaterThan(0.49);
    expect(Math.max(...values)).toBeLessThanOrEqual(0.5);
  });
});
