import { InputError, nearest } from "../errors.ts";
import { checkAgents, edges } from "./dag.ts";
import { type RandomIntegers, randomDag } from "./random-dag.ts";

/**
 * An undirected graph over the agents `0..agents-1` whose edges join the agents that are valued in pairs (DCG). Flat, so
 * that it stays usable with 100,000 agents. Edges are in increasing order of their first agent, then of their second:
 * equal graphs have equal arrays.
 */
export interface CoordinationGraph {
  readonly agents: number;
  /** `[E]`: the agent of each edge with the smaller id. */
  readonly first: Int32Array;
  /** `[E]`: the agent of each edge with the larger id. */
  readonly second: Int32Array;
}

/** Most edges of a graph: both lists of agents then take 512 MB. */
const MOST_EDGES = 2 ** 26;

/**
 * The graph with the given edges, in any order and direction.
 *
 * @throws InputError when an edge names an agent that does not exist, joins an agent to itself or occurs twice; the
 *   message names the edge
 */
export function coordinationGraph(
  agents: number,
  pairs: Iterable<readonly [one: number, other: number]>,
): CoordinationGraph {
  checkAgents(agents);
  const keys: number[] = [];
  for (const [one, other] of pairs) {
    for (const agent of [one, other]) {
      if (!Number.isInteger(agent) || agent < 0 || agent >= agents) {
        throw new InputError(`edge ${one}-${other}: no agent ${agent}, expected 0..${agents - 1}`);
      }
    }
    if (one === other) throw new InputError(`edge ${one}-${other} joins agent ${one} to itself`);
    keys.push(Math.min(one, other) * agents + Math.max(one, other));
  }
  const sorted = Float64Array.from(keys).sort();
  const { first, second } = emptyGraph(agents, sorted.length);
  for (let e = 0; e < sorted.length; e++) {
    first[e] = Math.floor(sorted[e] / agents);
    second[e] = sorted[e] % agents;
    if (sorted[e] === sorted[e - 1]) {
      throw new InputError(`edge ${first[e]}-${second[e]} is given twice, expected once`);
    }
  }
  return { agents, first, second };
}

/** Graphs that need only the number of agents, by name. */
const shapes: Readonly<Record<string, (agents: number) => CoordinationGraph>> = {
  full(agents) {
    const graph = emptyGraph(agents, (agents * (agents - 1)) / 2);
    for (let i = 0, e = 0; i < agents; i++) {
      for (let j = i + 1; j < agents; j++, e++) {
        graph.first[e] = i;
        graph.second[e] = j;
      }
    }
    return graph;
  },
  line(agents) {
    const graph = emptyGraph(agents, agents - 1);
    for (let e = 0; e < agents - 1; e++) {
      graph.first[e] = e;
      graph.second[e] = e + 1;
    }
    return graph;
  },
  cycle(agents) {
    expectAgents("cycle", agents, 3, agents === 2 ? "line" : "vdn");
    const graph = emptyGraph(agents, agents);
    for (let e = 0; e < agents; e++) {
      // 0-1, 0-(N-1), 1-2, 2-3, ...
      graph.first[e] = Math.max(0, e - 1);
      graph.second[e] = e === 1 ? agents - 1 : Math.max(1, e);
    }
    return graph;
  },
  star(agents) {
    expectAgents("star", agents, 2, "vdn");
    const graph = emptyGraph(agents, agents - 1);
    for (let e = 0; e < agents - 1; e++) graph.second[e] = e + 1;
    return graph;
  },
  vdn: (agents) => emptyGraph(agents, 0),
};

/** What a coordination graph can be called. */
const examples = [...Object.keys(shapes), "random(4)", "edges:0-1,1-2"];

/**
 * The coordination graph that a text describes: `full` (every pair), `line`, `cycle`, `star` (agent 0 in the centre), `vdn`
 * (no edges), `random(E)` (E distinct pairs, uniform without replacement), or edges such as `edges:0-1,1-2`.
 *
 * @param random decides `random(E)`, and is not touched otherwise
 * @throws InputError naming the text, what was expected and the nearest valid choice
 */
export function parseCoordinationGraph(
  text: string,
  agents: number,
  random?: Pick<RandomIntegers, "integer">,
): CoordinationGraph {
  checkAgents(agents);
  if (Object.hasOwn(shapes, text)) return shapes[text](agents);
  const drawn = /^random\((.*)\)$/.exec(text);
  if (drawn !== null) return randomGraph(text, drawn[1], agents, random);
  if (text.startsWith("edges:")) return parseEdges(text, agents);
  if (/^\d+[->]\d+/.test(text)) {
    throw new InputError(
      `coordination graph "${text}": expected edges: before a list of edges, for example edges:0-1,1-2`,
    );
  }
  // By the first word alone: with its arguments a name is far from every choice.
  const stem = nearest(/^\w*/.exec(text)![0], [...Object.keys(shapes), "random", "edges"]);
  const hint = stem === undefined ? "" : ` Did you mean "${examples.find((name) => name.startsWith(stem))}"?`;
  throw new InputError(
    `unknown coordination graph "${text}": expected one of ${examples.join(", ")}.${hint}`,
  );
}

function parseEdges(text: string, agents: number): CoordinationGraph {
  const pairs = text
    .slice("edges:".length)
    .split(",")
    .map((part): [number, number] => {
      const match = /^(\d+)-(\d+)$/.exec(part);
      if (match !== null) return [Number(match[1]), Number(match[2])];
      const hint = part === "" ? `; for no edges use "vdn"` : "";
      throw new InputError(
        `coordination graph "${text}": got "${part}" as an edge, expected two agents such as 0-1${hint}`,
      );
    });
  try {
    return coordinationGraph(agents, pairs);
  } catch (error) {
    if (error instanceof InputError) throw new InputError(`coordination graph "${text}": ${error.message}`);
    throw error;
  }
}

function randomGraph(
  text: string,
  argument: string,
  agents: number,
  random: Pick<RandomIntegers, "integer"> | undefined,
): CoordinationGraph {
  const pairs = (agents * (agents - 1)) / 2;
  const count = /^\d+$/.test(argument) ? Number(argument) : Number.NaN;
  if (!(count <= pairs)) {
    const example = `random(${Math.min(pairs, agents)})`;
    throw new InputError(
      `coordination graph "${text}": got "${argument}" as the number of edges, expected an integer in 0..${pairs}, for example ${example}`,
    );
  }
  if (random === undefined) {
    throw new InputError(`coordination graph "${text}": a random graph needs a stream of random numbers`);
  }
  checkEdgeCount(agents, count);
  // Any set of pairs, each from its smaller agent to its larger, is the DAG of one order of the agents: 0, 1, ...
  const permutation = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
  const dag = randomDag(agents, count, { integer: (n) => random.integer(n), permutation });
  return coordinationGraph(agents, edges(dag));
}

function emptyGraph(agents: number, edges: number): CoordinationGraph {
  checkEdgeCount(agents, edges);
  return { agents, first: new Int32Array(edges), second: new Int32Array(edges) };
}

function checkEdgeCount(agents: number, edges: number): void {
  if (edges <= MOST_EDGES) return;
  throw new InputError(
    `coordination graph: ${edges} edges between ${agents} agents, expected at most ${MOST_EDGES}, for example line, star or random(${agents})`,
  );
}

function expectAgents(shape: string, agents: number, least: number, instead: string): void {
  if (agents >= least) return;
  const got = agents === 1 ? "1 agent" : `${agents} agents`;
  throw new InputError(
    `coordination graph "${shape}": got ${got}, expected at least ${least}; use "${instead}"`,
  );
}
