/**
 * Writing ONNX files: the small part of the protobuf wire format that a computation graph needs.
 * Field numbers are those of onnx.proto3 (ModelProto, GraphProto, NodeProto, TensorProto, ...).
 */
import type { ConstantData, DType, Lowering, Shape } from "./expr.ts";

export interface OnnxValue {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

interface OnnxNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | string | readonly number[]>>;
}

interface OnnxConstant extends OnnxValue {
  readonly data: ConstantData;
}

/** A graph under construction. */
export interface GraphBuilder extends Lowering {
  readonly nodeCount: number;
  /** Gives a value a stable name of its own (graph outputs). */
  alias(value: string, name: string): void;
  /** The finished file. */
  encode(graph: {
    readonly name: string;
    readonly inputs: readonly OnnxValue[];
    readonly outputs: readonly OnnxValue[];
  }): Uint8Array;
}

/** ONNX operator set the graphs are written in. */
const OPERATOR_SET = 17;
const IR_VERSION = 8;

/** First character of the names the builder makes up; inputs and outputs are named otherwise. */
export const INTERNAL_PREFIX = "#";

const ELEMENT_TYPE: Readonly<Record<DType, number>> = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

export function elementType(dtype: DType): number {
  return ELEMENT_TYPE[dtype];
}

export function graphBuilder(): GraphBuilder {
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, OnnxConstant>();
  const produced = new Set<string>();
  const renamed = new Map<string, string>();
  let values = 0;

  const builder: GraphBuilder = {
    get nodeCount() {
      return nodes.length;
    },
    node(operator, inputs, attributes = {}, options = {}) {
      const outputs = Array.from({ length: options.results ?? 1 }, () => `${INTERNAL_PREFIX}v${values++}`);
      nodes.push({ operator, inputs, outputs, attributes });
      for (const output of outputs) produced.add(output);
      return outputs;
    },
    constant(dtype, shape, data) {
      const content = data.length <= 64 ? Array.from(data, showExactly).join(",") : `#${values++}`;
      const key = `${dtype}[${shape.join(",")}]:${content}`;
      const known = constants.get(key);
      if (known !== undefined) return known.name;
      const name = `${INTERNAL_PREFIX}c${constants.size}`;
      constants.set(key, { name, dtype, shape, data });
      return name;
    },
    integers(list) {
      return builder.constant("int64", [list.length], BigInt64Array.from(list, BigInt));
    },
    alias(value, name) {
      if (produced.has(value) && !renamed.has(value)) {
        renamed.set(value, name);
      } else {
        nodes.push({ operator: "Identity", inputs: [value], outputs: [name], attributes: {} });
      }
    },
    encode(graph) {
      const body = message()
        .each(1, nodes, (node) => encodeNode(node, renamed))
        .text(2, graph.name)
        .each(5, [...constants.values()], encodeTensor)
        .each(11, graph.inputs, encodeValueInfo)
        .each(12, graph.outputs, encodeValueInfo);
      return message()
        .varint(1, IR_VERSION)
        .text(2, "corral")
        .nested(7, body)
        .nested(8, message().text(1, "").varint(2, OPERATOR_SET))
        .bytes();
    },
  };
  return builder;
}

/** Keeps -0 apart from 0, which print alike. */
const showExactly = (value: number | bigint): string => (Object.is(value, -0) ? "-0" : `${value}`);

function encodeNode(node: OnnxNode, renamed: ReadonlyMap<string, string>): Message {
  const out = message();
  for (const input of node.inputs) out.text(1, renamed.get(input) ?? input);
  for (const output of node.outputs) out.text(2, renamed.get(output) ?? output);
  out.text(4, node.operator);
  return out.each(5, Object.entries(node.attributes), encodeAttribute);
}

/** Attributes whose ONNX type is FLOAT even when their value happens to be whole. */
const FLOAT_ATTRIBUTES: ReadonlySet<string> = new Set(["alpha", "beta", "epsilon"]);

function encodeAttribute([name, value]: [string, number | string | readonly number[]]): Message {
  const out = message().text(1, name);
  if (typeof value === "string") return out.text(4, value).varint(20, 3);
  if (typeof value !== "number") {
    for (const item of value) out.varint(8, item);
    return out.varint(20, 7);
  }
  if (FLOAT_ATTRIBUTES.has(name)) return out.float(2, value).varint(20, 1);
  return out.varint(3, value).varint(20, 2);
}

function encodeTensor(tensor: OnnxConstant): Message {
  const out = message();
  for (const extent of tensor.shape) out.varint(1, extent);
  out.varint(2, elementType(tensor.dtype)).text(8, tensor.name);
  const { data } = tensor;
  return out.raw(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function encodeValueInfo(value: OnnxValue): Message {
  const shape = message().each(1, value.shape, (extent) => message().varint(1, extent));
  const tensorType = message().varint(1, elementType(value.dtype)).nested(2, shape);
  return message().text(1, value.name).nested(2, message().nested(1, tensorType));
}

/** A protobuf message being written; each method appends one field and returns the message. */
interface Message {
  varint(field: number, value: number): Message;
  float(field: number, value: number): Message;
  text(field: number, value: string): Message;
  raw(field: number, value: Uint8Array): Message;
  nested(field: number, value: Message): Message;
  each<T>(field: number, items: readonly T[], encode: (item: T) => Message): Message;
  bytes(): Uint8Array;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

function message(): Message {
  const chunks: Uint8Array[] = [];
  const tag = (field: number, wireType: number): void => {
    chunks.push(varintBytes(BigInt((field << 3) | wireType)));
  };
  const self: Message = {
    varint(field, value) {
      tag(field, VARINT);
      chunks.push(varintBytes(BigInt.asUintN(64, BigInt(value))));
      return self;
    },
    float(field, value) {
      tag(field, FIXED32);
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setFloat32(0, value, true);
      chunks.push(bytes);
      return self;
    },
    text(field, value) {
      return self.raw(field, new TextEncoder().encode(value));
    },
    raw(field, value) {
      tag(field, LENGTH_DELIMITED);
      chunks.push(varintBytes(BigInt(value.length)), value);
      return self;
    },
    nested(field, value) {
      return self.raw(field, value.bytes());
    },
    each(field, items, encode) {
      for (const item of items) self.nested(field, encode(item));
      return self;
    },
    bytes() {
      const out = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
      let at = 0;
      for (const chunk of chunks) {
        out.set(chunk, at);
        at += chunk.length;
      }
      return out;
    },
  };
  return self;
}

function varintBytes(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}
