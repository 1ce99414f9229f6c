import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/cli/main.ts"],
  platform: "node",
  dts: false,
  sourcemap: true,
  deps: { neverBundle: [/^corral(\/|$)/] },
});
