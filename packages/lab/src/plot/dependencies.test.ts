import { InputError } from "corral/errors";
import { couplingGraphs, criticSum, gradientDependency, valueDependency } from "corral/structure";
import { expect, test } from "vitest";
import { type GraphPanel, renderDependencies, renderGraphs, svgToPng } from "./index.ts";

const panel: GraphPanel = {
  title: "one & other",
  width: 100,
  height: 60,
  nodeRadius: 9,
  headLength: 6,
  nodes: [
    { x: 10, y: 10, label: "0" },
    { x: 90, y: 10, shape: "square" },
    { x: 90, y: 50, shape: "diamond" },
    { x: 10, y: 50, shape: "none" },
  ],
  edges: [
    { from: 0, to: 1, colour: "#123456" },
    { from: 1, to: 2, colour: "#123456", heads: "both" },
    { from: 2, to: 3, colour: "#123456", heads: "none", opacity: 0.5 },
    { from: 0, to: 2, colour: "#654321", falling: true },
  ],
};

test("edges begin and end at the rims of their nodes, with the heads that were asked for", () => {
  const svg = renderGraphs({ rows: [[panel]] });
  expect(svg).toContain(">one &amp; other<");
  expect(svg.match(/<circle/g)).toHaveLength(1);
  const [first, both, none, falling] = [...svg.matchAll(/<g[^>]*>(<path d="M[^<]*fill="none".*?)<\/g>/g)].map(
    ([group]) => group,
  );
  // From x = 10 + 9 + 1 to a tip at 90 - 9 - 1; the line ends inside the head, 4.8 before its tip.
  expect(first).toContain('d="M20 10L75.2 10"');
  expect(first).toContain('d="M80 10L74 12.16L74 7.84Z" fill="#123456"');
  expect([first, both, none].map((edge) => edge.match(/Z"/g)?.length ?? 0)).toEqual([1, 2, 0]);
  expect(none).toContain('opacity="0.5"');
  // Straight down out of the circle and into the top of the diamond, whose half height is 1.2 radii.
  expect(falling).toMatch(/d="M10 20C10 [\d.]+ 90 [\d.]+ 90 33.4"/);
  expect(falling).toContain('d="M90 38.2L');
});

const six = couplingGraphs(6, {
  state: [
    [2, 1],
    [1, 2],
    [4, 2],
  ],
  observation: [[0, 2]],
});
const figureOf = (graphs: typeof six) => {
  const value = valueDependency(graphs);
  return { graphs, value, gradient: gradientDependency(value), criticSum: criticSum(value) };
};

test("a figure shows every coupling, the network and the dependencies, to the same bytes each time", () => {
  const svg = renderDependencies({ title: "six agents", ...figureOf(six) });
  for (const text of ["six agents", "a  State graph", "d  Folded Bayesian network", "g  Critic sum"]) {
    expect(svg).toContain(`>${text}<`);
  }
  const panels = svg.split("<g transform").filter((part) => part.includes("<circle"));
  const lines = panels.map((part) => part.match(/fill="none" stroke=/g)?.length ?? 0);
  // a: 1-2 both ways as one line, 4>2; b: 0>2; c: none. d: in each slice 18 edges of agents with themselves and an observation
  // between agents, 6 ways of states, 6 of actions, two for each of three state couplings. e: 1 and 2 depend on each other, on 0
  // and on 4. f: reversed. g: those four with each other, once both ways.
  expect(lines).toEqual([2, 1, 0, 2 * 19 + 12 + 6, 5, 5, 6]);
  expect(renderDependencies({ title: "six agents", ...figureOf(six) })).toBe(svg);
  expect(svgToPng(svg).length).toBeGreaterThan(10_000);
});

test("agents of one component stand together, apart from the others", () => {
  const zones = couplingGraphs(4, {
    state: [
      [0, 2],
      [2, 0],
      [1, 3],
      [3, 1],
    ],
  });
  const svg = renderDependencies(figureOf(zones));
  const column = (agent: number) =>
    Number(
      new RegExp(`x="([\\d.]+)" y="[\\d.]+"[^>]*text-anchor="middle" font-weight="bold"[^>]*>${agent}<`).exec(
        svg,
      )![1],
    );
  const [zero, one, two, three] = [0, 1, 2, 3].map(column);
  expect(zero < two && two < one && one < three).toBe(true);
  expect(one - two).toBeGreaterThan(1.5 * (two - zero));
});

test("a team too large for a page is refused", () => {
  expect(() => renderDependencies(figureOf(couplingGraphs(61, {})))).toThrow(
    new InputError("drawing: got 61 agents, expected at most 60"),
  );
});
