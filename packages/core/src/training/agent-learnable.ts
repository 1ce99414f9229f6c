import type { AgentNetworks } from "../models/index.ts";
import type { Rng } from "../random/index.ts";
import {
  adam,
  add,
  concat,
  constant,
  div,
  type Expr,
  gather,
  gradients,
  initialise,
  type Layout,
  layoutOf,
  minimum,
  mul,
  type Operand,
  pack,
  reshape,
  sqrt,
  square,
  sum,
  type Variable,
  type Views,
  variable,
} from "../tensor/index.ts";

type State = "parameters" | "firstMoment" | "secondMoment" | "stepCount";

/** Networks of agents with an Adam optimiser each, all in one vector. */
export interface AgentLearnable {
  readonly networks: AgentNetworks;
  /** How programs read the vector: stacks of equal parameters. */
  readonly layout: Layout;
  readonly vector: Variable;
  /** The same vector agent by agent, for safetensors. */
  readonly named: { readonly vector: Variable; readonly layout: Layout };
  /** The parameters that follow these, a copy at first. */
  readonly target: Variable;
  /** Parameters and moments, which a training program declares. */
  readonly variables: Readonly<Record<State, Variable>>;
  /**
   * One step of every network down the gradient of its own loss.
   *
   * @param loss the sum of the networks' losses, each a function of the parameters of one
   * @param views the parameters as the loss reads them
   * @returns the norm of each network's gradient before clipping, `[N]` by increasing agent, and the new state
   */
  step(
    loss: Expr,
    views: Views,
    state: Readonly<Record<State, Expr>>,
    learningRate: Operand,
  ): { readonly gradientNorms: Expr; readonly updates: Readonly<Record<State, Expr>> };
}

export interface AgentLearnableOptions {
  /** What Adam adds to its denominator, 1e-8 by default. */
  readonly epsilon?: number;
  /** The norm that the gradient of each network is clipped to; 0, the default, for no clipping. */
  readonly maxGradientNorm?: number;
  /** What is clipped to it: a network's gradient as a whole (by default), or each of its weights and biases. */
  readonly clipped?: "network" | "arrays";
}

/** New parameters, initialised from `rng.split("initialise")`. */
export function agentLearnable(
  name: string,
  networks: AgentNetworks,
  { epsilon = 1e-8, maxGradientNorm = 0, clipped: unit = "network" }: AgentLearnableOptions,
  rng: Rng,
): AgentLearnable {
  const layout = layoutOf(networks.parameters);
  const first = initialise(layout, rng.split("initialise"));
  const vector = variable(name, "float32", [layout.size], first);
  const optimiser = (learningRate: Operand) => adam({ learningRate, epsilon });
  const stacksOfGroup = layout.parameters.length / networks.groups.length;
  return {
    networks,
    layout,
    vector,
    named: { vector, layout: layoutOf(networks.parametersOfAgents) },
    target: variable(`${name}/target`, "float32", [layout.size], first),
    variables: { parameters: vector, ...optimiser(0).state(name, "float32", layout.size) },
    step(loss, views, state, learningRate) {
      const parts = gradients(
        loss,
        layout.parameters.map((parameter) => views[parameter.name]),
      );
      const norms = networks.groups.map((_, group) =>
        normOfEach(parts.slice(group * stacksOfGroup, (group + 1) * stacksOfGroup)),
      );
      const clipped =
        maxGradientNorm === 0
          ? parts
          : parts.map((part, k) => {
              // The small term keeps a zero gradient from dividing by zero (as PyTorch's clip_grad_norm_).
              const size = unit === "arrays" ? normOfEach([part]) : norms[Math.floor(k / stacksOfGroup)];
              const room = div(maxGradientNorm, add(size, 1e-6));
              return mul(part, reshape(minimum(room, 1), [part.shape[0], 1, 1]));
            });
      const next = optimiser(learningRate).step(state.parameters, pack(clipped), state);
      return {
        gradientNorms: byAgent(networks, norms),
        updates: { parameters: next.parameters, ...next.state },
      };
    },
  };
}

/** One number of each agent by increasing agent, from `[G]` of each group. */
function byAgent({ groups }: AgentNetworks, parts: readonly Expr[]): Expr {
  const agents = groups.flatMap((group) => group.agents);
  const order = [...agents].sort((a, b) => a - b).map((agent) => agents.indexOf(agent));
  return gather(concat(parts, 0), constant("int32", [order.length], order));
}

/** Euclidean norms over all stacks together, of each member: `[G, ...]` each to `[G]`. */
function normOfEach(stacks: readonly Expr[]): Expr {
  return sqrt(stacks.map((stack) => sum(square(stack), [1, 2])).reduce((total, part) => add(total, part)));
}
