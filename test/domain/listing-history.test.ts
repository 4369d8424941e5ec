import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Listing } from "../../domain/listing.ts";
import { listingChanges } from "../../domain/listing-changes.ts";
import {
  addLists,
  type DatedList,
  firstSeen,
  foldLists,
  isListed,
  lastSeen,
  listingsOf,
  NO_LISTINGS,
  nameOf,
} from "../../domain/listing-history.ts";

/** A list: names by code, or name and listing date, or what else is not plain. */
type Lines = Readonly<Record<string, string | readonly [name: string, listingDate: string] | Partial<Listing>>>;

function list(date: string, lines: Lines): DatedList {
  const listings = Object.entries(lines).map(([symbol, line]): Listing => {
    const plain = { symbol, name: "", industryGroup: "Materials", listingDate: null, marketCap: null };
    if (typeof line === "string") return { ...plain, name: line };
    if ("length" in line) return { ...plain, name: line[0], listingDate: line[1] };
    return { ...plain, ...line };
  });
  return { date, sha256: "0".repeat(64), listings };
}

/** What became of a code: a line a listing. */
function told(lists: readonly DatedList[], symbol = "ABC"): string[] {
  const history = foldLists(lists);
  return listingsOf(history, symbol).map((listing) => {
    const names = listing.names.map(({ name, from }) => `${name} (${from})`).join(", ");
    return `${names}: ${firstSeen(listing)} to ${isListed(listing) ? "now" : lastSeen(listing, history)}`;
  });
}

/** The changes, a line each. */
function changes(lists: readonly DatedList[]): string[] {
  return listingChanges(foldLists(lists)).map(({ date, kind, symbol, ordinal, name, previous }) =>
    [date, kind, `${symbol}#${ordinal}`, name, previous].filter((part) => part !== null && part !== "").join(" | "),
  );
}

describe("listings over time", () => {
  it("begin with the first list of a code, and end with the last", () => {
    const lists = [
      list("2024-05-29", { ABC: "ACME LIMITED", XYZ: "XYLO LIMITED" }),
      list("2024-05-30", { ABC: "ACME LIMITED", NEW: "NOVA LIMITED" }),
      list("2024-05-31", { ABC: "ACME LIMITED", NEW: "NOVA LIMITED" }),
    ];
    expect(told(lists)).toEqual(["ACME LIMITED (2024-05-29): 2024-05-29 to now"]);
    expect(told(lists, "XYZ")).toEqual(["XYLO LIMITED (2024-05-29): 2024-05-29 to 2024-05-29"]);
    expect(told(lists, "NEW")).toEqual(["NOVA LIMITED (2024-05-30): 2024-05-30 to now"]);
    expect(changes(lists)).toEqual([
      "2024-05-30 | added | NEW#1 | NOVA LIMITED",
      "2024-05-30 | removed | XYZ#1 | XYLO LIMITED",
    ]);
  });

  it("keep their names: another one on the next list is a rename", () => {
    const lists = [
      list("2024-05-30", { ABC: "ACME LIMITED" }),
      list("2024-05-31", { ABC: "ZEBRA MINING LIMITED" }),
      list("2024-06-03", { ABC: "Zebra Mining Ltd." }),
    ];
    expect(told(lists)).toEqual([
      "ACME LIMITED (2024-05-30), ZEBRA MINING LIMITED (2024-05-31), Zebra Mining Ltd. (2024-06-03): 2024-05-30 to now",
    ]);
    expect(changes(lists)).toEqual([
      "2024-05-31 | renamed | ABC#1 | ZEBRA MINING LIMITED | ACME LIMITED",
      "2024-06-03 | renamed | ABC#1 | Zebra Mining Ltd. | ZEBRA MINING LIMITED",
    ]);
  });

  it("go on where a code is gone and comes back with its name, however it is written", () => {
    const lists = [
      list("2023-05-30", { ABC: "S.O.L. ACME & SONS LIMITED", B: "B" }),
      list("2023-05-31", { B: "B" }),
      list("2024-06-03", { ABC: "Sol Acme and Sons Ltd", B: "B" }),
    ];
    expect(told(lists)).toEqual([
      "S.O.L. ACME & SONS LIMITED (2023-05-30), Sol Acme and Sons Ltd (2024-06-03): 2023-05-30 to now",
    ]);
    expect(changes(lists)).toEqual([
      "2023-05-31 | removed | ABC#1 | S.O.L. ACME & SONS LIMITED",
      "2024-06-03 | added | ABC#1 | Sol Acme and Sons Ltd | S.O.L. ACME & SONS LIMITED",
    ]);
  });

  it("are others where a code comes back with the name of another company", () => {
    const lists = [
      list("2024-05-30", { ABC: "ACME RESOURCES LIMITED" }),
      list("2024-05-31", {}),
      list("2024-06-03", { ABC: "BLUE BOTTLE RESOURCES LIMITED" }),
    ];
    expect(told(lists)).toEqual([
      "ACME RESOURCES LIMITED (2024-05-30): 2024-05-30 to 2024-05-30",
      "BLUE BOTTLE RESOURCES LIMITED (2024-06-03): 2024-06-03 to now",
    ]);
    expect(changes(lists)).toEqual([
      "2024-05-31 | removed | ABC#1 | ACME RESOURCES LIMITED",
      "2024-06-03 | reused | ABC#2 | BLUE BOTTLE RESOURCES LIMITED | ACME RESOURCES LIMITED",
    ]);
  });

  it("are others on the next list too where the new company was listed after the old list", () => {
    const old: Lines = { ABC: ["ACME LIMITED", "1990-01-02"] };
    const next = (line: Lines[string]) => changes([list("2024-05-30", old), list("2024-05-31", { ABC: line })]);
    expect(next(["BOTTLE LIMITED", "2024-05-31"])).toEqual([
      "2024-05-31 | reused | ABC#2 | BOTTLE LIMITED | ACME LIMITED",
    ]);
    const renamed = ["2024-05-31 | renamed | ABC#1 | BOTTLE LIMITED | ACME LIMITED"];
    expect(next(["BOTTLE LIMITED", "1990-01-02"])).toEqual(renamed);
    expect(next(["BOTTLE LIMITED", "2024-05-30"])).toEqual(renamed);
    expect(next("BOTTLE LIMITED")).toEqual(renamed);
  });

  it("remember a listing date that later lists do not know, and one that the directory makes up is not believed", () => {
    const history = foldLists([
      list("2024-05-29", { ABC: ["ACME LIMITED", "1990-01-02"] }),
      list("2024-05-30", { ABC: "ACME LIMITED" }),
      list("2024-05-31", { ABC: ["ACME LIMITED", "2024-05-31"] }),
    ]);
    expect(listingsOf(history, "ABC")).toMatchObject([{ listingDate: "1990-01-02" }]);
  });

  it("do not begin anew, nor are renamed, where a list has the code without a name", () => {
    const bare = { name: "", industryGroup: "" };
    const lists = [
      list("2024-05-28", { ABC: bare }),
      list("2024-05-29", { ABC: "ACME LIMITED" }),
      list("2024-05-30", { ABC: bare }),
      list("2024-05-31", { ABC: "ACME LIMITED" }),
    ];
    expect(changes(lists)).toEqual([]);
    expect(told(lists)).toEqual(["ACME LIMITED (2024-05-29): 2024-05-28 to now"]);
    expect(listingsOf(foldLists(lists), "ABC")).toMatchObject([{ industryGroup: "Materials" }]);
    const gone = foldLists([...lists.slice(0, 1), list("2024-06-03", {}), list("2024-06-04", { ABC: "ACME LIMITED" })]);
    expect(listingsOf(gone, "ABC").map(nameOf)).toEqual(["ACME LIMITED"]);
  });

  it("say by listing date, else by name, whose code it is on lists that are far apart", () => {
    const far = (older: Lines[string], newer: Lines[string]) =>
      told([list("2022-11-01", { ABC: older }), list("2024-04-07", { ABC: newer })]).length;
    expect(far("ACME LIMITED", "BOTTLE LIMITED")).toBe(2);
    expect(far(["ACME LIMITED", "1990-01-02"], ["BOTTLE LIMITED", "1990-01-02"])).toBe(1);
    expect(far(["ACME LIMITED", "1990-01-02"], ["ACME WINES LIMITED", "2023-01-02"])).toBe(2);
    expect(far("ACME LIMITED", ["ACME WINES LIMITED", "2023-01-02"])).toBe(1);
    expect(far("ACME WINES LIMITED", "ACME LIMITED")).toBe(1);
    expect(far("WEBJET LIMITED", "WEB TRAVEL GROUP LIMITED")).toBe(1);
    expect(far("ALPHA BETA CITRUS LIMITED", "ABC GOLD LIMITED")).toBe(1);
    expect(far("ALPHA BETA CITRUS LIMITED", ["ABC GOLD LIMITED", "2023-01-02"])).toBe(2);
    expect(far("OCTAVIA RESOURCES LIMITED", "ZEPHYR RESOURCES LIMITED")).toBe(2);
  });

  it("tell a company that took another code, and not two of one name", () => {
    expect(
      changes([
        list("2024-05-30", { EZLDA: "EUROZ LIMITED", AAA: "EMU NL", AAB: "EMU NL" }),
        list("2024-05-31", { EZL: "EUROZ LTD", AAC: "EMU NL" }),
      ]),
    ).toEqual([
      "2024-05-31 | removed | AAA#1 | EMU NL",
      "2024-05-31 | removed | AAB#1 | EMU NL",
      "2024-05-31 | added | AAC#1 | EMU NL",
      "2024-05-31 | recoded | EZL#1 | EUROZ LTD | EZLDA",
    ]);
  });

  it("refuse an older list, and two of one date", () => {
    const history = foldLists([list("2024-05-31", {})]);
    expect(() => addLists(history, [list("2024-05-30", {})])).toThrow(/2024-05-30 is older than that of 2024-05-31/);
    expect(() => foldLists([list("2024-05-31", {}), list("2024-05-31", {})])).toThrow(/two lists of 2024-05-31/);
  });
});

const names = ["", "ACME LIMITED", "ACME LTD", "BOTTLE LIMITED", "CASTLE GOLD NL"];
const days = ["2022-11-01", "2024-04-07", "2024-04-08", "2024-04-09", "2024-07-30", "2026-03-02"];
const line = fc.record({
  name: fc.constantFrom(...names),
  industryGroup: fc.constantFrom("", "Banks", "Materials"),
  listingDate: fc.constantFrom(null, "1990-01-02", "2024-04-08", "2026-01-05"),
});
const lines = fc.dictionary(fc.constantFrom("ABC", "DEF", "GHI"), line, { noNullPrototype: true });
const allLists = fc
  .uniqueArray(fc.constantFrom(...days), { minLength: 1 })
  .chain((dates) => fc.tuple(...dates.sort().map((date) => lines.map((some) => list(date, some)))));

describe("folding lists", () => {
  it("in any order gives the same, and so does one after the other, each stored twice", () => {
    fc.assert(
      fc.property(allLists, lines, fc.infiniteStream(fc.nat()), (lists, first, random) => {
        const folded = foldLists(lists);
        const shuffled = lists
          .map((each) => [random.next().value, each] as const)
          .sort(([left], [right]) => left - right)
          .map(([, each]) => each);
        expect(foldLists(shuffled)).toEqual(folded);
        let history = NO_LISTINGS;
        for (const each of lists) {
          history = addLists(history, [list(each.date, first)]);
          history = addLists(history, [each]);
        }
        expect(history).toEqual(folded);
      }),
    );
  });

  it("gives the codes of every list back, and its names", () => {
    fc.assert(
      fc.property(allLists, (lists) => {
        const history = foldLists(lists);
        for (const { date, listings } of lists) {
          const found = [...history.bySymbol.values()]
            .flat()
            .filter(({ seen }) => seen.some(({ from, to }) => from <= date && (to === null || date <= to)));
          expect(found.map(({ symbol }) => symbol).sort()).toEqual(listings.map(({ symbol }) => symbol).sort());
          for (const { symbol, name } of listings.filter((listing) => listing.name !== "")) {
            const listing = found.find((each) => each.symbol === symbol);
            expect(listing?.names.findLast(({ from }) => from <= date)?.name).toBe(name);
          }
        }
      }),
    );
  });
});
