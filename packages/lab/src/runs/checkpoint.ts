import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LearnerSnapshot } from "corral/algorithms";
import { InputError } from "corral/errors";
import { decodeSafetensors, encodeSafetensors } from "corral/tensor";
import { parseExactly, stringifyExactly } from "./exact-json.ts";
import { makeDirectory, onDisk, writeFileAtomic } from "./files.ts";

/** Version of the content of checkpoint files. */
const checkpointFormat = "corral-checkpoint/1";

/** How many checkpoints a run keeps: the newest, and one to fall back to. */
const kept = 2;

/** What a checkpoint belongs to; resuming anything else with it would give different numbers. */
export interface CheckpointOwner {
  readonly algorithm: string;
  /** Environment and its version, for example `"aloha@1"`. */
  readonly env: string;
  /** Version of corral. */
  readonly corral: string;
  /** Identity of the run. */
  readonly run: string;
}

/** Sizes of the files that grow, at the moment of a checkpoint. */
export interface FileLengths {
  readonly metrics: number;
  readonly timing: number;
  readonly tensorboard: number;
}

/** A moment of a run. */
export interface Checkpoint {
  readonly iteration: number;
  /** Environment steps taken so far. */
  readonly steps: number;
  readonly lengths: FileLengths;
  readonly learner: LearnerSnapshot;
}

/** Writes `checkpoints/<iteration>.safetensors` in one step and removes all but the last two. */
export function writeCheckpoint(directory: string, owner: CheckpointOwner, checkpoint: Checkpoint): void {
  const folder = join(directory, "checkpoints");
  makeDirectory(folder);
  writeFileAtomic(checkpointPath(directory, checkpoint.iteration), encodeCheckpoint(owner, checkpoint));
  for (const iteration of checkpointIterations(directory).slice(0, -kept)) {
    removeCheckpoint(directory, iteration);
  }
}

/** Iterations of the checkpoints of a run, ascending. */
export function checkpointIterations(directory: string): number[] {
  let names: string[];
  try {
    names = readdirSync(join(directory, "checkpoints"));
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d+\.safetensors$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

/**
 * The newest checkpoint that is whole.
 *
 * @param metricsLength present size of `metrics.jsonl`: a checkpoint that counts on more than that is not usable
 * @returns the checkpoint, undefined when the run has none, and the newer ones that had to be passed over
 * @throws InputError when there are checkpoints but none is usable, or when one belongs to something else
 */
export function newestCheckpoint(
  directory: string,
  owner: CheckpointOwner,
  metricsLength: number,
): { readonly checkpoint?: Checkpoint; readonly unusable: readonly { iteration: number; reason: string }[] } {
  const unusable: { iteration: number; reason: string }[] = [];
  for (const iteration of checkpointIterations(directory).reverse()) {
    const path = checkpointPath(directory, iteration);
    const bytes = onDisk("read", path, () => readFileSync(path));
    const decoded = decodeCheckpoint(bytes, path, owner);
    if (typeof decoded === "string") unusable.push({ iteration, reason: decoded });
    else if (decoded.lengths.metrics > metricsLength) {
      const reason = `metrics.jsonl has ${metricsLength} bytes, the checkpoint counts on ${decoded.lengths.metrics}`;
      unusable.push({ iteration, reason });
    } else return { checkpoint: decoded, unusable };
  }
  if (unusable.length === 0) return { unusable };
  const reasons = unusable.map(({ iteration, reason }) => `${iteration}.safetensors: ${reason}`).join("; ");
  const folder = join(directory, "checkpoints");
  throw new InputError(
    `no usable checkpoint in ${folder} (${reasons}); delete it to train from the beginning`,
  );
}

export function removeCheckpoint(directory: string, iteration: number): void {
  const path = checkpointPath(directory, iteration);
  onDisk("remove", path, () => rmSync(path, { force: true }));
}

const checkpointPath = (directory: string, iteration: number): string =>
  join(directory, "checkpoints", `${iteration}.safetensors`);

function encodeCheckpoint(owner: CheckpointOwner, checkpoint: Checkpoint): Uint8Array {
  const { iteration, steps, lengths, learner } = checkpoint;
  const metadata = {
    format: checkpointFormat,
    ...owner,
    iteration: String(iteration),
    steps: String(steps),
    lengths: JSON.stringify(lengths),
    learner: stringifyExactly(learner.json),
  };
  const tensors = Object.fromEntries(
    Object.entries(learner.tensors).map(([name, data]) => [name, { shape: [data.length], data }]),
  );
  return encodeSafetensors(tensors, { ...metadata, checksum: checksum(tensors, metadata) });
}

/** SHA-256 of the file as it would be without its checksum: covers the tensors and the metadata. */
const checksum = (...content: Parameters<typeof encodeSafetensors>): string =>
  createHash("sha256")
    .update(encodeSafetensors(...content))
    .digest("hex");

/** The checkpoint, or why the bytes are damaged. @throws InputError when it is whole but belongs to something else */
function decodeCheckpoint(bytes: Uint8Array, path: string, owner: CheckpointOwner): Checkpoint | string {
  let file: ReturnType<typeof decodeSafetensors>;
  try {
    file = decodeSafetensors(bytes);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  const { checksum: expected, ...metadata } = file.metadata;
  if (metadata.format === undefined) return "not a checkpoint of a run";
  if (metadata.format !== checkpointFormat) {
    throw new InputError(`${path} has format ${metadata.format}, this corral reads ${checkpointFormat}`);
  }
  if (checksum(file.tensors, metadata) !== expected) return "its checksum does not match";
  for (const [key, word] of [
    ["algorithm", "algorithm"],
    ["env", "environment"],
    ["corral", "corral version"],
    ["run", "run"],
  ] as const) {
    if (metadata[key] !== owner[key]) {
      throw new InputError(`${path} belongs to ${word} ${metadata[key]}, expected ${owner[key]}`);
    }
  }
  const tensors = Object.entries(file.tensors).map(([name, { data }]) => [name, data] as const);
  return {
    iteration: Number(metadata.iteration),
    steps: Number(metadata.steps),
    lengths: JSON.parse(metadata.lengths),
    learner: { tensors: Object.fromEntries(tensors), json: parseExactly(metadata.learner) },
  };
}
