// Lets a child process of a test run the TypeScript sources: `node --import sources.js script.ts`.
import { register } from "node:module";
import { register as registerTypeScript } from "tsx/esm/api";

registerTypeScript();
register("../../../bin/source-condition.js", import.meta.url);
