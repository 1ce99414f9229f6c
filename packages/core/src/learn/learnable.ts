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
  type Parameter,
  pack,
  type Variable,
  type Views,
  variable,
} from "../tensor/index.ts";

/** Expressions of what a gradient step reads and replaces. */
type StepLeaves = Readonly<Record<"parameters" | "firstMoment" | "secondMoment" | "stepCount", Expr>>;

/** A network's parameters with the optimiser that trains them. */
export interface Learnable {
  readonly layout: Layout;
  /** All parameters, one vector. */
  readonly vector: Variable;
  /** State that a training program declares: the parameters and the optimiser's moments. */
  readonly variables: Readonly<Record<keyof StepLeaves, Variable>>;
  /**
   * One Adam step down the gradient of a loss, the gradient clipped to a global norm.
   *
   * @param views the parameters as the loss reads them
   * @returns the norm before clipping, and the new state
   */
  step(
    loss: Expr,
    views: Views,
    leaves: StepLeaves,
  ): { readonly gradientNorm: Expr; readonly updates: StepLeaves };
}

/** New parameters, initialised from `rng.split("initialise")`. */
export function learnable(
  name: string,
  parameters: readonly Parameter[],
  options: AdamOptions & { readonly maxGradientNorm: number },
  rng: Rng,
): Learnable {
  const layout = layoutOf(parameters);
  const vector = variable(name, "float32", [layout.size], initialise(layout, rng.split("initialise")));
  const optimiser = adam(options);
  return {
    layout,
    vector,
    variables: { parameters: vector, ...optimiser.state(name, "float32", layout.size) },
    step(loss, views, leaves) {
      const parts = gradients(
        loss,
        layout.parameters.map((parameter) => views[parameter.name]),
      );
      const { gradient, norm } = clipByGlobalNorm(pack(parts), options.maxGradientNorm);
      const next = optimiser.step(leaves.parameters, gradient, leaves);
      return { gradientNorm: norm, updates: { parameters: next.parameters, ...next.state } };
    },
  };
}
