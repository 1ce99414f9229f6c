import type { CouplingGraphs } from "./coupling-graphs.ts";

/** States, actions, and the binary variables `Z` that are 1 with a probability proportional to `exp(reward)`. */
export const nodeKinds = ["state", "action", "optimality"] as const;
export type NodeKind = (typeof nodeKinds)[number];

/**
 * The Bayesian network of a cooperative game (MABN, section 3): in each slice a state, an action and an optimality variable
 * for every agent, `3N` nodes. Node `networkNode(N, kind, agent, slice)`.
 */
export interface BayesianNetwork {
  readonly agents: number;
  /** Slices of time. */
  readonly slices: number;
  /** `[E]`: the node each edge comes from. */
  readonly from: Int32Array;
  /** `[E]`: the node it goes to. */
  readonly to: Int32Array;
}

/** The number of a node. */
export function networkNode(agents: number, kind: NodeKind, agent: number, slice: number): number {
  return (slice * nodeKinds.length + nodeKinds.indexOf(kind)) * agents + agent;
}

/** What the node of a number stands for. */
export function nodeMeaning(
  agents: number,
  node: number,
): { readonly kind: NodeKind; readonly agent: number; readonly slice: number } {
  const row = Math.floor(node / agents);
  const kind = nodeKinds[row % nodeKinds.length];
  return { kind, agent: node % agents, slice: Math.floor(row / nodeKinds.length) };
}

/**
 * The full network: one slice for each entry of `steps`, whose graphs are those of its time. The state graph of a slice
 * governs the way to the next slice, so that the last one's is not used. For couplings that do not change give the same
 * graphs again and again. Linear in time and edges.
 */
export function unrolledNetwork(steps: readonly CouplingGraphs[]): BayesianNetwork {
  const { agents } = steps[0];
  const from: number[] = [];
  const to: number[] = [];
  steps.forEach(({ state, observation, reward }, slice) => {
    const node = (kind: NodeKind, agent: number, at = slice) => networkNode(agents, kind, agent, at);
    const join = (one: number, other: number) => {
      from.push(one);
      to.push(other);
    };
    for (let i = 0; i < agents; i++) {
      for (let e = observation.starts[i]; e < observation.starts[i + 1]; e++) {
        join(node("state", observation.ids[e]), node("action", i));
      }
      for (let e = reward.starts[i]; e < reward.starts[i + 1]; e++) {
        join(node("state", reward.ids[e]), node("optimality", i));
        join(node("action", reward.ids[e]), node("optimality", i));
      }
      for (let e = state.starts[i]; slice + 1 < steps.length && e < state.starts[i + 1]; e++) {
        join(node("state", state.ids[e]), node("state", i, slice + 1));
        join(node("action", state.ids[e]), node("state", i, slice + 1));
      }
    }
  });
  return { agents, slices: steps.length, from: Int32Array.from(from), to: Int32Array.from(to) };
}

/**
 * The folded network of couplings that do not change: two slices, "now" and "next", and behind their edges one for each agent
 * from its next state back to its present one. A passage from now to next is one step of time; the way back gives the next
 * moment the name of now.
 */
export function foldedNetwork(graphs: CouplingGraphs): BayesianNetwork {
  const { agents } = graphs;
  const { slices, from, to } = unrolledNetwork([graphs, graphs]);
  const states = (slice: number) =>
    Array.from({ length: agents }, (_, i) => networkNode(agents, "state", i, slice));
  return {
    agents,
    slices,
    from: Int32Array.from([...from, ...states(1)]),
    to: Int32Array.from([...to, ...states(0)]),
  };
}
