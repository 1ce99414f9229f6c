import type { IdLists } from "./id-lists.ts";

/**
 * A set of ids `0..capacity-1` in the order they came, beside one bit for each: a hundred thousand ids are 12 kB, which stay
 * near the processor while a walk asks for them in any order.
 */
export interface IdSet {
  /** How many ids there are: `ids[0 .. size - 1]`. */
  size: number;
  /** `[capacity + 1]`: behind the ids there is always room to write. */
  readonly ids: Int32Array;
  readonly bits: Int32Array;
  /** One bit for each word of `bits`; in use only while ids are sorted, or from being marked to being drained. */
  readonly words: Int32Array;
}

export function idSet(capacity: number): IdSet {
  const bits = new Int32Array(Math.ceil(capacity / 32));
  return {
    size: 0,
    ids: new Int32Array(capacity + 1),
    bits,
    words: new Int32Array(Math.ceil(bits.length / 32)),
  };
}

export function has({ bits }: IdSet, id: number): boolean {
  return ((bits[id >>> 5] >>> (id & 31)) & 1) === 1;
}

export function add(set: IdSet, id: number): void {
  const { bits } = set;
  const bit = 1 << (id & 31);
  if ((bits[id >>> 5] & bit) !== 0) return;
  bits[id >>> 5] |= bit;
  set.ids[set.size++] = id;
}

/** Adds every id of list k. */
export function addList(set: IdSet, { starts, ids }: IdLists, k: number): void {
  // Nearly all of a walk's time is spent here: each id is written behind the others, and counted when it is new. Whether it
  // is cannot be guessed, so that a branch would cost more.
  const { bits, ids: own } = set;
  let { size } = set;
  const end = starts[k + 1];
  for (let e = starts[k]; e < end; e++) {
    const id = ids[e];
    const word = bits[id >>> 5];
    own[size] = id;
    size += 1 - ((word >>> (id & 31)) & 1);
    bits[id >>> 5] = word | (1 << (id & 31));
  }
  set.size = size;
}

/** Empties the set. */
export function clear(set: IdSet): void {
  const { ids, bits } = set;
  for (let k = 0; k < set.size; k++) bits[ids[k] >>> 5] = 0;
  set.size = 0;
}

/** Fewer ids than this are sorted faster by comparing them. */
const FEW = 40;

/** Writes the ids in increasing order to `out`, from index `at`. Time grows with the ids, not with their logarithm. */
export function writeSorted({ size, ids, bits, words }: IdSet, out: Int32Array, at: number): void {
  if (size < FEW) {
    for (let k = 0; k < size; k++) out[at + k] = ids[k];
    out.subarray(at, at + size).sort();
    return;
  }
  for (let k = 0; k < size; k++) words[ids[k] >>> 10] |= 1 << ((ids[k] >>> 5) & 31);
  for (let group = 0; group < words.length; group++) {
    for (let left = words[group]; left !== 0; left &= left - 1) {
      const word = (group << 5) | lowestBit(left);
      for (let rest = bits[word]; rest !== 0; rest &= rest - 1) out[at++] = (word << 5) | lowestBit(rest);
    }
    words[group] = 0;
  }
}

/**
 * Adds every id of some lists, which list k of `which` names, to a set that is only ever drained: not in the order they come,
 * and without a count of them.
 */
export function markLists(set: IdSet, lists: IdLists, which: IdLists, k: number): void {
  const { bits, words } = set;
  const { starts, ids } = lists;
  const named = which.ids;
  const last = which.starts[k + 1];
  for (let n = which.starts[k]; n < last; n++) {
    const end = starts[named[n] + 1];
    for (let e = starts[named[n]]; e < end; e++) {
      const id = ids[e];
      bits[id >>> 5] |= 1 << (id & 31);
      words[id >>> 10] |= 1 << ((id >>> 5) & 31);
    }
  }
}

/** Writes the ids that were marked in increasing order to `out`, from index `at`, and forgets them. Returns the index behind. */
export function drain({ bits, words }: IdSet, out: Int32Array, at: number): number {
  let next = at;
  for (let group = 0; group < words.length; group++) {
    let left = words[group];
    if (left === 0) continue;
    words[group] = 0;
    for (; left !== 0; left &= left - 1) {
      const word = (group << 5) | lowestBit(left);
      for (let rest = bits[word]; rest !== 0; rest &= rest - 1) out[next++] = (word << 5) | lowestBit(rest);
      bits[word] = 0;
    }
  }
  return next;
}

/** The place of the lowest bit that is set. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
