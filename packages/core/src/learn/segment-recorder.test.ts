import { describe, expect, test } from "vitest";
import {
  createEpisode,
  type Env,
  type EnvFactory,
  type EnvSpec,
  type Snapshot,
  vectorise,
} from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { createRng, type Rng } from "../random/index.ts";
import { createReplay, type Replay } from "./replay.ts";
import { segmentRecorder } from "./segment-recorder.ts";
import { createSegments, type SegmentUnit, segmentFields, segmentShape } from "./segments.ts";

const horizon = 4;

/**
 * Two agents with three and two actions. A random walk is observed; the first agent's action 2 ends the episode, and may
 * not be played where the walk stands at an even place. Episodes that nobody ends are cut off after four steps.
 */
const walk: EnvFactory = () => {
  const spec: EnvSpec = {
    id: "walk",
    version: 1,
    agents: 2,
    observationSize: 2,
    stateSize: 1,
    actions: [
      { kind: "discrete", n: 3 },
      { kind: "discrete", n: 2 },
    ],
    horizon,
    rewards: "team",
    sharedObservation: false,
  };
  const episode = createEpisode(spec);
  let place = 0;
  return {
    spec,
    reset(rng) {
      episode.begin(rng);
      place = rng.integer(100);
    },
    step(actions) {
      episode.admit(actions);
      place += 1 + episode.rng.integer(3);
      return episode.conclude(place + actions[1] / 2, actions[0] === 2);
    },
    observe: (out, at) => out.set([place, episode.time, -place, actionsSeen(place)], at),
    state: (out, at) => out.set([place * 1000 + episode.time], at),
    available: (out, at) => out.set([1, 1, place % 2, 1, 1], at),
    snapshot: () => ({ episode: episode.snapshot(), place }),
    restore(snapshot) {
      const saved = snapshot as { readonly episode: Snapshot; readonly place: number };
      episode.restore(saved.episode);
      place = saved.place;
    },
    scene: () => ({ width: 1, height: 1, shapes: [] }),
  } satisfies Env;
};
const actionsSeen = (place: number): number => place / 7;

const copies = 3;

/** Which actions are played: drawn by a stream of the copy, ending many episodes early. */
function choose(rng: Rng, mayEnd: boolean): [number, number] {
  const ends = rng.uniform() < 0.3;
  return [ends && mayEnd ? 2 : rng.integer(2), rng.integer(2)];
}

type Field = "observations" | "states" | "available" | "actions" | "rewards" | "terminated" | "mask";

/**
 * The segments that `steps` steps should give, worked out copy by copy from single environments, in the order in which
 * they were completed.
 */
function expectedSegments(steps: number, unit: SegmentUnit, truncationIsTerminal: boolean) {
  const longest = unit === "episode" ? horizon : 1;
  const completed: {
    readonly step: number;
    readonly copy: number;
    readonly rows: Record<Field, number[][]>;
  }[] = [];
  for (let b = 0; b < copies; b++) {
    const env = walk();
    const rng = createRng(3).split("environments").split(String(b));
    const choices = createRng("choices").split(String(b));
    env.reset(rng);
    const look = () => {
      const [seen, state, mask] = [new Float32Array(4), new Float32Array(1), new Uint8Array(5)];
      env.observe(seen, 0);
      env.state(state, 0);
      env.available?.(mask, 0);
      return { observations: [...seen], states: [...state], available: [...mask, 0] };
    };
    const empty = (): Record<Field, number[][]> => ({
      observations: [],
      states: [],
      available: [],
      actions: [],
      rewards: [],
      terminated: [],
      mask: [],
    });
    let open = empty();
    for (let step = 0; step < steps; step++) {
      const before = look();
      const actions = choose(choices, before.available[2] === 1);
      const { reward, terminated, truncated } = env.step(actions);
      for (const [name, row] of Object.entries(before)) open[name as Field].push(row);
      open.actions.push([...actions]);
      open.rewards.push([Math.fround(reward)]);
      open.terminated.push([terminated || (truncated && truncationIsTerminal) ? 1 : 0]);
      open.mask.push([1]);
      if (terminated || truncated || open.mask.length === longest) {
        for (const [name, row] of Object.entries(look())) open[name as Field].push(row);
        const length = { observations: longest + 1, states: longest + 1, available: longest + 1 };
        for (const [name, rows] of Object.entries(open)) {
          const total = length[name as keyof typeof length] ?? longest;
          while (rows.length < total) rows.push(rows[0].map(() => 0));
        }
        completed.push({ step, copy: b, rows: open });
        open = empty();
      }
      if (terminated || truncated) env.reset(rng);
    }
  }
  return completed.sort((a, b) => a.step - b.step || a.copy - b.copy).map(({ rows }) => rows);
}

/** Plays and records, and can be stopped and go on elsewhere. */
function recorder(unit: SegmentUnit, truncationIsTerminal: boolean) {
  const batch = vectorise(walk, copies, createRng(3).split("environments"));
  const replay = createReplay("test", segmentShape(batch, unit), 1000, 1);
  const recorded = segmentRecorder(batch, replay, { truncationIsTerminal });
  const choices = Array.from({ length: copies }, (_, b) => createRng("choices").split(String(b)));
  const actions = new Int32Array(copies * 2);
  return {
    replay,
    play(steps: number) {
      for (let step = 0; step < steps; step++) {
        recorded.before();
        for (let b = 0; b < copies; b++)
          actions.set(choose(choices[b], batch.available![b * 5 + 2] === 1), b * 2);
        batch.step(actions);
        recorded.after(actions);
      }
    },
    save: () => ({
      batch: JSON.parse(JSON.stringify(batch.snapshot())),
      replay: replay.state(),
      tensors: structuredClone({ ...replay.tensors(), ...recorded.tensors() }),
      choices: choices.map((rng) => rng.state()),
    }),
    restore(saved: ReturnType<typeof this.save>) {
      batch.restore(saved.batch);
      replay.restore(saved.replay, saved.tensors);
      recorded.restore(saved.tensors);
      for (const [b, rng] of choices.entries()) rng.restore(saved.choices[b]);
    },
  };
}

/** What a replay holds, segment by segment, row by row. */
function stored(replay: Replay): Record<string, number[][]>[] {
  const tensors = replay.tensors();
  const fields = segmentFields(createSegments(replay.shape, 1));
  return Array.from({ length: replay.stored }, (_, s) =>
    Object.fromEntries(
      fields.map(({ name, rows, width }) => [
        name,
        Array.from({ length: rows }, (_, row) => {
          const from = (s * rows + row) * width;
          return [...tensors[`replay/${name}`].slice(from, from + width)];
        }),
      ]),
    ),
  );
}

describe.each(["transition", "episode"] as const)("replay unit %s", (unit) => {
  test.each([false, true])(
    "experience is cut as single environments say, truncationIsTerminal=%s",
    (terminal) => {
      const recording = recorder(unit, terminal);
      recording.play(200);
      const expected = expectedSegments(200, unit, terminal);
      // Both kinds of end occur, at all lengths.
      const ends = expected.map(
        ({ terminated, mask }) => `${mask.flat().join("")} ${terminated.flat().join("")}`,
      );
      expect(new Set(ends).size).toBe(unit === "transition" ? 2 : terminal ? 4 : 5);
      expect(stored(recording.replay)).toEqual(expected);
    },
  );

  test("goes on from a snapshot in the middle of an episode", () => {
    const whole = recorder(unit, false);
    whole.play(31);
    const first = recorder(unit, false);
    first.play(14);
    const saved = first.save();
    first.play(3);
    const second = recorder(unit, false);
    second.play(5);
    second.restore(saved);
    second.play(17);
    expect(second.replay.state()).toEqual(whole.replay.state());
    expect(second.replay.tensors()).toEqual(whole.replay.tensors());
  });
});

describe("a game of one step", () => {
  const oneStep =
    (terminates: boolean): EnvFactory =>
    () => {
      const env = walk();
      let over = false;
      return {
        ...env,
        spec: { ...env.spec, horizon: 1 },
        reset(rng) {
          env.reset(rng);
          over = false;
        },
        step(actions) {
          if (over) throw new Error("over");
          over = true;
          return { reward: env.step(actions).reward, terminated: terminates, truncated: !terminates };
        },
      };
    };

  test.each([
    [true, false],
    [false, true],
  ])(
    "has nothing after its step: terminates %s, truncationIsTerminal %s",
    (terminates, truncationIsTerminal) => {
      const batch = vectorise(oneStep(terminates), 2, createRng(1));
      const replay = createReplay("test", segmentShape(batch, "transition"), 10, 1);
      const recorded = segmentRecorder(batch, replay, { truncationIsTerminal });
      const places: number[] = [];
      for (let step = 0; step < 3; step++) {
        places.push(batch.observations[0], batch.observations[4]);
        recorded.before();
        batch.step(Int32Array.of(0, 1, 1, 0));
        recorded.after(Int32Array.of(0, 1, 1, 0));
      }
      const segments = stored(replay);
      expect(segments.map(({ observations }) => observations[0][0])).toEqual(places);
      for (const segment of segments) {
        expect(segment.observations).toHaveLength(1);
        expect(segment.terminated).toEqual([[1]]);
      }
    },
  );

  test("that is cut off by the time limit has no value to go on with and is refused", () => {
    const batch = vectorise(oneStep(false), 1, createRng(1));
    const replay = createReplay("test", segmentShape(batch, "transition"), 10, 1);
    const recorded = segmentRecorder(batch, replay, { truncationIsTerminal: false });
    recorded.before();
    batch.step(Int32Array.of(0, 1));
    expect(() => recorded.after(Int32Array.of(0, 1))).toThrow(InputError);
  });
});

test("real vectors and the agents' own rewards are recorded as they were", () => {
  const spec: EnvSpec = {
    id: "push",
    version: 1,
    agents: 2,
    observationSize: 1,
    stateSize: 1,
    actions: [
      { kind: "box", size: 1, low: -1, high: 1 },
      { kind: "box", size: 2, low: -1, high: 1 },
    ],
    horizon: 2,
    rewards: "individual",
    sharedObservation: false,
  };
  const push: EnvFactory = () => {
    const episode = createEpisode(spec);
    return {
      spec,
      reset: (rng) => episode.begin(rng),
      step(actions) {
        episode.admit(actions);
        return episode.conclude(actions[0] + actions[2], false, [actions[0], actions[2]]);
      },
      observe: (out, at) => out.set([episode.time, -episode.time], at),
      state: (out, at) => out.set([episode.time], at),
      snapshot: () => episode.snapshot(),
      restore: episode.restore,
      scene: () => ({ width: 1, height: 1, shapes: [] }),
    };
  };
  const batch = vectorise(push, 2, createRng(1));
  const replay = createReplay("test", segmentShape(batch, "transition"), 10, 1);
  const recorded = segmentRecorder(batch, replay, { truncationIsTerminal: false });
  for (const actions of [
    [0.25, 0.5, -0.75, -0.25, 0, 1],
    [1, -1, 0.125, 0.5, 0.75, -0.5],
  ]) {
    const joint = Float32Array.from(actions);
    recorded.before();
    batch.step(joint);
    recorded.after(joint);
  }
  const tensors = replay.tensors();
  expect([...tensors["replay/controls"]]).toEqual([
    0.25, 0.5, -0.75, -0.25, 0, 1, 1, -1, 0.125, 0.5, 0.75, -0.5,
  ]);
  expect([...tensors["replay/individualRewards"]]).toEqual([0.25, -0.75, -0.25, 1, 1, 0.125, 0.5, -0.5]);
  expect([...tensors["replay/rewards"]]).toEqual([-0.5, 0.75, 1.125, 0]);
  expect(tensors["replay/actions"]).toBeUndefined();
});
