import type { JsonValue } from "corral/envs";
import { InputError } from "corral/errors";
import { z } from "zod";
import { toNumber } from "./read-number.ts";

/** Settings of an algorithm or environment as they were typed, by key. */
type Typed = Readonly<Record<string, string>>;

/**
 * Splits `key=value` words into settings of the algorithm and, behind the prefix `env.`, of the environment.
 *
 * @throws InputError for a word without `=` and a key that is given twice
 */
export function splitSettings(words: readonly string[]): { readonly own: Typed; readonly env: Typed } {
  const own: Record<string, string> = {};
  const env: Record<string, string> = {};
  for (const word of words) {
    const at = word.indexOf("=");
    if (at < 1) throw new InputError(`"${word}": expected key=value`);
    const key = word.slice(0, at);
    const [target, name] = key.startsWith("env.") ? [env, key.slice("env.".length)] : [own, key];
    if (Object.hasOwn(target, name)) throw new InputError(`${key} is given twice`);
    target[name] = word.slice(at + 1);
  }
  return { own, env };
}

/**
 * Gives typed settings the types their schema asks for: of what a text can mean (`64` a number or a text, `true` a
 * yes or a text), the first that the schema takes. What it takes in no form is left for the schema to refuse.
 */
export function readSettings(typed: Typed, schema: z.ZodType): Record<string, JsonValue> {
  const fields = fieldsOf(schema);
  return Object.fromEntries(
    Object.entries(typed).map(([key, text]) => {
      const meanings = meaningsOf(text);
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      return [key, meanings.find((meaning) => field?.safeParse(meaning).success) ?? meanings[0]];
    }),
  );
}

/**
 * Refuses settings of the algorithm that only the environment has: their prefix was forgotten.
 *
 * @throws InputError that names the setting as it should be typed
 */
export function refuseUnprefixed(typed: Typed, algorithm: Configured, env: Configured): void {
  const own = fieldsOf(algorithm.config);
  const theirs = fieldsOf(env.config);
  for (const [key, text] of Object.entries(typed)) {
    if (Object.hasOwn(own, key) || !Object.hasOwn(theirs, key)) continue;
    throw new InputError(
      `${algorithm.name}.${key}: unknown setting (got ${JSON.stringify(text)}), but ${env.name} has it. Did you mean "env.${key}"?`,
    );
  }
}

interface Configured {
  readonly name: string;
  readonly config: z.ZodType;
}

/** What a text can mean, the most specific first. */
function meaningsOf(text: string): JsonValue[] {
  let meaning: unknown = toNumber(text);
  try {
    meaning ??= JSON.parse(text);
  } catch {
    return [text];
  }
  // Numbers too large to be one, such as 1e999, are none; as a text they are refused where they were meant.
  const value = z.json().safeParse(meaning);
  return value.success ? [value.data, text] : [text];
}

/** A setting's value as it would be typed: the inverse of reading it. */
export function asTyped(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** One setting for a listing. */
export interface SettingDescription {
  readonly key: string;
  readonly default: JsonValue | undefined;
  /** Values it takes, in words. */
  readonly values: string;
  /** What it is. */
  readonly description?: string;
  /** Of a setting that is an object: what is in it. */
  readonly fields?: readonly SettingDescription[];
}

/** The settings of a schema in the order they are declared. */
export function describeSettings(schema: z.ZodType): SettingDescription[] {
  return Object.entries(fieldsOf(schema)).map(([key, field]) => {
    const json = z.toJSONSchema(field, { io: "input", unrepresentable: "any" });
    const fields = describeSettings(field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field);
    return {
      key,
      default: json.default as JsonValue | undefined,
      values: inWords(json),
      description: field.description,
      ...(fields.length === 0 ? {} : { fields }),
    };
  });
}

function fieldsOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  return "shape" in schema ? (schema.shape as Readonly<Record<string, z.ZodType>>) : {};
}

/** For example `integer ≥ 1`, `number in [0, 1)`, `auto | true | false`. */
function inWords(schema: z.core.JSONSchema.BaseSchema): string {
  if (schema.anyOf !== undefined) {
    return schema.anyOf.map((choice) => inWords(choice as z.core.JSONSchema.BaseSchema)).join(" | ");
  }
  if (schema.enum !== undefined) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.type === "boolean") return "true | false";
  if (schema.type === "string") return "text";
  if (schema.type === "array") return "list";
  if (schema.type === "object") return "JSON object";
  if (schema.type !== "number" && schema.type !== "integer") return String(schema.type ?? "any");
  const low = lower(schema);
  const high = upper(schema);
  if (low !== undefined && high !== undefined) {
    return `${schema.type} in ${low.closed ? "[" : "("}${low.value}, ${high.value}${high.closed ? "]" : ")"}`;
  }
  if (low !== undefined) return `${schema.type} ${low.closed ? "≥" : ">"} ${low.value}`;
  if (high !== undefined) return `${schema.type} ${high.closed ? "≤" : "<"} ${high.value}`;
  return schema.type;
}

interface Bound {
  readonly value: number;
  readonly closed: boolean;
}

function lower({ minimum, exclusiveMinimum }: z.core.JSONSchema.BaseSchema): Bound | undefined {
  if (typeof exclusiveMinimum === "number") return { value: exclusiveMinimum, closed: false };
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return undefined;
  return { value: minimum, closed: true };
}

function upper({ maximum, exclusiveMaximum }: z.core.JSONSchema.BaseSchema): Bound | undefined {
  if (typeof exclusiveMaximum === "number") return { value: exclusiveMaximum, closed: false };
  if (maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER) return undefined;
  return { value: maximum, closed: true };
}
