import { fileURLToPath } from "node:url";
import type { PeerOptions } from "../peer.ts";

/** Runs the fake peer; `misbehaviour` is `no-torch` or `reference`. */
export const fakePeer = (misbehaviour?: string): PeerOptions => ({
  command: [
    process.execPath,
    fileURLToPath(new URL("./fake-peer.js", import.meta.url)),
    ...(misbehaviour === undefined ? [] : [misbehaviour]),
  ],
});
