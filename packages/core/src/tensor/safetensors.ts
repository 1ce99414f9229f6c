import { InputError } from "../errors.ts";

/** Arrays a file can hold: F32, F64, I32 and U8. */
export type SafetensorsArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface SafetensorsTensor {
  readonly shape: readonly number[];
  /** Row-major elements; as many as the product of `shape`. */
  readonly data: SafetensorsArray;
}

export interface SafetensorsFile {
  readonly tensors: Readonly<Record<string, SafetensorsTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Element types that can be read. BOOL is read as bytes of 0 and 1. */
const dtypes = {
  F64: { size: 8, from: (buffer: ArrayBuffer): SafetensorsArray => new Float64Array(buffer) },
  F32: { size: 4, from: (buffer: ArrayBuffer): SafetensorsArray => new Float32Array(buffer) },
  I32: { size: 4, from: (buffer: ArrayBuffer): SafetensorsArray => new Int32Array(buffer) },
  U8: { size: 1, from: (buffer: ArrayBuffer): SafetensorsArray => new Uint8Array(buffer) },
  BOOL: { size: 1, from: (buffer: ArrayBuffer): SafetensorsArray => new Uint8Array(buffer) },
} as const;
type Dtype = keyof typeof dtypes;

const metadataKey = "__metadata__";

function dtypeOf(data: SafetensorsArray): Dtype {
  if (data instanceof Float64Array) return "F64";
  if (data instanceof Float32Array) return "F32";
  return data instanceof Int32Array ? "I32" : "U8";
}

/**
 * A safetensors file: 8 bytes header length, a JSON header padded with spaces to a multiple of 8 bytes, the raw
 * little-endian elements. Wider element types come first and names are sorted within a width, so that every
 * array is aligned and equal contents give equal bytes.
 *
 * @throws InputError when a shape does not fit its data or a tensor has the reserved name `__metadata__`
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) =>
      b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (nameA < nameB ? -1 : nameA > nameB ? 1 : 0),
  );
  const header: [string, unknown][] = [];
  if (metadata !== undefined) {
    const sorted = Object.keys(metadata).sort();
    header.push([metadataKey, Object.fromEntries(sorted.map((key) => [key, metadata[key]]))]);
  }
  let offset = 0;
  for (const [name, { shape, data }] of entries) {
    if (name === metadataKey) throw new InputError(`safetensors: a tensor cannot be named "${metadataKey}"`);
    if (!isShape(shape) || elements(shape) !== data.length) {
      throw new InputError(
        `safetensors: tensor "${name}" of shape [${shape.join(", ")}] was given ${data.length} elements`,
      );
    }
    const end = offset + data.byteLength;
    header.push([name, { dtype: dtypeOf(data), shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.fill(0x20, 8, start);
  bytes.set(json, 8);
  let at = start;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Reads a safetensors file; the arrays are copies.
 *
 * @throws InputError in one line that says what is wrong: truncated, a header that is no JSON, offsets that
 * overlap, leave gaps or run out of the file, an unknown dtype, a shape that does not fit its bytes
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  if (bytes.length < 8) {
    throw new InputError(`safetensors: truncated, ${bytes.length} bytes are too few for a header length`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) {
    throw new InputError(
      `safetensors: truncated, a header of ${length} bytes is announced but ${bytes.length - 8} bytes follow`,
    );
  }
  const start = 8 + Number(length);
  const header = parseHeader(bytes.subarray(8, start));
  const payload = bytes.subarray(start);

  const tensors: [string, SafetensorsTensor][] = [];
  const ranges: { name: string; begin: number; end: number }[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === metadataKey) {
      if (!isRecord(entry) || Object.values(entry).some((value) => typeof value !== "string")) {
        throw new InputError(`safetensors: ${metadataKey} is not a record of strings`);
      }
      metadata = entry as Record<string, string>;
      continue;
    }
    const { dtype, shape, begin, end } = parseEntry(name, entry, payload.length);
    const size = dtypes[dtype].size;
    if (elements(shape) * size !== end - begin) {
      throw new InputError(
        `safetensors: tensor "${name}" has ${end - begin} bytes but ${dtype} [${shape.join(", ")}] takes ${elements(shape) * size}`,
      );
    }
    ranges.push({ name, begin, end });
    // A copy of exactly these bytes, so that the view is aligned wherever the file put it.
    const copy = new Uint8Array(end - begin);
    copy.set(payload.subarray(begin, end));
    tensors.push([name, { shape, data: dtypes[dtype].from(copy.buffer) }]);
  }

  let covered = 0;
  for (const { name, begin, end } of ranges.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) throw new InputError(`safetensors: tensor "${name}" overlaps another tensor`);
    if (begin > covered) {
      throw new InputError(`safetensors: ${begin - covered} unused bytes before tensor "${name}"`);
    }
    covered = end;
  }
  if (covered !== payload.length) {
    throw new InputError(`safetensors: ${payload.length - covered} unused bytes after the last tensor`);
  }
  return { tensors: Object.fromEntries(tensors), metadata };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new InputError("safetensors: the header is not valid JSON");
  }
  if (!isRecord(header)) throw new InputError("safetensors: the header is not a JSON object");
  return header;
}

function parseEntry(
  name: string,
  entry: unknown,
  available: number,
): { dtype: Dtype; shape: readonly number[]; begin: number; end: number } {
  if (!isRecord(entry)) throw new InputError(`safetensors: tensor "${name}" has no description`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(dtypes, dtype)) {
    throw new InputError(
      `safetensors: tensor "${name}" has dtype ${JSON.stringify(dtype)}; expected one of ${Object.keys(dtypes).join(", ")}`,
    );
  }
  if (!isShape(shape)) {
    throw new InputError(`safetensors: tensor "${name}" has an invalid shape ${JSON.stringify(shape)}`);
  }
  if (!isShape(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw new InputError(`safetensors: tensor "${name}" has invalid offsets ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets;
  if (end > available) {
    throw new InputError(
      `safetensors: truncated, tensor "${name}" ends at byte ${end} of ${available} bytes of data`,
    );
  }
  return { dtype: dtype as Dtype, shape, begin, end };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isShape = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
