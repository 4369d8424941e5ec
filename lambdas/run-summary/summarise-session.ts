import {
  addUpstream,
  countOutcomes,
  isListedBatch,
  NOTHING_ASKED,
  SYMBOL_SOURCES,
  type SymbolReport,
} from "../../domain/batch.ts";
import { DAY_GATES } from "../../domain/day-checks.ts";
import { StoredFileError } from "../../domain/errors.ts";
import {
  type DayFinding,
  RUN_STATUSES,
  type RunSummary,
  type RunSummaryEvent,
  runStatus,
} from "../../domain/run-summary.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { knowsListing } from "../runtime/earlier-sessions.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readStoredDay } from "../runtime/stored-day.ts";
import { batchEntries, checkReported, collectOutcomes, type FetchedBatches } from "./collect-outcomes.ts";
import { countRevisions } from "./count-revisions.ts";
import { judgeSession } from "./judge-session.ts";
import { type FetchedRound, reasonToStop } from "./plan-redrive.ts";
import type { SessionReads } from "./session-reads.ts";

/** What summarising a session needs. */
export interface SessionOptions {
  readonly calendar: TradingCalendar;
  /** What was read of sessions already. */
  readonly reads: SessionReads;
  readonly runtime: Pick<Runtime, "store" | "clock" | "logger">;
}

/**
 * The summary of the run's own date: what all of its stored files hold, one outcome for every symbol of this run and of
 * earlier ones, and which batches were lost. Files of earlier runs stay in the manifest, so that running a date again
 * never hides a bar.
 * @param previous what `runs/` holds of the date.
 * @throws StoredFileError where a stored file has lost what its batch fetcher wrote.
 */
export function summariseDate(
  event: RunSummaryEvent,
  previous: RunSummary | undefined,
  options: SessionOptions,
): Promise<RunSummary> {
  const listed = event.symbolBatches.filter(({ batchNumber }) => isListedBatch(batchNumber, event.fill));
  const fetched = { symbolBatches: listed, results: event.results.flat() };
  return summarise(event, { date: event.date, fetched, reasonToStop: reasonToStop(event), previous }, options);
}

/**
 * The summary of a session before the run's date that the run asked for too.
 * @param previous what `runs/` holds of the session: where that knows no list of the day, the run's stands for it.
 */
export function summariseEarlier(
  event: RunSummaryEvent,
  date: string,
  previous: RunSummary | undefined,
  options: SessionOptions,
): Promise<RunSummary> {
  const isListed = previous !== undefined && knowsListing(previous);
  const fetched = { symbolBatches: isListed ? [] : event.symbolBatches, results: [] };
  return summarise(event, { date, fetched, reasonToStop: undefined, previous }, options);
}

interface Session {
  readonly date: string;
  readonly fetched: FetchedBatches;
  /** Why the run was stopped early, where it was. */
  readonly reasonToStop: string | undefined;
  readonly previous: RunSummary | undefined;
}

async function summarise(
  event: RunSummaryEvent,
  { date, fetched, reasonToStop: reason, previous }: Session,
  { calendar, runtime, reads }: SessionOptions,
): Promise<RunSummary> {
  const { store, clock } = runtime;
  const stored = await reads.day(date);
  checkReported(fetched, stored);
  const outcomes = collectOutcomes(fetched, stored, previous);
  const counts = countOutcomes(outcomes);
  const listing = listingOf(event, date, previous);
  const isNamed = listing.source === SYMBOL_SOURCES.event;
  const judged = await judgeSession({ date, stored, outcomes, counts, isNamed }, { calendar, runtime, reads });
  const isLaterRound = date === event.date && (event.run?.attempt ?? 1) > 1;
  const isUnfinished = counts.failed + counts.deferred > 0;
  const quality = { ...judged, findings: [...upstreamFinding(reason, isUnfinished), ...judged.findings] };
  return {
    version: 1,
    date,
    status: runStatus(counts, quality.findings),
    ...runTimes(event, clock.now()),
    symbols: { ...listing, total: outcomes.length },
    counts,
    rows: stored.files.reduce((rows, { contents }) => rows + contents.bars.length, 0),
    revised: await countRevisions(store, date),
    unread: date === event.date ? unreadOf(event) : 0,
    quality,
    batches: batchEntries(fetched, stored, isLaterRound ? (previous?.batches ?? []) : []),
    outcomes,
  };
}

/** A day that is whole all the same is not refused: it only could not be read again. */
function upstreamFinding(reason: string | undefined, isUnfinished: boolean): DayFinding[] {
  if (reason === undefined) return [];
  const detail = `The run was stopped early: ${reason}. ${isUnfinished ? "Run the date again later." : "The day was whole before; it could not be read again."}`;
  return [{ gate: DAY_GATES.upstream, stops: isUnfinished, detail }];
}

/** Symbols that a run which catches up could not read again; of a batch that was lost all of them. */
function unreadOf({ catchUp, results, symbolBatches }: RunSummaryEvent): number {
  if (!catchUp) return 0;
  const sizes = new Map(symbolBatches.map(({ batchNumber, symbols }) => [batchNumber, symbols.length]));
  return results
    .flat()
    .reduce((sum, batch) => sum + ("error" in batch ? (sizes.get(batch.batchNumber) ?? 0) : batch.unread), 0);
}

/** A run of a few named symbols, or one of a later date, says nothing about listings: what the date's own run knew stands. */
function listingOf(
  { date: runDate, metadata }: RunSummaryEvent,
  date: string,
  previous: RunSummary | undefined,
): Omit<RunSummary["symbols"], "total"> {
  const { s3Key, source, changes, warnings } = metadata;
  const isNamed = source === SYMBOL_SOURCES.event && previous?.status !== RUN_STATUSES.marketClosed;
  if (previous !== undefined && (isNamed || (date !== runDate && knowsListing(previous)))) {
    const { total: _, ...listing } = previous.symbols;
    return listing;
  }
  return { s3Key, source, changes, warnings };
}

/**
 * The summary of a day without a session. It has no bars: where some are stored, the calendar or a configured closure is
 * wrong, and the day is not hidden.
 * @throws StoredFileError that names a stored file.
 */
export async function summariseClosedDay(
  event: RunSummaryEvent,
  { store, clock }: Pick<Runtime, "store" | "clock">,
): Promise<RunSummary> {
  const { date, metadata } = event;
  const stored = (await readStoredDay(store, date)).files.find(({ contents }) => contents.bars.length > 0);
  if (stored !== undefined) {
    throw new StoredFileError(
      `${date} is closed by the calendar, but ${stored.key} holds bars; check the configured closures, or delete the date's files`,
    );
  }
  const { s3Key, source, changes, warnings } = metadata;
  const outcomes: SymbolReport[] = [];
  return {
    version: 1,
    date,
    status: RUN_STATUSES.marketClosed,
    ...runTimes(event, clock.now()),
    symbols: { s3Key, source, changes, warnings, total: 0 },
    counts: countOutcomes(outcomes),
    rows: 0,
    revised: 0,
    unread: 0,
    batches: [],
    outcomes,
  };
}

/** What every round of the run asked of the upstream, this one included. */
export function upstreamOf({ run, results }: FetchedRound): RunSummary["upstream"] {
  const rounds = results.flat().flatMap((result) => ("error" in result ? [] : result.upstream));
  return rounds.reduce(addUpstream, run?.upstream ?? NOTHING_ASKED);
}

function runTimes(
  event: RunSummaryEvent,
  now: number,
): Pick<RunSummary, "startedAt" | "finishedAt" | "attempts" | "upstream"> {
  return {
    startedAt: event.startedAt,
    finishedAt: new Date(now).toISOString(),
    attempts: event.run?.attempt ?? 1,
    upstream: upstreamOf(event),
  };
}
