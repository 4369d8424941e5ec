import type { Seen } from "./bar-reader.ts";
import { type Column, valueAt } from "./column.ts";
import type { SqlCell, SqlColumns, SqlRow, SqlTable } from "./sql-table.ts";
import type { Table } from "./table.ts";

/** What a table of the library is made of, and how. */
export interface TableSource {
  /** The same object while nothing has changed. */
  readonly known: object;
  readonly table: () => Table<object>;
}

/** The tables that {@link markOf} gave a mark. */
const marks = new WeakMap<object, string>();
let markCount = 0;

/** A mark of an object that readers remember: another object is another mark, whatever is in it. */
export function markOf(known: object): string {
  const given = marks.get(known);
  if (given !== undefined) return given;
  markCount += 1;
  const mark = `known ${markCount}`;
  marks.set(known, mark);
  return mark;
}

/** A table for queries of one that the library gives too: the same columns by their names, and the same rows. */
export function libraryTable(
  name: string,
  columns: SqlColumns,
  source: (seen: Seen) => Promise<TableSource>,
): SqlTable {
  return {
    name,
    columns,
    at: async (seen) => {
      const { known, table } = await source(seen);
      return { mark: markOf(known), rows: () => rowsOfTable(table(), columns) };
    },
  };
}

function rowsOfTable(table: Table<object>, columns: SqlColumns): SqlRow[] {
  const given = columns.map(([name]) => table.column(name));
  return Array.from({ length: table.length }, (_, row) => given.map((column) => cellOf(column, row)));
}

function cellOf(column: Column, row: number): SqlCell {
  const value = valueAt(column, row);
  if (value instanceof Date) return value.getTime();
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return null;
}
