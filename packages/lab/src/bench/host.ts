import { cpus } from "node:os";
import type { Peer } from "./peer.ts";

/** Where the times were taken. */
export interface BenchHost {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  /** Runtime of corral's programs with its version. */
  readonly runtime: string;
  /** Version and matrix library of PyTorch or NumPy, where it was compared with. */
  readonly pytorch?: PeerHost;
  readonly numpy?: PeerHost;
}

interface PeerHost {
  readonly version: string;
  readonly blas: string;
}

/** Facts a reader of the times should know. */
export function benchHost(
  runtime: { readonly name: string; readonly version: string },
  peer?: Peer,
): BenchHost {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    node: process.versions.node,
    runtime: `${runtime.name} ${runtime.version}`,
    ...(peer === undefined ? {} : { [peer.library]: { version: peer.version, blas: peer.blas } }),
  };
}
