import { SYMBOL_SOURCES } from "../../domain/batch.ts";
import { messageOf, StoredFileError } from "../../domain/errors.ts";
import { runKey } from "../../domain/object-keys.ts";
import { parseRunSummary } from "../../domain/parse-run-summary.ts";
import {
  RUN_STATUSES,
  type RunDigest,
  type RunStatus,
  type RunSummary,
  type RunSummaryEvent,
} from "../../domain/run-summary.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { releaseRunLocks, resumeRunLocks } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { describeRun } from "./describe-run.ts";
import { keepListings } from "./keep-listings.ts";
import { planRedrive } from "./plan-redrive.ts";
import { measureRun } from "./run-metrics.ts";
import { createSessionReads, type SessionReads } from "./session-reads.ts";
import { summariseClosedDay, summariseDate, summariseEarlier, upstreamOf } from "./summarise-session.ts";

/** What summarising a run needs. */
export interface SummariseRunOptions {
  readonly calendar: TradingCalendar;
  readonly runtime: Omit<Runtime, "fetch" | "random">;
}

/** Share of the symbols that a run which catches up may fail to read again: the next morning reads them once more. */
const LARGEST_UNREAD_SHARE = 0.05;

/** A summary, and what it replaced. */
interface WrittenSummary {
  readonly summary: RunSummary;
  readonly previous: RunSummary | undefined;
}

/**
 * Writes the run summary of a date, and of the sessions before it that the run asked for too; says what is to be fetched
 * again, or gives the date free for the next run.
 * @throws StoredFileError where a stored file has lost what its batch fetcher wrote.
 * @throws StoreConflictError where another run wrote the date's summary meanwhile; summarise again.
 */
export async function summariseRun(event: RunSummaryEvent, options: SummariseRunOptions): Promise<RunDigest> {
  const { calendar, runtime } = options;
  const { store, clock, metrics, logger } = runtime;
  const { date, run } = event;
  // A run that was silent for so long that another has its date writes nothing more. One whose answer was lost is tried again.
  if (run !== undefined && event.tradingDay) await resumeRunLocks(store, event.sessions, run.id, clock);
  const writing = { runtime, reads: createSessionReads(runtime), mends: event.fill != null };
  const earlier = event.tradingDay ? await writeEarlier(event, calendar, writing) : { written: [], damaged: [] };
  const { summary, previous } = await write(date, writing, (stored) =>
    event.tradingDay ? summariseDate(event, stored, { calendar, ...writing }) : summariseClosedDay(event, runtime),
  );
  const all = [...earlier.written, { summary, previous }];
  const unfinished = all.flatMap((written) => written.summary.outcomes);
  const redrive = planRedrive(event, run && { ...run, upstream: upstreamOf(event) }, unfinished);
  const worse = earlier.written.filter((written) => isWorse(written, event)).map((written) => written.summary.status);
  const status = worstStatus([
    summary.status,
    ...worse,
    ...earlier.damaged.map(() => RUN_STATUSES.failed),
    // A run that was to read the sessions again and could not is no good one, whatever they hold from before.
    ...(summary.unread > summary.symbols.total * LARGEST_UNREAD_SHARE ? [RUN_STATUSES.partial] : []),
  ]);
  metrics.add(
    "barsRevised",
    all.reduce((sum, written) => sum + revisedNow(written), 0),
  );
  if (redrive === null) measureRun(summary, { event, status, previous, metrics });
  if (event.tradingDay && redrive === null)
    await keepListings({ runs: all.map((written) => written.summary) }, options);
  if (run !== undefined && event.tradingDay && redrive === null) {
    await releaseRunLocks(store, event.sessions, run.id, clock).catch((error: unknown) =>
      logger.warn(messageOf(error), { date }),
    );
  }
  const standings = [
    ...earlier.written.map((written) => ({ date: written.summary.date, status: written.summary.status })),
    ...earlier.damaged.map((session) => ({ date: session, status: RUN_STATUSES.failed })),
  ];
  const message = describeRun(summary, {
    earlier: standings,
    redrive,
    where: store.locate(runKey(date)),
  });
  logger.info(message, { date, status: summary.status, rows: summary.rows, ...summary.counts });
  return {
    date,
    status,
    storeUrl: store.url,
    s3Key: runKey(date),
    totalSymbols: summary.symbols.total,
    rows: summary.rows,
    counts: summary.counts,
    earlier: standings,
    redrive,
    message,
  };
}

/** Summaries of the sessions before the date, and the sessions of which a file is damaged: they keep no other from its own. */
interface EarlierSessions {
  readonly written: readonly WrittenSummary[];
  readonly damaged: readonly string[];
}

/** What writing summaries needs. */
interface Writing extends Pick<SummariseRunOptions, "runtime"> {
  readonly reads: SessionReads;
  /** Whether a damaged summary is replaced as if there were none: what it said is in the files, but for the list of its day. */
  readonly mends: boolean;
}

async function writeEarlier(
  event: RunSummaryEvent,
  calendar: TradingCalendar,
  writing: Writing,
): Promise<EarlierSessions> {
  const written: WrittenSummary[] = [];
  const damaged: string[] = [];
  for (const session of event.sessions.filter((session) => session !== event.date)) {
    try {
      const replaced = await write(
        session,
        writing,
        (previous) => summariseEarlier(event, session, previous, { calendar, ...writing }),
        isWorthWriting,
      );
      if (replaced !== undefined) written.push(replaced);
    } catch (error) {
      if (!(error instanceof StoredFileError)) throw error;
      writing.runtime.logger.error(`${session} is not summarised: ${messageOf(error)}`, { date: session });
      damaged.push(session);
    }
  }
  return { written, damaged };
}

/** Nothing new is left as it is, and so is a day that was never run, of which the few named symbols have no bar. */
function isWorthWriting(summary: RunSummary, previous: RunSummary | undefined): boolean {
  if (previous === undefined) return summary.rows > 0 || summary.symbols.source !== SYMBOL_SOURCES.event;
  return statedBy(summary) !== statedBy(previous);
}

/** Whether a session is not whole, and that is news: it was alerted before where it is not. */
function isWorse({ summary, previous }: WrittenSummary, { startedAt }: RunSummaryEvent): boolean {
  if (previous === undefined || previous.startedAt === startedAt) return true;
  return worstStatus([previous.status, summary.status]) !== previous.status;
}

/**
 * Replaces a date's summary by what is made of it. One that another run wrote meanwhile is not written over.
 * @param isNeeded whether it is to be written at all; where it is not the date keeps the summary it has.
 */
async function write(
  date: string,
  writing: Writing,
  summarise: (previous: RunSummary | undefined) => Promise<RunSummary>,
): Promise<WrittenSummary>;
async function write(
  date: string,
  writing: Writing,
  summarise: (previous: RunSummary | undefined) => Promise<RunSummary>,
  isNeeded: (summary: RunSummary, previous: RunSummary | undefined) => boolean,
): Promise<WrittenSummary | undefined>;
async function write(
  date: string,
  { runtime, reads, mends }: Writing,
  summarise: (previous: RunSummary | undefined) => Promise<RunSummary>,
  isNeeded: (summary: RunSummary, previous: RunSummary | undefined) => boolean = () => true,
): Promise<WrittenSummary | undefined> {
  const key = runKey(date);
  const stored = await runtime.store.read(key);
  const previous = stored === undefined ? undefined : parsePrevious(key, stored.bytes, mends);
  const summary = await summarise(previous);
  if (!isNeeded(summary, previous)) return previous && { summary: previous, previous };
  await runtime.store.replace(key, new TextEncoder().encode(`${JSON.stringify(summary)}\n`), stored?.version);
  reads.hasWritten(date);
  return { summary, previous };
}

/** Reads what a summary is to replace. Its damage was told when the run began. */
function parsePrevious(key: string, bytes: Uint8Array, mends: boolean): RunSummary | undefined {
  try {
    return parseRunSummary(key, bytes);
  } catch (error) {
    if (!mends || !(error instanceof StoredFileError)) throw error;
    return undefined;
  }
}

/** What a summary says of its date, but for when and how it was found. */
function statedBy(summary: RunSummary): string {
  const { status, symbols, counts, rows, revised, quality, outcomes } = summary;
  const batches = summary.batches.map(({ key, sha256, error }) => [key, sha256, error]);
  return JSON.stringify([status, symbols, counts, rows, revised, quality, outcomes, batches]);
}

function revisedNow({ summary, previous }: WrittenSummary): number {
  return summary.revised - (previous?.revised ?? 0);
}

const FROM_BEST: readonly RunStatus[] = [
  RUN_STATUSES.marketClosed,
  RUN_STATUSES.complete,
  RUN_STATUSES.partial,
  RUN_STATUSES.failed,
];

function worstStatus(statuses: readonly RunStatus[]): RunStatus {
  return FROM_BEST.findLast((status) => statuses.includes(status)) ?? RUN_STATUSES.failed;
}
