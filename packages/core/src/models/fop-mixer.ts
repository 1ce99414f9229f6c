import {
  abs,
  add,
  concat,
  type Expr,
  matMul,
  mul,
  nn,
  type Parameter,
  relu,
  reshape,
  sigmoid,
  sizeOf,
  softmax,
  square,
  stopGradient,
  sub,
  sum,
  transpose,
  uniformFanIn,
  type Views,
} from "../tensor/index.ts";

export interface FopMixerOptions {
  /** `N`. */
  readonly agents: number;
  /** `A`: the largest number of actions of an agent. */
  readonly actions: number;
  /** `S`. */
  readonly stateSize: number;
  /** `U`: numbers in what the mixer is told of one agent. */
  readonly unitSize: number;
  /** `H`: attention heads, and as many factors of the importance of advantages. */
  readonly heads: number;
  /** `E`: width of queries, keys and of the layer below the state's value. */
  readonly embedding: number;
  /** Width of the layer that queries are read from. */
  readonly hypernetHidden: number;
}

/** What is mixed. */
export interface FopMixerInputs {
  /** `Q_i` of each agent's action, `[K, B, N]`. */
  readonly utilities: Expr;
  /** `V_i`, what each agent's situation is worth, `[K, B, N]`. */
  readonly values: Expr;
  /** `[K, B, S]` */
  readonly states: Expr;
  /** What the mixer is told of each agent, `[K, B, N, U]`. */
  readonly units: Expr;
  /** One-hot, `[K, B, N, A]`. */
  readonly actions: Expr;
}

/**
 * The mixing network of FOP (Zhang et al. 2021), which lets the joint action move the weight of an agent's advantage:
 * `Q = sum_i w_i Q_i + V(s) + sum_i (lambda_i - 1) [w_i (Q_i - V_i)]`, no gradient through the bracket.
 *
 * `w_i` sums over heads the softmax over agents of `query(s) . key(unit_i) / sqrt(E)` (Qatten), so that the weights of
 * all agents sum to the number of heads; `lambda_i` sums over heads products of factors of the state, of the state and
 * agent, and of the state, agent and joint action (QPLEX). The gradient of an agent's utility is its weight alone.
 */
export interface FopMixer {
  readonly options: FopMixerOptions;
  readonly parameters: readonly Parameter[];
  /**
   * The joint value `[K, B]`, and the sum over heads of the mean over agents of the squared attention score `[K, B]`,
   * which the loss is to keep small.
   */
  mix(views: Views, inputs: FopMixerInputs): { readonly total: Expr; readonly scoreSize: Expr };
  /** `w`, `[K, B, N]`, with the size of the scores as above. */
  weights(views: Views, states: Expr, units: Expr): { readonly weights: Expr; readonly scoreSize: Expr };
  /** `lambda`, `[K, B, N]`. */
  importance(views: Views, states: Expr, actions: Expr): Expr;
}

/** Keeps weights positive. */
const SMALL = 1e-10;

export function fopMixer(name: string, options: FopMixerOptions): FopMixer {
  const { agents, actions, stateSize, unitSize, heads, embedding, hypernetHidden } = options;
  // Layers of all heads side by side; each head is initialised as a layer of its own.
  const queryHidden = nn.linear(`${name}/query/0`, stateSize, heads * hypernetHidden);
  const queryWeights: Parameter = {
    name: `${name}/query/1/w`,
    shape: [heads, hypernetHidden, embedding],
    initialise: uniformFanIn(hypernetHidden),
  };
  const key = nn.linear(`${name}/key`, unitSize, heads * embedding, { bias: false });
  const stateFactor = nn.linear(`${name}/importance/state`, stateSize, heads);
  const agentFactor = nn.linear(`${name}/importance/agent`, stateSize, heads * agents);
  const actionFactor = nn.linear(`${name}/importance/action`, stateSize + agents * actions, heads * agents);
  const stateValue = nn.mlp(`${name}/value`, stateSize, 1, { hidden: [embedding] });

  const weights: FopMixer["weights"] = (views, states, units) => {
    const leading = states.shape.slice(0, -1);
    const rows = sizeOf(leading);
    const hidden = relu(queryHidden.apply(views, reshape(states, [rows, stateSize])));
    const byHead = transpose(reshape(hidden, [rows, heads, hypernetHidden]), [1, 0, 2]);
    const query = transpose(matMul(byHead, views[queryWeights.name]), [1, 0, 2]);
    const keys = reshape(key.apply(views, units), [rows, agents, heads, embedding]);
    const products = mul(keys, reshape(query, [rows, 1, heads, embedding]));
    const scores = transpose(sum(products, [3]), [0, 2, 1]);
    const attention = softmax(mul(scores, 1 / Math.sqrt(embedding)));
    return {
      weights: reshape(add(sum(attention, [1]), SMALL), [...leading, agents]),
      scoreSize: reshape(mul(sum(square(scores), [1, 2]), 1 / agents), leading),
    };
  };

  const importance: FopMixer["importance"] = (views, states, played) => {
    const leading = states.shape.slice(0, -1);
    const perAgent = (x: Expr): Expr => sigmoid(reshape(x, [...leading, heads, agents]));
    const all = concat([states, reshape(played, [...leading, agents * actions])], -1);
    const ofState = reshape(add(abs(stateFactor.apply(views, states)), SMALL), [...leading, heads, 1]);
    const ofAgent = perAgent(agentFactor.apply(views, states));
    const ofAction = perAgent(actionFactor.apply(views, all));
    return sum(mul(mul(ofAgent, ofAction), ofState), [-2]);
  };

  return {
    options,
    parameters: [
      ...queryHidden.parameters,
      queryWeights,
      ...key.parameters,
      ...stateFactor.parameters,
      ...agentFactor.parameters,
      ...actionFactor.parameters,
      ...stateValue.parameters,
    ],
    mix(views, { utilities, values, states, units, actions }) {
      const { weights: w, scoreSize } = weights(views, states, units);
      const advantages = stopGradient(mul(w, sub(utilities, values)));
      const moved = mul(sub(importance(views, states, actions), 1), advantages);
      const value = reshape(stateValue.apply(views, states), states.shape.slice(0, -1));
      return { total: add(sum(add(mul(w, utilities), moved), [-1]), value), scoreSize };
    },
    weights,
    importance,
  };
}
