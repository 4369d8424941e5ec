import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bars, InvalidInputError, SymbolsMissingError } from "../../aggregator/index.ts";
import type { Listing } from "../../domain/listing.ts";
import { listingsKey, symbolsKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { settledInstant } from "../../domain/trading-date.ts";
import { buildListings } from "../../stores/build-listings.ts";
import { encodeListings } from "../../stores/listings-file.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";

let store: BarStore;
beforeEach(async () => {
  store = await openBarStore();
});
afterEach(() => store.close());

const DATES = ["2024-05-27", "2024-05-28", "2024-05-29", "2024-05-30", "2024-05-31"] as const;
const [MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY] = DATES;

async function putList(date: string, names: Readonly<Record<string, string>>, listingDate: string | null = null) {
  const listings = Object.entries(names).map(
    ([symbol, name]): Listing => ({ symbol, name, industryGroup: "Banks", listingDate, marketCap: null }),
  );
  await store.store.put(symbolsKey(date), encodeSymbolsCsv(listings));
}

async function keep(): Promise<void> {
  const parts = { store: store.store, calendar: createTradingCalendar(), warn: () => undefined };
  await store.store.put(listingsKey, encodeListings(await buildListings(parts)));
}

/** ABC is Acme's to Tuesday and Bottle's from Thursday on; OLD is delisted after Monday. */
async function putWeek(listingDate: string | null = null): Promise<void> {
  await putList(MONDAY, { ABC: "ACME LIMITED", BHP: "BHP GROUP LIMITED", OLD: "OLDHAM LIMITED" });
  await putList(TUESDAY, { ABC: "ACME LIMITED", BHP: "BHP GROUP LIMITED" });
  await putList(WEDNESDAY, { BHP: "BHP LIMITED" });
  await putList(THURSDAY, { ABC: "BOTTLE LIMITED", BHP: "BHP LIMITED" }, listingDate);
  for (const [batch, date] of DATES.entries()) {
    const symbols = date === MONDAY ? ["ABC", "BHP", "OLD"] : ["ABC", "BHP"];
    const bars = await store.putBars(
      symbols.map((symbol) => barOf(symbol, { date })),
      batch,
      date,
    );
    await store.putSummary([bars], symbols, { date });
  }
}

/** Symbol and day of the month of each bar. */
function shown(bars: Bars<"symbol" | "date">): string[] {
  return bars.toRows().map(({ symbol, date }) => `${symbol} ${date.slice(-2)}`);
}

const HISTORY = [
  "ABC 1 ACME LIMITED 2024-05-27 2024-05-28 false 2024-05-27 null",
  "ABC 2 BOTTLE LIMITED 2024-05-30 2024-05-30 true null 2024-05-31",
  "BHP 1 BHP LIMITED 2024-05-27 2024-05-30 true 2024-05-27 2024-05-31",
  "OLD 1 OLDHAM LIMITED 2024-05-27 2024-05-27 false 2024-05-27 2024-05-27",
];

async function history(): Promise<string[]> {
  return (await store.aggregator.listingHistory())
    .toRows()
    .map(({ industry_group: _group, listing_date: _date, ...row }) => Object.values(row).map(String).join(" "));
}

describe("the listings over time", () => {
  it("are a row for each company under each code, with its watermarks", async () => {
    await putWeek();
    await keep();
    expect(await history()).toEqual(HISTORY);
    const table = await store.aggregator.listingHistory({ symbols: ["abc"] });
    expect(table.toRows()[0]).toEqual({
      symbol: "ABC",
      listing: 1,
      name: "ACME LIMITED",
      industry_group: "Banks",
      listing_date: null,
      first_seen: MONDAY,
      last_seen: TUESDAY,
      is_listed: false,
      first_bar: MONDAY,
      last_final: null,
    });
  });

  it.each<[string, () => Promise<void>]>([
    ["there is no file", async () => rm(join(store.folder, listingsKey))],
    ["the file is damaged", () => writeFile(join(store.folder, listingsKey), "{")],
    ["a later list is stored", () => putList(FRIDAY, { ABC: "BOTTLE LIMITED", BHP: "BHP LIMITED", NEW: "NOVA" })],
    ["an older list is stored", () => putList("2024-05-24", { ABC: "ACME LIMITED", BHP: "BHP GROUP LIMITED" })],
    ["a list is gone", async () => rm(join(store.folder, symbolsKey(TUESDAY)))],
  ])("are as of all lists where %s", async (_case, change) => {
    await putWeek();
    await keep();
    await store.aggregator.listingHistory();
    await change();
    const rows = (await store.aggregator.listingHistory()).toRows();
    await keep();
    const kept = (await store.aggregator.listingHistory()).toRows();
    const withoutMarks = (row: (typeof rows)[number]) => ({ ...row, first_bar: null, last_final: null });
    expect(rows.map(withoutMarks)).toEqual(kept.map(withoutMarks));
  });

  it("change from list to list", async () => {
    await putWeek();
    const changes = await store.aggregator.listingChanges();
    expect(changes.toRows().map((row) => Object.values(row).join(" | "))).toEqual([
      "2024-05-28 | removed | OLD | 1 | OLDHAM LIMITED | ",
      "2024-05-29 | removed | ABC | 1 | ACME LIMITED | ",
      "2024-05-29 | renamed | BHP | 1 | BHP LIMITED | BHP GROUP LIMITED",
      "2024-05-30 | reused | ABC | 2 | BOTTLE LIMITED | ACME LIMITED",
    ]);
    const some = await store.aggregator.listingChanges({ from: WEDNESDAY, to: WEDNESDAY, symbols: ["bhp"] });
    expect(some.values("kind")).toEqual(["renamed"]);
    await expect(store.aggregator.listingChanges({ from: FRIDAY, to: MONDAY })).rejects.toThrow(InvalidInputError);
    await expect(store.aggregator.listingChanges({ from: "yesterday" })).rejects.toThrow(/from is "yesterday"/);
  });

  it("are those of a day, and say from when on they are known", async () => {
    await putWeek();
    expect((await store.aggregator.listings(WEDNESDAY)).map(({ symbol }) => symbol)).toEqual(["BHP"]);
    const before = store.aggregator.listings("2024-05-26");
    await expect(before).rejects.toThrow(SymbolsMissingError);
    await expect(before).rejects.toThrow(/of 2024-05-26 or before; lists are known from 2024-05-27 on$/);
  });
});

describe("a code that another company took over", () => {
  it("is told by the coverage of a load", async () => {
    await putWeek();
    await keep();
    for (const bars of [await store.aggregator.loadSymbols(["ABC", "BHP"]), await store.aggregator.loadAll()]) {
      expect(String(bars.coverage)).toContain(
        "reused: ABC#1 ACME LIMITED (to 2024-05-28) and ABC#2 BOTTLE LIMITED (from 2024-05-29)",
      );
    }
    const { coverage } = await store.aggregator.loadSymbols(["ABC"]);
    expect(coverage.toJSON().reusedCodes).toEqual([
      {
        symbol: "ABC",
        listings: [
          { listing: 1, name: "ACME LIMITED", from: null, to: TUESDAY },
          { listing: 2, name: "BOTTLE LIMITED", from: WEDNESDAY, to: null },
        ],
      },
    ]);
    expect((await store.aggregator.loadSymbols(["BHP"])).coverage.reusedCodes).toEqual([]);
    expect((await store.aggregator.loadSymbols(["ABC#2"])).coverage.reusedCodes).toEqual([]);
    expect((await store.aggregator.loadDate(MONDAY)).coverage.reusedCodes).toEqual([]);
    expect(coverage.isComplete).toBe(true);
  });

  it("has the bars of one company where its listing is named", async () => {
    await putWeek();
    const { aggregator } = store;
    expect(shown(await aggregator.loadSymbols(["ABC#1"]))).toEqual(["ABC 27", "ABC 28"]);
    expect(shown(await aggregator.loadSymbols(["abc#2"]))).toEqual(["ABC 29", "ABC 30", "ABC 31"]);
    expect(shown(await aggregator.loadDateRange(TUESDAY, WEDNESDAY, { symbols: ["BHP", "ABC#2"] }))).toEqual([
      "ABC 29",
      "BHP 28",
      "BHP 29",
    ]);
    expect(shown(await aggregator.loadSymbols(["ABC#1", "ABC#2"]))).toHaveLength(5);
    expect(shown(await aggregator.loadSymbols(["ABC#1", "ABC"]))).toHaveLength(5);
    const close = await aggregator.loadSymbols(["ABC#2"], { columns: ["close"] });
    expect([...close.close]).toEqual([44.51, 44.51, 44.51]);
    const without = await aggregator.loadDate(MONDAY, { symbols: ["ABC#2"] });
    expect([without.length, without.coverage.withoutBars]).toEqual([0, ["ABC"]]);
  });

  it("begins on the listing date where that is known, and between the two companies' lists", async () => {
    await putWeek(THURSDAY);
    expect(shown(await store.aggregator.loadSymbols(["ABC#1"]))).toEqual(["ABC 27", "ABC 28", "ABC 29"]);
    expect(shown(await store.aggregator.loadSymbols(["ABC#2"]))).toEqual(["ABC 30", "ABC 31"]);
  });

  it("has no further listings, and those it has are named", async () => {
    await putWeek();
    const load = (symbol: string) => store.aggregator.loadSymbols([symbol]);
    await expect(load("ABC#3")).rejects.toThrow(InvalidInputError);
    await expect(load("ABC#3")).rejects.toThrow(
      "there is no listing ABC#3: there are ABC#1 ACME LIMITED (from 2024-05-27 to 2024-05-28); ABC#2 BOTTLE LIMITED (from 2024-05-30 on)",
    );
    await expect(load("XYZ#1")).rejects.toThrow("there is no listing XYZ#1: no list of symbols has XYZ");
    for (const wrong of ["ABC#0", "ABC#", "#1", "ABC#1.5", "ABC#-1", "ABC#1#2", "A<b>#1"]) {
      await expect(load(wrong)).rejects.toThrow(/names no listing: give a code and its number, such as ABC#2$/);
    }
  });
});

describe("a company that is listed no more", () => {
  it("keeps its bars, by its code and as its listing", async () => {
    await putWeek();
    await keep();
    expect(shown(await store.aggregator.loadSymbols(["OLD"]))).toEqual(["OLD 27"]);
    expect(shown(await store.aggregator.loadSymbols(["OLD#1"]))).toEqual(["OLD 27"]);
    expect(await store.aggregator.availableSymbols()).toContain("OLD");
  });
});

describe("adjusted prices of a code that another company took over", () => {
  it("are those of each company's own actions", async () => {
    await putList(MONDAY, { ABC: "ACME LIMITED" });
    await putList(TUESDAY, {});
    await putList(WEDNESDAY, { ABC: "BOTTLE LIMITED" });
    for (const date of DATES) {
      const splitRatio = date === FRIDAY ? 4 : null;
      const bar = barOf("ABC", { date, dividend: null, splitRatio, fetchTimestamp: settledInstant(date) });
      await store.putSummary([await store.putBars([bar], 0, date)], ["ABC"], { date });
    }
    await keep();
    const stored = await store.aggregator.loadSymbols(["ABC"], { columns: ["close"] });
    const adjusted = await store.aggregator.loadSymbols(["ABC"], { columns: ["close"], adjust: "splits" });
    const ratios = adjusted.toRows().map(({ date, close }, row) => `${date} ${(stored.close[row] ?? 0) / close}`);
    expect(ratios).toEqual([`${MONDAY} 1`, `${TUESDAY} 4`, `${WEDNESDAY} 4`, `${THURSDAY} 4`, `${FRIDAY} 1`]);
    const query = "SELECT close FROM adjusted_bars('splits') WHERE symbol = 'ABC' ORDER BY date";
    expect((await store.aggregator.sql(query)).toRows().map(({ close }) => close)).toEqual([...adjusted.close]);
  });
});
