import { capacityFor, copyRows, distinctRowFinder } from "../tensor/index.ts";
import type { BnActor } from "./bn-actor.ts";

/** Joint decisions of all agents, by sample: flat arrays of `R` samples. */
export interface JointSamples {
  /** `[R, N, O]` */
  readonly observations: Float32Array;
  /** 1 where the column is a parent of the row, `[R, N, N]`. */
  readonly parents: Float32Array;
  /** `[R, N]` */
  readonly actions: Int32Array;
  /** 1 for each action that may be played, `[R, N, A]`. */
  readonly available?: Float32Array;
  /** Anything else that keeps decisions apart, compared bit by bit, `[R, N]`. */
  readonly tag?: Float32Array;
}

/**
 * The different decisions among samples: agent, observation, parent input (and mask and tag). Many samples ask the
 * same question, and a network needs to answer it only once.
 */
export interface ConditionalRows {
  /** `K`: different decisions. */
  readonly count: number;
  /** Decision of each agent in each sample taken, `[R * N]`. */
  readonly rowOf: Int32Array;
  /** Sizes a program must have to answer them: distinct observations, distinct parent inputs, decisions. */
  readonly sizes: readonly [observations: number, parents: number, rows: number];
  /** Writes the tables and indices into the inputs of such a program. */
  fill(inputs: {
    readonly observations: Float32Array;
    readonly parents: Float32Array;
    readonly observationRow: Int32Array;
    readonly parentRow: Int32Array;
    readonly available?: Float32Array;
  }): void;
}

/**
 * Writes what agents tell their children into zeros.
 *
 * @returns a function of the observations `[R, N, O]` and actions `[R, N]` of agents, which of these `R * N` tells, and
 * where to
 */
export function toldWriter({
  options,
}: Pick<BnActor, "options">): (
  observations: Float32Array,
  actions: Int32Array,
  which: number,
  out: Float32Array,
  at: number,
) => void {
  const { observationSize, parentInput } = options;
  const observed = parentInput === "actions" ? 0 : observationSize;
  return (observations, actions, which, out, at) => {
    for (let k = 0; k < observed; k++) out[at + k] = observations[which * observationSize + k];
    out[at + observed + actions[which]] = 1;
  };
}

/**
 * Prepares decisions for `conditionalLogProbabilities`.
 *
 * @param capacity the largest number of samples
 * @returns a function of samples and, optionally, which of them to take; the result is overwritten by the next call
 */
export function conditionalRowBuilder(
  actor: BnActor,
  capacity: number,
): (samples: JointSamples, take?: Int32Array) => ConditionalRows {
  const { agents, observationSize, actions } = actor.options;
  const width = actor.parentInputSize;
  const slot = width / agents;
  const write = toldWriter(actor);
  const rows = capacity * agents;
  const observations = new Float32Array(rows * observationSize);
  const parents = new Float32Array(rows * width);
  const keys = new Float32Array(rows * (4 + actions));
  const findObservations = distinctRowFinder(rows);
  const findParents = distinctRowFinder(rows);
  const findRows = distinctRowFinder(rows);

  return (samples, take) => {
    const taken = take?.length ?? samples.actions.length / agents;
    const { available, tag } = samples;
    const perSample = agents * observationSize;

    parents.fill(0, 0, taken * agents * width);
    for (let n = 0; n < taken; n++) {
      const sample = take === undefined ? n : take[n];
      const from = sample * perSample;
      for (let k = 0; k < perSample; k++) observations[n * perSample + k] = samples.observations[from + k];
      for (let i = 0; i < agents; i++) {
        const mask = (sample * agents + i) * agents;
        const block = (n * agents + i) * width;
        for (let j = 0; j < agents; j++) {
          if (samples.parents[mask + j] === 0) continue;
          write(samples.observations, samples.actions, sample * agents + j, parents, block + j * slot);
        }
      }
    }
    const decisions = taken * agents;
    const ownRows = findObservations(observations, decisions, observationSize);
    const parentRows = findParents(parents, decisions, width);

    const keyWidth = 3 + (available === undefined ? 0 : actions) + (tag === undefined ? 0 : 1);

    for (let n = 0; n < taken; n++) {
      const sample = take === undefined ? n : take[n];
      for (let i = 0; i < agents; i++) {
        const row = n * agents + i;
        let at = row * keyWidth;
        keys[at++] = i;
        keys[at++] = ownRows.index[row];
        keys[at++] = parentRows.index[row];
        if (available !== undefined) {
          const mask = (sample * agents + i) * actions;
          for (let a = 0; a < actions; a++) keys[at++] = available[mask + a];
        }
        if (tag !== undefined) keys[at] = tag[sample * agents + i];
      }
    }
    const distinct = findRows(keys, decisions, keyWidth);

    return {
      count: distinct.count,
      rowOf: distinct.index,
      sizes: [capacityFor(ownRows.count), capacityFor(parentRows.count), capacityFor(distinct.count)],
      fill(inputs) {
        copyRows(observations, observationSize, ownRows.first, ownRows.count, inputs.observations);
        copyRows(parents, width, parentRows.first, parentRows.count, inputs.parents);
        const { observationRow, parentRow, available: masks } = inputs;
        observationRow.fill(0);
        parentRow.fill(0);
        masks?.fill(1);
        for (let k = 0; k < distinct.count; k++) {
          const row = distinct.first[k];
          const key = row * keyWidth;
          const agent = keys[key];
          observationRow[k] = keys[key + 1] * agents + agent;
          parentRow[k] = keys[key + 2] * agents + agent;
          for (let a = 0; masks !== undefined && a < actions; a++) masks[k * actions + a] = keys[key + 3 + a];
        }
      },
    };
  };
}
