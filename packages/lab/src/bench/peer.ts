import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { InputError } from "corral/errors";
import { z } from "zod";

/** A server in another process that times the same work in PyTorch or NumPy (see `bench/peers/README.md`). */
export interface Peer {
  readonly library: Library;
  /** Version of the library. */
  readonly version: string;
  /** Matrix library that it runs on. */
  readonly blas: string;
  /**
   * Milliseconds per call of a workload.
   *
   * @throws Error with the server's reason when it cannot carry the request out
   */
  time(request: Readonly<Record<string, string | number | boolean>>): Promise<number>;
  close(): Promise<void>;
}

/** A library to compare with, by the name it has on the command line. */
export type Library = "pytorch" | "numpy";

const SCRIPTS = {
  "engine.py": "pytorch",
  "action_graph.py": "pytorch",
  "bn_mappo.py": "pytorch",
  "mastac.py": "pytorch",
  "tabular.py": "numpy",
} as const;

export type PeerScript = keyof typeof SCRIPTS;

export interface PeerOptions {
  /** Program and arguments to run instead of the script under Python. */
  readonly command?: readonly string[];
}

/** The module's name in Python and the packages that bring it. */
const LIBRARIES = {
  pytorch: { module: "torch", packages: "Debian's packages python3-torch and libopenblas0-pthread" },
  numpy: { module: "numpy", packages: "Debian's packages python3-numpy and libopenblas0-pthread" },
} as const satisfies Record<Library, object>;

/** One thread: libraries read these when they are loaded. */
const ONE_THREAD = { OPENBLAS_NUM_THREADS: "1", OMP_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };

const greeting = z.object({
  ready: z.literal(true),
  torch: z.string().optional(),
  numpy: z.string().optional(),
  threads: z.number(),
  blas: z.string(),
});
const answer = z.union([z.object({ error: z.string() }), z.object({ milliseconds: z.number().positive() })]);

/**
 * Starts a peer under the Python that the environment variable `CORRAL_PYTHON` names, else Debian's.
 *
 * @throws InputError when there is no interpreter, no such library, or one whose times would say nothing: on the
 * reference BLAS or on several threads
 */
export async function startPeer(script: PeerScript, options: PeerOptions = {}): Promise<Peer> {
  const library = SCRIPTS[script];
  const { module, packages } = LIBRARIES[library];
  const remedy = `install ${packages}, or name a Python with ${module} in CORRAL_PYTHON`;
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
      throw new InputError(`${library}: cannot run ${program} (${line.message}): ${remedy}`);
    }
    if (line.done === true) {
      await ended;
      if (/No module named '?(torch|numpy)/.test(complaints)) {
        throw new InputError(`${library}: ${program} has no ${module}: ${remedy}`);
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
    const { threads, blas, ...versions } = greeting.parse(await next());
    if (blas === "reference") {
      throw new InputError(
        `${library}: ${program} runs on the reference BLAS, several times slower than it need be: install libopenblas0-pthread`,
      );
    }
    if (threads !== 1) throw new InputError(`${library}: runs on ${threads} threads, expected 1`);
    return {
      library,
      version: versions[module] ?? "unknown",
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
        "peer: comparisons need bench/peers of corral's source tree; clone the repository",
      );
    }
    folder = parent;
  }
}
