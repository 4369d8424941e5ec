/** Tables and macros over bars: they give what the library's functions give, and no query meets another's tables. */
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  InvalidInputError,
  type Listing,
  StoredFileError,
  simpleReturns,
  type Table,
  toMonthly,
  totalReturns,
  toWeekly,
} from "../../aggregator/index.ts";
import { actionsKey, listingsKey, symbolsKey } from "../../domain/object-keys.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { buildListings } from "../../stores/build-listings.ts";
import { encodeListings } from "../../stores/listings-file.ts";
import { encodeSymbolsCsv } from "../../stores/symbols-csv.ts";
import { type BarStore, barOf, openBarStore } from "../support/bar-store.ts";

let stored: BarStore;
beforeEach(async () => {
  stored = await openBarStore();
});
afterEach(async () => {
  await stored.close();
});

const ALL_TABLES = ["actions", "bars", "calendar", "listing_changes", "listings", "not_adjusted", "runs", "symbols"];

/** Stores a run with bars of these symbols on a date. */
async function putDay(
  date: string,
  symbols: readonly string[],
  values: Parameters<typeof barOf>[1] = {},
): Promise<void> {
  const plain = { dividend: null, splitRatio: null, fetchTimestamp: Date.parse(`${date}T09:40:00.123Z`) };
  const bars = symbols.map((symbol) => barOf(symbol, { date, ...plain, ...values }));
  await stored.putSummary([await stored.putBars(bars, 0, date)], symbols, { date });
}

async function rowsOf(query: string): Promise<unknown[]> {
  return (await stored.aggregator.sql(query)).toRows();
}

/** Stores lists with these companies' names under their codes, by date, and the file of listings. */
async function putLists(
  { store }: Pick<BarStore, "store">,
  lists: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<void> {
  for (const [date, names] of Object.entries(lists)) {
    const listings = Object.entries(names).map(([symbol, name]) => ({ ...listingOf(symbol, name), listingDate: null }));
    await store.put(symbolsKey(date), encodeSymbolsCsv(listings));
  }
  const parts = { store, calendar: createTradingCalendar(), warn: () => undefined };
  await store.put(listingsKey, encodeListings(await buildListings(parts)));
}

/** Numbers to twelve digits: sums of doubles depend on their order. */
function rounded(table: Table<object>): unknown {
  return JSON.parse(
    JSON.stringify(table, (_, value) => (typeof value === "number" ? Number(value.toPrecision(12)) : value)),
  );
}

describe("the calendar", () => {
  it("has every trading day that is stored or between, with the last one of its week and month", async () => {
    await putDay("2024-03-25", ["BHP"]);
    await putDay("2024-04-03", ["BHP"]);
    expect(await rowsOf("SELECT * FROM calendar ORDER BY date")).toEqual([
      ...["2024-03-25", "2024-03-26", "2024-03-27", "2024-03-28"].map((date) => ({
        ...{ date, week_end: "2024-03-28", month_end: "2024-03-28" },
      })),
      ...["2024-04-02", "2024-04-03"].map((date) => ({ date, week_end: "2024-04-03", month_end: "2024-04-03" })),
    ]);
  });

  it("grows with the store", async () => {
    expect(await rowsOf("SELECT * FROM calendar")).toEqual([]);
    await putDay("2024-05-30", ["BHP"]);
    expect(await rowsOf("SELECT date, week_end FROM calendar")).toEqual([
      { date: "2024-05-30", week_end: "2024-05-30" },
    ]);
    await putDay("2024-05-31", ["BHP"]);
    const weeks = await rowsOf("SELECT date, week_end FROM calendar ORDER BY date");
    expect(weeks).toEqual(["2024-05-30", "2024-05-31"].map((date) => ({ date, week_end: "2024-05-31" })));
  });
});

describe("a macro", () => {
  beforeEach(async () => {
    await putDay("2024-05-29", ["BHP", "CBA"], { close: 40 });
    await putDay("2024-05-30", ["BHP", "CBA"], { close: 50, dividend: 0.5 });
    await putDay("2024-05-31", ["CBA"], { close: 25, splitRatio: 2 });
  });

  it.each(["adjusted_bars", "weekly_bars", "monthly_bars", "returns"])("%s refuses another kind", async (macro) => {
    for (const kind of ["'split'", "'ALL'", "''", "NULL"]) {
      const query = stored.aggregator.sql(`SELECT symbol FROM ${macro}(${kind})`);
      await expect(query).rejects.toThrow(InvalidInputError);
      await expect(query).rejects.toThrow(/^give 'none', 'splits' or 'all' as the kind of adjusting, not ('|NULL)/);
    }
    await expect(stored.aggregator.sql(`SELECT symbol FROM ${macro}()`)).rejects.toThrow(/Candidate macros/);
    await expect(stored.aggregator.sql(`SELECT symbol FROM ${macro}($1)`, ["spilts"])).rejects.toThrow(/^give 'none'/);
    expect((await stored.aggregator.sql(`SELECT symbol FROM ${macro}($1)`, ["none"])).length).toBeGreaterThan(0);
  });

  it("takes its kind as a text or a parameter", async () => {
    for (const query of ["FROM returns((SELECT 'all'))", "SELECT * FROM (VALUES ('all')) AS t (k), returns(k)"]) {
      const asked = stored.aggregator.sql(query);
      await expect(asked).rejects.toThrow(InvalidInputError);
      await expect(asked).rejects.toThrow(/\. The kind of adjusting is a text or a parameter$/);
    }
  });

  it("shows no table of its own", async () => {
    for (const table of ["periods", "companies", "split_factors"]) {
      const query = `SELECT * FROM returns('none') CROSS JOIN ${table}`;
      await expect(rowsOf(query)).rejects.toThrow(`Table with name ${table} does not exist`);
    }
  });

  it("refuses another kind where no row is asked of it", async () => {
    const empty = await openBarStore({}, "empty");
    try {
      for (const { aggregator } of [stored, empty]) {
        for (const rest of ["", " WHERE date > '2030-01-01'", " WHERE false", " LIMIT 0"]) {
          for (const macro of ["adjusted_bars", "weekly_bars", "monthly_bars", "returns"]) {
            const query = aggregator.sql(`FROM ${macro}('x')${rest}`);
            await expect(query).rejects.toThrow(InvalidInputError);
            await expect(query).rejects.toThrow(/^give 'none', 'splits' or 'all' as the kind of adjusting, not 'x'$/);
          }
        }
      }
      expect((await empty.aggregator.sql("FROM weekly_bars('all')")).length).toBe(0);
    } finally {
      await empty.close();
    }
  });

  it("is one where a bracket follows its name, and else a name of the query's own", async () => {
    await stored.store.put(actionsKey("2024"), new TextEncoder().encode("symbol,ex_date\nx"));
    expect(await rowsOf("WITH returns AS (FROM bars) SELECT count(*) AS returns FROM returns")).toEqual([
      { returns: 5 },
    ]);
    const damaged = stored.aggregator.sql("FROM returns('none')");
    await expect(damaged).rejects.toThrow(StoredFileError);
    await stored.store.remove(actionsKey("2024"));
    for (const call of ["returns ('none')", "\"returns\"('none')", "Returns /* a\n(b */ -- c\n('none')"]) {
      expect(await rowsOf(`SELECT count(*) AS n FROM ${call}`)).toEqual([{ n: 5 }]);
    }
  });

  it("that does not exist is answered with those that do", async () => {
    await expect(stored.aggregator.sql("SELECT * FROM daily_bars('none')")).rejects.toThrow(
      /adjusted_bars\(kind\), weekly_bars\(kind\), monthly_bars\(kind\) and returns\(kind\) are called like tables/,
    );
  });

  it("gives bars as they are, where nothing is adjusted", async () => {
    expect(await rowsOf("SELECT * FROM adjusted_bars('none') ORDER BY ALL")).toEqual(
      await rowsOf(
        `SELECT symbol, date, open, high, low, close, adjusted_close, volume, dividend, split_ratio, fetch_timestamp,
         batch_number FROM bars ORDER BY ALL`,
      ),
    );
    expect((await stored.aggregator.sql("FROM adjusted_bars('all')")).names.toSorted()).toEqual(
      (await stored.aggregator.sql("FROM bars")).names.toSorted(),
    );
  });

  it("dates a week by the calendar, and the halted symbol with the others", async () => {
    expect(await rowsOf("SELECT symbol, date, close, sessions FROM weekly_bars('none') ORDER BY symbol")).toEqual([
      { symbol: "BHP", date: "2024-05-31", close: 50, sessions: 2 },
      { symbol: "CBA", date: "2024-05-31", close: 25, sessions: 3 },
    ]);
  });

  it("is not led astray by what a query names", async () => {
    const query = "FROM weekly_bars('none')";
    expect(
      (await rowsOf(`WITH bars AS (SELECT 1), calendar AS (SELECT 2), adjusted_bars AS (SELECT 3) ${query}`)).length,
    ).toBe(2);
    expect(await rowsOf("WITH returns AS (SELECT 1 AS one) FROM returns")).toEqual([{ one: 1 }]);
  });

  it("is written to a file as any query is", async () => {
    const path = join(stored.folder, "weeks.parquet");
    const query = "FROM weekly_bars('splits')";
    expect((await stored.aggregator.exportParquet(query, [], path)).rows).toBe(2);
  });

  it("is of the state of the store at which it is asked", async () => {
    const count = "SELECT count(*) AS n FROM returns('none')";
    const before = await rowsOf(count);
    await putDay("2024-05-31", ["BHP", "CBA"]);
    expect([before, await rowsOf(count)]).toEqual([[{ n: 5 }], [{ n: 6 }]]);
  });

  it("is found by a question after tables and functions, and changes none of the answers after it", async () => {
    expect(await rowsOf("SHOW TABLES")).toEqual(ALL_TABLES.map((name) => ({ name })));
    expect(await rowsOf("SELECT count(*) AS n FROM bars")).toEqual([{ n: 5 }]);
    expect(
      await rowsOf("SELECT function_name FROM duckdb_functions() WHERE schema_name LIKE 'macros%' ORDER BY ALL"),
    ).toEqual(["adjusted_bars", "monthly_bars", "returns", "weekly_bars"].map((name) => ({ function_name: name })));
    expect(await rowsOf("SELECT count(*) AS n FROM adjusted_bars('none')")).toEqual([{ n: 5 }]);
    expect(await rowsOf("DESCRIBE FROM weekly_bars('all')")).toHaveLength(11);
  });
});

function listingOf(symbol: string, name: string): Listing {
  return { symbol, name, industryGroup: "Materials", listingDate: "1991-09-12", marketCap: 1e9 / 3 };
}

describe("actions and listings", () => {
  it("are the tables that the library gives", async () => {
    await putDay("2024-05-30", ["BHP", "CBA"], { dividend: 0.5, splitRatio: 2 });
    await putDay("2024-05-31", ["CBA"], { dividend: 0.25 });
    const { aggregator } = stored;
    expect((await rowsOf("SELECT * FROM actions ORDER BY symbol, ex_date, kind")).length).toBe(5);
    expect(await rowsOf("SELECT * FROM actions ORDER BY symbol, ex_date, kind")).toEqual(
      (await aggregator.actions({ all: true })).toRows(),
    );
    const put = (date: string, listings: readonly Listing[]): Promise<unknown> =>
      stored.store.put(symbolsKey(date), encodeSymbolsCsv(listings));
    await put("2024-05-30", [listingOf("BHP", "BHP LIMITED")]);
    await put("2024-05-31", [listingOf("BHP", "BHP GROUP LIMITED"), listingOf("CBA", "COMMONWEALTH BANK.")]);
    expect(await rowsOf("FROM listings ORDER BY symbol, listing")).toEqual(
      (await aggregator.listingHistory()).toRows(),
    );
    expect(await rowsOf("FROM listing_changes ORDER BY date, symbol")).toEqual(
      (await aggregator.listingChanges()).toRows(),
    );
    expect((await rowsOf("FROM listing_changes")).length).toBeGreaterThan(0);
  });
});

describe("dividends that prices cannot be adjusted for", () => {
  it("are a table of their own, as a load tells them", async () => {
    await putDay("2024-05-30", ["BHP", "CBA"], { close: 40, dividend: 0.5 });
    await putDay("2024-05-31", ["BHP", "CBA"], { close: 1, dividend: 50 });
    const friday = "FROM not_adjusted WHERE ex_date = '2024-05-31' ORDER BY symbol";
    const rows = (await stored.aggregator.sql(friday)).toRows();
    const { notAdjusted } = (await stored.aggregator.loadAll({ adjust: "all" })).coverage;
    expect(rows.map(({ symbol, ex_date, why }) => `${symbol} ${ex_date}: ${why}`)).toEqual(
      notAdjusted.filter((text) => text.includes(" 2024-05-31: ")),
    );
    expect(rows.map(({ symbol }) => symbol)).toEqual(["BHP", "CBA"]);
  });
});

describe("a code that another company took over", () => {
  const [monday, tuesday, wednesday, thursday, friday] = [27, 28, 29, 30, 31].map((day) => `2024-05-${day}`);

  it("has returns and weeks of each company by itself", async () => {
    await putDay(String(monday), ["ABC", "BHP"], { open: 40, high: 40, low: 40, close: 40 });
    for (const date of [wednesday, friday]) {
      await putDay(String(date), ["ABC"], { open: 0.2, high: 0.2, low: 0.2, close: 0.2, volume: 7 });
    }
    await putLists(stored, {
      [String(monday)]: { ABC: "ACME LIMITED", BHP: "BHP LIMITED" },
      [String(tuesday)]: { BHP: "BHP LIMITED" },
      [String(wednesday)]: { ABC: "BOTTLE LIMITED", BHP: "BHP LIMITED" },
    });
    expect(await rowsOf("SELECT symbol, simple_return FROM returns('splits') ORDER BY symbol, date")).toEqual([
      { symbol: "ABC", simple_return: null },
      { symbol: "ABC", simple_return: null },
      { symbol: "ABC", simple_return: 0 },
      { symbol: "BHP", simple_return: null },
    ]);
    const weeks = [
      { symbol: "ABC", date: monday, close: 40, sessions: 1 },
      { symbol: "ABC", date: friday, close: 0.2, sessions: 2 },
      { symbol: "BHP", date: friday, close: 40, sessions: 1 },
    ];
    for (const macro of ["weekly_bars", "monthly_bars"]) {
      const query = `SELECT symbol, date, close, sessions FROM ${macro}('splits')`;
      expect(await rowsOf(`${query} ORDER BY symbol, date`)).toEqual(weeks);
      expect(await rowsOf(`${query} WHERE date < '${friday}'`)).toEqual(weeks.slice(0, 1));
    }
  });

  it("has the splits of each for its own bars, whenever these were fetched", async () => {
    const late = Date.parse(`${thursday}T09:40:00Z`);
    const flat = { open: 40, high: 40, low: 40, close: 40 };
    for (const date of [monday, wednesday, thursday]) {
      await putDay(String(date), ["ABC"], { ...flat, fetchTimestamp: late });
    }
    await putDay(String(friday), ["ABC"], { open: 10, high: 10, low: 10, close: 10, splitRatio: 4 });
    await putLists(stored, {
      [String(monday)]: { ABC: "ACME LIMITED" },
      [String(tuesday)]: {},
      [String(wednesday)]: { ABC: "BOTTLE LIMITED" },
    });
    expect((await stored.aggregator.loadAll({ adjust: "splits" })).values("close")).toEqual([40, 10, 10, 10]);
    const bySql = await stored.aggregator.sql("SELECT close FROM adjusted_bars('splits') ORDER BY date");
    expect(bySql.values("close")).toEqual([40, 10, 10, 10]);
  });
});

describe("any market", () => {
  const days = createTradingCalendar().tradingDays("2023-12-18", "2024-01-12");
  const price = fc.integer({ min: 1, max: 10_000 }).map((cents) => cents / 100);
  const bar = fc.record({
    symbol: fc.constantFrom("AAA", "BBB", "CCC"),
    date: fc.constantFrom(...days),
    open: price,
    close: price,
    adjustedClose: fc.option(price),
    volume: fc.nat(1_000_000),
    dividend: fc.option(price, { freq: 2 }),
    splitRatio: fc.option(fc.constantFrom(2, 0.5, 3, 1.1), { freq: 2 }),
    daysUntilFetched: fc.nat(20),
  });
  const plain = {
    ...{ symbol: "AAA", open: 1, close: 2, adjustedClose: 2, volume: 1, dividend: null, splitRatio: null },
    daysUntilFetched: 0,
  };
  const market = fc.uniqueArray(bar, {
    selector: ({ symbol, date }) => `${symbol} ${date}`,
    minLength: 1,
    maxLength: 40,
  });

  it("has the same bars, weeks, months and returns by SQL as by the library", { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(market, fc.nat(days.length - 4), async (some, gone) => {
        const store = await openBarStore();
        try {
          // AAA is another company's some day after it is gone from the lists; both have bars.
          const dates = [days[0], ...days.slice(gone, gone + 3), days.at(-1)].map(String);
          const [acme, bottle] = [{ AAA: "ACME LIMITED" }, { AAA: "BOTTLE LIMITED" }];
          const lists = [acme, acme, {}, bottle].map((names, list) => [dates[list], names]);
          await putLists(store, Object.fromEntries(lists));
          const ends = [dates.at(0), dates.at(-1)].map((date) => ({ ...plain, date: String(date) }));
          const bars = [
            ...some.filter(({ symbol, date }) => !ends.some((end) => end.symbol === symbol && end.date === date)),
            ...ends,
          ];
          for (const [date, ofDate] of Map.groupBy(bars, (one) => one.date)) {
            const whole = ofDate.map(({ symbol, daysUntilFetched, ...values }) => {
              const [low = 0, high = 0] = [values.open, values.close].sort((a, b) => a - b);
              const fetchTimestamp = Date.parse(`${date}T09:40:00Z`) + daysUntilFetched * 86_400_000;
              return barOf(symbol, { ...values, low, high, fetchTimestamp });
            });
            await store.putSummary([await store.putBars(whole, 0, date)], ["AAA", "BBB", "CCC"], { date });
          }
          for (const adjust of ["none", "splits", "all"] as const) {
            const loaded = await store.aggregator.loadAll({ adjust });
            expect(loaded.coverage.reusedCodes).toHaveLength(1);
            const sql = (from: string): Promise<Table> =>
              store.aggregator.sql(`FROM ${from}('${adjust}') ORDER BY symbol, date`);
            expect((await sql("adjusted_bars")).toRows()).toEqual(loaded.toRows());
            expect(rounded(await sql("weekly_bars"))).toEqual(rounded(toWeekly(loaded)));
            expect(rounded(await sql("monthly_bars"))).toEqual(rounded(toMonthly(loaded)));
            const returns = await sql("returns");
            expect(returns.values("simple_return")).toEqual(simpleReturns(loaded).values("return"));
            expect(returns.values("total_return")).toEqual(totalReturns(loaded).values("return"));
          }
        } finally {
          await store.close();
        }
      }),
      { numRuns: 12 },
    );
  });
});
