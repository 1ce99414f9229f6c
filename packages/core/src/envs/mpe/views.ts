/** Parts that observations consist of: each writes its numbers and returns where the next part begins. */
import type { Colour, World } from "./world.ts";

export function putZeros(out: Float64Array, at: number, count: number): number {
  for (let k = 0; k < count; k++) out[at + k] = 0;
  return at + count;
}

export function putPosition(world: World, of: number, out: Float64Array, at: number): number {
  out[at] = world.x[of];
  out[at + 1] = world.y[of];
  return at + 2;
}

export function putVelocity(world: World, of: number, out: Float64Array, at: number): number {
  out[at] = world.vx[of];
  out[at + 1] = world.vy[of];
  return at + 2;
}

/** Position of a body as seen from another. */
export function putOffset(world: World, from: number, of: number, out: Float64Array, at: number): number {
  out[at] = world.x[of] - world.x[from];
  out[at + 1] = world.y[of] - world.y[from];
  return at + 2;
}

/** Positions of the bodies `first..end-1` as seen from another, itself left out. */
export function putOffsets(
  world: World,
  from: number,
  first: number,
  end: number,
  out: Float64Array,
  at: number,
): number {
  let to = at;
  for (let of = first; of < end; of++) if (of !== from) to = putOffset(world, from, of, out, to);
  return to;
}

/** Positions of listed bodies as seen from another; zeros for entries of -1. */
export function putListed(
  world: World,
  from: number,
  list: Int32Array,
  out: Float64Array,
  at: number,
): number {
  let to = at;
  for (let k = 0; k < list.length; k++) {
    to = list[k] < 0 ? putZeros(out, to, 2) : putOffset(world, from, list[k], out, to);
  }
  return to;
}

/** What an agent said last. */
export function putMessage(world: World, of: number, out: Float64Array, at: number): number {
  const { messages, words } = world;
  for (let w = 0; w < words; w++) out[at + w] = messages[of * words + w];
  return at + words;
}

export function putColour(colour: Colour, out: Float64Array, at: number): number {
  out[at] = colour[0];
  out[at + 1] = colour[1];
  out[at + 2] = colour[2];
  return at + 3;
}

/** `size` numbers, all 0 but number `index`. */
export function putOneHot(index: number, size: number, out: Float64Array, at: number): number {
  for (let k = 0; k < size; k++) out[at + k] = k === index ? 1 : 0;
  return at + size;
}
