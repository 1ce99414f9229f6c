import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { EnvDefinition } from "../definition.ts";
import { type GoldenReport, replayGolden } from "../golden.ts";
import { particleEnvironments } from "./particle-environments.ts";

// Recorded from MPE2 1.1.0 (commit dbd68d2) with its default parameters: a genuine reset, and a crowd at the border whose
// bodies touch; continuous actions also leave [0, 1].
const folder = new URL("fixtures/", import.meta.url);
const files = readdirSync(folder).sort();
const definitions = Object.values(particleEnvironments) as readonly EnvDefinition[];

const read = (file: string) => JSON.parse(readFileSync(new URL(file, folder), "utf8"));
const definitionOf = (scenario: string) =>
  definitions.find(({ aliases = [] }) => aliases[0].replace(/_v\d$/, "") === scenario) as EnvDefinition;

function replay(recording: { readonly scenario: string }): GoldenReport {
  const { name, golden } = definitionOf(recording.scenario);
  return replayGolden(name, golden, recording);
}

test("there are recordings of every environment in both modes", () => {
  expect(files).toEqual(
    definitions
      .map(({ aliases = [] }) => aliases[0].replace(/_v\d$/, ""))
      .flatMap((scenario) => [`${scenario}.continuous.json`, `${scenario}.discrete.json`])
      .sort(),
  );
});

test.each(files)("%s is repeated to 1e-9 at every step", (file) => {
  const report = replay(read(file));
  expect(report).toMatchObject({ episodes: 2, steps: 50 });
  const largest = Object.fromEntries(report.deviations.map(({ quantity, largest }) => [quantity, largest]));
  expect(largest).toMatchObject({
    "action sizes": 0,
    "observation sizes": 0,
    landmarks: 0,
    terminated: 0,
    truncated: 0,
  });
  for (const quantity of ["state", "observation", "reward"]) {
    expect(largest[quantity]).toBeLessThan(1e-9);
  }
});

test("a recording that differs is told apart, with episode and step", () => {
  const recording = read("simple_tag.discrete.json");
  const { steps } = recording.episodes[1];
  steps[4].rewards[2] += 1e-6;
  steps[5].obs[3][0] -= 1e-6;
  steps[6].agents[1].vel[0] += 1e-6;
  steps[7].truncated = true;
  const wrong = replay(recording).deviations.filter(({ largest, tolerance }) => largest > tolerance);
  expect(wrong.map(({ quantity, episode, step }) => `${quantity}, ${episode}, ${step}`).sort()).toEqual([
    "observation, 1 (crowded-edge), 5",
    "reward, 1 (crowded-edge), 4",
    "state, 1 (crowded-edge), 6",
    "truncated, 1 (crowded-edge), 7",
  ]);
});

test("recordings that do not fit are refused in one line", () => {
  const recording = read("simple_spread.discrete.json");
  expect(() => replayGolden("mpe/tag", particleEnvironments["mpe/tag"].golden, recording)).toThrow(
    "mpe/tag: recording is of simple_spread, expected simple_tag",
  );
  expect(() => replay({ ...recording, params: { N: 3, local_ration: 1 } })).toThrow(
    'unknown parameter of recorded mpe/spread "local_ration": expected one of max_cycles, N, local_ratio. Did you mean "local_ratio"?',
  );
  expect(() => replay({ ...recording, params: { N: 0 } })).toThrow(
    "mpe/spread.agents: expected an integer at least 1",
  );
  expect(() => replay({ ...recording, params: { N: 4 } })).toThrow("x has 6 entries, expected 8");
  expect(() => replay({ ...recording, format: "mpe-golden/2" })).toThrow(
    'mpe/spread: recording has schema "mpe-golden/2", expected "mpe-golden/1"',
  );
  expect(() => replay({ ...recording, episodes: [{}] })).toThrow("mpe-golden/1: episodes.0.kind: ");
});
