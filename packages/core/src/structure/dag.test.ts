import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  adjacency,
  children,
  type Dag,
  density,
  depths,
  type Edge,
  edgeCount,
  edges,
  fromAdjacency,
  fromEdges,
  isAcyclic,
  levels,
  line,
  topologicalOrder,
  topologicalOrderOf,
} from "./index.ts";

/** Acyclic edges: pairs of a hidden order, each kept or not. */
const acyclic = fc
  .integer({ min: 1, max: 9 })
  .chain((agents) =>
    fc.record({
      agents: fc.constant(agents),
      hidden: fc.shuffledSubarray(
        Array.from({ length: agents }, (_, i) => i),
        { minLength: agents },
      ),
      kept: fc.array(fc.boolean(), {
        minLength: (agents * (agents - 1)) / 2,
        maxLength: (agents * (agents - 1)) / 2,
      }),
    }),
  )
  .map(({ agents, hidden, kept }) => {
    const list: Edge[] = [];
    let pair = 0;
    for (let q = 0; q < agents; q++) {
      for (let p = 0; p < q; p++) if (kept[pair++]) list.push([hidden[p], hidden[q]]);
    }
    return { agents, list };
  });

/** Any directed graph without self-loops, cyclic or not. */
const directed = fc.integer({ min: 1, max: 6 }).chain((agents) =>
  fc.record({
    agents: fc.constant(agents),
    matrix: fc
      .array(fc.integer({ min: 0, max: 1 }), { minLength: agents ** 2, maxLength: agents ** 2 })
      .map((entries) => entries.map((entry, k) => (k % (agents + 1) === 0 ? 0 : entry))),
  }),
);

function byHand(agents: number, matrix: readonly number[]): Dag {
  const parents = Array.from({ length: agents }, (_, i) =>
    Int32Array.from(Array.from({ length: agents }, (_, j) => j).filter((j) => matrix[j * agents + i] === 1)),
  );
  return { agents, parents };
}

/** Whether some agent reaches itself, by powers of the matrix. */
function reachesItself(agents: number, matrix: readonly number[]): boolean {
  const reach = matrix.map((entry) => entry === 1);
  for (let k = 0; k < agents; k++) {
    for (let j = 0; j < agents; j++) {
      for (let i = 0; i < agents; i++) {
        if (reach[j * agents + k] && reach[k * agents + i]) reach[j * agents + i] = true;
      }
    }
  }
  return Array.from({ length: agents }, (_, i) => reach[i * (agents + 1)]).includes(true);
}

/** Kahn's algorithm as it is told: among the agents whose parents all have acted, the smallest acts next. */
function slowOrder(agents: number, list: readonly Edge[]): number[] {
  const order: number[] = [];
  while (order.length < agents) {
    for (let i = 0; i < agents; i++) {
      if (order.includes(i)) continue;
      if (list.some(([parent, child]) => child === i && !order.includes(parent))) continue;
      order.push(i);
      break;
    }
  }
  return order;
}

describe("a DAG by hand", () => {
  // 4 and 2 read nobody, 0 reads both, 1 and 3 read 0, 3 reads 4.
  const dag = fromEdges(5, [
    [4, 3],
    [0, 3],
    [4, 0],
    [0, 1],
    [2, 0],
  ]);

  test("parents, edges, children, matrix and density", () => {
    expect(dag.parents.map((own) => [...own])).toEqual([[2, 4], [0], [], [0, 4], []]);
    expect(edges(dag)).toEqual([
      [2, 0],
      [4, 0],
      [0, 1],
      [0, 3],
      [4, 3],
    ]);
    expect(children(dag).map((own) => [...own])).toEqual([[1, 3], [], [0], [], [0, 3]]);
    expect(edgeCount(dag)).toBe(5);
    expect(density(dag)).toBe(0.5);
    const matrix = adjacency(dag);
    expect(matrix.reduce((a, b) => a + b)).toBe(5);
    expect([matrix[4 * 5 + 3], matrix[3 * 5 + 4], matrix[2 * 5 + 0], matrix[0 * 5 + 2]]).toEqual([
      1, 0, 1, 0,
    ]);
  });

  test("order, depths and levels", () => {
    expect([...topologicalOrder(dag)]).toEqual([2, 4, 0, 1, 3]);
    expect([...depths(dag)]).toEqual([1, 2, 0, 2, 0]);
    expect(levels(dag)).toEqual([[2, 4], [0], [1, 3]]);
  });

  test("a single agent has density 0", () => {
    expect(density(fromEdges(1, []))).toBe(0);
  });
});

describe("invalid edges are named", () => {
  test.each<[string, number, Edge[], string]>([
    ["range", 5, [[0, 7]], "edge 0>7: no agent 7, expected 0..4"],
    ["negative", 5, [[-1, 2]], "edge -1>2: no agent -1, expected 0..4"],
    ["fraction", 5, [[0.5, 2]], "edge 0.5>2: no agent 0.5, expected 0..4"],
    ["self-loop", 3, [[1, 1]], "edge 1>1: agent 1 cannot read its own action"],
    [
      "duplicate",
      3,
      [
        [0, 2],
        [1, 2],
        [0, 2],
      ],
      "edge 0>2 is given twice, expected once",
    ],
    [
      "two-cycle",
      3,
      [
        [2, 1],
        [1, 2],
      ],
      "the edges form the cycle 1>2>1",
    ],
    [
      "cycle with a tail on both sides",
      6,
      [
        [0, 4],
        [4, 2],
        [2, 3],
        [3, 4],
        [3, 1],
        [1, 5],
      ],
      "the edges form the cycle 2>3>4>2",
    ],
  ])("%s", (_, agents, list, message) => {
    expect(() => fromEdges(agents, list)).toThrow(new InputError(message));
  });

  test("agents and matrices", () => {
    expect(() => fromEdges(0, [])).toThrow(InputError);
    expect(() => fromEdges(2.5, [])).toThrow(InputError);
    expect(() => fromAdjacency(2, [0, 1, 0])).toThrow("adjacency: got 3 entries, expected 2 x 2");
    expect(() => fromAdjacency(2, [0, 0.5, 0, 0])).toThrow("entry [0, 1] is 0.5, expected 0 or 1");
    expect(() => fromAdjacency(2, [0, 1, 1, 0])).toThrow("the edges form the cycle 0>1>0");
  });
});

describe("properties", () => {
  test("the order is Kahn's with the smallest ready agent first, sparse and dense alike", () => {
    fc.assert(
      fc.property(acyclic, ({ agents, list }) => {
        const dag = fromEdges(agents, list);
        const order = [...topologicalOrder(dag)];
        expect(order).toEqual(slowOrder(agents, list));
        const dense = new Int32Array(agents + 2).fill(-7);
        const padded = Uint8Array.of(1, 1, 1, ...adjacency(dag));
        topologicalOrderOf(padded, 3, agents, dense, 1);
        expect([...dense]).toEqual([-7, ...order, -7]);
      }),
    );
  });

  test("edges, matrix and DAG turn into one another", () => {
    fc.assert(
      fc.property(acyclic, ({ agents, list }) => {
        const dag = fromEdges(agents, list);
        const key = ([parent, child]: Edge) => `${parent}>${child}`;
        expect(edges(dag).map(key).sort()).toEqual(list.map(key).sort());
        expect(fromEdges(agents, [...list].reverse())).toEqual(dag);
        expect(fromAdjacency(agents, adjacency(dag))).toEqual(dag);
        const turned = children(dag).flatMap((own, j) => [...own].map((i): Edge => [j, i]));
        expect(turned.map(key).sort()).toEqual(list.map(key).sort());
      }),
    );
  });

  test("a depth is one more than the deepest parent's", () => {
    fc.assert(
      fc.property(acyclic, ({ agents, list }) => {
        const dag = fromEdges(agents, list);
        const depth = depths(dag);
        for (let i = 0; i < agents; i++) {
          const above = [...dag.parents[i]].map((j) => depth[j] + 1);
          expect(depth[i]).toBe(Math.max(0, ...above));
        }
        levels(dag).forEach((level, d) => {
          for (const i of level) expect(depth[i]).toBe(d);
        });
        expect(levels(dag).flat().sort()).toEqual(Array.from({ length: agents }, (_, i) => i));
      }),
    );
  });

  test("isAcyclic agrees with reachability; a cycle that is named exists", () => {
    fc.assert(
      fc.property(directed, ({ agents, matrix }) => {
        const dag = byHand(agents, matrix);
        const cyclic = reachesItself(agents, matrix);
        expect(isAcyclic(dag)).toBe(!cyclic);
        const dense = () => topologicalOrderOf(matrix, 0, agents, new Int32Array(agents), 0);
        if (!cyclic) {
          expect(dense).not.toThrow();
          return;
        }
        expect(dense).toThrow(RangeError);
        let message = "";
        try {
          topologicalOrder(dag);
        } catch (error) {
          message = (error as Error).message;
        }
        const cycle = message.replace("the edges form the cycle ", "").split(">").map(Number);
        expect(cycle.length).toBeGreaterThan(2);
        expect(cycle[0]).toBe(cycle[cycle.length - 1]);
        expect(new Set(cycle).size).toBe(cycle.length - 1);
        for (let k = 1; k < cycle.length; k++) expect(matrix[cycle[k - 1] * agents + cycle[k]]).toBe(1);
      }),
    );
  });
});

describe("100,000 agents", () => {
  const agents = 100_000;

  test("a line", () => {
    const dag = line(agents);
    expect(edgeCount(dag)).toBe(agents - 1);
    expect(topologicalOrder(dag).every((agent, k) => agent === k)).toBe(true);
    expect(depths(dag)[agents - 1]).toBe(agents - 1);
    expect(children(dag)[0]).toEqual(Int32Array.of(1));
  });

  test("a reversed line, and a star that makes the heap of ready agents large", () => {
    const reversed = fromEdges(
      agents,
      Array.from({ length: agents - 1 }, (_, k): Edge => [k + 1, k]),
    );
    expect(topologicalOrder(reversed).every((agent, k) => agent === agents - 1 - k)).toBe(true);
    const star = fromEdges(
      agents,
      Array.from({ length: agents - 1 }, (_, k): Edge => [agents - 1, k]),
    );
    const order = topologicalOrder(star);
    expect(order[0]).toBe(agents - 1);
    expect(order.subarray(1).every((agent, k) => agent === k)).toBe(true);
    expect(levels(star).map((level) => level.length)).toEqual([1, agents - 1]);
  });

  test("a cycle through all agents is found and its name cut short", () => {
    const ring = Array.from({ length: agents }, (_, k): Edge => [k, (k + 1) % agents]);
    expect(() => fromEdges(agents, ring)).toThrow(
      new InputError("the edges form the cycle 0>1>2>3>4>5>6>7>8>9>...>0"),
    );
  });
});
