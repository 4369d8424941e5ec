import { describe, expect, it } from "vitest";
import type { Listing } from "../../domain/listing.ts";
import { type ChangeKind, listingChanges } from "../../domain/listing-changes.ts";
import { type DatedList, foldLists, isListed, lastSeen, listingsOf, nameOf } from "../../domain/listing-history.ts";
import { parseDirectory } from "../../lambdas/symbol-updater/asx-directory.ts";
import { hasRealData, readRealData } from "../support/real-data.ts";

/** The five directories by the day they were served; of two it is known to the month, or from the title. */
const FILES = [
  ["2022-11-01", "new-2022-11.csv"],
  ["2024-04-07", "new-2024-04-07.csv"],
  ["2025-12-05", "old-2025-12-05.csv"],
  ["2026-03-02", "old-2026-03-02.csv"],
  ["2026-04-01", "old-2026-04-01.csv"],
] as const;

function realLists(change: (date: string, listing: Listing) => Listing = (_, listing) => listing): DatedList[] {
  return FILES.map(([date, file]) => {
    const { listings } = parseDirectory(readRealData(`asx-directory/${file}`));
    return { date, sha256: "0".repeat(64), listings: listings.map((listing) => change(date, listing)) };
  });
}

/** Differences of two lists by plain sets of codes, and of lines. */
function differences({ listings: before }: DatedList, { listings: after }: DatedList) {
  const names = new Map(before.map(({ symbol, name }) => [symbol, name]));
  const codes = new Set(after.map(({ symbol }) => symbol));
  const lines = new Set(before.map(({ symbol, name }) => `${symbol} ${name}`));
  const isOther = ({ symbol, name }: Listing): boolean => names.has(symbol) && !lines.has(`${symbol} ${name}`);
  return {
    added: [...codes].filter((symbol) => !names.has(symbol)).sort(),
    removed: [...names.keys()].filter((symbol) => !codes.has(symbol)).sort(),
    otherNames: after
      .filter((listing) => isOther(listing) && names.get(listing.symbol) !== "")
      .map(({ symbol }) => symbol),
  };
}

function changesOf(lists: readonly DatedList[], on: string) {
  const changes = listingChanges(foldLists(lists)).filter(({ date }) => date === on);
  const of = (...kinds: readonly ChangeKind[]) => changes.filter(({ kind }) => kinds.includes(kind));
  return { changes, of, symbols: (...kinds: readonly ChangeKind[]) => of(...kinds).map(({ symbol }) => symbol) };
}

describe.skipIf(!hasRealData)("listings over the five real directories", () => {
  it("have the changes that plain sets of codes and names give, list for list", () => {
    const lists = realLists();
    for (const [at, after] of lists.slice(1).entries()) {
      const before = lists[at];
      if (before === undefined) continue;
      const expected = differences(before, after);
      const { of, symbols } = changesOf(lists, after.date);
      const since = new Set(before.listings.map(({ symbol }) => symbol));
      // A code that was gone for a list or more and is another company's now is an addition to plain sets.
      const returned = symbols("reused").filter((symbol) => !since.has(symbol));
      expect([...symbols("added", "recoded"), ...returned].sort()).toEqual(expected.added);
      const recodedFrom = of("recoded").map(({ previous }) => String(previous));
      expect([...symbols("removed"), ...recodedFrom].sort()).toEqual(expected.removed);
      const taken = symbols("reused").filter((symbol) => since.has(symbol));
      expect([...symbols("renamed"), ...taken].sort()).toEqual(expected.otherNames.sort());
    }
  });

  it("have 35 additions, 43 removals and 9 renames from 5 December 2025 to 2 March 2026", () => {
    const { of } = changesOf(realLists(), "2026-03-02");
    const recoded = of("recoded");
    expect(recoded.map(({ symbol, previous }) => `${previous} is ${symbol}`)).toEqual(["GBZ is GBM"]);
    expect(of("reused")).toEqual([]);
    expect(of("added").length + recoded.length).toBe(35);
    expect(of("removed").length + recoded.length).toBe(43);
    expect(of("renamed").map(({ symbol }) => symbol)).toEqual([
      "AXI",
      "GCM",
      "IBC",
      "MHC",
      "RAC",
      "SFY",
      "SLF",
      "SLM",
      "STW",
    ]);
  });

  it("know companies that took another code, and codes that another company took, over twenty months", () => {
    const { of } = changesOf(realLists(), "2025-12-05");
    expect(of("recoded").map(({ symbol, previous }) => `${previous} is ${symbol}`)).toEqual([
      "SGLLV is SGL",
      "SQ2 is XYZ",
    ]);
    const reused = of("reused").map(({ symbol, previous, name }) => `${symbol}: ${previous} -> ${name}`);
    expect(reused).toContain("SGH: SLATER & GORDON LIMITED -> SGH LIMITED");
    expect(reused).toContain("SC1: SOURCE CERTAIN INTERNATIONAL LIMITED -> SHINHAN CARD CO., LTD.");
    expect(reused).toContain("SCP: SHOPPING CENTRES AUSTRALASIA PROPERTY GROUP -> SCALARE PARTNERS HOLDINGS LIMITED");
  });

  it("do not take a name that the directory did not know, nor a listing date that it made up, for news", () => {
    const history = foldLists(realLists());
    expect(listingsOf(history, "CIO")).toMatchObject([
      { names: [{ name: "CONNECTED IO LIMITED", from: "2024-04-07" }] },
    ]);
    expect(listingsOf(history, "GRR")).toMatchObject([{ listingDate: "1986-03-27" }]);
    expect(listingsOf(history, "FAU")).toMatchObject([{ listingDate: null }]);
  });

  it("keep those that are gone, with the date of the last list that had them", () => {
    const history = foldLists(realLists());
    const [minerals] = listingsOf(history, "OZL");
    expect(minerals && [nameOf(minerals), isListed(minerals), lastSeen(minerals, history)]).toEqual([
      "OZ MINERALS LIMITED",
      false,
      "2022-11-01",
    ]);
  });

  it("tell a made-up reuse and a made-up rename apart", () => {
    const lists = realLists((date, listing) => {
      if (date < "2026-04-01") return listing;
      if (listing.symbol === "14D") return { ...listing, name: "MERINO PASTORAL LIMITED" };
      if (listing.symbol === "BHP") return { ...listing, name: "KELPIE SOFTWARE LIMITED", listingDate: "2026-03-20" };
      return listing;
    });
    const { changes } = changesOf(lists, "2026-04-01");
    expect(changes.filter(({ kind }) => kind === "renamed" || kind === "reused")).toEqual([
      {
        date: "2026-04-01",
        kind: "renamed",
        symbol: "14D",
        ordinal: 1,
        name: "MERINO PASTORAL LIMITED",
        previous: "1414 DEGREES LIMITED",
      },
      {
        date: "2026-04-01",
        kind: "reused",
        symbol: "BHP",
        ordinal: 2,
        name: "KELPIE SOFTWARE LIMITED",
        previous: "BHP GROUP LIMITED",
      },
    ]);
    const history = foldLists(lists);
    expect(listingsOf(history, "BHP").map((listing) => [nameOf(listing), lastSeen(listing, history)])).toEqual([
      ["BHP GROUP LIMITED", "2026-03-02"],
      ["KELPIE SOFTWARE LIMITED", "2026-04-01"],
    ]);
  });
});
