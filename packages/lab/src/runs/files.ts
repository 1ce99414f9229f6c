import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { InputError } from "corral/errors";

/** What the file system refuses because of the user's disk, rights or path. */
const refusals: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "disk quota exceeded",
  EEXIST: "a file of that name exists",
  EIO: "input/output error",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "it does not exist",
  ENOSPC: "no space left on the device",
  ENOTDIR: "a part of the path is not a directory",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
};

/**
 * Runs `work` on `path`; what the file system refuses becomes one line that names the path and the problem.
 *
 * @throws InputError for the refusals above; other errors pass unchanged
 */
export function onDisk<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    if (code === undefined || !Object.hasOwn(refusals, code)) throw error;
    throw new InputError(`cannot ${action} ${path}: ${refusals[code]} (${code})`);
  }
}

/**
 * Makes a directory and those above it; one that exists is fine. Parents are made here because Node's own
 * recursion never returns where a directory exists and yet takes no new entry (such as `/proc`).
 */
export function makeDirectory(path: string): void {
  onDisk("create directory", path, () => {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
    const parent = dirname(path);
    if (!existsSync(parent)) makeDirectory(parent);
    try {
      mkdirSync(path);
    } catch (error) {
      // Another process may have made it since.
      if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
    }
  });
}

/**
 * Replaces a file in one step: temporary file in the same directory, fsync, rename, fsync of the directory. A
 * process killed at any instant leaves the old file or the new one, and at most a temporary file besides.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  onDisk("write", path, () => {
    try {
      const file = openSync(temporary, "w");
      try {
        writeFully(file, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    syncDirectory(dirname(path));
  });
}

/** Removes temporary files that killed processes left in a directory. */
export function removeLeftovers(directory: string): void {
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    const pid = /\.(\d+)\.tmp$/.exec(name)?.[1];
    if (pid === undefined || (Number(pid) !== process.pid && isAlive(Number(pid)))) continue;
    onDisk("remove", join(directory, name), () => rmSync(join(directory, name), { force: true }));
  }
}

/** True while a process of this machine has that id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A file that only grows. */
export interface GrowingFile {
  /** Bytes written so far. */
  readonly length: number;
  append(bytes: Uint8Array | string): void;
  /** Waits until everything appended is on the disk. */
  sync(): void;
  close(): void;
}

/** Opens a file to append to it, after cutting it to its first `length` bytes when it is longer. */
export function openGrowing(path: string, length: number): GrowingFile {
  const file = onDisk("write", path, () => {
    const opened = openSync(path, "a");
    const size = statSync(path).size;
    if (size > length) ftruncateSync(opened, length);
    return opened;
  });
  let written = Math.min(length, fileSize(path));
  return {
    get length() {
      return written;
    },
    append(bytes) {
      const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      onDisk("write", path, () => writeFully(file, data));
      written += data.length;
    },
    sync: () => onDisk("write", path, () => fsyncSync(file)),
    close: () => closeSync(file),
  };
}

/** Bytes of a file, 0 when there is none. */
export function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** One write call may take only a part. */
function writeFully(file: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(file, bytes, at, bytes.length - at);
}

/** Makes a rename last through a power failure. Windows has no such call and needs none. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
