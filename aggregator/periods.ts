import { InvalidInputError } from "../domain/errors.ts";
import { createTradingCalendar } from "../domain/trading-calendar.ts";
import { fromEpochDays, toEpochDays } from "../domain/trading-date.ts";
import type { BarColumnName, Bars } from "./bars.ts";
import type { Column } from "./column.ts";
import { companyEnds } from "./company-ends.ts";
import type { Coverage } from "./coverage.ts";
import { PeriodBars, type PeriodColumnName } from "./period-bars.ts";
import { firstValues, foldedValues, lastValues, type MakePeriods, rowCounts } from "./period-columns.ts";
import { lastDays, monthEnd, type PeriodEnd, weekEnd } from "./period-ends.ts";
import { rowsInOrder } from "./rows-in-order.ts";

/**
 * The bars of weeks, one a symbol and week in which it traded, in order of symbol and date. A week is Monday to Friday in
 * Sydney; one over a year's end is one week.
 *
 * `date` is the week's last trading day: Thursday before Good Friday, and the same for a symbol that did not trade on it.
 * Of a week that is not over in the loaded range, or by now, it is the last trading day of it that the range covers; of
 * one that began before the range, its bar has the days of the range alone. Where another company took the symbol over
 * within the week (`coverage.reusedCodes`), each has a bar, and the former's is of the last trading day before. `open` is the first bar's, `close` and
 * `adjusted_close` the last one's, `high` and `low` the extremes, `volume` and `dividend` sums (a dividend null where
 * there was none), `split_ratio` the product (null where there was none), `sessions` the bars in it. What the bars lack
 * is left out.
 *
 * The bars are taken as they are: load them with `adjust: "splits"` or `adjust: "all"`, or a split within a week makes
 * its high and low those of two sizes of share.
 * @throws InvalidInputError where `symbol` or `date` is lacking, and for bars of weeks or months.
 */
export function toWeekly<Name extends BarColumnName>(bars: Bars<Name>): PeriodBars<Name & PeriodColumnName> {
  return toPeriods(bars, weekEnd);
}

/**
 * The bars of calendar months, one a symbol and month in which it traded: as {@link toWeekly} has it of weeks.
 * @throws InvalidInputError where `symbol` or `date` is lacking, and for bars of weeks or months.
 */
export function toMonthly<Name extends BarColumnName>(bars: Bars<Name>): PeriodBars<Name & PeriodColumnName> {
  return toPeriods(bars, monthEnd);
}

const sum = (one: number, other: number): number => one + other;
const product = (one: number, other: number): number => one * other;
const higher = (one: number, other: number): number => (one > other ? one : other);
const lower = (one: number, other: number): number => (one < other ? one : other);

/** How a column of daily bars becomes one of periods. */
const MADE = [
  ["open", firstValues],
  ["high", foldedValues(higher)],
  ["low", foldedValues(lower)],
  ["close", lastValues],
  ["adjusted_close", lastValues],
  ["volume", foldedValues(sum)],
  ["dividend", foldedValues(sum)],
  ["split_ratio", foldedValues(product)],
] as const satisfies readonly (readonly [PeriodColumnName, MakePeriods])[];

function toPeriods<Name extends BarColumnName>(
  given: Bars<Name>,
  periodEnd: PeriodEnd,
): PeriodBars<Name & PeriodColumnName> {
  if (given.columns.has("sessions")) {
    throw new InvalidInputError("these are bars of weeks or months already; give the daily bars that they are made of");
  }
  const bars = rowsInOrder(given);
  const { symbolCodes, symbolDictionary: dictionary, date: days, length } = bars;
  const { firstRows, ends } = periodsOf(bars, periodEnd);
  const tradingDays = tradingDaysOf(bars.coverage, days);
  const lastTradingDays = lastDays(tradingDays, periodEnd);
  ends.forEach((end, period) => {
    const lastBar = days[(firstRows[period + 1] ?? length) - 1] ?? 0;
    const lastDay = lastTradingDays.get(end) ?? lastDayBefore(end, tradingDays);
    lastTradingDays.set(end, Math.max(lastBar, lastDay));
  });
  const made = MADE.flatMap(([name, make]): [string, Column][] => {
    const column = bars.columns.get(name);
    return column?.kind === "number" ? [[name, make(column.values, firstRows)]] : [];
  });
  const columns = new Map<string, Column>([
    ["symbol", { kind: "text", codes: firstRows.map((row) => symbolCodes[row] ?? -1), dictionary }],
    ["date", { kind: "date", values: ends.map((end) => lastTradingDays.get(end) ?? 0) }],
    ...made,
    ["sessions", rowCounts(firstRows, length)],
  ]);
  return new PeriodBars<Name & PeriodColumnName>(columns, bars.coverage);
}

/** The first row and the end of every company's every period; its last one ends where the next company took the symbol over. */
function periodsOf<Name extends BarColumnName>(
  bars: Bars<Name>,
  periodEnd: PeriodEnd,
): { firstRows: Int32Array; ends: Int32Array } {
  const { symbolCodes: codes, date: days } = bars;
  const companyEnd = companyEnds(bars);
  const firstRows = new Int32Array(days.length);
  const ends = new Int32Array(days.length);
  let count = 0;
  let end = 0;
  for (let row = 0; row < days.length; row++) {
    const [code = -1, day = 0] = [codes[row], days[row]];
    if (row > 0 && day < end && code === codes[row - 1]) continue;
    end = Math.min(periodEnd(day), companyEnd(code, day));
    firstRows[count] = row;
    ends[count] = end;
    count += 1;
  }
  return { firstRows: firstRows.slice(0, count), ends: ends.slice(0, count) };
}

function lastDayBefore(end: number, tradingDays: readonly string[]): number {
  const last = tradingDays.findLast((date) => toEpochDays(date) < end);
  return last === undefined ? Number.NEGATIVE_INFINITY : toEpochDays(last);
}

/** The trading days of the range. Bars of no known range cover the days from the first to the last. */
function tradingDaysOf({ from, days: covered }: Coverage, days: Int32Array): string[] {
  if (from !== null) return covered.map(({ date }) => date);
  if (days.length === 0) return [];
  const first = days.reduce((one, other) => Math.min(one, other));
  const last = days.reduce((one, other) => Math.max(one, other));
  return createTradingCalendar().tradingDays(fromEpochDays(first), fromEpochDays(last));
}
