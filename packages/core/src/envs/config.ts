import { z } from "zod";
import { InputError, nearest } from "../errors.ts";

/**
 * The full configuration that `overrides` give on top of a schema's defaults, frozen.
 *
 * @param owner who is configured, for example `"aloha"`: errors name the setting `aloha.horizon`
 * @throws InputError on an unknown setting (with the nearest one) or a value the schema refuses
 */
export function parseConfig<Config>(
  owner: string,
  schema: z.ZodType<Config>,
  overrides: Readonly<Record<string, unknown>> = {},
): Config {
  const settings = settingsOf(schema);
  for (const [key, value] of Object.entries(overrides)) {
    if (settings === undefined || Object.hasOwn(settings, key)) continue;
    throw unknownSetting(owner, key, value, Object.keys(settings));
  }
  const result = schema.safeParse(overrides);
  if (result.success) return Object.freeze(result.data);
  const issue = result.error.issues[0];
  if (issue.path.length === 0) throw new InputError(`${owner}: ${issue.message}`);
  const [key, ...rest] = issue.path.map(String);
  let value: unknown = overrides[key];
  for (const step of rest) value = (value as Record<string, unknown> | undefined)?.[step];
  if (issue.code === "unrecognized_keys" && settings !== undefined && rest.length === 0) {
    const [inner] = issue.keys;
    const known = Object.keys(jsonSchemaOf(settings[key]).properties ?? {});
    throw unknownSetting(`${owner}.${key}`, inner, (value as Record<string, unknown>)[inner], known);
  }
  const field = settings === undefined ? undefined : fieldAt(jsonSchemaOf(settings[key]), rest);
  const expectation = field === undefined || issue.code === "custom" ? undefined : expected(field);
  // A rule that spans settings can fail at one that was not given.
  const standing = Object.hasOwn(overrides, key) ? undefined : settings?.[key]?.safeParse(undefined).data;
  const got = standing === undefined ? shown(value) : `the default ${shown(standing)}`;
  throw new InputError(
    `${owner}.${[key, ...rest].join(".")}: ${expectation === undefined ? issue.message : `expected ${expectation}`} (got ${got})`,
  );
}

/** The fields of an object schema, by name; undefined for any other schema. */
function settingsOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  return "shape" in schema ? (schema.shape as Readonly<Record<string, z.ZodType>>) : undefined;
}

function unknownSetting(owner: string, key: string, value: unknown, choices: readonly string[]): InputError {
  const suggestion = nearest(key, choices);
  const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
  const known = choices.length === 0 ? "there are none" : `expected one of ${choices.join(", ")}`;
  return new InputError(`${owner}.${key}: unknown setting (got ${shown(value)}), ${known}.${hint}`);
}

const jsonSchemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });

/** What a JSON Schema says of the field of an object at `path`, undefined where it is silent. */
function fieldAt(
  schema: z.core.JSONSchema.BaseSchema,
  path: readonly string[],
): z.core.JSONSchema.BaseSchema | undefined {
  if (path.length === 0) return schema;
  const field = schema.properties?.[path[0]];
  return typeof field === "object" ? fieldAt(field, path.slice(1)) : undefined;
}

/** A JSON Schema in words, or undefined where words fail. */
function expected(schema: z.core.JSONSchema.BaseSchema): string | undefined {
  if (schema.enum !== undefined) return `one of ${schema.enum.map(shown).join(", ")}`;
  if (schema.const !== undefined) return shown(schema.const);
  if (schema.anyOf !== undefined) {
    const choices = schema.anyOf.map((choice) => expected(choice as z.core.JSONSchema.BaseSchema));
    return choices.includes(undefined) ? undefined : choices.join(" or ");
  }
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "null") return "null";
  if (schema.type === "string") return "a string";
  if (schema.type === "array") return "a list";
  if (schema.type === "object") {
    const [first, inner] = Object.entries(schema.properties ?? {})[0] ?? [];
    if (first === undefined || typeof inner === "boolean") return "an object";
    return `an object such as ${shown({ [first]: inner?.default ?? null })}`;
  }
  if (schema.type !== "number" && schema.type !== "integer") return undefined;
  const noun = schema.type === "integer" ? "an integer" : "a number";
  const bounds: string[] = [];
  if (schema.minimum !== undefined && schema.minimum > Number.MIN_SAFE_INTEGER) {
    bounds.push(`at least ${schema.minimum}`);
  }
  if (schema.exclusiveMinimum !== undefined) bounds.push(`above ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER) {
    bounds.push(`at most ${schema.maximum}`);
  }
  if (schema.exclusiveMaximum !== undefined) bounds.push(`below ${schema.exclusiveMaximum}`);
  return [noun, bounds.join(" and ")].filter((part) => part !== "").join(" ");
}

function shown(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
