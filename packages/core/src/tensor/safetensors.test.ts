import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsArray } from "./safetensors.ts";

/** A file with this header text and this many bytes of data. */
function file(header: string, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (dtype: string, shape: number[], begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe("encoding", () => {
  test("one float32 matrix, byte by byte", () => {
    const bytes = encodeSafetensors({ w: { shape: [1, 2], data: Float32Array.of(1, -2) } }, { a: "b" });
    const header = '{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'.padEnd(
      88,
    );
    expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(88n);
    expect(new TextDecoder().decode(bytes.subarray(8, 96))).toBe(header);
    // 1 is 0x3f800000 and -2 is 0xc0000000, little-endian.
    expect([...bytes.subarray(96)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  test("equal contents give equal bytes whatever the order of names", () => {
    const a = { shape: [3], data: Uint8Array.of(1, 2, 3) };
    const b = { shape: [], data: Float64Array.of(4) };
    expect(encodeSafetensors({ a, b }, { x: "1", y: "2" })).toEqual(
      encodeSafetensors({ b, a }, { y: "2", x: "1" }),
    );
  });

  test("refuses a shape that does not fit and the reserved name", () => {
    expect(() => encodeSafetensors({ w: { shape: [3], data: Float32Array.of(1) } })).toThrow(
      new InputError('safetensors: tensor "w" of shape [3] was given 1 elements'),
    );
    expect(() => encodeSafetensors({ __metadata__: { shape: [0], data: new Uint8Array() } })).toThrow(
      InputError,
    );
  });
});

const arrays: fc.Arbitrary<SafetensorsArray> = fc.oneof(
  fc.float32Array({ maxLength: 6 }),
  fc.float64Array({ maxLength: 6 }),
  fc.int32Array({ maxLength: 6 }),
  fc.uint8Array({ maxLength: 6 }),
);
const names = fc.string({ unit: "binary", maxLength: 8 }).filter((name) => name !== "__metadata__");
const records = fc.dictionary(names, arrays, { maxKeys: 5, noNullPrototype: true });

describe("properties", () => {
  test("decoding returns what was encoded, bit for bit", () => {
    fc.assert(
      fc.property(records, fc.dictionary(names, fc.string({ unit: "binary" })), (data, metadata) => {
        const tensors = Object.fromEntries(
          Object.entries(data).map(([name, array]) => [name, { shape: [1, array.length], data: array }]),
        );
        const bytes = encodeSafetensors(tensors, metadata);
        const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
        expect(start % 8).toBe(0);
        const decoded = decodeSafetensors(bytes);
        expect(Object.keys(decoded.tensors).sort()).toEqual(Object.keys(tensors).sort());
        for (const [name, { shape, data: array }] of Object.entries(decoded.tensors)) {
          expect(shape).toEqual(tensors[name].shape);
          expect(array.constructor).toBe(data[name].constructor);
          expect(Buffer.from(array.buffer)).toEqual(
            Buffer.from(data[name].buffer, data[name].byteOffset, data[name].byteLength),
          );
        }
        expect(Object.entries(decoded.metadata).sort()).toEqual(Object.entries(metadata).sort());
      }),
    );
  });

  test("every truncation is an InputError", () => {
    const bytes = encodeSafetensors(
      { a: { shape: [2], data: Float32Array.of(1, 2) }, b: { shape: [1], data: Uint8Array.of(7) } },
      { k: "v" },
    );
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSafetensors(bytes.subarray(0, length))).toThrow(InputError);
    }
  });

  test("a damaged file gives a file or an InputError, nothing else", () => {
    const bytes = encodeSafetensors({ a: { shape: [2, 1], data: Int32Array.of(1, 2) } }, { k: "v" });
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at] = value;
        try {
          decodeSafetensors(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toContain("\n");
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("malformed files say what is wrong", () => {
  test.each([
    ["an empty file", new Uint8Array(0), /truncated, 0 bytes/],
    ["a header beyond the file", file("{}").subarray(0, 9), /truncated, a header of 2 bytes/],
    ["a header that is not JSON", file("{]"), /not valid JSON/],
    ["a header that is not UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), /not valid JSON/],
    ["a header that is an array", file("[]"), /not a JSON object/],
    ["no description", file('{"w":3}'), /"w" has no description/],
    ["an unknown dtype", file(`{"w":${entry("F8", [1], 0, 1)}}`, 1), /dtype "F8"; expected one of F64, F32/],
    ["a negative size", file(`{"w":${entry("U8", [-1], 0, 1)}}`, 1), /invalid shape \[-1\]/],
    ["reversed offsets", file(`{"w":${entry("U8", [1], 1, 0)}}`, 1), /invalid offsets \[1,0\]/],
    [
      "data beyond the file",
      file(`{"w":${entry("U8", [4], 0, 4)}}`, 3),
      /truncated, tensor "w" ends at byte 4/,
    ],
    ["a wrong size", file(`{"w":${entry("F32", [2], 0, 4)}}`, 4), /has 4 bytes but F32 \[2\] takes 8/],
    [
      "overlapping tensors",
      file(`{"v":${entry("U8", [2], 0, 2)},"w":${entry("U8", [2], 1, 3)}}`, 3),
      /"w" overlaps/,
    ],
    ["a gap", file(`{"w":${entry("U8", [1], 1, 2)}}`, 2), /1 unused bytes before tensor "w"/],
    ["bytes left over", file(`{"w":${entry("U8", [1], 0, 1)}}`, 3), /2 unused bytes after/],
    ["metadata of numbers", file('{"__metadata__":{"a":1}}'), /not a record of strings/],
  ])("%s", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes)).toThrow(message);
    expect(() => decodeSafetensors(bytes)).toThrow(InputError);
  });

  test("BOOL and unaligned data of other writers are read", () => {
    const header = `{"b":${entry("BOOL", [1], 0, 1)},"f":${entry("F32", [1], 1, 5)}}`;
    const bytes = file(header, 5);
    bytes.set([1, 0, 0, 0x80, 0x3f], 8 + header.length);
    const { tensors } = decodeSafetensors(bytes);
    expect(tensors.b.data).toEqual(Uint8Array.of(1));
    expect(tensors.f.data).toEqual(Float32Array.of(1));
  });
});
