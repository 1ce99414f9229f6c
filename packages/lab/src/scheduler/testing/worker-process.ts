// A worker process for tests: worker-process.ts <module that exports resolve>
import { pathToFileURL } from "node:url";
import { serveWorker } from "../index.ts";

const { resolve } = await import(pathToFileURL(process.argv[2]).href);
let clock = 0;
serveWorker({ resolve, now: () => ++clock });
