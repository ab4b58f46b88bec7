import { defineConfig } from "vitest/config";

/** The pages in a browser, over a real city. */
export default defineConfig({
  test: { include: ["test/city/**/*.test.ts"], testTimeout: 240_000, hookTimeout: 240_000, fileParallelism: false },
});
