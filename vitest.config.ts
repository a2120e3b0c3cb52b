import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: [
      { find: /^windlass$/, replacement: fileURLToPath(new URL("./src/sdk/index.ts", import.meta.url)) },
      { find: /^windlass\/testing$/, replacement: fileURLToPath(new URL("./src/testing/run-dag.ts", import.meta.url)) },
    ],
  },
  test: {
    globalSetup: ["test/support/start-postgres.ts"],
    // A run that is over ends, whatever a test left open.
    teardownTimeout: 10_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "src/**/*.test.ts",
            "test/*.test.ts",
            "test/support/**/*.test.ts",
            "test/integration/**/*.test.ts",
            "test/soak/**/*.test.ts",
          ],
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          include: ["test/apiserver/**/*.test.ts", "test/chart/**/*.test.ts", "test/cluster/**/*.test.ts"],
          // One cluster, and measurements in it: files take turns.
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
