/**
 * Measures how near a whole daily run comes to what the upstream allows: the real workflow and functions on a simulated
 * clock, 2,000 symbols, a sandbox in the process that answers after 120 ms. Prints a table with medians over several
 * seeds, and ends with 1 where a bound is broken.
 *
 *   node bench/upstream-gate.ts [SEEDS]
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { runDailyWorkflow } from "../cli/daily-workflow.ts";
import { silentMetrics } from "../lambdas/runtime/metrics.ts";
import { newerDirectoryFile, olderDirectoryFile } from "../sandbox/directory-file.ts";
import type { Market } from "../sandbox/market.ts";
import { uniform } from "../sandbox/random.ts";
import { rateLimited } from "../sandbox/rate-limit.ts";
import { createSandboxApp, type Delivery, delayed, SANDBOX_PATHS } from "../sandbox/server.ts";
import { createSimulatedClock } from "../sandbox/simulated-clock.ts";
import { createMemoryStore } from "../test/support/memory-store.ts";

const DATE = "2024-05-31";
const EVENING = Date.parse("2024-05-31T19:30:00+10:00");
const SYMBOLS = 2_000;
const WORKERS = 10;
/** Requests that one worker has under way at most. */
const REQUESTS_AT_ONCE = 4;
const LATENCY_MS = 120;
const REQUESTS_PER_SECOND = 10;
const LIMIT_MS = (SYMBOLS / REQUESTS_PER_SECOND) * 1000;

interface Case {
  readonly title: string;
  /** Requests a second over all workers, and what the upstream allows; null for no limit. */
  readonly perSecond: number | null;
  /** Share of the requests that are answered 429 without Retry-After or 503, by turns of chance. */
  readonly failingShare: number;
  /** What the time is held against, in simulated milliseconds, and how many times of it are allowed. */
  readonly referenceMs: number;
  readonly bound: number;
}

const CASES: readonly Case[] = [
  { title: "limit 10/s", perSecond: REQUESTS_PER_SECOND, failingShare: 0, referenceMs: LIMIT_MS, bound: 1.05 },
  {
    title: "limit 10/s, 20 % answered 429 or 503",
    perSecond: REQUESTS_PER_SECOND,
    failingShare: 0.2,
    referenceMs: LIMIT_MS,
    bound: 1.4,
  },
  {
    title: "no limit, 10 workers",
    perSecond: null,
    failingShare: 0,
    referenceMs: (LATENCY_MS * SYMBOLS) / (WORKERS * REQUESTS_AT_ONCE),
    bound: 1.3,
  },
];

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const MARKET = largeMarket();

/** A market in which every symbol trades: each takes one request to be done with. */
function largeMarket(): Market {
  const symbols = Array.from(
    { length: SYMBOLS },
    (_, index) => `A${index.toString(36).padStart(3, "0").toUpperCase()}`,
  );
  const listings = symbols.map((symbol) => ({
    ...{ symbol, name: `${symbol} LIMITED`, industryGroup: "Materials", listingDate: "2003-02-01", marketCap: 1000 },
  }));
  const directory = { current: newerDirectoryFile(listings), older: olderDirectoryFile(listings, EVENING) };
  const bar = { open: 10, high: 11, low: 9, close: 10.5, adjustedClose: 10.5, volume: 1000 };
  return {
    directory: () => directory,
    history: () => ({ sessions: [{ date: DATE, bar }], dividends: [], splits: [] }),
  };
}

interface Measurement {
  readonly tookMs: number;
  readonly requests: number;
  /** Requests that the upstream's own limit turned away. */
  readonly refused: number;
  readonly status: string;
}

process.exitCode = await measureAll(Number(process.argv[2] ?? 5));

async function measureAll(seeds: number): Promise<number> {
  const rows: string[][] = [];
  let isBroken = false;
  for (const one of CASES) {
    const measured: Measurement[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) measured.push(await measure(one, seed));
    const times = measured.map(({ tookMs }) => tookMs).sort((left, right) => left - right);
    const [least = 0, most = 0] = [times[0], times.at(-1)];
    const median = times[times.length >> 1] ?? 0;
    const isKept = median <= one.referenceMs * one.bound && measured.every(({ status }) => status === "complete");
    isBroken ||= !isKept;
    rows.push([
      one.title,
      ...[one.referenceMs, median, least, most].map((ms) => (ms / 1000).toFixed(1)),
      (median / one.referenceMs).toFixed(3),
      String(one.bound),
      String(middle(measured.map(({ requests }) => requests))),
      String(middle(measured.map(({ refused }) => refused))),
      isKept ? "kept" : `broken: ${[...new Set(measured.map(({ status }) => status))]}`,
    ]);
  }
  process.stdout.write(`${report(rows, seeds)}\n`);
  return isBroken ? 1 : 0;
}

/** One run of the workflow on a clock of its own. */
async function measure({ perSecond, failingShare }: Case, seed: number): Promise<Measurement> {
  const clock = createSimulatedClock(EVENING);
  let drawn = 0;
  const random = (): number => {
    drawn += 1;
    return uniform(seed, drawn, 0);
  };
  let requests = 0;
  let refused = 0;
  const late = delayed(LATENCY_MS, clock.sleep);
  const limited: Delivery =
    perSecond === null
      ? late
      : rateLimited({ perSecond, burst: perSecond, retryAfter: false }, clock.now, async (answer, request) => {
          if (answer.status === 429) refused += 1;
          return late(answer, request);
        });
  const delivery: Delivery = (answer, request) => {
    if (request.kind !== "chart") return late(answer, request);
    requests += 1;
    const chance = random();
    if (chance >= failingShare) return limited(answer, request);
    return late({ status: chance < failingShare / 2 ? 429 : 503, contentType: "text/plain", body: "" }, request);
  };
  const app = createSandboxApp({ market: MARKET, now: clock.now, delivery });
  const { end, tookMs } = await clock.run(async () => {
    const end = await runDailyWorkflow(
      { date: DATE },
      {
        environment: {
          ASX_DIRECTORY_URL: `http://sandbox${SANDBOX_PATHS.directory}`,
          YAHOO_URL: "http://sandbox",
          MAX_CONCURRENCY: String(WORKERS),
          REQUESTS_PER_SECOND: perSecond === null ? "unlimited" : String(perSecond),
        },
        runtime: {
          store: createMemoryStore(),
          fetch: async (url, init) => app.fetch(new Request(url, init)),
          clock,
          random,
          logger: SILENT,
          metrics: silentMetrics,
        },
        maxConcurrency: WORKERS,
        onNotification: () => undefined,
        retryDelayMs: 0,
        run: `bench-${seed}`,
        longestRedriveWaitMs: 600_000,
      },
    );
    return { end, tookMs: clock.now() - EVENING };
  });
  return { tookMs, requests, refused, status: end.digest?.status ?? end.error?.name ?? "no digest" };
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[numbers.length >> 1] ?? 0;
}

function report(rows: string[][], seeds: number): string {
  const headings = [
    "case",
    "reference, s",
    "median, s",
    "least, s",
    "most, s",
    "ratio",
    "bound",
    "requests",
    "refused",
    "result",
  ];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = line(headings.map((_, index) => (index === 0 ? "---" : "---:")));
  const table = [line(headings), rule, ...rows.map(line)].join("\n");
  const processors = cpus();
  const machine = `${processors.length} x ${processors[0]?.model ?? "unknown processor"}`;
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return (
    `${SYMBOLS} symbols, ${WORKERS} workers, ${LATENCY_MS} ms latency, simulated clock, ${seeds} seeds; ` +
    `asx-eod ${version}, Node ${process.version}, ${machine}\n\n${table}`
  );
}
