import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  consecutivePartition,
  type Dag,
  density,
  edgeCount,
  edges,
  full,
  line,
  lineTruncated,
  parseTopology,
  partitionDag,
  product,
  satisfiesSubteamAssumption,
  topologicalOrder,
  topologies,
} from "./index.ts";

const text = (dag: Dag) => edges(dag).map(([parent, child]) => `${parent}${child}`);

describe("topologies", () => {
  test("product has no edges", () => {
    expect(text(product(3))).toEqual([]);
    expect(product(3).agents).toBe(3);
  });

  test("full joins every earlier agent to every later one", () => {
    expect(text(full(4))).toEqual(["01", "02", "12", "03", "13", "23"]);
    for (const agents of [1, 2, 5, 9]) expect(edgeCount(full(agents))).toBe((agents * (agents - 1)) / 2);
    expect(density(full(7))).toBe(1);
  });

  test("line, and the published line that lacks its last edge", () => {
    expect(text(line(5))).toEqual(["01", "12", "23", "34"]);
    expect(line(2)).toEqual(full(2));
    expect(text(lineTruncated(2))).toEqual([]);
    expect(text(lineTruncated(3))).toEqual(["01"]);
    expect(text(lineTruncated(5))).toEqual(["01", "12", "23"]);
    expect(text(line(1))).toEqual([]);
    expect(text(lineTruncated(1))).toEqual([]);
  });

  test("blocks are full inside and apart", () => {
    expect(text(partitionDag([1, 2]))).toEqual(["12"]);
    expect(text(partitionDag([2, 3]))).toEqual(["01", "23", "24", "34"]);
    expect(text(partitionDag([1, 4]))).toEqual(["12", "13", "23", "14", "24", "34"]);
    expect(partitionDag([1, 1, 1])).toEqual(product(3));
    expect(consecutivePartition([2, 1, 3])).toEqual([[0, 1], [2], [3, 4, 5]]);
    expect(satisfiesSubteamAssumption(partitionDag([2, 1, 3]), consecutivePartition([2, 1, 3]))).toBe(true);
    expect(() => partitionDag([2, 0])).toThrow("block sizes 2+0: got 0, expected positive integers");
    expect(() => partitionDag([])).toThrow(InputError);
  });

  test("all have the order 0, 1, ..., N-1", () => {
    for (const make of Object.values(topologies)) {
      expect([...topologicalOrder(make(6))]).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  test("100,000 agents, full included", () => {
    expect(edgeCount(full(100_000))).toBe(4_999_950_000);
    expect(edgeCount(partitionDag([50_000, 50_000]))).toBe(2_499_950_000);
    expect(topologicalOrder(full(100_000))[99_999]).toBe(99_999);
  });
});

describe("parseTopology", () => {
  test("reads names, blocks and edges", () => {
    expect(parseTopology("product", 4)).toEqual(product(4));
    expect(parseTopology("full", 4)).toEqual(full(4));
    expect(parseTopology("line", 4)).toEqual(line(4));
    expect(parseTopology("line-truncated", 4)).toEqual(lineTruncated(4));
    expect(parseTopology("2+3", 5)).toEqual(partitionDag([2, 3]));
    expect(parseTopology("5", 5)).toEqual(full(5));
    expect(text(parseTopology("edges:2>0,0>1", 3))).toEqual(["20", "01"]);
  });

  test.each([
    ["7+9", 5, 'topology "7+9": block sizes sum to 16, expected 5 (one for each agent), for example 2+3'],
    [
      "1+1+1",
      5,
      'topology "1+1+1": block sizes sum to 3, expected 5 (one for each agent), for example 1+2+2',
    ],
    ["1+1+1", 2, 'topology "1+1+1": block sizes sum to 3, expected 2 (one for each agent), for example 1+1'],
    ["0+5", 5, 'topology "0+5": got an empty block, expected sizes of at least 1, for example 2+3'],
    ["2+", 5, 'topology "2+": expected block sizes joined by +, for example 2+3'],
    ["-2", 5, 'topology "-2": expected block sizes joined by +, for example 2+3'],
    [
      "ful",
      5,
      'unknown topology "ful": expected one of product, full, line, line-truncated, 2+3, edges:0>1,1>2. Did you mean "full"?',
    ],
    [
      "toString",
      5,
      'unknown topology "toString": expected one of product, full, line, line-truncated, 2+3, edges:0>1,1>2.',
    ],
    [
      "edges:",
      5,
      'topology "edges:": got "" as an edge, expected parent>child such as 0>1; for no edges use "product"',
    ],
    ["edges:0-1", 5, 'topology "edges:0-1": got "0-1" as an edge, expected parent>child such as 0>1'],
    ["edges:0>9", 5, 'topology "edges:0>9": edge 0>9: no agent 9, expected 0..4'],
    ["edges:0>1,1>0", 5, 'topology "edges:0>1,1>0": the edges form the cycle 0>1>0'],
  ])("rejects %s for %i agents", (given, agents, message) => {
    expect(() => parseTopology(given, agents)).toThrow(new InputError(message));
  });
});
