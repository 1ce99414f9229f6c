/**
 * The differentiable DAG learner (Context-aware BN, Section 6.1; Charpentier et al. 2022): two networks read the joint
 * observation; one gives an order of the agents by Gumbel-Sinkhorn (Mena et al. 2018), the other edges by
 * Gumbel-softmax (Jang et al. 2017). Edges run from earlier to later agents only, so every DAG is acyclic.
 *
 * The DAG that is used is hard: the best assignment of agents to ranks, and the likelier class of each edge, under the
 * noise. Gradients are those of the soft choices (straight-through).
 *
 * The assignment is found between two runs of programs: one gives scores, `dagChooser` solves the assignments, and the
 * program that learns takes the hard choices as inputs; what was chosen while playing can then be told to the first step as
 * it was, so that its ratios are exactly one. The gradient goes back by the same way: that program gives it for the parents,
 * `dagGradient` carries it to the scores, and a step of the two networks starts from there. So an update never has Sinkhorn's
 * iterations as operators, whose passes over all samples took most of its time. With ten agents and 640 samples of the
 * Coordination Game scores take 0.5 ms, assignments 0.3 ms, the policy's step 0.9 ms, the way back 1.1 ms, the networks' step
 * 0.9 ms.
 */
import {
  add,
  constant,
  div,
  type Expr,
  exp,
  filled,
  gather,
  gemm,
  logSigmoid,
  logSumExp,
  matMul,
  mean,
  mul,
  nn,
  oneHot,
  type Parameter,
  relu,
  reshape,
  sigmoid,
  slice,
  stopGradient,
  sub,
  sum,
  transpose,
  type Views,
} from "../tensor/index.ts";

export interface DagLearnerOptions {
  /** `N`. */
  readonly agents: number;
  /** `O`. */
  readonly observationSize: number;
  /** Whether all agents observe the same; the joint observation is then that of one. */
  readonly sharedObservation: boolean;
  /** Width of the hidden layers. */
  readonly hidden: number;
  /** Whether the order of agents is learned or always `0..N-1`. */
  readonly dagOrder: "learned" | "identity";
  /**
   * The edges' network: a perceptron that reads the joint observation, or a DeepSet that reads one token for each agent,
   * its observation and identity, or its observation alone.
   */
  readonly edgeNetwork: "mlp" | "deep-set" | "deep-set-without-identity";
  /** Whether an edge belongs to two agents, present if their order permits it, or to two places of the order. */
  readonly edgeIndexing: "agent" | "rank";
}

/** What decides about DAGs, noise included. */
export interface DagScores {
  /** How well agent (column) fits rank (row), `[R, N, N]`; absent where the order is fixed. */
  readonly order?: Expr;
  /** An edge from row to column is chosen where positive, `[R, N, N]`; by agents or by ranks. */
  readonly edges: Expr;
}

export interface DagLearner {
  readonly options: DagLearnerOptions;
  readonly parameters: readonly Parameter[];
  /** `X`: numbers in a joint observation. */
  readonly inputSize: number;
  /**
   * Scores of `R` samples.
   *
   * @param inputs.jointObservations `[U, X]`; without repetitions, networks are evaluated once for each
   * @param inputs.jointRow which of them each sample observed, `[R]`; sample r observed the r-th when left out
   * @param inputs.orderNoise Gumbel, none for the likeliest, `[R, N, N]`
   * @param inputs.edgeNoise logistic, the difference of the two Gumbels of an edge's classes, `[R, N, N]`
   */
  scores(
    views: Views,
    inputs: {
      readonly jointObservations: Expr;
      readonly jointRow?: Expr;
      readonly orderNoise?: Expr;
      readonly edgeNoise?: Expr;
    },
  ): DagScores;
  /**
   * The hard DAGs with the gradients of the soft ones, as expressions (where speed matters, `dagGradient`): 1 where the column is a parent of the row, `[R, N, N]`.
   *
   * @param chosen the hard choices that these scores led to: agents by rank, int32 `[R, N]`, and edges `[R, N, N]`
   */
  parents(scores: DagScores, chosen: { readonly order: Expr; readonly edges: Expr }): Expr;
}

export function dagLearner(name: string, options: DagLearnerOptions): DagLearner {
  const { agents, observationSize, sharedObservation, hidden, dagOrder, edgeIndexing } = options;
  const inputSize = sharedObservation ? observationSize : agents * observationSize;
  const pairs = agents * agents;
  const order =
    dagOrder === "learned" ? nn.mlp(`${name}/order`, inputSize, pairs, { hidden: [hidden] }) : undefined;
  const edges = edgeLogits(`${name}/edges`, inputSize, options);
  const ofSamples = (table: Expr, row: Expr | undefined): Expr => {
    const chosen = row === undefined ? table : gather(table, row);
    return reshape(chosen, [chosen.shape[0], agents, agents]);
  };

  return {
    options,
    parameters: [...(order?.parameters ?? []), ...edges.parameters],
    inputSize,
    scores(views, { jointObservations, jointRow, orderNoise, edgeNoise }) {
      return {
        order:
          order &&
          add(ofSamples(logSigmoid(order.apply(views, jointObservations)), jointRow), orderNoise ?? 0),
        edges: add(ofSamples(edges.apply(views, jointObservations), jointRow), edgeNoise ?? 0),
      };
    },
    parents(scores, chosen) {
      const { dtype } = scores.edges;
      const wished = straightThrough(chosen.edges, sigmoid(scores.edges));
      const later = strictlyUpper(dtype as "float32", agents);
      if (scores.order === undefined) return transpose(mul(wished, later), [0, 2, 1]);
      const hard = oneHot(chosen.order, agents, dtype as "float32");
      const places = straightThrough(hard, sinkhorn(scores.order));
      const agentsByRank = transpose(places, [0, 2, 1]);
      const edges =
        edgeIndexing === "rank"
          ? matMul(agentsByRank, matMul(mul(wished, later), places))
          : mul(wished, matMul(agentsByRank, matMul(later, places)));
      return transpose(edges, [0, 2, 1]);
    },
  };
}

/** The hard values with the gradient of the soft ones. */
const straightThrough = (hard: Expr, soft: Expr): Expr => add(hard, sub(soft, stopGradient(soft)));

/** 1 where the column comes after the row, `[N, N]`. */
const strictlyUpper = (dtype: "float32" | "float64", size: number): Expr =>
  constant(
    dtype,
    [size, size],
    Array.from({ length: size * size }, (_, k) => (k % size > Math.floor(k / size) ? 1 : 0)),
  );

/** Logits that edges are present less those that they are absent, `[U, X] -> [U, N^2]`. */
function edgeLogits(name: string, inputSize: number, options: DagLearnerOptions): nn.Module {
  const { agents, observationSize, sharedObservation, hidden, edgeNetwork } = options;
  const outputs = 2 * agents * agents;
  const linear = (name: string, inputs: number, outputs: number, last: boolean): nn.Module =>
    last ? differenceOfClasses(name, inputs, outputs) : nn.linear(name, inputs, outputs);
  if (edgeNetwork === "mlp") return nn.mlp(name, inputSize, outputs, { hidden: [hidden], linear });

  const identity = edgeNetwork === "deep-set" ? agents : 0;
  // Tokens that are all the same have themselves as mean: one is enough.
  const tokens = sharedObservation && identity === 0 ? 1 : agents;
  const first = nn.linear(`${name}/encoder/0`, observationSize + identity, hidden);
  const second = nn.linear(`${name}/encoder/1`, hidden, hidden);
  const third = nn.linear(`${name}/encoder/2`, hidden, hidden);
  const decoder = nn.mlp(`${name}/decoder`, hidden, outputs, { hidden: [hidden, hidden], linear });
  const [weights, bias] = first.parameters;

  /** The first layer on tokens, `[U * tokens, H]`: shares of observation and identity are added, not joined before. */
  const firstLayer = (views: Views, joint: Expr): Expr => {
    const count = joint.shape[0];
    const seen = sharedObservation ? 1 : agents;
    const observations = reshape(joint, [count * seen, observationSize]);
    if (identity === 0) return first.apply(views, observations);
    const fromObservation = matMul(observations, slice(views[weights.name], 0, 0, observationSize));
    const fromIdentity = add(
      slice(views[weights.name], 0, observationSize, observationSize + identity),
      views[bias.name],
    );
    const tokens = add(reshape(fromObservation, [count, seen, hidden]), fromIdentity);
    return reshape(tokens, [count * agents, hidden]);
  };

  return {
    parameters: [first, second, third, decoder].flatMap(({ parameters }) => parameters),
    apply(views, joint) {
      const encoded = relu(second.apply(views, relu(firstLayer(views, joint))));
      // The last layer is linear, so it may come after the mean over agents.
      const pooled = tokens === 1 ? encoded : mean(reshape(encoded, [joint.shape[0], tokens, hidden]), [1]);
      return decoder.apply(views, third.apply(views, pooled));
    },
  };
}

/**
 * A linear layer of logits of two classes, half of them for each, that gives their differences: only these matter, and
 * weights are fewer than logits.
 */
function differenceOfClasses(name: string, inputs: number, outputs: number): nn.Module {
  const { parameters } = nn.linear(name, inputs, outputs);
  const [weights, bias] = parameters;
  const difference = (a: Expr, axis: number): Expr =>
    sub(slice(a, axis, 0, outputs / 2), slice(a, axis, outputs / 2, outputs));
  return {
    parameters,
    apply: (views, x) => gemm(x, difference(views[weights.name], 1), difference(views[bias.name], 0)),
  };
}

/**
 * The doubly stochastic matrices that matrices of scores have as their softmax over permutations: `exp(scores)` with
 * rows and columns normalised in turn (Sinkhorn 1964), `[R, N, N] -> [R, N, N]`.
 *
 * The first iteration works on logarithms. After it each column holds an entry of at least `1 / N`, and no
 * normalisation ever takes a row or a column out of `[1 / N^2, N]`, so that the others can neither overflow nor divide
 * by zero and need no logarithms: three times as fast. Samples lie along the last axis in between, where the runtime is
 * several times faster at such small matrices.
 */
export function sinkhorn(scores: Expr, iterations = 20): Expr {
  const [samples, size] = scores.shape;
  const table = transpose(reshape(scores, [samples, size * size]), [1, 0]);
  let logarithms = reshape(table, [size, size, samples]);
  logarithms = sub(logarithms, logSumExp(logarithms, 1, true));
  logarithms = sub(logarithms, logSumExp(logarithms, 0, true));
  let soft = exp(logarithms);
  const ones = filled(scores.dtype, [1, size], 1);
  for (let k = 1; k < iterations; k++) {
    soft = div(soft, sum(soft, [1], true));
    const columns = matMul(ones, reshape(soft, [size, size * samples]));
    soft = div(soft, reshape(columns, [1, size, samples]));
  }
  const result = transpose(reshape(soft, [size * size, samples]), [1, 0]);
  return reshape(result, [samples, size, size]);
}
