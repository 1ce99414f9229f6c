import { type Expr, matMul, nn, type Parameter, relu, reshape, sizeOf, type Views } from "../tensor/index.ts";

/** Below this many inputs a layer normalisation of the input would destroy information: of one number nothing is left. */
const NARROW = 8;

export interface BaseOptions {
  readonly hidden: number;
  /** Normalise the input: always, never, or (auto) when it is at least 8 wide. */
  readonly inputNorm: "auto" | boolean;
  /** Normalise after each hidden layer. */
  readonly hiddenNorm: boolean;
}

export interface BaseNetwork {
  readonly parameters: readonly Parameter[];
  /** Whether the input is normalised. */
  readonly normalisesInput: boolean;
  /** What is applied one after the other, `[R, inputs] -> [R, hidden]`. */
  readonly layers: readonly nn.Module[];
  /**
   * Features times the weights of heads: `[R, inputs] x [hidden, n] -> [R, n]`; or each of `G` equal groups of rows times
   * weights of its own, `[R, inputs] x [G, hidden, n] -> [G, R / G, n]`.
   */
  product(views: Views, x: Expr, weights: Expr): Expr;
}

/**
 * The feature network of the Bayesian-network actors and critics: two ReLU layers with orthogonal weights (gain √2),
 * layer normalisation before, between and after them as the options say.
 */
export function baseNetwork(name: string, inputs: number, options: BaseOptions): BaseNetwork {
  const { hidden, inputNorm, hiddenNorm } = options;
  const normalisesInput = inputNorm === "auto" ? inputs >= NARROW : inputNorm;
  const linear = (index: number, width: number) =>
    nn.orthogonalLinear(`${name}/${index}`, width, hidden, Math.SQRT2);
  const normalisation = (index: number) => nn.layerNormalisation(`${name}/${index}/norm`, hidden);
  const last = hiddenNorm ? normalisation(1) : undefined;
  const beforeLast = nn.sequence(
    ...(normalisesInput ? [nn.layerNormalisation(`${name}/input-norm`, inputs)] : []),
    linear(0, inputs),
    relu,
    ...(hiddenNorm ? [normalisation(0)] : []),
    linear(1, hidden),
    relu,
  );
  return {
    parameters: [...beforeLast.parameters, ...(last?.parameters ?? [])],
    normalisesInput,
    layers: last === undefined ? [beforeLast] : [beforeLast, last],
    product(views, x, weights) {
      const features = beforeLast.apply(views, x);
      const groups = weights.shape.slice(0, -2);
      const grouped = reshape(features, [...groups, x.shape[0] / sizeOf(groups), hidden]);
      return last === undefined ? matMul(grouped, weights) : last.product(views, grouped, weights);
    },
  };
}
