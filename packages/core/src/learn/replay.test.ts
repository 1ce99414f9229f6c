import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { createRng } from "../random/index.ts";
import { createReplay } from "./replay.ts";
import { createSegments, type SegmentShape, type Segments, segmentFields } from "./segments.ts";

const shape: SegmentShape = {
  steps: 2,
  moments: 3,
  agents: 2,
  observationSize: 3,
  stateSize: 2,
  actions: 4,
  controls: 0,
  individualRewards: false,
  masked: true,
};

/** Segments of which every number says where it belongs: `field`, segment, row, place. */
function numbered(size: number, first: number): Segments {
  const segments = createSegments(shape, size);
  for (const [f, { values, rows, width }] of segmentFields(segments).entries()) {
    for (let row = 0; row < rows; row++) {
      for (let b = 0; b < size; b++) {
        for (let k = 0; k < width; k++) {
          values[(row * size + b) * width + k] = (first + b) * 1000 + f * 100 + row * 20 + k;
        }
      }
    }
  }
  return segments;
}

/** The numbers of the segments of a batch; every number of each must be where it belongs. */
function segmentsOf(batch: Segments): number[] {
  const fields = segmentFields(batch);
  const misplaced: string[] = [];
  const segments = Array.from({ length: batch.size }, (_, b) => {
    const segment = Math.floor(batch.rewards[b] / 1000);
    for (const [f, { name, values, rows, width }] of fields.entries()) {
      for (let row = 0; row < rows; row++) {
        for (let k = 0; k < width; k++) {
          const found = values[(row * batch.size + b) * width + k];
          if (found !== segment * 1000 + f * 100 + row * 20 + k) misplaced.push(`${name} ${found}`);
        }
      }
    }
    return segment;
  });
  expect(misplaced).toEqual([]);
  return segments;
}

test("holds the last segments, whatever is added and drawn in between", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 7 }),
      fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), at: fc.nat(3) }), { maxLength: 20 }),
      fc.nat(),
      (capacity, additions, seed) => {
        const rng = createRng(seed);
        const replay = createReplay("toy", shape, capacity, 1);
        let model: number[] = [];
        let next = 1;
        for (const { size, at } of additions) {
          replay.add(numbered(size, next), at % size);
          model = [...model, next + (at % size)].slice(-capacity);
          next += size;
          expect(replay.stored).toBe(model.length);

          const all = createSegments(shape, model.length);
          replay.draw(rng, all, "without-replacement");
          expect(segmentsOf(all).sort((a, b) => a - b)).toEqual(model);
          const any = createSegments(shape, 3);
          replay.draw(rng, any, "with-replacement");
          expect(segmentsOf(any).every((segment) => model.includes(segment))).toBe(true);
        }
      },
    ),
    { numRuns: 50 },
  );
});

describe("draws", () => {
  const filled = (count: number) => {
    const replay = createReplay("toy", shape, count, 1);
    for (let k = 1; k <= count; k++) replay.add(numbered(1, k), 0);
    return replay;
  };

  test.each(["without-replacement", "with-replacement"] as const)("are uniform, %s", (sampling) => {
    const replay = filled(5);
    const into = createSegments(shape, 3);
    const rng = createRng(1);
    const counts = new Int32Array(6);
    let repeats = 0;
    for (let k = 0; k < 2000; k++) {
      replay.draw(rng, into, sampling);
      const segments = segmentsOf(into);
      for (const segment of segments) counts[segment]++;
      if (new Set(segments).size < 3) repeats++;
    }
    // 6000 draws of 5: 1200 each, standard deviation 31 with replacement and less without.
    for (let segment = 1; segment <= 5; segment++) expect(Math.abs(counts[segment] - 1200)).toBeLessThan(120);
    // With replacement 1 - (4/5)(3/5) = 0.52 of the draws have a repetition.
    if (sampling === "without-replacement") expect(repeats).toBe(0);
    else expect(Math.abs(repeats - 1040)).toBeLessThan(100);
  });

  test("of several minibatches have repetitions only between them", () => {
    const replay = filled(3);
    const into = createSegments(shape, 6);
    const rng = createRng(1);
    const orders = new Set<string>();
    for (let k = 0; k < 100; k++) {
      replay.draw(rng, into, "without-replacement", 2);
      const segments = segmentsOf(into);
      for (const half of [segments.slice(0, 3), segments.slice(3)])
        expect([...half].sort()).toEqual([1, 2, 3]);
      orders.add(segments.join());
    }
    expect(orders.size).toBeGreaterThan(20);
  });

  test("of more distinct segments than there are are refused", () => {
    expect(() => filled(2).draw(createRng(1), createSegments(shape, 3), "without-replacement")).toThrow(
      RangeError,
    );
  });
});

test("goes on from its state, before and after the ring has closed", () => {
  for (const count of [2, 4, 6]) {
    const [whole, first, second] = [0, 1, 2].map(() => createReplay("toy", shape, 4, 1));
    for (let k = 1; k <= count; k++) for (const replay of [whole, first]) replay.add(numbered(1, k), 0);
    // What a restored replay held before does not matter.
    for (let k = 0; k < 3; k++) second.add(numbered(1, 50 + k), 0);
    second.restore(JSON.parse(JSON.stringify(first.state())), first.tensors());
    first.add(numbered(1, 40), 0);
    for (const replay of [whole, second]) replay.add(numbered(1, 99), 0);
    expect(second.state()).toEqual(whole.state());
    expect(second.tensors()).toEqual(whole.tensors());
    const [a, b] = [whole, second].map((replay) => {
      const into = createSegments(shape, 3);
      replay.draw(createRng(3), into, "without-replacement");
      return segmentsOf(into);
    });
    expect(b).toEqual(a);
  }
});

test("a replay below the batch is refused", () => {
  expect(() => createReplay("vdn", shape, 31, 32)).toThrow(
    new InputError("vdn.replayCapacity: 31 is below the batch size 32"),
  );
});
