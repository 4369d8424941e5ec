import type { Bar } from "../domain/bar.ts";
import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import { type Columns, rowCount, valueAt } from "./column.ts";

/**
 * Whether columns hold just these bars, in any order. Two readers of a file that nothing vouches for have to agree on it:
 * one may not see damage that the other stumbles over. Instants count to the millisecond.
 */
export function holdSameBars(columns: Columns, bars: readonly Bar[]): boolean {
  if (rowCount(columns) !== bars.length) return false;
  const rows = Array.from(bars, (_, row) =>
    BAR_COLUMNS.map(({ name }) => {
      const column = columns.get(name);
      const value = column === undefined ? undefined : valueAt(column, row);
      return value instanceof Date ? Math.floor(value.getTime()) : value;
    }),
  );
  const expected = bars.map((bar) => BAR_COLUMNS.map(({ field }) => bar[field]));
  return linesOf(rows) === linesOf(expected);
}

function linesOf(rows: readonly (readonly unknown[])[]): string {
  return rows
    .map((row) => JSON.stringify(row))
    .sort()
    .join("\n");
}
