import type { Bars } from "asx-eod";
import { type Chart, COLOURS, titleOf } from "./chart.ts";

/** The columns that {@link equalWeightIndex} needs. */
export type IndexColumn = "symbol" | "date" | "adjusted_close";

/** One day of an index. */
export interface IndexDay {
  /** `YYYY-MM-DD`, the trading date in Sydney. */
  readonly date: string;
  /** 100 on the first day. */
  readonly level: number;
  /** How many symbols' returns the day's return is the mean of; 0 on the first day. */
  readonly symbols: number;
}

/**
 * An index that holds every symbol at the same weight and is balanced anew each day: the mean of the symbols' returns of
 * that day, compounded from 100.
 *
 * Returns are those of adjusted closes, so dividends are reinvested and splits are no gains. A symbol without a bar on a
 * day is not in that day's mean; what happened meanwhile is in its return on the day it trades again. A new symbol counts
 * from its second bar. Where the store lacks a whole day, the next day's return spans both.
 * @param bars on one basis: loaded with `adjust`.
 */
export function equalWeightIndex(bars: Bars<IndexColumn>): IndexDay[] {
  const days = new Map<number, { sum: number; symbols: number }>();
  for (const date of new Set(bars.date)) days.set(date, { sum: 0, symbols: 0 });
  for (const symbol of bars.symbols) {
    const own = bars.of(symbol);
    let before = Number.NaN;
    for (let row = 0; row < own.length; row += 1) {
      const price = own.adjusted_close[row] ?? Number.NaN;
      if (!(price > 0)) continue; // the provider gave no adjusted close
      const day = days.get(own.date[row] ?? Number.NaN);
      if (day !== undefined && before > 0) {
        day.sum += price / before - 1;
        day.symbols += 1;
      }
      before = price;
    }
  }
  let level = 100;
  return [...days]
    .sort(([one], [other]) => one - other)
    .map(([epochDays, { sum, symbols }]) => {
      if (symbols > 0) level *= 1 + sum / symbols;
      return { date: dateText(epochDays), level, symbols };
    });
}

/** The index as a line, and below it how many symbols each day's return is the mean of. */
export function indexChart(days: readonly IndexDay[]): Chart {
  const dates = days.map(({ date }) => date);
  const last = days.at(-1);
  const title = `Equal-weight index${last === undefined ? "" : `, ${dates[0]} to ${last.date}`}`;
  return {
    title,
    width: 960,
    height: 480,
    option: {
      title: titleOf(
        title,
        `Mean daily return with dividends, first day = 100, last day = ${last?.level.toFixed(2) ?? "-"}`,
      ),
      grid: [
        { left: 72, right: 28, top: 86, height: 240 },
        { left: 72, right: 28, top: 370, height: 60 },
      ],
      xAxis: [
        {
          ...{ type: "category", data: dates, gridIndex: 0, boundaryGap: true },
          ...{ axisLabel: { show: false }, axisTick: { show: false }, axisLine: { onZero: false } },
        },
        { type: "category", data: dates, gridIndex: 1, axisLabel: { hideOverlap: true } },
      ],
      yAxis: [
        { name: "index", scale: true, gridIndex: 0 },
        { name: "symbols", gridIndex: 1, splitNumber: 2, minInterval: 1 },
      ],
      series: [
        {
          type: "line",
          name: "index",
          silent: true,
          data: days.map(({ level }) => level),
          showSymbol: days.length === 1,
          lineStyle: { color: COLOURS.line, width: 2 },
          itemStyle: { color: COLOURS.line },
        },
        {
          type: "bar",
          name: "symbols",
          silent: true,
          xAxisIndex: 1,
          yAxisIndex: 1,
          itemStyle: { color: COLOURS.muted },
          data: days.map(({ symbols }) => symbols),
        },
      ],
    },
  };
}

function dateText(epochDays: number): string {
  return new Date(epochDays * 86_400_000).toISOString().slice(0, 10);
}
