/**
 * Counts what a daily run of the workflow asks of the upstreams and of the store, and what it stores,
 * on the second of two recorded days, as in everyday use.
 *
 *   node bench/store-requests.ts FOLDER_OF_DAYS DIRECTORY_CSV DAY_BEFORE DAY
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runDailyWorkflow } from "../cli/daily-workflow.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { systemClock } from "../lambdas/runtime/clock.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import { createReplayMarket } from "../sandbox/replay-market.ts";
import { SANDBOX_PATHS, startSandbox } from "../sandbox/server.ts";
import { createLocalStore } from "../stores/local-store.ts";

const [folder = "", directoryFile = "", ...dates] = process.argv.slice(2);
const store = await mkdtemp(join(tmpdir(), "asx-eod-bench-"));
const counts = { upstream: 0, list: 0, put: 0, get: 0 };
const stored = new Map<string, number>();
const sandbox = await startSandbox({
  market: createReplayMarket({ folder, directoryFile }),
  now: systemClock.now,
  delivery: async (answer) => {
    counts.upstream += 1;
    return answer;
  },
});
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

try {
  for (const date of dates) {
    Object.assign(counts, { upstream: 0, list: 0, put: 0, get: 0 });
    stored.clear();
    const { digest } = await runDailyWorkflow(
      { date },
      {
        environment: {
          ASX_DIRECTORY_URL: `${sandbox.url}${SANDBOX_PATHS.directory}`,
          YAHOO_URL: sandbox.url,
          REQUESTS_PER_SECOND: "unlimited",
        },
        runtime: {
          store: counting(createLocalStore(store)),
          fetch: globalThis.fetch,
          clock: systemClock,
          random: Math.random,
          logger: silent,
          metrics: silentMetrics,
        },
        maxConcurrency: 10,
        onNotification: () => undefined,
        retryDelayMs: 0,
      },
    );
    const bytes = [...stored].map(([name, size]) => `${name} ${(size / 1000).toFixed(0)} kB`).join(", ");
    process.stdout.write(
      `${date}: ${digest?.rows} bars of ${digest?.totalSymbols} symbols; ${counts.upstream} upstream requests; ` +
        `${counts.list} listings, ${counts.put} puts, ${counts.get} gets; ${bytes}\n`,
    );
  }
} finally {
  await sandbox.close();
  await rm(store, { recursive: true, force: true });
}

/** The store, with every call counted and every stored byte by the folder of its key. */
function counting(inner: ObjectStore): ObjectStore {
  return {
    ...inner,
    list: (prefix) => {
      counts.list += 1;
      return inner.list(prefix);
    },
    get: (key) => {
      counts.get += 1;
      return inner.get(key);
    },
    put: (key, bytes) => {
      counts.put += 1;
      const [name = ""] = key.split("/");
      stored.set(name, (stored.get(name) ?? 0) + bytes.length);
      return inner.put(key, bytes);
    },
  };
}
