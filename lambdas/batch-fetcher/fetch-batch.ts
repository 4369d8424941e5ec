import pLimit from "p-limit";
import {
  type BatchEvent,
  type BatchResult,
  CATCH_UP_SESSIONS,
  countOutcomes,
  EARLIER_NAMED,
  isFinal,
  isListedBatch,
} from "../../domain/batch.ts";
import type { ActionsAnswer } from "../../domain/corporate-action.ts";
import {
  InvalidInputError,
  messageOf,
  SessionNotSettledError,
  StoredFileError,
  SymbolsMissingError,
} from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { describeSettling, settledInstant } from "../../domain/trading-date.ts";
import { readStoredList, storedListDates } from "../../stores/symbols-csv.ts";
import { previousSession } from "../runtime/earlier-sessions.ts";
import { renewRunLocks } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { firstUnfinished, measureGate, openGate, stopOf, symbolsWithBar } from "./batch-gate.ts";
import type { FetchedSessions } from "./fetch-symbol.ts";
import { FEWEST_GONE, fetchSymbols } from "./fetch-symbols.ts";
import type { PriceSource } from "./price-source.ts";
import { recordBatchActions } from "./record-actions.ts";
import { type PlannedBatch, planSession, type SessionPlan } from "./session-plan.ts";

/** Sessions before the date that are read at the same time: each is a file a batch. */
const SESSIONS_READ_AT_ONCE = 4;

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
 * Fetches the bars of a batch that have no final outcome yet, adds them to what is stored and reports one outcome for
 * every symbol of the batch. Symbols for which no time is left, or that an ailing upstream is spared, are deferred.
 *
 * A batch that catches up asks for every symbol whatever is stored, for the last five sessions in one request: it fills
 * what is unfinished, and a stored bar that the provider has changed is replaced and the change recorded. In sessions
 * before those a symbol is asked for only where it lacks something, in the same request.
 *
 * An upstream's trouble is a result and never an error, even where no symbol has a bar: every symbol has its reason, and
 * the run learns what was asked and why the batch stopped.
 * @throws SymbolsMissingError where the event names no symbols and no list is stored.
 * @throws SessionNotSettledError where a date's session is not over; InvalidInputError where it has none.
 * @throws RunUnderWayError where another run has taken the date over.
 */
export async function fetchBatch(event: BatchEvent, options: FetchBatchOptions): Promise<BatchResult> {
  const { runtime, calendar, source, endsAt } = options;
  const { store, clock, metrics, logger } = runtime;
  const startedAt = clock.now();
  const date = event.date ?? calendar.lastFinishedTradingDay(startedAt);
  const sessions = event.sessions ?? [date];
  if (sessions.at(-1) !== date) throw new InvalidInputError(`sessions ${sessions.join(", ")} do not end with ${date}`);
  for (const session of sessions) refuseUnsettled(session, calendar, startedAt);
  if (event.run !== undefined) await renewRunLocks(store, sessions, event.run.id, clock);

  const symbols = [...new Set(event.symbols ?? (await newestSymbols(store, date)))];
  const batchNumber = event.batchNumber ?? null;
  const isListed = isListedBatch(batchNumber, event.fill);
  const readAgain = new Set(event.catchUp === true && isListed ? lastOf(sessions, calendar) : []);
  const batch = { batchNumber, symbols, source: source.name, isListed, mends: event.fill != null };
  const plan = await planSession(runtime, date, { ...batch, takesRevisions: readAgain.has(date) }, true);
  const earlier = await planEarlier(sessions.slice(0, -1), { batch, readAgain }, runtime);

  const sessionsBySymbol = sessionsToAsk(symbols, [...earlier, plan], { readAgain, asksAll: readsAgain(event) });
  const toAsk = symbols.filter((symbol) => sessionsBySymbol.has(symbol));
  for (const symbol of symbols.filter((symbol) => sessionsBySymbol.get(symbol)?.at(-1) !== date)) {
    const known = plan.finished.get(symbol);
    if (known !== undefined) runtime.onOutcome?.(known.outcome, batchNumber);
  }
  const gate = openGate(event, options);
  // Of symbols that have left the list it is no wonder that the provider knows them no more.
  const doubtsUnknown = isListed && toAsk.length >= FEWEST_GONE;
  const healthy = doubtsUnknown ? await previousSession(date, calendar, runtime) : undefined;
  const actions: ActionsAnswer[] = [];
  const { sessions: fetched, doubted } = await fetchSymbols(failedLast(toAsk, plan), {
    ...{ source, gate, runtime, sessions, batchNumber, endsAt },
    healthy: symbolsWithBar(healthy),
    sessionsOf: (symbol) => sessionsBySymbol.get(symbol) ?? [],
    onActions: (seen) => actions.push(seen),
  });
  const asked = [...fetched.values()].flatMap((symbol) => symbol.get(date) ?? []);
  metrics.add("symbolsAsked", [...fetched.values()].filter(wasAsked).length);
  measureGate(gate, metrics);

  const earlierResults: BatchResult["earlier"] = [];
  for (const session of earlier) {
    const stored = await unlessDamaged(session.date, runtime, () => session.store(fetched, runtime));
    if (stored === undefined || stored.added + stored.revised === 0) continue;
    earlierResults.push({ date: session.date, added: stored.added, revised: stored.revised });
  }
  const { rows, bytes, sha256, revised } = await plan.store(fetched, runtime);
  // Bars first: trouble with the table of actions, or the batch's end, costs none of them.
  await recordBatchActions(actions, runtime, endsAt);
  const reports = symbols.flatMap((symbol) => plan.reportOf(symbol, fetched.get(symbol)) ?? []);
  const counts = countOutcomes(reports);
  const unread = asked.filter(({ report }) => !isFinal(report.outcome) && plan.finished.has(report.symbol)).length;
  const upstream = { ...gate.counters };
  const durationMs = clock.now() - startedAt;
  metrics.add("batchDuration", durationMs);
  logger.info(`${plan.key} done`, { date, batchNumber, rows, revised, ...counts, ...upstream, durationMs });
  return {
    ...{ date, batchNumber, s3Key: plan.key, rows, bytes, sha256, counts },
    unfinished: firstUnfinished(reports),
    ...inShort(earlierResults),
    ...{ revised, unread, upstream, stopped: stopOf(gate, doubted), durationMs },
  };
}

/** Those of a run's sessions that are among the last five: one may be left to another run. */
function lastOf(sessions: readonly string[], calendar: TradingCalendar): string[] {
  let earliest = sessions.at(-1) ?? "";
  for (let session = 1; session < CATCH_UP_SESSIONS; session += 1) earliest = calendar.previousTradingDay(earliest);
  return sessions.filter((session) => session >= earliest);
}

/** What the sessions before a date are planned for. */
interface EarlierBatch {
  readonly batch: Omit<PlannedBatch, "takesRevisions">;
  readonly readAgain: ReadonlySet<string>;
}

/** The sessions before the date, but for those of which a file is damaged. */
async function planEarlier(
  dates: readonly string[],
  { batch, readAgain }: EarlierBatch,
  runtime: Pick<Runtime, "store" | "logger">,
): Promise<SessionPlan[]> {
  const plans = await pLimit(SESSIONS_READ_AT_ONCE).map(dates, (date) =>
    unlessDamaged(date, runtime, () =>
      planSession(runtime, date, { ...batch, takesRevisions: readAgain.has(date) }, false),
    ),
  );
  return plans.filter((plan) => plan !== undefined);
}

/**
 * The dates over which each symbol is asked for, ascending; a symbol without any is left out. It is asked over what it
 * lacks, and over the sessions that are read again where all symbols are, or it lacks something: that is one request.
 */
function sessionsToAsk(
  symbols: readonly string[],
  plans: readonly SessionPlan[],
  { readAgain, asksAll }: { readAgain: ReadonlySet<string>; asksAll: boolean },
): Map<string, readonly string[]> {
  const dates = new Map<string, readonly string[]>();
  for (const symbol of symbols) {
    const lacking = new Set(plans.filter((plan) => plan.lacks(symbol)).map(({ date }) => date));
    if (lacking.size === 0 && !(asksAll && readAgain.size > 0)) continue;
    dates.set(
      symbol,
      plans.map(({ date }) => date).filter((date) => lacking.has(date) || readAgain.has(date)),
    );
  }
  return dates;
}

function wasAsked(fetched: FetchedSessions): boolean {
  return [...fetched.values()].at(-1)?.report.outcome !== "deferred";
}

/** Sessions by themselves while they are few, else all together. */
function inShort(earlier: BatchResult["earlier"]): Pick<BatchResult, "earlier" | "filled"> {
  if (earlier.length <= EARLIER_NAMED) return { earlier };
  const added = earlier.reduce((sum, session) => sum + session.added, 0);
  const revised = earlier.reduce((sum, session) => sum + session.revised, 0);
  return { earlier: [], filled: { sessions: earlier.length, added, revised } };
}

/**
 * Works on a session before the date. One of which a file is damaged, be it a record of changes, is left out: it is no
 * reason to lose the others, and its own summary tells of it.
 */
async function unlessDamaged<Result>(
  date: string,
  { logger }: Pick<Runtime, "logger">,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoredFileError)) throw error;
    logger.error(`${date} is not read again: ${messageOf(error)}`, { date });
    return undefined;
  }
}

/**
 * Whether a batch of a run that catches up asks for all of its symbols: in the first round, and where the round before
 * could not read some again. Otherwise it asks for what is unfinished, as every run does.
 */
function readsAgain({ run, batchNumber }: BatchEvent): boolean {
  return (
    run === undefined || run.attempt === 1 || (batchNumber !== undefined && run.unread?.includes(batchNumber) === true)
  );
}

function refuseUnsettled(date: string, calendar: TradingCalendar, now: number): void {
  if (!calendar.isTradingDay(date)) {
    throw new InvalidInputError(`the exchange has no session on ${date}: there is nothing to fetch`);
  }
  if (now < settledInstant(date)) throw new SessionNotSettledError(describeSettling(date));
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

/** Symbols that failed before go last, so that they do not keep the others from being tried. */
function failedLast(symbols: readonly string[], { failedBefore }: SessionPlan): string[] {
  return [
    ...symbols.filter((symbol) => !failedBefore.has(symbol)),
    ...symbols.filter((symbol) => failedBefore.has(symbol)),
  ];
}
