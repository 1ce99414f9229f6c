// Loaded before everything else (`node --import`), writes the URL of every imported module to the file that the
// environment variable IMPORT_RECORD names.
import { appendFileSync } from "node:fs";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

if (isMainThread) register(import.meta.url);

export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  appendFileSync(process.env.IMPORT_RECORD, `${found.url}\n`);
  return found;
}
