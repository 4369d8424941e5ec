import pLimit from "p-limit";
import {
  BACKFILL_STATUSES,
  type BackfillDigest,
  type BackfillRecord,
  type BackfillSummaryEvent,
  backfillStatus,
  type HistoryFileEntry,
  type RecordedReport,
} from "../../domain/backfill.ts";
import { countOutcomes, isFinal, SYMBOL_SOURCES } from "../../domain/batch.ts";
import { spanName } from "../../domain/date-span.ts";
import { messageOf } from "../../domain/errors.ts";
import { backfillKey, parsePendingKey, pendingFolder } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import type { RunSummary } from "../../domain/run-summary.ts";
import { createTradingCalendar, type TradingCalendar } from "../../domain/trading-calendar.ts";
import { addDays } from "../../domain/trading-date.ts";
import { knowsListing, previousSession } from "../runtime/earlier-sessions.ts";
import { type ResolvedBackfill, resolveBackfill } from "../runtime/resolve-backfill.ts";
import { releaseRunLock, resumeRunLocks } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredBackfill, type StoredBackfill } from "../runtime/stored-backfill.ts";
import { measureBackfill } from "./backfill-metrics.ts";
import { backfillOutcomes, checkReportedFiles } from "./backfill-outcomes.ts";
import { describeBackfill } from "./describe-backfill.ts";
import { hasDoubtful, judgeAnswers } from "./doubt-answers.ts";
import { keepListings } from "./keep-listings.ts";
import { nextRound } from "./plan-redrive.ts";
import { upstreamOf } from "./summarise-session.ts";

/** Objects that are removed at the same time. */
const AT_ONCE = 4;

/** What summarising a backfill needs. */
export interface SummariseBackfillOptions {
  /** Default: the calendar by the exchange's published rules. */
  readonly calendar?: TradingCalendar;
  readonly runtime: Omit<Runtime, "fetch" | "random">;
}

/**
 * Writes the record of a backfill: which files count, and one outcome for every symbol of this round and of earlier runs.
 * Says whether what is unfinished is fetched in another round, or gives the backfill free for the next run.
 * @throws StoredFileError where a file is damaged, or is not what its fetcher wrote.
 * @throws StoreConflictError where another run wrote the record meanwhile; summarise again.
 * @throws RunUnderWayError where another run has taken the backfill over.
 */
export async function summariseBackfill(
  event: BackfillSummaryEvent,
  { calendar = createTradingCalendar(), runtime }: SummariseBackfillOptions,
): Promise<BackfillDigest> {
  const { store, clock, metrics, logger } = runtime;
  const { backfill: span, run } = event;
  const subject = spanName(span);
  if (run !== undefined) await resumeRunLocks(store, [subject], run.id, clock);
  const stored = await readStoredBackfill(store, span);
  const resolved = await resolveBackfill(store, stored);
  checkReportedFiles(event, [...(stored.record?.batches ?? []), ...resolved.added]);

  const isNamed = event.metadata.source === SYMBOL_SOURCES.event;
  const isOfMarket = !isNamed || (stored.record !== undefined && stored.record.symbols.source !== SYMBOL_SOURCES.event);
  const asked = new Set(event.symbolBatches.flatMap(({ symbols }) => symbols));
  const unjudged = { outcomes: backfillOutcomes(resolved, event, isOfMarket), unjudged: resolved.unjudged };
  const isOfThisRun = stored.record?.startedAt === event.startedAt;
  const foundBars = isOfThisRun && stored.record?.foundBars === true;
  const reference = isNamed || !hasDoubtful(unjudged) ? undefined : await referenceOf(calendar, runtime);
  const outcomes = judgeAnswers({
    ...{ ...unjudged, span, symbolBatches: event.symbolBatches, foundBars, reference, isOfList: !isNamed },
    ...{ listed: event.metadata.totalSymbols, now: clock.now() },
  });
  const batches = namedBatches(resolved, stored, outcomes);
  const counts = countOutcomes(outcomes);
  const { finished } = event.metadata;
  const gotBars = foundBars || outcomes.some(({ symbol, bars }) => resolved.unjudged.has(symbol) && bars > 0);
  const record: BackfillRecord = {
    version: 1,
    from: span.from,
    to: span.to,
    status: backfillStatus(countOutcomes(outcomes.filter(({ byName }) => byName === undefined)), finished),
    startedAt: event.startedAt,
    // A round that stores nothing makes nothing newer: a run since then stands as it does.
    finishedAt:
      (resolved.added.length === 0 ? stored.record?.finishedAt : undefined) ?? new Date(clock.now()).toISOString(),
    ...(gotBars && { foundBars: true }),
    source: batches.length === 0 ? null : resolved.source,
    upstream: upstreamOf(event),
    symbols: listingOf(event, stored.record, outcomes.length),
    counts,
    rows: batches.reduce((rows, batch) => rows + batch.rows, 0),
    leftOut: outcomes.reduce((rows, report) => rows + report.leftOut, 0),
    days: resolved.days,
    batches,
    outcomes,
  };
  const key = backfillKey(span);
  await store.replace(key, new TextEncoder().encode(`${JSON.stringify(record)}\n`), stored.version);

  // Of the whole list what is unfinished was asked for, or was thought to stand until now.
  const isUnfinished = outcomes.some(({ symbol, outcome }) => !isFinal(outcome) && (!isNamed || asked.has(symbol)));
  const redrive = isUnfinished ? nextRound(event, run && { ...run, upstream: record.upstream }) : null;
  if (redrive === null) {
    measureBackfill(record, metrics);
    await keepListings({ backfills: [record] }, { calendar, runtime });
    await unlessTrouble(runtime, subject, () => removeLeftovers(store, record));
    if (run !== undefined) await unlessTrouble(runtime, subject, () => releaseRunLock(store, subject, run.id, clock));
  }
  // A symbol that was asked for by name is what this run was about, whatever it says of the market.
  const isShort = outcomes.some(({ symbol, outcome }) => !isFinal(outcome) && asked.has(symbol));
  const status = record.status === BACKFILL_STATUSES.complete && isShort ? BACKFILL_STATUSES.partial : record.status;
  const message = describeBackfill(record, { redrive, where: store.locate(key) });
  logger.info(message, { backfill: subject, status, rows: record.rows, ...counts });
  return {
    backfill: { from: span.from, to: span.to },
    status,
    storeUrl: store.url,
    s3Key: key,
    totalSymbols: record.symbols.total,
    rows: record.rows,
    counts,
    redrive,
    message,
  };
}

/** The newest run of a list that has bars; undefined where none is stored. */
async function referenceOf(
  calendar: TradingCalendar,
  runtime: Pick<Runtime, "store" | "logger" | "clock">,
): Promise<RunSummary | undefined> {
  const latest = calendar.lastFinishedTradingDay(runtime.clock.now());
  const newest = await previousSession(addDays(latest, 1), calendar, runtime);
  return newest !== undefined && knowsListing(newest) ? newest : undefined;
}

/** The files that the record named before, and those in which an outcome stands. */
function namedBatches(
  { batches }: ResolvedBackfill,
  { record }: StoredBackfill,
  outcomes: readonly RecordedReport[],
): HistoryFileEntry[] {
  const needed = new Set([...(record?.batches ?? []), ...outcomes].map(({ batchNumber }) => batchNumber));
  return batches.filter(({ batchNumber }) => needed.has(batchNumber));
}

/** A run of a few named symbols says nothing about listings: what a run of the whole list knew stands. */
function listingOf(
  { metadata }: BackfillSummaryEvent,
  previous: BackfillRecord | undefined,
  outcomes: number,
): BackfillRecord["symbols"] {
  const { s3Key, source, warnings, totalSymbols } = metadata;
  const isNamed = source === SYMBOL_SOURCES.event;
  if (isNamed && previous !== undefined && previous.symbols.source !== SYMBOL_SOURCES.event) {
    return { ...previous.symbols, total: Math.max(previous.symbols.total, outcomes) };
  }
  return { s3Key, source, warnings, total: Math.max(totalSymbols, outcomes) };
}

/** Removes what is pending of symbols that stand in a file: a fetcher was killed between writing and removing. */
async function removeLeftovers(store: ObjectStore, record: BackfillRecord): Promise<void> {
  const standing = new Set(record.outcomes.filter(({ outcome }) => isFinal(outcome)).map(({ symbol }) => symbol));
  const listed = await store.list(pendingFolder(record));
  const left = listed.filter(({ key }) => standing.has(parsePendingKey(key)?.symbol ?? ""));
  await pLimit(AT_ONCE).map(left, ({ key }) => store.remove(key));
}

/** The record is written: trouble with what comes after it is logged. */
async function unlessTrouble(
  { logger }: Pick<Runtime, "logger">,
  backfill: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    logger.warn(messageOf(error), { backfill });
  }
}
