import type { Scene, SceneMoment, SceneShape } from "corral/envs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { animateScenes, renderScenes, svgToPng } from "./index.ts";

const scene = (shapes: readonly SceneShape[], rest: Partial<Scene> = {}): Scene => ({
  width: 2,
  height: 1,
  shapes,
  ...rest,
});
const episode = (scenes: readonly Scene[]): SceneMoment[] =>
  scenes.map((each, step) => ({ step, reward: -1.5 * step, scene: each }));
const draw = (...scenes: Scene[]): string => renderScenes({ title: "An episode", moments: episode(scenes) });
const animate = (...scenes: Scene[]): string =>
  animateScenes({ title: "An episode", moments: episode(scenes) });

/** The attributes of every element of a kind, in order. */
function elements(svg: string, tag: string): Record<string, string>[] {
  return [...svg.matchAll(new RegExp(`<${tag}\\b([^>]*)>`, "g"))].map(([, attributes]) =>
    Object.fromEntries(
      [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    ),
  );
}
/** Throws when the document is not well-formed. */
const expectWellFormed = (svg: string): void => {
  expect(svgToPng(svg, 1).length).toBeGreaterThan(100);
};
const ball = (x: number, more: Partial<SceneShape> = {}): SceneShape =>
  ({ kind: "circle", x, y: 0.5, radius: 0.25, fill: "#ff0000", ...more }) as SceneShape;

test("a strip shows each moment with its step, reward and caption", () => {
  const svg = draw(
    scene([ball(0.5)], { caption: "first" }),
    scene([ball(1)]),
    scene([ball(1.5)], { caption: "last" }),
  );
  expectWellFormed(svg);
  expect([...svg.matchAll(/>step (\d)</g)].map(([, step]) => step)).toEqual(["0", "1", "2"]);
  expect(svg).toContain(">−1.5<");
  expect(svg).toContain(">−3<");
  expect(svg.indexOf(">first<")).toBeGreaterThan(0);
  expect(svg.indexOf(">last<")).toBeGreaterThan(svg.indexOf(">first<"));
  expect(elements(svg, "circle")).toHaveLength(3);
  expect(svg).not.toContain("<animate");
});

test("scenes fill their panel: places worked by hand", () => {
  // One panel at (16, 59), 453 wide and 226.5 high: 226.5 pixels are one unit.
  const svg = draw(
    scene(
      [
        ball(3, { y: 5, stroke: "#00ff00", strokeWidth: 0.02 }),
        { kind: "rectangle", x: 2, y: 4.5, width: 2, height: 1 },
        { kind: "text", x: 2, y: 4.5, text: "corner", size: 0.1, anchor: "start" },
      ],
      { left: 2, top: 4.5 },
    ),
  );
  const [panel, rectangle] = elements(svg, "rect").slice(1);
  expect(panel).toMatchObject({ x: "15.5", width: "454", height: "227.5" });
  const top = Number(panel.y) + 0.5;
  expect(rectangle).toEqual({
    x: "16",
    y: String(top),
    width: "453",
    height: "226.5",
    fill: "none",
    stroke: "#64748b",
  });
  expect(elements(svg, "circle")).toEqual([
    {
      cx: "242.5",
      cy: (top + 113.25).toFixed(1),
      r: "56.6",
      fill: "#ff0000",
      stroke: "#00ff00",
      "stroke-width": "4.5",
    },
  ]);
  expect(svg).toContain('font-size="22.7" fill="#334155">corner<');
});

test("labels stand in shapes that have room for them, in black or white, all of one size", () => {
  const svg = draw(
    scene([
      ball(0.5, { label: "12.5", fill: "#ffcc00" }),
      ball(1.5, { label: "3", fill: "#000080" }),
      ball(1, { label: "far too long for this", radius: 0.05 }),
    ]),
  );
  const labels = [...svg.matchAll(/<text ([^>]*)>(12\.5|3|far[^<]*)</g)];
  expect(labels.map(([, , text]) => text)).toEqual(["12.5", "3"]);
  expect(labels[0][1]).toContain('fill="#111827"');
  expect(labels[1][1]).toContain('fill="#ffffff"');
  const sizes = labels.map(([, attributes]) => /font-size="([^"]*)"/.exec(attributes)?.[1]);
  expect(sizes[0]).toBe(sizes[1]);
});

test("an arrow's line ends inside its head, whose point is where it leads", () => {
  const svg = draw(scene([{ kind: "line", x1: 0, y1: 0.5, x2: 2, y2: 0.5, stroke: "#123456", arrow: true }]));
  const [line] = elements(svg, "line");
  const [{ d, fill }] = elements(svg, "path");
  expect(fill).toBe("#123456");
  expect(d).toMatch(/^M469 /);
  expect(Number(line.x2)).toBeLessThan(469);
  expect(Number(line.x2)).toBeGreaterThan(460);
});

test("texts and colours cannot break out of the document", () => {
  const evil = '"/><script>alert(1)</script>&';
  const shapes: SceneShape[] = [
    ball(1, { fill: evil }),
    { kind: "text", x: 1, y: 0.5, text: evil, size: 0.2 },
  ];
  const other = [ball(1, { fill: "#00ff00" }), { ...shapes[1], text: "<" } as SceneShape];
  for (const svg of [
    renderScenes({ title: evil, caption: evil, moments: episode([scene(shapes, { caption: evil })]) }),
    animateScenes({
      title: evil,
      caption: evil,
      moments: episode([scene(shapes), scene(other, { caption: evil })]),
    }),
  ]) {
    expect(svg).not.toContain("<script");
    expectWellFormed(svg);
  }
});

test("any number of moments of any shape fits the width of a page", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 80 }),
      fc.double({ min: 0.1, max: 10, noNaN: true }),
      (count, height) => {
        const svg = draw(...Array.from({ length: count }, () => scene([], { height })));
        const [{ width }] = elements(svg, "svg");
        expect(Number(width)).toBeLessThanOrEqual(952);
        const panels = elements(svg, "rect").slice(1);
        expect(panels).toHaveLength(count);
        for (const panel of panels) {
          expect(Number(panel.x)).toBeGreaterThan(0);
          expect(Number(panel.x) + Number(panel.width)).toBeLessThan(Number(width));
        }
        // Nobody stands on anybody else.
        const places = panels.map(({ x, y }) => `${x} ${y}`);
        expect(new Set(places).size).toBe(count);
      },
    ),
    { numRuns: 60 },
  );
});

test("the same moments give the same bytes", () => {
  const scenes = [scene([ball(0.5, { label: "1" })]), scene([ball(1.5, { label: "2" })])];
  expect(draw(...scenes)).toBe(draw(...scenes));
  expect(animate(...scenes)).toBe(animate(...scenes));
});

/** The animations of a document: what changes, and its values. */
const animations = (svg: string) =>
  elements(svg, "animate").map(({ attributeName, values }) => ({ attributeName, values: values.split(";") }));

test("an animation has a value for each moment of what moves, and what stays is drawn once", () => {
  const still: SceneShape = { kind: "rectangle", x: 0, y: 0, width: 2, height: 1, fill: "#eeeeee" };
  const svg = animate(...[0.5, 0.75, 1.5].map((x) => scene([still, ball(x)])));
  expectWellFormed(svg);
  expect(elements(svg, "circle")).toHaveLength(1);
  expect(elements(svg, "rect").filter(({ fill }) => fill === "#eeeeee")).toHaveLength(1);
  const motion = animations(svg).filter(({ attributeName }) => attributeName === "cx");
  expect(motion).toHaveLength(1);
  // 480 pixels high are 640 wide at most: 320 pixels are one unit. The last moment stays for two seconds, one tick each.
  expect(motion[0].values).toEqual(["176", "256", "496", "496", "496", "496"]);
  const clocks = new Set(elements(svg, "animate").map(({ dur, repeatCount }) => `${dur} ${repeatCount}`));
  expect([...clocks]).toEqual(["5000ms indefinite"]);
});

test("colours and texts jump from moment to moment, in step with what moves", () => {
  const svg = animate(
    scene([ball(0.5, { fill: "#ff0000", label: "a" })]),
    scene([ball(0.5, { fill: "#ff0000", label: "b" })]),
    scene([ball(1.5, { fill: "#0000ff", label: "b" })]),
  );
  const [fill] = elements(svg, "animate").filter(({ attributeName }) => attributeName === "fill");
  // The change of the third of five ticks.
  expect(fill).toMatchObject({ calcMode: "discrete", values: "#ff0000;#0000ff", keyTimes: "0;0.4" });
  const texts = new Map(
    [...svg.matchAll(/<text id="(\w+)">([^<]*)</g)].map(([, id, text]) => [`#${id}`, text]),
  );
  const shown = animations(svg)
    .filter(({ attributeName }) => attributeName === "href")
    .map(({ values }) => values.map((value) => texts.get(value)));
  expect(shown).toContainEqual(["a", "b"]);
  expect(shown).toContainEqual(["step 0", "step 1", "step 2"]);
});

test("moments with other shapes take turns, behind what all have in common", () => {
  const square: SceneShape = { kind: "rectangle", x: 1, y: 0, width: 0.5, height: 0.5, fill: "#00ff00" };
  const svg = animate(scene([ball(0.5)]), scene([ball(1), square]), scene([ball(1.5), ball(1), square]));
  expectWellFormed(svg);
  const groups = [...svg.matchAll(/<g visibility="(\w+)">(<animate[^>]*>)(.*?)<\/g>/g)];
  expect(
    groups.map(([, first, , inside]) => [first, (inside.match(/<(circle|rect)/g) ?? []).length]),
  ).toEqual([
    ["hidden", 1],
    ["hidden", 2],
  ]);
  expect(groups[0][2]).toContain('values="hidden;visible;hidden" keyTimes="0;0.2;0.4"');
  expect(groups[1][2]).toContain('values="hidden;visible" keyTimes="0;0.4"');
});

test("one moment stands still", () => {
  const svg = animate(scene([ball(1)]));
  expectWellFormed(svg);
  expect(animations(svg).filter(({ attributeName }) => attributeName !== "width")).toEqual([]);
});

test("identifiers take a prefix, so that a page can hold several", () => {
  const moments = episode([scene([]), scene([])]);
  const svg = animateScenes({ title: "An episode", moments }, "left-");
  const ids = [...svg.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(ids.length).toBeGreaterThan(0);
  expect(ids.every((id) => id.startsWith("left-"))).toBe(true);
  const used = elements(svg, "use").map(({ href }) => href.slice(1));
  expect(used.every((id) => ids.includes(id))).toBe(true);
});
