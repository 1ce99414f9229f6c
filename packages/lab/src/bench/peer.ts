import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { InputError } from "corral/errors";
import { z } from "zod";

/** A server in another process that times the same work in PyTorch (see `bench/peers/README.md`). */
export interface Peer {
  /** Version of PyTorch. */
  readonly torch: string;
  /** Matrix library that PyTorch runs on. */
  readonly blas: string;
  /**
   * Milliseconds per call of a workload.
   *
   * @throws Error with the server's reason when it cannot carry the request out
   */
  time(request: Readonly<Record<string, string | number | boolean>>): Promise<number>;
  close(): Promise<void>;
}

export type PeerScript = "engine.py" | "bn_mappo.py";

export interface PeerOptions {
  /** Program and arguments to run instead of the script under Python. */
  readonly command?: readonly string[];
}

const PACKAGES = "Debian's packages python3-torch and libopenblas0-pthread";
/** One thread: libraries read these when they are loaded. */
const ONE_THREAD = { OPENBLAS_NUM_THREADS: "1", OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };

const greeting = z.object({
  ready: z.literal(true),
  torch: z.string(),
  threads: z.number(),
  blas: z.string(),
});
const answer = z.union([z.object({ error: z.string() }), z.object({ milliseconds: z.number().positive() })]);

/**
 * Starts a peer under the Python that the environment variable `CORRAL_PYTHON` names, else Debian's.
 *
 * @throws InputError when there is no interpreter, no PyTorch, or one whose times would say nothing: on the
 * reference BLAS or on several threads
 */
export async function startPeer(script: PeerScript, options: PeerOptions = {}): Promise<Peer> {
  const [program, ...rest] = options.command ?? [
    process.env.CORRAL_PYTHON ?? "/usr/bin/python3",
    join(peersDirectory(), script),
  ];
  const child = spawn(program, rest, { env: { ...process.env, ...ONE_THREAD }, stdio: "pipe" });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-4000);
  });
  // A server that is gone is reported by the missing answer, not by the pipe to it.
  child.stdin.on("error", () => {});
  const missing = once(child, "error").then(([error]) => error as Error);
  const ended = once(child, "close").catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  const next = async (): Promise<unknown> => {
    const line = await Promise.race([lines.next(), missing]);
    if (line instanceof Error) {
      throw new InputError(
        `pytorch: cannot run ${program} (${line.message}): install ${PACKAGES}, or name a Python with torch in CORRAL_PYTHON`,
      );
    }
    if (line.done === true) {
      await ended;
      if (/No module named '?(torch|numpy)/.test(complaints)) {
        throw new InputError(
          `pytorch: ${program} has no torch: install ${PACKAGES}, or name a Python with torch in CORRAL_PYTHON`,
        );
      }
      throw new Error(`${script} ended: ${complaints.trim().split("\n").at(-1) || "without a word"}`);
    }
    return JSON.parse(line.value);
  };
  const close = async (): Promise<void> => {
    child.stdin.end();
    child.stdout.resume();
    await ended;
  };

  try {
    const { torch, threads, blas } = greeting.parse(await next());
    if (blas === "reference") {
      throw new InputError(
        `pytorch: ${program} runs on the reference BLAS, several times slower than it need be: install libopenblas0-pthread`,
      );
    }
    if (threads !== 1) throw new InputError(`pytorch: runs on ${threads} threads, expected 1`);
    return {
      torch,
      blas,
      async time(request) {
        child.stdin.write(`${JSON.stringify(request)}\n`);
        const reply = answer.parse(await next());
        if ("error" in reply) throw new Error(`${script}: ${reply.error}`);
        return reply.milliseconds;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `bench/peers` of the source tree this module is in. */
function peersDirectory(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, "bench", "peers");
    if (existsSync(join(candidate, "peer.py"))) return candidate;
    const parent = dirname(folder);
    if (parent === folder) {
      throw new InputError(
        "pytorch: comparisons need bench/peers of corral's source tree; clone the repository",
      );
    }
    folder = parent;
  }
}
