import { SYMBOL_SOURCES, type SymbolUpdate, type SymbolUpdaterEvent, splitIntoBatches } from "../../domain/batch.ts";
import { DirectoryRefusedError, DirectoryUnavailableError, SessionNotSettledError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { symbolsKey } from "../../domain/object-keys.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { quote } from "../../domain/text.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { daysBetween, describeSettling, settledInstant } from "../../domain/trading-date.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { encodeSymbolsCsv, readStoredList, type StoredList, storedListDates } from "../runtime/symbols-csv.ts";
import type { Directory } from "./asx-directory.ts";
import { downloadDirectory } from "./download-directory.ts";
import type { SymbolUpdaterConfig } from "./env.ts";

/** The smallest share of the stored list's symbols that a directory may have: less is a truncated download. */
const SMALLEST_SHARE = 0.95;
/** The oldest stored list, in days before the date, that may stand in for a directory. */
const OLDEST_STORED_LIST_DAYS = 7;
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
 * @throws DirectoryUnavailableError where no directory can be had and no stored list is recent enough.
 * @throws DirectoryRefusedError where the directory is more than 5 % smaller than the stored list.
 */
export async function updateSymbols(event: SymbolUpdaterEvent, options: UpdateSymbolsOptions): Promise<SymbolUpdate> {
  const { config, calendar, runtime } = options;
  const now = runtime.clock.now();
  const latest = calendar.lastFinishedTradingDay(now);
  const date = event.date ?? latest;
  const tradingDay = calendar.isTradingDay(date);
  if (tradingDay && now < settledInstant(date)) throw new SessionNotSettledError(describeSettling(date));

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
    symbols: [...list.symbols],
    symbolBatches,
    metadata: {
      totalSymbols: list.symbols.length,
      numBatches: symbolBatches.length,
      batchSize: config.batchSize,
      isLatest: date === latest,
      concurrentBatches: Math.min(config.maxConcurrency, symbolBatches.length),
      s3Key: list.s3Key,
      source: list.source,
      changes: await compareWithPrevious(list.symbols, date, listDates, runtime.store),
      warnings: [...list.warnings],
    },
  };
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
  const { directory, troubles } = await downloadDirectory(config, runtime);
  if (directory === undefined) return useStoredList(date, listDates, config.extraSymbols, troubles, runtime.store);
  runtime.metrics.add("symbolsListed", directory.listings.length);

  const nearest = listDates.findLast((stored) => stored <= date) ?? listDates[0];
  const reference = nearest === undefined ? undefined : await readStoredList(runtime.store, nearest);
  const downloaded = withExtraSymbols(directory.listings, config.extraSymbols);
  if (event.acceptDirectory !== true) refuseTruncated(downloaded, reference);
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

async function useStoredList(
  date: string,
  listDates: readonly string[],
  extraSymbols: readonly string[],
  troubles: readonly string[],
  store: ObjectStore,
): Promise<SymbolList> {
  const newest = listDates.findLast((stored) => stored <= date);
  const list = newest === undefined ? undefined : await readStoredList(store, newest);
  if (list === undefined || daysBetween(list.date, date) > OLDEST_STORED_LIST_DAYS) {
    const found = newest === undefined ? "none is stored" : `the newest stored is of ${newest}`;
    throw new DirectoryUnavailableError(
      `${troubles.join("; ")}; a stored list may be at most ${OLDEST_STORED_LIST_DAYS} days older than ${date}, and ${found}. Try again later, or name the symbols`,
    );
  }
  return {
    symbols: withExtraSymbols(list.listings, extraSymbols).map(({ symbol }) => symbol),
    source: SYMBOL_SOURCES.stored,
    s3Key: list.key,
    warnings: [...troubles, `no directory could be had: using the stored list of ${list.date}`],
  };
}

function refuseTruncated(listings: readonly Listing[], reference: StoredList | undefined): void {
  const before = reference?.listings.length ?? 0;
  if (reference === undefined || listings.length >= before * SMALLEST_SHARE) return;
  const share = ((1 - listings.length / before) * 100).toFixed(1);
  throw new DirectoryRefusedError(
    `the directory has ${listings.length} symbols, ${share} % fewer than the ${before} stored for ${reference.date}; it looks truncated and nothing was written. If it is right, run again with --accept-directory (acceptDirectory in the event)`,
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
