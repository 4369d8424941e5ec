import type { LocalRunOptions } from "../cli/local-state-machine.ts";
import { systemClock } from "../lambdas/runtime/clock.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import { SANDBOX_PATHS } from "../sandbox/paths.ts";
import { createLocalStore } from "../stores/local-store.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * A workflow into a folder from a sandbox, without a limit to requests, logs or waits.
 * @param base the sandbox's address.
 */
export function unlimitedRun(base: string, folder: string): LocalRunOptions {
  return {
    environment: {
      ASX_DIRECTORY_URL: `${base}${SANDBOX_PATHS.directory}`,
      YAHOO_URL: base,
      REQUESTS_PER_SECOND: "unlimited",
    },
    runtime: {
      store: createLocalStore(folder),
      fetch: globalThis.fetch,
      clock: systemClock,
      random: Math.random,
      logger: silent,
      metrics: silentMetrics,
    },
    maxConcurrency: 10,
    onNotification: () => undefined,
    retryDelayMs: 0,
    run: "bench",
    longestRedriveWaitMs: 0,
  };
}
