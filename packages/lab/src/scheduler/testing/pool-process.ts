// A pool in a process of its own, for tests that kill it: pool-process.ts <module that exports resolve> <runs as JSON>
import { runPool } from "../index.ts";
import { workersFor } from "./spawn-worker.ts";

const [resolver, runs] = process.argv.slice(2);
await runPool(JSON.parse(runs), {
  jobs: 2,
  spawn: workersFor(resolver),
  now: () => 0,
  onEvent: (event) => process.send?.(event),
});
process.disconnect?.();
