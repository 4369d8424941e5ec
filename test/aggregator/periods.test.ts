/** Weeks and months end with their last trading day by the exchange's calendar, whoever traded on it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BarRow, Bars, Coverage, InvalidInputError, toMonthly, toWeekly } from "../../aggregator/index.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { barOf } from "../support/bar-store.ts";
import { barsOfRows } from "../support/bars-of-rows.ts";

const calendar = createTradingCalendar();

function rowOf(date: string, values: Partial<BarRow> = {}): BarRow {
  return { ...rowOfBar(barOf("BHP", { date, dividend: null, splitRatio: null })), ...values };
}

/** A bar of a symbol on every trading day of a range, which is what was loaded. */
function loadedDays(from: string, to: string, isTraded: (date: string) => boolean = () => true): Bars {
  const days = calendar.tradingDays(from, to);
  return covering(
    from,
    to,
    days.filter(isTraded).map((date) => rowOf(date)),
  );
}

function covering(from: string, to: string, rows: readonly BarRow[], closedDates: readonly string[] = []): Bars {
  const days = createTradingCalendar(closedDates)
    .tradingDays(from, to)
    .map((date) => ({ date, status: "complete", rows: 1, unfinished: 0 }) as const);
  return new Bars(barsOfRows(rows).columns, new Coverage({ from, to, days }));
}

function endsOf(bars: Bars): [string, number][] {
  const weekly = toWeekly(bars);
  return weekly.toRows().map(({ date, sessions }) => [date, sessions]);
}

describe("a week ends with its last trading day", () => {
  it.each<[string, string, string, [string, number][]]>([
    [
      "Good Friday and Easter Monday",
      "2024-03-25",
      "2024-04-05",
      [
        ["2024-03-28", 4],
        ["2024-04-05", 4],
      ],
    ],
    ["ANZAC Day on a Thursday", "2024-04-22", "2024-04-26", [["2024-04-26", 4]]],
    ["ANZAC Day on a Friday", "2025-04-21", "2025-04-25", [["2025-04-24", 3]]],
    [
      "Christmas on Wednesday, New Year's Day the week after",
      "2024-12-23",
      "2025-01-03",
      [
        ["2024-12-27", 3],
        ["2025-01-03", 4],
      ],
    ],
    [
      "Christmas on Friday, Boxing Day moved",
      "2020-12-21",
      "2021-01-01",
      [
        ["2020-12-24", 4],
        ["2020-12-31", 3],
      ],
    ],
    ["the day of mourning, a Thursday", "2022-09-19", "2022-09-23", [["2022-09-23", 4]]],
    ["a week over New Year", "2019-12-30", "2020-01-03", [["2020-01-03", 4]]],
    ["Australia Day on a Friday", "2024-01-22", "2024-01-26", [["2024-01-25", 4]]],
  ])("%s", (_, from, to, expected) => {
    expect(endsOf(loadedDays(from, to))).toEqual(expected);
    expect(endsOf(barsOfRows(loadedDays(from, to).toRows()))).toEqual(expected);
  });

  it("also for a symbol that did not trade on it", () => {
    const halted = loadedDays("2024-03-25", "2024-04-05", (date) => date !== "2024-03-28" && date < "2024-04-03");
    expect(endsOf(halted)).toEqual([
      ["2024-03-28", 3],
      ["2024-04-05", 1],
    ]);
  });

  it("of the days that the range covers, where it is not over", () => {
    expect(endsOf(loadedDays("2024-03-27", "2024-04-02"))).toEqual([
      ["2024-03-28", 2],
      ["2024-04-02", 1],
    ]);
    expect(endsOf(loadedDays("2024-05-20", "2024-05-22", (date) => date === "2024-05-20"))).toEqual([
      ["2024-05-22", 1],
    ]);
  });

  it("by the closures that the store was opened with", () => {
    const rows = calendar.tradingDays("2024-05-20", "2024-05-23").map((date) => rowOf(date));
    expect(endsOf(covering("2024-05-20", "2024-05-27", rows, ["2024-05-24"]))).toEqual([["2024-05-23", 4]]);
  });

  it("or with a day that has bars though the calendar has none", () => {
    const rows = [rowOf("2024-03-28"), rowOf("2024-03-29")];
    expect(endsOf(covering("2024-03-25", "2024-04-05", rows))).toEqual([["2024-03-29", 2]]);
  });
});

describe("a month ends with its last trading day", () => {
  it.each<[string, string, [string, number][]]>([
    [
      "2024-02-01",
      "2024-03-31",
      [
        ["2024-02-29", 21],
        ["2024-03-28", 20],
      ],
    ],
    [
      "2023-12-01",
      "2024-01-31",
      [
        ["2023-12-29", 19],
        ["2024-01-31", 21],
      ],
    ],
    ["2024-06-03", "2024-06-14", [["2024-06-14", 9]]],
  ])("%s to %s", (from, to, expected) => {
    expect(
      toMonthly(loadedDays(from, to))
        .toRows()
        .map(({ date, sessions }) => [date, sessions]),
    ).toEqual(expected);
  });
});

describe("the bar of a period", () => {
  const rows = [
    rowOf("2024-05-20", { open: 10, high: 12, low: 9, close: 11, adjusted_close: 10.5, volume: 100 }),
    rowOf("2024-05-22", { open: 11, high: 15, low: 11, close: 14, adjusted_close: 13.5, volume: 50, dividend: 0.5 }),
    rowOf("2024-05-23", { open: 7, high: 8, low: 6, close: 7.5, volume: 0, dividend: 0.25, split_ratio: 2 }),
    rowOf("2024-05-24", { open: 8, high: 8, low: 7, close: 7.2, adjusted_close: null, volume: 7, split_ratio: 3 }),
    rowOf("2024-05-27", { symbol: "CBA", open: 1, high: 2, low: 0.5, close: 1.5, adjusted_close: 1.4, volume: 3 }),
  ];

  it("has the first open, the extremes, the last closes, the sums and the product", () => {
    const week = { symbol: "BHP", date: "2024-05-24", open: 10, high: 15, low: 6, close: 7.2, adjusted_close: null };
    const other = { symbol: "CBA", date: "2024-05-27", open: 1, high: 2, low: 0.5, close: 1.5, adjusted_close: 1.4 };
    expect(toWeekly(barsOfRows(rows)).toRows()).toEqual([
      { ...week, volume: 157, dividend: 0.75, split_ratio: 6, sessions: 4 },
      { ...other, volume: 3, dividend: null, split_ratio: null, sessions: 1 },
    ]);
  });

  it("lacks what the bars lack, and needs symbol and date", () => {
    const { columns, coverage } = barsOfRows(rows);
    const few = new Map([...columns].filter(([name]) => ["symbol", "date", "close"].includes(name)));
    expect(toMonthly(new Bars(few, coverage)).names).toEqual(["symbol", "date", "close", "sessions"]);
    few.delete("date");
    expect(() => toMonthly(new Bars(few, coverage))).toThrow(InvalidInputError);
  });

  it("is one of bars, with their coverage", () => {
    const weekly = toWeekly(loadedDays("2024-03-25", "2024-04-05"));
    expect(weekly.coverage.to).toBe("2024-04-05");
    expect([...weekly.of("BHP").sessions]).toEqual([4, 4]);
    expect(weekly.head(1).toRows()).toEqual([weekly.row(0)]);
    expect([...weekly].map(({ sessions }) => sessions)).toEqual([4, 4]);
    expect(toWeekly(barsOfRows([])).toRows()).toEqual([]);
  });
});

describe("bars of weeks or months", () => {
  it("are not made into others, which their days may not fall into", () => {
    const daily: Bars<"symbol" | "date"> = loadedDays("2024-05-20", "2024-06-07");
    const weekly: Bars<"symbol" | "date"> = toWeekly(daily);
    expect(() => toMonthly(weekly)).toThrow(InvalidInputError);
    expect(() => toMonthly(weekly)).toThrow("these are bars of weeks or months already; give the daily bars");
  });
});

describe("bars in any order and of any days", () => {
  const someDay = fc
    .integer({ min: 0, max: 900 })
    .map((day) => new Date(Date.UTC(2022, 11, 1 + day)).toISOString().slice(0, 10));
  const someRows = fc.uniqueArray(fc.record({ symbol: fc.constantFrom("AAA", "BBB"), date: someDay }), {
    selector: ({ symbol, date }) => `${symbol} ${date}`,
    maxLength: 60,
  });

  it("each count in one period, that of their own date", () => {
    fc.assert(
      fc.property(someRows, (pairs) => {
        const bars = barsOfRows(pairs.map(({ symbol, date }) => rowOf(date, { symbol, volume: 1 })));
        for (const [periods, key] of [
          [toWeekly(bars), weekKey],
          [toMonthly(bars), (date: string) => date.slice(0, 7)],
        ] as const) {
          const counts = new Map<string, number>();
          for (const { symbol, date } of pairs) {
            const name = `${symbol} ${key(date)}`;
            counts.set(name, (counts.get(name) ?? 0) + 1);
          }
          const found = periods.toRows().map(({ symbol, date, volume }) => [`${symbol} ${key(date)}`, volume] as const);
          expect(new Map(found)).toEqual(counts);
          expect(found.length).toBe(counts.size);
        }
      }),
    );
  });
});

/** The Monday of a date's week. */
function weekKey(date: string): string {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() - ((at.getUTCDay() + 6) % 7));
  return at.toISOString().slice(0, 10);
}
