import * as z from "zod";
import { InvalidInputError } from "../domain/errors.ts";
import { parseInput } from "../domain/parse.ts";
import { toSymbol } from "../domain/symbol.ts";
import { quote } from "../domain/text.ts";
import { tradingDate } from "../domain/trading-date.ts";
import { ADJUSTMENTS, type Adjustment } from "./adjust-bars.ts";
import type { BarQuestion, OnBadFile } from "./bar-reader.ts";
import type { BarColumnName } from "./bars.ts";
import { BAR_COLUMN_NAMES } from "./bars-relation.ts";
import type { DateRange } from "./catalog.ts";

/** Which columns are loaded, and what happens with a file that cannot be read. */
export interface LoadOptions<Column extends BarColumnName = BarColumnName> {
  /** Besides `symbol` and `date`, which come always; every column unless given. */
  readonly columns?: readonly Column[] | undefined;
  /** `error` (unless given): a missing, damaged or foreign file ends in an error. `skip`: it is left out and told in the coverage. */
  readonly onBadFile?: OnBadFile | undefined;
  /**
   * `none` (unless given): prices as they are stored. `splits`, `all`: on the basis of the newest split, with `all` adjusted
   * for dividends too, by what is known of the whole store. Volumes are adjusted for splits, to whole shares, halves up;
   * `adjusted_close` is the close adjusted for both.
   */
  readonly adjust?: Adjustment | undefined;
}

/** Which bars of a range are loaded. */
export interface RangeOptions<Column extends BarColumnName = BarColumnName> extends LoadOptions<Column> {
  /** ASX codes; every symbol unless given. Of a code that several companies had, `ABC#2` is the second one's. */
  readonly symbols?: readonly string[] | undefined;
}

/**
 * A range of dates, both inclusive.
 * @throws InvalidInputError where a date does not exist, or the range is backward.
 */
export function checkedRange(from: string, to: string): { from: string; to: string } {
  const range = { from: parseInput(tradingDate, from, "date"), to: parseInput(tradingDate, to, "date") };
  if (from <= to) return range;
  throw new InvalidInputError(
    `the range begins on ${from} and ends on ${to}, before that; give the earlier date first`,
  );
}

/** The options of loads. Those from a notebook need not have the types they should. */
export const loadOptions = z.strictObject({
  symbols: z.array(z.string()).min(1, "name a symbol, or leave symbols out for all").optional(),
  columns: z.array(z.enum(BAR_COLUMN_NAMES)).optional(),
  onBadFile: z.enum(["error", "skip"]).optional(),
  adjust: z.enum(ADJUSTMENTS).optional(),
});

/** The options of a look at corporate actions. */
export const actionsOptions = z.strictObject({
  symbols: loadOptions.shape.symbols,
  from: tradingDate.optional(),
  to: tradingDate.optional(),
  all: z.boolean().optional(),
});

/** The options of a look at changes of listings. */
export const changeOptions = loadOptions
  .pick({ symbols: true })
  .extend({ from: tradingDate.optional(), to: tradingDate.optional() });

/** What a load asks for. @throws InvalidInputError for an option that cannot be. */
export function questionOf(range: DateRange, options: RangeOptions): BarQuestion {
  const { symbols, columns, onBadFile } = parseInput(loadOptions, options, "options");
  return {
    range,
    symbols: symbols?.map(checkedSymbol),
    columns: columns ?? BAR_COLUMN_NAMES,
    onBadFile: onBadFile ?? "error",
  };
}

/** An ASX code in either case. @throws InvalidInputError for a text that is none. */
export function checkedSymbol(text: string): string {
  const symbol = toSymbol(text);
  if (symbol !== undefined) return symbol;
  throw new InvalidInputError(`${quote(text, 40)} is no ASX code: give 3 to 6 letters and digits, such as BHP`);
}
