import { normaliseName } from "./company-name.ts";
import { type CompanyListing, type ListingHistory, nameOf } from "./listing-history.ts";
import { compareSymbols } from "./symbol.ts";

/** What can happen to a code from one list to the next. */
export const CHANGE_KINDS = {
  /** On the list, and not on the one before. */
  added: "added",
  /** On the list before, and not on this one. */
  removed: "removed",
  /** On both lists, with another name as written. */
  renamed: "renamed",
  /** A company has another code: the one removal and the one addition of its name on the list, which do not count as such. */
  recoded: "recoded",
  /** The code is that of another company now. */
  reused: "reused",
} as const;
export type ChangeKind = (typeof CHANGE_KINDS)[keyof typeof CHANGE_KINDS];

/** A difference between a list and the one before it. */
export interface ListingChange {
  /** Of the list on which it shows, `YYYY-MM-DD`. */
  readonly date: string;
  readonly kind: ChangeKind;
  readonly symbol: string;
  /** The listing's place among those of its code, from 1. */
  readonly ordinal: number;
  /** Its name then; empty where no list had one. */
  readonly name: string;
  /**
   * The code before (recoded) or the name before (renamed, reused, and added where it comes back under another name); else
   * null.
   */
  readonly previous: string | null;
}

/** The changes of every list but the first, in order of date, symbol and kind. */
export function listingChanges({ lists, bySymbol }: Pick<ListingHistory, "lists" | "bySymbol">): ListingChange[] {
  const first = lists[0]?.date;
  const nextDate = new Map(lists.map(({ date }, at) => [date, lists[at + 1]?.date]));
  const changes: ListingChange[] = [];
  for (const listings of bySymbol.values()) {
    for (const [at, listing] of listings.entries()) {
      const change = { symbol: listing.symbol, ordinal: at + 1 };
      const predecessor = listings[at - 1];
      for (const [place, { from, to }] of listing.seen.entries()) {
        const name = nameAt(listing, from);
        const reused = place === 0 && predecessor !== undefined ? nameOf(predecessor) : undefined;
        if (reused !== undefined) changes.push({ ...change, date: from, kind: "reused", name, previous: reused });
        else if (from !== first) {
          const before = place > 0 ? nameBefore(listing, from) : name;
          changes.push({ ...change, date: from, kind: "added", name, previous: before === name ? null : before });
        }
        const goneOn = to === null ? undefined : nextDate.get(to);
        const successor = listings[at + 1]?.seen[0]?.from;
        if (to === null || goneOn === undefined || goneOn === successor) continue;
        changes.push({ ...change, date: goneOn, kind: "removed", name: nameAt(listing, to), previous: null });
      }
      for (const [place, { name, from }] of listing.names.entries()) {
        const previous = listing.names[place - 1]?.name;
        const isBack = listing.seen.some((span) => span.from === from);
        if (previous !== undefined && !isBack) changes.push({ ...change, date: from, kind: "renamed", name, previous });
      }
    }
  }
  return withRecoded(changes).sort(
    (left, right) =>
      compareSymbols(left.date, right.date) ||
      compareSymbols(left.symbol, right.symbol) ||
      compareSymbols(left.kind, right.kind),
  );
}

function nameAt({ names }: CompanyListing, date: string): string {
  return names.findLast(({ from }) => from <= date)?.name ?? "";
}

function nameBefore({ names }: CompanyListing, date: string): string {
  return names.findLast(({ from }) => from < date)?.name ?? "";
}

/** Puts one change in the place of a removal and an addition of a name that no other removal or addition of the list has. */
function withRecoded(changes: readonly ListingChange[]): ListingChange[] {
  const groups = new Map<string, ListingChange[]>();
  for (const change of changes) {
    if (change.name === "" || (change.kind !== "added" && change.kind !== "removed")) continue;
    const key = `${change.date} ${normaliseName(change.name)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [change]);
    else group.push(change);
  }
  const replaced = new Map<ListingChange, ListingChange | undefined>();
  for (const group of groups.values()) {
    const [added, removed] = [group.find(isAdded), group.find((change) => !isAdded(change))];
    if (group.length !== 2 || added === undefined || removed === undefined) continue;
    replaced.set(removed, undefined);
    replaced.set(added, { ...added, kind: "recoded", previous: removed.symbol });
  }
  return changes.map((change) => (replaced.has(change) ? replaced.get(change) : change)).filter((c) => c !== undefined);
}

function isAdded({ kind }: ListingChange): boolean {
  return kind === "added";
}
