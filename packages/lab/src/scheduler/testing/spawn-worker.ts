import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const url = (path: string): URL => new URL(path, import.meta.url);

/** Starts a script of the sources with a message channel. */
export function forkSource(script: string, args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(url(script)), args, {
    execArgv: ["--import", url("../../runs/testing/sources.js").href],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
}

/** Starts worker processes that know the algorithms of `resolver`, a module that exports `resolve: ResolveRun`. */
export const workersFor = (resolver: string) => (): ChildProcess =>
  forkSource("worker-process.ts", [resolver]);
