/** Faults in the rows of a chart: the answer is of the right form, its prices are not what they should be. */
import { addDays } from "../../domain/trading-date.ts";
import {
  BEYOND_ALL_NUMBERS,
  type ChartRow,
  dateOf,
  type FilledRow,
  inChart,
  inLastRow,
  inOneRow,
  isFilled,
  rowsBefore,
  stampAt,
} from "./chart-body.ts";
import { faultsOf, pick } from "./fault.ts";

/** When the last trade of a whole session was: in the closing auction. */
const LAST_TRADE = "16:10:07";
const PRICES = ["open", "high", "low", "close"] as const;
const NO_PRICES = { open: null, high: null, low: null, close: null, adjclose: null };

export const CHART_ROW_FAULTS = faultsOf("chart", {
  "live-row": {
    description: "the last row is stamped with its last trade, 16:10:07, instead of the opening; its values are right",
    catalogue: ["Y15"],
    effect: "transient",
    make: inLastRow((row) => [{ ...row, stamp: stampAt(row, LAST_TRADE) }]),
  },
  "live-partial": {
    description: "the last row is that of an unfinished session: stamped 14:32:16, a part of its range and volume",
    catalogue: ["Y15", "E07"],
    effect: "detectable",
    make: inLastRow((row) => [unfinished(row)]),
  },
  "live-beside-session": {
    description: "a live row of slightly more volume follows the row of its session",
    catalogue: ["Y16"],
    effect: "harmless",
    make: inLastRow((row) => [
      row,
      { ...row, stamp: stampAt(row, LAST_TRADE), volume: Math.ceil(row.volume * 1.001) + 1 },
    ]),
  },
  "duplicated-row": {
    description: "the last row stands there twice",
    catalogue: ["Y16"],
    effect: "harmless",
    make: inLastRow((row) => [row, row]),
  },
  "null-row": {
    description: "everything of a row that has prices is null",
    catalogue: ["Y12", "D06"],
    effect: "silent",
    make: inOneRow(() => ({ ...NO_PRICES, volume: null })),
  },
  "null-prices": {
    description: "the prices of a row are null while its volume is there",
    catalogue: ["Y13"],
    effect: "detectable",
    make: inOneRow(({ volume }) => ({ ...NO_PRICES, volume: Math.max(1, volume) })),
  },
  "null-close": {
    description: "the close of a row is null while the rest is there",
    catalogue: ["Y13"],
    effect: "detectable",
    make: inOneRow(() => ({ close: null, adjclose: null })),
  },
  "row-after-end": {
    description: "a live row of the day after follows, beyond the period asked for",
    catalogue: ["Y17", "D07"],
    effect: "harmless",
    make: inLastRow((row) => [row, { ...unfinished(row), stamp: stampAt(row, "11:05:33", addDays(dateOf(row), 1)) }]),
  },
  "missing-row": {
    description: "the row of a date is missing while another date's is there",
    catalogue: ["Y14"],
    effect: "silent",
    make: inChart((chart, context) => {
      const { rows } = chart;
      const missing = Math.floor(context.chance(0) * rows.length);
      const left = rows.toSpliced(missing, 1);
      const others = left.length > 0 ? left : rowsBefore(chart, context).slice(-1);
      return others.length === 0 ? undefined : { ...chart, rows: others };
    }),
  },
  "day-early": {
    description: "every row is stamped at the opening of the day before its own",
    catalogue: ["Y18"],
    effect: "silent",
    make: inChart((chart) => ({
      ...chart,
      rows: chart.rows.map((row) => ({ ...row, stamp: stampAt(row, "10:00", addDays(dateOf(row), -1)) })),
    })),
  },
  hundredfold: {
    description: "all prices of a row are a hundred times what they were",
    catalogue: ["Y22", "D04"],
    effect: "silent",
    make: inOneRow((row) => scaled(row, 100)),
  },
  hundredth: {
    description: "all prices of a row are a hundredth of what they were",
    catalogue: ["Y22", "D04"],
    effect: "silent",
    make: inOneRow((row) => scaled(row, 1 / 100)),
  },
  frozen: {
    description: "every row has the values of the one before it",
    catalogue: ["Y24", "D05"],
    effect: "silent",
    make: inChart((chart, context) => {
      const [first, second] = chart.rows;
      let last = rowsBefore(chart, context).findLast(isFilled) ?? (second === undefined ? undefined : first);
      if (last === undefined) return undefined;
      const rows: ChartRow[] = [];
      for (const row of chart.rows) {
        rows.push({ ...last, stamp: row.stamp });
        last = row;
      }
      return { ...chart, rows };
    }),
  },
  halted: {
    description: "a row is flat at its close and has no volume, as of a halt",
    catalogue: ["Y25"],
    effect: "silent",
    make: inOneRow(({ close }) => ({ open: close, high: close, low: close, volume: 0 })),
  },
  revised: {
    description: "close and volume of a row are slightly others than they were",
    catalogue: ["D09"],
    effect: "silent",
    make: inOneRow(({ high, low, close, volume }) => {
      const moved = Math.fround(close === low ? (close + high) / 2 : (close + low) / 2);
      return { close: moved, adjclose: moved, volume: Math.ceil(volume * 1.01) + 1 };
    }),
  },
  "sudden-split": {
    description: "a split 4:1 on the date of a row, out of nowhere, and prices as if there were none",
    catalogue: ["Y23"],
    effect: "silent",
    make: inChart((chart, { chance }) => {
      const stamp = chart.rows[Math.floor(chance(0) * chart.rows.length)]?.stamp;
      if (stamp === undefined) return undefined;
      const split = { date: stamp, numerator: 4, denominator: 1, splitRatio: "4:1" };
      return { ...chart, events: { ...chart.events, splits: { [String(stamp)]: split } } };
    }),
  },
  "text-prices": {
    description: "the prices of a row are texts",
    catalogue: ["Y32"],
    effect: "detectable",
    make: inOneRow(({ open, high, low, close }) => ({
      open: String(open),
      high: String(high),
      low: String(low),
      close: String(close),
    })),
  },
  "infinite-price": {
    description: "a price of a row is 1e400, which becomes infinite",
    catalogue: ["Y32"],
    effect: "detectable",
    make: inOneRow((_, { chance }) => ({ [pick(PRICES, chance(1))]: BEYOND_ALL_NUMBERS })),
  },
  "negative-price": {
    description: "a price of a row is negative",
    catalogue: ["Y32", "D03"],
    effect: "detectable",
    make: inOneRow((row, { chance }) => {
      const field = pick(PRICES, chance(1));
      return { [field]: -row[field] };
    }),
  },
  "zero-price": {
    description: "all prices of a row are 0",
    catalogue: ["D03"],
    effect: "detectable",
    make: inOneRow((row) => scaled(row, 0)),
  },
  "fractional-volume": {
    description: "the volume of a row is no whole number",
    catalogue: ["D08"],
    effect: "detectable",
    make: inOneRow(({ volume }) => ({ volume: volume + 0.5 })),
  },
  "negative-volume": {
    description: "the volume of a row is negative",
    catalogue: ["D08"],
    effect: "detectable",
    make: inOneRow(({ volume }) => ({ volume: -volume - 1 })),
  },
  "high-below-low": {
    description: "high and low of a row have changed places",
    catalogue: ["D01"],
    effect: "detectable",
    make: inOneRow(({ high, low }) => ({ high: low, low: high === low ? Math.fround(high * 1.1) : high })),
  },
  "close-outside": {
    description: "the close of a row is above its high",
    catalogue: ["D02"],
    effect: "detectable",
    make: inOneRow(({ high }) => ({ close: Math.fround(high * 1.1) })),
  },
});

/** A session as it stood at 14:32:16: it has not had all of its range, nor all of its volume, nor its close. */
function unfinished(row: FilledRow): ChartRow {
  const lastTrade = Math.fround((row.high + row.low) / 2);
  return {
    stamp: stampAt(row, "14:32:16"),
    open: row.open,
    high: Math.max(row.open, lastTrade),
    low: Math.min(row.open, lastTrade),
    close: lastTrade,
    adjclose: lastTrade,
    volume: Math.floor(row.volume * 0.6),
  };
}

function scaled(row: FilledRow, factor: number): Partial<ChartRow> {
  return {
    open: Math.fround(row.open * factor),
    high: Math.fround(row.high * factor),
    low: Math.fround(row.low * factor),
    close: Math.fround(row.close * factor),
    adjclose: Math.fround(row.adjclose * factor),
  };
}
