import pLimit from "p-limit";
import { type BackfillEvent, type BackfillPlan, MOST_HISTORY_BATCHES } from "../../domain/backfill.ts";
import { dealIntoLanes, isFinal, type SymbolBatch, splitIntoBatches } from "../../domain/batch.ts";
import { contains, type DateSpan, spanName } from "../../domain/date-span.ts";
import { messageOf } from "../../domain/errors.ts";
import { backfillsPrefix, parseBackfillKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { storedListDates } from "../../stores/symbols-csv.ts";
import { sessionsOfSpan } from "../runtime/backfill-span.ts";
import { EXECUTION_LOCK_EXPIRES_MS, releaseRunLock, takeRunLock } from "../runtime/run-lock.ts";
import {
  namedFiles,
  readHistoryFile,
  readStoredBackfill,
  type StoredBackfill,
  unnamedFiles,
} from "../runtime/stored-backfill.ts";
import { findSymbols, type UpdateSymbolsOptions } from "./find-symbols.ts";

/** Bars that a file is to have at most, as far as {@link MOST_HISTORY_BATCHES} allows: a fetcher holds all of them. */
const BARS_A_FILE = 40_000;

/** Files that are read at the same time. */
const FILES_AT_ONCE = 4;

/**
 * Finds what a backfill has to fetch: the symbols of the last finished trading day's list, or those named, without those
 * that have an outcome that stands. It knows nothing of earlier rounds but what is stored, so it can be made at any time.
 *
 * An outcome stands where a stored file of the span has it, whether a record names the file yet or not, or the record of
 * another backfill whose span contains this one. A file without a single bar tells of an outage rather than of its symbols:
 * these are asked for again.
 * @throws InvalidInputError for a span that cannot be fetched.
 * @throws RunUnderWayError where another run has the backfill.
 * @throws StoredFileError where a record or a file of a backfill is damaged.
 * @throws DirectoryUnavailableError, DirectoryRefusedError as the daily updater does.
 */
export async function planBackfill(event: BackfillEvent, options: UpdateSymbolsOptions): Promise<BackfillPlan> {
  const { calendar, runtime } = options;
  const { store, clock, logger } = runtime;
  const span = event.backfill;
  const sessions = sessionsOfSpan(span, calendar, clock.now()).length;
  if (event.run === undefined) return plan(event, sessions, options);

  const subject = spanName(span);
  const { id: run } = event.run;
  await takeRunLock(store, subject, { run }, { clock, expiresAfterMs: EXECUTION_LOCK_EXPIRES_MS });
  try {
    return await plan(event, sessions, options);
  } catch (error) {
    // A run that is tried again takes the lock again.
    await releaseRunLock(store, subject, run, clock).catch((lockError: unknown) =>
      logger.warn(messageOf(lockError), { backfill: subject }),
    );
    throw error;
  }
}

async function plan(event: BackfillEvent, sessions: number, options: UpdateSymbolsOptions): Promise<BackfillPlan> {
  const { calendar, config, runtime } = options;
  const { store, clock, logger } = runtime;
  const span = event.backfill;
  const latest = calendar.lastFinishedTradingDay(clock.now());
  const listDates = event.symbols === undefined ? await storedListDates(store) : [];
  const list = await findSymbols(event, latest, true, listDates, options);
  const stored = await readStoredBackfill(store, span);
  const standing = await standingSymbols(store, span, stored);
  const wanted = list.symbols.filter((symbol) => !standing.has(symbol));
  const symbolBatches = splitHistory(wanted, { sessions, batchSize: config.batchSize, first: nextNumber(stored) });
  for (const warning of list.warnings) logger.warn(warning, { backfill: spanName(span) });
  logger.info(`plan of the backfill ${spanName(span)} done`, {
    backfill: spanName(span),
    symbols: list.symbols.length,
    toFetch: wanted.length,
    batches: symbolBatches.length,
    source: list.source,
  });
  return {
    backfill: { from: span.from, to: span.to },
    symbolBatches,
    lanes: dealIntoLanes([...symbolBatches.keys()], config.maxConcurrency),
    ...(event.run !== undefined && { run: event.run }),
    metadata: {
      sessions,
      totalSymbols: list.symbols.length,
      finished: list.symbols.length - wanted.length,
      s3Key: list.s3Key,
      source: list.source,
      warnings: [...list.warnings],
    },
  };
}

/** How the symbols of a backfill are cut. */
export interface HistorySplit {
  /** Trading days of the span. */
  readonly sessions: number;
  /** Most symbols of a batch, whatever the span is. */
  readonly batchSize: number;
  /** Number of the first batch. */
  readonly first: number;
}

/**
 * Cuts symbols into batches of about 40,000 bars at most. Where that would be more than {@link MOST_HISTORY_BATCHES} they
 * have more bars each, up to the batch size: the messages of the workflow stay small.
 */
export function splitHistory(symbols: readonly string[], { sessions, batchSize, first }: HistorySplit): SymbolBatch[] {
  const fitting = Math.max(1, Math.floor(BARS_A_FILE / sessions));
  const needed = Math.ceil(symbols.length / MOST_HISTORY_BATCHES);
  const batches = splitIntoBatches(symbols, Math.min(batchSize, Math.max(fitting, needed)));
  return batches.map((batch) => ({ ...batch, batchNumber: batch.batchNumber + first }));
}

/** Files are never written over: what is unfinished goes into new ones. */
function nextNumber({ record, files }: StoredBackfill): number {
  const numbers = [...files, ...(record?.batches ?? [])].map(({ batchNumber }) => batchNumber);
  return numbers.reduce((highest, number) => Math.max(highest, number), -1) + 1;
}

async function standingSymbols(store: ObjectStore, span: DateSpan, stored: StoredBackfill): Promise<Set<string>> {
  const standing = standingInRecord(stored);
  await pLimit(FILES_AT_ONCE).map(unnamedFiles(stored), async (listed) => {
    const file = await readHistoryFile(store, listed);
    if (file === undefined || file.facts.rows === 0) return;
    for (const { symbol, outcome } of file.facts.reports) if (isFinal(outcome)) standing.add(symbol);
  });
  for (const { key } of await store.list(backfillsPrefix)) {
    const other = parseBackfillKey(key);
    if (other === undefined || spanName(other) === spanName(span) || !contains(other, span)) continue;
    for (const symbol of standingInRecord(await readStoredBackfill(store, other))) standing.add(symbol);
  }
  return standing;
}

/** Symbols whose outcome a record has from a file that is still there and has bars. */
function standingInRecord(stored: StoredBackfill): Set<string> {
  const withBars = new Set(
    namedFiles(stored)
      .filter(({ rows }) => rows > 0)
      .map(({ batchNumber }) => batchNumber),
  );
  const reports = stored.record?.outcomes ?? [];
  const standing = reports.filter(
    ({ outcome, batchNumber }) => isFinal(outcome) && batchNumber !== undefined && withBars.has(batchNumber),
  );
  return new Set(standing.map(({ symbol }) => symbol));
}
