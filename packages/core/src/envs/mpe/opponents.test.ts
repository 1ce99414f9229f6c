import { describe, expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import { echo, flee, guard } from "./opponents.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { particleEnvironments } from "./particle-environments.ts";
import { type AgentBody, createWorld, type World } from "./world.ts";

const agent = (size: number): AgentBody => ({
  name: "",
  kind: "agent",
  colour: [0, 0, 0],
  size,
  collides: true,
  moves: true,
  speaks: false,
  acceleration: 4,
  topSpeed: 1.3,
});
const obstacle = { name: "", kind: "obstacle", colour: [0, 0, 0], size: 0.2, collides: true } as const;

/** One pursuer, one prey, and obstacles. */
function chase(places: readonly (readonly [number, number])[]): World {
  const world = createWorld(
    2,
    [agent(0.075), agent(0.05)],
    places.slice(2).map(() => obstacle),
  );
  for (const [body, [x, y]] of places.entries()) {
    world.x[body] = x;
    world.y[body] = y;
  }
  return world;
}

describe("prey", () => {
  const run = (world: World) => flee(world, 1, 2, world.entities)(1);

  test.each([
    // Each way is 0.1 * 0.1 * 4 = .04; the way straight off is the furthest.
    [
      "right of it",
      [
        [0, 0],
        [0.3, 0],
      ],
      2,
    ],
    [
      "left of it",
      [
        [0, 0],
        [-0.3, 0.1],
      ],
      1,
    ],
    [
      "below it",
      [
        [0, 0],
        [0.1, -0.3],
      ],
      3,
    ],
    [
      "above it",
      [
        [0, 0],
        [0, 0.3],
      ],
      4,
    ],
    // On the diagonal, right and up are as good: the first of equals.
    [
      "on the diagonal",
      [
        [0, 0],
        [0.25, 0.25],
      ],
      2,
    ],
    // Right would end at .94, which costs .4; down and up keep sqrt(.3^2 + .04^2) at the cost of nothing.
    [
      "at the border",
      [
        [0.6, 0],
        [0.9, 0],
      ],
      3,
    ],
    // .1 away from the obstacle's rim at .55, right ends .01 inside it.
    [
      "before an obstacle",
      [
        [0, 0],
        [0.3, 0],
        [0.58, 0],
      ],
      3,
    ],
  ] as const)("%s", (_where, places, move) => {
    expect(run(chase(places))).toBe(move);
  });

  test("takes its own motion and the pursuer's into account", () => {
    // Up at its limit of 1.3. Pushing up stays at the limit; the pursuer from below is outrun.
    const world = chase([
      [0, -0.2],
      [0, 0],
    ]);
    world.vy[1] = 1.3;
    expect(run(world)).toBe(4);
    // The pursuer passes: a tenth of a second on it is above the prey, which then runs down.
    world.vy[1] = 0;
    world.y[0] = -0.01;
    world.vy[0] = 1;
    expect(run(world)).toBe(3);
  });

  test("stands still when nothing is better", () => {
    // Between obstacles and in one point with the pursuer, any move is worth .04: the first of equals is left.
    expect(
      run(
        chase([
          [0, 0],
          [0, 0],
        ]),
      ),
    ).toBe(1);
    // Prey that cannot accelerate gains nothing by moving.
    const world = chase([
      [0, 0],
      [0.3, 0],
    ]);
    world.acceleration[1] = 0;
    expect(run(world)).toBe(0);
  });
});

test.each([
  // The good agent at (.5, .5) is nearest to the second landmark, at (1, .5).
  ["the larger offset first", [0, 0], 2],
  ["the other axis", [0.9, 0], 4],
  ["back", [1.6, 0.4], 1],
  ["down", [1.02, 0.6], 3],
  ["along x where both are equal", [0.75, 0.25], 2],
  ["rest", [1.04, 0.46], 0],
] as const)("guards head for the landmark of the nearest good agent: %s", (_which, [x, y], move) => {
  const world = createWorld(2, [agent(0.05), agent(0.05), agent(0.05)], [obstacle, obstacle]);
  world.x.set([x, 0.5, -9, -1, 1]);
  world.y.set([y, 0.5, -9, -1, 0.5]);
  expect(guard(world, 0, 1)).toBe(move);
});

test("Eve repeats words 0 and 1 and takes the others for 0", () => {
  const world = createWorld(4, [agent(0.05), agent(0.05)], []);
  const heard = (message: number[]) => {
    world.messages.set(message, 4);
    return echo(world, 1);
  };
  expect(heard([0, 0, 0, 0])).toBe(0);
  expect(heard([0, 1, 0, 0])).toBe(1);
  expect(heard([0.2, 0.3, 0.1, 0.3])).toBe(1);
  expect(heard([0, 0, 1, 0])).toBe(0);
  expect(heard([0, 0.5, 0, 1])).toBe(0);
});

describe("in play", () => {
  const make = (name: keyof typeof particleEnvironments, settings: Record<string, unknown>) => {
    const definition = particleEnvironments[name] as EnvDefinition;
    const env = configureEnv(definition, { protocol: "team", ...settings }).factory() as ParticleEnv;
    env.reset(createRng(1));
    // Nobody touches anybody.
    env.world.x.forEach((_, body) => {
      env.world.x[body] = body % 2;
      env.world.y[body] = body / 2;
    });
    return env;
  };

  test.each(["discrete", "continuous"])("Eve hears the word of the step before, %s", (actions) => {
    const env = make("mpe/crypto", { actions });
    const say = (word: number) =>
      env.step(
        actions === "discrete" ? [0, word] : [1, 0, 0, 0, ...[0, 1, 2, 3].map((w) => (w === word ? 1 : 0))],
      );
    const eve = () => [...env.world.messages.subarray(0, 4)].indexOf(1);
    say(1);
    expect(eve()).toBe(0);
    say(2);
    expect(eve()).toBe(1);
    say(0);
    expect(eve()).toBe(0);
  });

  test("opponents choose before anybody moves, and noop rests", () => {
    const env = make("mpe/tag", {});
    const { world } = env;
    const expected = flee(world, 3, 4, 6)(3);
    env.step([2, 2, 2]);
    expect(world.vx[3]).toBeCloseTo([0, -0.4, 0.4, 0, 0][expected], 9);
    expect(world.vy[3]).toBeCloseTo([0, 0, 0, -0.4, 0.4][expected], 9);
    expect(Math.hypot(world.vx[3], world.vy[3])).toBeCloseTo(0.4, 9);
    expect(world.vx[0]).toBeCloseTo(0.3, 9);
    const idle = make("mpe/tag", { opponents: "noop" });
    idle.step([2, 2, 2]);
    expect(Math.abs(idle.world.vx[3]) + Math.abs(idle.world.vy[3])).toBeLessThan(1e-9);
  });

  test("random opponents use all of their actions, drawn from the environment's stream", () => {
    const env = make("mpe/crypto", { opponents: "random", horizon: 400 });
    const counts = [0, 0, 0, 0];
    for (let t = 0; t < 400; t++) {
      env.step([0, 0]);
      counts[[...env.world.messages.subarray(0, 4)].indexOf(1)]++;
    }
    // Standard deviation of each count: sqrt(400 * 3/16) = 8.7.
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThan(35);
  });

  test("scripted prey is caught less often than random prey", () => {
    const caught = (opponents: string) => {
      const env = make("mpe/tag", { opponents });
      const rng = createRng("chase");
      let total = 0;
      for (let episode = 0; episode < 100; episode++) {
        env.reset(rng);
        for (let t = 0; t < 25; t++) {
          total += env.step([0, 1, 2].map(() => rng.integer(5))).reward;
        }
      }
      return total;
    };
    expect(caught("scripted")).toBeLessThan(0.7 * caught("random"));
  });
});
