import pLimit from "p-limit";
import {
  type BackfillDigest,
  type BackfillRecord,
  type BackfillSummaryEvent,
  backfillStatus,
  type HistoryFileEntry,
} from "../../domain/backfill.ts";
import { countOutcomes, isFinal, SYMBOL_SOURCES } from "../../domain/batch.ts";
import { spanName } from "../../domain/date-span.ts";
import { messageOf } from "../../domain/errors.ts";
import { backfillKey, parsePendingKey, pendingFolder } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { createTradingCalendar, type TradingCalendar } from "../../domain/trading-calendar.ts";
import { releaseRunLock, resumeRunLocks } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  namedFiles,
  type ReadHistoryFile,
  readHistoryFile,
  readStoredBackfill,
  type StoredBackfill,
  unnamedFiles,
} from "../runtime/stored-backfill.ts";
import { measureBackfill } from "./backfill-metrics.ts";
import {
  addFiles,
  backfillOutcomes,
  checkReportedFiles,
  type NamedHistory,
  NOTHING_NAMED,
} from "./backfill-outcomes.ts";
import { describeBackfill } from "./describe-backfill.ts";
import { keepListings } from "./keep-listings.ts";
import { nextRound } from "./plan-redrive.ts";
import { upstreamOf } from "./summarise-session.ts";

/** Files that are read, or objects that are removed, at the same time. */
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
  const { named, added } = await readNamed(store, stored);
  checkReportedFiles(event, [...named.batches, ...added]);

  const outcomes = backfillOutcomes(named, event);
  const counts = countOutcomes(outcomes);
  const record: BackfillRecord = {
    version: 1,
    from: span.from,
    to: span.to,
    status: backfillStatus(counts, event.metadata.finished),
    startedAt: event.startedAt,
    // A round that stores nothing makes nothing newer: a run since then stands as it does.
    finishedAt: (added.length === 0 ? stored.record?.finishedAt : undefined) ?? new Date(clock.now()).toISOString(),
    source: named.source,
    upstream: upstreamOf(event),
    symbols: listingOf(event, stored.record, outcomes.length),
    counts,
    rows: named.batches.reduce((rows, batch) => rows + batch.rows, 0),
    leftOut: outcomes.reduce((rows, report) => rows + report.leftOut, 0),
    days: named.days,
    batches: named.batches,
    outcomes,
  };
  const key = backfillKey(span);
  await store.replace(key, new TextEncoder().encode(`${JSON.stringify(record)}\n`), stored.version);

  const asked = new Set(event.symbolBatches.flatMap(({ symbols }) => symbols));
  const isUnfinished = outcomes.some(({ symbol, outcome }) => !isFinal(outcome) && asked.has(symbol));
  const redrive = isUnfinished ? nextRound(event, run && { ...run, upstream: record.upstream }) : null;
  if (redrive === null) {
    measureBackfill(record, metrics);
    await keepListings({ backfills: [record] }, { calendar, runtime });
    await unlessTrouble(runtime, subject, () => removeLeftovers(store, record));
    if (run !== undefined) await unlessTrouble(runtime, subject, () => releaseRunLock(store, subject, run.id, clock));
  }
  const message = describeBackfill(record, { redrive, where: store.locate(key) });
  logger.info(message, { backfill: subject, status: record.status, rows: record.rows, ...counts });
  return {
    backfill: { from: span.from, to: span.to },
    status: record.status,
    storeUrl: store.url,
    s3Key: key,
    totalSymbols: record.symbols.total,
    rows: record.rows,
    counts,
    redrive,
    message,
  };
}

/**
 * What the record and the files that it does not name say together. Only those are read, a few at a time; all of them where
 * one that is named is gone, as nothing else tells what the others hold.
 */
async function readNamed(
  store: ObjectStore,
  stored: StoredBackfill,
): Promise<{ readonly named: NamedHistory; readonly added: readonly HistoryFileEntry[] }> {
  const { record } = stored;
  const isWhole = record !== undefined && namedFiles(stored).length === record.batches.length;
  const toRead = isWhole ? unnamedFiles(stored) : stored.files;
  const read = await pLimit(AT_ONCE).map(toRead, (file) => readHistoryFile(store, file));
  const files = read.filter((file): file is ReadHistoryFile => file !== undefined);
  const named = addFiles(isWhole ? record : { ...NOTHING_NAMED, outcomes: withoutFiles(record) }, files);
  return { named, added: files.map(({ entry }) => entry) };
}

/** The outcomes of a record whose files are read again: until one is found to have a symbol, it is unfinished. */
function withoutFiles(record: BackfillRecord | undefined): BackfillRecord["outcomes"] {
  return (record?.outcomes ?? []).map(({ symbol, outcome, reason }) => ({
    symbol,
    ...(isFinal(outcome)
      ? { outcome: "failed" as const, reason: "its stored file is gone" }
      : { outcome, ...(reason !== undefined && { reason }) }),
    ...{ bars: 0, first: null, last: null, leftOut: 0 },
  }));
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
