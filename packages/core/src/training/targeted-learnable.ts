import { learnableWith } from "../learn/index.ts";
import type { Rng } from "../random/index.ts";
import {
  adam,
  type Expr,
  type Operand,
  type Parameter,
  polyakAverage,
  unpack,
  type Variable,
  type Views,
  variable,
} from "../tensor/index.ts";
import type { AgentLearnable } from "./agent-learnable.ts";

/** Parameters under Adam, and those of the target that follows them. */
export type TargetedLearnable = Pick<AgentLearnable, "layout" | "vector" | "target" | "variables" | "step">;

/**
 * New parameters that all serve one loss, with a target that begins as their copy. Their gradient is clipped as a whole,
 * and its norm is a single number.
 *
 * @param maxGradientNorm 0 for no clipping
 */
export function targetedLearnable(
  name: string,
  parameters: readonly Parameter[],
  { epsilon, maxGradientNorm }: { readonly epsilon: number; readonly maxGradientNorm: number },
  rng: Rng,
): TargetedLearnable {
  const optimiser = (learningRate: Operand) => adam({ learningRate, epsilon });
  const limit = maxGradientNorm === 0 ? Number.POSITIVE_INFINITY : maxGradientNorm;
  const options = { optimiser, learningRate: 0, maxGradientNorm: limit };
  const learned = learnableWith(name, parameters, options, rng);
  const { vector } = learned;
  return {
    ...learned,
    target: variable(`${name}/target`, "float32", vector.shape, vector.values as Float32Array),
    step(loss, views, state, learningRate) {
      const { gradientNorm, updates } = learned.step(loss, views, state, learningRate);
      return { gradientNorms: gradientNorm, updates };
    },
  };
}

/** What a program declares to read and train parameters with their target: `<name>/parameters`, `<name>/target`, ... */
export const declared = (name: string, { variables, target }: TargetedLearnable): Record<string, Variable> =>
  Object.fromEntries(
    Object.entries({ ...variables, target }).map(([key, variable]) => [`${name}/${key}`, variable]),
  );

/** Parameters and their target inside a program that declares them. */
export interface Training {
  readonly online: Views;
  readonly target: Views;
  /** One step of Adam down a loss. */
  step(loss: Expr, learningRate: number): TrainingStep;
  /** The update of the target: a share of the way towards the parameters after a step, or towards those of now. */
  follow(step: TrainingStep | undefined, rate: number): Readonly<Record<string, Expr>>;
}

export interface TrainingStep {
  /** The parameters after it. */
  readonly after: Views;
  readonly gradientNorms: Expr;
  /** Of the variables that the program declares. */
  readonly updates: Readonly<Record<string, Expr>>;
}

export function training(
  name: string,
  { layout, variables, step }: TargetedLearnable,
  leaves: Readonly<Record<string, Expr>>,
): Training {
  const names = Object.keys(variables) as (keyof typeof variables)[];
  const state = Object.fromEntries(names.map((key) => [key, leaves[`${name}/${key}`]])) as Record<
    keyof typeof variables,
    Expr
  >;
  const online = unpack(state.parameters, layout);
  return {
    online,
    target: unpack(leaves[`${name}/target`], layout),
    step(loss, learningRate) {
      const { gradientNorms, updates } = step(loss, online, state, learningRate);
      return {
        after: unpack(updates.parameters, layout),
        gradientNorms,
        updates: Object.fromEntries(names.map((key) => [`${name}/${key}`, updates[key]])),
      };
    },
    follow(taken, rate) {
      const parameters = taken?.updates[`${name}/parameters`] ?? state.parameters;
      return { [`${name}/target`]: polyakAverage(leaves[`${name}/target`], parameters, rate) };
    },
  };
}

/** Everything that learning changes in these, for a snapshot. */
export const variablesOf = (learnables: readonly TargetedLearnable[]): Variable[] =>
  learnables.flatMap(({ variables, target }) => [...Object.values(variables), target]);
