import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Far above what any test takes: it ends one that hangs, and a slow machine fails none.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Proof that nothing depends on the host's zone: a zone far from Sydney, on the other side of the date line.
    env: { TZ: "Pacific/Honolulu", LC_ALL: "C" },
  },
});
