// How modules are found. In a clone, packages of the workspace resolve to their TypeScript sources. Anywhere, a
// module that a user wrote finds corral and zod, and is an ES module when it is written like one, even in a folder
// where nothing is installed and no package.json says so.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

let added = ["corral-source"];

export function initialize(data) {
  added = data?.conditions ?? added;
}

const shared = /^(corral|zod)(\/|$)/;

export async function resolve(specifier, context, next) {
  const here = { ...context, conditions: [...added, ...context.conditions] };
  let found;
  try {
    found = await next(specifier, here);
  } catch (error) {
    if (!shared.test(specifier)) throw error;
    found = await next(specifier, { ...here, parentURL: import.meta.url });
  }
  // A file that was asked for in full is that file, also where a TypeScript file of the same name stands beside it.
  const url = specifier.startsWith("file:") && existsSync(fileURLToPath(specifier)) ? specifier : found.url;
  const mistaken = found.format !== "module" && !url.includes("/node_modules/") && isModule(url);
  return { ...found, url, ...(mistaken ? { format: "module" } : {}) };
}

/** Whether a file is an ES module: TypeScript always, JavaScript when it imports or exports. */
function isModule(url) {
  const { protocol, pathname } = new URL(url);
  if (protocol !== "file:" || !/\.[jt]s$/.test(pathname)) return false;
  return pathname.endsWith(".ts") || /^\s*(import|export)\b/m.test(readFileSync(new URL(url), "utf8"));
}
