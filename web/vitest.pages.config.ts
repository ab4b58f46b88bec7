import { defineConfig } from "vitest/config";

/** Pages in a browser, over what `vite build` made. */
export default defineConfig({
  test: { include: ["test/pages/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
