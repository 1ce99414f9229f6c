/**
 * Lists of ids one after another: list k is `ids[starts[k] .. starts[k + 1] - 1]`, in increasing order and without
 * repetition. Flat, so that a hundred thousand lists are two arrays.
 */
export interface IdLists {
  /** `[K + 1]` for K lists. */
  readonly starts: Int32Array;
  readonly ids: Int32Array;
}

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
