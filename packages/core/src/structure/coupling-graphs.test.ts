import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import { type CouplingGraphs, couplingEdges, couplingGraphs, couplingsFromJson } from "./index.ts";

describe("couplingGraphs", () => {
  test("holds each agent in its own sets, sorts them and forgets repetitions", () => {
    const graphs = couplingGraphs(4, {
      state: [
        [3, 1],
        [0, 1],
        [3, 1],
        [1, 1],
      ],
    });
    expect([...graphs.state.starts]).toEqual([0, 1, 4, 5, 6]);
    expect([...graphs.state.ids]).toEqual([0, 0, 1, 3, 2, 3]);
    expect([...graphs.reward.ids]).toEqual([0, 1, 2, 3]);
    expect(couplingEdges(graphs, "state")).toEqual([
      [0, 1],
      [3, 1],
    ]);
    expect(couplingEdges(graphs, "observation")).toEqual([]);
  });

  test("is rebuilt from its own edges", () => {
    const edge = fc.tuple(fc.nat(8), fc.nat(8));
    fc.assert(
      fc.property(fc.array(edge), fc.array(edge), (state, reward) => {
        const graphs = couplingGraphs(9, { state, reward });
        const again = couplingGraphs(9, {
          state: couplingEdges(graphs, "state"),
          reward: couplingEdges(graphs, "reward"),
        });
        expect(again).toEqual(graphs);
        const given = new Set(state.map(String));
        for (const [from, to] of couplingEdges(graphs, "state"))
          expect(given.has(`${from},${to}`)).toBe(true);
      }),
    );
  });

  test.each([
    [{ reward: [[0, 3]] }, "reward edge [0, 3]: no agent 3, expected 0..2"],
    [{ state: [[-1, 2]] }, "state edge [-1, 2]: no agent -1, expected 0..2"],
    [{ observation: [[0, 0.5]] }, "observation edge [0, 0.5]: no agent 0.5, expected 0..2"],
  ] as [Record<string, [number, number][]>, string][])("refuses %j", (edges, message) => {
    expect(() => couplingGraphs(3, edges)).toThrow(new InputError(message));
    expect(() => couplingsFromJson({ agents: 3, ...edges })).toThrow(new InputError(message));
  });
});

describe("couplingsFromJson", () => {
  test("reads couplings, and couplings that change", () => {
    const edges = { state: [[1, 0]], reward: [[0, 2]] } as Record<string, [number, number][]>;
    expect(couplingsFromJson({ agents: 3, ...edges })).toEqual(couplingGraphs(3, edges));
    const steps = couplingsFromJson({ agents: 3, steps: [edges, {}] }) as readonly CouplingGraphs[];
    expect(steps).toEqual([couplingGraphs(3, edges), couplingGraphs(3, {})]);
  });

  test.each([
    [[], "couplings: got [], expected an object with agents, state, observation, reward, steps"],
    [
      { agents: 2, rewards: [] },
      'unknown couplings key "rewards": expected one of agents, state, observation, reward, steps. Did you mean "reward"?',
    ],
    [{ state: [] }, "agents: got nothing, expected a positive integer"],
    [{ agents: "2" }, 'agents: got "2", expected a positive integer'],
    [{ agents: 0 }, "agents: got 0, expected a positive integer"],
    [{ agents: 2, state: 1 }, "state: got 1, expected a list of edges such as [[0, 1], [2, 1]]"],
    [{ agents: 2, state: [[0, 1, 1]] }, "state: got [0,1,1] as an edge, expected [from, to] such as [0, 1]"],
    [{ agents: 2, reward: [["a", 1]] }, 'reward: got ["a",1] as an edge, expected [from, to] such as [0, 1]'],
    [{ agents: 2, steps: [] }, "steps: got [], expected a list of at least one step"],
    [
      { agents: 2, steps: [{}], state: [] },
      'couplings: got "state" beside "steps", expected it inside the steps',
    ],
    [
      { agents: 2, steps: [{}, { stat: [] }] },
      'at step 1: unknown step key "stat": expected one of state, observation, reward. Did you mean "state"?',
    ],
    [
      { agents: 2, steps: [{}, { state: [[0, 2]] }] },
      "at step 1: state edge [0, 2]: no agent 2, expected 0..1",
    ],
    [{ agents: 2, steps: [7] }, "at step 0: step: got 7, expected an object with state, observation, reward"],
  ])("refuses %j", (json, message) => {
    expect(() => couplingsFromJson(json)).toThrow(new InputError(message));
  });
});
