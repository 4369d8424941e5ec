import { BAR_COLUMNS } from "../domain/bar-columns.ts";
import type { BarColumnName } from "./bars.ts";
import type { Column, Columns } from "./column.ts";

/** What decides before any price does. */
const FIRST: readonly BarColumnName[] = ["fetch_timestamp", "batch_number"];
/** What bars that stand twice have in common. */
const KEYS: readonly BarColumnName[] = ["symbol", "date"];

/**
 * The columns that decide which of several bars of a symbol and date counts: the one fetched last, then of the higher batch
 * number, then the one with the higher value in the other columns, one after the other, so that the same one always does. A
 * bar without a value counts less than any with one: one without a batch comes from a file of all symbols, the older form.
 */
export const DECIDING_COLUMNS: readonly BarColumnName[] = [
  ...FIRST,
  ...BAR_COLUMNS.map(({ name }) => name).filter((name) => !FIRST.includes(name) && !KEYS.includes(name)),
];

/** The same as an order in SQL: the bar that counts is the first. */
export const DECIDING_ORDER = DECIDING_COLUMNS.map((name) => `${name} DESC NULLS LAST`).join(", ");

/** Whether the bar of the first row counts more than that of the second; never both ways. */
export type IsLater = (row: number, other: number) => boolean;

type NumberColumn = Extract<Column, { kind: "number" | "instant" }>;

/** The same over columns; undefined where one of them is not there. */
export function laterOf(columns: Columns): IsLater | undefined {
  const deciding: NumberColumn[] = [];
  for (const name of DECIDING_COLUMNS) {
    const column = columns.get(name);
    if (column?.kind !== "number" && column?.kind !== "instant") return undefined;
    deciding.push(column);
  }
  return (row, other) => {
    for (const column of deciding) {
      const step = rankAt(column, row) - rankAt(column, other);
      if (step !== 0) return step > 0;
      const [one = 0, another = 0] = [column.values[row], column.values[other]];
      if (one > another) return true;
      if (one < another) return false;
    }
    return false;
  };
}

/** As the engine orders: null before any number, and what is none after all. */
function rankAt({ values, nulls }: NumberColumn, row: number): number {
  if (nulls?.[row] === 1) return 0;
  return Number.isNaN(values[row]) ? 2 : 1;
}
