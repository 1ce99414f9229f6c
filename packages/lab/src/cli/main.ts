import { createRequire } from "node:module";
import type { Context } from "./context.ts";
import { createProgram } from "./program.ts";
import { reportError } from "./report-error.ts";

/**
 * Runs one command line and sets the exit code.
 *
 * @param words the arguments, without node and the script
 */
export async function main(words: readonly string[], context: Context): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", endQuietly);
  const { version } = createRequire(import.meta.url)("corral/package.json") as { version: string };
  try {
    const asked = words.length === 0 ? ["--help"] : words;
    await createProgram(context, version).parseAsync(asked, { from: "user" });
  } catch (error) {
    process.exitCode = reportError(error, words.includes("--debug"));
  }
}

/** The reader of a pipe has had enough, such as `head`. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  throw error;
}
