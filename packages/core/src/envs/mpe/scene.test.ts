import { expect, test } from "vitest";
import { createRng } from "../../random/index.ts";
import { configureEnv, type EnvDefinition } from "../definition.ts";
import type { Scene, SceneShape } from "../env.ts";
import type { ParticleEnv } from "./particle-env.ts";
import { particleEnvironments } from "./particle-environments.ts";

type Name = keyof typeof particleEnvironments;

/** The picture of a game at rest, with bodies and secrets as given and everything else in the middle. */
function picture(
  name: Name,
  places: readonly (readonly [number, number])[],
  { secrets = [], messages = [] }: { secrets?: readonly number[]; messages?: readonly number[] } = {},
): Scene {
  const env = configureEnv(particleEnvironments[name] as EnvDefinition).factory() as ParticleEnv;
  env.reset(createRng(0));
  const { world, scenario } = env;
  const at = Array.from({ length: world.entities }, (_, body) => places[body] ?? [0, 0]);
  env.load({
    x: at.map(([x]) => x),
    y: at.map(([, y]) => y),
    vx: new Float64Array(world.agents),
    vy: new Float64Array(world.agents),
    messages: world.messages.map((_, k) => messages[k] ?? 0),
    secrets: scenario.secrets.map((_, k) => secrets[k] ?? 0),
  });
  return env.scene();
}

type Kind<K> = Extract<SceneShape, { readonly kind: K }>;
const ofKind = <K extends SceneShape["kind"]>({ shapes }: Scene, kind: K): Kind<K>[] =>
  shapes.filter((shape): shape is Kind<K> => shape.kind === kind);
const rings = (scene: Scene): Kind<"circle">[] =>
  ofKind(scene, "circle").filter(({ fill }) => fill === undefined);

test("the view holds the arena, upright, and widens with the agent that is furthest out", () => {
  const near = picture("mpe/tag", [[0.5, 0.25]]);
  expect(near).toMatchObject({ left: -1.25, top: -1.25, width: 2.5, height: 2.5 });
  expect(ofKind(near, "rectangle")).toMatchObject([{ x: -1, y: -1, width: 2, height: 2 }]);
  const [pursuer] = ofKind(near, "circle").filter(({ fill }) => fill === "#d95959");
  expect(pursuer).toMatchObject({ x: 0.5, y: -0.25, radius: 0.075 });

  const far = picture("mpe/tag", [
    [0, 0],
    [-1, -2],
  ]);
  expect(far.left).toBeCloseTo(-(2 + 0.075 + 0.08), 12);
  expect(far.width).toBeCloseTo(2 * (2 + 0.075 + 0.08), 12);
});

test("forests can be looked through and lie below all else, agents lie above", () => {
  const circles = ofKind(picture("mpe/world-comm", []), "circle");
  // Two forests, an obstacle, two food, six agents.
  expect(circles.map(({ radius }) => radius)).toEqual([
    0.3, 0.3, 0.2, 0.03, 0.03, 0.075, 0.075, 0.075, 0.075, 0.045, 0.045,
  ]);
  expect(circles.slice(0, 3).map(({ opacity = 1 }) => opacity)).toEqual([0.6, 0.6, 1]);
  expect(circles[5].fill).not.toBe(circles[6].fill);
});

test("rings in the goal's colour join who is wanted to where", () => {
  // Each of the two knows the landmark of the other: agent 0 is wanted at landmark 2, blue, agent 1 at landmark 0, red.
  const places: [number, number][] = [
    [0.1, 0],
    [0.2, 0],
    [0.3, 0],
    [0.4, 0],
    [0.5, 0],
  ];
  const found = rings(picture("mpe/reference", places, { secrets: [0, 2] }));
  expect(found.map(({ x, stroke }) => [x, stroke])).toEqual([
    [0.5, "#4040bf"],
    [0.3, "#bf4040"],
    [0.1, "#4040bf"],
    [0.2, "#bf4040"],
  ]);
  expect(rings(picture("mpe/spread", []))).toEqual([]);
});

test("where landmarks look alike the goal is green", () => {
  const found = rings(picture("mpe/adversary", [], { secrets: [1] }));
  expect(found.map(({ stroke }) => stroke)).toEqual(["#26a626", "#26a626", "#26a626"]);
});

test("what was said stands beside who said it, as a letter, on the side of the middle", () => {
  const silent = ofKind(picture("mpe/speaker-listener", [[0.9, 0]]), "text");
  expect(silent.map(({ text }) => text)).toEqual(["speaker", "listener"]);
  expect(silent[0].x).toBeLessThan(0.9);
  expect(silent[0].anchor).toBe("end");
  const said = ofKind(picture("mpe/speaker-listener", [[-0.9, 0]], { messages: [0, 0.2, 0.9] }), "text");
  expect(said[0]).toMatchObject({ text: "speaker “C”", anchor: "start", y: -0 });
  expect(said[0].x).toBeGreaterThan(-0.9);
  const both = ofKind(picture("mpe/reference", [], { messages: [1] }), "text");
  expect(both.map(({ text }) => text)).toEqual(["“A”", ""]);
});
