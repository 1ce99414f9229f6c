import { InputError, unknownName } from "../errors.ts";
import {
  type AgentGroups,
  type AgentSets,
  groupCount,
  groupsOf,
  singletons,
  transposeSets,
} from "./agent-sets.ts";
import { couplingComponents } from "./components.ts";
import type { CouplingGraphs } from "./coupling-graphs.ts";
import { type IdLists, transposeLists } from "./id-lists.ts";
import { add, addList, clear, has, idSet, markLists } from "./id-set.ts";
import { listWriter } from "./list-writer.ts";

/** How dependency sets that end early are read, see `valueDependency`. */
export const dependencyModes = ["paper", "strict", "folded-literal"] as const;
export type DependencyMode = (typeof dependencyModes)[number];

export interface ValueDependencyOptions {
  /** Steps until the last reward, `T - t`. Default: there is no end. */
  readonly horizon?: number;
  /** Steps after which rewards are left out of the sets. Default: none are. */
  readonly kappa?: number;
  /** Default `"paper"`. */
  readonly mode?: DependencyMode;
}

/**
 * The value dependency sets `I_Q^i`: the agents on whose states and actions `Q_i(s, a)`, the value of agent i's own
 * rewards, depends (MABN, theorem 3.2). Found by walking the Bayesian network backwards from the rewards of i: an action
 * comes from the states its agent observes, a state from the states and actions one step before.
 *
 * Without an end the sets are those of whole components (see `couplingComponents`) and are stored by component. With a
 * horizon of H steps, or `kappa` of the kappa-approximation (section 4.3), only rewards of the steps `t..t+H` count:
 *
 * - `"paper"`: agents whose *state* at time t reaches such a reward;
 * - `"strict"`: agents whose *action* at time t does. Once the actions are given nobody's observation at time t matters,
 *   so that these are all the agents `Q_i(s, a)` depends on: a smaller set, and the same one without an end;
 * - `"folded-literal"`: with kappa counted as definition 4.3 has it, in returns from the later slice of the folded network
 *   to the earlier one: one step more than `"paper"`.
 *
 * `O(N + E)` and what is stored without an end; otherwise N walks, each as long as the couplings of the agents it meets.
 *
 * @throws InputError when an option is not valid, or there are more than 2^26 entries to store
 */
export function valueDependency(graphs: CouplingGraphs, options: ValueDependencyOptions = {}): AgentSets {
  const { horizon, kappa, mode = "paper" } = options;
  checkMode(mode);
  checkCount("horizon", horizon);
  checkCount("kappa", kappa);
  const kept = kappa === undefined || mode !== "folded-literal" ? kappa : kappa + 1;
  const steps = Math.min(horizon ?? Number.POSITIVE_INFINITY, kept ?? Number.POSITIVE_INFINITY);
  // A shortest path meets no agent twice, so that nothing is new after N steps.
  return steps >= graphs.agents ? setsWithoutEnd(graphs) : setsWithin(graphs, steps, mode === "strict");
}

/**
 * The value dependency sets at each time `t = 0..T` of couplings that change (MABN, section 3.1): at time t the rewards of
 * the steps `t..T` count. The state graph of a step governs how states come out of it.
 *
 * @param graphs of the steps `0, 1, ...`, at least those until T; all of the same agents
 * @param options `horizon`: T; default: the last step given. `mode`: see `valueDependency`
 * @throws InputError when an option is not valid, the graphs are of different agents, or there is too much to store
 */
export function valueDependencyOverTime(
  graphs: readonly CouplingGraphs[],
  options: { readonly horizon?: number; readonly mode?: Exclude<DependencyMode, "folded-literal"> } = {},
): AgentSets[] {
  const { horizon = graphs.length - 1, mode = "paper" } = options;
  checkMode(mode, ["paper", "strict"]);
  checkCount("horizon", horizon);
  if (horizon >= graphs.length) {
    throw new InputError(
      `horizon: got ${horizon} with couplings of ${graphs.length} steps, expected at most ${graphs.length - 1}`,
    );
  }
  const [{ agents }] = graphs;
  const other = graphs.findIndex((step) => step.agents !== agents);
  if (other >= 0) {
    throw new InputError(
      `couplings: got ${graphs[other].agents} agents at step ${other}, expected ${agents}`,
    );
  }
  const actions = idSet(agents);
  const states = idSet(agents);
  const writers = Array.from({ length: horizon + 1 }, () => listWriter(agents));
  for (let i = 0; i < agents; i++) {
    clear(states);
    for (let t = horizon; t >= 0; t--) {
      const { state, observation, reward } = graphs[t];
      clear(actions);
      addList(actions, reward, i);
      for (let k = 0; k < states.size; k++) addList(actions, state, states.ids[k]);
      clear(states);
      for (let k = 0; k < actions.size; k++) addList(states, observation, actions.ids[k]);
      writers[t].append(mode === "strict" ? actions : states);
    }
  }
  return writers.map((lists) => ownSets(agents, lists.finish()));
}

/**
 * The gradient dependency sets `I_GD^i`: the agents on whose values the action of agent i has an influence (MABN, section
 * 3.3), agent i itself among them. A transposition, which shares the memory of the given sets.
 */
export function gradientDependency(valueSets: AgentSets): AgentSets {
  return transposeSets(valueSets);
}

/**
 * The arguments of `Qhat_i`, the sum of the values in agent i's gradient dependency set (MABN, section 3.3): `I_Qhat^i`, the
 * union of their value dependency sets.
 *
 * @throws InputError when there are more than 2^26 entries to store
 */
export function criticSum({ agents, blocks, parts }: AgentSets): AgentSets {
  const count = groupCount(blocks);
  const holders = transposeLists(parts, count);
  const reached = idSet(count);
  const size = (e: number): number => parts.starts[holders.ids[e] + 1] - parts.starts[holders.ids[e]];
  let room = 0;
  for (let e = 0; e < holders.ids.length; e++) room += size(e);
  const lists = listWriter(count, Math.min(room, count * count));
  for (let block = 0; block < count; block++) {
    const [first, end] = [holders.starts[block], holders.starts[block + 1]];
    let most = 0;
    for (let e = first; e < end; e++) most += size(e);
    if (most <= count) {
      markLists(reached, parts, holders, block);
      lists.appendMarked(reached, most);
    } else {
      // A union that may be everything is done as soon as it is.
      for (let e = first; e < end && reached.size < count; e++) addList(reached, parts, holders.ids[e]);
      lists.append(reached);
      clear(reached);
    }
  }
  return { agents, owners: blocks, blocks, parts: lists.finish() };
}

function setsWithin(
  { agents, state, observation, reward }: CouplingGraphs,
  steps: number,
  strict: boolean,
): AgentSets {
  // Agents whose action, and whose state, reaches a reward of agent i in the steps walked so far.
  const actions = idSet(agents);
  const states = idSet(agents);
  const wanted = strict ? actions : states;
  const lists = listWriter(agents);
  for (let i = 0; i < agents; i++) {
    clear(actions);
    clear(states);
    addList(actions, reward, i);
    // How many of the agents in each set have had their couplings followed.
    let actionsDone = 0;
    let statesDone = 0;
    for (let step = 0; !(strict && step === steps) && wanted.size < agents; step++) {
      while (actionsDone < actions.size) addList(states, observation, actions.ids[actionsDone++]);
      if (step === steps || statesDone === states.size) break;
      while (statesDone < states.size) addList(actions, state, states.ids[statesDone++]);
    }
    lists.append(wanted);
  }
  return ownSets(agents, lists.finish());
}

/** A set for each agent, of agents one by one. */
function ownSets(agents: number, parts: IdLists): AgentSets {
  const alone = singletons(agents);
  return { agents, owners: alone, blocks: alone, parts };
}

/**
 * Walks of any length follow state and observation couplings in any order, because each agent is in its own index sets: an
 * agent matters to a value exactly when it leads to an agent whose reward index set holds it.
 */
function setsWithoutEnd(graphs: CouplingGraphs): AgentSets {
  const { agents, reward } = graphs;
  const components = couplingComponents(graphs);
  const upstream = upstreamComponents(graphs, components);
  const lists = listWriter(agents);
  const ownerOf = new Int32Array(agents);
  /** The owner group of rewards that come from these components. */
  const known = new Map<string, number>();
  let owners = 0;
  const sources = idSet(groupCount(components));
  const reached = idSet(groupCount(components));
  for (let i = 0; i < agents; i++) {
    clear(sources);
    for (let e = reward.starts[i]; e < reward.starts[i + 1]; e++) {
      add(sources, components.groupOf[reward.ids[e]]);
    }
    const latestFirst = sources.ids.slice(0, sources.size).sort().reverse();
    const key = latestFirst.join();
    let owner = known.get(key);
    if (owner === undefined) {
      clear(reached);
      // A component that another one leads to it adds nothing: rewards that differ by such alone have one owner group.
      const last: number[] = [];
      for (const component of latestFirst) {
        if (has(reached, component)) continue;
        last.push(component);
        addList(reached, upstream, component);
      }
      owner = known.get(last.join());
      if (owner === undefined) {
        owner = owners++;
        known.set(last.join(), owner);
        lists.append(reached);
      }
      known.set(key, owner);
    }
    ownerOf[i] = owner;
  }
  return { agents, owners: groupsOf(ownerOf, owners), blocks: components, parts: lists.finish() };
}

/** For each component those that lead to it, itself among them. */
function upstreamComponents({ state, observation }: CouplingGraphs, components: AgentGroups): IdLists {
  const { groupOf, starts, ids } = components;
  const count = groupCount(components);
  const lists = listWriter(count);
  const reached = idSet(count);
  for (let component = 0; component < count; component++) {
    clear(reached);
    add(reached, component);
    const written = lists.soFar();
    for (let k = starts[component]; k < starts[component + 1]; k++) {
      for (const graph of [state, observation]) {
        for (let e = graph.starts[ids[k]]; e < graph.starts[ids[k] + 1]; e++) {
          const before = groupOf[graph.ids[e]];
          if (!has(reached, before)) addList(reached, written, before);
        }
      }
    }
    lists.append(reached);
  }
  return lists.finish();
}

function checkMode(mode: string, modes: readonly string[] = dependencyModes): void {
  if (!modes.includes(mode)) throw unknownName("mode", mode, modes);
}

function checkCount(name: string, count: number | undefined): void {
  if (count === undefined || (Number.isInteger(count) && count >= 0)) return;
  throw new InputError(`${name}: got ${count}, expected an integer of at least 0`);
}
