import { expect, test } from "vitest";
import { environments } from "./environments.ts";
import recording from "./fixtures/aloha.json" with { type: "json" };
import { agrees, createComparison, replayGolden } from "./golden.ts";

const replay = (json: unknown) => replayGolden("aloha", environments.aloha.golden, json);

test("Aloha repeats the recorded episodes", () => {
  const report = replay(recording);
  expect(report.episodes).toBe(2);
  expect(report.steps).toBe(recording.episodes.reduce((sum, { steps }) => sum + steps.length, 0));
  expect(agrees(report)).toBe(true);
  const largest = Object.fromEntries(report.deviations.map(({ quantity, largest }) => [quantity, largest]));
  expect(largest).toMatchObject({ observation: 0, state: 0, done: 0, transmitted: 0 });
  expect(largest.reward).toBeLessThan(1e-9);
  expect(largest.return).toBeLessThan(1e-9);
});

test.each([
  ["reward", 3, (step: Step) => ({ ...step, reward: step.reward + 0.25 })],
  ["state", 7, (step: Step) => ({ ...step, backlogs: step.backlogs.map((b, i) => (i === 4 ? b - 2 : b)) })],
  ["done", 5, (step: Step) => ({ ...step, done: true })],
  ["observation", 2, (step: Step) => ({ ...step, obs: step.obs.slice(1) })],
])("a recording with another %s is told apart, with episode and step", (quantity, at, change) => {
  const episodes = recording.episodes.map((episode, e) =>
    e === 1
      ? { ...episode, steps: episode.steps.map((step, t) => (t === at ? change(step) : step)) }
      : episode,
  );
  const report = replay({ ...recording, episodes });
  expect(agrees(report)).toBe(false);
  const wrong = report.deviations.filter(({ largest, tolerance }) => largest > tolerance);
  expect(wrong).toHaveLength(1);
  expect(wrong[0]).toMatchObject({ quantity, episode: recording.episodes[1].name, step: at });
});

type Step = (typeof recording.episodes)[number]["steps"][number];

test("malformed recordings are refused in one line", () => {
  expect(() => replay(null)).toThrow('has schema undefined, expected "aloha-trajectories/v1"');
  expect(() => replay({ ...recording, schema: "x/v1" })).toThrow('has schema "x/v1"');
  expect(() => replay({ ...recording, episodes: 3 })).toThrow("aloha-trajectories/v1: episodes: ");
  expect(() => replay({ ...recording, neighbours: [[1], [0], []] })).toThrow("neighbours: expected those");
  const [first] = recording.episodes;
  const short = { ...first, initialBacklogs: [1, 1] };
  expect(() => replay({ ...recording, episodes: [short] })).toThrow(
    "initialBacklogs has 2 entries, expected 10",
  );
  const steps = [{ ...first.steps[0], actions: [0, 1] }];
  expect(() => replay({ ...recording, episodes: [{ ...first, steps }] })).toThrow(
    "joint action has 2 numbers",
  );
  expect(() => replayGolden("coordination-game", undefined, recording)).toThrow("has no format");
});

test("numbers that are missing or not numbers count as infinitely far", () => {
  const comparison = createComparison({ state: 1e-9 });
  comparison.compare("state", [1, 2], [1, 2.5], "a", 0);
  comparison.compare("state", [1, 2], [1, 2.25], "a", 1);
  expect(comparison.deviations()).toEqual([
    { quantity: "state", largest: 0.5, tolerance: 1e-9, episode: "a", step: 0 },
  ]);
  comparison.compare("state", [1, Number.NaN], [1, 2], "b", 4);
  expect(comparison.deviations()[0]).toMatchObject({ largest: Infinity, episode: "b", step: 4 });
});
