// Trains one run in a process of its own and kills itself where it is told to:
//   train-child.ts <module that exports resolve> <directory> <spec as JSON> [<moment> <torn>]
// The moment counts changes of the disk from 1; `torn` is 1 to die in the middle of the write of that moment.
import { pathToFileURL } from "node:url";
import { parseRunSpec, train } from "../index.ts";
import { watchDisk } from "./disk-moments.ts";

const [module, directory, spec, moment, torn] = process.argv.slice(2);
const { resolve } = await import(pathToFileURL(module).href);
const die = () => process.kill(process.pid, "SIGKILL");

if (moment !== undefined) {
  watchDisk(
    (at) => {
      if (torn !== "1" && at === Number(moment)) die();
    },
    (at) => {
      if (torn === "1" && at >= Number(moment)) die();
    },
  );
}
let clock = 0;
await train(
  { directory, spec: parseRunSpec(JSON.parse(spec)) },
  {
    resolve,
    now: () => ++clock,
    onEvent: (event) => process.send?.(event),
  },
);
process.disconnect?.();
