#!/usr/bin/env node
// In a clone the sources run as they are; an installed package runs its build.
import { existsSync } from "node:fs";
import { register } from "node:module";

const source = new URL("../src/cli/main.ts", import.meta.url);
const inClone = existsSync(source);

let ready = false;
/** From here on TypeScript modules can be imported, and users' modules find corral wherever they are. */
async function enableUserModules() {
  if (ready) return;
  ready = true;
  const { register: registerTypeScript } = await import("tsx/esm/api");
  registerTypeScript();
  register("./source-condition.js", import.meta.url, {
    data: { conditions: inClone ? ["corral-source"] : [] },
  });
}

if (inClone) await enableUserModules();
const { main } = await import(inClone ? source.href : "../dist/main.mjs");
await main(process.argv.slice(2), { enableUserModules });
