/** Listings over time and their changes as tables. */
import type { Listing } from "../domain/listing.ts";
import { type ListingChange, listingChanges } from "../domain/listing-changes.ts";
import { firstSeen, isListed, lastSeen, nameOf } from "../domain/listing-history.ts";
import { listingWindows } from "../domain/listing-window.ts";
import type { ListingState } from "../domain/listings-file.ts";
import { compareSymbols } from "../domain/symbol.ts";
import { toEpochDays } from "../domain/trading-date.ts";
import { type Column, columnsOf } from "./column.ts";
import { numberColumn, textColumn } from "./make-column.ts";
import { Table } from "./table.ts";

/** A company under a code. Dates are `YYYY-MM-DD`. */
export type ListingRow = {
  symbol: string;
  /** Its place among the companies that had the code, from 1: `ABC#2` loads the bars of the second. */
  listing: number;
  /** What it is called, or was at last; empty where no list says. */
  name: string;
  industry_group: string;
  listing_date: string | null;
  /** Dates of the first and the last list with it. */
  first_seen: string;
  last_seen: string;
  /** Whether it is on the newest list. */
  is_listed: boolean;
  /** The first date with a bar of it that runs and backfills tell of. */
  first_bar: string | null;
  /** The latest trading date whose outcome stands: a bar, no trade, unknown to the provider, or refused. */
  last_final: string | null;
};

/** A difference between a list of symbols and the one before it. */
export type ListingChangeRow = {
  /** Of the list on which it shows. */
  date: string;
  /** `added`, `removed`, `renamed`, `recoded` or `reused`. */
  kind: string;
  symbol: string;
  listing: number;
  name: string;
  /** The name before, or the code before where it is recoded. */
  previous: string | null;
};

/** Listings in order of code and place; only of some codes where they are given. */
export function listingTable(state: ListingState, symbols: readonly string[] | undefined): Table<ListingRow> {
  const { history, watermarks } = state;
  const codes = (symbols ? [...new Set(symbols)] : [...history.bySymbol.keys()]).sort(compareSymbols);
  const rows = codes.flatMap((symbol): ListingRow[] => {
    const listings = history.bySymbol.get(symbol) ?? [];
    const windows = listingWindows(listings, history);
    const { firstBar = null, lastFinal = null } = watermarks.get(symbol) ?? {};
    return listings.map((listing, at) => {
      const { from = null, to = null } = windows[at] ?? {};
      const isOwn = (date: string | null): boolean =>
        date !== null && (from === null || from <= date) && (to === null || date <= to);
      return {
        symbol,
        listing: at + 1,
        name: nameOf(listing),
        industry_group: listing.industryGroup,
        listing_date: listing.listingDate,
        first_seen: firstSeen(listing),
        last_seen: lastSeen(listing, history),
        is_listed: isListed(listing),
        first_bar: isOwn(firstBar) ? firstBar : null,
        last_final: isOwn(lastFinal) ? lastFinal : null,
      };
    });
  });
  return new Table<ListingRow>(
    columnsOf([
      ["symbol", textColumn(rows.map(({ symbol }) => symbol))],
      ["listing", numberColumn(rows.map(({ listing }) => listing))],
      ["name", textColumn(rows.map(({ name }) => name))],
      ["industry_group", textColumn(rows.map(({ industry_group }) => industry_group))],
      ["listing_date", dateColumn(rows.map(({ listing_date }) => listing_date))],
      ["first_seen", dateColumn(rows.map(({ first_seen }) => first_seen))],
      ["last_seen", dateColumn(rows.map(({ last_seen }) => last_seen))],
      ["is_listed", { kind: "boolean", values: Uint8Array.from(rows, ({ is_listed }) => (is_listed ? 1 : 0)) }],
      ["first_bar", dateColumn(rows.map(({ first_bar }) => first_bar))],
      ["last_final", dateColumn(rows.map(({ last_final }) => last_final))],
    ]),
  );
}

/** Changes from one date to another, both inclusive, in order of date and code. */
export function changeTable(
  { history }: ListingState,
  { from = "", to = "9999-12-31", symbols }: ChangeBounds,
): Table<ListingChangeRow> {
  const codes = symbols && new Set(symbols);
  const changes = listingChanges(history).filter(
    ({ date, symbol }) => from <= date && date <= to && codes?.has(symbol) !== false,
  );
  const texts = (value: (change: ListingChange) => string | null): Column => textColumn(changes.map(value));
  return new Table<ListingChangeRow>(
    columnsOf([
      ["date", dateColumn(changes.map(({ date }) => date))],
      ["kind", texts(({ kind }) => kind)],
      ["symbol", texts(({ symbol }) => symbol)],
      ["listing", numberColumn(changes.map(({ ordinal }) => ordinal))],
      ["name", texts(({ name }) => name)],
      ["previous", texts(({ previous }) => previous)],
    ]),
  );
}

/** A stored list of symbols as a table, with the columns of its CSV. */
export function directoryTable(listings: readonly Listing[]): Table {
  return new Table(
    columnsOf([
      ["symbol", textColumn(listings.map(({ symbol }) => symbol))],
      ["name", textColumn(listings.map(({ name }) => name))],
      ["industry_group", textColumn(listings.map(({ industryGroup }) => industryGroup))],
      ["listing_date", dateColumn(listings.map(({ listingDate }) => listingDate))],
      ["market_cap", numberColumn(listings.map(({ marketCap }) => marketCap))],
    ]),
  );
}

/** Which changes are wanted. */
export interface ChangeBounds {
  /** First date, `YYYY-MM-DD` inclusive; from the second list on unless given. */
  readonly from?: string | undefined;
  /** Last date, inclusive. */
  readonly to?: string | undefined;
  /** Only changes of these codes. */
  readonly symbols?: readonly string[] | undefined;
}

function dateColumn(dates: readonly (string | null)[]): Column {
  const values = Int32Array.from(dates, (date) => (date === null ? 0 : toEpochDays(date)));
  if (!dates.includes(null)) return { kind: "date", values };
  return { kind: "date", values, nulls: Uint8Array.from(dates, (date) => (date === null ? 1 : 0)) };
}
