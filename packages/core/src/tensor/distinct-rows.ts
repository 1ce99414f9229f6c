/** Rows of a table without repetitions, and where each row of the table went. */
export interface DistinctRows {
  /** `U`: how many different rows there are. */
  readonly count: number;
  /** Row of the table where each distinct row first appears, `[U]` (a longer array; the rest is unused). */
  readonly first: Int32Array;
  /** Distinct row that each row of the table equals, `[R]`. */
  readonly index: Int32Array;
}

/**
 * Finds the distinct rows of tables with up to `capacity` rows, in order of first appearance. Networks are then
 * evaluated once for each distinct input, however often it occurs in a batch. Rows are compared bit by bit.
 *
 * @returns a function of a table `[R, width]`; its result is overwritten by the next call
 */
export function distinctRowFinder(
  capacity: number,
): (table: Float32Array | Int32Array, rows: number, width: number) => DistinctRows {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2, 2 * capacity))));
  const mask = slots.length - 1;
  const first = new Int32Array(capacity);
  const index = new Int32Array(capacity);

  return (table, rows, width) => {
    if (rows > capacity) throw new RangeError(`distinctRows: ${rows} rows, expected at most ${capacity}`);
    const words = new Int32Array(table.buffer, table.byteOffset, rows * width);
    slots.fill(-1);
    let count = 0;
    for (let row = 0; row < rows; row++) {
      const start = row * width;
      let hash = 0x811c9dc5;
      for (let k = 0; k < width; k++) {
        hash = Math.imul(hash ^ words[start + k], 0x01000193);
        hash ^= hash >>> 15;
      }
      hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
      let slot = (hash ^ (hash >>> 16)) & mask;
      for (;;) {
        const candidate = slots[slot];
        if (candidate === -1) {
          slots[slot] = count;
          first[count] = row;
          index[row] = count++;
          break;
        }
        const other = first[candidate] * width;
        let k = 0;
        while (k < width && words[start + k] === words[other + k]) k++;
        if (k === width) {
          index[row] = candidate;
          break;
        }
        slot = (slot + 1) & mask;
      }
    }
    return { count, first, index };
  };
}

/**
 * Size of the compiled program that serves `count` rows: the next of 1, 2, ..., 8, 10, 12, 14, 16, 20, 24, 28, 32, ...
 * Programs have static shapes, so a few sizes, each at most a quarter larger than needed, serve every batch.
 */
export function capacityFor(count: number): number {
  let step = 1;
  while (8 * step < count) step *= 2;
  return Math.max(1, Math.ceil(count / step) * step);
}

/** Copies rows `which[0..count-1]` of a table to the front of another and fills the rest of it with zeros. */
export function copyRows<Table extends Float32Array | Float64Array | Int32Array>(
  from: Table,
  width: number,
  which: ArrayLike<number>,
  count: number,
  to: Table,
): void {
  for (let k = 0; k < count; k++) {
    const start = which[k] * width;
    for (let c = 0; c < width; c++) to[k * width + c] = from[start + c];
  }
  to.fill(0, count * width);
}
