import { InputError } from "../errors.ts";
import { type IdSet, writeSorted } from "./id-set.ts";

/**
 * Lists of ids one after another: list k is `ids[starts[k] .. starts[k + 1] - 1]`, in increasing order and without
 * repetition. Flat, so that a hundred thousand lists are two arrays.
 */
export interface IdLists {
  /** `[K + 1]` for K lists. */
  readonly starts: Int32Array;
  readonly ids: Int32Array;
}

/** Most ids that are kept: 256 MB. */
const MOST_IDS = 2 ** 26;

/** List k, as a view. */
export function listAt({ starts, ids }: IdLists, k: number): Int32Array {
  return ids.subarray(starts[k], starts[k + 1]);
}

/** For each id of `0..count-1` the lists that hold it. */
export function transposeLists({ starts, ids }: IdLists, count: number): IdLists {
  const holders = new Int32Array(count + 1);
  for (let e = 0; e < ids.length; e++) holders[ids[e] + 1]++;
  for (let id = 0; id < count; id++) holders[id + 1] += holders[id];
  const at = holders.slice(0, count);
  const transposed = new Int32Array(ids.length);
  for (let k = 0; k + 1 < starts.length; k++) {
    for (let e = starts[k]; e < starts[k + 1]; e++) transposed[at[ids[e]]++] = k;
  }
  return { starts: holders, ids: transposed };
}

/** Lists that are written one after another. */
export interface ListWriter {
  /** Adds the ids of a set as the next list. @throws InputError when there are more ids than fit */
  append(set: IdSet): void;
  /** The lists so far, in arrays with room for more: valid until the next `append`. */
  soFar(): IdLists;
  /** The lists. */
  finish(): IdLists;
}

/**
 * Writes at most `most` lists, whose lengths need not be known.
 *
 * @param room for this many ids is made at first; too much costs little, because memory that is not written to is not taken
 */
export function listWriter(most: number, room = 4 * most): ListWriter {
  const starts = new Int32Array(most + 1);
  let ids = new Int32Array(Math.min(MOST_IDS, room));
  let written = 0;
  return {
    append(set) {
      const start = starts[written++];
      const end = start + set.size;
      if (end > MOST_IDS) {
        throw new InputError(
          `dependency sets: more than ${MOST_IDS} entries in all, expected fewer: choose a smaller kappa`,
        );
      }
      if (end > ids.length) {
        const larger = new Int32Array(Math.min(MOST_IDS, Math.max(end, 2 * ids.length)));
        larger.set(ids.subarray(0, start));
        ids = larger;
      }
      writeSorted(set, ids, start);
      starts[written] = end;
    },
    soFar: () => ({ starts, ids }),
    finish: () => ({ starts: starts.slice(0, written + 1), ids: ids.slice(0, starts[written]) }),
  };
}
