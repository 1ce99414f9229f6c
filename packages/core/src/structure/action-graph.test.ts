import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  actionGraph,
  neighbourhoodMask,
  neighbourhoods,
  neighbourLists,
  nodeLabels,
  parseNeighbourhood,
} from "./index.ts";

describe("actionGraph", () => {
  test("has a node for each action that an agent really has", () => {
    const graph = actionGraph([3, 1, 2]);
    expect(graph.nodes).toBe(6);
    expect([...graph.agentOf]).toEqual([0, 0, 0, 1, 2, 2]);
    expect([...graph.actionOf]).toEqual([0, 1, 2, 0, 0, 1]);
    expect([...graph.starts]).toEqual([0, 3, 4, 6]);
    expect(nodeLabels(graph)).toEqual([
      "agent 0: act 0",
      "agent 0: act 1",
      "agent 0: act 2",
      "agent 1: act 0",
      "agent 2: act 0",
      "agent 2: act 1",
    ]);
  });

  test.each([
    [[], "agents: got 0, expected a positive integer"],
    [[2, 0], "action graph: got 0 actions of agent 1, expected a positive integer"],
    [[1.5], "action graph: got 1.5 actions of agent 0, expected whole numbers that sum to less than 2^31"],
    [[Number.NaN], "action graph: got NaN actions of agent 0, expected a positive integer"],
    [
      [2, 2 ** 31 - 1],
      "action graph: got 2147483647 actions of agent 1, expected whole numbers that sum to less than 2^31",
    ],
  ])("refuses %j", (actions, message) => {
    expect(() => actionGraph(actions)).toThrow(new InputError(message));
  });
});

describe("neighbourhoods", () => {
  const rows = (mask: Uint8Array | undefined, nodes: number) =>
    Array.from({ length: nodes }, (_, m) => [...mask!.subarray(m * nodes, (m + 1) * nodes)].join(""));

  test("of two agents with two and three actions", () => {
    const graph = actionGraph([2, 3]);
    expect(neighbourhoodMask(graph, "full")).toBeUndefined();
    expect(rows(neighbourhoodMask(graph, "sameAgent"), 5)).toEqual([
      "11000",
      "11000",
      "00111",
      "00111",
      "00111",
    ]);
    expect(rows(neighbourhoodMask(graph, "sameAction"), 5)).toEqual([
      "10100",
      "01010",
      "10100",
      "01010",
      "00001",
    ]);
    expect(rows(neighbourhoodMask(graph, "sameAgentOrSameAction"), 5)).toEqual([
      "11100",
      "11010",
      "10111",
      "01111",
      "00111",
    ]);
  });

  test("masks and lists follow the definition", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...neighbourhoods),
        (actions, neighbourhood) => {
          const graph = actionGraph(actions);
          const lists = neighbourLists(graph, neighbourhood);
          const mask = neighbourhoodMask(graph, neighbourhood);
          for (let m = 0; m < graph.nodes; m++) {
            const seen: number[] = [];
            for (let n = 0; n < graph.nodes; n++) {
              const sameAgent = graph.agentOf[m] === graph.agentOf[n];
              const sameAction = graph.actionOf[m] === graph.actionOf[n];
              const sees = {
                full: true,
                sameAgent,
                sameAction,
                sameAgentOrSameAction: sameAgent || sameAction,
              }[neighbourhood];
              if (sees) seen.push(n);
              if (mask !== undefined) expect(mask[m * graph.nodes + n]).toBe(sees ? 1 : 0);
            }
            expect([...lists[m]]).toEqual(seen);
          }
        },
      ),
    );
  });

  test("thousands of agents: lists that share memory, and a limit where they cannot", () => {
    const graph = actionGraph(new Array(100_000).fill(5));
    expect(neighbourhoodMask(graph, "full")).toBeUndefined();
    expect(neighbourLists(graph, "full")[7].length).toBe(500_000);
    expect([...neighbourLists(graph, "sameAgent")[499_999]]).toEqual([
      499_995, 499_996, 499_997, 499_998, 499_999,
    ]);
    expect(neighbourLists(graph, "sameAction")[4].length).toBe(100_000);
    expect(() => neighbourLists(graph, "sameAgentOrSameAction")).toThrow(
      new InputError(
        'action graph: 50002000000 neighbours of 500000 nodes, expected at most 268435456; use "sameAgent" or "sameAction"',
      ),
    );
    expect(() => neighbourhoodMask(graph, "sameAgent")).toThrow(
      new InputError("action graph: a mask of 500000 x 500000 nodes, expected at most 16384 nodes"),
    );
    const moderate = actionGraph(new Array(2_000).fill(2));
    expect(neighbourLists(moderate, "sameAgentOrSameAction")[3_999].length).toBe(2_001);
  });

  test("without edges across agents, a node sees its own agent's", () => {
    for (const name of neighbourhoods) expect(parseNeighbourhood(name)).toBe(name);
    for (const name of ["full", "sameAgent"]) {
      expect(parseNeighbourhood(name, { crossAgent: false })).toBe("sameAgent");
    }
    expect(() => parseNeighbourhood("sameAction", { crossAgent: false })).toThrow(
      new InputError(
        'neighbourhood "sameAction" joins different agents, expected crossAgent = true or "sameAgent"',
      ),
    );
    expect(() => parseNeighbourhood("sameagent")).toThrow(
      new InputError(
        'unknown neighbourhood "sameagent": expected one of full, sameAgent, sameAction, sameAgentOrSameAction. Did you mean "sameAgent"?',
      ),
    );
  });
});
