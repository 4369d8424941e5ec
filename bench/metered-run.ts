import { runDailyWorkflow, type WorkflowEvent } from "../cli/daily-workflow.ts";
import { batchResult, type SymbolUpdaterEvent } from "../domain/batch.ts";
import { parseRawDataKey } from "../domain/object-keys.ts";
import type { ObjectStore } from "../domain/object-store.ts";
import { systemClock } from "../lambdas/runtime/clock.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import { SANDBOX_PATHS } from "../sandbox/server.ts";
import type { LambdaName } from "../stacks/bundles.ts";
import type { DeploymentConfig } from "../stacks/config.ts";
import { MEMORY_MEGABYTES } from "../stacks/functions.ts";
import { createLocalStore } from "../stores/local-store.ts";

/** Lambda gives a whole processor at this much memory, and a share of it below (Lambda developer guide). */
const MEGABYTES_A_PROCESSOR = 1_769;
/** Loading the code in a new environment, at the share of a processor that 256 MB have: assumed, every invocation cold. */
const START_SECONDS = 1.5;
/** Log lines of the service about each invocation, and the fields of each of our lines: assumed. */
const LOG_BYTES_AN_INVOCATION = 1_500;
/** A log line of Step Functions beside the data of its event: assumed. */
const LOG_BYTES_AN_EVENT = 400;
/** What AWS meters of one run. */
export interface Usage {
  /** Seconds that each Lambda is billed for, all invocations together. */
  readonly seconds: Record<LambdaName, number>;
  invocations: number;
  transitions: number;
  puts: number;
  gets: number;
  logBytes: number;
  storedBytes: number;
  /** Of the bars alone. */
  batchFiles: number;
  batchBytes: number;
}

/** What is run, and where. */
export interface MeasuredRun {
  readonly config: DeploymentConfig;
  /** Folder of the store. */
  readonly folder: string;
  readonly sandboxUrl: string;
  /** The date, and whether its run catches up. */
  readonly input: SymbolUpdaterEvent;
  /** Whether the request budget is kept: without it a run stores the same in seconds, and its times mean nothing. */
  readonly isPaced: boolean;
}

const INVOKING: Readonly<Record<string, LambdaName>> = {
  UpdateSymbols: "symbol-updater",
  FetchBatch: "batch-fetcher",
  SummariseRun: "run-summary",
};

/** Runs the daily workflow with a deployment's settings against a sandbox, and counts what AWS would meter of it. */
export async function measureRun({ config, folder, sandboxUrl, input, isPaced }: MeasuredRun): Promise<Usage> {
  const usage: Usage = {
    seconds: { "symbol-updater": 0, "batch-fetcher": 0, "run-summary": 0 },
    invocations: 0,
    transitions: 0,
    puts: 0,
    gets: 0,
    logBytes: 0,
    storedBytes: 0,
    batchFiles: 0,
    batchBytes: 0,
  };
  const log = (message: string, fields: object = {}): void => {
    usage.logBytes += JSON.stringify({ message, ...fields }).length + 200;
  };
  const enteredAt = new Map<string, number>();
  const cpuBefore = process.cpuUsage();
  await runDailyWorkflow(input, {
    environment: {
      ASX_DIRECTORY_URL: `${sandboxUrl}${SANDBOX_PATHS.directory}`,
      YAHOO_URL: sandboxUrl,
      BATCH_SIZE: String(config.batchSize),
      MAX_CONCURRENCY: String(config.concurrency),
      REQUESTS_PER_SECOND: isPaced ? String(config.requestsPerSecond) : "unlimited",
    },
    runtime: {
      store: counting(createLocalStore(folder), usage),
      fetch: globalThis.fetch,
      clock: systemClock,
      random: Math.random,
      logger: { debug: () => undefined, info: log, warn: log, error: log },
      metrics: silentMetrics,
    },
    maxConcurrency: config.concurrency,
    onNotification: () => undefined,
    onEvent: (event) => meter(event, usage, enteredAt),
    retryDelayMs: 0,
    run: "bench",
    longestRedriveWaitMs: 0,
  });
  // The processor's work is slower on a share of a processor; waiting is not. It is put to the fetchers, who do most of it.
  const { user, system } = process.cpuUsage(cpuBefore);
  const slower = MEGABYTES_A_PROCESSOR / MEMORY_MEGABYTES["batch-fetcher"] - 1;
  usage.seconds["batch-fetcher"] += ((user + system) / 1e6) * slower;
  usage.logBytes += usage.invocations * LOG_BYTES_AN_INVOCATION;
  return usage;
}

function meter(event: WorkflowEvent, usage: Usage, enteredAt: Map<string, number>): void {
  usage.logBytes += LOG_BYTES_AN_EVENT + JSON.stringify(event).length;
  if (event.type === "StateEntered") {
    usage.transitions += 1;
    enteredAt.set(event.state.name, performance.now());
  }
  if (event.type !== "StateExited") return;
  const lambda = INVOKING[event.state.name];
  if (lambda === undefined) return;
  usage.invocations += 1;
  // Batches run beside each other: each says itself how long it took.
  const ms =
    lambda === "batch-fetcher"
      ? batchResult.parse(event.state.output).durationMs
      : performance.now() - (enteredAt.get(event.state.name) ?? performance.now());
  usage.seconds[lambda] += ms / 1000 + START_SECONDS;
}

/** The store, with its requests counted: a listing is priced as a put. */
function counting(inner: ObjectStore, usage: Usage): ObjectStore {
  function countWrite(key: string, bytes: Uint8Array): void {
    usage.puts += 1;
    usage.storedBytes += bytes.length;
    if (parseRawDataKey(key) === undefined) return;
    usage.batchFiles += 1;
    usage.batchBytes += bytes.length;
  }

  return {
    url: inner.url,
    locate: inner.locate,
    list: (prefix) => {
      usage.puts += 1;
      return inner.list(prefix);
    },
    groups: (prefix, delimiter) => {
      usage.puts += 1;
      return inner.groups(prefix, delimiter);
    },
    localPath: inner.localPath,
    remove: (key) => inner.remove(key), // costs nothing
    stat: (keys) => {
      usage.puts += 1;
      return inner.stat(keys);
    },
    head: (key) => {
      usage.puts += 1;
      return inner.head(key);
    },
    get: (key) => {
      usage.gets += 1;
      return inner.get(key);
    },
    read: (key) => {
      usage.gets += 1;
      return inner.read(key);
    },
    put: (key, bytes) => {
      countWrite(key, bytes);
      return inner.put(key, bytes);
    },
    replace: (key, bytes, version) => {
      countWrite(key, bytes);
      return inner.replace(key, bytes, version);
    },
  };
}
