/** `listings/listings.json`: the listings of all codes over time and the watermarks of their symbols. Derived: it can be rebuilt. */
import * as z from "zod";
import { type CompanyListing, type ListingHistory, NO_LISTINGS } from "./listing-history.ts";
import { asxSymbol, compareSymbols } from "./symbol.ts";
import { tradingDate } from "./trading-date.ts";
import type { Watermarks } from "./watermark.ts";

const listMark = z.tuple([tradingDate, z.string().regex(/^[0-9a-f]{64}$/)]);
const span = z.tuple([tradingDate, tradingDate.nullable()]);

const companyListing = z.object({
  symbol: asxSymbol,
  /** Names and the dates of the first lists with them, oldest first. */
  names: z.array(z.tuple([z.string(), tradingDate])),
  industryGroup: z.string(),
  listingDate: tradingDate.nullable(),
  /** Dates of the first and the last of lists in a row; the last is null where it is the newest list. */
  seen: z.array(span).min(1),
});

/** Everything the file holds. Entries are in order of code, the listings of one code oldest first. */
export const listingsFile = z.object({
  version: z.literal(1),
  /** Lists that were folded, oldest first: date and SHA-256 of the CSV. */
  lists: z.array(listMark),
  /** Lists that could not be read, and so are left out. */
  unreadable: z.array(listMark),
  listings: z.array(companyListing),
  /** What the newest list changed, as it was before: when it is stored anew it is folded anew. */
  before: z.array(z.object({ symbol: asxSymbol, listings: z.array(companyListing) })),
  /** Records of backfills whose outcomes the watermarks have: key, and the store's mark of it. Unknown in older files. */
  backfills: z.array(z.tuple([z.string(), z.string()])).default([]),
  /** Symbol, first trading date with a bar, latest trading date with an outcome that stands. */
  watermarks: z.array(z.tuple([asxSymbol, tradingDate.nullable(), tradingDate.nullable()])),
});
export type ListingsFile = z.infer<typeof listingsFile>;

/** A list that cannot be read. */
export interface UnreadableList {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** Of the bytes that are stored, in hexadecimal. */
  readonly sha256: string;
}

/** A record of a backfill that the watermarks have. */
export interface FoldedBackfill {
  readonly key: string;
  /** As a listing of the store showed it: another one means that it may have changed. */
  readonly mark: string;
}

/** The file's contents, as they are worked with. */
export interface ListingState {
  readonly history: ListingHistory;
  readonly unreadable: readonly UnreadableList[];
  readonly watermarks: Watermarks;
  readonly backfills: readonly FoldedBackfill[];
}

/** What is known of a store without lists and runs. */
export const EMPTY_LISTING_STATE: ListingState = {
  history: NO_LISTINGS,
  unreadable: [],
  watermarks: new Map(),
  backfills: [],
};

/** The form in which a state is stored: the same for equal states. */
export function toListingsFile({ history, unreadable, watermarks, backfills }: ListingState): ListingsFile {
  return {
    version: 1,
    lists: history.lists.map(({ date, sha256 }) => [date, sha256]),
    unreadable: unreadable
      .map(({ date, sha256 }): [string, string] => [date, sha256])
      .sort(([left], [right]) => compareSymbols(left, right)),
    listings: inOrder(history.bySymbol).flatMap(([, listings]) => listings.map(storedForm)),
    before: inOrder(history.before).map(([symbol, listings]) => ({ symbol, listings: listings.map(storedForm) })),
    backfills: backfills
      .map(({ key, mark }): [string, string] => [key, mark])
      .sort(([left], [right]) => compareSymbols(left, right)),
    watermarks: inOrder(watermarks).map(([symbol, { firstBar, lastFinal }]) => [symbol, firstBar, lastFinal]),
  };
}

/** The state that a file holds: the inverse of {@link toListingsFile}. */
export function fromListingsFile(file: ListingsFile): ListingState {
  const bySymbol = new Map<string, CompanyListing[]>();
  for (const stored of file.listings) {
    const listings = bySymbol.get(stored.symbol);
    if (listings === undefined) bySymbol.set(stored.symbol, [readForm(stored)]);
    else listings.push(readForm(stored));
  }
  const before = new Map(file.before.map(({ symbol, listings }) => [symbol, listings.map(readForm)]));
  const lists = file.lists.map(([date, sha256]) => ({ date, sha256 }));
  return {
    history: { lists, bySymbol, before },
    unreadable: file.unreadable.map(([date, sha256]) => ({ date, sha256 })),
    backfills: file.backfills.map(([key, mark]) => ({ key, mark })),
    watermarks: new Map(file.watermarks.map(([symbol, firstBar, lastFinal]) => [symbol, { firstBar, lastFinal }])),
  };
}

type StoredListing = ListingsFile["listings"][number];

function storedForm({ symbol, names, industryGroup, listingDate, seen }: CompanyListing): StoredListing {
  return {
    symbol,
    names: names.map(({ name, from }) => [name, from]),
    industryGroup,
    listingDate,
    seen: seen.map(({ from, to }) => [from, to]),
  };
}

function readForm({ symbol, names, industryGroup, listingDate, seen }: StoredListing): CompanyListing {
  return {
    symbol,
    names: names.map(([name, from]) => ({ name, from })),
    industryGroup,
    listingDate,
    seen: seen.map(([from, to]) => ({ from, to })),
  };
}

function inOrder<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].sort(([left], [right]) => compareSymbols(left, right));
}
