import { describe, expect, it } from "vitest";
import { adjustBars } from "../../aggregator/adjust-bars.ts";
import { type BarRow, Bars } from "../../aggregator/bars.ts";
import { adjustmentFactors } from "../../domain/adjustment.ts";
import { BAR_COLUMNS } from "../../domain/bar-columns.ts";
import { observeActions } from "../../domain/corporate-action.ts";
import { createTradingCalendar } from "../../domain/trading-calendar.ts";
import { addDays } from "../../domain/trading-date.ts";
import { candlestickChart } from "../../examples/charts/candlestick.ts";
import { equalWeightIndex } from "../../examples/charts/equal-weight-index.ts";
import { createSyntheticMarket } from "../../sandbox/synthetic-market.ts";
import { barsOfRows } from "../support/bars-of-rows.ts";

/** A bar fetched long after all that happened, unless a test says otherwise. */
function row(symbol: string, date: string, close: number, values: Partial<BarRow> = {}): BarRow {
  return {
    ...{ symbol, date, open: close, high: close, low: close, close, adjusted_close: close, volume: 100 },
    ...{ dividend: null, split_ratio: null, batch_number: 0, fetch_timestamp: new Date("2024-12-31T00:00:00Z") },
    ...values,
  };
}

/** When the daily run of a date fetches. */
function evening(date: string): Date {
  return new Date(`${date}T09:30:00Z`);
}

/** Bars of rows, on one basis as a load with `adjust` gives them. */
function onOneBasis(rows: readonly BarRow[]): Bars {
  const bars = barsOfRows(rows);
  const actions = observeActions(
    [],
    rows.map(({ symbol, date, fetch_timestamp, dividend, split_ratio }) => ({
      ...{ symbol, span: { from: date, to: date }, answeredAt: fetch_timestamp.getTime() },
      dividends: new Map(dividend === null ? [] : [[date, dividend]]),
      splits: new Map(split_ratio === null ? [] : [[date, split_ratio]]),
    })),
  );
  const closes = actions.flatMap(({ symbol, exDate }) => {
    const before = rows.findLast((other) => other.symbol === symbol && other.date < exDate);
    if (before === undefined) return [];
    const { date, close, fetch_timestamp } = before;
    return [{ symbol, exDate, date, close, fetchedAt: fetch_timestamp.getTime() }];
  });
  const names = BAR_COLUMNS.map(({ name }) => name);
  return new Bars(adjustBars(bars.columns, "splits", names, adjustmentFactors(actions, closes)), bars.coverage);
}

function levels(rows: readonly BarRow[]): [string, number, number][] {
  return levelsOf(barsOfRows(rows));
}

function levelsOf(bars: Bars): [string, number, number][] {
  return equalWeightIndex(bars).map(({ date, level, symbols }) => [date, Number(level.toFixed(9)), symbols]);
}

describe("the equal-weight index", () => {
  it("compounds the mean of the symbols' returns from 100", () => {
    const rows = [
      row("AAA", "2024-05-29", 10),
      row("AAA", "2024-05-30", 11),
      row("AAA", "2024-05-31", 11),
      row("BBB", "2024-05-29", 2),
      row("BBB", "2024-05-30", 2),
      row("BBB", "2024-05-31", 1),
    ];
    expect(levels(rows)).toEqual([
      ["2024-05-29", 100, 0],
      ["2024-05-30", 105, 2],
      ["2024-05-31", 78.75, 2],
    ]);
  });

  it("counts what happened while a symbol had no bar on the day it trades again, and a new one from its second bar", () => {
    const rows = [
      row("AAA", "2024-05-28", 10),
      row("AAA", "2024-05-29", 10),
      row("AAA", "2024-05-30", 10),
      row("BBB", "2024-05-28", 10),
      row("BBB", "2024-05-30", 12),
      row("NEW", "2024-05-29", 7),
      row("NEW", "2024-05-30", 7.7),
    ];
    expect(levels(rows)).toEqual([
      ["2024-05-28", 100, 0],
      ["2024-05-29", 100, 1],
      ["2024-05-30", 110, 3],
    ]);
  });

  it("leaves out a bar without an adjusted close, and a day on which every bar is such", () => {
    const rows = [
      row("AAA", "2024-05-29", 10),
      row("AAA", "2024-05-30", 50, { adjusted_close: null }),
      row("AAA", "2024-05-31", 11),
    ];
    expect(levels(rows)).toEqual([
      ["2024-05-29", 100, 0],
      ["2024-05-30", 100, 0],
      ["2024-05-31", 110, 1],
    ]);
  });

  it("is nothing without bars", () => {
    expect(levels([])).toEqual([]);
  });
});

describe("bars that were fetched day by day", () => {
  const split = [
    row("AAA", "2024-05-29", 50, { volume: 100, fetch_timestamp: evening("2024-05-29") }),
    row("AAA", "2024-05-30", 10, { volume: 500, split_ratio: 5, fetch_timestamp: evening("2024-05-30") }),
    row("AAA", "2024-05-31", 11, { volume: 500, fetch_timestamp: evening("2024-05-31") }),
  ];

  it("lose nothing by a split", () => {
    expect(levelsOf(onOneBasis(split)).map(([, level]) => level)).toEqual([100, 100, 110]);
  });

  it("make candles and volumes of one basis", () => {
    const { series } = candlestickChart(onOneBasis(split)).option;
    expect(series).toMatchObject([
      {
        data: [
          [10, 10, 10, 10],
          [10, 10, 10, 10],
          [11, 11, 11, 11],
        ],
      },
      { data: [500, 500, 500] },
    ]);
  });

  it("gain a dividend on its ex-date", () => {
    const rows = [
      row("AAA", "2024-05-30", 10, { fetch_timestamp: evening("2024-05-30") }),
      row("AAA", "2024-05-31", 9, { dividend: 1, fetch_timestamp: evening("2024-05-31") }),
    ];
    expect(levelsOf(onOneBasis(rows)).at(-1)).toEqual(["2024-05-31", 100, 1]);
  });

  it("stay as they are where they were fetched after all that happened, but for the dividend", () => {
    const bars = onOneBasis([
      row("AAA", "2024-05-30", 10),
      row("AAA", "2024-05-31", 9, { dividend: 1, split_ratio: 5 }),
    ]);
    expect([...bars.close, ...bars.volume, ...bars.adjusted_close]).toEqual([10, 9, 100, 100, 9, 9]);
  });

  it("give the same index as the same bars fetched at once, with dividends and splits of a made-up market", () => {
    const from = "2023-12-01";
    const last = "2024-05-31";
    const symbols = ["ARQ", "BHP", "CBA", "CSL", "ERX", "HTM", "NAB", "WBC"]; // two splits and a consolidation
    let now = Date.parse(`${from}T00:00:00Z`);
    const market = createSyntheticMarket({ seed: 1, now: () => now });
    const dates = createTradingCalendar().tradingDays(from, last);
    const daily = new Map<string, BarRow>();
    const fetch = (rows: Map<string, BarRow>, first: string, until: string): void => {
      for (const symbol of symbols)
        for (const bar of fetched(market.history(symbol, first, until), symbol, now))
          rows.set(`${symbol} ${bar.date}`, bar);
    };
    for (const [index, date] of dates.entries()) {
      now = evening(date).getTime();
      fetch(daily, date, date);
      now = Date.parse(`${addDays(date, 1)}T07:00:00+11:00`); // the catch-up takes the last five sessions again
      fetch(daily, dates[Math.max(0, index - 4)] ?? date, date);
    }
    const atOnce = new Map<string, BarRow>();
    fetch(atOnce, from, last);

    const splits = [...atOnce.values()].filter(({ split_ratio }) => split_ratio !== null);
    const dividends = [...atOnce.values()].filter(({ dividend }) => dividend !== null);
    expect([splits.length, dividends.length]).toEqual([3, 5]);
    const [one, other] = [daily, atOnce].map((rows) =>
      levelsOf(onOneBasis([...rows.keys()].sort().flatMap((key) => rows.get(key) ?? []))),
    );
    expect(one?.map(([date, , count]) => [date, count])).toEqual(other?.map(([date, , count]) => [date, count]));
    for (const [index, [, level]] of (one ?? []).entries())
      expect(level).toBeCloseTo(other?.[index]?.[1] ?? Number.NaN, 2);
  });
});

/** What a provider shows now, as stored rows. */
function fetched(
  history: ReturnType<ReturnType<typeof createSyntheticMarket>["history"]>,
  symbol: string,
  now: number,
): BarRow[] {
  return (history?.sessions ?? []).flatMap(({ date, bar }) => {
    if (bar === null) return [];
    const { adjustedClose, ...prices } = bar;
    const split = history?.splits.find((one) => one.date === date);
    return row(symbol, date, bar.close, {
      ...prices,
      adjusted_close: adjustedClose,
      dividend: history?.dividends.find((one) => one.date === date)?.amount ?? null,
      split_ratio: split === undefined ? null : split.numerator / split.denominator,
      fetch_timestamp: new Date(now),
    });
  });
}
