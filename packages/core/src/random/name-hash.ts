/**
 * A well-mixed 128-bit hash of a text, as four signed 32-bit integers of which at least one is not zero.
 *
 * Four lanes absorb each UTF-16 code unit and stir one another (multiply, rotate, add the neighbour), then two
 * rounds of the 32-bit avalanche finaliser of MurmurHash3 with cross-lane sums make every output bit depend on
 * every input bit. It is not cryptographic: it only has to start unrelated streams for different names.
 */
export function nameHash(text: string): [number, number, number, number] {
  let a = 0x243f6a88;
  let b = 0x85a308d3 | 0;
  let c = 0x13198a2e;
  let d = 0x03707344;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = (Math.imul(rotate(a ^ Math.imul(unit, 0x9e3779b1), 15), 0x85ebca77) + b) | 0;
    b = (Math.imul(rotate(b ^ Math.imul(unit, 0xc2b2ae3d), 13), 0x27d4eb2f) + c) | 0;
    c = (Math.imul(rotate(c ^ Math.imul(unit, 0x165667b1), 17), 0xd6e8feb9) + d) | 0;
    d = (Math.imul(rotate(d ^ Math.imul(unit, 0xa0761d65), 18), 0xe7037ed1) + a) | 0;
  }
  a ^= text.length;
  for (let round = 0; round < 2; round++) {
    a = avalanche((a + b + c + d) | 0);
    b = avalanche((b + a) | 0);
    c = avalanche((c + b) | 0);
    d = avalanche((d + c) | 0);
  }
  // A xoroshiro generator never leaves the all-zero state.
  if ((a | b | c | d) === 0) d = 1;
  return [a, b, c, d];
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function avalanche(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
