import { expect, test } from "vitest";
import {
  type BayesianNetwork,
  couplingGraphs,
  foldedNetwork,
  networkNode,
  nodeMeaning,
  unrolledNetwork,
} from "./index.ts";

/** Edges as text, such as `s1@0>Z0@0`. */
const text = ({ agents, from, to }: BayesianNetwork): string[] => {
  const name = (node: number) => {
    const { kind, agent, slice } = nodeMeaning(agents, node);
    return `${{ state: "s", action: "a", optimality: "Z" }[kind]}${agent}@${slice}`;
  };
  return Array.from(from, (node, e) => `${name(node)}>${name(to[e])}`).sort();
};

const graphs = couplingGraphs(2, { state: [[0, 1]], observation: [[1, 0]], reward: [[0, 1]] });
const slice = (t: number) =>
  ["s0>a0", "s1>a0", "s1>a1", "s0>Z0", "a0>Z0", "s0>Z1", "a0>Z1", "s1>Z1", "a1>Z1"].map((edge) =>
    edge.replace(">", `@${t}>`).concat(`@${t}`),
  );
const between = ["s0@0>s0@1", "a0@0>s0@1", "s0@0>s1@1", "a0@0>s1@1", "s1@0>s1@1", "a1@0>s1@1"];

test("the network of two agents, edge by edge", () => {
  expect(text(unrolledNetwork([graphs]))).toEqual(slice(0).sort());
  expect(text(unrolledNetwork([graphs, graphs]))).toEqual([...slice(0), ...between, ...slice(1)].sort());
});

test("the state graph of a slice governs the way to the next one", () => {
  const apart = couplingGraphs(2, {});
  const edges = text(unrolledNetwork([apart, graphs, apart]));
  expect(edges).not.toContain("a0@0>s1@1");
  expect(edges).toContain("a0@1>s1@2");
  expect(edges.filter((edge) => edge.startsWith("s1@0>a0"))).toEqual([]);
  expect(edges).toContain("s1@1>a0@1");
});

test("the folded network adds the way back, last", () => {
  const folded = foldedNetwork(graphs);
  expect(text(folded)).toEqual([...slice(0), ...between, ...slice(1), "s0@1>s0@0", "s1@1>s1@0"].sort());
  expect([...folded.from.slice(-2)]).toEqual([0, 1].map((i) => networkNode(2, "state", i, 1)));
});
