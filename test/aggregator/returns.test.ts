/** Returns: of a bar to the symbol's bar before it, and to nothing else. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BarRow,
  Bars,
  Coverage,
  growthOf,
  type ReturnRow,
  simpleReturns,
  type Table,
  toMonthly,
  totalReturns,
  toWeekly,
} from "../../aggregator/index.ts";
import { addDays } from "../../domain/trading-date.ts";
import { rowOfBar } from "../support/bar-rows.ts";
import { barOf } from "../support/bar-store.ts";
import { barsOfRows } from "../support/bars-of-rows.ts";

function rowOf(symbol: string, date: string, close: number, adjusted_close: number | null): BarRow {
  return { ...rowOfBar(barOf(symbol, { date })), close, adjusted_close };
}

const rows = [
  rowOf("BHP", "2024-05-24", 40, 20),
  rowOf("BHP", "2024-05-27", 50, 30),
  rowOf("BHP", "2024-06-03", 25, null),
  rowOf("BHP", "2024-06-04", 26, 15),
  rowOf("CBA", "2024-05-24", 100, 100),
  rowOf("CBA", "2024-05-31", 101, 101),
];

/** The returns that there are. */
function returnsOf(table: Table<ReturnRow>): number[] {
  return table.toRows().flatMap((row) => row.return ?? []);
}

describe("returns", () => {
  it("are of the close to the close before, of one symbol", () => {
    const returns = simpleReturns(barsOfRows(rows));
    expect(returns.names).toEqual(["symbol", "date", "return"]);
    expect(returns.values("return")).toEqual([null, 0.25, -0.5, 26 / 25 - 1, null, 101 / 100 - 1]);
    expect(returns.row(1)).toEqual({ symbol: "BHP", date: "2024-05-27", return: 0.25 });
  });

  it("with dividends are of the adjusted close, and null beside one that is not there", () => {
    expect(totalReturns(barsOfRows(rows)).values("return")).toEqual([null, 0.5, null, null, null, 101 / 100 - 1]);
  });

  it("put together are the growth since the first bar", () => {
    expect(growthOf(barsOfRows(rows)).values("growth")).toEqual([1, 1.5, null, 0.75, 1, 1.01]);
  });

  it("are of weeks and months as of days", () => {
    expect(simpleReturns(toWeekly(barsOfRows(rows))).values("return")).toEqual([
      null,
      0.25,
      26 / 50 - 1,
      null,
      101 / 100 - 1,
    ]);
    expect(totalReturns(toMonthly(barsOfRows(rows))).values("return")).toEqual([null, -0.5, null]);
  });

  it("begin anew where another company took the code over, of days, weeks and months", () => {
    const listings = [
      { listing: 1, name: "ACME LIMITED", from: null, to: "2024-05-28" },
      { listing: 2, name: "BOTTLE LIMITED", from: "2024-05-29", to: null },
    ];
    const reused = [
      rowOf("ABC", "2024-05-24", 40, 40),
      rowOf("ABC", "2024-05-27", 20, 20),
      rowOf("ABC", "2024-05-30", 0.2, 0.2),
      rowOf("ABC", "2024-05-31", 0.3, 0.3),
      rowOf("BHP", "2024-05-28", 40, 40),
      rowOf("BHP", "2024-05-29", 44, 44),
    ];
    const coverage = new Coverage({ from: null, to: null, days: [], reusedCodes: [{ symbol: "ABC", listings }] });
    const bars = new Bars(barsOfRows(reused).columns, coverage);
    const [half, [more, tenth]] = [-0.5, [0.3 / 0.2 - 1, 44 / 40 - 1]];
    for (const from of [simpleReturns, totalReturns]) {
      expect(from(bars).values("return")).toEqual([null, half, null, more, null, tenth]);
      expect(from(bars.of("ABC").slice(1)).values("return")).toEqual([null, null, more]);
      expect(from(toWeekly(bars)).values("return")).toEqual([null, half, null, null]);
      expect(from(toMonthly(bars)).values("return")).toEqual([null, null, null]);
    }
    expect(growthOf(bars).values("growth")).toEqual([1, 0.5, 1, 0.3 / 0.2, 1, 1.1]);
    const periods = (of: Bars<"symbol" | "date" | "close">): unknown[] =>
      of.toRows().map(({ symbol, date, close }) => [symbol, date, close]);
    expect(periods(toWeekly(bars))).toEqual([
      ["ABC", "2024-05-24", 40],
      ["ABC", "2024-05-28", 20],
      ["ABC", "2024-05-31", 0.3],
      ["BHP", "2024-05-31", 44],
    ]);
    expect(periods(toMonthly(bars))).toEqual([
      ["ABC", "2024-05-28", 20],
      ["ABC", "2024-05-31", 0.3],
      ["BHP", "2024-05-31", 44],
    ]);
  });

  it("of nothing are none, and to a price of nothing null", () => {
    expect(simpleReturns(barsOfRows([])).toRows()).toEqual([]);
    const free = [rowOf("BHP", "2024-05-24", 0, 0), rowOf("BHP", "2024-05-27", 1, 2), rowOf("BHP", "2024-05-28", 1, 3)];
    expect(simpleReturns(barsOfRows(free)).values("return")).toEqual([null, null, 0]);
    expect(growthOf(barsOfRows(free)).values("growth")).toEqual([null, 1, 1.5]);
  });

  it("of any bars come to the same growth by day, by week and by month, in whatever order they stand", () => {
    const price = fc.double({ min: 0.001, max: 1000, noNaN: true });
    const market = fc.uniqueArray(fc.tuple(fc.constantFrom("AAA", "BBB"), fc.nat(400), price), {
      selector: ([symbol, day]) => `${symbol} ${day}`,
    });
    fc.assert(
      fc.property(market, (days) => {
        const bars = barsOfRows(
          days.map(([symbol, day, close]) => rowOf(symbol, addDays("2023-01-02", day), close, close / 2)),
        );
        for (const symbol of bars.symbols) {
          const one = bars.of(symbol);
          const growth = Number(growthOf(one).values("growth").at(-1));
          const product = returnsOf(totalReturns(one)).reduce((sofar, value) => sofar * (1 + value), 1);
          expect(product / growth).toBeCloseTo(1, 9);
          const byDay = returnsOf(totalReturns(bars)).length;
          expect(byDay).toBe(bars.length - bars.symbols.length);
          for (const periods of [toWeekly(one), toMonthly(one)]) {
            const [first = Number.NaN] = periods.adjusted_close;
            const byPeriod = returnsOf(totalReturns(periods)).reduce((sofar, value) => sofar * (1 + value), 1);
            expect((byPeriod * first) / (growth * (one.adjusted_close[0] ?? 0))).toBeCloseTo(1, 9);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});
