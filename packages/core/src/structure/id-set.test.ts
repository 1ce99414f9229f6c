import fc from "fast-check";
import { expect, test } from "vitest";
import { add, addList, clear, drain, has, idSet, markLists, writeSorted } from "./id-set.ts";

const capacity = 5000;

test("holds what was added once, in the order it came, and writes it sorted", () => {
  const set = idSet(capacity);
  // One set for all runs: what an earlier one left behind would show.
  fc.assert(
    fc.property(fc.array(fc.nat(capacity - 1), { maxLength: 200 }), fc.nat(5), (ids, at) => {
      clear(set);
      const half = ids.length >> 1;
      for (const id of ids.slice(0, half)) add(set, id);
      addList(set, { starts: Int32Array.of(0, ids.length - half), ids: Int32Array.from(ids.slice(half)) }, 0);
      const expected = [...new Set(ids)];
      expect([...set.ids.subarray(0, set.size)]).toEqual(expected);
      expect(ids.every((id) => has(set, id))).toBe(true);
      expect(has(set, expected.includes(7) ? 8 : 7)).toBe(expected.includes(7) && expected.includes(8));
      const out = new Int32Array(at + set.size + 1).fill(-1);
      writeSorted(set, out, at);
      expect([...out]).toEqual([...new Array(at).fill(-1), ...expected.sort((a, b) => a - b), -1]);
    }),
  );
});

test("can be full", () => {
  for (const size of [1, 31, 32, 33, 1024, 1025]) {
    const set = idSet(size);
    for (let id = size - 1; id >= 0; id--) add(set, id);
    addList(set, { starts: Int32Array.of(0, 1), ids: Int32Array.of(size - 1) }, 0);
    expect(set.size).toBe(size);
    const out = new Int32Array(size);
    writeSorted(set, out, 0);
    expect(out.every((id, k) => id === k)).toBe(true);
  }
});

test("drains what lists marked, sorted and once, and is empty again", () => {
  const set = idSet(capacity);
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(fc.nat(capacity - 1), { maxLength: 80 }), { minLength: 1, maxLength: 5 }),
      fc.nat(5),
      (lists, at) => {
        const starts = new Int32Array(lists.length + 1);
        for (const [k, { length }] of lists.entries()) starts[k + 1] = starts[k] + length;
        const all = { starts, ids: Int32Array.from(lists.flat()) };
        // All lists but the first, which nobody names.
        const named = {
          starts: Int32Array.of(0, 0, lists.length - 1),
          ids: Int32Array.from(lists.keys()).slice(1),
        };
        markLists(set, all, named, 1);
        const expected = [...new Set(lists.slice(1).flat())].sort((a, b) => a - b);
        const out = new Int32Array(at + expected.length + 1).fill(-1);
        expect(drain(set, out, at)).toBe(at + expected.length);
        expect([...out]).toEqual([...new Array(at).fill(-1), ...expected, -1]);
        expect(drain(set, out, 0)).toBe(0);
      },
    ),
  );
});
