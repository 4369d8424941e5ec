import type { Bars } from "./bars.ts";
import { companyEnds } from "./company-ends.ts";
import { numbersOf } from "./period-columns.ts";
import { rowsInOrder } from "./rows-in-order.ts";
import { Table } from "./table.ts";

/** A return as a row. */
export type ReturnRow = {
  symbol: string;
  /** `YYYY-MM-DD`: the date of the bar. */
  date: string;
  /** As a fraction: 0.01 is one per cent. Null for a company's first bar, and where one of the two prices is null or 0. */
  return: number | null;
};

/** What an investment has become, as a row. */
export type GrowthRow = {
  symbol: string;
  /** `YYYY-MM-DD`: the date of the bar. */
  date: string;
  /** How many times what was put in at the company's first bar. Null where the price is. */
  growth: number | null;
};

/**
 * The return of every bar by price alone: `close / previous close - 1`, the previous close being that of the symbol's bar
 * before, however long before. Of daily, weekly or monthly bars, in order of symbol and date; no row is lacking, so that
 * row i is that of bar i. Where another company took the symbol over (`coverage.reusedCodes`), its first bar has no return.
 *
 * The bars have to be on one basis, that is loaded with `adjust: "splits"`: else a split counts as a loss or a gain.
 * @throws InvalidInputError where `symbol`, `date` or `close` is lacking.
 */
export function simpleReturns(bars: Bars<"symbol" | "date" | "close">): Table<ReturnRow> {
  const ordered = rowsInOrder(bars);
  return returnsOf(ordered, ordered.close);
}

/**
 * The return of every bar with dividends: `adjusted_close / previous adjusted_close - 1`. Of bars loaded with
 * `adjust: "splits"` or `"all"`, whose `adjusted_close` is on one basis, that is the return of who reinvests each dividend
 * on its ex-date at the close before it less the dividend: on it, `close / (previous close - dividend) - 1`. A bar without an
 * `adjusted_close` has none, nor has the one after it. Otherwise as {@link simpleReturns}.
 * @throws InvalidInputError where `symbol`, `date` or `adjusted_close` is lacking.
 */
export function totalReturns(bars: Bars<"symbol" | "date" | "adjusted_close">): Table<ReturnRow> {
  const ordered = rowsInOrder(bars);
  return returnsOf(ordered, ordered.adjusted_close);
}

/**
 * What one dollar has become that was put in at a symbol's first bar, dividends reinvested:
 * `adjusted_close / first adjusted_close`, 1 at the first bar that has one. It is the product of `1 + return` of
 * {@link totalReturns} from there on. Where another company took the symbol over, it begins anew at 1.
 * @throws InvalidInputError where `symbol`, `date` or `adjusted_close` is lacking.
 */
export function growthOf(bars: Bars<"symbol" | "date" | "adjusted_close">): Table<GrowthRow> {
  const ordered = rowsInOrder(bars);
  const { adjusted_close: prices } = ordered;
  const isFirst = firstBars(ordered);
  const growth = new Float64Array(prices.length);
  let first = Number.NaN;
  for (let row = 0; row < prices.length; row++) {
    const price = prices[row] ?? Number.NaN;
    if (isFirst[row] === 1) first = Number.NaN;
    if (Number.isNaN(first) && price !== 0) first = price;
    growth[row] = price / first;
  }
  return besideDates<GrowthRow>(ordered, "growth", growth);
}

function returnsOf(bars: Bars<"symbol" | "date">, prices: Float64Array): Table<ReturnRow> {
  const isFirst = firstBars(bars);
  const returns = new Float64Array(prices.length).fill(Number.NaN);
  for (let row = 1; row < prices.length; row++) {
    const previous = prices[row - 1] ?? Number.NaN;
    if (isFirst[row] === 1 || previous === 0) continue;
    returns[row] = (prices[row] ?? Number.NaN) / previous - 1;
  }
  return besideDates<ReturnRow>(bars, "return", returns);
}

/** 1 for every row that is the first of its symbol, or of a company that took the symbol over. */
function firstBars(bars: Bars<"symbol" | "date">): Uint8Array {
  const { symbolCodes: codes, date: days } = bars;
  const endOf = companyEnds(bars);
  const isFirst = new Uint8Array(days.length);
  let end = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < days.length; row++) {
    const [code = -1, day = 0] = [codes[row], days[row]];
    if (row > 0 && code === codes[row - 1] && day < end) continue;
    end = endOf(code, day);
    isFirst[row] = 1;
  }
  return isFirst;
}

function besideDates<Row extends object>(
  bars: Bars<"symbol" | "date">,
  name: string,
  values: Float64Array,
): Table<Row> {
  return new Table<Row>(
    new Map([
      ["symbol", bars.column("symbol")],
      ["date", bars.column("date")],
      [name, numbersOf(values)],
    ]),
  );
}
