import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  build: {
    // `light-dark()` and `color-mix()` as they are: these are the first that have both.
    target: ["chrome123", "firefox120", "safari17.5"],
    // Nothing as `data:`: the policy of the pages allows what is on this host, and that alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8660" } },
  test: { include: ["test/*.test.ts"] },
});
