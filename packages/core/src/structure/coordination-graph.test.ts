import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { type CoordinationGraph, coordinationGraph, parseCoordinationGraph } from "./index.ts";

/** A small generator for these tests: a Weyl sequence through a multiply-and-shift mixer. */
function testRandom(seed: number) {
  let state = seed | 0;
  const integer = (n: number) => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return Math.floor((((x ^ (x >>> 15)) >>> 0) / 2 ** 32) * n);
  };
  return { integer };
}

const text = ({ first, second }: CoordinationGraph) => Array.from(first, (i, e) => `${i}-${second[e]}`);
const parsed = (given: string, agents: number) => text(parseCoordinationGraph(given, agents));

describe("coordinationGraph", () => {
  test("lists edges by their first agent, whatever the order and direction they are given in", () => {
    const graph = coordinationGraph(4, [
      [3, 1],
      [2, 0],
      [0, 1],
    ]);
    expect(graph.agents).toBe(4);
    expect(text(graph)).toEqual(["0-1", "0-2", "1-3"]);
  });

  test.each([
    [[[0, 3]], "edge 0-3: no agent 3, expected 0..2"],
    [[[0.5, 1]], "edge 0.5-1: no agent 0.5, expected 0..2"],
    [[[1, 1]], "edge 1-1 joins agent 1 to itself"],
    [
      [
        [0, 1],
        [1, 0],
      ],
      "edge 0-1 is given twice, expected once",
    ],
  ] as [[number, number][], string][])("refuses %j", (pairs, message) => {
    expect(() => coordinationGraph(3, pairs)).toThrow(new InputError(message));
  });
});

describe("parseCoordinationGraph", () => {
  test("reads the named shapes", () => {
    expect(parsed("full", 4)).toEqual(["0-1", "0-2", "0-3", "1-2", "1-3", "2-3"]);
    expect(parsed("line", 4)).toEqual(["0-1", "1-2", "2-3"]);
    expect(parsed("cycle", 5)).toEqual(["0-1", "0-4", "1-2", "2-3", "3-4"]);
    expect(parsed("cycle", 3)).toEqual(parsed("full", 3));
    expect(parsed("star", 4)).toEqual(["0-1", "0-2", "0-3"]);
    expect(parsed("vdn", 4)).toEqual([]);
    expect(parsed("edges:2-1,0-1", 3)).toEqual(["0-1", "1-2"]);
    for (const alone of ["full", "line", "vdn"]) expect(parsed(alone, 1)).toEqual([]);
  });

  test("each shape equals the graph of its own edges", () => {
    for (const shape of ["full", "line", "cycle", "star", "vdn"]) {
      const graph = parseCoordinationGraph(shape, 7);
      const pairs = Array.from(graph.first, (i, e): [number, number] => [i, graph.second[e]]);
      expect(coordinationGraph(7, pairs)).toEqual(graph);
    }
  });

  test("random(E) draws E distinct pairs, each set equally often", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.nat(100), (agents, seed, wanted) => {
        const count = Math.min(wanted, (agents * (agents - 1)) / 2);
        const graph = parseCoordinationGraph(`random(${count})`, agents, testRandom(seed));
        expect(new Set(text(graph)).size).toBe(count);
      }),
    );
    const random = testRandom(3);
    const counts = new Map<string, number>();
    const draws = 15_000;
    for (let k = 0; k < draws; k++) {
      const key = text(parseCoordinationGraph("random(2)", 4, random)).join(" ");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // Two of six pairs: 15 sets, each with probability 1/15; five standard deviations of a binomial are 153.
    expect(counts.size).toBe(15);
    for (const count of counts.values()) expect(Math.abs(count - draws / 15)).toBeLessThan(153);
  });

  test("100,000 agents, as long as the graph is sparse", () => {
    for (const shape of ["line", "star"])
      expect(parseCoordinationGraph(shape, 100_000).first.length).toBe(99_999);
    expect(parseCoordinationGraph("cycle", 100_000).second[1]).toBe(99_999);
    const drawn = parseCoordinationGraph("random(200000)", 100_000, testRandom(1));
    expect(drawn.first.every((i, e) => i < drawn.second[e] && drawn.second[e] < 100_000)).toBe(true);
    expect(() => parseCoordinationGraph("full", 100_000)).toThrow(
      new InputError(
        "coordination graph: 4999950000 edges between 100000 agents, expected at most 67108864, for example line, star or random(100000)",
      ),
    );
  });

  const choices = "expected one of full, line, cycle, star, vdn, random(4), edges:0-1,1-2.";
  test.each([
    ["ful", 4, `unknown coordination graph "ful": ${choices} Did you mean "full"?`],
    ["Star", 4, `unknown coordination graph "Star": ${choices} Did you mean "star"?`],
    ["random", 4, `unknown coordination graph "random": ${choices} Did you mean "random(4)"?`],
    ["rnadom(12)", 9, `unknown coordination graph "rnadom(12)": ${choices} Did you mean "random(4)"?`],
    ["edge:0-1", 4, `unknown coordination graph "edge:0-1": ${choices} Did you mean "edges:0-1,1-2"?`],
    ["toString", 4, `unknown coordination graph "toString": ${choices}`],
    [
      "0-1,1-2",
      4,
      'coordination graph "0-1,1-2": expected edges: before a list of edges, for example edges:0-1,1-2',
    ],
    ["edges:0-4", 4, 'coordination graph "edges:0-4": edge 0-4: no agent 4, expected 0..3'],
    ["edges:2-2", 4, 'coordination graph "edges:2-2": edge 2-2 joins agent 2 to itself'],
    ["edges:0-1,1-0", 4, 'coordination graph "edges:0-1,1-0": edge 0-1 is given twice, expected once'],
    ["edges:0>1", 4, 'coordination graph "edges:0>1": got "0>1" as an edge, expected two agents such as 0-1'],
    [
      "edges:",
      4,
      'coordination graph "edges:": got "" as an edge, expected two agents such as 0-1; for no edges use "vdn"',
    ],
    ["star", 1, 'coordination graph "star": got 1 agent, expected at least 2; use "vdn"'],
    ["cycle", 2, 'coordination graph "cycle": got 2 agents, expected at least 3; use "line"'],
    [
      "random(7)",
      4,
      'coordination graph "random(7)": got "7" as the number of edges, expected an integer in 0..6, for example random(4)',
    ],
    [
      "random()",
      4,
      'coordination graph "random()": got "" as the number of edges, expected an integer in 0..6, for example random(4)',
    ],
    [
      "random(-1)",
      4,
      'coordination graph "random(-1)": got "-1" as the number of edges, expected an integer in 0..6, for example random(4)',
    ],
    ["random(2)", 4, 'coordination graph "random(2)": a random graph needs a stream of random numbers'],
    ["full", 0, "agents: got 0, expected a positive integer"],
  ])("refuses %s for %i agents", (given, agents, message) => {
    expect(() => parseCoordinationGraph(given, agents)).toThrow(new InputError(message));
  });
});
