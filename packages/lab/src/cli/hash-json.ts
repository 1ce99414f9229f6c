import { createHash } from "node:crypto";
import { canonicalJson } from "../runs/index.ts";

/** SHA-256 of a JSON value with sorted keys, in hexadecimal. */
export const hashJson = (value: unknown): string =>
  createHash("sha256").update(canonicalJson(value)).digest("hex");
