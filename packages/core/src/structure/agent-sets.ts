import { type IdLists, listAt, transposeLists } from "./id-lists.ts";

/** A partition of the agents `0..N-1`. The agents of group g are list g. */
export interface AgentGroups extends IdLists {
  /** `[N]`: the group of each agent. */
  readonly groupOf: Int32Array;
}

/**
 * A set of agents for each agent. In a large team many agents have the same set, and many agents are in the same sets;
 * both are said once, so that a hundred thousand sets of a hundred thousand agents can be kept: the set of an agent is
 * the union of the blocks in the list of its owner group. Read it with `agentSet`.
 */
export interface AgentSets {
  readonly agents: number;
  /** Agents of one group have the same set. */
  readonly owners: AgentGroups;
  /** Agents of one block are in the same sets. */
  readonly blocks: AgentGroups;
  /** For each owner group the blocks of its set. */
  readonly parts: IdLists;
}

/** Every agent alone: group i is agent i. */
export function singletons(agents: number): AgentGroups {
  const ids = Int32Array.from({ length: agents }, (_, i) => i);
  const starts = Int32Array.from({ length: agents + 1 }, (_, i) => i);
  return { groupOf: ids, starts, ids };
}

/** The partition with the given group of each agent, groups numbered `0..count-1`. */
export function groupsOf(groupOf: Int32Array, count: number): AgentGroups {
  const starts = Int32Array.from({ length: groupOf.length + 1 }, (_, i) => i);
  return { groupOf, ...transposeLists({ starts, ids: groupOf }, count) };
}

export function groupCount({ starts }: AgentGroups): number {
  return starts.length - 1;
}

/** The set of an agent, in increasing id. */
export function agentSet({ owners, blocks, parts }: AgentSets, agent: number): Int32Array {
  const own = listAt(parts, owners.groupOf[agent]);
  const set = new Int32Array(sizeOf(blocks, own));
  let size = 0;
  for (const block of own) {
    const members = listAt(blocks, block);
    set.set(members, size);
    size += members.length;
  }
  return set.sort();
}

/** `[N]`: how many agents are in the set of each. */
export function setSizes({ owners, blocks, parts }: AgentSets): Int32Array {
  const sizes = Int32Array.from({ length: groupCount(owners) }, (_, k) => sizeOf(blocks, listAt(parts, k)));
  return owners.groupOf.map((k) => sizes[k]);
}

/** Agent j is in the transposed set of i when i is in the set of j. */
export function transposeSets({ agents, owners, blocks, parts }: AgentSets): AgentSets {
  return { agents, owners: blocks, blocks: owners, parts: transposeLists(parts, groupCount(blocks)) };
}

function sizeOf(blocks: AgentGroups, list: Int32Array): number {
  let size = 0;
  for (const block of list) size += blocks.starts[block + 1] - blocks.starts[block];
  return size;
}
