import { createHash } from "node:crypto";
import type { JsonValue } from "corral/envs";
import { InputError, nearest } from "corral/errors";
import { z } from "zod";
import { canonicalJson } from "./exact-json.ts";

/** Everything that decides what a run computes. */
export interface RunSpec {
  /** Name of an algorithm. */
  readonly algorithm: string;
  /** Name of an environment, or the path of a module whose default export is an environment definition. */
  readonly env: string;
  /** Settings of the algorithm that differ from its defaults. */
  readonly config: Readonly<Record<string, JsonValue>>;
  /** Settings of the environment that differ from its defaults. */
  readonly envConfig: Readonly<Record<string, JsonValue>>;
  /** Root of all randomness. */
  readonly seed: number | string;
  /** Environment steps to train for; the last iteration may go beyond. */
  readonly steps: number;
  /** Iterations between evaluations, counted from iteration 0; 0 evaluates only at the end. */
  readonly evaluateEvery: number;
  /** Episodes of one evaluation. */
  readonly evaluationEpisodes: number;
  /** Iterations between checkpoints. */
  readonly checkpointEvery: number;
}

const json: z.ZodType<JsonValue> = z.json() as z.ZodType<JsonValue>;
const schema = z.strictObject({
  algorithm: z.string().min(1),
  env: z.string().min(1),
  config: z.record(z.string(), json).default({}),
  envConfig: z.record(z.string(), json).default({}),
  seed: z.custom<number | string>(
    (seed) => (typeof seed === "string" ? seed !== "" : Number.isSafeInteger(seed) && (seed as number) >= 0),
    { error: "expected an integer of at least 0 or a non-empty string" },
  ),
  steps: z.int().min(1),
  evaluateEvery: z.int().min(0).default(0),
  evaluationEpisodes: z.int().min(1).default(32),
  checkpointEvery: z.int().min(1).default(10),
});

/**
 * The full specification of a run, with defaults for what may be left out: no settings that differ, evaluation
 * only at the end over 32 episodes, a checkpoint every 10 iterations.
 *
 * @throws InputError on an unknown key, a missing one, or a value out of range
 */
export function parseRunSpec(value: unknown): RunSpec {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue.code === "unrecognized_keys") {
    const suggestion = nearest(issue.keys[0], Object.keys(schema.shape));
    const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
    throw new InputError(`run: unknown key "${issue.keys[0]}".${hint}`);
  }
  const path = issue.path.length === 0 ? "" : `.${issue.path.join(".")}`;
  throw new InputError(`run${path}: ${issue.message}`);
}

/**
 * A name for what a run computes: 16 hexadecimal digits that are equal exactly when the specifications ask for
 * the same numbers. How often checkpoints are written changes no number and does not count.
 */
export function runIdentity(spec: RunSpec): string {
  const { checkpointEvery: _, ...rest } = spec;
  return createHash("sha256").update(canonicalJson(rest)).digest("hex").slice(0, 16);
}
