import { expect, test } from "vitest";
import { z } from "zod";
import { InputError } from "../errors.ts";
import { parseConfig } from "./config.ts";
import { configureEnv, customEnv } from "./definition.ts";
import { environments } from "./environments.ts";

const aloha = environments.aloha;
const game = environments["coordination-game"];

test("defaults, overrides, and a frozen result", () => {
  const { config, factory } = configureEnv(aloha, { horizon: 7 });
  expect(config).toMatchObject({ horizon: 7, rows: 2, columns: 5, wrapEdge: true, collisionPenalty: 10 });
  expect(Object.isFrozen(config)).toBe(true);
  expect(factory().spec).toMatchObject({ id: "aloha", horizon: 7, agents: 10 });
  expect(factory()).not.toBe(factory());
});

test("names of the table are the names of the definitions", () => {
  for (const [name, definition] of Object.entries(environments)) expect(definition.name).toBe(name);
});

test.each([
  [{ horizn: 3 }, "aloha.horizn: unknown setting (got 3), expected one of rows, columns, "],
  [{ horizn: 3 }, 'Did you mean "horizon"?'],
  [{ horizon: "long" }, 'aloha.horizon: expected an integer at least 1 (got "long")'],
  [{ horizon: 2.5 }, "aloha.horizon: expected an integer at least 1 (got 2.5)"],
  [{ horizon: Number.NaN }, "aloha.horizon: expected an integer at least 1 (got NaN)"],
  [
    { arrivalProbability: 1.5 },
    "aloha.arrivalProbability: expected a number at least 0 and at most 1 (got 1.5)",
  ],
  [{ wrapEdge: "no" }, 'aloha.wrapEdge: expected true or false (got "no")'],
  [{ toString: 1 }, "aloha.toString: unknown setting (got 1)"],
])("%o is refused: %s", (overrides, message) => {
  expect(() => configureEnv(aloha, overrides)).toThrow(message);
  expect(() => configureEnv(aloha, overrides)).toThrow(InputError);
});

test("choices, exclusive bounds and nested values are named", () => {
  expect(() => configureEnv(game, { rewardOn: "past" })).toThrow(
    'coordination-game.rewardOn: expected one of "current", "next" (got "past")',
  );
  expect(() => configureEnv(game, { discount: 1 })).toThrow(
    "expected a number at least 0 and below 1 (got 1)",
  );
  const nested = z.strictObject({
    sizes: z.array(z.int()).default([1]),
    width: z.literal([1, 2]).or(z.null()),
  });
  expect(() => parseConfig("mine", nested, { sizes: [1, "x"], width: 1 })).toThrow("mine.sizes.1: ");
  const inner = z.strictObject({
    rate: z.number().positive().default(1),
    kind: z.enum(["a", "b"]).default("a"),
  });
  const outer = z.strictObject({ inner: inner.optional() });
  expect(() => parseConfig("mine", outer, { inner: { rate: "fast" } })).toThrow(
    /^mine\.inner\.rate: expected a number above 0 \(got "fast"\)$/,
  );
  expect(() => parseConfig("mine", outer, { inner: { kind: "c" } })).toThrow(
    /^mine\.inner\.kind: expected one of "a", "b" \(got "c"\)$/,
  );
  expect(() => parseConfig("mine", nested, { width: 3 })).toThrow(
    "mine.width: expected one of 1, 2 or null (got 3)",
  );
  expect(() => parseConfig("mine", z.strictObject({}), { a: 1 })).toThrow(
    "unknown setting (got 1), there are none.",
  );
  const paired = z.strictObject({ a: z.int(), b: z.int() }).refine(({ a, b }) => a < b, "a must be below b");
  expect(() => parseConfig("mine", paired, { a: 2, b: 1 })).toThrow(/^mine: a must be below b$/);
  const apart = z
    .strictObject({ a: z.int().default(5), b: z.int() })
    .refine(({ a, b }) => a < b, { path: ["a"], error: "expected less than b" });
  expect(() => parseConfig("mine", apart, { a: 2, b: 1 })).toThrow(
    /^mine.a: expected less than b \(got 2\)$/,
  );
  expect(() => parseConfig("mine", apart, { b: 1 })).toThrow(
    "mine.a: expected less than b (got the default 5)",
  );
  expect(() => parseConfig("mine", apart, {})).toThrow("mine.b: expected an integer (got undefined)");
});

test("a user's module must export a definition by default", () => {
  expect(customEnv({ default: aloha }, "my-env.ts")).toBe(aloha);
  for (const [module, problem] of [
    [{}, "the module has no default export"],
    [null, "the module has no default export"],
    [{ default: 3 }, "the default export is 3"],
    [{ default: { ...aloha, name: "" } }, '"name" is not a non-empty string'],
    [{ default: { ...aloha, description: undefined } }, '"description" is not a string'],
    [{ default: { ...aloha, config: {} } }, '"config" is not a zod schema'],
    [{ default: { ...aloha, create: 1 } }, '"create" is not a function'],
  ] as const) {
    expect(() => customEnv(module, "my-env.ts")).toThrow(InputError);
    expect(() => customEnv(module, "my-env.ts")).toThrow(`my-env.ts: ${problem}. Expected`);
  }
});
