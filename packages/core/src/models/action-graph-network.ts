import { InputError } from "../errors.ts";
import { type ActionGraph, actionGraph, type Neighbourhood, neighbourhoodMask } from "../structure/index.ts";
import {
  add,
  and,
  cast,
  concat,
  constant,
  div,
  type Expr,
  expand,
  type FloatType,
  filled,
  gather,
  gemm,
  maximum,
  mul,
  nn,
  oneHot,
  type Parameter,
  relu,
  reshape,
  type Shape,
  split,
  sum,
  transpose,
  uniformFanIn,
  type Views,
} from "../tensor/index.ts";

export interface ActionGraphNetworkOptions {
  /** How many actions each agent has, `[N]`. */
  readonly actionCounts: readonly number[];
  /** `O`: numbers that an agent observes. */
  readonly observationSize: number;
  /** `d`: width of all layers. */
  readonly width: number;
  /** Heads of an attention layer. */
  readonly heads: number;
  /** Number of attention layers. */
  readonly layers: number;
  /** Whether there is a graph of actions; without one every context is a vector of zeros. */
  readonly graph: "actions" | "none";
  /** Which nodes a node attends to. */
  readonly neighbourhood: Neighbourhood;
  /** Whether an attention layer adds its input to what it gives. */
  readonly residual: boolean;
  /** Whether an attention layer normalises what it gives. */
  readonly layerNorm: boolean;
  /** What an action's score is read from: its agent's observation and context, or these and its own embedding. */
  readonly headInput: "pooled" | "perAction";
  /** Whether nodes and head are told which agent they belong to. */
  readonly agentId: boolean;
  /** Whether agents remember the episode, by a gated recurrent unit that reads their observations. */
  readonly recurrent: boolean;
}

/** What a team sees in `K` samples. */
export interface TeamView {
  /** `[K, N, O]` */
  readonly observations: Expr;
  /** 1 for each action that may be played, `[K, N, A]`; at least one of every agent. */
  readonly available?: Expr;
  /** What agents remember of the steps before, `[K, N, d]`, where they do. */
  readonly hidden?: Expr;
}

/**
 * The network of action-graph policies (AGP, Section 3). Every action of every agent is a node, which is told what its
 * agent observes and which action it is.
 *
 *     node → linear, ReLU, linear, ReLU, linear → attention among nodes, layer by layer → embedding
 *     context of an agent = mean of the embeddings of its available actions
 *     observation, context → linear, ReLU, linear → scores of the agent's actions
 *
 * Nodes share all weights and so do agents, so that permuting agents permutes the scores, unless they are told who they
 * are. Nodes attend to available ones only. Contexts depend on what everybody observes: agents exchange observations before
 * they act, all at once, and never see what the others choose. Initialised as PyTorch initialises linear layers.
 */
export interface ActionGraphNetwork {
  readonly options: ActionGraphNetworkOptions;
  readonly nodes: ActionGraph;
  readonly parameters: readonly Parameter[];
  /** What agents remember between steps, as shapes behind the axis of samples: `hidden` `[N, d]`, or nothing. */
  readonly memory: Readonly<Record<string, Shape>>;
  /** Scores `[K, N, A]` and the next memory by name. Scores of actions that an agent does not have say nothing. */
  step(views: Views, team: TeamView): { readonly utilities: Expr; readonly memory: Views };
  /**
   * Scores `[T, B, N, A]` at all moments of segments, from observations `[T, B, N, O]` and available actions
   * `[T, B, N, A]`. Where agents remember, segments must begin with an episode.
   */
  overMoments(views: Views, team: Pick<TeamView, "observations" | "available">): Expr;
  /**
   * Attention weights of each layer, `[K, heads, M, M]`: rows are the nodes that attend, columns those attended to, in
   * the order of `nodes`. Rows sum to 1; what is unavailable or outside the neighbourhood gets 0.
   */
  attention(views: Views, team: TeamView): readonly Expr[];
}

/** @throws InputError when scores would be read from embeddings of actions that no graph makes */
export function actionGraphNetwork(name: string, options: ActionGraphNetworkOptions): ActionGraphNetwork {
  const { actionCounts, observationSize, width, headInput, recurrent, agentId } = options;
  const hasGraph = options.graph === "actions";
  if (headInput === "perAction" && !hasGraph) {
    throw new InputError(
      `${name}: scores per action need a graph of actions, got graph "none", expected headInput "pooled"`,
    );
  }
  const nodes = actionGraph(actionCounts);
  const { agents } = nodes;
  const actions = Math.max(...actionCounts);
  const own = observationSize + (recurrent ? width : 0) + (agentId ? agents : 0);

  const memoryInput = nn.linear(`${name}/memory/0`, observationSize, width);
  const memoryCell = nn.gruCell(`${name}/memory/1`, width, width);
  const encoder = nn.mlp(`${name}/encoder`, own + actions, width, { hidden: [width] });
  const projection = nn.linear(`${name}/projection`, width, width);
  const layers = Array.from({ length: options.layers }, (_, layer) =>
    attentionLayer(`${name}/attention/${layer}`, options),
  );
  const perAction = headInput === "perAction";
  const headInputs = linearInParts(`${name}/head/0`, [own, width, ...(perAction ? [width] : [])], width);
  const headOutput = nn.linear(`${name}/head/1`, width, perAction ? 1 : actions);
  const fast = arrange(nodes, options.neighbourhood);

  /** Encoded nodes in the order of an arrangement, `[attending, groups, K, d]`. */
  function encode(views: Views, { observations, hidden }: TeamView, { order, attending }: Arrangement): Expr {
    const [samples] = observations.shape;
    const dtype = observations.dtype as FloatType;
    const agentOf = order.map((m) => nodes.agentOf[m]);
    const agentOfNode = constant("int32", [order.length], agentOf);
    const ofAgents = (x: Expr): Expr => gather(transpose(x, [1, 0, 2]), agentOfNode);
    const input = concat(
      [
        ofAgents(observations),
        repeated(
          order.map((m) => nodes.actionOf[m]),
          actions,
          samples,
          dtype,
        ),
        ...(recurrent ? [ofAgents(hidden!)] : []),
        ...(agentId ? [repeated(agentOf, agents, samples, dtype)] : []),
      ],
      2,
    );
    const rows = reshape(input, [order.length * samples, own + actions]);
    const encoded = projection.apply(views, relu(encoder.apply(views, rows)));
    return reshape(encoded, [attending, order.length / attending, samples, width]);
  }

  /** Which of the arranged nodes are available, 1 or 0, `[M, K]`. */
  function availableNodes(available: Expr, { order }: Arrangement): Expr {
    const ofActions = reshape(transpose(available, [1, 2, 0]), [agents * actions, available.shape[0]]);
    const places = order.map((m) => nodes.agentOf[m] * actions + nodes.actionOf[m]);
    return gather(ofActions, constant("int32", [places.length], places));
  }

  /** Who may attend to whom in an arrangement: bool `[V, V]`, `[groups, K, 1, V]` or `[groups, K, V, V]`. */
  function attentionMask({ available }: TeamView, arrangement: Arrangement): Expr | undefined {
    const { order, attending, mask } = arrangement;
    const fixed = mask && constant("bool", [attending, attending], mask);
    if (available === undefined) return fixed;
    const groups = order.length / attending;
    const samples = available.shape[0];
    const keys = reshape(availableNodes(available, arrangement), [attending, groups, samples]);
    const allowed = cast(reshape(transpose(keys, [1, 2, 0]), [groups, samples, 1, attending]), "bool");
    return fixed === undefined ? allowed : and(allowed, fixed);
  }

  /** Sums what belongs to each agent: `[M, X] -> [N, X]`. */
  function sumByAgent(x: Expr, { order, byAction }: Arrangement): Expr {
    const rest = x.shape[1];
    if (nodes.nodes !== agents * actions) {
      const belongs = Array.from({ length: agents * order.length }, (_, k) =>
        nodes.agentOf[order[k % order.length]] === Math.floor(k / order.length) ? 1 : 0,
      );
      return gemm(constant(x.dtype, [agents, order.length], belongs), x);
    }
    return byAction
      ? sum(reshape(x, [actions, agents, rest]), [0])
      : sum(reshape(x, [agents, actions, rest]), [1]);
  }

  /** Mean embedding of every agent's available actions, `[N * K, d]`. */
  function contexts(embeddings: Expr, { available }: TeamView, arrangement: Arrangement): Expr {
    const samples = embeddings.shape[2];
    const count = nodes.nodes;
    const dtype = embeddings.dtype as FloatType;
    const flat = (x: Expr): Expr => reshape(x, [count, samples * width]);
    if (available === undefined) {
      const shares = constant(
        dtype,
        [agents, 1],
        actionCounts.map((own) => 1 / own),
      );
      return reshape(mul(sumByAgent(flat(embeddings), arrangement), shares), [agents * samples, width]);
    }
    const present = availableNodes(available, arrangement);
    const kept = mul(reshape(embeddings, [count * samples, width]), reshape(present, [count * samples, 1]));
    const total = reshape(sumByAgent(flat(kept), arrangement), [agents * samples, width]);
    const counts = reshape(maximum(sumByAgent(present, arrangement), 1), [agents * samples, 1]);
    return div(total, counts);
  }

  /** Scores `[K, N, A]` of a team whose memory is up to date. */
  function scores(views: Views, team: TeamView): Expr {
    const { observations, hidden } = team;
    const [samples] = observations.shape;
    const dtype = observations.dtype as FloatType;
    const identities = Array.from({ length: agents }, (_, i) => i);
    const parts = [
      transpose(observations, [1, 0, 2]),
      ...(recurrent ? [transpose(hidden!, [1, 0, 2])] : []),
      ...(agentId ? [repeated(identities, agents, samples, dtype)] : []),
    ];
    const [forOwn, forContext, forAction] = headInputs.weights(views);
    const ownShare = gemm(reshape(concat(parts, 2), [agents * samples, own]), forOwn, headInputs.bias(views));
    const toScores = (hiddenLayer: Expr): Expr => headOutput.apply(views, relu(hiddenLayer));
    if (!hasGraph) return teamScores(toScores(ownShare), samples);

    const mask = attentionMask(team, fast);
    const encoded = encode(views, team, fast);
    const embeddings = layers.reduce((z, layer) => layer.apply(views, z, mask), encoded);
    const ofAgent = gemm(contexts(embeddings, team, fast), forContext, ownShare);
    if (!perAction) return teamScores(toScores(ofAgent), samples);

    const agentOf = fast.order.map((m) => nodes.agentOf[m]);
    const shared = gather(
      reshape(ofAgent, [agents, samples * width]),
      constant("int32", [nodes.nodes], agentOf),
    );
    const rows = nodes.nodes * samples;
    const hiddenLayer = gemm(reshape(embeddings, [rows, width]), forAction, reshape(shared, [rows, width]));
    return nodeScores(reshape(toScores(hiddenLayer), [nodes.nodes, samples]));
  }

  /** `[N * K, A] -> [K, N, A]` */
  const teamScores = (x: Expr, samples: number): Expr =>
    transpose(reshape(x, [agents, samples, actions]), [1, 0, 2]);

  /** Scores of arranged nodes `[M, K]` as `[K, N, A]`, zeros for actions that there are not. */
  function nodeScores(x: Expr): Expr {
    const samples = x.shape[1];
    const nowhere = nodes.nodes;
    const places = new Array<number>(agents * actions).fill(nowhere);
    fast.order.forEach((m, place) => {
      places[nodes.agentOf[m] * actions + nodes.actionOf[m]] = place;
    });
    const padded = concat([x, filled(x.dtype, [1, samples], 0)], 0);
    const table = gather(padded, constant("int32", [places.length], places));
    return transpose(reshape(table, [agents, actions, samples]), [2, 0, 1]);
  }

  /** The team with its memory brought up to date. */
  function updated(views: Views, team: TeamView): TeamView {
    if (!recurrent) return team;
    const { observations, hidden } = team;
    const rows = observations.shape[0] * agents;
    const seen = relu(memoryInput.apply(views, reshape(observations, [rows, observationSize])));
    const next = memoryCell.apply(views, seen, reshape(hidden!, [rows, width]));
    return { ...team, hidden: reshape(next, hidden!.shape) };
  }

  /** Memories after each moment, `[T * B, N, d]`, from observations `[T, B, N, O]`. */
  function memories(views: Views, observations: Expr): Expr {
    const [moments, size] = observations.shape;
    const rows = size * agents;
    const seen = relu(memoryInput.apply(views, reshape(observations, [moments * rows, observationSize])));
    let hidden = filled(observations.dtype, [rows, width], 0);
    const found = split(seen, new Array<number>(moments).fill(rows), 0).map((present) => {
      hidden = memoryCell.apply(views, present, hidden);
      return hidden;
    });
    return reshape(concat(found, 0), [moments * size, agents, width]);
  }

  return {
    options,
    nodes,
    parameters: [
      ...(recurrent ? [...memoryInput.parameters, ...memoryCell.parameters] : []),
      ...(hasGraph ? [encoder, projection, ...layers].flatMap(({ parameters }) => parameters) : []),
      ...headInputs.parameters,
      ...headOutput.parameters,
    ],
    memory: recurrent ? { hidden: [agents, width] } : {},
    step(views, team) {
      const now = updated(views, team);
      const memory: Views = recurrent ? { hidden: now.hidden! } : {};
      return { utilities: scores(views, now), memory };
    },
    overMoments(views, { observations, available }) {
      const [moments, size] = observations.shape;
      const flat = (x: Expr): Expr => reshape(x, [moments * size, ...x.shape.slice(2)]);
      const found = scores(views, {
        observations: flat(observations),
        available: available && flat(available),
        hidden: recurrent ? memories(views, observations) : undefined,
      });
      return reshape(found, [moments, size, agents, actions]);
    },
    attention(views, team) {
      if (!hasGraph) return [];
      const now = updated(views, team);
      const inOrder = oneGroup(nodes, options.neighbourhood);
      const mask = attentionMask(now, inOrder);
      let z = encode(views, now, inOrder);
      return layers.map((layer) => {
        const weights = layer.weights(views, z, mask);
        z = layer.apply(views, z, mask);
        return reshape(weights, weights.shape.slice(1));
      });
    },
  };
}

/** In which order a computation holds the nodes, and which of them attend to each other. */
interface Arrangement {
  /** The node at each place, `[M]`. */
  readonly order: readonly number[];
  /** `V`: size of the groups within which nodes attend; places `g, g + M / V, g + 2 M / V, ...` are one group. */
  readonly attending: number;
  /** Who may attend to whom within a group, `[V, V]`; all to all without it. */
  readonly mask?: Uint8Array;
  /** Whether nodes are ordered by action before agent. */
  readonly byAction?: boolean;
}

/**
 * Where neighbourhoods are groups of equal size, attention happens group by group: N groups of A nodes, or A groups of N,
 * instead of one of N A. Else, and where groups would only be many small products, all nodes are one group and a mask
 * forbids what is not allowed.
 */
function arrange(nodes: ActionGraph, neighbourhood: Neighbourhood): Arrangement {
  const { agents, starts, agentOf } = nodes;
  const actions = starts[1];
  const isRegular = starts.every((start, i) => start === i * actions);
  const attending = neighbourhood === "sameAction" ? agents : actions;
  const isGrouped = isRegular && (neighbourhood === "sameAction" || neighbourhood === "sameAgent");
  if (!isGrouped || attending * nodes.nodes < SMALLEST_GROUPS) return oneGroup(nodes, neighbourhood);
  const order = Array.from(agentOf, (_, m) => m);
  if (neighbourhood === "sameAction") return { order, attending };
  const actionByAction = order.map((k) => (k % agents) * actions + Math.floor(k / agents));
  return { order: actionByAction, attending, byAction: true };
}

/** Entries of all groups' attention matrices from which groups were measured to be faster than one masked matrix. */
const SMALLEST_GROUPS = 120;

/** All nodes in their order, with a mask for those that a node may not attend to. */
const oneGroup = (nodes: ActionGraph, neighbourhood: Neighbourhood): Arrangement => ({
  order: Array.from(nodes.agentOf, (_, m) => m),
  attending: nodes.nodes,
  mask: neighbourhoodMask(nodes, neighbourhood),
});

/** Attention with what the options put around it, `[V, ...batch, d] -> [V, ...batch, d]`. */
function attentionLayer(
  name: string,
  { width, heads, residual, layerNorm }: ActionGraphNetworkOptions,
): nn.SelfAttention {
  const attention = nn.selfAttention(name, width, heads, {});
  const normalisation = nn.layerNormalisation(`${name}/norm`, width);
  return {
    parameters: [...attention.parameters, ...(layerNorm ? normalisation.parameters : [])],
    weights: attention.weights,
    apply(views, z, mask) {
      const found = attention.apply(views, z, mask);
      const total = residual ? add(found, z) : found;
      return layerNorm ? normalisation.apply(views, total) : total;
    },
  };
}

/** A linear layer whose inputs come in parts that need not be put side by side. */
function linearInParts(name: string, widths: readonly number[], outputs: number) {
  const inputs = widths.reduce((total, width) => total + width, 0);
  const w: Parameter = { name: `${name}/w`, shape: [inputs, outputs], initialise: uniformFanIn() };
  const b: Parameter = { name: `${name}/b`, shape: [outputs], initialise: uniformFanIn(inputs) };
  return {
    parameters: [w, b],
    /** The rows of the weights that belong to each part. */
    weights: (views: Views): readonly Expr[] => split(views[w.name], widths, 0),
    bias: (views: Views): Expr => views[b.name],
  };
}

/** The same one-hot rows for every sample, `[rows, K, depth]`. */
function repeated(ones: readonly number[], depth: number, samples: number, dtype: FloatType): Expr {
  const rows = oneHot(constant("int32", [ones.length, 1], ones), depth, dtype);
  return expand(rows, [ones.length, samples, depth]);
}
