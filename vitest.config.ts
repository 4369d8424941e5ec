import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Proof that nothing depends on the host's zone: a zone far from Sydney, on the other side of the date line.
    env: { TZ: "Pacific/Honolulu", LC_ALL: "C" },
  },
});
