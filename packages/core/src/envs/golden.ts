import type { z } from "zod";
import { InputError } from "../errors.ts";

/** A format of recorded trajectories and the way to replay them. */
export interface GoldenSchema {
  /** Value of the recording's `schema` or `format` field, for example `"aloha-trajectories/v1"`. */
  readonly schema: string;
  /**
   * Replays every episode: restores its initial state, plays its actions and recorded random draws, compares.
   * @throws InputError when the recording is malformed
   */
  replay(recording: unknown): GoldenReport;
}

/** How far a replay strayed from its recording. */
export interface GoldenReport {
  readonly schema: string;
  readonly episodes: number;
  readonly steps: number;
  /** One entry for each compared quantity. */
  readonly deviations: readonly GoldenDeviation[];
}

/** Where one quantity differs most. */
export interface GoldenDeviation {
  /** `"observation"`, `"reward"`, `"state"`, `"done"`, ... */
  readonly quantity: string;
  /** Largest absolute difference; infinite where the sizes differ or a number is not one. */
  readonly largest: number;
  /** Largest difference that counts as agreement. */
  readonly tolerance: number;
  readonly episode: string;
  /** Step of the episode, from 0. */
  readonly step: number;
}

/** True when every quantity stayed within its tolerance. */
export function agrees(report: GoldenReport): boolean {
  return report.deviations.every(({ largest, tolerance }) => largest <= tolerance);
}

/**
 * Replays a recording with the golden schema it names.
 *
 * @param owner the environment's name, for messages
 * @throws InputError when the environment has no recordings, names another schema, or the recording is malformed
 */
export function replayGolden(
  owner: string,
  golden: GoldenSchema | undefined,
  recording: unknown,
): GoldenReport {
  if (golden === undefined) throw new InputError(`${owner}: has no format of recorded trajectories`);
  const head = recording as { readonly schema?: unknown; readonly format?: unknown } | null | undefined;
  const schema = head?.schema ?? head?.format;
  if (schema !== golden.schema) {
    throw new InputError(
      `${owner}: recording has schema ${JSON.stringify(schema)}, expected "${golden.schema}"`,
    );
  }
  return golden.replay(recording);
}

/**
 * A recording checked against its format.
 * @throws InputError naming the first field that does not fit
 */
export function parseRecording<Recording>(
  schema: string,
  format: z.ZodType<Recording>,
  recording: unknown,
): Recording {
  const result = format.safeParse(recording);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new InputError(`${schema}: ${path.length === 0 ? "recording" : path.join(".")}: ${message}`);
}

/** Collects the largest deviation of each quantity during a replay. */
export interface Comparison {
  /** Compares what was replayed with what was recorded at one step. */
  compare(
    quantity: string,
    replayed: ArrayLike<number>,
    recorded: ArrayLike<number>,
    episode: string,
    step: number,
  ): void;
  deviations(): readonly GoldenDeviation[];
}

/** @param tolerances largest allowed difference of each quantity, by name */
export function createComparison(tolerances: Readonly<Record<string, number>>): Comparison {
  const worst = new Map<string, GoldenDeviation>();
  return {
    compare(quantity, replayed, recorded, episode, step) {
      let largest = replayed.length === recorded.length ? 0 : Number.POSITIVE_INFINITY;
      for (let k = 0; k < recorded.length; k++) {
        const difference = Math.abs(replayed[k] - recorded[k]);
        largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
      }
      const before = worst.get(quantity);
      if (before !== undefined && before.largest >= largest) return;
      worst.set(quantity, { quantity, largest, tolerance: tolerances[quantity], episode, step });
    },
    deviations: () => [...worst.values()],
  };
}
