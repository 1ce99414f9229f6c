import { InputError } from "corral/errors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, parseExactly, stringifyExactly } from "./exact-json.ts";
import { parseRunSpec, runIdentity } from "./spec.ts";

const least = { algorithm: "mappo", env: "aloha", seed: 1, steps: 100 };

describe("specification", () => {
  test("defaults are filled in", () => {
    expect(parseRunSpec(least)).toEqual({
      ...least,
      config: {},
      envConfig: {},
      evaluateEvery: 0,
      evaluationEpisodes: 32,
      checkpointEvery: 10,
    });
  });

  test.each([
    [{ ...least, evaluateEvry: 3 }, 'run: unknown key "evaluateEvry". Did you mean "evaluateEvery"?'],
    [{ ...least, steps: 0 }, /^run\.steps: /],
    [{ ...least, seed: -1 }, "run.seed: expected an integer of at least 0 or a non-empty string"],
    [{ ...least, seed: "" }, /^run\.seed: /],
    [{ ...least, checkpointEvery: 1.5 }, /^run\.checkpointEvery: /],
    [{ env: "aloha", seed: 1, steps: 1 }, /^run\.algorithm: /],
    [[], /^run: /],
  ])("refuses %j", (value, message) => {
    expect(() => parseRunSpec(value)).toThrow(message);
    expect(() => parseRunSpec(value)).toThrow(InputError);
  });
});

describe("identity", () => {
  const spec = parseRunSpec({ ...least, config: { a: 1, b: [1, { c: 2, d: 3 }] } });

  test("is that of the canonical text", () => {
    // First 16 digits of the SHA-256 of this text, computed with sha256sum:
    // {"algorithm":"mappo","config":{},"env":"aloha","envConfig":{},"evaluateEvery":0,"evaluationEpisodes":32,"seed":1,"steps":100}.
    expect(runIdentity(parseRunSpec(least))).toBe("f8af40e90ad5beff");
  });

  test("does not depend on the order of keys or on how often checkpoints are written", () => {
    const same = { ...spec, config: { b: [1, { d: 3, c: 2 }], a: 1 }, checkpointEvery: 99 };
    expect(runIdentity(same)).toBe(runIdentity(spec));
  });

  test("depends on everything else", () => {
    const changes = [
      { algorithm: "x" },
      { env: "x" },
      { config: {} },
      { envConfig: { x: 1 } },
      { seed: "1" },
      { steps: 101 },
      { evaluateEvery: 1 },
      { evaluationEpisodes: 1 },
    ];
    const identities = [{}, ...changes].map((change) => runIdentity({ ...spec, ...change }));
    expect(new Set(identities).size).toBe(changes.length + 1);
  });
});

describe("JSON", () => {
  test("snapshots keep every number", () => {
    const value = { a: [-0, 0, Number.NaN], b: { c: Number.POSITIVE_INFINITY, d: Number.NEGATIVE_INFINITY } };
    expect(parseExactly(stringifyExactly(value))).toEqual(value);
    fc.assert(fc.property(fc.double(), (x) => Object.is(parseExactly(stringifyExactly(x)), x)));
  });

  test("canonical text sorts keys at every depth and refuses what JSON cannot hold", () => {
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: "x" })).toBe('{"a":"x","b":[{"d":1}]}');
    expect(() => canonicalJson({ rate: Number.NaN })).toThrow("rate: NaN cannot be written as JSON");
  });
});
