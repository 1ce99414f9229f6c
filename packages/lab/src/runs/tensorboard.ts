import type { Metrics } from "corral/algorithms";
import { maskedCrc32c } from "./crc32c.ts";

/**
 * The first record of a TensorBoard event file.
 *
 * @param wallTime seconds since 1970
 */
export function fileVersionRecord(wallTime: number): Uint8Array {
  return record(concatenate([double(1, wallTime), bytesField(3, text("brain.Event:2"))]));
}

/**
 * One record of a TensorBoard event file with one scalar for each finite metric.
 *
 * @param step position on TensorBoard's horizontal axis, a non-negative integer
 * @param wallTime seconds since 1970
 */
export function scalarsRecord(metrics: Metrics, step: number, wallTime: number): Uint8Array {
  const values = Object.entries(metrics)
    .filter(([, value]) => Number.isFinite(value))
    .map(([name, value]) => bytesField(1, concatenate([bytesField(1, text(name)), float(2, value)])));
  return record(concatenate([double(1, wallTime), varintField(2, step), bytesField(5, concatenate(values))]));
}

/** A TFRecord frame: length, masked CRC of the length, data, masked CRC of the data. */
function record(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(16 + data.length);
  const view = new DataView(frame.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(frame.subarray(0, 8)), true);
  frame.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return frame;
}

// Protocol buffer fields: a key `number << 3 | wire type`, then the value. `Event` has wall_time = 1 (double),
// step = 2 (int64), file_version = 3 (string), summary = 5; `Summary` has value = 1; `Summary.Value` has
// tag = 1 (string), simple_value = 2 (float).

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

const varintField = (field: number, value: number): Uint8Array =>
  concatenate([varint(field * 8), varint(value)]);

const bytesField = (field: number, value: Uint8Array): Uint8Array =>
  concatenate([varint(field * 8 + 2), varint(value.length), value]);

function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = field * 8 + 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = field * 8 + 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
