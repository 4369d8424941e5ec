import { type BatchEvent, type BatchResult, countOutcomes, isFinal } from "../../domain/batch.ts";
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
import { FEWEST_GONE, fetchSymbols } from "./fetch-symbols.ts";
import type { PriceSource } from "./price-source.ts";
import { recordBatchActions } from "./record-actions.ts";
import { type PlannedBatch, planSession, type SessionPlan } from "./session-plan.ts";

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
 * A batch that catches up asks for every symbol whatever is stored, for all sessions in one request: it fills what is
 * unfinished, and a stored bar that the provider has changed is replaced and the change recorded.
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
  const batch = { batchNumber, symbols, source: source.name, takesRevisions: event.catchUp === true };
  const plan = await planSession(store, date, batch, true);
  const earlier = await planEarlier(sessions.slice(0, -1), batch, runtime);

  const asksAll = event.catchUp === true && readsAgain(event);
  const toAsk = symbols.filter((symbol) => asksAll || [...earlier, plan].some((session) => session.lacks(symbol)));
  for (const symbol of symbols.filter((symbol) => !toAsk.includes(symbol))) {
    const known = plan.finished.get(symbol);
    if (known !== undefined) runtime.onOutcome?.(known.outcome, batchNumber);
  }
  const gate = openGate(event, options);
  const healthy = toAsk.length < FEWEST_GONE ? undefined : await previousSession(date, calendar, runtime);
  const actions: ActionsAnswer[] = [];
  const { sessions: fetched, doubted } = await fetchSymbols(failedLast(toAsk, plan), {
    ...{ source, gate, runtime, sessions, batchNumber, endsAt },
    healthy: symbolsWithBar(healthy),
    onActions: (seen) => actions.push(seen),
  });
  await recordBatchActions(actions, runtime);
  const asked = [...fetched.values()].flatMap((symbol) => symbol.get(date) ?? []);
  metrics.add("symbolsAsked", asked.filter(({ report }) => report.outcome !== "deferred").length);
  measureGate(gate, metrics);

  const earlierResults: BatchResult["earlier"] = [];
  for (const session of earlier) {
    const stored = await unlessDamaged(session.date, runtime, () => session.store(fetched, runtime));
    if (stored === undefined || stored.added + stored.revised === 0) continue;
    earlierResults.push({ date: session.date, added: stored.added, revised: stored.revised });
  }
  const { rows, bytes, sha256, revised } = await plan.store(fetched, runtime);
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
    ...{ revised, earlier: earlierResults, unread, upstream, stopped: stopOf(gate, doubted), durationMs },
  };
}

/** The sessions before the date, but for those of which a file is damaged. */
async function planEarlier(
  dates: readonly string[],
  batch: PlannedBatch,
  runtime: Pick<Runtime, "store" | "logger">,
): Promise<SessionPlan[]> {
  const plans: SessionPlan[] = [];
  for (const date of dates) {
    const plan = await unlessDamaged(date, runtime, () => planSession(runtime.store, date, batch, false));
    if (plan !== undefined) plans.push(plan);
  }
  return plans;
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
