import { SYMBOL_SOURCES, type SymbolUpdate, type SymbolUpdaterEvent } from "../../domain/batch.ts";
import { DirectoryRefusedError, DirectoryUnavailableError } from "../../domain/errors.ts";
import type { Listing } from "../../domain/listing.ts";
import { symbolsKey } from "../../domain/object-keys.ts";
import { compareSymbols } from "../../domain/symbol.ts";
import { quote } from "../../domain/text.ts";
import type { TradingCalendar } from "../../domain/trading-calendar.ts";
import { daysBetween } from "../../domain/trading-date.ts";
import { encodeSymbolsCsv, readStoredList, type StoredList } from "../../stores/symbols-csv.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Directory } from "./asx-directory.ts";
import { type Download, downloadDirectory } from "./download-directory.ts";
import type { SymbolUpdaterConfig } from "./env.ts";

/** The smallest share of the stored list's symbols that a directory may have: one with less looks truncated. */
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
export interface SymbolList {
  readonly symbols: readonly string[];
  readonly source: SymbolUpdate["metadata"]["source"];
  readonly s3Key: string | null;
  readonly warnings: readonly string[];
}

/**
 * Finds the symbols of a date: those named, else the directory's, whose list is stored, else those of a stored list.
 * @param listDates dates of all stored lists, ascending.
 * @throws DirectoryUnavailableError where no directory can be had and no stored list is recent enough;
 *   DirectoryRefusedError where none is and a directory was too small.
 */
export async function findSymbols(
  event: Pick<SymbolUpdaterEvent, "symbols" | "acceptDirectory">,
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
