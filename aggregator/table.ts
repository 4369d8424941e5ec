import type { Table as ArrowTable } from "apache-arrow";
import { InvalidInputError } from "../domain/errors.ts";
import { quote } from "../domain/text.ts";
import { type Column, type Columns, checkLengths, isNullAt, rowCount, sliceColumn, valueAt } from "./column.ts";
import { describeColumns } from "./describe.ts";
import { arrowOf } from "./table-arrow.ts";
import { csvPieces } from "./table-csv.ts";
import { type DisplayBundle, JUPYTER_DISPLAY, tableHtml } from "./table-html.ts";
import { jsonRows, rowsOf } from "./table-rows.ts";
import { INSPECT, type InspectOptions, tableText } from "./table-text.ts";

/** A row whose columns are not known to the compiler, as of a query. */
export type PlainRow = Record<string, unknown>;

/** What an SQL query or a load gives back: columns of equal length by name. Nothing in it changes. */
export class Table<Row extends object = PlainRow> implements Iterable<Row> {
  /** The columns by name, in their order. */
  readonly columns: Columns;
  /** How many rows there are. */
  readonly length: number;

  /** @throws InvalidInputError where the columns are not of one length. */
  constructor(columns: Columns) {
    checkLengths(columns);
    this.columns = columns;
    this.length = rowCount(columns);
  }

  /** The names of the columns, in their order. */
  get names(): string[] {
    return [...this.columns.keys()];
  }

  /**
   * One column: its typed array, for text its codes and dictionary.
   * @throws InvalidInputError that names the columns there are.
   */
  column(name: string): Column {
    const column = this.columns.get(name);
    if (column !== undefined) return column;
    throw new InvalidInputError(`there is no column ${quote(name)}; there are: ${this.names.join(", ") || "none"}`);
  }

  /**
   * The numbers of a column, NaN where null; milliseconds since 1970 of a column of instants. The column's own memory,
   * not a copy, unless it has integers beyond 2^53-1, which are rounded.
   * @throws InvalidInputError where the column is not there or has no numbers.
   */
  numbers(name: string): Float64Array {
    const column = this.column(name);
    if (column.kind === "number" || column.kind === "instant") return column.values;
    if (column.kind !== "bigint")
      throw new InvalidInputError(`column ${quote(name)} has no numbers but ${column.kind}`);
    return Float64Array.from(column.values, (value, row) => (isNullAt(column, row) ? Number.NaN : Number(value)));
  }

  /** The values of a column as in the rows. @throws InvalidInputError where it is not there. */
  values(name: string): unknown[] {
    const column = this.column(name);
    return Array.from({ length: this.length }, (_, row) => valueAt(column, row));
  }

  /** Whether the value of a row, counted from 0, is null. @throws InvalidInputError where column or row is not there. */
  isNull(name: string, row: number): boolean {
    return isNullAt(this.column(name), this.#existing(row));
  }

  /**
   * One row, counted from 0: dates as `YYYY-MM-DD`, instants as Date, nulls as null.
   * @throws InvalidInputError where it does not exist.
   */
  row(row: number): Row {
    const [found] = rowsOf<Row>(this.columns, this.#existing(row), row + 1);
    if (found === undefined) throw new InvalidInputError(`row ${row} does not exist`);
    return found;
  }

  #existing(row: number): number {
    if (Number.isInteger(row) && row >= 0 && row < this.length) return row;
    throw new InvalidInputError(`row ${row} does not exist: ${this.length} rows are counted from 0`);
  }

  /** The rows in their order, made a few at a time as they are asked for. */
  *[Symbol.iterator](): Generator<Row, void, undefined> {
    const some = 256;
    for (let from = 0; from < this.length; from += some) {
      yield* rowsOf<Row>(this.columns, from, Math.min(from + some, this.length));
    }
  }

  /** All rows as plain objects: dates as `YYYY-MM-DD`, instants as Date, nulls as null. */
  toRows(): Row[] {
    return rowsOf<Row>(this.columns, 0, this.length);
  }

  /** The rows for `JSON.stringify`: as {@link toRows}, integers beyond 2^53-1 as text. */
  toJSON(): object[] {
    return jsonRows(this.columns, 0, this.length);
  }

  /**
   * The table as one CSV text; {@link csvPieces} says how values are written.
   * @throws InvalidInputError where it is longer than a text can be, about 500 million characters.
   */
  toCSV(): string {
    try {
      return [...this.toCSVPieces()].join("");
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      const next = "write toCSVPieces() to a file piece by piece, or take a slice";
      throw new InvalidInputError(`${this.length} rows are too many for one text; ${next}`, { cause });
    }
  }

  /** The same CSV in pieces of whole lines, to write large tables to a file without the whole text in memory. */
  toCSVPieces(): Generator<string> {
    return csvPieces(this.columns);
  }

  /** The table in the form of apache-arrow, which is loaded for it; `table-arrow.ts` says which type each column gets. */
  toArrow(): Promise<ArrowTable> {
    return arrowOf(this.columns);
  }

  /** The table as HTML: at most 50 rows, all text escaped. */
  toHTML(): string {
    return tableHtml(this.columns);
  }

  /** The first rows, or all where there are fewer. @throws InvalidInputError where the count is no whole number. */
  head(count = 10): Table<Row> {
    return this.slice(0, checkedCount(count));
  }

  /** The rows from one (inclusive) to another (exclusive), counted as `Array.prototype.slice` does. No copy is made. */
  slice(from = 0, to = this.length): Table<Row> {
    return new Table<Row>(slicedColumns(this.columns, from, to));
  }

  /**
   * Statistics of every column of numbers, one row each: column, count, nulls, mean, standard_deviation (of a sample),
   * minimum, quartile_25, quartile_50, quartile_75 (interpolated between the nearest two), maximum.
   */
  describe(): Table {
    return new Table(describeColumns(this.columns));
  }

  /** The table as text: at most 20 rows, lines of 120 characters at most unless few columns need more. */
  toString(): string {
    return this.toText();
  }

  /** The table as text for a console of the given line length. */
  protected toText(options: InspectOptions = {}): string {
    return tableText(this.columns, options);
  }

  [INSPECT](_depth: number, options: InspectOptions): string {
    return this.toText(options);
  }

  [JUPYTER_DISPLAY](): DisplayBundle {
    return { "text/plain": this.toString(), "text/html": this.toHTML() };
  }
}

/** The same rows of all columns; views, no copy. */
export function slicedColumns(columns: Columns, from: number, to: number): Columns {
  return new Map(Array.from(columns, ([name, column]) => [name, sliceColumn(column, from, to)]));
}

/** @throws InvalidInputError where it is no whole number from 0. */
export function checkedCount(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new InvalidInputError(`${count} is no count of rows; give a whole number from 0`);
}
