import { createRng, type Rng } from "corral/random";
import { type Engine, loadEngine } from "corral/tensor";
import { compare, type PeerResult } from "./comparison.ts";
import { type BenchHost, benchHost } from "./host.ts";
import { type Peer, type PeerOptions, startPeer } from "./peer.ts";
import { type Clock, type Effort, median, millisecondsPerCall, repeatsFor } from "./stopwatch.ts";
import { agpUpdate, policyForward, ppoUpdate, type Workload } from "./workloads.ts";

/** One workload at one batch size. */
export interface EngineRow {
  readonly workload: EngineWorkload;
  readonly batch: number;
  /** Nodes of corral's graph. */
  readonly nodes: number;
  /** Milliseconds of one call: median over the rounds. */
  readonly milliseconds: number;
  readonly pytorch?: PeerResult;
}

export type EngineWorkload = keyof typeof WORKLOADS;

interface WorkloadCase {
  readonly make: (engine: Engine, batch: number, rng: Rng) => Promise<Workload>;
  readonly batches: readonly number[];
  /** Ways in which the peer does it: extra fields of the request, by name. */
  readonly variants: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** PyTorch as it is usually written, and with all parameters as views of one vector. */
const UPDATE_VARIANTS = { separate: { parameters: "separate" }, flat: { parameters: "flat" } };

const WORKLOADS = {
  "ppo-mlp": { make: ppoUpdate, batches: [32, 640, 6400], variants: UPDATE_VARIANTS },
  agp: { make: agpUpdate, batches: [32, 256], variants: UPDATE_VARIANTS },
  "policy-forward": { make: policyForward, batches: [1, 32, 160], variants: { forward: {} } },
} as const satisfies Record<string, WorkloadCase>;

/** About a minute and a half against PyTorch. */
const EFFORT: Effort = { rounds: 7, turn: 200 };

export interface BenchEngineOptions {
  readonly now: Clock;
  /** Runs the same workloads elsewhere, turn by turn in the same call. */
  readonly against?: "pytorch";
  /** Told of each row as soon as it is measured. */
  readonly onRow?: (row: EngineRow) => void;
  readonly effort?: Effort;
  readonly peer?: PeerOptions;
}

/**
 * Times whole training updates (forward, backward, clip of the global gradient norm, Adam) and forward passes of
 * small networks on one thread.
 *
 * @throws InputError when the peer asked for cannot be compared with
 */
export async function benchEngine({
  now,
  against,
  onRow,
  effort = EFFORT,
  peer: peerOptions,
}: BenchEngineOptions): Promise<{ readonly host: BenchHost; readonly rows: readonly EngineRow[] }> {
  const peer = against === undefined ? undefined : await startPeer("engine.py", peerOptions);
  try {
    const engine = await loadEngine();
    const rows: EngineRow[] = [];
    for (const [name, workload] of Object.entries(WORKLOADS)) {
      for (const batch of workload.batches) {
        const row = await measure(name as EngineWorkload, workload, batch, engine, peer, now, effort);
        rows.push(row);
        onRow?.(row);
      }
    }
    return { host: benchHost(engine, peer), rows };
  } finally {
    await peer?.close();
  }
}

async function measure(
  name: EngineWorkload,
  { make, variants }: WorkloadCase,
  batch: number,
  engine: Engine,
  peer: Peer | undefined,
  now: Clock,
  { rounds, turn }: Effort,
): Promise<EngineRow> {
  const workload = await make(engine, batch, createRng("bench").split(name).split(String(batch)));
  const repeats = await repeatsFor(now, workload.run, turn);
  const own: number[] = [];
  const others: Record<string, number[]> = Object.fromEntries(
    Object.keys(variants).map((variant) => [variant, []]),
  );
  for (let round = 0; round < rounds; round++) {
    own.push(await millisecondsPerCall(now, workload.run, repeats));
    if (peer === undefined) continue;
    for (const [variant, fields] of Object.entries(variants)) {
      const request = { workload: name, batch, repeats, warmup: Math.min(20, repeats), ...fields };
      others[variant].push(await peer.time(request));
    }
  }
  await workload.dispose();
  return {
    workload: name,
    batch,
    nodes: workload.nodes,
    milliseconds: median(own),
    ...(peer === undefined ? {} : { pytorch: compare(own, others) }),
  };
}
