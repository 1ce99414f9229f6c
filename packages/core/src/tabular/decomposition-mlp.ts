import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import {
  adam,
  add,
  compile,
  constant,
  type Engine,
  type Expr,
  gather,
  gradients,
  initialise,
  layoutOf,
  mean,
  nn,
  square,
  sub,
  unpack,
  variable,
} from "../tensor/index.ts";
import type { BlockCells } from "./decomposition-cells.ts";
import { enumerateJointActions } from "./joint-action.ts";

export interface MlpDecompositionOptions {
  readonly engine: Engine;
  /** First weights are drawn from streams named after what is fitted. */
  readonly rng: Rng;
  /** Full-batch Adam steps; 10 000 by default, as in Subteams. */
  readonly epochs?: number;
}

const HIDDEN = [128, 128];
const LEARNING_RATE = 1e-3;
const EPOCHS = 10_000;

/**
 * Decomposition by networks, as Subteams fits its Table 1: one network `FC(in,128)-ReLU-FC(128,128)-ReLU-FC(128,M)`
 * for each block, their sum fitted to the whole table by the mean squared error with full-batch Adam, in float32. An
 * agent with two values is one input, its bit; one with `n` values is `n - 1` indicators, of all values but the
 * first. The result depends on the seed; it tends to the least-squares fit.
 *
 * @param table `[X, M]`
 * @returns the fit after `epochs` steps, `[X, M]`
 * @throws InputError unless `epochs` is an integer of at least 0
 */
export async function mlpDecomposition(
  space: BlockCells,
  table: Float64Array,
  { engine, rng, epochs = EPOCHS }: MlpDecompositionOptions,
): Promise<Float64Array> {
  if (!Number.isInteger(epochs) || epochs < 0) {
    throw new InputError(`mlp decomposition: epochs got ${epochs}, expected an integer of at least 0`);
  }
  const { points, cells, cellOf } = space;
  const outputs = table.length / points;
  const blocks = cells.map((count, k) => {
    const inputs = cellInputs(space, k);
    const width = inputs.length / count;
    return {
      network: nn.mlp(`block-${k}`, width, outputs, { hidden: HIDDEN }),
      inputs: constant("float32", [count, width], inputs),
      cellOfPoint: constant("int32", [points], cellOf[k]),
    };
  });
  const layout = layoutOf(blocks.flatMap(({ network }) => network.parameters));
  const optimiser = adam({ learningRate: LEARNING_RATE });
  const weights = variable("weights", "float32", [layout.size], initialise(layout, rng));
  const state = optimiser.state("adam", "float32", layout.size);
  const program = await compile(engine, {
    name: "mlp-decomposition",
    inputs: {},
    variables: { weights, ...state },
    build(leaves: Record<"weights" | keyof typeof state, Expr>) {
      const views = unpack(leaves.weights, layout);
      // A network is asked once for each cell of its block, not once for each point.
      const fit = blocks
        .map(({ network, inputs, cellOfPoint }) => gather(network.apply(views, inputs), cellOfPoint))
        .reduce((total, part) => add(total, part));
      const loss = mean(square(sub(fit, constant("float32", [points, outputs], table))));
      const step = optimiser.step(leaves.weights, gradients(loss, [leaves.weights])[0], leaves);
      return { results: { fit, loss }, updates: { weights: step.parameters, ...step.state } };
    },
    finite: ["loss"],
  });
  try {
    // A run gives the fit before its own step: one more run reads the fit after the last step that counts.
    for (let epoch = 0; epoch <= epochs; epoch++) await program.run();
    return Float64Array.from(program.results.fit as Float32Array);
  } finally {
    await program.dispose();
  }
}

/** What block `k`'s network sees of each of its cells, `[cells, inputs]`. */
function cellInputs({ digits, partition }: BlockCells, k: number): Float64Array {
  const sizes = partition[k].map((i) => digits[i]);
  const cellDigits = enumerateJointActions(sizes);
  const inputs: number[] = [];
  for (let at = 0; at < cellDigits.length; at++) {
    for (let value = 1; value < sizes[at % sizes.length]; value++) {
      inputs.push(cellDigits[at] === value ? 1 : 0);
    }
  }
  return Float64Array.from(inputs);
}
