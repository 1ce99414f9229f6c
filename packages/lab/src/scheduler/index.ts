export { eta, type Progress } from "./eta.ts";
export { type PoolEvent, type PoolOptions, type PoolOutcome, type PoolProgress, runPool } from "./pool.ts";
export { serveWorker } from "./worker.ts";
