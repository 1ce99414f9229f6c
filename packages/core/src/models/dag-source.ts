import { InputError, nearest } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import {
  adjacency,
  bernoulliDagSampler,
  type DagRows,
  levels,
  parseTopology,
  randomDagSampler,
  subteamBuilder,
  topologies,
} from "../structure/index.ts";

/** What a DAG may depend on. */
export interface DagContext {
  /** Dependency scores `[B, N, N]`, where the environment has them. */
  readonly scores?: Float32Array;
  readonly rng: Rng;
}

/** What is known of a policy's DAGs whatever their source. */
export interface DagFacts {
  /** The text the source was made from, without spaces. */
  readonly name: string;
  /** Whether draws differ by chance, and for how long a drawn DAG is kept. */
  readonly randomness: "none" | "step" | "episode";
  /** Whether draws depend on the present dependency scores. */
  readonly readsScores: boolean;
  /**
   * Sizes of consecutive groups of the order in which agents act: the parents of an agent are in groups before its
   * own, so a whole group may act at once.
   */
  readonly stages: readonly number[];
  /** Something the user should know, for example that the budget exceeds the number of possible edges. */
  readonly note?: string;
}

/**
 * Where the DAG over agents comes from: a constant, or drawn anew for every environment and step. Drawing fills row
 * `b` of `adjacency` `[B, N, N]` (entry `[j, i]` is 1 when j is a parent of i) and `order` `[B, N]`.
 */
export interface DagSource extends DagFacts {
  draw(row: number, out: Required<DagRows>, context: DagContext): void;
}

const FORMS = [
  "product",
  "full",
  "line",
  "line-truncated",
  "heuristic(4)",
  "random(4)",
  "bernoulli(0.5)",
  "learned",
  "2+3",
  "edges:0>1",
];

/**
 * The DAG source a text stands for: a topology (`product`, `full`, `line`, `2+3`, `edges:0>1,1>2`), `heuristic(B)`
 * (Algorithm 1 of Subteams on the present scores with B edges; `heuristic(B,lexicographic)` breaks ties by agent
 * alone), `random(B)` (B random edges at every step, or `random(B,episode)`), `bernoulli(p)` (each edge of the full
 * DAG with probability p). Spaces do not matter.
 *
 * @param scored whether the environment gives dependency scores
 * @throws InputError when the text is none of these or does not fit the number of agents
 */
export function parseDagSource(text: string, agents: number, scored: boolean): DagSource {
  text = text.replaceAll(" ", "");
  const [, name, list] = /^([a-z]+)\((.*)\)$/.exec(text) ?? [];
  const values = list?.split(",");
  if (name === "heuristic") return heuristicSource(text, agents, scored, values);
  if (name === "random") return randomSource(text, agents, values);
  if (name === "bernoulli") return bernoulliSource(text, agents, values);
  if (Object.hasOwn(topologies, text) || /^(\d|edges:)/.test(text)) return topologySource(text, agents);
  throw invalid(text);
}

function invalid(text: string): InputError {
  const wordOf = (form: string): string => form.replace(/[^a-z-].*/i, "");
  const word = nearest(wordOf(text), FORMS.map(wordOf).filter(Boolean));
  const hint = word === undefined ? "" : ` Did you mean "${FORMS.find((form) => wordOf(form) === word)}"?`;
  return new InputError(`dag=${text}: expected a form such as ${FORMS.join(", ")}.${hint}`);
}

function topologySource(text: string, agents: number): DagSource {
  const dag = parseTopology(text, agents);
  const groups = levels(dag);
  const matrix = adjacency(dag);
  const order = groups.flat();
  return {
    name: text,
    randomness: "none",
    readsScores: false,
    stages: groups.map((group) => group.length),
    draw(row, out) {
      out.adjacency.set(matrix, row * matrix.length);
      out.order.set(order, row * agents);
    },
  };
}

/** Stages in which agents act one after the other. */
export const oneByOne = (agents: number): readonly number[] => new Array<number>(agents).fill(1);

/** The edge budget in the parentheses, and a note where it can never be spent. */
function edgeBudget(text: string, agents: number, value: string): { budget: number; note?: string } {
  const budget = Number(value);
  if (!/^\d+$/.test(value)) {
    throw new InputError(`dag=${text}: expected an edge budget, an integer of at least 0 (got "${value}")`);
  }
  const most = (agents * (agents - 1)) / 2;
  const note =
    budget > most
      ? `dag=${text}: ${agents} agents have at most ${most} edges; the rest is unused`
      : undefined;
  return { budget, note };
}

/** The one word that may follow the edge budget. */
function option<const Choice extends string>(
  text: string,
  [value, ...more]: readonly string[],
  choices: readonly Choice[],
): Choice | undefined {
  if (more.length > 0)
    throw new InputError(`dag=${text}: expected at most one option, got ${more.length + 1}`);
  if (value === undefined || choices.includes(value as Choice)) return value as Choice | undefined;
  throw new InputError(`dag=${text}: unknown option "${value}", expected ${choices.join(" or ")}`);
}

function heuristicSource(
  text: string,
  agents: number,
  scored: boolean,
  values: readonly string[],
): DagSource {
  if (!scored) {
    throw new InputError(`dag=${text}: this environment gives no dependency scores; try random(4) or full`);
  }
  const { budget, note } = edgeBudget(text, agents, values[0]);
  const tie = option(text, values.slice(1), ["default", "lexicographic"]);
  const build = subteamBuilder(agents, { budget, tie });
  return {
    name: text,
    randomness: "none",
    readsScores: true,
    stages: oneByOne(agents),
    note,
    draw(row, out, { scores }) {
      build(scores!, row, out);
    },
  };
}

function randomSource(text: string, agents: number, values: readonly string[]): DagSource {
  const { budget, note } = edgeBudget(text, agents, values[0]);
  const sample = randomDagSampler(agents, budget);
  return {
    name: text,
    randomness: option(text, values.slice(1), ["step", "episode"]) ?? "step",
    readsScores: false,
    stages: oneByOne(agents),
    note,
    draw: (row, out, { rng }) => sample(rng, row, out),
  };
}

function bernoulliSource(text: string, agents: number, values: readonly string[]): DagSource {
  const probability = Number(values[0]);
  if (values.length !== 1 || values[0] === "" || !(probability >= 0 && probability <= 1)) {
    throw new InputError(`dag=${text}: expected an edge probability in [0, 1] (got "${values.join(",")}")`);
  }
  const sample = bernoulliDagSampler(agents, probability);
  return {
    name: text,
    randomness: "step",
    readsScores: false,
    stages: oneByOne(agents),
    draw: (row, out, { rng }) => sample(rng, row, out),
  };
}

/** DAGs of a batch as a program reads them. */
export interface DagBatch {
  /** 1 where the column is a parent of the row, `[B, N, N]`. */
  readonly parents: Float32Array;
  /** Agents in the order in which they act, `[B, N]`. */
  readonly order: Int32Array;
}

/** Draws the DAGs of a batch of `size` environments into a `DagBatch`. */
export interface DagWriter {
  /** @param fresh copies that started a new episode; all when absent */
  draw(context: DagContext, out: DagBatch, fresh?: (copy: number) => boolean): void;
}

export function dagWriter(source: DagSource, size: number, agents: number): DagWriter {
  const drawn = { adjacency: new Uint8Array(size * agents * agents), order: new Int32Array(size * agents) };
  let written: DagBatch | undefined;
  return {
    draw(context, out, fresh) {
      const constant = source.randomness === "none" && !source.readsScores;
      if (constant && written?.parents === out.parents) return;
      const { parents, order } = out;
      for (let b = 0; b < size; b++) {
        if (source.randomness === "episode" && fresh !== undefined && !fresh(b)) continue;
        source.draw(b, drawn, context);
        const matrix = b * agents * agents;
        for (let i = 0; i < agents; i++) {
          order[b * agents + i] = drawn.order[b * agents + i];
          for (let j = 0; j < agents; j++) {
            parents[matrix + i * agents + j] = drawn.adjacency[matrix + j * agents + i];
          }
        }
      }
      written = out;
    },
  };
}

/** Mean density of the DAGs of a batch: edges over `N (N - 1) / 2`. */
export function meanDensity(parents: Float32Array, size: number, agents: number): number {
  if (agents < 2) return 0;
  let edges = 0;
  for (let k = 0; k < parents.length; k++) edges += parents[k];
  return edges / (size * ((agents * (agents - 1)) / 2));
}
