import { InputError, unknownName } from "../errors.ts";
import { checkAgents } from "./dag.ts";

/**
 * One node for every action of every agent (AGP, Section 3): agent after agent, action after action. Agents may have
 * different numbers of actions; there are no nodes that pad them. Which nodes see each other is a `Neighbourhood`.
 */
export interface ActionGraph {
  readonly agents: number;
  /** M, the sum of all numbers of actions. */
  readonly nodes: number;
  /** `[M]` */
  readonly agentOf: Int32Array;
  /** `[M]` */
  readonly actionOf: Int32Array;
  /** `[N + 1]`: the nodes of agent i are `starts[i] .. starts[i + 1] - 1`. */
  readonly starts: Int32Array;
}

/** Which nodes a node sees. Every node sees itself. */
export const neighbourhoods = ["full", "sameAgent", "sameAction", "sameAgentOrSameAction"] as const;
export type Neighbourhood = (typeof neighbourhoods)[number];

/** Most entries of a mask or of all neighbour lists: 256 MB as a mask. */
const MOST_ENTRIES = 2 ** 28;

/**
 * @param actions `[N]`: number of actions of each agent
 * @throws InputError when an agent has no action, or the nodes are too many to count
 */
export function actionGraph(actions: readonly number[]): ActionGraph {
  const agents = actions.length;
  checkAgents(agents);
  const starts = new Int32Array(agents + 1);
  for (let i = 0; i < agents; i++) {
    const end = starts[i] + actions[i];
    if (!Number.isInteger(actions[i]) || actions[i] < 1 || end > 2 ** 31 - 1) {
      const expected = actions[i] >= 1 ? "whole numbers that sum to less than 2^31" : "a positive integer";
      throw new InputError(`action graph: got ${actions[i]} actions of agent ${i}, expected ${expected}`);
    }
    starts[i + 1] = end;
  }
  const nodes = starts[agents];
  const agentOf = new Int32Array(nodes);
  const actionOf = new Int32Array(nodes);
  for (let i = 0; i < agents; i++) {
    for (let m = starts[i]; m < starts[i + 1]; m++) {
      agentOf[m] = i;
      actionOf[m] = m - starts[i];
    }
  }
  return { agents, nodes, agentOf, actionOf, starts };
}

/**
 * The neighbourhood that settings ask for: without edges across agents a node sees its own agent's only (AGP, first
 * ablation).
 *
 * @throws InputError for an unknown name, and for edges across agents that are asked for and refused at once
 */
export function parseNeighbourhood(name: string, { crossAgent = true } = {}): Neighbourhood {
  const found = neighbourhoods.find((choice) => choice === name);
  if (found === undefined) throw unknownName("neighbourhood", name, neighbourhoods);
  if (crossAgent || found === "full") return crossAgent ? found : "sameAgent";
  if (found === "sameAgent") return found;
  throw new InputError(
    `neighbourhood "${name}" joins different agents, expected crossAgent = true or "sameAgent"`,
  );
}

/**
 * Who sees whom as a dense mask, for attention: `[M, M]` of 0 and 1, rows are the nodes that look (queries), columns those
 * that are seen (keys).
 *
 * @returns undefined when every node sees every other
 * @throws InputError when there are too many nodes for a dense mask; then use `neighbourLists`
 */
export function neighbourhoodMask(graph: ActionGraph, neighbourhood: Neighbourhood): Uint8Array | undefined {
  if (neighbourhood === "full") return undefined;
  const { nodes } = graph;
  if (nodes * nodes > MOST_ENTRIES) {
    throw new InputError(
      `action graph: a mask of ${nodes} x ${nodes} nodes, expected at most ${Math.floor(Math.sqrt(MOST_ENTRIES))} nodes`,
    );
  }
  const mask = new Uint8Array(nodes * nodes);
  neighbourLists(graph, neighbourhood).forEach((seen, m) => {
    for (const n of seen) mask[m * nodes + n] = 1;
  });
  return mask;
}

/**
 * Who sees whom as lists: entry m holds the nodes that node m sees, in increasing order. Nodes that see the same share one
 * list, so that only `sameAgentOrSameAction` takes more than `O(M)` memory: never write to them.
 *
 * @throws InputError when the lists of `sameAgentOrSameAction` would be too long
 */
export function neighbourLists(graph: ActionGraph, neighbourhood: Neighbourhood): readonly Int32Array[] {
  const { agents, nodes, agentOf, actionOf, starts } = graph;
  if (neighbourhood === "full") {
    const all = Int32Array.from({ length: nodes }, (_, m) => m);
    return new Array<Int32Array>(nodes).fill(all);
  }
  if (neighbourhood === "sameAgent") {
    const own = Array.from({ length: agents }, (_, i) =>
      Int32Array.from({ length: starts[i + 1] - starts[i] }, (_, x) => starts[i] + x),
    );
    return Array.from(agentOf, (i) => own[i]);
  }
  const alike = nodesByAction(graph);
  if (neighbourhood === "sameAction") return Array.from(actionOf, (x) => alike[x]);
  let entries = 0;
  for (let m = 0; m < nodes; m++) {
    const i = agentOf[m];
    entries += alike[actionOf[m]].length + starts[i + 1] - starts[i] - 1;
  }
  if (entries > MOST_ENTRIES) {
    throw new InputError(
      `action graph: ${entries} neighbours of ${nodes} nodes, expected at most ${MOST_ENTRIES}; use "sameAgent" or "sameAction"`,
    );
  }
  return Array.from(agentOf, (i, m) => {
    const same = alike[actionOf[m]];
    const list = new Int32Array(same.length + starts[i + 1] - starts[i] - 1);
    let at = 0;
    for (const n of same) {
      if (n !== m) list[at++] = n;
      else for (let own = starts[i]; own < starts[i + 1]; own++) list[at++] = own;
    }
    return list;
  });
}

/** What to call the nodes, for example in a heat map: `agent 0: act 1`. */
export function nodeLabels({ agentOf, actionOf }: ActionGraph): string[] {
  return Array.from(agentOf, (i, m) => `agent ${i}: act ${actionOf[m]}`);
}

/** The nodes of each action, in increasing order. */
function nodesByAction({ actionOf }: ActionGraph): Int32Array[] {
  const counts = new Int32Array(actionOf.reduce((most, x) => Math.max(most, x), 0) + 1);
  for (const x of actionOf) counts[x]++;
  const lists = Array.from(counts, (count) => new Int32Array(count));
  counts.fill(0);
  actionOf.forEach((x, m) => {
    lists[x][counts[x]++] = m;
  });
  return lists;
}
