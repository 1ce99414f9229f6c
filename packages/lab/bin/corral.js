#!/usr/bin/env node
// In a clone the sources run as they are; an installed package runs its build.
import { existsSync } from "node:fs";
import { register } from "node:module";

const source = new URL("../src/cli/main.ts", import.meta.url);
if (existsSync(source)) {
  const { register: registerTypeScript } = await import("tsx/esm/api");
  registerTypeScript();
  register("./source-condition.js", import.meta.url);
  await import(source.href);
} else {
  await import("../dist/cli/main.mjs");
}
