import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRng, type Rng } from "corral/random";
import { expect } from "vitest";
import { parseRunSpec, type RunSpec } from "../spec.ts";
import { type RunEvent, train } from "../train.ts";
import { resolve } from "./shipped.ts";

/** The files whose bytes must not depend on how often a run was killed. */
const lastingFiles = ["metrics.jsonl", "parameters.safetensors", "policy.onnx"] as const;

/** How a process ends: by itself, or killed. */
type Kill =
  /** It kills itself ahead of its `moment`-th change of the disk, or in the middle of the first write from there. */
  | { readonly kind: "disk"; readonly moment: number; readonly torn: boolean }
  /** The parent kills it when it reports the end of an iteration. */
  | { readonly kind: "iteration"; readonly iteration: number };

/**
 * Trains a run in a child process that runs the sources.
 *
 * @param resolver path of a module that exports `resolve: ResolveRun`
 * @returns the signal that ended the process, or its exit code
 */
function trainInChild(
  resolver: string,
  directory: string,
  spec: RunSpec,
  kill?: Kill,
): Promise<NodeJS.Signals | number | null> {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const moment = kill?.kind === "disk" ? [String(kill.moment), kill.torn ? "1" : "0"] : [];
  const child = fork(path("train-child.ts"), [resolver, directory, JSON.stringify(spec), ...moment], {
    execArgv: ["--import", new URL("sources.js", import.meta.url).href],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.on("message", (event: RunEvent) => {
    if (kill?.kind !== "iteration" || event.kind !== "iteration") return;
    if (event.position.iteration >= kill.iteration) child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(signal ?? code));
  });
}

/**
 * Trains a run whose process is killed with SIGKILL again and again, then lets it finish.
 *
 * @param kills how many processes are killed, at moments drawn from `rng`
 * @param spread the latest change of the disk, counted from the start of a process, at which one is killed
 * @returns how each process ended; the last one is 0
 */
export async function killAndResume(
  resolver: string,
  directory: string,
  spec: RunSpec,
  { kills, spread, rng }: { kills: number; spread: number; rng: Rng },
): Promise<(NodeJS.Signals | number | null)[]> {
  const ends: (NodeJS.Signals | number | null)[] = [];
  for (let i = 0; i < kills; i++) {
    const moment = 1 + rng.integer(spread);
    const kill: Kill =
      i % 3 === 2
        ? { kind: "iteration", iteration: 1 + rng.integer(8) }
        : { kind: "disk", moment, torn: i % 3 === 1 };
    ends.push(await trainInChild(resolver, directory, spec, kill));
  }
  ends.push(await trainInChild(resolver, directory, spec));
  return ends;
}

/** The bytes that must be equal, as text that a test can compare. */
export function lastingBytes(directory: string): Record<string, string> {
  return Object.fromEntries(
    lastingFiles.map((name) => [name, readFileSync(join(directory, name)).toString("latin1")]),
  );
}

/**
 * Trains a run of what is shipped in one go, and again in processes that are killed with SIGKILL; expects both to leave
 * the same bytes.
 *
 * @param values of the run's spec
 * @returns lines of its metrics
 */
export async function expectSameBytesWhenKilled(values: unknown): Promise<string[]> {
  const spec = parseRunSpec(values);
  const folder = mkdtempSync(join(tmpdir(), "corral-kill-and-resume-"));
  const [whole, killed] = ["whole", "killed"].map((name) => join(folder, name));
  try {
    expect((await train({ directory: whole, spec }, { resolve, now: () => 0 })).state).toBe("finished");
    const resolver = fileURLToPath(new URL("shipped.ts", import.meta.url));
    const rng = createRng(spec.seed);
    const ends = await killAndResume(resolver, killed, spec, { kills: 4, spread: 80, rng });
    expect(ends.at(-1)).toBe(0);
    expect(ends.filter((end) => end === "SIGKILL").length).toBeGreaterThan(1);
    const expected = lastingBytes(whole);
    expect(lastingBytes(killed)).toEqual(expected);
    return expected["metrics.jsonl"].trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
