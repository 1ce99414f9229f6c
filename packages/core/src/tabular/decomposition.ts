import type { FiniteModel } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import { isPartition, type Partition } from "../structure/index.ts";
import { blockCells, type DecompositionFit } from "./decomposition-cells.ts";
import { leastSquaresDecomposition } from "./decomposition-least-squares.ts";
import { loadMinimaxDecomposition } from "./decomposition-minimax.ts";
import { type MlpDecompositionOptions, mlpDecomposition } from "./decomposition-mlp.ts";
import { jointActionCount } from "./joint-action.ts";

/** Largest difference that rounding may have made between equal numbers of a game. */
const SAME = 1e-12;

/** Largest absolute errors of a game's best sums over blocks (Subteams, assumption of approximate decomposability). */
export interface DecompositionErrors {
  /** `|epsilon_P|`: of `P(s'|s,a) = sum_k P^k(...) + epsilon_P`, over all `s`, `a` and `s'`. */
  readonly transition: number;
  /** `|epsilon_r|`: of `r(s,a) = sum_k r^k(...) + epsilon_r`, over all `s` and `a`. */
  readonly reward: number;
}

/**
 * What the component of a block `C` reads:
 *
 * - `state-and-actions`: the whole state and the block's actions, `r^k(s, a^C)`. The definition for any game; fitted
 *   for each state by itself.
 * - `actions`: the block's actions only, `r^k(a^C)`, where the function does not depend on the state.
 * - `local-states`: the block's local states only, `r^k(s^C)`, where the function does not depend on the actions and
 *   the state is one digit for each agent.
 */
export type ComponentInputs = "state-and-actions" | "actions" | "local-states";

/**
 * What components read and how they are fitted. For the Coordination Game as in Subteams' Table 1:
 * `{ transition: "actions", reward: "local-states", localStates: [2, 2, ...] }`.
 */
export type DecompositionOptions = {
  /** `state-and-actions` by default. */
  readonly transition?: ComponentInputs;
  /** `state-and-actions` by default. */
  readonly reward?: ComponentInputs;
  /** Local states of each agent, `[N]`, where components read them; agent 0 the most significant digit. */
  readonly localStates?: readonly number[];
} & (
  | {
      /**
       * `leastSquares` (the default): exact minimiser of the mean squared error, which is what Table 1 measures.
       * `minimax`: smallest possible largest error, the tight constant for the bounds; never grows when blocks merge.
       */
      readonly method?: "leastSquares" | "minimax";
    }
  /** Trained networks, as the paper's own fit. */
  | ({ readonly method: "mlp" } & MlpDecompositionOptions)
);

/**
 * How far a game is from a sum over the blocks of a partition: components are any real functions, fitted by the
 * chosen method, and the errors are the largest absolute residuals.
 *
 * @throws InputError when the blocks are no partition of the agents, or a function depends on what its components are
 * said not to read
 */
export async function decompositionErrors(
  game: Pick<FiniteModel, "actions" | "states" | "transition" | "reward">,
  partition: Partition,
  options: DecompositionOptions = {},
): Promise<DecompositionErrors> {
  const { actions, states } = game;
  if (!isPartition(actions.length, partition)) {
    throw new InputError(
      `decomposition: blocks ${JSON.stringify(partition)} are no partition of agents 0..${actions.length - 1}, expected every agent in exactly one block`,
    );
  }
  const fit = await loadFit(options);
  const largestError = async (name: "transition" | "reward", values: Float64Array, outputs: number) => {
    let largest = 0;
    for (const part of tables(game, name, values, outputs, options)) {
      const fitted = await fit(blockCells(part.digits, partition), part.table, part.name);
      for (let at = 0; at < fitted.length; at++) {
        largest = Math.max(largest, Math.abs(part.table[at] - fitted[at]));
      }
    }
    return largest;
  };
  return {
    transition: await largestError("transition", game.transition, states),
    reward: await largestError("reward", game.reward, 1),
  };
}

async function loadFit(options: DecompositionOptions): Promise<DecompositionFit> {
  switch (options.method) {
    case "minimax":
      return loadMinimaxDecomposition();
    case "mlp":
      return (space, table, name) =>
        mlpDecomposition(space, table, { ...options, rng: options.rng.split(name) });
    default:
      return leastSquaresDecomposition;
  }
}

interface NamedTable {
  readonly name: string;
  /** Values of each agent's digit, `[N]`. */
  readonly digits: readonly number[];
  /** `[X, M]` */
  readonly table: Float64Array;
}

/** The tables to fit, each by itself, of a function with values `[S, A, M]`. */
function tables(
  { actions, states }: Pick<FiniteModel, "actions" | "states">,
  name: "transition" | "reward",
  values: Float64Array,
  outputs: number,
  { [name]: inputs = "state-and-actions", localStates }: DecompositionOptions,
): NamedTable[] {
  const joint = jointActionCount(actions);
  const rows = (s: number) => values.subarray(s * joint * outputs, (s + 1) * joint * outputs);
  if (inputs === "state-and-actions") {
    return Array.from({ length: states }, (_, s) => ({
      name: `${name}/${s}`,
      digits: actions,
      table: rows(s),
    }));
  }
  if (inputs === "actions") {
    for (let s = 1; s < states; s++) {
      const at = rows(s).findIndex((value, k) => Math.abs(value - values[k]) > SAME);
      if (at >= 0) {
        throw new InputError(
          `decomposition: ${name} at joint action ${Math.floor(at / outputs)} differs between states 0 and ${s}, so its components cannot read "actions" alone: use "state-and-actions"`,
        );
      }
    }
    return [{ name, digits: actions, table: rows(0) }];
  }
  if (localStates?.length !== actions.length || jointActionCount(localStates) !== states) {
    throw new InputError(
      `decomposition: localStates ${JSON.stringify(localStates)}, expected ${actions.length} counts whose product is ${states}, the number of states`,
    );
  }
  const table = new Float64Array(states * outputs);
  for (let s = 0; s < states; s++) {
    const row = rows(s);
    const at = row.findIndex((value, k) => Math.abs(value - row[k % outputs]) > SAME);
    if (at >= 0) {
      throw new InputError(
        `decomposition: ${name} in state ${s} differs between joint actions 0 and ${Math.floor(at / outputs)}, so its components cannot read "local-states" alone: use "state-and-actions"`,
      );
    }
    table.set(row.subarray(0, outputs), s * outputs);
  }
  return [{ name, digits: localStates, table }];
}
