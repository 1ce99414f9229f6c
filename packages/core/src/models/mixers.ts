/** From what agents' actions are worth to them to what their joint action is worth to the team. */
import { abs, add, type Expr, elu, matMul, nn, relu, reshape, sum } from "../tensor/index.ts";

/**
 * Value of the team `[K, B]` from utilities of the agents' actions `[K, B, N]` in states `[K, B, S]`. It never falls
 * when a utility rises, so the agents' own best actions are together the team's best.
 */
export type Mixer = nn.Module<[utilities: Expr, states: Expr]>;

/** The sum of utilities (VDN; Sunehag et al. 2018). */
export const sumMixer: Mixer = {
  parameters: [],
  apply: (_views, utilities) => sum(utilities, [-1]),
};

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
}

/**
 * The mixing network of QMIX (Rashid et al. 2018): two layers whose weights and biases are functions of the state, the
 * weights made non-negative by their absolute value: `f(q |W(s)| + b(s)) |w(s)| + v(s)`.
 */
export function monotonicMixer(name: string, options: MonotonicMixerOptions): Mixer {
  const { agents, stateSize, embedding, hypernetHidden, activation = elu } = options;
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
      const weights = reshape(abs(firstWeights.apply(views, state)), [rows, agents, embedding]);
      const mixed = reshape(matMul(reshape(utilities, [rows, 1, agents]), weights), [rows, embedding]);
      const hiddenLayer = activation(add(mixed, firstBias.apply(views, state)));
      const total = matMul(
        reshape(hiddenLayer, [rows, 1, embedding]),
        reshape(abs(lastWeights.apply(views, state)), [rows, embedding, 1]),
      );
      return reshape(add(reshape(total, [rows, 1]), value.apply(views, state)), leading);
    },
  };
}
