import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  buildSubteams,
  edgeCount,
  edges,
  isAcyclic,
  type SubteamOptions,
  satisfiesSubteamAssumption,
  subteamBuilder,
} from "./index.ts";

/** Algorithm 1 from its statement: all sums anew, all pairs as candidates, sorted by the tie rule. */
function slowSubteams(scores: readonly number[], agents: number, options: SubteamOptions) {
  let blocks = Array.from({ length: agents }, (_, i) => [i]);
  const found: string[] = [];
  const { budget = Infinity, targetBlocks = 1 } = options;
  while (blocks.length > targetBlocks && found.length < budget) {
    const candidates: { first: number[]; second: number[]; mean: number; cost: number; ids: number[] }[] = [];
    for (const first of blocks) {
      for (const second of blocks) {
        const ids = [Math.min(...first), Math.min(...second)];
        if (ids[0] >= ids[1]) continue;
        let sum = 0;
        for (const i of first)
          for (const j of second) sum += scores[Math.min(i, j) * agents + Math.max(i, j)];
        const cost = first.length * second.length;
        candidates.push({ first, second, mean: Math.round((sum / cost) * 1e9), cost, ids });
      }
    }
    candidates.sort(
      (x, y) =>
        y.mean - x.mean ||
        (options.tie === "lexicographic" ? 0 : x.cost - y.cost) ||
        x.ids[0] - y.ids[0] ||
        x.ids[1] - y.ids[1],
    );
    const { first, second, cost } = candidates[0];
    if (found.length + cost > budget) break;
    for (const u of first) for (const v of second) found.push(`${u}>${v}`);
    blocks = blocks.filter((block) => block !== first && block !== second);
    blocks.push([...first, ...second]);
  }
  blocks.sort((x, y) => Math.min(...x) - Math.min(...y));
  return { blocks, edges: found.sort() };
}

function symmetric(agents: number, score: (i: number, j: number) => number): number[] {
  return Array.from({ length: agents * agents }, (_, k) => {
    const [i, j] = [Math.floor(k / agents), k % agents];
    return i === j ? 0 : score(Math.min(i, j), Math.max(i, j));
  });
}

const coordinationGame = (state: string) =>
  symmetric(state.length, (i, j) => -Math.abs(Number(state[i]) - Number(state[j])));

const aloha = symmetric(
  10,
  (i, j) => -(Math.abs(Math.floor(i / 5) - Math.floor(j / 5)) + Math.abs((i % 5) - (j % 5))),
);

/** Points on a small grid, so that many distances tie; Manhattan or Euclidean. */
const gridScores = fc
  .record({
    places: fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 9 }),
    euclidean: fc.boolean(),
  })
  .map(({ places, euclidean }) => ({
    agents: places.length,
    scores: symmetric(places.length, (i, j) => {
      const [dx, dy] = [places[i][0] - places[j][0], places[i][1] - places[j][1]];
      return euclidean ? -Math.hypot(dx, dy) : -(Math.abs(dx) + Math.abs(dy));
    }),
  }));

const ties = fc.constantFrom("default" as const, "lexicographic" as const);

const summary = (scores: readonly number[], agents: number, options: SubteamOptions) => {
  const { blocks, dag } = buildSubteams(scores, agents, options);
  const blockTexts = blocks.map((block) => block.join(","));
  return `${blockTexts.join(" | ")} : ${edges(dag)
    .map(([u, v]) => `${u}${v}`)
    .sort()
    .join(" ")}`;
};

describe("published cases", () => {
  test.each([
    ["00000", "0,1,4 | 2,3 : 01 04 14 23", "0,1,2 | 3 | 4 : 01 02 12"],
    ["11111", "0,1,4 | 2,3 : 01 04 14 23", "0,1,2 | 3 | 4 : 01 02 12"],
    ["00111", "0,1 | 2,3,4 : 01 23 24 34", "0,1 | 2,3,4 : 01 23 24 34"],
    ["01010", "0,2,4 | 1,3 : 02 04 13 24", "0,2,4 | 1,3 : 02 04 13 24"],
    ["00001", "0,1 | 2,3 | 4 : 01 23", "0,1,2 | 3 | 4 : 01 02 12"],
  ])("Coordination Game in state %s, 4 edges", (state, byDefault, lexicographic) => {
    expect(summary(coordinationGame(state), 5, { budget: 4 })).toBe(byDefault);
    expect(summary(coordinationGame(state), 5, { budget: 4, tie: "lexicographic" })).toBe(lexicographic);
  });

  test("Aloha, 10 edges: 9 are used under both tie rules", () => {
    for (const tie of ["default", "lexicographic"] as const) {
      const { blocks, dag } = buildSubteams(aloha, 10, { budget: 10, tie });
      expect(blocks.map((block) => [...block].sort())).toEqual([
        [0, 1, 5, 6],
        [2, 3],
        [4, 9],
        [7, 8],
      ]);
      expect(
        edges(dag)
          .map(([u, v]) => `${u}${v}`)
          .sort(),
      ).toEqual(["01", "05", "06", "15", "16", "23", "49", "56", "78"]);
    }
  });

  test("the order of a merge is first block, then second", () => {
    // 1 and 2 are closest, then 0 joins them: its smallest id is smaller, so it comes first.
    const scores = symmetric(3, (i, j) => (i === 1 && j === 2 ? 1 : 0));
    expect(summary(scores, 3, { budget: 3 })).toBe("0,1,2 : 01 02 12");
    // 0 and 2 are closest; 1 follows although its id is smaller than 2.
    const others = symmetric(3, (i, j) => (i === 0 && j === 2 ? 1 : 0));
    expect(summary(others, 3, { budget: 3 })).toBe("0,2,1 : 01 02 21");
  });

  test("means that differ by less than 1e-9 tie", () => {
    const scores = symmetric(4, (i, j) => (i === 2 && j === 3 ? 1 + 1e-11 : i === 0 && j === 1 ? 1 : 0));
    expect(summary(scores, 4, { budget: 1 })).toBe("0,1 | 2 | 3 : 01");
    const apart = symmetric(4, (i, j) => (i === 2 && j === 3 ? 1 + 2e-9 : i === 0 && j === 1 ? 1 : 0));
    expect(summary(apart, 4, { budget: 1 })).toBe("0 | 1 | 2,3 : 23");
  });

  test("no edges, one agent, all edges", () => {
    expect(summary(aloha, 10, { budget: 0 })).toBe("0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 : ");
    expect(summary([0], 1, { budget: 3 })).toBe("0 : ");
    expect(edgeCount(buildSubteams(aloha, 10, { budget: 45 }).dag)).toBe(45);
  });
});

describe("properties", () => {
  test("agrees with a slow version for any budget", () => {
    fc.assert(
      fc.property(gridScores, fc.nat(40), ties, ({ agents, scores }, budget, tie) => {
        const fast = buildSubteams(scores, agents, { budget, tie });
        const slow = slowSubteams(scores, agents, { budget, tie });
        expect(fast.blocks).toEqual(slow.blocks);
        expect(
          edges(fast.dag)
            .map(([u, v]) => `${u}>${v}`)
            .sort(),
        ).toEqual(slow.edges);
      }),
      { numRuns: 500 },
    );
  });

  test("never exceeds the budget, is acyclic and satisfies the subteam assumption", () => {
    fc.assert(
      fc.property(gridScores, fc.nat(40), ties, ({ agents, scores }, budget, tie) => {
        const { blocks, dag } = buildSubteams(scores, agents, { budget, tie });
        expect(edgeCount(dag)).toBeLessThanOrEqual(budget);
        expect(isAcyclic(dag)).toBe(true);
        expect(satisfiesSubteamAssumption(dag, blocks)).toBe(true);
      }),
    );
  });

  test("targetBlocks gives that many blocks", () => {
    fc.assert(
      fc.property(gridScores, fc.nat(), ties, ({ agents, scores }, raw, tie) => {
        const targetBlocks = 1 + (raw % agents);
        const { blocks, dag } = buildSubteams(scores, agents, { targetBlocks, tie });
        expect(blocks.length).toBe(targetBlocks);
        expect(satisfiesSubteamAssumption(dag, blocks)).toBe(true);
        expect(blocks).toEqual(slowSubteams(scores, agents, { targetBlocks, tie }).blocks);
      }),
    );
  });

  test("the builder fills its row alone, and remembers nothing of earlier calls", () => {
    fc.assert(
      fc.property(gridScores, gridScores, fc.nat(20), ({ agents, scores }, { scores: noise }, budget) => {
        const build = subteamBuilder(agents, { budget });
        const square = agents * agents;
        const batch = new Float32Array(3 * square);
        for (let k = 0; k < square; k++) batch[k] = noise[k % noise.length];
        batch.set(scores, square);
        const out = {
          adjacency: new Uint8Array(3 * square).fill(9),
          order: new Int32Array(3 * agents).fill(-9),
          blocks: new Int32Array(3 * agents).fill(-9),
        };
        build(batch, 0, { adjacency: new Uint8Array(square) });
        const count = build(batch, 1, out);
        const expected = buildSubteams([...batch.subarray(square, 2 * square)], agents, { budget });
        expect(count).toBe(expected.blocks.length);
        expect([...out.order.subarray(agents, 2 * agents)]).toEqual(expected.blocks.flat());
        expected.blocks.forEach((block, k) => {
          for (const agent of block) expect(out.blocks[agents + agent]).toBe(k);
        });
        const written = out.adjacency.subarray(square, 2 * square);
        expect(written.reduce((a, b) => a + b)).toBe(edgeCount(expected.dag));
        for (const [u, v] of edges(expected.dag)) expect(written[u * agents + v]).toBe(1);
        for (const row of [0, 2]) {
          expect(out.adjacency.subarray(row * square, (row + 1) * square).every((x) => x === 9)).toBe(true);
          expect(out.order.subarray(row * agents, (row + 1) * agents).every((x) => x === -9)).toBe(true);
        }
      }),
    );
  });
});

describe("invalid input", () => {
  test("options", () => {
    const build = (options: SubteamOptions) => () => subteamBuilder(5, options);
    expect(build({})).toThrow("subteams: got neither of budget and targetBlocks, expected exactly one");
    expect(build({ budget: 4, targetBlocks: 2 })).toThrow(InputError);
    expect(build({ budget: -1 })).toThrow("got budget -1, expected an integer that is at least 0");
    expect(build({ budget: 1.5 })).toThrow(InputError);
    expect(build({ targetBlocks: 0 })).toThrow("got targetBlocks 0, expected an integer in 1..5");
    expect(build({ targetBlocks: 6 })).toThrow(InputError);
    expect(build({ budget: 1, tie: "random" as never })).toThrow(InputError);
  });

  test("scores", () => {
    expect(() => buildSubteams([0, 1, 1], 2, { budget: 1 })).toThrow("got 3 entries, expected 2 x 2");
    expect(() => buildSubteams([0, Number.NaN, Number.NaN, 0], 2, { budget: 1 })).toThrow(InputError);
    expect(() => buildSubteams([0, 1, 2, 0], 2, { budget: 1 })).toThrow("entry [0, 1] is 1 but [1, 0] is 2");
    const out = { adjacency: new Uint8Array(4) };
    expect(() => subteamBuilder(2, { budget: 1 })([0, Infinity, 0, 0], 0, out)).toThrow(RangeError);
  });
});
