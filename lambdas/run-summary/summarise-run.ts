import { countOutcomes, isFinal, type LostBatch, SYMBOL_SOURCES, type SymbolReport } from "../../domain/batch.ts";
import { StoredFileError } from "../../domain/errors.ts";
import { causeMessage } from "../../domain/lambda-cause.ts";
import { parseRawDataKey, rawDataPrefix, runKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import {
  type BatchEntry,
  RUN_STATUSES,
  type RunDigest,
  type RunStatus,
  type RunSummary,
  type RunSummaryEvent,
  runStatus,
} from "../../domain/run-summary.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { closingInstant } from "../../domain/trading-date.ts";
import type { MetricName, Metrics } from "../runtime/metrics.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredDay, type StoredDay } from "../runtime/stored-day.ts";

/** Longest reason that is kept of a lost batch. */
const LONGEST_REASON = 300;

const STATUS_METRICS: Record<RunStatus, MetricName> = {
  complete: "runComplete",
  partial: "runPartial",
  failed: "runFailed",
  "market-closed": "runMarketClosed",
};

/**
 * Writes the run summary of a date: what all of its stored files hold, one outcome for every symbol
 * of this run and of earlier ones, and which batches were lost. Files of earlier runs stay in the
 * manifest, so that running a date again never hides a bar.
 * @throws StoredFileError where a stored file is not the one its batch fetcher reported.
 */
export async function summariseRun(
  event: RunSummaryEvent,
  runtime: Omit<Runtime, "fetch" | "random">,
): Promise<RunDigest> {
  const { store, metrics, logger } = runtime;
  const key = runKey(event.date);
  const previous = event.tradingDay ? await readPrevious(store, key) : undefined;
  const summary = event.tradingDay
    ? await summariseTradingDay(event, previous, runtime)
    : await closedDay(event, runtime);
  await store.put(key, new TextEncoder().encode(`${JSON.stringify(summary)}\n`));

  addMetrics(summary, { event, previous, metrics });
  const message = describe(summary, store.locate(key));
  logger.info(message, { date: summary.date, status: summary.status, rows: summary.rows, ...summary.counts });
  return {
    date: summary.date,
    status: summary.status,
    storeUrl: store.url,
    s3Key: key,
    totalSymbols: summary.symbols.total,
    rows: summary.rows,
    counts: summary.counts,
    message,
  };
}

async function readPrevious(store: ObjectStore, key: string): Promise<RunSummary | undefined> {
  const bytes = await store.get(key);
  return bytes === undefined ? undefined : parseRunSummary(key, bytes);
}

async function summariseTradingDay(
  event: RunSummaryEvent,
  previous: RunSummary | undefined,
  { store, clock }: Pick<Runtime, "store" | "clock">,
): Promise<RunSummary> {
  const stored = await readStoredDay(store, event.date);
  checkReported(event, stored);
  const outcomes = collectOutcomes(event, stored, previous);
  const counts = countOutcomes(outcomes);
  const { s3Key, source, changes, warnings } = event.metadata;
  // A run of a few named symbols says nothing about listings: what an earlier run knew stands.
  const listing =
    source === "event" && previous !== undefined ? previous.symbols : { s3Key, source, changes, warnings };
  return {
    version: 1,
    date: event.date,
    status: runStatus(counts),
    startedAt: event.startedAt,
    finishedAt: instant(clock.now()),
    symbols: { ...listing, total: outcomes.length },
    counts,
    rows: stored.files.reduce((rows, { contents }) => rows + contents.bars.length, 0),
    batches: batchEntries(event, stored),
    outcomes,
  };
}

/** A closed day has no bars: where some are stored, the calendar or a configured closure is wrong, and the day is not hidden. */
async function closedDay(
  event: RunSummaryEvent,
  { store, clock }: Pick<Runtime, "store" | "clock">,
): Promise<RunSummary> {
  const stored = (await store.list(rawDataPrefix(event.date))).find(
    ({ key }) => parseRawDataKey(key)?.date === event.date,
  );
  if (stored !== undefined) {
    throw new StoredFileError(
      `${event.date} is closed by the calendar, but ${stored.key} is stored; check the configured closures, or delete the date's files`,
    );
  }
  const { s3Key, source, changes, warnings } = event.metadata;
  return {
    version: 1,
    date: event.date,
    status: RUN_STATUSES.marketClosed,
    startedAt: event.startedAt,
    finishedAt: instant(clock.now()),
    symbols: { s3Key, source, changes, warnings, total: 0 },
    counts: countOutcomes([]),
    rows: 0,
    batches: [],
    outcomes: [],
  };
}

/** A file must be the one that its fetcher wrote last: another means two runs at once, or damage. */
function checkReported(event: RunSummaryEvent, stored: StoredDay): void {
  for (const result of event.results) {
    if ("error" in result) continue;
    const file = stored.files.find(({ key }) => key === result.s3Key);
    if (file?.sha256 !== result.sha256) {
      const found = file === undefined ? "is not stored" : `has SHA-256 ${file.sha256}`;
      throw new StoredFileError(
        `${result.s3Key} ${found}, but its batch fetcher wrote ${result.sha256}; run the date again`,
      );
    }
  }
}

/** One report a symbol: what the files say, else what became of its batch, else what an earlier run said. */
function collectOutcomes(event: RunSummaryEvent, stored: StoredDay, previous: RunSummary | undefined): SymbolReport[] {
  const outcomes = new Map<string, SymbolReport>();
  for (const report of previous?.outcomes ?? []) {
    const gone = report.outcome === "fetched";
    outcomes.set(
      report.symbol,
      gone ? { symbol: report.symbol, outcome: "failed", reason: "its stored file is gone" } : report,
    );
  }
  const lost = new Map(lostBatches(event).map((batch) => [batch.batchNumber, reasonOf(batch)]));
  for (const { symbols, batchNumber } of event.symbolBatches) {
    const reason = lost.get(batchNumber) ?? "its batch reported no outcome";
    for (const symbol of symbols) {
      const known = outcomes.get(symbol);
      if (known === undefined || !isFinal(known.outcome)) outcomes.set(symbol, { symbol, outcome: "failed", reason });
    }
  }
  for (const [symbol, report] of stored.reports) outcomes.set(symbol, report);
  return [...outcomes.values()].sort((left, right) => compareSymbols(left.symbol, right.symbol));
}

function batchEntries(event: RunSummaryEvent, stored: StoredDay): BatchEntry[] {
  const durations = new Map<string, number>();
  for (const result of event.results) if (!("error" in result)) durations.set(result.s3Key, result.durationMs);
  const errors = new Map(lostBatches(event).map((batch) => [batch.batchNumber, reasonOf(batch)]));
  const entries = stored.files.map((file): BatchEntry => {
    const error = file.batchNumber === null ? undefined : errors.get(file.batchNumber);
    return {
      batchNumber: file.batchNumber,
      key: file.key,
      rows: file.contents.bars.length,
      bytes: file.bytes,
      sha256: file.sha256,
      durationMs: durations.get(file.key) ?? null,
      ...(error === undefined ? {} : { error }),
    };
  });
  const withFile = new Set(stored.files.map(({ batchNumber }) => batchNumber));
  for (const [batchNumber, error] of errors) {
    if (withFile.has(batchNumber)) continue;
    entries.push({ batchNumber, key: null, rows: 0, bytes: 0, sha256: null, durationMs: null, error });
  }
  return entries.sort((left, right) => (left.batchNumber ?? -1) - (right.batchNumber ?? -1));
}

function lostBatches(event: RunSummaryEvent): LostBatch[] {
  return event.results.filter((result) => "error" in result);
}

/** The reason of a lost batch, on one line. */
function reasonOf({ error }: LostBatch): string {
  const cause = causeMessage(error.Cause);
  return `its batch was lost: ${error.Error}${cause === "" ? "" : `: ${cause}`}`.slice(0, LONGEST_REASON);
}

function addMetrics(
  summary: RunSummary,
  { event, previous, metrics }: { event: RunSummaryEvent; previous: RunSummary | undefined; metrics: Metrics },
): void {
  const { date, status, counts } = summary;
  const finishedAt = Date.parse(summary.finishedAt);
  metrics.add(STATUS_METRICS[status], 1);
  metrics.add("runDuration", Math.max(0, finishedAt - Date.parse(summary.startedAt)));
  if (status === RUN_STATUSES.marketClosed) return;
  metrics.add("symbolsFetched", counts.fetched);
  metrics.add("symbolsNoTrade", counts.noTrade);
  metrics.add("symbolsNotFound", counts.notFound);
  metrics.add("symbolsInvalid", counts.invalid);
  metrics.add("symbolsFailed", counts.failed);
  metrics.add("symbolsDeferred", counts.deferred);
  const { isLatest, source } = event.metadata;
  if (status !== RUN_STATUSES.complete || !isLatest || source === SYMBOL_SOURCES.event) return;
  metrics.add("latestDayComplete", 1);
  // A day that was whole before lags no further.
  if (previous?.status !== RUN_STATUSES.complete) metrics.add("dataLag", finishedAt - closingInstant(date));
}

function describe(summary: RunSummary, where: string): string {
  const { date, status, counts, symbols } = summary;
  if (status === RUN_STATUSES.marketClosed) return `ASX ${date}: the market was closed.`;
  const { fetched, noTrade, notFound, invalid, failed, deferred } = counts;
  return (
    `ASX ${date}: ${status}. ${fetched} of ${symbols.total} symbols have a bar; ${noTrade} did not trade, ` +
    `${notFound} are unknown to the provider, ${invalid} invalid, ${failed} failed, ${deferred} deferred. Details: ${where}`
  );
}

function instant(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
