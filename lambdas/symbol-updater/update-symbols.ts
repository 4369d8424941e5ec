import {
  CATCH_UP_SESSIONS,
  dealIntoLanes,
  type SymbolBatch,
  type SymbolUpdate,
  type SymbolUpdaterEvent,
  splitIntoBatches,
} from "../../domain/batch.ts";
import { messageOf, SessionNotSettledError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { describeSettling, settledInstant } from "../../domain/trading-date.ts";
import { readStoredList, storedListDates } from "../../stores/symbols-csv.ts";
import { releaseRunLocks } from "../runtime/run-lock.ts";
import { datesToFill, findGaps, type Gaps } from "./find-gaps.ts";
import { findSymbols, type UpdateSymbolsOptions } from "./find-symbols.ts";
import { lockSessions } from "./lock-sessions.ts";

/**
 * Finds the symbols of a date, stores their list and splits them into batches.
 *
 * A date that is run again keeps the symbols of its stored list in their order, so that every symbol
 * stays in its batch; symbols that are new since then follow at the end.
 * @throws SessionNotSettledError where the date's session is not over.
 * @throws RunUnderWayError where another run has the date; a session before it that another run has is left to that.
 *
 * Where the event names days to fill, the sessions that are not whole among them come too, and in batches of their own the
 * symbols that they lack and the list has no more.
 *
 * A directory that is more than 5 % smaller than the stored list is not taken, as if it could not be had; a list of the
 * last seven days stands in then.
 * @throws DirectoryUnavailableError where no directory can be had and no stored list is recent enough;
 *   DirectoryRefusedError where none is and a directory was too small.
 */
export async function updateSymbols(event: SymbolUpdaterEvent, options: UpdateSymbolsOptions): Promise<SymbolUpdate> {
  const { calendar, runtime } = options;
  const { store, clock } = runtime;
  const now = clock.now();
  const latest = calendar.lastFinishedTradingDay(now);
  const date = event.date ?? latest;
  const tradingDay = calendar.isTradingDay(date);
  if (tradingDay && now < settledInstant(date)) throw new SessionNotSettledError(describeSettling(date));
  const found = tradingDay ? await gapsBefore(date, event, options) : NO_GAPS;
  const gapDates = found.gaps.map((gap) => gap.date);
  const sessions = tradingDay ? sessionsOf(event, date, calendar, gapDates) : [date];
  const of = { date, tradingDay, latest, sessions, found };
  if (event.run === undefined || !tradingDay) return listSymbols(event, of, options);

  const { id: run } = event.run;
  const { taken, left, warnings } = await lockSessions(sessions, { date, run }, runtime);
  const gaps = found.gaps.filter((gap) => !left.has(gap.date));
  const locked = { ...of, sessions: taken, found: { gaps, warnings: [...found.warnings, ...warnings] } };
  try {
    return await listSymbols(event, locked, options);
  } catch (error) {
    // A run that is tried again takes the locks again.
    await releaseRunLocks(store, taken, run, clock).catch((lockError: unknown) =>
      runtime.logger.warn(messageOf(lockError), { date }),
    );
    throw error;
  }
}

const NO_GAPS: Gaps = { gaps: [], warnings: [] };

/** The sessions before a run's date that are not whole. The date itself is the run's own. */
function gapsBefore(
  date: string,
  { fillDays, symbols }: SymbolUpdaterEvent,
  { calendar, runtime }: UpdateSymbolsOptions,
): Promise<Gaps> {
  if (fillDays === undefined) return Promise.resolve(NO_GAPS);
  const dates = datesToFill(date, fillDays, calendar).filter((session) => session !== date);
  return findGaps(dates, runtime.store, symbols);
}

/** The date of a run. */
interface RunDate {
  readonly date: string;
  readonly tradingDay: boolean;
  /** The last finished trading day. */
  readonly latest: string;
  /** The trading dates that the run asks for, the date last. */
  readonly sessions: readonly string[];
  /** Sessions before the date that are not whole, where the run fills them. */
  readonly found: Gaps;
}

async function listSymbols(
  event: SymbolUpdaterEvent,
  { date, tradingDay, latest, sessions, found }: RunDate,
  options: UpdateSymbolsOptions,
): Promise<SymbolUpdate> {
  const { config, runtime } = options;
  const listDates = tradingDay && event.symbols === undefined ? await storedListDates(runtime.store) : [];
  const list = await findSymbols(event, date, tradingDay, listDates, options);
  const listed = splitIntoBatches(list.symbols, config.batchSize);
  const unlisted = event.symbols === undefined ? unlistedSymbols(found, list.symbols) : [];
  const symbolBatches = [...listed, ...batchesFrom(listed.length, unlisted, config.batchSize)];
  const warnings = [...list.warnings, ...found.warnings];
  for (const warning of warnings) runtime.logger.warn(warning, { date });
  runtime.logger.info(`symbols of ${date} done`, {
    date,
    tradingDay,
    symbols: list.symbols.length,
    source: list.source,
    ...(event.fillDays !== undefined && { filled: found.gaps.map((gap) => gap.date), unlisted: unlisted.length }),
  });
  return {
    date,
    tradingDay,
    sessions: [...sessions],
    symbols: [...list.symbols],
    symbolBatches,
    lanes: dealIntoLanes(
      symbolBatches.map(({ batchNumber }) => batchNumber),
      config.maxConcurrency,
    ),
    catchUp: event.catchUp === true,
    fill: event.fillDays === undefined ? null : { listedBatches: listed.length },
    ...(event.run !== undefined && { run: event.run }),
    metadata: {
      totalSymbols: list.symbols.length,
      numBatches: symbolBatches.length,
      batchSize: config.batchSize,
      isLatest: date === latest,
      s3Key: list.s3Key,
      source: list.source,
      changes: await compareWithPrevious(list.symbols, date, listDates, runtime.store),
      warnings,
    },
  };
}

/** Symbols that gaps lack and the date's list has no more, such as those delisted since; sorted. */
function unlistedSymbols({ gaps }: Gaps, listed: readonly string[]): string[] {
  const unlisted = new Set(gaps.flatMap(({ lacking }) => [...lacking]));
  for (const symbol of listed) unlisted.delete(symbol);
  return [...unlisted].sort(compareSymbols);
}

/** Batches whose numbers go on from one. */
function batchesFrom(first: number, symbols: readonly string[], batchSize: number): SymbolBatch[] {
  return splitIntoBatches(symbols, batchSize).map((batch) => ({ ...batch, batchNumber: first + batch.batchNumber }));
}

/**
 * The sessions that a run asks for, ascending: its date, where it catches up the four before it, and those before that it
 * fills.
 */
export function sessionsOf(
  { catchUp }: SymbolUpdaterEvent,
  date: string,
  calendar: TradingCalendar,
  gaps: readonly string[] = [],
): string[] {
  const sessions = new Set([date, ...gaps]);
  let earliest = date;
  for (let session = 1; catchUp === true && session < CATCH_UP_SESSIONS; session += 1) {
    earliest = calendar.previousTradingDay(earliest);
    sessions.add(earliest);
  }
  return [...sessions].sort();
}

async function compareWithPrevious(
  symbols: readonly string[],
  date: string,
  listDates: readonly string[],
  store: ObjectStore,
): Promise<SymbolUpdate["metadata"]["changes"]> {
  const previousDate = listDates.findLast((stored) => stored < date);
  const previous = previousDate === undefined ? undefined : await readStoredList(store, previousDate);
  if (previous === undefined) return { comparedTo: null, added: [], removed: [] };
  const before = new Set(previous.listings.map(({ symbol }) => symbol));
  const after = new Set(symbols);
  return {
    comparedTo: previous.date,
    added: [...after].filter((symbol) => !before.has(symbol)).sort(compareSymbols),
    removed: [...before].filter((symbol) => !after.has(symbol)).sort(compareSymbols),
  };
}
