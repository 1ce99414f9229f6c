/** From what agents' actions are worth to them to what their joint action is worth to the team. */
import { abs, add, type Expr, elu, matMul, nn, relu, reshape, sum } from "../tensor/index.ts";

/**
 * Value of the team `[K, B]` from utilities of the agents' actions `[K, B, N]` in states `[K, B, S]`. Unless its weights are
 * signed, it never falls when a utility rises, so the agents' own best actions are together the team's best.
 */
export type Mixer = nn.Module<[utilities: Expr, states: Expr]>;

/** The sum of utilities (VDN; Sunehag et al. 2018). */
export const sumMixer: Mixer = {
  parameters: [],
  apply: (_views, utilities) => sum(utilities, [-1]),
};

/** The sum of utilities and of a value of the state alone, from a network with one hidden layer of width `embedding`. */
export function sumAndStateMixer(
  name: string,
  { stateSize, embedding }: Pick<MonotonicMixerOptions, "stateSize" | "embedding">,
): Mixer {
  const value = nn.mlp(`${name}/value`, stateSize, 1, { hidden: [embedding] });
  return {
    parameters: value.parameters,
    apply: (views, utilities, states) =>
      add(sum(utilities, [-1]), reshape(value.apply(views, states), utilities.shape.slice(0, -1))),
  };
}

export interface MonotonicMixerOptions {
  /** `N`. */
  readonly agents: number;
  /** `S`. */
  readonly stateSize: number;
  /** `E`: width of the mixing network's hidden layer. */
  readonly embedding: number;
  /** Width of the hidden layer of the networks that give the mixing weights; 0 makes them linear. */
  readonly hypernetHidden: number;
  /** Between the mixing network's layers; `elu` by default. */
  readonly activation?: nn.Activation;
  /** Whether weights keep their signs, so that the value can fall when a utility rises; false by default. */
  readonly signed?: boolean;
}

/**
 * The mixing network of QMIX (Rashid et al. 2018): two layers whose weights and biases are functions of the state, the
 * weights made non-negative by their absolute value: `f(q |W(s)| + b(s)) |w(s)| + v(s)`.
 */
export function monotonicMixer(name: string, options: MonotonicMixerOptions): Mixer {
  const { agents, stateSize, embedding, hypernetHidden, activation = elu, signed = false } = options;
  const weighting = (a: Expr): Expr => (signed ? a : abs(a));
  const hidden = hypernetHidden === 0 ? [] : [hypernetHidden];
  const firstWeights = nn.mlp(`${name}/first-weights`, stateSize, agents * embedding, { hidden });
  const firstBias = nn.linear(`${name}/first-bias`, stateSize, embedding);
  const lastWeights = nn.mlp(`${name}/last-weights`, stateSize, embedding, { hidden });
  const value = nn.mlp(`${name}/value`, stateSize, 1, { hidden: [embedding], activation: relu });
  return {
    parameters: [firstWeights, firstBias, lastWeights, value].flatMap(({ parameters }) => parameters),
    apply(views, utilities, states) {
      const leading = utilities.shape.slice(0, -1);
      const rows = leading.reduce((product, extent) => product * extent, 1);
      const state = reshape(states, [rows, stateSize]);
      const weights = reshape(weighting(firstWeights.apply(views, state)), [rows, agents, embedding]);
      const mixed = reshape(matMul(reshape(utilities, [rows, 1, agents]), weights), [rows, embedding]);
      const hiddenLayer = activation(add(mixed, firstBias.apply(views, state)));
      const total = matMul(
        reshape(hiddenLayer, [rows, 1, embedding]),
        reshape(weighting(lastWeights.apply(views, state)), [rows, embedding, 1]),
      );
      return reshape(add(reshape(total, [rows, 1]), value.apply(views, state)), leading);
    },
  };
}
