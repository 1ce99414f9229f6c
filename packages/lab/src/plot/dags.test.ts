import { expect, test } from "vitest";
import { type DagPanel, renderDags } from "./dags.ts";

const nodes = (count: number) => Array.from({ length: count }, () => ({}));
const draw = (...panels: DagPanel[]): string => renderDags({ rows: [panels] });
/** Where the circles of agents are. */
const circles = (svg: string): [number, number][] =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);

test("agents stand in the order in which they act, so that arrows lead to the right", () => {
  const edges = [
    { parent: 2, child: 0 },
    { parent: 2, child: 1 },
  ];
  const svg = draw({ nodes: nodes(3), edges, layout: { kind: "order", order: [2, 0, 1] } });
  const [zero, one, two] = circles(svg);
  expect(two[0]).toBeLessThan(zero[0]);
  expect(zero[0]).toBeLessThan(one[0]);
  expect(new Set([zero[1], one[1], two[1]]).size).toBe(1);
  // To the neighbour straight, over the neighbour in a bow.
  const lines = [...svg.matchAll(/<path d="M[^"]*" fill="none"/g)].map(([line]) => line);
  expect(lines.filter((line) => line.includes("Q"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("L"))).toHaveLength(1);
});

test("the more often an edge is there, the wider and darker it is", () => {
  const edges = [
    { parent: 0, child: 1, share: 1 },
    { parent: 1, child: 0, share: 0.2 },
  ];
  const svg = draw({ nodes: nodes(2), edges, layout: { kind: "circle" } });
  const styles = [...svg.matchAll(/<g( opacity="([\d.]+)")?><path [^>]*stroke-width="([\d.]+)"/g)].map(
    ([, , opacity = "1", width]) => [Number(opacity), Number(width)],
  );
  // The strongest is drawn last; four samples follow.
  expect(styles.slice(0, 2)).toEqual([
    [0.28, 0.8],
    [1, 2.4],
  ]);
  expect(styles).toHaveLength(6);
});

test("where agents stand is kept, edges pass around those between, and one child stands out", () => {
  const places = [
    [0, 0],
    [1, 0],
    [2, 0],
    [2, 1],
  ] as const;
  const edges = [
    { parent: 0, child: 2 },
    { parent: 2, child: 3 },
  ];
  const svg = draw({ nodes: nodes(4), edges, layout: { kind: "places", places }, child: 3 });
  const found = circles(svg);
  const step = found[1][0] - found[0][0];
  expect(step).toBeGreaterThan(0);
  expect(found[2][0] - found[1][0]).toBeCloseTo(step, 1);
  expect(found[3][1] - found[2][1]).toBeCloseTo(step, 1);
  // The faint edge to agent 2 is drawn first, and its bow is the larger.
  const bows = [...svg.matchAll(/stroke="(#\w+)"/g)].map(([, colour]) => colour);
  expect(bows.slice(0, 2)).toEqual(["#8a94a6", "#0072b2"]);
});

test("a crowd is refused, and equal figures are equal bytes", () => {
  const panel: DagPanel = { nodes: nodes(41), edges: [], layout: { kind: "circle" } };
  expect(() => draw(panel)).toThrow("drawing: got 41 agents, expected at most 40");
  const small: DagPanel = { nodes: nodes(5), edges: [{ parent: 3, child: 1 }], layout: { kind: "circle" } };
  expect(draw(small)).toBe(draw(small));
});
