/** Codes that one company after the other had: which listing's bars are meant, and what a load says of them. */
import { InvalidInputError } from "../domain/errors.ts";
import {
  type CompanyListing,
  firstSeen,
  isListed,
  type ListingHistory,
  lastSeen,
  listingsOf,
  nameOf,
} from "../domain/listing-history.ts";
import { type ListingWindow, listingWindows } from "../domain/listing-window.ts";
import type { ListingState } from "../domain/listings-file.ts";
import { compareSymbols, toSymbol } from "../domain/symbol.ts";
import { quote } from "../domain/text.ts";
import { toEpochDays } from "../domain/trading-date.ts";
import { Bars } from "./bars.ts";
import { takeRows } from "./column.ts";
import { Coverage, type ReusedCode } from "./coverage.ts";

/** What a load is asked for. */
export interface ListingChoice {
  /** Codes, without the listing; undefined for all. */
  readonly symbols: readonly string[] | undefined;
  /** The dates that count of codes of which certain listings were named. */
  readonly windows: ReadonlyMap<string, readonly ListingWindow[]>;
}

/**
 * Reads `ABC#2`, the second listing of a code, among the symbols of a load. The history is asked for only where one is named.
 * @throws InvalidInputError where the code has no such listing: it names those it has.
 */
export async function chooseListings(
  symbols: readonly string[] | undefined,
  history: () => Promise<ListingState>,
): Promise<ListingChoice> {
  const isNamed = (text: unknown): boolean => typeof text === "string" && text.includes("#");
  if (!Array.isArray(symbols) || !symbols.some(isNamed)) return { symbols, windows: new Map() };
  const state = await history();
  const codes = symbols.map((text: string) => (isNamed(text) ? named(text, state) : { code: text, window: undefined }));
  const windows = new Map<string, ListingWindow[]>();
  for (const { code, window } of codes) {
    if (window !== undefined) windows.set(code, [...(windows.get(code) ?? []), window]);
  }
  // A code by itself is all of its listings.
  for (const { code, window } of codes) {
    if (window === undefined && typeof code === "string") windows.delete(toSymbol(code) ?? code);
  }
  return { symbols: [...new Set(codes.map(({ code }) => code))], windows };
}

/** The bars of the listings that are meant, and their coverage with the codes that had several. */
export function barsOfListings(bars: Bars, { symbols, windows }: ListingChoice, state: ListingState | undefined): Bars {
  const kept = windows.size === 0 ? bars : withinWindows(bars, windows);
  const reusedCodes =
    state === undefined ? [] : reusedAmong(kept, new Set(symbols?.filter((code) => !windows.has(code))), state);
  if (kept === bars && reusedCodes.length === 0) return bars;
  const gone = kept === bars ? [] : bars.symbols.filter((symbol) => kept.of(symbol).length === 0);
  const withoutBars = [...bars.coverage.withoutBars, ...gone];
  return new Bars(kept.columns, new Coverage({ ...bars.coverage, withoutBars, reusedCodes }));
}

function named(text: string, state: ListingState): { readonly code: string; readonly window: ListingWindow } {
  const [, codeText = "", ordinal = ""] = /^([^#]*)#([1-9]\d{0,3})$/.exec(text) ?? [];
  const code = toSymbol(codeText);
  if (code === undefined) {
    throw new InvalidInputError(`${quote(text, 40)} names no listing: give a code and its number, such as ABC#2`);
  }
  const listings = listingsOf(state.history, code);
  const window = listingWindows(listings, state.history)[Number(ordinal) - 1];
  if (window !== undefined) return { code, window };
  const known = listings.map((_, at) => describe(code, at, state)).join("; ");
  throw new InvalidInputError(
    `there is no listing ${code}#${ordinal}: ${known === "" ? `no list of symbols has ${code}` : `there are ${known}`}`,
  );
}

function describe(code: string, at: number, state: ListingState): string {
  const listing = listingsOf(state.history, code)[at];
  if (listing === undefined) return "";
  const until = isListed(listing) ? "on" : `to ${lastSeen(listing, state.history)}`;
  return `${code}#${at + 1} ${nameOf(listing)} (from ${firstSeen(listing)} ${until})`;
}

/** The codes that several companies had, and that were asked for without saying which, or under which bars of several are given. */
function reusedAmong(bars: Bars, codes: ReadonlySet<string>, { history }: ListingState): ReusedCode[] {
  return [...history.bySymbol]
    .filter(([, listings]) => listings.length > 1)
    .map(([symbol, listings]) => reusedCode(symbol, listings, history))
    .filter(({ symbol, listings }) => codes.has(symbol) || companiesAmong(bars.of(symbol), listings) > 1)
    .sort((left, right) => compareSymbols(left.symbol, right.symbol));
}

/** How many of a code's companies have a bar. */
function companiesAmong({ date }: Bars, listings: ReusedCode["listings"]): number {
  return listings.filter(({ from, to }) => {
    const first = from === null ? Number.NEGATIVE_INFINITY : toEpochDays(from);
    const last = to === null ? Number.POSITIVE_INFINITY : toEpochDays(to);
    return date.some((day) => day >= first && day <= last);
  }).length;
}

function reusedCode(symbol: string, listings: readonly CompanyListing[], history: ListingHistory): ReusedCode {
  const windows = listingWindows(listings, history);
  const told = listings.map((listing, at) => ({
    listing: at + 1,
    name: nameOf(listing),
    from: windows[at]?.from ?? null,
    to: windows[at]?.to ?? null,
  }));
  return { symbol, listings: told };
}

function withinWindows(bars: Bars, windows: ReadonlyMap<string, readonly ListingWindow[]>): Bars {
  const days = bars.symbolDictionary.map((symbol) =>
    windows.get(symbol)?.map(({ from, to }) => ({
      from: from === null ? Number.NEGATIVE_INFINITY : toEpochDays(from),
      to: to === null ? Number.POSITIVE_INFINITY : toEpochDays(to),
    })),
  );
  const { symbolCodes, date } = bars;
  const isMeant = (row: number): boolean => {
    const day = date[row] ?? Number.NaN;
    return days[symbolCodes[row] ?? -1]?.some(({ from, to }) => from <= day && day <= to) ?? true;
  };
  const rows = Int32Array.from({ length: bars.length }, (_, row) => row).filter(isMeant);
  if (rows.length === bars.length) return bars;
  return new Bars(new Map(Array.from(bars.columns, ([name, column]) => [name, takeRows(column, rows)])), bars.coverage);
}
