import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capacityFor, distinctRowFinder } from "./distinct-rows.ts";

describe("distinctRowFinder", () => {
  test("three of five rows, by hand", () => {
    const { count, first, index } = distinctRowFinder(8)(Float32Array.of(1, 2, 3, 4, 1, 2, 1, 3, 3, 4), 5, 2);
    expect(count).toBe(3);
    expect([...first.subarray(0, count)]).toEqual([0, 1, 3]);
    expect([...index.subarray(0, 5)]).toEqual([0, 1, 0, 2, 1]);
  });

  test("agrees with a search by text, again and again with one finder", () => {
    const capacity = 40;
    const find = distinctRowFinder(capacity);
    const tables = fc
      .tuple(fc.integer({ min: 0, max: capacity }), fc.integer({ min: 0, max: 3 }))
      .chain(([rows, width]) =>
        fc.tuple(
          fc.constant(rows),
          fc.constant(width),
          fc.array(fc.integer({ min: -1, max: 1 }), { minLength: rows * width, maxLength: rows * width }),
        ),
      );
    fc.assert(
      fc.property(tables, ([rows, width, values]) => {
        const seen: string[] = [];
        const firsts: number[] = [];
        const expected = Array.from({ length: rows }, (_, row) => {
          const text = values.slice(row * width, (row + 1) * width).join(" ");
          if (!seen.includes(text)) {
            seen.push(text);
            firsts.push(row);
          }
          return seen.indexOf(text);
        });
        for (const table of [Float32Array.from(values), Int32Array.from(values)]) {
          const { count, first, index } = find(table, rows, width);
          expect(count).toBe(seen.length);
          expect([...first.subarray(0, count)]).toEqual(firsts);
          expect([...index.subarray(0, rows)]).toEqual(expected);
        }
      }),
    );
  });

  test("rows are compared bit by bit, in a view that starts anywhere", () => {
    const table = Float32Array.of(9, 0, -0, Number.NaN, Number.NaN, 0).subarray(1);
    const { count, index } = distinctRowFinder(5)(table, 5, 1);
    expect(count).toBe(3);
    expect([...index]).toEqual([0, 1, 2, 2, 0]);
  });

  test("refuses more rows than it was made for", () => {
    expect(() => distinctRowFinder(2)(new Float32Array(3), 3, 1)).toThrow(
      new RangeError("distinctRows: 3 rows, expected at most 2"),
    );
  });
});

describe("capacityFor", () => {
  test("gives the next of few sizes, at most a quarter larger", () => {
    expect([0, 1, 2, 5, 7, 8, 9, 10, 11, 13, 15, 17, 21, 33, 4100].map(capacityFor)).toEqual([
      1, 1, 2, 5, 7, 8, 10, 10, 12, 14, 16, 20, 24, 40, 5120,
    ]);
    for (let count = 1; count < 5000; count++) {
      expect(capacityFor(count)).toBeGreaterThanOrEqual(count);
      expect(capacityFor(count)).toBeLessThanOrEqual(1.25 * count);
    }
  });
});
