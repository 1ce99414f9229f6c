import {
  type Expr,
  type Initialiser,
  type nn,
  type Parameter,
  relu,
  type Shape,
  ShapeError,
  sizeOf,
  stackedAffine,
  type Views,
  xavier,
  zeros,
} from "../tensor/index.ts";

/** Agents whose networks have equal sizes, so that one product serves all of them. */
export interface AgentGroup {
  /** `[G]`, increasing. */
  readonly agents: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
}

/** The sizes of an agent's network. */
export type NetworkSizes = Pick<AgentGroup, "inputs" | "outputs">;

/** In larger groups what is between two layers outgrows the processor's cache: measured a fifth slower at 320 agents. */
const LARGEST_GROUP = 20;

/**
 * Agents by the sizes of their networks, in the order in which sizes first occur; large groups are cut into equal parts.
 *
 * @param sizes of each agent's network, `[N]`
 * @param members only these, in increasing order; all when left out
 */
export function agentGroups(
  sizes: readonly NetworkSizes[],
  members: readonly number[] = sizes.map((_, agent) => agent),
): readonly AgentGroup[] {
  const equals = new Map<string, number[]>();
  for (const agent of members) {
    const key = `${sizes[agent].inputs} ${sizes[agent].outputs}`;
    const agents = equals.get(key);
    if (agents === undefined) equals.set(key, [agent]);
    else agents.push(agent);
  }
  return [...equals.values()].flatMap((agents) => {
    const parts = Math.ceil(agents.length / LARGEST_GROUP);
    return Array.from({ length: parts }, (_, part) => ({
      agents: agents.slice(
        Math.floor((part * agents.length) / parts),
        Math.floor(((part + 1) * agents.length) / parts),
      ),
      inputs: sizes[agents[0]].inputs,
      outputs: sizes[agents[0]].outputs,
    }));
  });
}

export interface AgentNetworksOptions {
  /** Sizes of each agent's network, `[N]`. */
  readonly sizes: readonly NetworkSizes[];
  /** The agents that have one, increasing; all by default. */
  readonly members?: readonly number[];
  /** Widths of the layers between input and output; none makes the networks linear. */
  readonly hidden: readonly number[];
  /** Between the layers; `relu` by default. */
  readonly activation?: nn.Activation;
  /** Factor on the first weights of the output layer, 1 by default. */
  readonly outputGain?: number;
  /** Gives each network a standard deviation for each output, whatever the input, which begins at this and is learned. */
  readonly deviation?: number;
}

/**
 * A network of its own for every agent, with equal hidden layers, inputs and outputs as they come, and nothing shared.
 * Weights of a group are stacked, `[G, out, in]` with biases `[G, out, 1]`, and samples are columns.
 */
export interface AgentNetworks {
  readonly groups: readonly AgentGroup[];
  /** Layers of each network. */
  readonly layers: number;
  /** Stacks of weights and biases, to be laid out and learned. */
  readonly parameters: readonly Parameter[];
  /**
   * The same numbers in the same places, agent by agent: `<name>/<agent>/<layer>/w` `[out, in]` and `/b` `[out]`, and
   * `<name>/<agent>/log-deviation` `[out]`.
   */
  readonly parametersOfAgents: readonly Parameter[];
  /** Outputs `[G, out, B]` of each group for its inputs `[G, in, B]`. */
  apply(views: Views, inputs: readonly Expr[]): readonly Expr[];
  /** What a group makes of what its first layer gives, without the activation: `[G, H, B] -> [G, out, B]`. */
  beyondFirst(views: Views, group: number, first: Expr): Expr;
  /** One layer of one group, without the activation: `[G or 1, in, B] -> [G, out, B]`. */
  layer(views: Views, group: number, layer: number, inputs: Expr): Expr;
  /** The stacks of one layer of one group: weights `[G, out, in]`, biases `[G, out, 1]`. */
  stacks(views: Views, group: number, layer: number): { readonly weights: Expr; readonly biases: Expr };
  /** Logarithms of the standard deviations of one group, `[G, out, 1]`, where networks have them. */
  logDeviations(views: Views, group: number): Expr | undefined;
  /** The network of one agent, a group of its own. */
  alone(agent: number): AgentNetworks;
}

/** Weights are uniform as Glorot and Bengio (2010) have it, biases zero. */
export function agentNetworks(name: string, options: AgentNetworksOptions): AgentNetworks {
  const { sizes, members, hidden, activation = relu, outputGain = 1, deviation } = options;
  const groups = agentGroups(sizes, members);
  const layers = hidden.length + 1;
  const stacks = groups.map(({ agents, inputs, outputs }, group) => {
    const widths = [inputs, ...hidden, outputs];
    return Array.from({ length: layers }, (_, layer) => {
      const [from, to] = [widths[layer], widths[layer + 1]];
      const gain = layer === hidden.length ? outputGain : 1;
      const ofEach = (kind: string, shape: Shape, initialise: Initialiser): Parameter[] =>
        agents.map((agent) => ({ name: `${name}/${agent}/${layer}/${kind}`, shape, initialise }));
      const called = `${name}/group-${group}/${layer}`;
      return {
        weights: stack(`${called}/w`, ofEach("w", [to, from], xavier(gain)), [to, from]),
        biases: stack(`${called}/b`, ofEach("b", [to], zeros), [to, 1]),
      };
    });
  });
  const spreads = groups.map(({ agents, outputs }, group) => {
    if (deviation === undefined) return [];
    const ofEach = agents.map((agent) => ({
      name: `${name}/${agent}/log-deviation`,
      shape: [outputs],
      initialise: () => new Float64Array(outputs).fill(Math.log(deviation)),
    }));
    return [stack(`${name}/group-${group}/log-deviation`, ofEach, [outputs, 1])];
  });
  // A group's stacks are next to each other.
  const ofGroups = stacks.flatMap((own, group) => [
    ...own.flatMap(({ weights, biases }) => [weights, biases]),
    ...spreads[group],
  ]);
  const apply = (views: Views, group: number, layer: number, inputs: Expr, rectified = false): Expr => {
    const { weights, biases } = stacks[group][layer];
    if (inputs.shape.length !== 3 || inputs.shape[1] !== weights.shape[2]) {
      throw new ShapeError(
        name,
        `group ${group} takes [${weights.shape[0]}, ${weights.shape[2]}, B], got [${inputs.shape.join(", ")}]`,
      );
    }
    return stackedAffine(views[weights.name], inputs, views[biases.name], { rectified });
  };
  /** The layers from one on, with the activation between them. */
  const applyFrom = (views: Views, group: number, start: number, inputs: Expr): Expr => {
    const rectified = activation === relu;
    let value = inputs;
    for (let layer = start; layer + 1 < layers; layer++) {
      value = apply(views, group, layer, value, rectified);
      if (!rectified) value = activation(value);
    }
    return apply(views, group, layers - 1, value);
  };
  return {
    groups,
    layers,
    parameters: ofGroups,
    parametersOfAgents: ofGroups.flatMap(({ members }) => members),
    apply: (views, inputs) => inputs.map((values, group) => applyFrom(views, group, 0, values)),
    beyondFirst: (views, group, first) =>
      layers === 1 ? first : applyFrom(views, group, 1, activation(first)),
    layer: (views, group, layer, inputs) => apply(views, group, layer, inputs),
    stacks(views, group, layer) {
      const { weights, biases } = stacks[group][layer];
      return { weights: views[weights.name], biases: views[biases.name] };
    },
    logDeviations(views, group) {
      const [spread] = spreads[group];
      return spread && views[spread.name];
    },
    alone: (agent) => agentNetworks(name, { ...options, members: [agent] }),
  };
}

/** Equal parameters of several agents as one of theirs together, which draws what each would draw. */
function stack(
  name: string,
  members: readonly Parameter[],
  shape: Shape,
): Parameter & { readonly members: readonly Parameter[] } {
  return {
    name,
    members,
    shape: [members.length, ...shape],
    initialise(_shape, rng) {
      const all = new Float64Array(members.length * sizeOf(members[0].shape));
      for (const [place, member] of members.entries()) {
        const values = member.initialise(member.shape, rng.split(member.name));
        all.set(values, place * values.length);
      }
      return all;
    },
  };
}
