import type { JsonValue } from "corral/envs";
import { InputError } from "corral/errors";

/** JSON has no way to write these numbers; a snapshot must bring them back bit for bit. */
const unwritable: Readonly<Record<string, number>> = {
  "-0": -0,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};
const key = "$number";

/** JSON text in which negative zero and numbers that are not finite stand as `{"$number":"-0"}`. */
export function stringifyExactly(value: JsonValue): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item !== "number" || (Number.isFinite(item) && !Object.is(item, -0))) return item;
    return { [key]: Object.is(item, -0) ? "-0" : String(item) };
  });
}

export function parseExactly(text: string): JsonValue {
  return JSON.parse(text, (_, item) => {
    const word = typeof item === "object" && item !== null ? item[key] : undefined;
    return typeof word === "string" && Object.hasOwn(unwritable, word) ? unwritable[word] : item;
  });
}

/**
 * JSON text with sorted keys: equal values give equal text. A missing key and an undefined one are the same.
 *
 * @throws InputError for numbers JSON cannot hold
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (name, item: unknown) => {
    if (typeof item === "number" && !Number.isFinite(item)) {
      throw new InputError(`${name || "value"}: ${item} cannot be written as JSON`);
    }
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
