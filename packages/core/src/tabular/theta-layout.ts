import { InputError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import type { Dag } from "../structure/index.ts";
import type { CooperativeMarkovGame } from "./cooperative-game.ts";
import { jointActionCount } from "./joint-action.ts";

/**
 * Where the parameters of a tabular softmax Bayesian-network policy lie in one flat array. Entry
 * `theta^i[s][k][u]` (state `s`, parent-action index `k`, action `u`) is at
 * `offsets[i] + (s * parentActions[i] + k) * actions[i] + u`. The parent-action index is mixed-radix over the parents
 * of `i` in increasing id, lowest id most significant.
 */
export interface ThetaLayout {
  readonly dag: Dag;
  /** `|A^i|`, `[N]`. */
  readonly actions: readonly number[];
  /** `S`. */
  readonly states: number;
  /** Joint actions of the parents of each agent, `|A^{P^i}|`, `[N]`. */
  readonly parentActions: readonly number[];
  /** Where each agent's parameters begin, `[N]`. */
  readonly offsets: readonly number[];
  /** Number of parameters. */
  readonly size: number;
}

/**
 * The layout of the policies of one DAG in one game.
 *
 * @throws InputError when the DAG has another number of agents than the game
 */
export function thetaLayout(game: Pick<CooperativeMarkovGame, "actions" | "states">, dag: Dag): ThetaLayout {
  const { actions, states } = game;
  if (dag.agents !== actions.length) {
    throw new InputError(`DAG has ${dag.agents} agents, expected ${actions.length} as the game`);
  }
  const parentActions = dag.parents.map((own) => jointActionCount(Array.from(own, (j) => actions[j])));
  const offsets: number[] = [];
  let size = 0;
  parentActions.forEach((count, i) => {
    offsets.push(size);
    size += states * count * actions[i];
  });
  return { dag, actions, states, parentActions, offsets, size };
}

/**
 * Parameters from the nested array `theta[i][s][k][u]`.
 *
 * @throws InputError naming the part whose size or entry is wrong
 */
export function thetaFromNested(layout: ThetaLayout, nested: unknown): Float64Array {
  const { actions, states, parentActions, size } = layout;
  const theta = new Float64Array(size);
  let at = 0;
  expectList(nested, "theta", actions.length, "agents").forEach((ofAgent, i) => {
    expectList(ofAgent, `theta[${i}]`, states, "states").forEach((ofState, s) => {
      const rows = expectList(ofState, `theta[${i}][${s}]`, parentActions[i], "joint actions of its parents");
      rows.forEach((row, k) => {
        const name = `theta[${i}][${s}][${k}]`;
        expectList(row, name, actions[i], "actions").forEach((entry, u) => {
          if (typeof entry !== "number" || !Number.isFinite(entry)) {
            throw new InputError(`${name}[${u}] is ${JSON.stringify(entry)}, expected a finite number`);
          }
          theta[at++] = entry;
        });
      });
    });
  });
  return theta;
}

/** The nested array `theta[i][s][k][u]` of flat parameters, or of anything laid out like them (a gradient). */
export function thetaToNested(layout: ThetaLayout, theta: ArrayLike<number>): number[][][][] {
  let at = 0;
  return layout.actions.map((choices, i) =>
    Array.from({ length: layout.states }, () =>
      Array.from({ length: layout.parentActions[i] }, () =>
        Array.from({ length: choices }, () => theta[at++]),
      ),
    ),
  );
}

/** Independent standard normal parameters, the start of the papers' figures. */
export function gaussianTheta(layout: ThetaLayout, rng: Rng): Float64Array {
  const theta = new Float64Array(layout.size);
  rng.fillNormal(theta);
  return theta;
}

function expectList(value: unknown, name: string, length: number, meaning: string): readonly unknown[] {
  if (!Array.isArray(value))
    throw new InputError(`${name}: got ${typeof value}, expected an array of ${length} (${meaning})`);
  if (value.length !== length) {
    throw new InputError(`${name} has ${value.length} entries, expected ${length} (${meaning})`);
  }
  return value;
}
