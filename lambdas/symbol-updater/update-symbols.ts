import {
  dealIntoLanes,
  SYMBOL_SOURCES,
  type SymbolUpdate,
  type SymbolUpdaterEvent,
  splitIntoBatches,
} from "../../domain/batch.ts";
import {
  DirectoryRefusedError,
  DirectoryUnavailableError,
  messageOf,
  SessionNotSettledError,
} from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { symbolsKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { quote } from "../../domain/text.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { daysBetween, describeSettling, settledInstant } from "../../domain/trading-date.ts";
import { encodeSymbolsCsv, readStoredList, type StoredList, storedListDates } from "../../stores/symbols-csv.ts";
import { EXECUTION_LOCK_EXPIRES_MS, releaseRunLocks, takeRunLocks } from "../runtime/run-lock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Directory } from "./asx-directory.ts";
import { type Download, downloadDirectory } from "./download-directory.ts";
import type { SymbolUpdaterConfig } from "./env.ts";

/** The smallest share of the stored list's symbols that a directory may have: one with less looks truncated. */
const SMALLEST_SHARE = 0.95;
/** The oldest stored list, in days before the date, that may stand in for a directory. */
const OLDEST_STORED_LIST_DAYS = 7;
/** Sessions that a run which catches up asks for: the provider corrects and fills its bars for days. */
const CATCH_UP_SESSIONS = 5;
/** How many symbols a warning names. */
const SYMBOLS_NAMED = 10;

/** What updating the symbols needs. */
export interface UpdateSymbolsOptions {
  readonly config: SymbolUpdaterConfig;
  readonly calendar: TradingCalendar;
  readonly runtime: Runtime;
}

/** The symbols of a run and where they came from. */
interface SymbolList {
  readonly symbols: readonly string[];
  readonly source: SymbolUpdate["metadata"]["source"];
  readonly s3Key: string | null;
  readonly warnings: readonly string[];
}

/**
 * Finds the symbols of a date, stores their list and splits them into batches.
 *
 * A date that is run again keeps the symbols of its stored list in their order, so that every symbol
 * stays in its batch; symbols that are new since then follow at the end.
 * @throws SessionNotSettledError where the date's session is not over.
 * @throws RunUnderWayError where another run has the date.
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
  const sessions = tradingDay ? sessionsOf(event, date, calendar) : [date];
  const of = { date, tradingDay, latest, sessions };
  if (event.run === undefined || !tradingDay) return listSymbols(event, of, options);

  const { id: run } = event.run;
  await takeRunLocks(store, sessions, { run }, { clock, expiresAfterMs: EXECUTION_LOCK_EXPIRES_MS });
  try {
    return await listSymbols(event, of, options);
  } catch (error) {
    // A run that is tried again takes the locks again.
    await releaseRunLocks(store, sessions, run, clock).catch((lockError: unknown) =>
      runtime.logger.warn(messageOf(lockError), { date }),
    );
    throw error;
  }
}

/** The date of a run. */
interface RunDate {
  readonly date: string;
  readonly tradingDay: boolean;
  /** The last finished trading day. */
  readonly latest: string;
  /** The trading dates that the run asks for, the date last. */
  readonly sessions: readonly string[];
}

async function listSymbols(
  event: SymbolUpdaterEvent,
  { date, tradingDay, latest, sessions }: RunDate,
  options: UpdateSymbolsOptions,
): Promise<SymbolUpdate> {
  const { config, runtime } = options;
  const listDates = tradingDay && event.symbols === undefined ? await storedListDates(runtime.store) : [];
  const list = await findSymbols(event, date, tradingDay, listDates, options);
  const symbolBatches = splitIntoBatches(list.symbols, config.batchSize);
  for (const warning of list.warnings) runtime.logger.warn(warning, { date });
  runtime.logger.info(`symbols of ${date} done`, {
    date,
    tradingDay,
    symbols: list.symbols.length,
    source: list.source,
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
    ...(event.run !== undefined && { run: event.run }),
    metadata: {
      totalSymbols: list.symbols.length,
      numBatches: symbolBatches.length,
      batchSize: config.batchSize,
      isLatest: date === latest,
      s3Key: list.s3Key,
      source: list.source,
      changes: await compareWithPrevious(list.symbols, date, listDates, runtime.store),
      warnings: [...list.warnings],
    },
  };
}

/** The sessions that a run asks for, ascending: its date, and where it catches up the four before it. */
export function sessionsOf({ catchUp }: SymbolUpdaterEvent, date: string, calendar: TradingCalendar): string[] {
  const sessions = [date];
  if (catchUp !== true) return sessions;
  for (let earliest = date; sessions.length < CATCH_UP_SESSIONS; sessions.unshift(earliest)) {
    earliest = calendar.previousTradingDay(earliest);
  }
  return sessions;
}

async function findSymbols(
  event: SymbolUpdaterEvent,
  date: string,
  tradingDay: boolean,
  listDates: readonly string[],
  { config, runtime }: UpdateSymbolsOptions,
): Promise<SymbolList> {
  if (!tradingDay) return { symbols: [], source: SYMBOL_SOURCES.none, s3Key: null, warnings: [] };
  if (event.symbols !== undefined) {
    return { symbols: [...new Set(event.symbols)], source: SYMBOL_SOURCES.event, s3Key: null, warnings: [] };
  }
  const nearest = listDates.findLast((stored) => stored <= date) ?? listDates[0];
  const reference = nearest === undefined ? undefined : await readStoredList(runtime.store, nearest);
  const download = await downloadDirectory(config, runtime, ({ listings }) =>
    event.acceptDirectory === true
      ? undefined
      : reasonToRefuse(withExtraSymbols(listings, config.extraSymbols), reference),
  );
  const { directory, troubles } = download;
  if (directory === undefined) return useStoredList(date, reference, config.extraSymbols, download);
  runtime.metrics.add("symbolsListed", directory.listings.length);

  const downloaded = withExtraSymbols(directory.listings, config.extraSymbols);
  const listings = keepingOrder(downloaded, reference?.date === date ? reference.listings : []);
  const s3Key = symbolsKey(date);
  await runtime.store.put(s3Key, encodeSymbolsCsv(listings));
  return {
    symbols: listings.map(({ symbol }) => symbol),
    source: SYMBOL_SOURCES.directory,
    s3Key,
    warnings: [...troubles, ...directoryWarnings(directory)],
  };
}

function useStoredList(
  date: string,
  list: StoredList | undefined,
  extraSymbols: readonly string[],
  { troubles, refused }: Download,
): SymbolList {
  const age = list === undefined ? undefined : daysBetween(list.date, date);
  if (list === undefined || age === undefined || age < 0 || age > OLDEST_STORED_LIST_DAYS) {
    const found = list === undefined || (age ?? 0) < 0 ? "none is stored" : `the newest stored is of ${list.date}`;
    const why = `${troubles.join("; ")}; a stored list may be at most ${OLDEST_STORED_LIST_DAYS} days older than ${date}, and ${found}`;
    if (refused) throw new DirectoryRefusedError(`${why}. Nothing was written`);
    throw new DirectoryUnavailableError(`${why}. Try again later, or name the symbols`);
  }
  return {
    symbols: withExtraSymbols(list.listings, extraSymbols).map(({ symbol }) => symbol),
    source: SYMBOL_SOURCES.stored,
    s3Key: list.key,
    warnings: [...troubles, `no directory could be had: using the stored list of ${list.date}`],
  };
}

/** Why a directory looks truncated beside the list that is stored; undefined where it does not. */
function reasonToRefuse(listings: readonly Listing[], reference: StoredList | undefined): string | undefined {
  const before = reference?.listings.length ?? 0;
  if (reference === undefined || listings.length >= before * SMALLEST_SHARE) return undefined;
  const share = ((1 - listings.length / before) * 100).toFixed(1);
  return (
    `has ${listings.length} symbols, ${share} % fewer than the ${before} stored for ${reference.date}: it looks ` +
    "truncated and was not taken. If it is right, run again with --accept-directory (acceptDirectory in the event)"
  );
}

function withExtraSymbols(listings: readonly Listing[], extraSymbols: readonly string[]): Listing[] {
  const all = new Map(listings.map((listing) => [listing.symbol, listing]));
  for (const symbol of extraSymbols) {
    if (!all.has(symbol)) all.set(symbol, { symbol, name: "", industryGroup: "", listingDate: null, marketCap: null });
  }
  return [...all.values()].sort((left, right) => compareSymbols(left.symbol, right.symbol));
}

/** The listings in the order of an earlier list, which keeps those that are gone, and then the new ones. */
function keepingOrder(listings: readonly Listing[], earlier: readonly Listing[]): Listing[] {
  const bySymbol = new Map(listings.map((listing) => [listing.symbol, listing]));
  const known = new Set(earlier.map(({ symbol }) => symbol));
  return [
    ...earlier.map((listing) => bySymbol.get(listing.symbol) ?? listing),
    ...listings.filter(({ symbol }) => !known.has(symbol)),
  ];
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

function directoryWarnings({ duplicates, refusedCodes }: Directory): string[] {
  const warnings: string[] = [];
  if (duplicates.length > 0)
    warnings.push(`the directory lists ${name(duplicates)} more than once; the lines were merged`);
  if (refusedCodes.length > 0)
    warnings.push(`the directory has lines without an ASX code, left out: ${name(refusedCodes)}`);
  return warnings;
}

function name(codes: readonly string[]): string {
  const named = codes.slice(0, SYMBOLS_NAMED).map((code) => quote(code, 20));
  const more = codes.length - named.length;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}
