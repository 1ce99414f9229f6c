import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../errors.ts";
import {
  type AgentSets,
  agentSet,
  type BayesianNetwork,
  type CouplingEdge,
  type CouplingGraphs,
  couplingComponents,
  couplingEdges,
  couplingGraphs,
  criticSum,
  type DependencyMode,
  foldedNetwork,
  gradientDependency,
  type NodeKind,
  networkNode,
  nodeMeaning,
  setSizes,
  unrolledNetwork,
  valueDependency,
  valueDependencyOverTime,
} from "./index.ts";

const lists = (sets: AgentSets): number[][] =>
  Array.from({ length: sets.agents }, (_, i) => [...agentSet(sets, i)]);
const exact = (graphs: CouplingGraphs) => lists(valueDependency(graphs));
const within = (graphs: CouplingGraphs, kappa: number, mode?: DependencyMode) =>
  lists(valueDependency(graphs, { kappa, mode }));

const arePartOf = (sets: number[][], larger: number[][]): boolean =>
  sets.every((set, i) => set.every((agent) => larger[i].includes(agent)));

/** Every agent joined with the next, both ways; in a ring also the last with the first. */
function chain(agents: number, { ring = false, stride = 1 } = {}): CouplingEdge[] {
  const edges: CouplingEdge[] = [];
  for (let i = 0; ring ? i < agents : i + stride < agents; i++) {
    const next = (i + stride) % agents;
    edges.push([i, next], [next, i]);
  }
  return edges;
}

/** Edges as papers write them, counted from 1. */
const fromOne = (...edges: readonly CouplingEdge[]): CouplingEdge[] => edges.map(([j, i]) => [j - 1, i - 1]);
const toOne = (sets: number[][]) => sets.map((set) => set.map((agent) => agent + 1).join(""));

const randomEdges = (agents: number) =>
  fc.array(fc.tuple(fc.nat(agents - 1), fc.nat(agents - 1)), { maxLength: 2 * agents });
const randomGraphs = (agents: number) =>
  fc
    .tuple(randomEdges(agents), randomEdges(agents), randomEdges(agents))
    .map(([state, observation, reward]) => couplingGraphs(agents, { state, observation, reward }));

/**
 * The nodes from which there is a directed path to a node, found one by one in the network itself.
 *
 * @param barred nodes that no path may lead through
 */
function ancestors(
  network: BayesianNetwork,
  node: number,
  barred = (_: number): boolean => false,
): Set<number> {
  const found = new Set([node]);
  const waiting = [node];
  while (waiting.length > 0) {
    const next = waiting.pop()!;
    network.to.forEach((to, e) => {
      const from = network.from[e];
      if (to !== next || found.has(from)) return;
      found.add(from);
      if (!barred(from)) waiting.push(from);
    });
  }
  return found;
}

/** For each agent those whose node of the given kind at time t is an ancestor of one of its rewards. */
function reaching(
  network: BayesianNetwork,
  kinds: readonly NodeKind[],
  t: number,
  barActions = false,
): number[][] {
  const { agents, slices } = network;
  const barred = (node: number): boolean => {
    const { kind, slice } = nodeMeaning(agents, node);
    return barActions && kind === "action" && slice === t;
  };
  return Array.from({ length: agents }, (_, i) => {
    const found = new Set<number>();
    for (let end = t; end < slices; end++) {
      for (const node of ancestors(network, networkNode(agents, "optimality", i, end), barred)) {
        const { kind, agent, slice } = nodeMeaning(agents, node);
        if (slice === t && kinds.includes(kind)) found.add(agent);
      }
    }
    return [...found].sort((a, b) => a - b);
  });
}

describe("value dependency sets agree with a search for paths in the network", () => {
  const agents = 6;

  test("with horizons 0 to 3, as the paper has them and strictly", () => {
    fc.assert(
      fc.property(randomGraphs(agents), fc.integer({ min: 0, max: 3 }), (graphs, horizon) => {
        const network = unrolledNetwork(new Array(horizon + 1).fill(graphs));
        expect(lists(valueDependency(graphs, { horizon }))).toEqual(
          reaching(network, ["state", "action"], 0),
        );
        const strict = lists(valueDependency(graphs, { horizon, mode: "strict" }));
        expect(strict).toEqual(reaching(network, ["action"], 0));
        // Once the actions at time t are given, the states at time t matter to the same rewards.
        expect(strict).toEqual(reaching(network, ["state"], 0, true));
      }),
      { numRuns: 500 },
    );
  });

  test("without an end", () => {
    fc.assert(
      fc.property(randomGraphs(5), (graphs) => {
        const network = unrolledNetwork(new Array(graphs.agents).fill(graphs));
        expect(exact(graphs)).toEqual(reaching(network, ["state", "action"], 0));
      }),
    );
  });

  test("as definition 4.3 counts, in returns of the folded network", () => {
    fc.assert(
      fc.property(randomGraphs(4), fc.integer({ min: 0, max: 3 }), (graphs, kappa) => {
        const { from, to } = foldedNetwork(graphs);
        const n = graphs.agents;
        const place = (node: number) => nodeMeaning(n, node);
        const expected = Array.from({ length: n }, (_, i) => {
          // The fewest returns on a path from each node to the reward of the later slice.
          const returns = new Map([[networkNode(n, "optimality", i, 1), 0]]);
          for (let changed = true; changed; ) {
            changed = false;
            from.forEach((node, e) => {
              const rest = returns.get(to[e]);
              if (rest === undefined) return;
              const count = rest + (place(node).slice > place(to[e]).slice ? 1 : 0);
              if (count >= (returns.get(node) ?? Number.POSITIVE_INFINITY)) return;
              returns.set(node, count);
              changed = true;
            });
          }
          return Array.from({ length: n }, (_, j) => j).filter((j) =>
            (["state", "action"] as const).some(
              (kind) => (returns.get(networkNode(n, kind, j, 0)) ?? Number.POSITIVE_INFINITY) <= kappa,
            ),
          );
        });
        expect(within(graphs, kappa, "folded-literal")).toEqual(expected);
      }),
    );
  });

  test("with couplings that change, at every time", () => {
    fc.assert(
      fc.property(fc.array(randomGraphs(5), { minLength: 1, maxLength: 4 }), (steps) => {
        const network = unrolledNetwork(steps);
        const paper = valueDependencyOverTime(steps).map(lists);
        const strict = valueDependencyOverTime(steps, { mode: "strict" }).map(lists);
        steps.forEach((_, t) => {
          expect(paper[t]).toEqual(reaching(network, ["state", "action"], t));
          expect(strict[t]).toEqual(reaching(network, ["action"], t));
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe("value dependency sets", () => {
  test("grow with kappa, and are those without an end after N - 1 steps", () => {
    fc.assert(
      fc.property(randomGraphs(8), (graphs) => {
        for (const mode of ["paper", "strict", "folded-literal"] as const) {
          for (let kappa = 0; kappa < 8; kappa++) {
            expect(arePartOf(within(graphs, kappa, mode), within(graphs, kappa + 1, mode))).toBe(true);
          }
          expect(within(graphs, 8, mode)).toEqual(exact(graphs));
        }
        expect(within(graphs, 7)).toEqual(exact(graphs));
      }),
    );
  });

  test("hold their own agent, and strict ones are part of the paper's", () => {
    fc.assert(
      fc.property(randomGraphs(7), fc.nat(4), (graphs, kappa) => {
        const own = Array.from({ length: 7 }, (_, i) => [i]);
        const strict = within(graphs, kappa, "strict");
        expect(arePartOf(own, strict)).toBe(true);
        expect(arePartOf(strict, within(graphs, kappa))).toBe(true);
        expect(arePartOf(own, exact(graphs))).toBe(true);
      }),
    );
  });

  test("gradient dependency is the transposed relation, and the critic sum the union over it", () => {
    fc.assert(
      fc.property(randomGraphs(7), fc.option(fc.nat(3), { nil: undefined }), (graphs, kappa) => {
        const values = valueDependency(graphs, { kappa });
        const [value, gradient, sum] = [values, gradientDependency(values), criticSum(values)].map(lists);
        for (let i = 0; i < 7; i++) {
          expect(gradient[i]).toEqual([0, 1, 2, 3, 4, 5, 6].filter((j) => value[j].includes(i)));
          expect(sum[i]).toEqual([...new Set(gradient[i].flatMap((j) => value[j]))].sort((a, b) => a - b));
        }
        expect([...setSizes(values)]).toEqual(value.map((set) => set.length));
      }),
    );
  });

  test("without an end hold whatever their agents observe, with kappa not always", () => {
    const closed = (graphs: CouplingGraphs, sets: number[][]): boolean =>
      couplingEdges(graphs, "observation").every(([seen, by]) =>
        sets.every((set) => !set.includes(by) || set.includes(seen)),
      );
    fc.assert(fc.property(randomGraphs(7), (graphs) => closed(graphs, exact(graphs))));
    const ring = chain(12, { ring: true });
    const graphs = couplingGraphs(12, { state: ring, observation: ring });
    expect(closed(graphs, within(graphs, 1))).toBe(false);
  });

  test("constant couplings over time are those with T - t steps left", () => {
    fc.assert(
      fc.property(randomGraphs(6), fc.constantFrom("paper", "strict"), (graphs, mode) => {
        const steps = new Array(6).fill(graphs);
        valueDependencyOverTime(steps, { horizon: 4, mode }).forEach((sets, t) => {
          expect(lists(sets)).toEqual(lists(valueDependency(graphs, { horizon: 4 - t, mode })));
        });
      }),
    );
  });

  test("of the nearer of horizon and kappa", () => {
    const graphs = couplingGraphs(12, { state: chain(12) });
    expect(lists(valueDependency(graphs, { horizon: 2, kappa: 5 }))).toEqual(within(graphs, 2));
    expect(lists(valueDependency(graphs, { horizon: 5, kappa: 2 }))).toEqual(within(graphs, 2));
  });
});

describe("the sizes of the 40-agent examples", () => {
  const ring = couplingGraphs(40, {
    state: chain(40, { ring: true }),
    observation: chain(40, { ring: true }),
  });
  const zones = couplingGraphs(40, {
    state: chain(40, { stride: 2 }),
    observation: chain(40, { stride: 2 }),
  });
  const range = (sets: AgentSets): [number, number] => {
    const sizes = setSizes(sets);
    return [Math.min(...sizes), Math.max(...sizes)];
  };
  const kappas = [1, 2, 4, 6, 8, 10];

  test("ring", () => {
    const rows = kappas.map((kappa) => {
      const paper = valueDependency(ring, { kappa });
      const strict = valueDependency(ring, { kappa, mode: "strict" });
      return [paper, criticSum(paper), strict].map(range);
    });
    const sizes = [
      [7, 13, 5],
      [11, 21, 9],
      [19, 37, 17],
      [27, 40, 25],
      [35, 40, 33],
      [40, 40, 40],
    ];
    expect(rows).toEqual(sizes.map((row) => row.map((size) => [size, size])));
    expect(range(valueDependency(ring))).toEqual([40, 40]);
  });

  test("zones: two paths of twenty", () => {
    const rows = kappas.slice(0, 3).map((kappa) => {
      const sets = valueDependency(zones, { kappa });
      return [range(sets), range(criticSum(sets))];
    });
    expect(rows).toEqual([
      [
        [4, 7],
        [7, 13],
      ],
      [
        [6, 11],
        [11, 20],
      ],
      [
        [10, 19],
        [19, 20],
      ],
    ]);
    expect(range(valueDependency(zones))).toEqual([20, 20]);
    expect(range(criticSum(valueDependency(zones)))).toEqual([20, 20]);
  });

  test("without observations and rewards kappa counts hops", () => {
    const graphs = couplingGraphs(40, { state: chain(40, { ring: true }) });
    for (const kappa of [0, 1, 5]) {
      expect(range(valueDependency(graphs, { kappa }))).toEqual([2 * kappa + 1, 2 * kappa + 1]);
    }
  });
});

describe("worked examples, agents counted from 1", () => {
  // What the text of MABN says of the example of its figures 3 to 8 holds here; the figures' other edges are not in the text.
  const six = couplingGraphs(6, {
    state: fromOne([3, 2], [5, 3], [4, 5]),
    observation: fromOne([1, 3], [6, 5]),
    reward: fromOne([2, 1], [4, 6]),
  });

  test("six agents", () => {
    const values = valueDependency(six);
    expect(toOne(lists(values))).toEqual(["123456", "123456", "13456", "4", "456", "46"]);
    expect(toOne(lists(gradientDependency(values)))).toEqual(["123", "12", "123", "123456", "1235", "12356"]);
    expect(toOne(lists(criticSum(values)))).toEqual(new Array(6).fill("123456"));
    const columns = (mode: DependencyMode) => [0, 1, 2].map((kappa) => toOne(within(six, kappa, mode)));
    expect(columns("paper")).toEqual([
      ["12", "2", "13", "4", "56", "46"],
      ["123", "123", "1356", "4", "456", "46"],
      ["12356", "12356", "13456", "4", "456", "46"],
    ]);
    expect(columns("strict")).toEqual([
      ["12", "2", "3", "4", "5", "46"],
      ["123", "23", "135", "4", "456", "46"],
      ["1235", "1235", "13456", "4", "456", "46"],
    ]);
    expect(columns("folded-literal").slice(0, 2)).toEqual(columns("paper").slice(1));
  });

  test("an action reaches one step later what its agent's state reaches, so that remark 3.4 holds within one step only", () => {
    // Agent 2 observes agent 1 and moves agent 3; agent 1 couples to nobody else's transition or reward.
    const graphs = couplingGraphs(3, { state: fromOne([2, 3]), observation: fromOne([1, 2]) });
    const reaches = (kind: NodeKind, horizon: number): boolean =>
      ancestors(
        unrolledNetwork(new Array(horizon + 1).fill(graphs)),
        networkNode(3, "optimality", 2, horizon),
      ).has(networkNode(3, kind, 0, 0));
    expect([reaches("state", 1), reaches("action", 1)]).toEqual([true, false]);
    expect([reaches("state", 2), reaches("action", 2)]).toEqual([true, true]);
    expect([1, 2].map((kappa) => toOne(within(graphs, kappa, "strict"))[2])).toEqual(["23", "123"]);
  });

  test("the union of theorem 3.2 over later times adds nothing, and the inclusion of remark 3.1 is the other way round", () => {
    const sets = valueDependencyOverTime(new Array(4).fill(six)).map(lists);
    for (let t = 0; t < 3; t++) expect(arePartOf(sets[t + 1], sets[t])).toBe(true);
    expect(sets[3][1]).not.toContain(0);
    expect(sets[2][1]).toContain(0);
  });

  test("sparse couplings whose value dependency graph is complete", () => {
    for (const agents of [2, 8, 30]) {
      const state = Array.from({ length: agents - 1 }, (_, j): CouplingEdge => [j + 1, j]);
      const observation = state.map(([from, to]): CouplingEdge => [to, from]);
      const graphs = couplingGraphs(agents, { state, observation });
      expect([...setSizes(valueDependency(graphs))]).toEqual(new Array(agents).fill(agents));
      expect(couplingComponents(graphs).starts).toHaveLength(2);
    }
  });

  test("nine warehouses", () => {
    const graphs = couplingGraphs(9, {
      state: fromOne(
        [2, 1],
        [1, 2],
        [2, 4],
        [3, 4],
        [4, 3],
        [5, 6],
        [6, 5],
        [5, 8],
        [7, 8],
        [8, 7],
        [7, 9],
        [9, 7],
      ),
      observation: fromOne([1, 2], [4, 3], [6, 5], [8, 7], [9, 7]),
    });
    const values = valueDependency(graphs);
    const sets = ["12", "12", "1234", "1234", "56", "56", "56789", "56789", "56789"];
    expect(toOne(lists(values))).toEqual(sets);
    expect(toOne(lists(gradientDependency(values)))).toEqual([
      "1234",
      "1234",
      "34",
      "34",
      "56789",
      "56789",
      "789",
      "789",
      "789",
    ]);
    expect(toOne(lists(criticSum(values)))).toEqual([
      ...new Array(4).fill("1234"),
      ...new Array(5).fill("56789"),
    ]);
    expect(setSizes(values).reduce((a, b) => a + b) / 9).toBeCloseTo(3.4, 1);
    expect(toOne(within(graphs, 2))).toEqual(sets);
    expect(toOne(within(graphs, 1))).toEqual([...sets.slice(0, 8), "789"]);
  });
});

describe("large teams", () => {
  const agents = 100_000;

  test("a ring of 100,000 agents: neighbours within kappa, and without an end one set that all share", () => {
    const ring = chain(agents, { ring: true });
    const graphs = couplingGraphs(agents, { state: ring, observation: ring });
    const near = valueDependency(graphs, { kappa: 2 });
    expect(setSizes(near).every((size) => size === 11)).toBe(true);
    expect([...agentSet(near, 3)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, agents - 2, agents - 1]);
    expect(setSizes(criticSum(near)).every((size) => size === 21)).toBe(true);
    const all = valueDependency(graphs);
    expect(setSizes(all).every((size) => size === agents)).toBe(true);
    expect(all.parts.ids).toHaveLength(1);
    expect(setSizes(criticSum(all)).every((size) => size === agents)).toBe(true);
  });

  test("a component and the agents downstream of it are stored by component", () => {
    // A ring of the even agents; each odd agent observes the even one before it, and nobody observes it.
    const observation = Array.from({ length: agents / 2 }, (_, k): CouplingEdge => [2 * k, 2 * k + 1]);
    const state = chain(agents, { ring: true, stride: 2 }).filter(([from]) => from % 2 === 0);
    const values = valueDependency(couplingGraphs(agents, { state, observation }));
    const sizes = setSizes(values);
    expect([sizes[0], sizes[1]]).toEqual([agents / 2, agents / 2 + 1]);
    expect(agentSet(values, 1)[1]).toBe(1);
    expect(values.parts.ids).toHaveLength(1 + 2 * (agents / 2));
    const gradient = setSizes(gradientDependency(values));
    expect([gradient[0], gradient[1]]).toEqual([agents, 1]);
    expect(setSizes(criticSum(values))[1]).toBe(agents / 2 + 1);
  });

  test("sets that cannot be stored are refused", () => {
    const state = Array.from({ length: 11_999 }, (_, i): CouplingEdge => [i, i + 1]);
    expect(() => valueDependency(couplingGraphs(12_000, { state }))).toThrow(
      "dependency sets: more than 67108864 entries in all, expected fewer: choose a smaller kappa",
    );
  });

  test("critic sums that cannot be stored are refused", () => {
    // Two agents whose rewards are of half the team each.
    const half = 6_000;
    const reward = Array.from({ length: 2 * half }, (_, i): CouplingEdge => [i, i < half ? 0 : half]);
    const values = valueDependency(couplingGraphs(2 * half, { reward }), { kappa: 0 });
    expect(() => criticSum(values)).toThrow(
      "dependency sets: more than 67108864 entries in all, expected fewer: choose a smaller kappa",
    );
  });

  test("components in the order in which they lead to each other, however long the way", () => {
    const state = Array.from({ length: agents - 1 }, (_, i): CouplingEdge => [i + 1, i]);
    const { groupOf } = couplingComponents(couplingGraphs(agents, { state }));
    expect(groupOf.every((component, i) => component === agents - 1 - i)).toBe(true);
  });
});

test("components are the classes of agents that lead to each other", () => {
  fc.assert(
    fc.property(randomGraphs(7), (graphs) => {
      const leads = Array.from({ length: 7 }, (_, i) => Array.from({ length: 7 }, (_, j) => i === j));
      for (const kind of ["state", "observation"] as const) {
        for (const [from, to] of couplingEdges(graphs, kind)) leads[from][to] = true;
      }
      for (let k = 0; k < 7; k++) {
        for (let i = 0; i < 7; i++) for (let j = 0; j < 7; j++) leads[i][j] ||= leads[i][k] && leads[k][j];
      }
      const { groupOf, starts, ids } = couplingComponents(graphs);
      for (let i = 0; i < 7; i++) {
        for (let j = 0; j < 7; j++) {
          expect(groupOf[i] === groupOf[j]).toBe(leads[i][j] && leads[j][i]);
          if (leads[i][j]) expect(groupOf[i]).toBeLessThanOrEqual(groupOf[j]);
        }
        expect(ids.subarray(starts[groupOf[i]], starts[groupOf[i] + 1])).toContain(i);
      }
    }),
  );
});

test.each([
  [{ kappa: -1 }, "kappa: got -1, expected an integer of at least 0"],
  [{ horizon: 0.5 }, "horizon: got 0.5, expected an integer of at least 0"],
  [
    { mode: "strickt" as never },
    'unknown mode "strickt": expected one of paper, strict, folded-literal. Did you mean "strict"?',
  ],
])("refuses %j", (options, message) => {
  expect(() => valueDependency(couplingGraphs(3, {}), options)).toThrow(new InputError(message));
});

test("refuses horizons beyond the couplings given, a mode that has no meaning over time, and other agents", () => {
  const steps = [couplingGraphs(3, {}), couplingGraphs(3, {})];
  expect(() => valueDependencyOverTime(steps, { horizon: 2 })).toThrow(
    new InputError("horizon: got 2 with couplings of 2 steps, expected at most 1"),
  );
  expect(() => valueDependencyOverTime(steps, { mode: "folded-literal" as never })).toThrow(
    new InputError('unknown mode "folded-literal": expected one of paper, strict.'),
  );
  expect(() => valueDependencyOverTime([...steps, couplingGraphs(4, {})])).toThrow(
    new InputError("couplings: got 4 agents at step 2, expected 3"),
  );
});
