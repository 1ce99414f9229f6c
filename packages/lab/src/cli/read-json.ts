import { constants } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { InputError } from "corral/errors";

/** @throws InputError when the file holds no JSON or more text than fits; the file system's own refusals pass */
export function readJson(file: string): unknown {
  const { size } = statSync(file);
  if (size > constants.MAX_STRING_LENGTH) {
    throw new InputError(`${file} has ${size} bytes, expected at most ${constants.MAX_STRING_LENGTH}`);
  }
  const text = readFileSync(file, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file}: expected JSON (${(error as Error).message})`);
  }
}
