import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { InputError } from "corral/errors";
import { isAlive, onDisk } from "./files.ts";

/** Who trains a run now. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When the process started, in the kernel's own units, so that a reused id is not taken for it. */
  readonly start: string | null;
  /** The process the holder works for; when it is gone the holder stops by itself. */
  readonly parent: { readonly pid: number; readonly start: string | null } | null;
}

/** Milliseconds between two looks at a lock that is about to be released, and how often to look. */
const patience = { interval: 50, looks: 1200 };

/**
 * Keeps a second process from training the same run. A lock whose process has died is taken over; one whose
 * process lost its parent is waited for, because such a worker stops after its current iteration.
 *
 * @param parent id of the process this one works for, where there is one
 * @param onWait called once when waiting starts
 * @returns releases the lock
 * @throws InputError when a living process holds the lock
 */
export async function lockRun(
  directory: string,
  parent?: number,
  onWait?: (message: string) => void,
): Promise<() => void> {
  const path = join(directory, "lock");
  const text = JSON.stringify({
    host: hostname(),
    pid: process.pid,
    start: processStart(process.pid),
    parent: parent === undefined ? null : { pid: parent, start: processStart(parent) },
  } satisfies Holder);
  for (let look = 0; look < patience.looks; look++) {
    if (take(path, text)) return () => rmSync(path, { force: true });
    const held = read(path);
    if (held === undefined) continue;
    const holder = parse(held);
    if (holder === undefined || (holder.host === hostname() && !lives(holder))) {
      discard(path, held);
      continue;
    }
    if (holder.host !== hostname() || holder.parent === null || lives(holder.parent)) {
      const where = holder.host === hostname() ? "" : ` on ${holder.host} (if it is gone, delete ${path})`;
      throw new InputError(`${directory} is being trained by process ${holder.pid}${where}`);
    }
    if (look === 0) onWait?.(`waiting for process ${holder.pid}, which lost its parent, to stop`);
    await pause(patience.interval);
  }
  throw new InputError(`${directory}: ${path} could not be taken; delete it if no process trains this run`);
}

/** True while a process that still lives holds the run's lock. */
export function isLocked(directory: string): boolean {
  const held = read(join(directory, "lock"));
  const holder = held === undefined ? undefined : parse(held);
  return holder !== undefined && (holder.host !== hostname() || lives(holder));
}

/** Creates the lock with its content in one step; false when there is one already. */
function take(path: string, text: string): boolean {
  const temporary = `${path}.${process.pid}.tmp`;
  return onDisk("write", path, () => {
    writeFileSync(temporary, text);
    try {
      linkSync(temporary, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
  });
}

/** Removes a stale lock, unless another process has replaced it since it was read. */
function discard(path: string, held: string): void {
  const aside = `${path}.stale.${process.pid}.tmp`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, "utf8") !== held) linkSync(aside, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return onDisk("read", path, () => {
      throw error;
    });
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return typeof holder?.pid === "number" && typeof holder.host === "string" ? holder : undefined;
  } catch {
    return undefined;
  }
}

function lives({ pid, start }: { readonly pid: number; readonly start: string | null }): boolean {
  if (!isAlive(pid)) return false;
  const now = processStart(pid);
  return start === null || now === null || now === start;
}

/** Start time of a process in clock ticks since boot, where the system tells it (Linux); a zombie counts as gone. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is a name in parentheses that may itself hold spaces; the fields after it start at 3.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "ended" : fields[19];
  } catch {
    return null;
  }
}
