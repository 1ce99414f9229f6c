import { type Expr, nn, type Parameter, relu, type Views } from "../tensor/index.ts";

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
  /** `[R, inputs] -> [R, hidden]` */
  apply(views: Views, x: Expr): Expr;
}

/**
 * The feature network of the Bayesian-network actors and critics: two ReLU layers with orthogonal weights (gain √2),
 * layer normalisation before, between and after them as the options say.
 */
export function baseNetwork(name: string, inputs: number, options: BaseOptions): BaseNetwork {
  const { hidden, inputNorm, hiddenNorm } = options;
  const normalisesInput = inputNorm === "auto" ? inputs >= NARROW : inputNorm;
  const layer = (index: number, width: number): (nn.Module | nn.Activation)[] => [
    nn.orthogonalLinear(`${name}/${index}`, width, hidden, Math.SQRT2),
    relu,
    ...(hiddenNorm ? [nn.layerNormalisation(`${name}/${index}/norm`, hidden)] : []),
  ];
  const network = nn.sequence(
    ...(normalisesInput ? [nn.layerNormalisation(`${name}/input-norm`, inputs)] : []),
    ...layer(0, inputs),
    ...layer(1, hidden),
  );
  return { parameters: network.parameters, normalisesInput, apply: network.apply };
}
