import { type AgentGroups, groupsOf } from "./agent-sets.ts";
import type { CouplingGraphs } from "./coupling-graphs.ts";

/**
 * The strongly connected components of the agents over state and observation couplings: agents of one component lead to each
 * other, so that they matter to the same values. Every component comes after those that lead into it.
 * `O(N + E)`, after Tarjan (1972, "Depth-first search and linear graph algorithms").
 */
export function couplingComponents({ agents, state, observation }: CouplingGraphs): AgentGroups {
  const componentOf = new Int32Array(agents).fill(-1);
  let components = 0;
  /** When an agent was met, from 1; 0 before. */
  const met = new Int32Array(agents);
  /** The earliest met agent that is known to be in the same component. */
  const lowest = new Int32Array(agents);
  let clock = 0;
  // Agents from the root of the search to the current one, each with how many of its edges have been followed.
  const path = new Int32Array(agents);
  const followed = new Int32Array(agents);
  // Agents that have been met and whose component is not known yet.
  const open = new Int32Array(agents);
  let opened = 0;

  for (let root = 0; root < agents; root++) {
    if (met[root] > 0) continue;
    let depth = 0;
    for (let i = root; ; ) {
      if (met[i] === 0) {
        met[i] = lowest[i] = ++clock;
        open[opened++] = i;
        path[depth] = i;
      }
      const own = state.starts[i + 1] - state.starts[i];
      const edges = own + observation.starts[i + 1] - observation.starts[i];
      let next = -1;
      while (next < 0 && followed[i] < edges) {
        const k = followed[i]++;
        const j = k < own ? state.ids[state.starts[i] + k] : observation.ids[observation.starts[i] + k - own];
        if (met[j] === 0) next = j;
        else if (componentOf[j] < 0) lowest[i] = Math.min(lowest[i], met[j]);
      }
      if (next >= 0) {
        i = next;
        depth++;
        continue;
      }
      if (lowest[i] === met[i]) {
        let last: number;
        do {
          last = open[--opened];
          componentOf[last] = components;
        } while (last !== i);
        components++;
      }
      if (depth === 0) break;
      const above = path[--depth];
      lowest[above] = Math.min(lowest[above], lowest[i]);
      i = above;
    }
  }
  return groupsOf(componentOf, components);
}
