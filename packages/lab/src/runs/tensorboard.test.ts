import { describe, expect, test } from "vitest";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { fileVersionRecord, scalarsRecord } from "./tensorboard.ts";

describe("CRC-32C", () => {
  // The check value of the algorithm and the vectors of RFC 3720, B.4.
  test.each([
    [new TextEncoder().encode("123456789"), 0xe3069283],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    [new Uint8Array(0), 0],
  ])("known values %#", (bytes, value) => expect(crc32c(bytes)).toBe(value));

  test("mask: rotate right by 15 and add a constant", () => {
    // 0xe3069283 rotated right by 15 is 0x2507c60d; plus 0xa282ead8 is 0xc78ab0e5.
    expect(maskedCrc32c(new TextEncoder().encode("123456789"))).toBe(0xc78ab0e5);
  });
});

type Field = { number: number; value: number | bigint | Uint8Array };

/** A second reading of the protocol buffer format, by wire type. */
function fields(bytes: Uint8Array): Field[] {
  const found: Field[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const number = key >> 3;
    if ((key & 7) === 0) found.push({ number, value: varint() });
    else if ((key & 7) === 1) {
      found.push({ number, value: view.getFloat64(at, true) });
      at += 8;
    } else if ((key & 7) === 5) {
      found.push({ number, value: view.getFloat32(at, true) });
      at += 4;
    } else {
      expect(key & 7).toBe(2);
      const length = Number(varint());
      found.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return found;
}

function unframe(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset);
  const length = Number(view.getBigUint64(0, true));
  expect(frame.length).toBe(16 + length);
  const data = frame.subarray(12, 12 + length);
  expect(view.getUint32(8, true)).toBe(maskedCrc32c(frame.subarray(0, 8)));
  expect(view.getUint32(12 + length, true)).toBe(maskedCrc32c(data));
  return data;
}

const text = (value: Field["value"]) => new TextDecoder().decode(value as Uint8Array);

describe("records", () => {
  test("the first one names the version", () => {
    const [time, version] = fields(unframe(fileVersionRecord(12.5)));
    expect(time).toEqual({ number: 1, value: 12.5 });
    expect(version.number).toBe(3);
    expect(text(version.value)).toBe("brain.Event:2");
  });

  test("scalars keep tag, value and a step beyond 32 bits; numbers that are not finite are left out", () => {
    const long = `eval/${"x".repeat(200)}`;
    const metrics = { "train/loss": 0.5, "train/nothing": Number.NaN, [long]: -2 };
    const [time, step, summary] = fields(unframe(scalarsRecord(metrics, 5_000_000_000, 1.5)));
    expect(time).toEqual({ number: 1, value: 1.5 });
    expect(step).toEqual({ number: 2, value: 5_000_000_000n });
    expect(summary.number).toBe(5);
    const values = fields(summary.value as Uint8Array).map(({ number, value }) => {
      expect(number).toBe(1);
      const [tag, scalar] = fields(value as Uint8Array);
      expect([tag.number, scalar.number]).toEqual([1, 2]);
      return [text(tag.value), scalar.value];
    });
    expect(values).toEqual([
      ["train/loss", 0.5],
      [long, -2],
    ]);
  });
});
