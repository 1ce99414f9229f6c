import { createRng } from "corral/random";
import {
  type AgentSets,
  type CouplingEdge,
  type CouplingGraphs,
  couplingGraphs,
  criticSum,
  gradientDependency,
  setSizes,
  valueDependency,
} from "corral/structure";
import { type Clock, median } from "./stopwatch.ts";

/** The dependency sets of one large team. */
export interface StructureRow {
  readonly team: keyof typeof TEAMS;
  readonly agents: number;
  /** Edges of all three coupling graphs, without self loops. */
  readonly edges: number;
  /** The approximation; undefined: exact sets, stored by component. */
  readonly kappa?: number;
  /** Milliseconds, medians over the rounds: the graphs from their edges, then each kind of set from what is before it. */
  readonly milliseconds: {
    readonly graphs: number;
    readonly value: number;
    readonly gradient: number;
    readonly criticSum: number;
  };
  /** Mean size of a set. */
  readonly size: { readonly value: number; readonly criticSum: number };
  /** Megabytes of the heap and of arrays that a round needs at most, garbage included. */
  readonly megabytes: number;
}

const TEAMS = {
  /** State and observation graphs that join each agent with both neighbours. */
  ring(agents: number) {
    const ring = Array.from({ length: agents }, (_, i) => (i + 1) % agents).flatMap(
      (j, i): CouplingEdge[] => [
        [i, j],
        [j, i],
      ],
    );
    return { state: ring, observation: ring };
  },
  /** A state graph in which four agents, drawn uniformly, enter the state of each. */
  "random, degree 4"(agents: number) {
    const rng = createRng("bench").split("structure");
    const state = Array.from(
      { length: 4 * agents },
      (_, e): CouplingEdge => [rng.integer(agents), Math.floor(e / 4)],
    );
    return { state };
  },
} as const;

export interface BenchStructureOptions {
  readonly now: Clock;
  /** Bytes that are in use. */
  readonly memory: () => number;
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: StructureRow) => void;
  readonly agents?: number;
  readonly rounds?: number;
}

/** Times value dependency, gradient dependency and critic sums of a ring and a random team, with kappa 2 and exact. */
export function benchStructure({
  now,
  memory,
  onRow,
  agents = 100_000,
  rounds = 5,
}: BenchStructureOptions): readonly StructureRow[] {
  const rows: StructureRow[] = [];
  for (const team of Object.keys(TEAMS) as (keyof typeof TEAMS)[]) {
    const edges = TEAMS[team](agents);
    for (const kappa of [2, undefined]) {
      const all = Array.from({ length: rounds + 1 }, () => measure(agents, edges, kappa, now, memory));
      // The first round warms up.
      const [, ...timed] = all.map(({ milliseconds }) => milliseconds);
      const row = {
        ...all[0],
        team,
        milliseconds: {
          graphs: median(timed.map(({ graphs }) => graphs)),
          value: median(timed.map(({ value }) => value)),
          gradient: median(timed.map(({ gradient }) => gradient)),
          criticSum: median(timed.map(({ criticSum: sum }) => sum)),
        },
        megabytes: Math.max(...all.map(({ megabytes }) => megabytes)),
      };
      rows.push(row);
      onRow?.(row);
    }
  }
  return rows;
}

/** One round. Nothing of it is kept, so that the next one finds the memory it took. */
function measure(
  agents: number,
  edges: Parameters<typeof couplingGraphs>[1],
  kappa: number | undefined,
  now: Clock,
  memory: () => number,
): Omit<StructureRow, "team"> {
  const before = memory();
  const moments = [now()];
  const timed = <Result>(result: Result): Result => {
    moments.push(now());
    return result;
  };
  const graphs = timed(couplingGraphs(agents, edges));
  const value = timed(valueDependency(graphs, { kappa }));
  timed(gradientDependency(value));
  const sum = timed(criticSum(value));
  const megabytes = (memory() - before) / 1e6;
  const [, ...ends] = moments;
  const [building, walking, transposing, summing] = ends.map((end, k) => end - moments[k]);
  const count = ({ state, observation, reward }: CouplingGraphs): number =>
    [state, observation, reward].reduce((total, { ids }) => total + ids.length - agents, 0);
  const meanSize = (sets: AgentSets): number =>
    setSizes(sets).reduce((total, size) => total + size, 0) / agents;
  return {
    agents,
    edges: count(graphs),
    ...(kappa !== undefined && { kappa }),
    milliseconds: { graphs: building, value: walking, gradient: transposing, criticSum: summing },
    size: { value: meanSize(value), criticSum: meanSize(sum) },
    megabytes,
  };
}
