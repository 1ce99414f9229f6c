/** Optimisers on flat parameter vectors, inside the program. */
import type { Expr, FloatType } from "./expr.ts";
import { norm, square } from "./functions.ts";
import { add, cast, div, minimum, mul, type Operand, pow, scalar, sqrt, sub } from "./ops.ts";
import { type Variable, variable } from "./program.ts";

/** Scales a gradient down to a global norm of at most `limit`; also gives the norm before. */
export function clipByGlobalNorm(
  gradient: Expr,
  limit: number,
): { readonly gradient: Expr; readonly norm: Expr } {
  const size = norm(gradient);
  // The small term keeps a zero gradient from dividing by zero (as PyTorch's clip_grad_norm_).
  return { gradient: mul(gradient, minimum(div(limit, add(size, 1e-6)), 1)), norm: size };
}

/** An update rule with its state. `S` names the state's variables. */
export interface Optimiser<S extends string> {
  /** State for a parameter vector of `size`; names begin with `prefix`. */
  state(prefix: string, dtype: FloatType, size: number): Record<S, Variable>;
  /** New parameters and state from the gradient. */
  step(
    parameters: Expr,
    gradient: Expr,
    state: Readonly<Record<S, Expr>>,
  ): { readonly parameters: Expr; readonly state: Record<S, Expr> };
}

export interface AdamOptions {
  /** Step size; an expression when it changes over time. */
  readonly learningRate: Operand;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** Adam with bias correction (Kingma and Ba 2015); `epsilon` is added to the corrected root as in PyTorch. */
export function adam({
  learningRate,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
}: AdamOptions): Optimiser<"firstMoment" | "secondMoment" | "stepCount"> {
  return {
    state: (prefix, dtype, size) => ({
      firstMoment: variable(`${prefix}/first-moment`, dtype, [size]),
      secondMoment: variable(`${prefix}/second-moment`, dtype, [size]),
      stepCount: variable(`${prefix}/step-count`, "float64", []),
    }),
    step(parameters, gradient, state) {
      const stepCount = add(state.stepCount, 1);
      const dtype = parameters.dtype;
      // 1 - beta^t is computed in float64: in float32 it would have three digits at the first steps.
      const correction1 = sub(1, pow(scalar("float64", beta1), stepCount));
      const correction2 = sub(1, pow(scalar("float64", beta2), stepCount));
      // Each operator is a pass over all parameters, so scalars are put together before they meet a vector.
      const { vector, factor } = withoutFactor(gradient);
      const firstMoment = add(mul(state.firstMoment, beta1), mul(vector, mul(factor, 1 - beta1)));
      const secondMoment = add(
        mul(state.secondMoment, beta2),
        mul(square(vector), mul(square(factor), 1 - beta2)),
      );
      const rootOfCorrection = sqrt(correction2);
      const rate = typeof learningRate === "number" ? learningRate : cast(learningRate, "float64");
      const stepSize = cast(div(mul(rootOfCorrection, rate), correction1), dtype);
      const root = add(sqrt(secondMoment), cast(mul(rootOfCorrection, epsilon), dtype));
      return {
        parameters: sub(parameters, mul(div(firstMoment, root), stepSize)),
        state: { firstMoment, secondMoment, stepCount },
      };
    },
  };
}

/** A vector and what it is multiplied by as a whole, for example by clipping. */
function withoutFactor(a: Expr): { readonly vector: Expr; readonly factor: Expr } {
  const [vector, factor] = a.inputs;
  return a.op.name === "mul" && factor.shape.length === 0
    ? { vector, factor }
    : { vector: a, factor: scalar(a.dtype, 1) };
}

export interface RmsPropOptions {
  readonly learningRate: Operand;
  readonly decay?: number;
  readonly epsilon?: number;
}

/** RMSProp (Hinton 2012); `epsilon` is added to the root as in PyTorch. */
export function rmsProp({
  learningRate,
  decay = 0.99,
  epsilon = 1e-8,
}: RmsPropOptions): Optimiser<"meanSquare"> {
  return {
    state: (prefix, dtype, size) => ({ meanSquare: variable(`${prefix}/mean-square`, dtype, [size]) }),
    step(parameters, gradient, state) {
      const meanSquare = add(mul(state.meanSquare, decay), mul(square(gradient), 1 - decay));
      const step = div(mul(gradient, learningRate), add(sqrt(meanSquare), epsilon));
      return { parameters: sub(parameters, step), state: { meanSquare } };
    },
  };
}

/** Plain gradient descent. */
export function gradientDescent(learningRate: Operand): Optimiser<never> {
  return {
    state: () => ({}) as Record<never, Variable>,
    step: (parameters, gradient) => ({
      parameters: sub(parameters, mul(gradient, learningRate)),
      state: {} as Record<never, Expr>,
    }),
  };
}

/** Polyak averaging of a target vector: `target + rate (online - target)`; `rate = 1` copies. */
export const polyakAverage = (target: Expr, online: Expr, rate: Operand): Expr =>
  add(target, mul(sub(online, target), rate));
