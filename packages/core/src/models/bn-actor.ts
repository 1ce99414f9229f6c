import {
  add,
  argMax,
  cast,
  concat,
  constant,
  type Expr,
  expand,
  gather,
  type Initialiser,
  logSoftmax,
  maskLogits,
  matMul,
  mul,
  oneHot,
  orthogonal,
  type Parameter,
  reshape,
  slice,
  sum,
  transpose,
  type Views,
  zeros,
} from "../tensor/index.ts";
import { type BaseOptions, baseNetwork } from "./base-network.ts";

export interface BnActorOptions extends BaseOptions {
  /** `N`. */
  readonly agents: number;
  /** `O`. */
  readonly observationSize: number;
  /** `A`: the largest number of actions of an agent. */
  readonly actions: number;
  /**
   * What a child is told of its parents: their actions, which go straight to its head; or their observations and
   * actions, which go through a network of their own.
   */
  readonly parentInput: "actions" | "observations-and-actions";
  /** One action head for each agent, or one for all that also reads the agent's identity. */
  readonly heads: "per-agent" | "shared";
}

/**
 * The Bayesian-network actor (Context-aware BN; Subteams): agent i's policy reads its own observation and what its
 * parents in the DAG tell it. `softmax(head_i([Base_1(o^i), parents]))`, where `parents` are the one-hot actions of the
 * parents or `Base_2` of their observations and actions, zeros for every agent that is no parent.
 *
 * The head is linear, so its two halves are applied separately: tables of logits for distinct observations and for
 * distinct parent inputs, which every use adds up row by row.
 */
export interface BnActor {
  readonly options: BnActorOptions;
  readonly parameters: readonly Parameter[];
  /** `P`: numbers in one agent's parent input; slot j is `[action^j]` or `[o^j, action^j]`. */
  readonly parentInputSize: number;
  /** Which networks normalise their input. */
  readonly normalisesInput: { readonly observation: boolean; readonly parents?: boolean };
  /** Observations' share of the logits for every agent's head, `[R, O] -> [R * N, A]`. */
  observationLogits(views: Views, observations: Expr): Expr;
  /** Parents' share of the logits for every agent's head, `[R, P] -> [R * N, A]`. */
  parentLogits(views: Views, parents: Expr): Expr;
  /** The same where each agent has parent inputs of its own, for its own head alone, `[N, R, P] -> [N * R, A]`. */
  ownParentLogits(views: Views, parents: Expr): Expr;
}

export function bnActor(name: string, options: BnActorOptions): BnActor {
  const { agents, observationSize, actions, parentInput, heads, hidden } = options;
  const sharesObservations = parentInput === "observations-and-actions";
  const parentInputSize = agents * (actions + (sharesObservations ? observationSize : 0));
  const observationBase = baseNetwork(`${name}/observation`, observationSize, options);
  const parentBase = sharesObservations
    ? baseNetwork(`${name}/parents`, parentInputSize, options)
    : undefined;

  const identity = heads === "shared" ? agents : 0;
  const outputs = heads === "shared" ? actions : agents * actions;
  const parentFeatures = parentBase === undefined ? parentInputSize : hidden;
  const features = hidden + parentFeatures + identity;
  const weights: Parameter = {
    name: `${name}/head/w`,
    shape: [features, outputs],
    initialise: columnBlocks(outputs / actions, orthogonal(0.01)),
  };
  const bias: Parameter = { name: `${name}/head/b`, shape: [outputs], initialise: zeros };

  const ofObservations = (views: Views): Expr => slice(views[weights.name], 0, 0, hidden);
  const ofParents = (views: Views): Expr => slice(views[weights.name], 0, hidden, hidden + parentFeatures);
  /** Features times weights of the head, `[R, ...]`, as a row for each agent, `[R * N, A]`. */
  const forAgents = (product: Expr): Expr => {
    const rows = product.shape[0];
    const table = reshape(product, [rows, heads === "shared" ? 1 : agents, actions]);
    return reshape(expand(table, [rows, agents, actions]), [rows * agents, actions]);
  };
  /** What the head adds for each agent whatever its input, `[N, A]`. */
  const constantLogits = (views: Views): Expr =>
    heads === "shared"
      ? add(slice(views[weights.name], 0, hidden + parentFeatures, features), views[bias.name])
      : reshape(views[bias.name], [agents, actions]);

  return {
    options,
    parameters: [...observationBase.parameters, ...(parentBase?.parameters ?? []), weights, bias],
    parentInputSize,
    normalisesInput: {
      observation: observationBase.normalisesInput,
      parents: parentBase?.normalisesInput,
    },
    observationLogits(views, observations) {
      const rows = observations.shape[0];
      const logits = forAgents(observationBase.product(views, observations, ofObservations(views)));
      const table = add(reshape(logits, [rows, agents, actions]), constantLogits(views));
      return reshape(table, [rows * agents, actions]);
    },
    parentLogits(views, parents) {
      const half = ofParents(views);
      return forAgents(
        parentBase === undefined ? matMul(parents, half) : parentBase.product(views, parents, half),
      );
    },
    ownParentLogits(views, parents) {
      const [, samples] = parents.shape;
      const half = ofParents(views);
      const own =
        heads === "shared" ? half : transpose(reshape(half, [parentFeatures, agents, actions]), [1, 0, 2]);
      const logits =
        parentBase === undefined
          ? matMul(parents, own)
          : parentBase.product(views, reshape(parents, [agents * samples, parentInputSize]), own);
      return reshape(logits, [agents * samples, actions]);
    },
  };
}

/** Initialises `blocks` equal groups of columns one by one, so that each head is a matrix of its own. */
const columnBlocks =
  (blocks: number, initialise: Initialiser): Initialiser =>
  ([rows, columns], rng) => {
    const width = columns / blocks;
    const out = new Float64Array(rows * columns);
    for (let block = 0; block < blocks; block++) {
      const values = initialise([rows, width], rng.split(`head ${block}`));
      for (let row = 0; row < rows; row++) {
        out.set(values.subarray(row * width, (row + 1) * width), row * columns + block * width);
      }
    }
    return out;
  };

/** Expressions that joint sampling reads. */
export interface JointSamplingInputs {
  /** `[B, N, O]` */
  readonly observations: Expr;
  /** 1 where the column is a parent of the row, `[B, N, N]`. */
  readonly parents: Expr;
  /** Agents in the order in which they act, int32 `[B, N]`. */
  readonly order: Expr;
  /** Gumbel noise, zeros for the most likely actions, `[B, N, A]`. */
  readonly noise: Expr;
  /** 1 for each action that may be played, `[B, N, A]`. */
  readonly available?: Expr;
}

/**
 * Samples joint actions along the DAG: agents act stage by stage, each reading what its parents just chose, all
 * environments at once. An action is the argmax of log-probability plus Gumbel noise, so noise zero gives the most
 * likely action at every node.
 *
 * @param stages sizes of consecutive groups of `order` that act together; the first group has no parents
 * @returns actions, int32 `[B, N]`, and their log-probabilities `[B, N]`
 */
export function sampleJointActions(
  actor: BnActor,
  views: Views,
  stages: readonly number[],
  inputs: JointSamplingInputs,
): { readonly actions: Expr; readonly logProbabilities: Expr } {
  const { agents, actions, parentInput, observationSize } = actor.options;
  const { observations, order, noise, available } = inputs;
  const batch = observations.shape[0];
  const dtype = "float32";
  const firstRow = constant(
    "int32",
    [batch, 1],
    Array.from({ length: batch }, (_, b) => b * agents),
  );
  const ownLogits = actor.observationLogits(views, reshape(observations, [batch * agents, observationSize]));
  const noiseRows = reshape(noise, [batch * agents, actions]);
  const parentRows = reshape(inputs.parents, [batch * agents, agents]);

  let chosen: Expr | undefined;
  let start = 0;
  for (const width of stages) {
    const rows = batch * width;
    const agent = slice(order, 1, start, start + width);
    const row = reshape(add(agent, firstRow), [rows]);
    const agentOfRow = reshape(agent, [rows]);
    const slotRow = (count: number): Expr =>
      add(
        agentOfRow,
        constant(
          "int32",
          [rows],
          Array.from({ length: rows }, (_, r) => (count === 1 ? 0 : r * agents)),
        ),
      );

    let fromParents: Expr;
    if (chosen === undefined) {
      const nothing = constant(dtype, [1, actor.parentInputSize], new Float32Array(actor.parentInputSize));
      fromParents = gather(actor.parentLogits(views, nothing), slotRow(1));
    } else {
      const acted = slice(chosen, 2, 0, actions);
      const told = parentInput === "actions" ? acted : concat([observations, acted], 2);
      const mask = reshape(gather(parentRows, row), [batch, width, agents, 1]);
      const block = mul(reshape(told, [batch, 1, agents, told.shape[2]]), mask);
      const table = actor.parentLogits(views, reshape(block, [rows, actor.parentInputSize]));
      fromParents = gather(table, slotRow(rows));
    }
    const own = gather(ownLogits, add(mul(row, agents), agentOfRow));
    let logits = add(own, fromParents);
    if (available !== undefined) {
      logits = maskLogits(logits, gather(reshape(available, [batch * agents, actions]), row));
    }
    const logProbabilities = logSoftmax(logits);
    const action = oneHot(argMax(add(logProbabilities, gather(noiseRows, row)), 1), actions, dtype);
    const taken = sum(mul(logProbabilities, action), [1], true);

    // Each slot's choice is added to the row of its agent; all other rows get zeros.
    const place = transpose(oneHot(agent, agents, dtype), [0, 2, 1]);
    const choice = matMul(place, reshape(concat([action, taken], 1), [batch, width, actions + 1]));
    chosen = chosen === undefined ? choice : add(chosen, choice);
    start += width;
  }
  const all = chosen!;
  return {
    actions: cast(argMax(slice(all, 2, 0, actions), 2), "int32"),
    logProbabilities: reshape(slice(all, 2, actions, actions + 1), [batch, agents]),
  };
}

/**
 * Log-probabilities of all actions for rows that name their agent, observation and parent input by index into tables
 * of distinct ones: `observations` `[U1, O]`, `parents` `[U2, P]`, `observationRow` and `parentRow` `[K]`
 * (distinct row times N plus agent), `available` `[K, A]`.
 *
 * @returns `[K, A]`
 */
export function conditionalLogProbabilities(
  actor: BnActor,
  views: Views,
  inputs: {
    readonly observations: Expr;
    readonly parents: Expr;
    readonly observationRow: Expr;
    readonly parentRow: Expr;
    readonly available?: Expr;
  },
): Expr {
  const logits = add(
    gather(actor.observationLogits(views, inputs.observations), inputs.observationRow),
    gather(actor.parentLogits(views, inputs.parents), inputs.parentRow),
  );
  return logSoftmax(inputs.available === undefined ? logits : maskLogits(logits, inputs.available));
}

/**
 * Log-probabilities of all actions in `R` samples whose DAGs are expressions, so that gradients reach them: where an
 * edge is missing the gradient says what it would change. No row is shared but those of the agents' own observations.
 *
 * Agents come before samples, so that each agent's head is one product, and what an agent would tell is the same for all.
 *
 * @param inputs.observations distinct observations `[U, O]`
 * @param inputs.observationOf which of them each agent made, int32 `[N * R]`
 * @param inputs.parents 1 where the last axis' agent is a parent of the first's, `[N, R, N]`
 * @param inputs.told what each agent tells its children, agent by agent, `[R, P]`
 * @param inputs.available `[N * R, A]`
 * @returns `[N * R, A]`
 */
export function logProbabilitiesUnderDags(
  actor: BnActor,
  views: Views,
  inputs: {
    readonly observations: Expr;
    readonly observationOf: Expr;
    readonly parents: Expr;
    readonly told: Expr;
    readonly available?: Expr;
  },
): Expr {
  const { agents } = actor.options;
  const [samples, width] = inputs.told.shape;
  const dtype = inputs.parents.dtype as "float32";
  const rows = agents * samples;
  // A product with ones repeats each entry over its slot, several times faster than broadcasting over short rows.
  const repeat = constant(
    dtype,
    [agents, width],
    Array.from({ length: agents * width }, (_, k) =>
      Math.floor((k % width) / (width / agents)) === Math.floor(k / width) ? 1 : 0,
    ),
  );
  const mask = matMul(reshape(inputs.parents, [rows, agents]), repeat);
  const heard = mul(reshape(mask, [agents, samples, width]), inputs.told);
  const agentOfRow = constant(
    "int32",
    [rows],
    Array.from({ length: rows }, (_, row) => Math.floor(row / samples)),
  );
  const ownRow = add(mul(inputs.observationOf, agents), agentOfRow);
  const own = gather(actor.observationLogits(views, inputs.observations), ownRow);
  const logits = add(own, actor.ownParentLogits(views, heard));
  return logSoftmax(inputs.available === undefined ? logits : maskLogits(logits, inputs.available));
}
