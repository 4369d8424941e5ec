import type { Bar } from "../../domain/bar.ts";
import type { BatchEvent, BatchResult, SymbolReport } from "../../domain/batch.ts";
import { rawDataKey, revisionsKey } from "../../domain/object-keys.ts";
import { parseRevisions, type Revision } from "../../domain/revision.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { type FetchBatchOptions, fetchBatch } from "../../lambdas/batch-fetcher/fetch-batch.ts";
import { createYahooSource } from "../../lambdas/batch-fetcher/yahoo.ts";
import { encodeBatchFile } from "../../lambdas/runtime/batch-file-writer.ts";
import type { Delivery } from "../../sandbox/server.ts";
import { createSimulatedClock, type SimulatedClock } from "../../sandbox/simulated-clock.ts";
import { type BatchContents, decodeBatchFile } from "../../stores/batch-file-reader.ts";
import { createSimulatedRuntime, EVENING, type TestRuntime } from "./test-runtime.ts";
import { createTinyMarket, sandboxFetch, type TinyMarket } from "./tiny-market.ts";

type FetcherOptions = Partial<Pick<FetchBatchOptions, "endsAt" | "requestsPerSecond">>;

/** A batch fetcher with the real client on a simulated clock, and a market that answers in the process. */
export interface TestFetcher {
  readonly runtime: TestRuntime<SimulatedClock>;
  /** Paths asked for, in their order. */
  readonly paths: string[];
  fetch(event: BatchEvent, options?: FetcherOptions): Promise<BatchResult>;
  /** The same within what `fetch`, or the clock, runs already. */
  fetchWithin(event: BatchEvent, options?: FetcherOptions): Promise<BatchResult>;
  /** Lets time pass. */
  wait(ms: number): Promise<void>;
  /** What is stored of a batch. */
  stored(date: string, batchNumber?: number | null): Promise<BatchContents>;
}

/** @param at the instant at which time begins. */
export function createTestFetcher(tiny: TinyMarket, delivery?: Delivery, at = EVENING): TestFetcher {
  const clock = createSimulatedClock(Date.parse(at));
  const upstream = sandboxFetch(createTinyMarket(tiny), clock.now, delivery);
  const runtime = createSimulatedRuntime({ clock, fetch: upstream.fetch });
  const source = createYahooSource({ baseUrl: "http://sandbox", userAgent: "test", fetch: upstream.fetch, clock });
  const calendar = createTradingCalendar();
  const fetchWithin: TestFetcher["fetchWithin"] = (event, options) =>
    fetchBatch(event, { source, calendar, requestsPerSecond: null, runtime, ...options });
  return {
    runtime,
    paths: upstream.paths,
    fetchWithin,
    fetch: (event, options) => clock.run(() => fetchWithin(event, options)),
    wait: (ms) => clock.run(() => clock.sleep(ms)),
    async stored(date, batchNumber = 0) {
      const key = rawDataKey({ date, batchNumber });
      const bytes = runtime.store.objects.get(key);
      if (bytes === undefined) throw new Error(`nothing is stored under ${key}`);
      return decodeBatchFile(key, bytes);
    },
  };
}

/** Answers with an HTTP status and no chart, for some tickers; without any for all. */
export function failing(status: number, ...tickers: string[]): Delivery {
  return async (answer, { ticker }) =>
    ticker !== undefined && (tickers.length === 0 || tickers.includes(ticker))
      ? { status, contentType: "text/plain", body: "" }
      : answer;
}

/** Has no data at all for some tickers (400), or knows them no more (404). */
export function withoutData(status: 400 | 404, ...tickers: string[]): Delivery {
  const code = status === 400 ? "Bad Request" : "Not Found";
  const body = JSON.stringify({ chart: { result: null, error: { code, description: "" } } });
  return async (answer, { ticker = "" }) =>
    tickers.includes(ticker) ? { status, contentType: "application/json", body } : answer;
}

/** The bar that a tiny market gives where nothing else is said, fetched on the evening of its day. */
export function plainBar(symbol: string, date: string, batchNumber: number | null = 0, values: Partial<Bar> = {}): Bar {
  return {
    ...{ symbol, date, open: 10, high: 11, low: 9, close: 10.5, adjustedClose: 10.25, volume: 1000 },
    ...{ dividend: null, splitRatio: null, fetchTimestamp: Date.parse(`${date}T09:30:00Z`), batchNumber, ...values },
  };
}

/** What is on record of the changes of a batch's bars. */
export function revisionsOf({ runtime }: Pick<TestFetcher, "runtime">, date: string, batchNumber = 0): Revision[] {
  const key = revisionsKey({ date, batchNumber });
  const bytes = runtime.store.objects.get(key);
  return bytes === undefined ? [] : parseRevisions(key, bytes);
}

/** Stores a batch file as a fetcher would have. */
export async function storeFile(
  { store }: Pick<TestRuntime, "store">,
  { date, batchNumber = 0, source = "stand-in" }: { date: string; batchNumber?: number | null; source?: string },
  bars: readonly Bar[],
  reports: readonly SymbolReport[] = [],
): Promise<void> {
  await store.put(rawDataKey({ date, batchNumber }), await encodeBatchFile({ bars, reports, source }));
}
