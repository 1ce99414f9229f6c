import { describe, expect, test } from "vitest";
import {
  fromEdges,
  full,
  isPartition,
  isSubteam,
  line,
  partitionDag,
  partitionsOf,
  product,
  satisfiesSubteamAssumption,
} from "./index.ts";

test("isPartition wants every agent once and no empty block", () => {
  expect(isPartition(4, [[3, 0], [1], [2]])).toBe(true);
  expect(isPartition(4, [[0, 1], [2]])).toBe(false);
  expect(
    isPartition(3, [
      [0, 1],
      [1, 2],
    ]),
  ).toBe(false);
  expect(isPartition(3, [[0, 1, 2], []])).toBe(false);
  expect(isPartition(3, [[0, 1, 3]])).toBe(false);
  expect(isPartition(3, [[0, 1, 1.5]])).toBe(false);
});

test("isSubteam wants an edge between every two agents", () => {
  const dag = fromEdges(5, [
    [3, 1],
    [3, 0],
    [0, 1],
    [2, 4],
  ]);
  expect(isSubteam(dag, [0, 1, 3])).toBe(true);
  expect(isSubteam(dag, [2, 4])).toBe(true);
  expect(isSubteam(dag, [1])).toBe(true);
  expect(isSubteam(dag, [0, 1, 2])).toBe(false);
  expect(isSubteam(line(3), [0, 1, 2])).toBe(false);
});

describe("satisfiesSubteamAssumption", () => {
  test("by hand", () => {
    const dag = partitionDag([2, 3]);
    expect(
      satisfiesSubteamAssumption(dag, [
        [1, 0],
        [2, 3, 4],
      ]),
    ).toBe(true);
    expect(satisfiesSubteamAssumption(dag, [[0, 1], [2, 3], [4]])).toBe(false);
    expect(satisfiesSubteamAssumption(dag, [[0, 1, 2, 3, 4]])).toBe(false);
    expect(satisfiesSubteamAssumption(dag, [[0, 1]])).toBe(false);
    expect(satisfiesSubteamAssumption(line(3), [[0, 1], [2]])).toBe(false);
  });

  test("exactly one partition of five agents fits product, full and 2+3", () => {
    for (const dag of [product(5), full(5), partitionDag([2, 3])]) {
      const fitting = [...partitionsOf(5)].filter((partition) => satisfiesSubteamAssumption(dag, partition));
      expect(fitting.length).toBe(1);
    }
    expect([...partitionsOf(5)].some((partition) => satisfiesSubteamAssumption(line(5), partition))).toBe(
      false,
    );
  });
});

test("partitionsOf gives each partition once: the Bell numbers", () => {
  for (const [agents, bell] of [
    [1, 1],
    [2, 2],
    [3, 5],
    [4, 15],
    [5, 52],
    [6, 203],
  ]) {
    const all = [...partitionsOf(agents)];
    expect(all.length).toBe(bell);
    expect(new Set(all.map((partition) => JSON.stringify(partition))).size).toBe(bell);
    for (const partition of all) expect(isPartition(agents, partition)).toBe(true);
  }
  expect([...partitionsOf(3)]).toEqual([
    [[0, 1, 2]],
    [[0, 1], [2]],
    [[0, 2], [1]],
    [[0], [1, 2]],
    [[0], [1], [2]],
  ]);
});
