import { existsSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import pc from "picocolors";
import type { DivergedRun } from "../runs/index.ts";
import { exitCodes } from "./exit-codes.ts";

/** Prints what went wrong as one line on stderr (and the stack with `debug`); returns the exit code. */
export function reportError(error: unknown, debug: boolean): number {
  // Help and version end a command line early.
  if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
  const { code, line } = describe(error);
  process.stderr.write(`${pc.red("corral:")} ${line}\n`);
  for (let shown = error; debug && shown instanceof Error; shown = shown.cause) {
    process.stderr.write(`${pc.dim(shown.stack ?? "")}\n`);
  }
  return code;
}

function describe(error: unknown): { readonly code: number; readonly line: string } {
  if (!(error instanceof Error)) return { code: exitCodes.unexpected, line: String(error) };
  const message = error.message.replace(/\s*\n\s*/g, " ");
  // By name: a user's module may bring a copy of corral of its own, and with it another class.
  if (error.name === "DivergedRun") {
    const { directory } = error as DivergedRun;
    const kept = existsSync(join(directory, "checkpoints")) ? "; its last checkpoint is kept" : "";
    return { code: exitCodes.badInput, line: `${message}${kept}` };
  }
  // What the file system refuses carries the call that failed.
  const refused = error.name === "InputError" || "syscall" in error;
  if (refused) return { code: exitCodes.badInput, line: message };
  return { code: exitCodes.unexpected, line: `unexpected error: ${message} (--debug shows where)` };
}
