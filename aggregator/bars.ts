import { BAR_COLUMNS, type ColumnType } from "../domain/bar-columns.ts";
import { InvalidInputError } from "../domain/errors.ts";
import { toSymbol } from "../domain/symbol.ts";
import { quote } from "../domain/text.ts";
import { fromEpochDays } from "../domain/trading-date.ts";
import { type Column, type Columns, takeRows } from "./column.ts";
import type { Coverage } from "./coverage.ts";
import { type SymbolRows, symbolRows } from "./symbol-rows.ts";
import { checkedCount, slicedColumns, Table } from "./table.ts";
import type { InspectOptions } from "./table-text.ts";

/** One bar as a row: prices in AUD; `domain/bar-columns.ts` says what each column holds. */
export type BarRow = {
  symbol: string;
  /** `YYYY-MM-DD`, the trading date in Sydney. */
  date: string;
  open: number;
  high: number;
  low: number;
  close: number;
  adjusted_close: number | null;
  volume: number;
  dividend: number | null;
  split_ratio: number | null;
  fetch_timestamp: Date;
  batch_number: number | null;
};

/** The stored name of a column of bars. */
export type BarColumnName = keyof BarRow;

const KINDS: Readonly<Record<ColumnType, Column["kind"]>> = {
  UTF8: "text",
  DATE: "date",
  DOUBLE: "number",
  INT64: "number",
  INT32: "number",
  TIMESTAMP_MILLIS: "instant",
};

type ColumnOf<Kind extends Column["kind"]> = Extract<Column, { kind: Kind }>;

/**
 * Daily bars by column, sorted by symbol and then date. Getters have the stored names and give the column's own memory:
 * do not write to it. Of a column that was not loaded they throw an InvalidInputError.
 *
 * `Name` are the columns that were loaded: what a row has.
 */
export class Bars<Name extends BarColumnName = BarColumnName> extends Table<Pick<BarRow, Name>> {
  /** Which days these bars come from, and what is lacking. Of a part of loaded bars, that of the whole. */
  readonly coverage: Coverage;
  #symbolTexts: readonly string[] | undefined;
  #symbolRows: SymbolRows | undefined;

  /** @throws InvalidInputError where a bar column is of another kind, or lengths differ. */
  constructor(columns: Columns, coverage: Coverage) {
    super(columns);
    this.coverage = coverage;
    for (const { name, type } of BAR_COLUMNS) {
      const kind = columns.get(name)?.kind;
      if (kind === undefined || kind === KINDS[type]) continue;
      throw new InvalidInputError(`column ${name} of bars has to be of kind ${KINDS[type]}, not ${kind}`);
    }
  }

  /** The symbol of every row. */
  get symbol(): readonly string[] {
    if (this.#symbolTexts === undefined) {
      const { codes, dictionary } = this.#loaded("symbol", "text");
      this.#symbolTexts = Array.from(codes, (code) => dictionary[code] ?? "");
    }
    return this.#symbolTexts;
  }

  /** The symbol of every row, as its position in {@link symbolDictionary}. */
  get symbolCodes(): Int32Array {
    return this.#loaded("symbol", "text").codes;
  }

  /** The texts of {@link symbolCodes}. It may hold symbols that no row has; {@link symbols} are those that have one. */
  get symbolDictionary(): readonly string[] {
    return this.#loaded("symbol", "text").dictionary;
  }

  /** The symbols that have a bar, in the order of the rows. */
  get symbols(): string[] {
    return [...this.#rowsOfSymbols().keys()];
  }

  /** Trading dates, as days since 1970-01-01; {@link dateAt} gives one as text. */
  get date(): Int32Array {
    return this.#loaded("date", "date").values;
  }

  /** The trading date of a row, `YYYY-MM-DD`. @throws InvalidInputError where the row does not exist. */
  dateAt(row: number): string {
    const days = this.date[row];
    if (days !== undefined) return fromEpochDays(days);
    throw new InvalidInputError(`row ${row} does not exist: ${this.length} rows are counted from 0`);
  }

  /** First prices, in AUD adjusted for later splits. */
  get open(): Float64Array {
    return this.#loaded("open", "number").values;
  }

  /** Highest prices, in AUD adjusted for later splits. */
  get high(): Float64Array {
    return this.#loaded("high", "number").values;
  }

  /** Lowest prices, in AUD adjusted for later splits. */
  get low(): Float64Array {
    return this.#loaded("low", "number").values;
  }

  /** Last prices, in AUD adjusted for later splits. */
  get close(): Float64Array {
    return this.#loaded("close", "number").values;
  }

  /** Last prices, in AUD adjusted for splits and dividends known at fetch time; NaN where null. */
  get adjusted_close(): Float64Array {
    return this.#loaded("adjusted_close", "number").values;
  }

  /** Shares traded, 0 where nothing traded: whole numbers, exact up to 2^53-1. */
  get volume(): Float64Array {
    return this.#loaded("volume", "number").values;
  }

  /** Dividends in AUD a share, on their ex-dates; NaN where null. */
  get dividend(): Float64Array {
    return this.#loaded("dividend", "number").values;
  }

  /** New shares for one old, on their ex-dates; NaN where null. */
  get split_ratio(): Float64Array {
    return this.#loaded("split_ratio", "number").values;
  }

  /** When the provider answered, in milliseconds since 1970 UTC. */
  get fetch_timestamp(): Float64Array {
    return this.#loaded("fetch_timestamp", "instant").values;
  }

  /** The batches the bars came in; NaN where null. */
  get batch_number(): Float64Array {
    return this.#loaded("batch_number", "number").values;
  }

  /**
   * The bars of one symbol, in order of date: views where its rows stand together and in order, as loaded bars do.
   * None where the symbol has no bar.
   * @throws InvalidInputError where the text cannot be an ASX code.
   */
  of(symbol: string): Bars<Name> {
    const code = toSymbol(symbol);
    if (code === undefined) {
      throw new InvalidInputError(`${quote(symbol)} is no ASX code; give 3 to 6 of A-Z and 0-9, such as BHP`);
    }
    const rows = this.#rowsOfSymbols().get(code) ?? { from: 0, to: 0 };
    if (!(rows instanceof Int32Array)) return this.slice(rows.from, rows.to);
    return new Bars<Name>(
      new Map(Array.from(this.columns, ([name, column]) => [name, takeRows(column, rows)])),
      this.coverage,
    );
  }

  override head(count = 10): Bars<Name> {
    return this.slice(0, checkedCount(count));
  }

  override slice(from = 0, to = this.length): Bars<Name> {
    return new Bars<Name>(slicedColumns(this.columns, from, to), this.coverage);
  }

  /** The table as HTML, and below it what its coverage lacks. */
  override toHTML(): string {
    return this.coverage.isComplete ? super.toHTML() : `${super.toHTML()}\n${this.coverage.toNote()}`;
  }

  protected override toText(options: InspectOptions = {}): string {
    const text = super.toText(options);
    return this.coverage.isComplete ? text : `${text}\n${this.coverage}`;
  }

  #rowsOfSymbols(): SymbolRows {
    this.#symbolRows ??= symbolRows(this.#loaded("symbol", "text"), this.columns.get("date"));
    return this.#symbolRows;
  }

  #loaded<Kind extends Column["kind"]>(name: BarColumnName, kind: Kind): ColumnOf<Kind> {
    const column = this.columns.get(name);
    if (column !== undefined && isKind(column, kind)) return column;
    throw new InvalidInputError(
      `column ${name} was not loaded; name it in the option columns, or leave the option out to load all`,
    );
  }
}

function isKind<Kind extends Column["kind"]>(column: Column, kind: Kind): column is ColumnOf<Kind> {
  return column.kind === kind;
}
