import type { Bars } from "asx-eod";
import { type Chart, COLOURS, titleOf } from "./chart.ts";

/** The columns that {@link candlestickChart} needs. */
export type CandlestickColumn = "symbol" | "date" | "open" | "high" | "low" | "close" | "volume";

/** What stands in the place of a candle, and of a volume, on a day without a bar: nothing, but its room. */
const NO_CANDLE = ["-", "-", "-", "-"];
const NO_VOLUME = "-";

/**
 * Candlesticks of one symbol with its volume below. Every trading day between the first bar and the last has its place: it
 * stays empty where the symbol has no bar, and the bars' coverage says whether the day is stored. Prices as traded, in AUD for shares as they are after the last split; dividends are not taken out.
 * @param bars of one symbol, in order of date, loaded with `adjust: "splits"`: `bars.of("BHP")`.
 */
export function candlestickChart(bars: Bars<CandlestickColumn>): Chart {
  const rowsOfDates = new Map(Array.from(bars.date, (_, row) => [bars.dateAt(row), row]));
  const dates = tradingDays(bars, [...rowsOfDates.keys()]);
  const rows = dates.map((date) => {
    const row = rowsOfDates.get(date);
    if (row === undefined) return { candle: NO_CANDLE, volume: NO_VOLUME };
    const [open = Number.NaN, close = Number.NaN, low = Number.NaN, high = Number.NaN] = [
      bars.open,
      bars.close,
      bars.low,
      bars.high,
    ].map((column) => roundedPrice(column[row] ?? Number.NaN));
    return { candle: [open, close, low, high], volume: bars.volume[row] ?? 0 };
  });
  const title = `${bars.symbols.join(", ") || "no bars"}, daily bars${dates.length > 0 ? `, ${dates[0]} to ${dates.at(-1)}` : ""}`;
  return {
    title,
    width: 960,
    height: 520,
    option: {
      title: titleOf(title, `Prices as traded, not adjusted for dividends${describeGaps(dates.length - bars.length)}`),
      grid: [
        { left: 72, right: 28, top: 86, height: 270 },
        { left: 72, right: 28, top: 400, height: 70 },
      ],
      xAxis: [
        { type: "category", data: dates, gridIndex: 0, axisLabel: { show: false }, axisTick: { show: false } },
        { type: "category", data: dates, gridIndex: 1, axisLabel: { hideOverlap: true } },
      ],
      yAxis: [
        { name: "AUD", scale: true, gridIndex: 0 },
        { name: "shares", gridIndex: 1, splitNumber: 2, axisLabel: { formatter: shortNumber } },
      ],
      series: [
        {
          type: "candlestick",
          name: "price",
          silent: true,
          barMaxWidth: 14,
          data: rows.map(({ candle }) => candle),
          // ECharts' own colours are China's, where red rises.
          itemStyle: {
            color: COLOURS.up,
            borderColor: COLOURS.up,
            color0: COLOURS.down,
            borderColor0: COLOURS.down,
          },
        },
        {
          type: "bar",
          name: "volume",
          silent: true,
          barMaxWidth: 14,
          xAxisIndex: 1,
          yAxisIndex: 1,
          itemStyle: { color: COLOURS.muted },
          data: rows.map(({ volume }) => volume),
        },
      ],
    },
  };
}

/** The dates of the bars, and between them every trading day that the coverage knows of, oldest first. */
function tradingDays({ coverage }: Bars<CandlestickColumn>, dates: readonly string[]): string[] {
  const [first = "", last = ""] = [dates[0], dates.at(-1)];
  const between = coverage.days.map(({ date }) => date).filter((date) => date > first && date < last);
  return [...new Set([...dates, ...between])].sort();
}

function describeGaps(gaps: number): string {
  if (gaps === 0) return "";
  return `; ${gaps} trading ${gaps === 1 ? "day has" : "days have"} no bar`;
}

/** A price with the noise of its arithmetic taken off: prices have three decimals, and more after a split. */
function roundedPrice(price: number): number {
  return Number(price.toPrecision(9));
}

function shortNumber(value: number): string {
  return new Intl.NumberFormat("en-AU", { notation: "compact" }).format(value);
}
