import { type BackfillEvent, type BackfillPlan, MOST_HISTORY_BATCHES } from "../../domain/backfill.ts";
import { dealIntoLanes, isFinal, SYMBOL_SOURCES, type SymbolBatch, splitIntoBatches } from "../../domain/batch.ts";
import { contains, type DateSpan, spanName } from "../../domain/date-span.ts";
import { messageOf } from "../../domain/errors.ts";
import { backfillsPrefix, parseBackfillKey, parsePendingKey, pendingFolder } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { storedListDates } from "../../stores/symbols-csv.ts";
import { sessionsOfSpan } from "../runtime/backfill-span.ts";
import { isStanding, type ResolvedBackfill, resolveBackfill } from "../runtime/resolve-backfill.ts";
import { EXECUTION_LOCK_EXPIRES_MS, releaseRunLock, takeRunLock } from "../runtime/run-lock.ts";
import { namedFiles, readStoredBackfill, type StoredBackfill } from "../runtime/stored-backfill.ts";
import { findSymbols, type UpdateSymbolsOptions } from "./find-symbols.ts";

/** Bars that a file is to have at most, as far as {@link MOST_HISTORY_BATCHES} allows: a fetcher holds all of them. */
const BARS_A_FILE = 40_000;

/**
 * Finds what a backfill has to fetch: the symbols of the last finished trading day's list, or those named, without those
 * that have an outcome that stands. It knows nothing of earlier rounds but what is stored, so it can be made at any time.
 *
 * An outcome stands where the record has it from a file that is still there, where a file of the span has it that no record
 * names yet, or where the record of another backfill has it whose span contains this one. An answer that a summary doubted
 * does not stand.
 *
 * A plan of the whole list also has symbols that the list has no more: what is pending of them needs no request; those of a
 * stored file that does not count are asked for again; and what an earlier round of this run left is not dropped.
 * @throws InvalidInputError for a span that cannot be fetched.
 * @throws RunUnderWayError where another run has the backfill.
 * @throws StoredFileError where a record or a file of a backfill is damaged, or is not as its record names it; before any
 *   request.
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
  const stored = await readStoredBackfill(store, span);
  const resolved = await resolveBackfill(store, stored);
  const listDates = event.symbols === undefined ? await storedListDates(store) : [];
  const list = await findSymbols(event, latest, true, listDates, options);
  const standing = await standingSymbols(store, span, resolved);
  const left = list.source === SYMBOL_SOURCES.event ? [] : await leftSymbols(event, resolved, store);
  const listed = new Set(list.symbols);
  const unlisted = left.filter((symbol) => !listed.has(symbol) && !standing.has(symbol));
  const wanted = [...list.symbols.filter((symbol) => !standing.has(symbol)), ...unlisted];
  const totalSymbols = list.symbols.length + unlisted.length;
  const warnings = [...list.warnings, ...goneWarnings(resolved)];
  const symbolBatches = splitHistory(wanted, { sessions, batchSize: config.batchSize, first: nextNumber(stored) });
  for (const warning of warnings) logger.warn(warning, { backfill: spanName(span) });
  logger.info(`plan of the backfill ${spanName(span)} done`, {
    backfill: spanName(span),
    symbols: totalSymbols,
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
      totalSymbols,
      finished: totalSymbols - wanted.length,
      s3Key: list.s3Key,
      source: list.source,
      warnings,
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

async function standingSymbols(store: ObjectStore, span: DateSpan, resolved: ResolvedBackfill): Promise<Set<string>> {
  const reports = [...resolved.outcomes.values()].filter(isStanding);
  const standing = new Set(reports.map(({ symbol }) => symbol));
  for (const { key } of await store.list(backfillsPrefix)) {
    const other = parseBackfillKey(key);
    if (other === undefined || spanName(other) === spanName(span) || !contains(other, span)) continue;
    for (const symbol of standingInRecord(await readStoredBackfill(store, other))) standing.add(symbol);
  }
  return standing;
}

/** Symbols whose outcome the record of another backfill has from a file that is still there. */
function standingInRecord(stored: StoredBackfill): string[] {
  const there = new Set(namedFiles(stored).map(({ batchNumber }) => batchNumber));
  const reports = stored.record?.outcomes ?? [];
  return reports
    .filter(({ outcome, batchNumber }) => isFinal(outcome) && batchNumber !== undefined && there.has(batchNumber))
    .map(({ symbol }) => symbol);
}

/** Symbols that a backfill of the whole list has begun with, in order, whether they are listed still or not. */
async function leftSymbols(event: BackfillEvent, resolved: ResolvedBackfill, store: ObjectStore): Promise<string[]> {
  const pending = (await store.list(pendingFolder(event.backfill))).map(({ key }) => parsePendingKey(key)?.symbol);
  const ofThisRun = [...resolved.outcomes.values()].filter(
    ({ outcome, byName }) => (event.run?.attempt ?? 1) > 1 && !isFinal(outcome) && byName === undefined,
  );
  const symbols = [...pending, ...resolved.unsettled.keys(), ...ofThisRun.map(({ symbol }) => symbol)];
  return [...new Set(symbols.filter((symbol) => symbol !== undefined))].sort(compareSymbols);
}

function goneWarnings({ gone }: ResolvedBackfill): string[] {
  if (gone.length === 0) return [];
  const more = gone.length > 1 ? ` and ${gone.length - 1} more of the backfill's files are` : " is";
  return [`${gone[0]?.key}${more} gone: the symbols are asked for again`];
}
