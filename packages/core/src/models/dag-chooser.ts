import { assignmentSolver } from "../structure/index.ts";
import {
  add,
  compile,
  copyRows,
  distinctRowFinder,
  type Engine,
  type Expr,
  float32,
  int32,
  type Layout,
  sizedPrograms,
  sum,
  unpack,
  type Variable,
} from "../tensor/index.ts";
import type { DagLearner, DagLearnerOptions } from "./dag-learner.ts";
import { type DagBatch, type DagFacts, oneByOne } from "./dag-source.ts";

/** DAGs that networks choose: a DAG learner with its parameters. */
export interface LearnedDagSource extends DagFacts {
  readonly learner: DagLearner;
  readonly layout: Layout;
  readonly vector: Variable;
}

export const learnedDagSource = (
  learner: DagLearner,
  { layout, vector }: { readonly layout: Layout; readonly vector: Variable },
): LearnedDagSource => ({
  name: "learned",
  randomness: "step",
  readsScores: false,
  stages: oneByOne(learner.options.agents),
  learner,
  layout,
  vector,
});

/** Noise of `R` samples and the hard choices made under it. */
export interface DagChoices {
  /** Gumbel, `[R, N, N]`. */
  readonly orderNoise: Float32Array;
  /** Logistic, the same for an edge and its reverse, of which an order permits only one, `[R, N, N]`. */
  readonly edgeNoise: Float32Array;
  /** Agents by rank, `[R, N]`: from which the next search begins. */
  readonly order: Int32Array;
  /** Prices of the assignments of agents to ranks, from which the next search begins too, `[R, N]`. */
  readonly prices: Float64Array;
  /** What the order was chosen by: how well agent (column) fits rank (row), `[R, N, N]`. */
  readonly orderScores: Float32Array;
  /** An edge from row to column is chosen where positive, whether or not the order permits it, `[R, N, N]`. */
  readonly edgeScores: Float32Array;
}

export function dagChoices(samples: number, agents: number): DagChoices {
  const pairs = () => new Float32Array(samples * agents * agents);
  return {
    orderNoise: pairs(),
    edgeNoise: pairs(),
    order: new Int32Array(samples * agents),
    prices: new Float64Array(samples * agents),
    orderScores: pairs(),
    edgeScores: pairs(),
  };
}

/** Choices of the samples `start..end-1`, in the same memory. */
export function choicesOf(all: DagChoices, agents: number, start: number, end: number): DagChoices {
  const pairs = (values: Float32Array) => values.subarray(start * agents ** 2, end * agents ** 2);
  return {
    orderNoise: pairs(all.orderNoise),
    edgeNoise: pairs(all.edgeNoise),
    order: all.order.subarray(start * agents, end * agents),
    prices: all.prices.subarray(start * agents, end * agents),
    orderScores: pairs(all.orderScores),
    edgeScores: pairs(all.edgeScores),
  };
}

/** Joint observations of samples as programs read them: without repetitions where there are many samples. */
export interface JointObservations {
  /** `U`: rows of the table; a few sizes serve all batches. */
  readonly rows: number;
  /** Writes the table `[U, X]` and, where rows are shared, the row of each sample `[R]`. */
  fill(table: Float32Array, row: Int32Array | undefined): void;
}

/** Up to this number of samples each has its own row. */
const FEW = 64;

/** Whether programs for so many samples and rows are told which row each sample has. */
export const sharesRows = (samples: number, rows: number): boolean => rows < samples;

/** @returns a function of the agents' observations `[R, N, O]`; its result is overwritten by the next call */
export function jointObservationTable(
  learner: DagLearner,
  samples: number,
): (observations: Float32Array) => JointObservations {
  const { inputSize } = learner;
  const { agents, observationSize, sharedObservation } = learner.options;
  const own = new Float32Array(sharedObservation ? samples * observationSize : 0);
  const find = distinctRowFinder(samples);
  const firstAgents = Int32Array.from({ length: samples }, (_, k) => k * agents);
  return (observations) => {
    if (sharedObservation) copyRows(observations, observationSize, firstAgents, samples, own);
    const joint = sharedObservation ? own : observations;
    const distinct = samples > FEW ? find(joint, samples, inputSize) : undefined;
    // Programs that learn take long to compile, so their sizes are powers of two.
    const rows = Math.min(samples, 2 ** Math.ceil(Math.log2(distinct?.count ?? samples)));
    if (distinct === undefined || !sharesRows(samples, rows)) {
      return { rows: samples, fill: (table) => table.set(joint.subarray(0, samples * inputSize)) };
    }
    return {
      rows,
      fill(table, row) {
        copyRows(joint, inputSize, distinct.first, distinct.count, table);
        row!.set(distinct.index.subarray(0, samples));
      },
    };
  };
}

/** Inputs by which programs know the joint observations of `samples` samples: `rows` different ones. */
export const jointObservationInputs = (learner: DagLearner, samples: number, rows: number) =>
  ({
    jointObservations: float32(rows, learner.inputSize),
    ...(sharesRows(samples, rows) ? { jointRow: int32(samples) } : {}),
  }) as const;

/** Inputs of a program that scores the DAGs of `samples` samples with `rows` joint observations. */
function dagScoreInputs(learner: DagLearner, samples: number, rows: number) {
  const { agents } = learner.options;
  const pairs = float32(samples, agents, agents);
  return {
    ...jointObservationInputs(learner, samples, rows),
    ...(learner.options.dagOrder === "learned" ? { orderNoise: pairs } : {}),
    edgeNoise: pairs,
  } as const;
}

/** Chooses the DAGs of `R` samples. */
export interface DagChooser {
  /**
   * Makes the hard choices that the noise in `choices` leads to.
   *
   * @param observations `[R, N, O]`
   * @throws NonFiniteError when the scores are not finite numbers
   */
  choose(observations: Float32Array, choices: DagChoices): Promise<void>;
  dispose(): Promise<void>;
}

export function dagChooser(
  engine: Engine,
  name: string,
  { learner, layout, vector }: LearnedDagSource,
  samples: number,
): DagChooser {
  const { agents } = learner.options;
  const table = jointObservationTable(learner, samples);
  const solve = assignmentSolver(agents);
  const programs = sizedPrograms((rows: number) =>
    compile(engine, {
      name: `${name}: DAG scores`,
      inputs: dagScoreInputs(learner, samples, rows),
      variables: { dag: vector },
      build(leaves) {
        const { order, edges } = learner.scores(unpack(leaves.dag, layout), leaves);
        const results: Record<string, Expr> =
          order === undefined
            ? { edges, "DAG scores": sum(edges) }
            : { order, edges, "DAG scores": add(sum(order), sum(edges)) };
        return { results };
      },
      finite: ["DAG scores"],
    }),
  );
  return {
    async choose(observations, choices) {
      const joint = table(observations);
      const { inputs, results, run } = await programs.for(joint.rows);
      joint.fill(inputs.jointObservations, inputs.jointRow);
      inputs.orderNoise?.set(choices.orderNoise);
      inputs.edgeNoise.set(choices.edgeNoise);
      await run();
      const order = results.order as Float32Array | undefined;
      if (order !== undefined) choices.orderScores.set(order);
      choices.edgeScores.set(results.edges as Float32Array);
      for (let r = 0; r < samples; r++) {
        if (order !== undefined) solve(order, r, choices.order, choices.prices);
        else for (let i = 0; i < agents; i++) choices.order[r * agents + i] = i;
      }
    },
    dispose: programs.dispose,
  };
}

/** The DAGs that hard choices stand for. */
export function writeChosenDags(
  options: Pick<DagLearnerOptions, "agents" | "edgeIndexing">,
  choices: DagChoices,
  out: DagBatch,
): void {
  const { agents } = options;
  out.order.set(choices.order);
  writeChosenParents(options, choices, out.parents, { sample: agents ** 2, child: agents });
}

/**
 * Writes 1 for each parent, and 0 for every other agent.
 *
 * @param distance from a sample to the next, and from a child to the next, whose parents lie side by side
 * @returns the number of edges
 */
export function writeChosenParents(
  { agents, edgeIndexing }: Pick<DagLearnerOptions, "agents" | "edgeIndexing">,
  { order, edgeScores }: DagChoices,
  parents: Float32Array,
  distance: { readonly sample: number; readonly child: number },
): number {
  const byRank = edgeIndexing === "rank";
  let edges = 0;
  parents.fill(0);
  for (let at = 0, to = 0; at < order.length; at += agents, to += distance.sample) {
    const matrix = at * agents;
    for (let early = 0; early < agents; early++) {
      const j = order[at + early];
      for (let late = early + 1; late < agents; late++) {
        const i = order[at + late];
        const edge = byRank ? early * agents + late : j * agents + i;
        // Not by a branch, which edges as random as these would mislead.
        const present = Number(edgeScores[matrix + edge] > 0);
        parents[to + i * distance.child + j] = present;
        edges += present;
      }
    }
  }
  return edges;
}
