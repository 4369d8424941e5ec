import { InvalidInputError } from "../domain/errors.ts";
import { quote } from "../domain/text.ts";
import { fromEpochDays } from "../domain/trading-date.ts";

/**
 * Values of one column, one entry a row. `nulls[i] === 1` where row i is null; absent where none is.
 * The value under a null is NaN (number, instant), 0 (others).
 */
export type Column =
  /** Texts as positions in a dictionary; -1 is null. The dictionary may hold texts that no row has. */
  | { readonly kind: "text"; readonly codes: Int32Array; readonly dictionary: readonly string[] }
  /** Doubles, and integers of which each fits 2^53-1. */
  | { readonly kind: "number"; readonly values: Float64Array; readonly nulls?: Uint8Array }
  /** Integers of which one is beyond 2^53-1. */
  | { readonly kind: "bigint"; readonly values: BigInt64Array; readonly nulls?: Uint8Array }
  /** Days since 1970-01-01. */
  | { readonly kind: "date"; readonly values: Int32Array; readonly nulls?: Uint8Array }
  /** Milliseconds since 1970 UTC. */
  | { readonly kind: "instant"; readonly values: Float64Array; readonly nulls?: Uint8Array }
  /** 1 is true, 0 is false. */
  | { readonly kind: "boolean"; readonly values: Uint8Array; readonly nulls?: Uint8Array }
  /** What has no typed form: lists, structs, wide decimals as text. Nulls are null. */
  | { readonly kind: "other"; readonly values: readonly unknown[] };

/** The columns of a table by name, in their order, all of one length. */
export type Columns = ReadonlyMap<string, Column>;

/**
 * Columns by name.
 * @throws InvalidInputError where two have one name, or their lengths differ.
 */
export function columnsOf(entries: Iterable<readonly [string, Column]>): Columns {
  const columns = new Map<string, Column>();
  for (const [name, column] of entries) {
    if (columns.has(name)) {
      throw new InvalidInputError(
        `two columns are named ${quote(name)}; give one of them another name with "as", like: select a.${name} as other`,
      );
    }
    columns.set(name, column);
  }
  checkLengths(columns);
  return columns;
}

/** @throws InvalidInputError where the columns are not of one length. */
export function checkLengths(columns: Columns): void {
  const length = rowCount(columns);
  for (const [name, column] of columns) {
    if (columnLength(column) === length) continue;
    throw new InvalidInputError(`column ${quote(name)} has ${columnLength(column)} rows, the first column ${length}`);
  }
}

/** How many rows the columns have: 0 where there is no column. */
export function rowCount(columns: Columns): number {
  for (const column of columns.values()) return columnLength(column);
  return 0;
}

/** How many rows the column has. */
export function columnLength(column: Column): number {
  return column.kind === "text" ? column.codes.length : column.values.length;
}

/** Whether the value of a row is null. */
export function isNullAt(column: Column, row: number): boolean {
  if (column.kind === "text") return column.codes[row] === -1;
  if (column.kind === "other") return (column.values[row] ?? null) === null;
  return column.nulls !== undefined && column.nulls[row] === 1;
}

/**
 * The value of a row as plain JavaScript: text, number, bigint, boolean, null; a date as `YYYY-MM-DD`, an instant as
 * a new Date; what is of kind "other" as it is. The row must exist.
 */
export function valueAt(column: Column, row: number): unknown {
  if (column.kind === "text") return column.dictionary[column.codes[row] ?? -1] ?? null;
  if (column.kind === "other") return column.values[row] ?? null;
  if (column.nulls !== undefined && column.nulls[row] === 1) return null;
  switch (column.kind) {
    case "date":
      return fromEpochDays(column.values[row] ?? Number.NaN);
    case "instant":
      return new Date(column.values[row] ?? Number.NaN);
    case "boolean":
      return column.values[row] === 1;
    default:
      return column.values[row];
  }
}

/** The rows from one (inclusive) to another (exclusive), counted as `Array.prototype.slice` does: views, nothing is copied. */
export function sliceColumn(column: Column, from: number, to: number): Column {
  switch (column.kind) {
    case "text":
      return { ...column, codes: column.codes.subarray(from, to) };
    case "other":
      return { kind: "other", values: column.values.slice(from, to) };
    case "number":
    case "instant":
      return { kind: column.kind, values: column.values.subarray(from, to), ...slicedNulls(column.nulls, from, to) };
    case "bigint":
      return { kind: "bigint", values: column.values.subarray(from, to), ...slicedNulls(column.nulls, from, to) };
    case "date":
      return { kind: "date", values: column.values.subarray(from, to), ...slicedNulls(column.nulls, from, to) };
    case "boolean":
      return { kind: "boolean", values: column.values.subarray(from, to), ...slicedNulls(column.nulls, from, to) };
  }
}

function slicedNulls(nulls: Uint8Array | undefined, from: number, to: number): { nulls?: Uint8Array } {
  return nulls === undefined ? {} : { nulls: nulls.subarray(from, to) };
}

/**
 * A column of the given rows in the given order; a row may come more than once.
 * @throws InvalidInputError for a row that does not exist.
 */
export function takeRows(column: Column, rows: Int32Array): Column {
  const length = columnLength(column);
  for (const row of rows) {
    if (row < 0 || row >= length)
      throw new InvalidInputError(`row ${row} does not exist: the column has ${length} rows`);
  }
  switch (column.kind) {
    case "text":
      return { ...column, codes: gather(column.codes, rows, new Int32Array(rows.length)) };
    case "other":
      return { kind: "other", values: Array.from(rows, (row) => column.values[row]) };
    case "number":
    case "instant": {
      const values = gather(column.values, rows, new Float64Array(rows.length));
      return { kind: column.kind, values, ...takenNulls(column.nulls, rows) };
    }
    case "bigint": {
      const values = new BigInt64Array(rows.length);
      for (let i = 0; i < rows.length; i++) values[i] = column.values[rows[i] ?? 0] ?? 0n;
      return { kind: "bigint", values, ...takenNulls(column.nulls, rows) };
    }
    case "date": {
      const values = gather(column.values, rows, new Int32Array(rows.length));
      return { kind: "date", values, ...takenNulls(column.nulls, rows) };
    }
    case "boolean": {
      const values = gather(column.values, rows, new Uint8Array(rows.length));
      return { kind: "boolean", values, ...takenNulls(column.nulls, rows) };
    }
  }
}

function takenNulls(nulls: Uint8Array | undefined, rows: Int32Array): { nulls?: Uint8Array } {
  return nulls === undefined ? {} : { nulls: gather(nulls, rows, new Uint8Array(rows.length)) };
}

function gather<T extends Float64Array | Int32Array | Uint8Array>(from: T, rows: Int32Array, to: T): T {
  for (let i = 0; i < rows.length; i++) to[i] = from[rows[i] ?? 0] ?? 0;
  return to;
}
