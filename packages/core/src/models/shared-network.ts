import { type Expr, reshape, transpose, type Views } from "../tensor/index.ts";
import {
  type AgentGroup,
  type AgentNetworks,
  type AgentNetworksOptions,
  agentNetworks,
  type NetworkSizes,
} from "./agent-groups.ts";

/**
 * One network for all agents, in place of one for each: the agents are a single group, whose samples it takes side by side.
 * Its parameters are `<name>/<layer>/w` `[out, in]` and `/b` `[out]`.
 *
 * @param agents their number
 * @param sizes of the network
 */
export function sharedNetwork(
  name: string,
  agents: number,
  sizes: NetworkSizes,
  options: Pick<AgentNetworksOptions, "hidden" | "activation" | "outputGain">,
): AgentNetworks {
  const one = agentNetworks(name, { ...options, sizes: [sizes] });
  const parametersOfAgents = one.parametersOfAgents.map((parameter) => ({
    ...parameter,
    name: parameter.name.replace(`${name}/0/`, `${name}/`),
  }));
  const serving = (members: readonly number[]): AgentNetworks => {
    const group: AgentGroup = { ...sizes, agents: members };
    const count = members.length;
    const wide = (inputs: Expr): Expr => {
      if (count === 1) return inputs;
      const [, width, size] = inputs.shape;
      return reshape(transpose(inputs, [1, 0, 2]), [1, width, count * size]);
    };
    const back = (outputs: Expr): Expr => {
      if (count === 1) return outputs;
      const [, width, columns] = outputs.shape;
      return transpose(reshape(outputs, [width, count, columns / count]), [1, 0, 2]);
    };
    return {
      groups: [group],
      layers: one.layers,
      parameters: one.parameters,
      parametersOfAgents,
      apply: (views: Views, [inputs]) => [back(one.apply(views, [wide(inputs)])[0])],
      beyondFirst: (views, _group, first) => back(one.beyondFirst(views, 0, wide(first))),
      layer: (views, _group, layer, inputs) => back(one.layer(views, 0, layer, wide(inputs))),
      stacks: (views, _group, layer) => one.stacks(views, 0, layer),
      logDeviations: (views) => one.logDeviations(views, 0),
      alone: (agent) => serving([agent]),
    };
  };
  return serving(Array.from({ length: agents }, (_, agent) => agent));
}
