import type { Rng } from "../random/index.ts";
import {
  type AdamOptions,
  adam,
  clipByGlobalNorm,
  type Expr,
  gradients,
  initialise,
  type Layout,
  layoutOf,
  type Operand,
  type Optimiser,
  type Parameter,
  pack,
  type Variable,
  type Views,
  variable,
} from "../tensor/index.ts";

/** State of Adam beside the parameters. */
type AdamState = "firstMoment" | "secondMoment" | "stepCount";

/** A network's parameters with the optimiser that trains them. `S` names the optimiser's state. */
export interface Learnable<S extends string = AdamState> {
  readonly layout: Layout;
  /** All parameters, one vector. */
  readonly vector: Variable;
  /** State that a training program declares: the parameters and the optimiser's moments. */
  readonly variables: Readonly<Record<"parameters" | S, Variable>>;
  /**
   * One step down the gradient of a loss, the gradient clipped to a global norm.
   *
   * @param views the parameters as the loss reads them
   * @param learningRate where it changes over time; the one of the options when left out
   * @returns the norm before clipping, and the new state
   */
  step(
    loss: Expr,
    views: Views,
    leaves: Readonly<Record<"parameters" | S, Expr>>,
    learningRate?: Operand,
  ): { readonly gradientNorm: Expr; readonly updates: Readonly<Record<"parameters" | S, Expr>> };
}

export interface LearnableOptions<S extends string> {
  readonly optimiser: (learningRate: Operand) => Optimiser<S>;
  readonly learningRate: Operand;
  readonly maxGradientNorm: number;
}

/** New parameters under Adam, initialised from `rng.split("initialise")`. */
export function learnable(
  name: string,
  parameters: readonly Parameter[],
  options: AdamOptions & { readonly maxGradientNorm: number },
  rng: Rng,
): Learnable {
  const optimiser = (learningRate: Operand) => adam({ ...options, learningRate });
  return learnableWith<AdamState>(name, parameters, { ...options, optimiser }, rng);
}

/** New parameters under any optimiser, initialised from `rng.split("initialise")`. */
export function learnableWith<S extends string>(
  name: string,
  parameters: readonly Parameter[],
  options: LearnableOptions<S>,
  rng: Rng,
): Learnable<S> {
  const layout = layoutOf(parameters);
  const vector = variable(name, "float32", [layout.size], initialise(layout, rng.split("initialise")));
  const state = options.optimiser(options.learningRate).state(name, "float32", layout.size);
  return {
    layout,
    vector,
    variables: { parameters: vector, ...state },
    step(loss, views, leaves, learningRate = options.learningRate) {
      const parts = gradients(
        loss,
        layout.parameters.map((parameter) => views[parameter.name]),
      );
      const { gradient, norm } = clipByGlobalNorm(pack(parts), options.maxGradientNorm);
      const next = options.optimiser(learningRate).step(leaves.parameters, gradient, leaves);
      return { gradientNorm: norm, updates: { parameters: next.parameters, ...next.state } };
    },
  };
}
