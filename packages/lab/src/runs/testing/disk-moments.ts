import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** The calls that change what is on the disk. */
const calls = [
  "openSync",
  "writeSync",
  "fsyncSync",
  "ftruncateSync",
  "renameSync",
  "linkSync",
  "rmSync",
] as const;

/**
 * Calls `before` ahead of every change to the disk, and `torn` after half of the bytes of a write have gone out.
 * A process killed at any instant leaves what one of these moments shows.
 *
 * @returns puts everything back
 */
export function watchDisk(before: (moment: number, call: string) => void, torn: (moment: number) => void) {
  const originals = Object.fromEntries(calls.map((name) => [name, fs[name]]));
  let moment = 0;
  let inside = false;
  const outside = (work: () => void): void => {
    inside = true;
    try {
      work();
    } finally {
      inside = false;
    }
  };
  for (const name of calls) {
    const original = originals[name] as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      if (inside) return original(...args);
      moment++;
      outside(() => before(moment, name));
      if (name !== "writeSync") return original(...args);
      const [file, bytes, at, length] = args as [number, Uint8Array, number, number];
      const half = Math.floor(length / 2);
      const first = half === 0 ? 0 : (original(file, bytes, at, half) as number);
      outside(() => torn(moment));
      return first + (original(file, bytes, at + first, length - first) as number);
    };
    (fs as Record<string, unknown>)[name] = watched;
  }
  syncBuiltinESMExports();
  return () => {
    Object.assign(fs, originals);
    syncBuiltinESMExports();
  };
}
