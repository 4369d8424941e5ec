/** The stored lists of symbols folded into listings over time. Pure: lists in, listings out. */
import { hasWord, isAlike, normaliseName } from "./company-name.ts";
import { InvalidInputError } from "./errors.ts";
import type { Listing } from "./listing.ts";
import { daysBetween } from "./trading-date.ts";

/** A name of a listing, and the date of the first list with it. */
export interface NameSince {
  readonly name: string;
  readonly from: string;
}

/** Lists on which a listing stood one after the other: the date of the first, and of the last; null where that is the newest of all. */
export interface SeenSpan {
  readonly from: string;
  readonly to: string | null;
}

/** One company under one code. Its ordinal is its place among the listings of the code, from 1. */
export interface CompanyListing {
  readonly symbol: string;
  /** Oldest first; none where no list had a name. The last one is what it is called. */
  readonly names: readonly NameSince[];
  /** As the newest list with one has it; may be empty. */
  readonly industryGroup: string;
  /** `YYYY-MM-DD`; null where no list knew it. */
  readonly listingDate: string | null;
  /** Oldest first, at least one. */
  readonly seen: readonly SeenSpan[];
}

/** A list that was folded. */
export interface FoldedList {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** SHA-256 of its CSV, in hexadecimal. */
  readonly sha256: string;
}

/** A list to fold. */
export interface DatedList extends FoldedList {
  readonly listings: readonly Listing[];
}

/** Listings of all codes over time. */
export interface ListingHistory {
  /** Oldest first. */
  readonly lists: readonly FoldedList[];
  /** By code, each code's listings oldest first. */
  readonly bySymbol: ReadonlyMap<string, readonly CompanyListing[]>;
  /** What the newest list changed, as it was before: a list that is stored anew takes the place of the old one. */
  readonly before: ReadonlyMap<string, readonly CompanyListing[]>;
}

/** A history without a list. */
export const NO_LISTINGS: ListingHistory = { lists: [], bySymbol: new Map(), before: new Map() };

/**
 * Lists of 92 days apart or less are neighbours: a year has about a hundred renames, while of 1,732 codes that were
 * delisted in 20 years 272 came back, hardly one within a quarter of a year.
 */
export const NEIGHBOUR_DAYS = 92;

/**
 * Folds lists, given in any order.
 *
 * A code on a list is the last listing of that code, or another one. The first rule that applies decides:
 * 1. No name on either side, or the same (`normaliseName`): the same listing, also after it was gone.
 * 2. Listing dates known of both: another where the new one is another and later than the last list with the old company.
 *    Else the company was listed by then already: the same.
 * 3. On two lists in a row, at most {@link NEIGHBOUR_DAYS} days apart: the same, renamed.
 * 4. On two lists in a row that are further apart: the same where the names are alike (`isAlike`), or where the new name has
 *    the code as a word and no listing date after the older list; else another.
 * 5. Gone in between: the same where the names are alike, else another.
 * @throws InvalidInputError where a date stands in two lists.
 */
export function foldLists(lists: Iterable<DatedList>): ListingHistory {
  return addLists(NO_LISTINGS, [...lists].sort(byDate));
}

/**
 * Folds further lists, ascending, none older than the newest folded. One of that date takes its place.
 * @throws InvalidInputError for an older one: fold all lists anew.
 */
export function addLists(history: ListingHistory, lists: Iterable<DatedList>): ListingHistory {
  const bySymbol = new Map(history.bySymbol);
  const folded = [...history.lists];
  let before = history.before;
  for (const { date, sha256, listings } of lists) {
    const newest = folded.at(-1)?.date;
    if (newest !== undefined && date < newest) {
      throw new InvalidInputError(
        `the list of ${date} is older than that of ${newest}, the newest; fold all lists anew`,
      );
    }
    if (date === newest) {
      folded.pop();
      restore(bySymbol, before);
    }
    before = foldList(bySymbol, { date, listings }, folded.at(-1)?.date);
    folded.push({ date, sha256 });
  }
  return { lists: folded, bySymbol, before };
}

/** The listings of a code that are known, oldest first. */
export function listingsOf(history: ListingHistory, symbol: string): readonly CompanyListing[] {
  return history.bySymbol.get(symbol) ?? [];
}

/** What a listing is called; empty where no list had a name. */
export function nameOf({ names }: Pick<CompanyListing, "names">): string {
  return names.at(-1)?.name ?? "";
}

/** The date of the first list with a listing. */
export function firstSeen({ seen }: CompanyListing): string {
  return seen[0]?.from ?? "";
}

/** The date of the last list with a listing. */
export function lastSeen({ seen }: CompanyListing, { lists }: Pick<ListingHistory, "lists">): string {
  return seen.at(-1)?.to ?? lists.at(-1)?.date ?? "";
}

/** Whether a listing is on the newest list. */
export function isListed({ seen }: CompanyListing): boolean {
  return seen.at(-1)?.to === null;
}

function byDate(left: DatedList, right: DatedList): number {
  if (left.date === right.date) throw new InvalidInputError(`there are two lists of ${left.date}; give one`);
  return left.date < right.date ? -1 : 1;
}

function restore(
  bySymbol: Map<string, readonly CompanyListing[]>,
  before: ReadonlyMap<string, readonly CompanyListing[]>,
): void {
  for (const [symbol, listings] of before) {
    if (listings.length === 0) bySymbol.delete(symbol);
    else bySymbol.set(symbol, listings);
  }
}

/** Folds one list in. Gives what it changed, as it was. */
function foldList(
  bySymbol: Map<string, readonly CompanyListing[]>,
  { date, listings }: Pick<DatedList, "date" | "listings">,
  previousDate: string | undefined,
): Map<string, readonly CompanyListing[]> {
  const before = new Map<string, readonly CompanyListing[]>();
  const change = (symbol: string, known: readonly CompanyListing[], changed: readonly CompanyListing[]): void => {
    if (!before.has(symbol)) before.set(symbol, known);
    bySymbol.set(symbol, changed);
  };
  const listed = new Map(listings.map((listing) => [listing.symbol, listing]));
  for (const [symbol, listing] of listed) {
    const known = bySymbol.get(symbol) ?? [];
    const last = known.at(-1);
    if (last === undefined) change(symbol, known, [begun(listing, date)]);
    else if (isSameCompany(last, listing, { date, previousDate: previousDate ?? date })) {
      const seenAgain = updated(last, listing, date);
      if (seenAgain !== last) change(symbol, known, [...known.slice(0, -1), seenAgain]);
    } else change(symbol, known, [...known.slice(0, -1), ended(last, previousDate), begun(listing, date)]);
  }
  for (const [symbol, known] of bySymbol) {
    const last = known.at(-1);
    if (last === undefined || !isListed(last) || listed.has(symbol)) continue;
    change(symbol, known, [...known.slice(0, -1), ended(last, previousDate)]);
  }
  return before;
}

/** The dates of a list and of the one before it. */
interface ListDates {
  readonly date: string;
  readonly previousDate: string;
}

function isSameCompany(last: CompanyListing, listing: Listing, { date, previousDate }: ListDates): boolean {
  const name = nameOf(last);
  if (name === "" || listing.name === "" || normaliseName(name) === normaliseName(listing.name)) return true;
  const lastDate = last.seen.at(-1)?.to ?? previousDate;
  const isNewer = listing.listingDate !== null && listing.listingDate > lastDate;
  if (last.listingDate !== null && listing.listingDate !== null) {
    return listing.listingDate === last.listingDate || !isNewer;
  }
  if (!isListed(last)) return isAlike(name, listing.name);
  if (daysBetween(previousDate, date) <= NEIGHBOUR_DAYS) return true;
  if (isAlike(name, listing.name)) return true;
  return !isNewer && hasWord(listing.name, listing.symbol);
}

function begun({ symbol, name, industryGroup, listingDate }: Listing, date: string): CompanyListing {
  const names = name === "" ? [] : [{ name, from: date }];
  return { symbol, names, industryGroup, listingDate, seen: [{ from: date, to: null }] };
}

function ended(last: CompanyListing, previousDate: string | undefined): CompanyListing {
  const span = last.seen.at(-1);
  if (span === undefined || span.to !== null || previousDate === undefined) return last;
  return { ...last, seen: [...last.seen.slice(0, -1), { from: span.from, to: previousDate }] };
}

/** The listing as a further list shows it; the same object where that is nothing new. */
function updated(last: CompanyListing, listing: Listing, date: string): CompanyListing {
  const isRenamed = listing.name !== "" && listing.name !== nameOf(last);
  const industryGroup = listing.industryGroup || last.industryGroup;
  const listingDate = laterListingDate(last, listing.listingDate);
  const isBack = !isListed(last);
  const isSame = industryGroup === last.industryGroup && listingDate === last.listingDate;
  if (isSame && !isRenamed && !isBack) return last;
  return {
    symbol: last.symbol,
    names: isRenamed ? [...last.names, { name: listing.name, from: date }] : last.names,
    industryGroup,
    listingDate,
    seen: isBack ? [...last.seen, { from: date, to: null }] : last.seen,
  };
}

/** A date that is stated later stands, unless the listing was seen before it: the directory is known to give its own day for old listings. */
function laterListingDate(last: CompanyListing, stated: string | null): string | null {
  if (stated === null) return last.listingDate;
  return last.listingDate !== null && stated > firstSeen(last) ? last.listingDate : stated;
}
