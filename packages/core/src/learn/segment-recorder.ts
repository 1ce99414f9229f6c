import type { Experiences } from "../envs/index.ts";
import { InputError } from "../errors.ts";
import type { Replay } from "./replay.ts";
import { writeMasks } from "./rollout.ts";
import { createSegments, segmentFields } from "./segments.ts";

/** Cuts the experience of an environment batch into segments for a replay. */
export interface SegmentRecorder {
  /** To be called before each step: notes what agents see. */
  before(): void;
  /** To be called after each step: notes what they did (as `EnvBatch.step` takes it) and what came of it; complete segments go to the replay. */
  after(actions: Int32Array | Float32Array): void;
  /** The segments that are not complete, by name. */
  tensors(): Readonly<Record<string, Float32Array | Int32Array>>;
  restore(tensors: Readonly<Record<string, ArrayLike<number>>>): void;
}

export function segmentRecorder(
  batch: Experiences,
  replay: Replay,
  { truncationIsTerminal }: { readonly truncationIsTerminal: boolean },
): SegmentRecorder {
  const { shape } = replay;
  const { size, spec } = batch;
  const { steps, moments, agents, actions: choices } = shape;
  const open = createSegments(shape, size);
  const fields = segmentFields(open);
  const taken = open.controls ?? open.actions;
  const played = shape.controls || agents;
  /** Steps that each open segment has. */
  const lengths = new Int32Array(size);
  const present = new Float32Array(shape.masked ? size * agents * choices : 0);
  const final = new Float32Array(present.length);

  const copyRow = (from: Float32Array, to: Float32Array, b: number, moment: number): void => {
    const width = from.length / size;
    to.set(from.subarray(b * width, (b + 1) * width), (moment * size + b) * width);
  };
  const look = (b: number, moment: number): void => {
    copyRow(batch.observations, open.observations, b, moment);
    copyRow(batch.states, open.states, b, moment);
    if (open.available !== undefined) copyRow(present, open.available, b, moment);
  };
  const lookBack = (b: number, moment: number): void => {
    copyRow(batch.finalObservations, open.observations, b, moment);
    copyRow(batch.finalStates, open.states, b, moment);
    if (open.available !== undefined) copyRow(final, open.available, b, moment);
  };
  const clear = (b: number): void => {
    lengths[b] = 0;
    for (const { values, rows, width } of fields) {
      for (let row = 0; row < rows; row++) {
        values.fill(0, (row * size + b) * width, (row * size + b + 1) * width);
      }
    }
  };

  return {
    before() {
      if (open.available !== undefined) writeMasks(batch, present);
      for (let b = 0; b < size; b++) look(b, lengths[b]);
    },
    after(actions) {
      if (open.available !== undefined) {
        writeMasks(batch, present);
        writeMasks({ ...batch, available: batch.finalAvailable }, final);
      }
      for (let b = 0; b < size; b++) {
        const at = lengths[b] * size + b;
        for (let k = 0; k < played; k++) taken[at * played + k] = actions[b * played + k];
        const terminated = batch.terminated[b] === 1 || (batch.truncated[b] === 1 && truncationIsTerminal);
        if (!terminated && moments === steps) {
          throw new InputError(
            `${spec.id}: its only step was cut off by the time limit, expected it to terminate the episode`,
          );
        }
        open.rewards[at] = batch.rewards[b];
        if (open.individualRewards !== undefined) {
          for (let i = 0; i < agents; i++) {
            open.individualRewards[at * agents + i] = batch.individualRewards![b * agents + i];
          }
        }
        open.terminated[at] = terminated ? 1 : 0;
        open.mask[at] = 1;
        lengths[b]++;
        const ended = batch.terminated[b] + batch.truncated[b] > 0;
        if (!ended && lengths[b] < steps) continue;
        if (moments > steps) {
          if (ended) lookBack(b, lengths[b]);
          else look(b, lengths[b]);
        }
        replay.add(open, b);
        clear(b);
      }
    },
    tensors: () => ({
      "recorder/lengths": lengths.slice(),
      ...Object.fromEntries(fields.map(({ name, values }) => [`recorder/${name}`, values.slice()])),
    }),
    restore(tensors) {
      lengths.set(tensors["recorder/lengths"]);
      for (const { name, values } of fields) values.set(tensors[`recorder/${name}`]);
    },
  };
}
