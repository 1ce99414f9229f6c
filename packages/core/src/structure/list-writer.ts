import { InputError } from "../errors.ts";
import type { IdLists } from "./id-lists.ts";
import { drain, type IdSet, writeSorted } from "./id-set.ts";

/** Most ids that are kept: 256 MB. */
const MOST_IDS = 2 ** 26;

/** Lists that are written one after another. */
export interface ListWriter {
  /** Adds the ids of a set as the next list. @throws InputError when there are more ids than fit */
  append(set: IdSet): void;
  /** Drains what was marked in a set as the next list. @throws InputError when there are more ids than fit */
  appendMarked(set: IdSet, most: number): void;
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
  const expectRoom = (count: number): void => {
    if (count <= MOST_IDS) return;
    throw new InputError(
      `dependency sets: more than ${MOST_IDS} entries in all, expected fewer: choose a smaller kappa`,
    );
  };
  /** Room behind what is written, as far as there may be any. */
  const makeRoom = (count: number): void => {
    const start = starts[written];
    const end = Math.min(MOST_IDS, start + count);
    if (end <= ids.length) return;
    const larger = new Int32Array(Math.min(MOST_IDS, Math.max(end, 2 * ids.length)));
    larger.set(ids.subarray(0, start));
    ids = larger;
  };
  return {
    append(set) {
      const start = starts[written];
      expectRoom(start + set.size);
      makeRoom(set.size);
      writeSorted(set, ids, start);
      starts[++written] = start + set.size;
    },
    appendMarked(set, most) {
      makeRoom(most);
      // What does not fit is not written, but counted.
      const end = drain(set, ids, starts[written]);
      expectRoom(end);
      starts[++written] = end;
    },
    soFar: () => ({ starts, ids }),
    finish() {
      const used = starts[written];
      // What is left over is cut off by copying, unless there is so little of it that a copy would need more.
      const kept = ids.length > 1.5 * used ? ids.slice(0, used) : ids.subarray(0, used);
      return { starts: starts.slice(0, written + 1), ids: kept };
    },
  };
}
