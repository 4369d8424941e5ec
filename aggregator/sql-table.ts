import { type DuckDBAppender, DuckDBTimestampValue, LIST, VARCHAR } from "@duckdb/node-api";
import type { Seen } from "./bar-reader.ts";

/** The engine's types that tables of the library have. */
export type SqlType = "VARCHAR" | "DATE" | "TIMESTAMP" | "BIGINT" | "DOUBLE" | "BOOLEAN" | "VARCHAR[]";

/** The columns of a table in their order. */
export type SqlColumns = readonly (readonly [name: string, type: SqlType])[];

/**
 * A value of a row: dates as `YYYY-MM-DD`, instants in milliseconds since 1970 or as ISO 8601 in UTC; `-infinity` is a
 * date and an instant before all others.
 */
export type SqlCell = string | number | boolean | null | readonly string[];

/** A row, with a value for each column in their order. */
export type SqlRow = readonly SqlCell[];

/** What a table holds at a state of the store. */
export interface SqlRows {
  /** Changes whenever a row does: while it is the same, the table is not made again. */
  readonly mark: string;
  /** The rows, asked for where the table is made. */
  readonly rows: () => readonly SqlRow[] | Promise<readonly SqlRow[]>;
}

/** A table that a query can name. It is made when one does, and kept for the next. */
export interface SqlTable {
  readonly name: string;
  readonly columns: SqlColumns;
  /** What it holds at a state; asked of a query that names it. Where that is not about bars, only dates without a run were looked into. */
  readonly at: (seen: Seen) => SqlRows | Promise<SqlRows>;
}

/** The definition of the columns, as CREATE TABLE has it. */
export function columnDefinitions(columns: SqlColumns): string {
  return columns.map(([name, type]) => `"${name}" ${type}`).join(", ");
}

/** Appends rows to a table: numbers as they are, where a text of SQL would be read as decimals and lose their last digits. */
export function appendRows(appender: DuckDBAppender, columns: SqlColumns, rows: readonly SqlRow[]): void {
  for (const row of rows) {
    for (const [index, [, type]] of columns.entries()) appendCell(appender, type, row[index] ?? null);
    appender.endRow();
  }
}

function appendCell(appender: DuckDBAppender, type: SqlType, cell: SqlCell): void {
  if (cell === null) appender.appendNull();
  else if (typeof cell === "string") appender.appendVarchar(cell);
  else if (typeof cell === "boolean") appender.appendBoolean(cell);
  else if (typeof cell !== "number") appender.appendList(cell, LIST(VARCHAR));
  else if (type === "TIMESTAMP") appender.appendTimestamp(new DuckDBTimestampValue(BigInt(Math.round(cell)) * 1000n));
  else appender.appendDouble(cell);
}
