import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["corral-source"] },
  ssr: { resolve: { conditions: ["corral-source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts"],
    pool: "forks",
    // Colours come and go with the terminal and with CI; what is printed is compared without them.
    env: { NO_COLOR: "1" },
    testTimeout: 30_000,
  },
});
