import { expect, test } from "vitest";
import { z } from "zod";
import { asTyped, describeSettings, readSettings, refuseUnprefixed, splitSettings } from "./settings.ts";

const schema = z.strictObject({
  dag: z.string().default("product"),
  hidden: z.int().min(1).default(64),
  clip: z.number().positive().default(0.2),
  decay: z.number().min(0).lt(1).default(0.9),
  norm: z.union([z.literal("auto"), z.boolean()]).default("auto"),
  mode: z.enum(["none", "dag"]).default("none"),
  sizes: z.array(z.int()).optional(),
});

test("words become settings of the algorithm and of the environment", () => {
  expect(splitSettings(["dag=a=b", "env.dag=c", "norm="])).toEqual({
    own: { dag: "a=b", norm: "" },
    env: { dag: "c" },
  });
  expect(() => splitSettings(["dag"])).toThrow('"dag": expected key=value');
  expect(() => splitSettings(["=1"])).toThrow("expected key=value");
  expect(() => splitSettings(["dag=1", "dag=2"])).toThrow("dag is given twice");
});

test("a value takes the type that its setting asks for", () => {
  const typed = { dag: "5", hidden: "1_000", clip: "1e-3", norm: "true", mode: "dag", sizes: "[1,2]" };
  expect(readSettings(typed, schema)).toEqual({
    dag: "5",
    hidden: 1000,
    clip: 0.001,
    norm: true,
    mode: "dag",
    sizes: [1, 2],
  });
  expect(readSettings({ dag: "heuristic(4)", norm: "auto" }, schema)).toEqual({
    dag: "heuristic(4)",
    norm: "auto",
  });
});

test("what the schema refuses is left for it to refuse, as what was most likely meant", () => {
  const typed = { clip: "-1", hidden: "many", unknown: "3" };
  expect(readSettings(typed, schema)).toEqual({ clip: -1, hidden: "many", unknown: 3 });
});

test("a number beyond the largest is none, also inside an object", () => {
  const typed = { hidden: "1e999", sizes: "[1e999]", unknown: '{"rate":-1e400}', dag: "1e999" };
  expect(readSettings(typed, schema)).toEqual(typed);
});

test("a setting whose prefix was forgotten is named with it", () => {
  const env = {
    name: "pond",
    config: z.strictObject({ depth: z.int().default(1), hidden: z.int().default(2) }),
  };
  const refuse = (typed: Record<string, string>) => () =>
    refuseUnprefixed(typed, { name: "mine", config: schema }, env);
  expect(refuse({ depth: "3" })).toThrow(
    /^mine\.depth: unknown setting \(got "3"\), but pond has it\. Did you mean "env\.depth"\?$/,
  );
  expect(refuse({ hidden: "3", other: "1" })).not.toThrow();
});

test("settings are described in words", () => {
  expect(describeSettings(schema)).toEqual([
    { key: "dag", default: "product", values: "text" },
    { key: "hidden", default: 64, values: "integer ≥ 1" },
    { key: "clip", default: 0.2, values: "number > 0" },
    { key: "decay", default: 0.9, values: "number in [0, 1)" },
    { key: "norm", default: "auto", values: "auto | true | false" },
    { key: "mode", default: "none", values: "none | dag" },
    { key: "sizes", default: undefined, values: "list" },
  ]);
});

test("settings that are objects are described with what is in them", () => {
  const nested = z.strictObject({
    pull: z
      .strictObject({ weight: z.number().min(0).default(0.5).describe("How strongly") })
      .refine(() => true)
      .optional()
      .describe("Where to"),
  });
  const weight = { key: "weight", default: 0.5, values: "number ≥ 0", description: "How strongly" };
  expect(describeSettings(nested)).toEqual([
    { key: "pull", default: undefined, values: "JSON object", description: "Where to", fields: [weight] },
  ]);
});

test("a value as it would be typed is read back as itself", () => {
  for (const [key, value, text] of [
    ["dag", "heuristic(4)", "heuristic(4)"],
    ["hidden", 64, "64"],
    ["norm", true, "true"],
    ["sizes", [1, 2], "[1,2]"],
  ] as const) {
    expect(asTyped(value)).toBe(text);
    expect(readSettings({ [key]: text }, schema)).toEqual({ [key]: value });
  }
});
