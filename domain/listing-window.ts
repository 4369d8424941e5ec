import { type CompanyListing, firstSeen, type ListingHistory, lastSeen } from "./listing-history.ts";
import { addDays } from "./trading-date.ts";

/** The dates whose bars are a listing's, both inclusive; null where there is no bound. */
export interface ListingWindow {
  readonly from: string | null;
  readonly to: string | null;
}

/**
 * The dates of each listing of one code. Where a code was reused, the later listing begins on its listing date, where that
 * lies after the last list with its predecessor and not after the first with itself; else on the day after the former. The
 * day before, the earlier listing ends. Together they hold every date.
 * @param listings of one code, oldest first.
 */
export function listingWindows(
  listings: readonly CompanyListing[],
  history: Pick<ListingHistory, "lists">,
): ListingWindow[] {
  const begins = listings.map((listing, at) => {
    const predecessor = listings[at - 1];
    return predecessor === undefined ? null : beginning(listing, lastSeen(predecessor, history));
  });
  return begins.map((from, at) => {
    const next = begins[at + 1];
    return { from, to: next === null || next === undefined ? null : addDays(next, -1) };
  });
}

/** For each code that several companies had, the first date of each but the first. */
export function codeBeginnings({ lists, bySymbol }: Pick<ListingHistory, "lists" | "bySymbol">): Map<string, string[]> {
  const reused = [...bySymbol].filter(([, listings]) => listings.length > 1);
  return new Map(
    reused.map(([symbol, listings]) => [symbol, listingWindows(listings, { lists }).flatMap(({ from }) => from ?? [])]),
  );
}

function beginning(listing: CompanyListing, predecessorUntil: string): string {
  const { listingDate } = listing;
  const isPlausible = listingDate !== null && listingDate > predecessorUntil && listingDate <= firstSeen(listing);
  return isPlausible ? listingDate : addDays(predecessorUntil, 1);
}
