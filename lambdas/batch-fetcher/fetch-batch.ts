import pLimit from "p-limit";
import {
  type BatchEvent,
  type BatchResult,
  countOutcomes,
  isFinal,
  type SymbolReport,
  UNFINISHED_NAMED,
} from "../../domain/batch.ts";
import {
  BatchFailedError,
  InvalidInputError,
  SessionNotSettledError,
  SymbolsMissingError,
} from "../../domain/errors.ts";
import { rawDataKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { describeSettling, settledInstant } from "../../domain/trading-date.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredDay } from "../runtime/stored-day.ts";
import { readStoredList, storedListDates } from "../runtime/symbols-csv.ts";
import { createThrottle } from "../runtime/throttle.ts";
import { type FetchedSymbol, fetchSymbol, type RequestCounters } from "./fetch-symbol.ts";
import type { PriceSource } from "./price-source.ts";
import { storeBatch } from "./store-batch.ts";

/** Requests of one batch that may be under way at the same time. */
const REQUESTS_AT_ONCE = 4;
/** So many symbols that fail in a row, each after all its attempts, end a batch: its other symbols are deferred. */
const FAILURES_TO_GIVE_UP = 8;

/**
 * No symbol is begun in the last five minutes before the function ends: one that fails to the last takes almost as long,
 * and what was fetched has to be stored.
 */
const LAST_BEGIN_MS = 300_000;

/** What fetching a batch needs. */
export interface FetchBatchOptions {
  readonly source: PriceSource;
  readonly calendar: TradingCalendar;
  /** The budget over all batches that run at the same time; null for no limit. */
  readonly requestsPerSecond: number | null;
  readonly runtime: Omit<Runtime, "fetch">;
  /** When the function is ended from outside, in milliseconds since 1970; undefined where nothing ends it. */
  readonly endsAt?: number;
}

/**
 * Fetches the bars of a batch that have no final outcome yet, adds them to what is stored and
 * reports one outcome for every symbol of the batch. Symbols for which no time is left are deferred.
 * @throws BatchFailedError where every symbol failed for a transient reason; nothing is stored then.
 * @throws SymbolsMissingError where the event names no symbols and no list is stored.
 * @throws SessionNotSettledError where the date's session is not over; InvalidInputError where it has none.
 */
export async function fetchBatch(event: BatchEvent, options: FetchBatchOptions): Promise<BatchResult> {
  const { runtime, calendar } = options;
  const { store, clock } = runtime;
  const startedAt = clock.now();
  const date = event.date ?? calendar.lastFinishedTradingDay(startedAt);
  if (!calendar.isTradingDay(date)) {
    throw new InvalidInputError(`the exchange has no session on ${date}: there is nothing to fetch`);
  }
  if (startedAt < settledInstant(date)) throw new SessionNotSettledError(describeSettling(date));
  const symbols = [...new Set(event.symbols ?? (await newestSymbols(store, date)))];
  const batchNumber = event.batchNumber ?? null;
  const key = rawDataKey({ date, batchNumber });

  const stored = await readStoredDay(store, date);
  const reported = symbols.flatMap((symbol) => stored.reports.get(symbol) ?? []);
  // A batch without a single bar tells of an outage rather than of its symbols: it is asked again.
  const hasBar = reported.some(({ outcome }) => outcome === "fetched");
  const finished = hasBar ? reported.filter(({ outcome }) => isFinal(outcome)) : [];
  for (const { outcome } of finished) runtime.onOutcome?.(outcome, batchNumber);
  const known = new Set(finished.map(({ symbol }) => symbol));
  const counters: RequestCounters = { requests: 0, retries: 0, rateLimited: 0 };
  const fetched = await fetchSymbols(
    failedLast(
      symbols.filter((symbol) => !known.has(symbol)),
      stored.reports,
    ),
    { date, batchNumber, workers: event.concurrentBatches ?? 1, counters },
    options,
  );
  const { metrics } = runtime;
  metrics.add("symbolsAsked", fetched.filter(({ report }) => report.outcome !== "deferred").length);
  metrics.add("upstreamRequests", counters.requests);
  metrics.add("upstreamRetries", counters.retries);
  metrics.add("upstreamRateLimited", counters.rateLimited);
  refuseLostBatch(fetched, finished, key);

  const ownFile = stored.files.find((file) => file.key === key);
  const file = await storeBatch({ key, before: ownFile, fetched, source: options.source.name }, runtime);
  const reports = [...finished, ...fetched.map(({ report }) => report)];
  const counts = countOutcomes(reports);
  const durationMs = clock.now() - startedAt;
  metrics.add("batchDuration", durationMs);
  runtime.logger.info(`${key} done`, { date, batchNumber, rows: file.rows, ...counts, ...counters, durationMs });
  const unfinished = reports.filter(({ outcome }) => !isFinal(outcome)).slice(0, UNFINISHED_NAMED);
  return { date, batchNumber, s3Key: key, ...file, counts, unfinished, durationMs };
}

async function newestSymbols(store: ObjectStore, date: string): Promise<string[]> {
  const newest = (await storedListDates(store)).findLast((stored) => stored <= date);
  const list = newest === undefined ? undefined : await readStoredList(store, newest);
  if (list === undefined) {
    throw new SymbolsMissingError(
      `no symbols CSV is stored in ${store.url} on or before ${date}; run the symbol updater first, or name the symbols`,
    );
  }
  return list.listings.map(({ symbol }) => symbol);
}

interface BatchPlace {
  readonly date: string;
  readonly batchNumber: number | null;
  /** Batches that run at the same time. */
  readonly workers: number;
  readonly counters: RequestCounters;
}

async function fetchSymbols(
  symbols: readonly string[],
  { date, batchNumber, workers, counters }: BatchPlace,
  { source, requestsPerSecond, runtime, endsAt }: FetchBatchOptions,
): Promise<FetchedSymbol[]> {
  if (symbols.length === 0) return [];
  if (requestsPerSecond !== null) {
    // Workers that start together take turns instead of asking all at once.
    await runtime.clock.sleep(Math.round((((batchNumber ?? 0) % workers) * 1000) / requestsPerSecond));
  }
  const throttle = createThrottle(requestsPerSecond === null ? null : requestsPerSecond / workers);
  const limit = pLimit(REQUESTS_AT_ONCE);
  let failuresInARow = 0;
  const reasonToDefer = (): string | undefined => {
    if (failuresInARow >= FAILURES_TO_GIVE_UP) return `${FAILURES_TO_GIVE_UP} symbols in a row had failed`;
    return endsAt !== undefined && runtime.clock.now() > endsAt - LAST_BEGIN_MS
      ? "the time was running out"
      : undefined;
  };
  return limit.map(symbols, async (symbol) => {
    const reason = reasonToDefer();
    const fetched =
      reason === undefined
        ? await fetchSymbol(symbol, { source, throttle, counters, runtime, date, batchNumber })
        : deferredSymbol(symbol, reason);
    if (fetched.report.outcome !== "deferred") {
      failuresInARow = fetched.report.outcome === "failed" ? failuresInARow + 1 : 0;
    }
    runtime.onOutcome?.(fetched.report.outcome, batchNumber);
    return fetched;
  });
}

/** Symbols that failed before go last, so that they do not keep the others from being tried. */
function failedLast(symbols: readonly string[], reports: ReadonlyMap<string, SymbolReport>): string[] {
  const hasFailed = (symbol: string): boolean => reports.get(symbol)?.outcome === "failed";
  return [...symbols.filter((symbol) => !hasFailed(symbol)), ...symbols.filter(hasFailed)];
}

/** A symbol that is left for later: an upstream that fails one after the other is not to be asked on, or time is short. */
function deferredSymbol(symbol: string, reason: string): FetchedSymbol {
  return { report: { symbol, outcome: "deferred", reason: `not tried: ${reason}` }, bar: undefined, transient: true };
}

function refuseLostBatch(fetched: readonly FetchedSymbol[], finished: readonly SymbolReport[], key: string): void {
  const first = fetched[0];
  if (first === undefined || finished.length > 0) return;
  if (fetched.every(({ report, transient }) => !isFinal(report.outcome) && transient)) {
    const { symbol, reason } = first.report;
    throw new BatchFailedError(
      `all ${fetched.length} symbols of ${key} failed, ${symbol} with: ${reason ?? "no reason"}; nothing was stored, try again`,
    );
  }
}
