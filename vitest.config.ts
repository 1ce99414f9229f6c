import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["corral-source"] },
  ssr: { resolve: { conditions: ["corral-source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts"],
    pool: "forks",
    testTimeout: 30_000,
  },
});
