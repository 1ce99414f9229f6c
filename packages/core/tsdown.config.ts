import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/errors.ts", "src/*/index.ts", "src/tensor/no-native-runtime.ts"],
  platform: "neutral",
  dts: true,
  sourcemap: true,
  deps: { neverBundle: [/^#/, /^onnxruntime-/, "zod", /^pure-rand/] },
});
