import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { createSegments, type SegmentShape, type Segments, segmentFields } from "./segments.ts";

/** How segments are chosen for an update. */
export type ReplaySampling = "without-replacement" | "with-replacement";

/** The last `capacity` segments of experience, in flat arrays that are allocated once. */
export interface Replay {
  readonly shape: SegmentShape;
  readonly capacity: number;
  /** How many segments there are now. */
  readonly stored: number;
  /** Takes a copy of segment `b`, in place of the oldest when full. */
  add(from: Segments, b: number): void;
  /**
   * Fills `into` with segments chosen uniformly.
   *
   * @param sampling when none may come twice, there must be as many as a minibatch holds
   * @param minibatches equal parts of `into` one after the other, each drawn without regard to the others; 1 by default
   */
  draw(rng: Rng, into: Segments, sampling: ReplaySampling, minibatches?: number): void;
  /** Copies of all that is stored, by name. */
  tensors(): Readonly<Record<string, Float32Array | Int32Array>>;
  state(): ReplayState;
  restore(state: ReplayState, tensors: Readonly<Record<string, ArrayLike<number>>>): void;
}

export type ReplayState = { readonly next: number; readonly stored: number };

/**
 * @param name who asks, for messages
 * @param batchSize segments of an update, which the capacity must hold
 * @throws InputError when the capacity is below the batch
 */
export function createReplay(name: string, shape: SegmentShape, capacity: number, batchSize: number): Replay {
  if (capacity < batchSize) {
    throw new InputError(`${name}.replayCapacity: ${capacity} is below the batch size ${batchSize}`);
  }
  // A ring of segments is a batch of `capacity` with time and segment exchanged: one segment lies in one piece.
  const fields = segmentFields(createSegments(shape, capacity));
  let next = 0;
  let stored = 0;
  return {
    shape,
    capacity,
    get stored() {
      return stored;
    },
    add(from, b) {
      const sources = segmentFields(from);
      for (let f = 0; f < fields.length; f++) {
        const { values, rows, width } = fields[f];
        const source = sources[f].values;
        for (let row = 0; row < rows; row++) {
          const to = (next * rows + row) * width;
          const at = (row * from.size + b) * width;
          for (let k = 0; k < width; k++) values[to + k] = source[at + k];
        }
      }
      next = (next + 1) % capacity;
      stored = Math.min(stored + 1, capacity);
    },
    draw(rng, into, sampling, minibatches = 1) {
      const distinct = sampling === "without-replacement";
      const size = into.size / minibatches;
      const chosen = new Int32Array(into.size);
      for (let start = 0; start < into.size; start += size) {
        if (distinct) chosen.set(rng.sampleWithoutReplacement(stored, size), start);
        else for (let b = 0; b < size; b++) chosen[start + b] = rng.integer(stored);
      }
      const targets = segmentFields(into);
      for (let f = 0; f < fields.length; f++) {
        const { values, rows, width } = fields[f];
        const target = targets[f].values;
        for (let b = 0; b < into.size; b++) {
          for (let row = 0; row < rows; row++) {
            const from = (chosen[b] * rows + row) * width;
            const to = (row * into.size + b) * width;
            for (let k = 0; k < width; k++) target[to + k] = values[from + k];
          }
        }
      }
    },
    tensors: () =>
      Object.fromEntries(
        fields.map(({ name, values, rows, width }) => [
          `replay/${name}`,
          values.slice(0, stored * rows * width),
        ]),
      ),
    state: () => ({ next, stored }),
    restore(state, tensors) {
      ({ next, stored } = state);
      for (const { name, values } of fields) values.set(tensors[`replay/${name}`]);
    },
  };
}
