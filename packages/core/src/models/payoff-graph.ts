import type { CoordinationGraph } from "../structure/index.ts";
import {
  add,
  constant,
  type Expr,
  gather,
  gemm,
  matMul,
  mean,
  mul,
  nn,
  type Parameter,
  pick,
  relu,
  reshape,
  rows,
  slice,
  transpose,
  type Views,
} from "../tensor/index.ts";

export interface PayoffGraphOptions {
  /** `A`: actions of every agent; fewer are padded. */
  readonly actions: number;
  /** `d`: width of an agent's features. */
  readonly width: number;
  /** Widths of the hidden layers of utilities and payoffs; none makes both linear. */
  readonly hidden: readonly number[];
  /** Number of products of two vectors that add up to a payoff matrix; full matrices when left out. */
  readonly rank?: number;
}

/**
 * What agents' features `h_i` say about joint actions (Böhmer et al. 2020, "Deep Coordination Graphs"): a utility
 * `f_i(a_i)` for each agent, by one network for all, and a payoff `f_ij(a_i, a_j)` for each edge of a coordination graph,
 * by one network for all, applied both ways round and averaged so that the direction of an edge does not matter.
 */
export interface PayoffGraph {
  readonly graph: CoordinationGraph;
  readonly parameters: readonly Parameter[];
  /** `[..., N, d] -> [..., N, A]` */
  utilities(views: Views, features: Expr): Expr;
  /** `[S, N, d] -> [S, E, A, A]`: rows are actions of an edge's first agent. There must be an edge. */
  payoffs(views: Views, features: Expr): Expr;
}

export function payoffGraph(
  name: string,
  graph: CoordinationGraph,
  options: PayoffGraphOptions,
): PayoffGraph {
  const { agents, first, second } = graph;
  const { actions, width, hidden, rank } = options;
  const edges = first.length;
  const utility = nn.mlp(`${name}/utility`, width, actions, { hidden });
  // The first layer, on a pair's features side by side, is the sum of what it makes of either agent: found once for each
  // agent, not for each edge.
  const outputs = rank === undefined ? actions * actions : 2 * rank * actions;
  const [pairWidth, ...deeper] = [...hidden, outputs];
  const pair = nn.linear(`${name}/payoff/0`, 2 * width, pairWidth);
  const rest = deeper.map((to, k) => nn.linear(`${name}/payoff/${k + 1}`, [pairWidth, ...deeper][k], to));
  const [pairWeights, pairBias] = pair.parameters.map((parameter) => parameter.name);
  // Every edge both ways round, all one way first.
  const ones = [...first, ...second];
  const others = [...second, ...first];

  /** Payoffs of directed edges, `[S, 2E, A, A]`. */
  function directed(views: Views, features: Expr): Expr {
    const samples = features.shape[0];
    const weights = views[pairWeights];
    const asOne = gemm(rows(features), slice(weights, 0, 0, width), views[pairBias]);
    const asOther = gemm(rows(features), slice(weights, 0, width, 2 * width));
    const agentsOf = (of: readonly number[]) =>
      constant("int32", [samples * of.length], rowsOf(samples, agents, of));
    let value = add(gather(asOne, agentsOf(ones)), gather(asOther, agentsOf(others)));
    for (const layer of rest) value = layer.apply(views, relu(value));
    if (rank === undefined) return reshape(value, [samples, 2 * edges, actions, actions]);
    const factors = reshape(value, [samples * 2 * edges, rank, 2 * actions]);
    const left = slice(factors, 2, 0, actions);
    const right = slice(factors, 2, actions, 2 * actions);
    const product = matMul(transpose(left, [0, 2, 1]), right);
    return reshape(product, [samples, 2 * edges, actions, actions]);
  }

  return {
    graph,
    parameters: [utility, ...(edges === 0 ? [] : [pair, ...rest])].flatMap(({ parameters }) => parameters),
    utilities: utility.apply,
    payoffs(views, features) {
      const both = directed(views, features);
      const forth = slice(both, 1, 0, edges);
      const back = transpose(slice(both, 1, edges, 2 * edges), [0, 1, 3, 2]);
      return mul(add(forth, back), 0.5);
    },
  };
}

/**
 * Value `[S]` of joint actions: the mean of all agents' utilities plus the mean of all edges' payoffs.
 *
 * @param utilities `[S, N, A]`
 * @param payoffs `[S, E, A, A]`, undefined where there are no edges
 * @param played int32 `[S, N]`
 */
export function jointValue(
  { agents, first, second }: CoordinationGraph,
  utilities: Expr,
  payoffs: Expr | undefined,
  played: Expr,
): Expr {
  const alone = mean(pick(utilities, played), [1]);
  if (payoffs === undefined) return alone;
  const [samples, edges, actions] = payoffs.shape;
  const playedBy = (of: Int32Array): Expr =>
    gather(
      reshape(played, [samples * agents]),
      constant("int32", [samples, edges], rowsOf(samples, agents, of)),
    );
  const joint = add(mul(playedBy(first), actions), playedBy(second));
  return add(alone, mean(pick(reshape(payoffs, [samples, edges, actions * actions]), joint), [1]));
}

/** Rows of a table `[S * N]` that hold the given agents of every sample. */
const rowsOf = (samples: number, agents: number, of: ArrayLike<number>): Int32Array =>
  Int32Array.from(
    { length: samples * of.length },
    (_, k) => Math.floor(k / of.length) * agents + of[k % of.length],
  );
