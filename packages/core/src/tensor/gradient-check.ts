/** Checking gradients against central differences, in float64. Used by the tests of every operator and module. */
import type { Rng } from "../random/index.ts";
import type { Engine } from "./engine.ts";
import { type Expr, type Shape, sizeOf } from "./expr.ts";
import { gradients } from "./grad.ts";
import { constant, mul, sum } from "./ops.ts";
import { compile } from "./program.ts";

export interface GradientCase {
  /** Shapes of the inputs that gradients are checked for. */
  readonly shapes: readonly Shape[];
  /** The function; its result may have any shape. */
  readonly apply: (...inputs: readonly Expr[]) => Expr;
  /** Where inputs are drawn from: by default uniform in `[-1, 1]`. */
  readonly between?: readonly [number, number];
}

/**
 * Largest relative error of the symbolic gradient of `sum(weights * f(inputs))`, weights random, against central
 * differences: `|symbolic - numeric| / max(1, |symbolic|, |numeric|)`.
 */
export async function gradientError(
  engine: Engine,
  { shapes, apply, between = [-1, 1] }: GradientCase,
  rng: Rng,
): Promise<number> {
  const names = shapes.map((_, index) => `x${index}`);
  const program = await compile(engine, {
    name: "gradient check",
    inputs: Object.fromEntries(
      names.map((name, index) => [name, { dtype: "float64", shape: shapes[index] } as const]),
    ),
    build(leaves) {
      const inputs = names.map((name) => leaves[name]);
      const value = apply(...inputs);
      const weights = Array.from({ length: sizeOf(value.shape) }, () => 0.5 + rng.uniform());
      const loss = sum(mul(value, constant("float64", value.shape, weights)));
      const found = gradients(loss, inputs);
      return {
        results: {
          loss,
          ...Object.fromEntries(names.map((name, index) => [`d${name}`, found[index]])),
        } as Record<string, Expr>,
      };
    },
  });
  for (const name of names) {
    const values = program.inputs[name] as Float64Array;
    rng.fillUniform(values);
    for (let i = 0; i < values.length; i++) values[i] = between[0] + (between[1] - between[0]) * values[i];
  }
  await program.run();
  const symbolic = names.map((name) => Float64Array.from(program.results[`d${name}`] as Float64Array));
  const step = 1e-5;
  let worst = 0;
  for (const [index, name] of names.entries()) {
    const values = program.inputs[name] as Float64Array;
    for (let i = 0; i < values.length; i++) {
      const centre = values[i];
      values[i] = centre + step;
      await program.run();
      const above = (program.results.loss as Float64Array)[0];
      values[i] = centre - step;
      await program.run();
      const below = (program.results.loss as Float64Array)[0];
      values[i] = centre;
      const numeric = (above - below) / (2 * step);
      const exact = symbolic[index][i];
      worst = Math.max(worst, Math.abs(exact - numeric) / Math.max(1, Math.abs(exact), Math.abs(numeric)));
    }
  }
  await program.dispose();
  return worst;
}
