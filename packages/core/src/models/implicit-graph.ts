import {
  abs,
  add,
  concat,
  type Expr,
  expand,
  filled,
  matMul,
  nn,
  oneHot,
  type Parameter,
  range,
  reshape,
  softmax,
  sub,
  sum,
  tanh,
  transpose,
  uniform,
  type Views,
  xavier,
  zeros,
} from "../tensor/index.ts";

/**
 * How much agent i heeds agent j, before the softmax over j: `general` (W e_i) · e_j, `dot` e_i · e_j, `diff` the tanh of a
 * linear map of |e_i - e_j|. Without a score: `identity`, every agent heeds itself alone; `uniform`, all alike.
 */
export const attentionScores = ["general", "dot", "diff", "identity", "uniform"] as const;

export type AttentionScore = (typeof attentionScores)[number];

export interface ImplicitGraphOptions {
  /** `N`. */
  readonly agents: number;
  /** `O`: numbers that an agent observes. */
  readonly observationSize: number;
  /** Whether an agent is told which one it is. */
  readonly agentId: boolean;
  /** Width of the encoder's hidden layer. */
  readonly encoderWidth: number;
  /** `d`: width of an embedding. */
  readonly width: number;
  /** Number of graph layers. */
  readonly layers: number;
  readonly score: AttentionScore;
}

/** Embeds what each of `N` agents observes, together with what the agents that it heeds observe. */
export interface ImplicitGraph {
  readonly parameters: readonly Parameter[];
  /** How much each agent (row) heeds each, itself included: `[S, N, O] -> [S, N, N]`, rows sum to 1. */
  weights(views: Views, observations: Expr): Expr;
  /** `[S, N, O] -> [S, N, d]` */
  apply(views: Views, observations: Expr): Expr;
}

/**
 * The deep implicit coordination graph (Li et al. 2021, "Deep Implicit Coordination Graphs for Multi-agent Reinforcement
 * Learning"). An encoder shared by all agents gives e⁰; attention `α` among the e⁰ is the graph, the same in all its layers
 * eˡ⁺¹ = tanh(α eˡ Wˡ + bˡ); the result is e⁰ plus the last layer's output.
 */
export function implicitGraph(name: string, options: ImplicitGraphOptions): ImplicitGraph {
  const { encoderWidth, width, layers, score } = options;
  const encoder = tanhMlp(`${name}/encoder`, inputSize(options), width, [encoderWidth]);
  const scored = score === "general" || score === "diff";
  const attention = nn.linear(`${name}/attention`, width, score === "diff" ? 1 : width, { bias: false });
  const initial = uniform(1 / Math.sqrt(width));
  const convolutions = Array.from({ length: layers }, (_, layer) =>
    nn.linear(`${name}/layer/${layer}`, width, width, { weights: initial, biases: initial }),
  );

  const encode = (views: Views, observations: Expr): Expr =>
    tanh(encoder.apply(views, agentInputs(options, observations)));

  function attend(views: Views, embeddings: Expr): Expr {
    const [samples, agents] = embeddings.shape;
    const { dtype } = embeddings;
    const shape = [samples, agents, agents];
    if (score === "uniform") return filled(dtype, shape, 1 / agents);
    if (score === "identity") return expand(identities(dtype, agents), shape);
    if (score === "diff") {
      const one = reshape(embeddings, [samples, agents, 1, width]);
      const other = reshape(embeddings, [samples, 1, agents, width]);
      return softmax(reshape(tanh(attention.apply(views, abs(sub(one, other)))), shape));
    }
    const queries = score === "general" ? attention.apply(views, embeddings) : embeddings;
    return softmax(matMul(queries, transpose(embeddings, [0, 2, 1])));
  }

  return {
    parameters: [encoder, ...(scored ? [attention] : []), ...convolutions].flatMap((part) => part.parameters),
    weights: (views, observations) => attend(views, encode(views, observations)),
    apply(views, observations) {
      const encoded = encode(views, observations);
      const weights = attend(views, encoded);
      let embeddings = encoded;
      for (const convolution of convolutions) {
        // The rows of weights sum to 1, so that a bias may as well be added before averaging.
        embeddings = tanh(matMul(weights, convolution.apply(views, embeddings)));
      }
      return add(encoded, embeddings);
    },
  };
}

export interface ImplicitGraphActorOptions extends ImplicitGraphOptions {
  /** `A`. */
  readonly actions: number;
  /** Widths of the hidden layers of the network that scores actions. */
  readonly headWidths: readonly number[];
  /** Whether agents read embeddings, for which they must exchange observations; else each reads its own observation. */
  readonly communicates: boolean;
}

/** Scores (utilities or logits) of all agents' actions, `[S, N, O] -> [S, N, A]`, by a network that all agents share. */
export function implicitGraphActor(name: string, options: ImplicitGraphActorOptions): nn.Module {
  const { actions, headWidths, communicates, width } = options;
  if (!communicates) {
    const head = tanhMlp(`${name}/head`, inputSize(options), actions, headWidths);
    return {
      parameters: head.parameters,
      apply: (views, observations) => head.apply(views, agentInputs(options, observations)),
    };
  }
  return nn.sequence(
    implicitGraph(`${name}/graph`, options),
    tanhMlp(`${name}/head`, width, actions, headWidths),
  );
}

export interface ImplicitGraphCriticOptions extends ImplicitGraphOptions {
  /** Widths of the hidden layers of the network that values embeddings. */
  readonly criticWidths: readonly number[];
  /** Whether a network values every agent's embedding and the values are added up, or values all of them side by side. */
  readonly aggregation: "sum" | "direct";
}

/** The team's value, `[S, N, O] -> [S]`, from an implicit graph of its own. */
export function implicitGraphCritic(name: string, options: ImplicitGraphCriticOptions): nn.Module {
  const { agents, width, criticWidths, aggregation } = options;
  const graph = implicitGraph(`${name}/graph`, options);
  const valued = aggregation === "sum" ? agents : 1;
  const head = tanhMlp(`${name}/head`, (width * agents) / valued, 1, criticWidths);
  return {
    parameters: [...graph.parameters, ...head.parameters],
    apply(views, observations) {
      const embeddings = graph.apply(views, observations);
      const samples = observations.shape[0];
      const values = head.apply(views, reshape(embeddings, [samples, valued, (width * agents) / valued]));
      return sum(values, [1, 2]);
    },
  };
}

/** A multilayer perceptron with tanh between its layers, Glorot's uniform weights and zero biases. */
const tanhMlp = (name: string, inputs: number, outputs: number, hidden: readonly number[]): nn.Module =>
  nn.mlp(name, inputs, outputs, {
    hidden,
    activation: tanh,
    linear: (name, inputs, outputs) => nn.linear(name, inputs, outputs, { weights: xavier(), biases: zeros }),
  });

type InputOptions = Pick<ImplicitGraphOptions, "agents" | "observationSize" | "agentId">;

const inputSize = ({ agents, observationSize, agentId }: InputOptions): number =>
  observationSize + (agentId ? agents : 0);

/** Observations with the agents' identities behind them, where they are told: `[S, N, O] -> [S, N, O + N]`. */
function agentInputs({ agents, agentId }: InputOptions, observations: Expr): Expr {
  if (!agentId) return observations;
  const samples = observations.shape[0];
  return concat([observations, expand(identities(observations.dtype, agents), [samples, agents, agents])], 2);
}

/** The identity matrix, `[1, N, N]`. */
const identities = (dtype: Expr["dtype"], agents: number): Expr =>
  reshape(oneHot(range("int32", agents), agents, dtype as "float32"), [1, agents, agents]);
